"""Video codecs as channels: quality, limits, odd sides, and the missing extra."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from underpaint.channels import parse
from underpaint.errors import ImageError, MissingExtraError
from underpaint.metrics import psnr

if TYPE_CHECKING:
    from underpaint.types import Image


@pytest.mark.parametrize("text", ["mpeg4:2", "xvid:2", "h264:5", "hevc:5"])
def test_the_best_quality_is_above_32_db(photo: Image, text: str) -> None:
    assert psnr(photo, parse(text)(photo)) > 32


@pytest.mark.parametrize("text", ["mpeg4:5", "h264:23"])
def test_pictures_too_wide_for_the_codec_are_refused(text: str) -> None:
    with pytest.raises(ImageError, match="cannot encode a picture of 70000×1"):
        parse(text)(np.zeros((1, 70000, 3), np.uint8))


@pytest.mark.parametrize("text", ["mpeg4:5", "xvid:5", "h264:23", "hevc:23"])
def test_without_pyav_the_extra_is_named(photo: Image, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError) as caught:
        parse(text)(photo)
    assert "pip install '.[video]'" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["mpeg4:2", "xvid:2", "h264:0", "hevc:0"])
def test_pictures_with_odd_sides_are_not_shifted(photo: Image, text: str) -> None:
    odd = photo[:61, :87]
    received = parse(text)(odd)
    assert psnr(odd, received) > psnr(odd[1:], received[:-1]) + 5
    assert psnr(odd, received) > psnr(odd[:, 1:], received[:, :-1]) + 5


def test_without_an_hevc_encoder_the_missing_encoder_is_named(photo: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str, mode: str) -> av.Codec:
        raise av.codec.codec.UnknownCodecError(name)

    monkeypatch.setattr(av, "Codec", unknown)
    with pytest.raises(MissingExtraError, match="no encoder libx265"):
        parse("hevc:23")(photo)
