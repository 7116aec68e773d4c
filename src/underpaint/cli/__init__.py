"""The command line: arguments in, one call of :mod:`underpaint.api`, plain lines out."""

from underpaint.cli.main import main

__all__ = ["main"]
