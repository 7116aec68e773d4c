"""Command line ``underpaint``: arguments for :mod:`underpaint.api`, and its reports as text or JSON."""

from underpaint.cli.main import main

__all__ = ["main"]
