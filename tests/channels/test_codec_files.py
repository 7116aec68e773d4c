"""Codecs report the size of what they send."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint import media
from underpaint.channels import CHANNELS, Codec, parse
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint.metrics import psnr

MILD_AND_STRONG = {"jpeg2000": (4, 40), "mpeg4": (2, 20), "xvid": (2, 20), "h264": (18, 40), "hevc": (18, 40)}


def codec(text: str) -> Codec:
    (found,) = parse(text).channels
    assert isinstance(found, Codec)
    return found


@pytest.mark.parametrize("name", [name for name, kind in CHANNELS.items() if issubclass(kind, Codec)])
def test_stronger_compression_gives_fewer_bits_and_a_lower_psnr(name: str) -> None:
    mild, strong = MILD_AND_STRONG.get(name, (90, 10))
    picture = media.read(samples.path("coffee")).pixels[100:228, 200:356]
    (near, more), (far, less) = (codec(f"{name}:{strength}").transmit(picture) for strength in (mild, strong))
    assert 24 > more > less > 0
    assert psnr(picture, near) > psnr(picture, far)
    assert np.array_equal(near, parse(f"{name}:{mild}")(picture))
    with pytest.raises(UsageError, match="expected an RGB image"):
        codec(f"{name}:{mild}").transmit(picture[..., 0])


def test_the_ratio_of_jpeg_2000_is_met() -> None:
    picture = media.read(samples.path("coffee")).pixels[:256, :256]
    assert codec("jpeg2000:10").transmit(picture)[1] == pytest.approx(2.4, rel=0.02)
