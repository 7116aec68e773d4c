"""Hiding from machines: classifiers shall take the container for what they take the cover for.

Where a method is free to choose, it changes most what machines tolerate (:func:`underpaint.models.jnd.tolerance`).
Then classifiers are asked. While one has changed its mind, the payload is hidden again: in better quality if the method
has such a setting, else by other numbers drawn at random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from underpaint import metrics
from underpaint.errors import CapacityError, SurvivalError
from underpaint.methods import METHODS, Method
from underpaint.methods.basn_stc import BASNSTC
from underpaint.methods.robust import Robust
from underpaint.models import classifiers
from underpaint.models.jnd import tolerance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from underpaint.models.classifiers import Judge
    from underpaint.types import Image

Result = TypeVar("Result")

#: Methods as they hide from machines; the others have no such choice.
TOLERANT_METHODS: dict[str, Method] = METHODS | {each.name: each for each in (Robust(tolerance), BASNSTC(tolerance))}
#: How often a payload is hidden again, and by how many dB better.
_AGAIN, _BETTER = 4, 2.0


class ClassifierGuard:
    """A cover, and those who shall not notice what is hidden in it.

    Args:
        cover: ``uint8 (H, W, 3)``, at least 32×32.
        judges: by name; those of the zoo by default.

    Raises:
        ModelError: a classifier is missing or altered.
    """

    def __init__(self, cover: Image, judges: Mapping[str, Judge] | None = None) -> None:
        self._cover, self._judges = cover, classifiers.classifiers_for_check() if judges is None else judges
        self._labels = {name: judge(cover) for name, judge in self._judges.items()}

    def unnoticed(
        self, attempt: Callable[[float | None], tuple[Result, Image]], by: Method, psnr: float | None
    ) -> Result:
        """The first outcome of an *attempt* whose container nobody takes for something else.

        Args:
            attempt: from the quality to aim at to an outcome and the container as it arrives.
            by: the method.
            psnr: quality to begin with, in dB.

        Raises:
            SurvivalError: there is none.
        """
        noticing: list[str] = []
        for _ in range(1 + _AGAIN):
            try:
                outcome, container = attempt(psnr)
            except (CapacityError, SurvivalError):
                if noticing:  # only now, at a quality that nobody asked for
                    break
                raise
            noticing = [name for name, judge in self._judges.items() if judge(container) != self._labels[name]]
            if not noticing:
                return outcome
            if not by.needs_lossless:
                psnr = metrics.psnr(self._cover, container) + _BETTER
        hint = "hide less, take another picture, or leave out --machine-safe"
        raise SurvivalError(f"{', '.join(noticing)} would take the container for something else", hint=hint)
