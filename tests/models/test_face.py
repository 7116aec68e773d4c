"""Face templates: the network's input, the range of its output, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint import media
from underpaint.coding.template import NUMBERS, cosine_similarity
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint.models.face import template

PHOTO = media.read(samples.path("chelsea")).pixels


def test_the_template_comes_from_the_centred_square() -> None:
    found = template(PHOTO)
    assert found.dtype == np.float32
    assert found.shape == (NUMBERS,)
    assert np.mean(found**2) == pytest.approx(1, abs=1e-5)
    assert cosine_similarity(found, template(PHOTO[:, 75:375])) == pytest.approx(1, abs=1e-3)
    assert cosine_similarity(found, template(PHOTO[:, 75:375][:, ::-1])) == pytest.approx(1, abs=0.01), "mirrored"
    assert cosine_similarity(found, template(np.rot90(PHOTO))) < 0.9


def test_a_grey_array_is_refused() -> None:
    with pytest.raises(UsageError):
        template(np.zeros((40, 40), np.uint8))
