"""Fine alignment by the pilots: a displacement of more than half a pixel is undone."""

from __future__ import annotations

import numpy as np
import pytest

from support import geometry
from underpaint import media
from underpaint.coding.keys import SALT, Key
from underpaint.embedding import blind_detection, pilot_fit, watermark
from underpaint.embedding.canvas import Canvas
from underpaint.embedding.placement import Placement
from underpaint.media import samples
from underpaint.types import Payload

KEY = Key.derive(None, SALT)
COVER = media.read(samples.path("coffee")).pixels[:400, 100:500]


@pytest.mark.parametrize("across", [0.6, -0.9])
def test_a_displacement_is_found(across: float) -> None:
    canvas = Canvas(512)
    embedding = watermark.prepare(canvas, COVER, Payload(b"12345678"), KEY, 16)
    step = embedding.step(watermark.energy(canvas, 40))
    container = embedding.paint(embedding.change(embedding.targets(step) - embedding.projections))
    placement = Placement(geometry.shifted(across, 0.5) @ np.diag([400.0, 400.0, 1.0]))
    straight = placement.straightened(container, 512)
    before = blind_detection.detect(canvas, straight, KEY)
    moved = pilot_fit.displacement(straight, canvas, KEY, before, 0)
    fitted = Placement(placement.matrix @ moved)
    assert geometry.error(fitted, container, COVER, np.eye(3)) < 0.3
    after = blind_detection.detect(canvas, fitted.straightened(container, 512), KEY)[0]
    assert after.p_value < min(before[0].p_value, 1e-12)
