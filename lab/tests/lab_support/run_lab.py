"""Run ``underpaint-lab`` in this process with captured streams."""

from __future__ import annotations

from functools import partial

from support.run_cli import Outcome
from support.run_cli import run as run_program
from underpaint_lab.cli import main

__all__ = ["Outcome", "run"]

run = partial(run_program, program=main)
