"""Figures as SVG files; the same numbers give the same file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from underpaint.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@contextmanager
def figure(target: Path, width: float, height: float) -> Iterator[Any]:
    """Give an empty figure of *width* × *height* inches, and write it to *target* afterwards.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        hint = "from a checkout of the project: pip install '.[plot]'"
        raise MissingExtraError("plots need matplotlib", hint=hint) from None

    # Fixed hash salt and no date: the same numbers give the same file.
    with mpl.rc_context({"svg.hashsalt": "underpaint", "svg.fonttype": "none", "font.size": 9}):
        drawing = Figure(figsize=(width, height), layout="constrained")
        yield drawing
        target.parent.mkdir(parents=True, exist_ok=True)
        drawing.savefig(target, format="svg", metadata={"Date": None, "Creator": None})


def legend(drawing: Any, panels: Iterable[Any], columns: int | None = None) -> None:
    """Draw one legend for all *panels* above them, in one row or in *columns* columns."""
    shown = (zip(*axes.get_legend_handles_labels(), strict=True) for axes in panels)
    entries = {label: handle for pairs in shown for handle, label in pairs}
    place = "outside upper center"
    drawing.legend(entries.values(), entries.keys(), frameon=False, loc=place, ncols=columns or len(entries))
