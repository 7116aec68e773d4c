"""Pictures of a folder, and work in several processes, for the slow tests."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

from underpaint.media import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Task = TypeVar("Task")
Result = TypeVar("Result")


def pictures_in(folder: Path | None) -> list[Path]:
    """Return the pictures in *folder*, the samples by default, sorted by name."""
    return sorted(file for file in (folder or samples.FOLDER).glob("*") if file.suffix.lower() in (".png", ".jpg"))


def spread(work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """Return the results of *work* for *tasks*, in their order, computed by one process per core."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, tasks, chunksize=8))
