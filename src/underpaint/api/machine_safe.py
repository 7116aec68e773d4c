"""Machine-safe embedding: classifiers keep their label, the container gets the label of its cover.

Where a method is free to choose, it changes most where classifiers tolerate change
(:func:`underpaint.models.jnd.tolerance`). Then classifiers label the container. While a label differs, the payload is
embedded again: at a higher PSNR if the method has that setting, else with other random choices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from underpaint import metrics
from underpaint.errors import CapacityError, SurvivalError
from underpaint.methods import METHODS, Method
from underpaint.methods.basn_stc import BASNSTC
from underpaint.methods.robust import Robust
from underpaint.models.classifiers import load_classifiers
from underpaint.models.jnd import tolerance
from underpaint.types import MAX_PSNR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from underpaint.models.classifiers import Classifier
    from underpaint.types import Image

Result = TypeVar("Result")

#: All methods by name; those that can choose where they change the cover do so by the tolerance of classifiers.
TOLERANT_METHODS: dict[str, Method] = METHODS | {each.name: each for each in (Robust(tolerance), BASNSTC(tolerance))}
#: Further attempts at embedding, and the increase of PSNR from one to the next, in dB.
_RETRIES, _PSNR_STEP = 4, 2.0


class ClassifierGuard:
    """Accepts only containers that all classifiers label like the cover.

    Args:
        cover: ``uint8 (H, W, 3)``, both sides at least 32 pixels.
        classifiers: functions from an image to its label, by name; None for the classifiers of the zoo.

    Raises:
        ModelError: a classifier is missing or altered.
    """

    def __init__(self, cover: Image, classifiers: Mapping[str, Classifier] | None = None) -> None:
        self._cover = cover
        self._classifiers = load_classifiers() if classifiers is None else classifiers
        self._labels = {name: label(cover) for name, label in self._classifiers.items()}

    def accept(
        self, attempt: Callable[[float | None], tuple[Result, Image]], method: Method, psnr: float | None
    ) -> Result:
        """Return the result of the first *attempt* whose container keeps all labels.

        Args:
            attempt: takes a PSNR in dB; returns any result, and the container as it is delivered.
            method: method of the attempt.
            psnr: PSNR of the first attempt, in dB; None leaves it to the method.

        Raises:
            SurvivalError: no attempt keeps all labels, or the payload of the first attempt would not survive.
            CapacityError: the payload of the first attempt does not fit.
        """
        changed: list[str] = []
        for _ in range(1 + _RETRIES):
            try:
                result, container = attempt(psnr)
            except (CapacityError, SurvivalError):
                if changed:  # only at a higher PSNR than was asked for
                    break
                raise
            changed = [name for name, label in self._classifiers.items() if label(container) != self._labels[name]]
            if not changed:
                return result
            if not method.needs_lossless:
                psnr = metrics.psnr(self._cover, container) + _PSNR_STEP
                if psnr > MAX_PSNR:
                    break
        hint = "hide less, take another picture, or leave out --machine-safe"
        raise SurvivalError(f"the container changes the label of classifier {', '.join(changed)}", hint=hint)
