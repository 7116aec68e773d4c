"""Write the generated parts of the reference: ``cli.md`` from help pages, the rows of ``channels.md`` from its tables.

Run with ``python docs/make_reference.py``.
"""

from __future__ import annotations

import os
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from underpaint.channels import CHANNELS, PRESETS
from underpaint.cli import main as underpaint

FOLDER = Path(__file__).parent / "reference"
#: Columns of the help pages.
WIDTH = "80"
INTRODUCTION = """\
# Command line

This page is generated from `underpaint --help` and `underpaint COMMAND --help` by `docs/make_reference.py`.
The lab has a command of its own: `underpaint-lab --help`.
"""


def main() -> None:
    """Write both pages."""
    (FOLDER / "cli.md").write_text(_command_line(), encoding="utf-8")
    channels = FOLDER / "channels.md"
    page = channels.read_text(encoding="utf-8")
    page = re.sub(r"(?:^\| `.+\n)+", lambda _: _channel_rows(), page, flags=re.MULTILINE)
    page = re.sub(r"(?:^\| \*\*.+\n)+", lambda _: _preset_rows(), page, flags=re.MULTILINE)
    channels.write_text(page, encoding="utf-8")


def _command_line() -> str:
    """Return the page on the command line."""
    os.environ["COLUMNS"] = WIDTH
    overview = _help()
    # The overview names every command at the start of a line that is indented by two blanks.
    names = dict.fromkeys(re.findall(r"^  ([a-z]+) ", overview, re.MULTILINE))
    for name in ("underpaint", "bench", "train"):  # the examples, and pointers to the lab, which have no help page
        names.pop(name)
    sections = [("underpaint", overview), *((f"underpaint {name}", _help(name)) for name in names)]
    blocks = (f"## {title}\n\n```text\n{text.strip()}\n```\n" for title, text in sections)
    return "\n".join([INTRODUCTION, *blocks])


def _help(*command: str) -> str:
    """Return the help page of a command, without trailing blanks."""
    output = StringIO()
    with redirect_stdout(output):
        underpaint([*command, "--help"])
    return re.sub(r" +$", "", output.getvalue(), flags=re.MULTILINE)


def _channel_rows() -> str:
    """Return a row of the table for each channel."""
    bar = r"\|"
    rows = (f"| `{each.usage().replace('|', bar)}` | {each.definition()} |\n" for each in CHANNELS.values())
    return "".join(rows)


def _preset_rows() -> str:
    """Return a row of the table for each preset."""
    bar = r"\|"
    rows = (f"| **{name}** | `{each.chain.replace('|', bar)}` | {each.source} |\n" for name, each in PRESETS.items())
    return "".join(rows)


if __name__ == "__main__":
    main()
