"""The lab's classifiers and those of the runtime."""

from __future__ import annotations

from underpaint.models import classifiers as shipped
from underpaint_lab.nets import classifiers


def test_held_out_classifiers_are_the_same_in_runtime_and_lab() -> None:
    assert set(shipped.HELD_OUT) == set(classifiers.HELD_OUT)
    assert set(shipped.names()) <= set(classifiers.CLASSIFIERS)
