"""Files of the package ``underpaint``, as its wheel contains them.

``python tests/support/package_files.py`` writes the list that tests/test_wheel.py compares with.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "underpaint"
LIST = ROOT / "tests" / "data" / "package_files.txt"


def package_files() -> list[str]:
    """Return the paths of all files, relative to the package, sorted; compiled modules are left out."""
    paths = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(PACKAGE).as_posix() for path in paths)


if __name__ == "__main__":
    LIST.write_text("".join(f"{name}\n" for name in package_files()), encoding="utf-8")
