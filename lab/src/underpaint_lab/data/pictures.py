"""Picture files of a folder, crops and tiles, and parallel work with progress."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from underpaint.errors import UsageError
from underpaint.media import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from underpaint.types import Image

EXTENSIONS = (".png", ".webp", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def pictures_in(folder: Path | None) -> list[Path]:
    """Return the pictures in *folder*, the samples by default, sorted by name.

    Raises:
        UsageError: there are none.
    """
    folder = (folder or samples.FOLDER).resolve()
    found = sorted(file for file in folder.glob("*") if file.suffix.lower() in EXTENSIONS)
    if not found:
        raise UsageError(f"no pictures in {folder}")
    return found


def crops(image: Image, side: int) -> list[Image]:
    """Cut *image* into all its squares of *side* pixels that do not overlap, row by row from the top left."""
    return list(tiles(image, side, side).values())


def tiles(image: Image, height: int, width: int) -> dict[tuple[int, int], Image]:
    """Return all tiles of *height* by *width* pixels that do not overlap, by (row, column), from the top left."""
    rows, columns = image.shape[0] // height, image.shape[1] // width
    pieces = image[: rows * height, : columns * width].reshape(rows, height, columns, width, 3).swapaxes(1, 2)
    return {(y, x): pieces[y, x].copy() for y in range(rows) for x in range(columns)}


def middle(image: Image, side: int) -> Image:
    """Return the central square of *image*, of *side* pixels.

    Raises:
        UsageError: it is too small.
    """
    top, left = ((length - side) // 2 for length in image.shape[:2])
    if min(top, left) < 0:
        raise UsageError(f"a picture is too small for a crop of {side}×{side}")
    return image[top : top + side, left : left + side].copy()


def spread(work: Callable[[Task], Outcome], tasks: Sequence[Task], jobs: int | None) -> list[Outcome]:
    """Return ``[work(task) for task in tasks]``, computed by *jobs* processes; None: one per core."""
    jobs = min(jobs or os.cpu_count() or 1, len(tasks))
    if jobs <= 1:
        return list(_with_progress(map(work, tasks), len(tasks)))
    # Spawned, not forked: a fork copies the locks of codec and runtime threads in whatever state they are.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_leave_with_parent) as pool:
        return list(_with_progress(pool.map(work, tasks), len(tasks)))


def _leave_with_parent() -> None:
    """End this worker process when its parent has ended, even if the parent was killed."""
    parent = parent_process()
    if parent is not None:
        Thread(target=_exit_after, args=[parent], daemon=True).start()


def _exit_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _with_progress(outcomes: Iterable[Outcome], total: int) -> Iterable[Outcome]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not console.is_terminal
    return track(outcomes, "measuring", total=total, console=console, transient=True, disable=hidden)
