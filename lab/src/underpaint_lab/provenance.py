"""Which commit of the code is running: what every number and every trained network notes down."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str:
    """Return the first twelve digits of the commit, with a plus sign if the code was altered after it.

    It is ``unknown`` outside a checkout, or without git.
    """

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)  # noqa: S603, S607
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + (
            "+" if git("status", "--porcelain", "--", ":/src", ":/lab/src") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
