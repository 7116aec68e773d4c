"""Write ``docs/reference/cli.md`` from the help pages of the command line.

Run with ``python docs/make_cli_reference.py``.
"""

from __future__ import annotations

import os
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from underpaint.cli import main as underpaint

PAGE = Path(__file__).parent / "reference" / "cli.md"
#: Columns of the help pages.
WIDTH = "80"
INTRODUCTION = """\
# Command line

This page is generated from `underpaint --help` and `underpaint COMMAND --help` by `docs/make_cli_reference.py`.
The lab has a command of its own: `underpaint-lab --help`.
"""


def main() -> None:
    """Write the page."""
    os.environ["COLUMNS"] = WIDTH
    overview = _help()
    # The overview names every command at the start of a line that is indented by two blanks.
    names = dict.fromkeys(re.findall(r"^  ([a-z]+) ", overview, re.MULTILINE))
    names.pop("underpaint")  # the examples
    sections = [("underpaint", overview), *((f"underpaint {name}", _help(name)) for name in names)]
    blocks = (f"## {title}\n\n```text\n{text.strip()}\n```\n" for title, text in sections)
    PAGE.write_text("\n".join([INTRODUCTION, *blocks]), encoding="utf-8")


def _help(*command: str) -> str:
    """Return the help page of a command, without trailing blanks."""
    output = StringIO()
    with redirect_stdout(output):
        underpaint([*command, "--help"])
    return re.sub(r" +$", "", output.getvalue(), flags=re.MULTILINE)


if __name__ == "__main__":
    main()
