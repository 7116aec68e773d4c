"""Record the name lookups and internet connections of another process, native libraries included."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


def build(folder: Path) -> Path | None:
    """Compile the recorder into *folder*; None where there is no C compiler or no ``LD_PRELOAD``."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "network_log.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
    return library


def environment(library: Path | None, log: Path) -> dict[str, str]:
    """Return the variables that make a process write its lookups and connections to *log*."""
    return {} if library is None else {"LD_PRELOAD": str(library), "NETWORK_LOG": str(log)}
