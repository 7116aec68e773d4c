"""STDM keeps a reserve: after the channel that was asked for, error correction is not used up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from underpaint.channels import parse
from underpaint.embedding.watermark import MAX_RAW_BER
from underpaint.methods import METHODS
from underpaint.types import Payload

if TYPE_CHECKING:
    from underpaint.types import Image

MESSAGE = Payload.from_text("12345678")


@pytest.fixture(scope="module")
def container(photograph: Image) -> Image:
    cover = photograph[40:232, 100:292].copy()
    return METHODS["stdm"].hide(cover, MESSAGE, None, psnr=None, survive=parse("jpeg:30"))


def test_the_reserve_is_a_third_of_what_the_code_corrects() -> None:
    assert MAX_RAW_BER == 0.04


@pytest.mark.parametrize("stronger", ["jpeg:20", "noise:0.05"])
def test_a_message_hidden_for_a_channel_survives_a_stronger_one(stronger: str, container: Image) -> None:
    assert METHODS["stdm"].reveal(parse(stronger)(container), None) == MESSAGE
