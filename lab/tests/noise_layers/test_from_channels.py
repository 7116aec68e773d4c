"""Noise layers of channels agree with the channels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lab_support.noise import generator, levels_apart, real
from underpaint.channels import parse
from underpaint_lab.noise_layers import (
    Blur,
    Cropout,
    Sequence,
    from_chain,
)


@pytest.mark.parametrize(
    ("chain", "levels"),
    [
        *(("noise:0.04", 0.51), ("cropout:0.3", 0), ("cropout:0.3,at=centre", 0), ("flip:vertical", 0)),
        *(("blur:0.5", 0.51), ("blur:3", 0.51), ("blur:20", 0.51)),
        *(("brightness:0.9", 0.51), ("brightness:1.5", 0.51), ("contrast:0.8", 0.51), ("contrast:2", 0.51)),
        *((f"resize:{factor},filter=bicubic", 2) for factor in (0.3, 0.5, 0.75, 1.7)),
        *((f"resize:0.5,filter={name}", 2) for name in ("nearest", "box", "bilinear", "lanczos")),
        *((f"rotate:{degrees}", 1.01) for degrees in (-33, 0.5, 5, 45, 90, 180)),
        ("flip | rotate:3 | brightness:0.8", 2),
    ],
)
def test_a_layer_agrees_with_its_channel_before_rounding(photos: Tensor, chain: str, levels: float) -> None:
    for photo in torch.split(photos, 1):
        apart = levels_apart(from_chain(parse(chain))(photo, generator()), real(chain, photo))
        assert apart.max() <= levels + 1e-3


def test_every_picture_has_its_own_window() -> None:
    lost = Cropout(0.1)(torch.ones(4, 3, 40, 40), generator()) < 1
    assert (lost.double().mean(dim=(1, 2, 3)) - 0.9).abs().max() < 0.02
    assert len({picture.numpy().tobytes() for picture in lost}) == 4


def test_a_channel_without_a_layer_is_skipped() -> None:
    assert from_chain(parse("webp:50 | blur:1")) == Sequence((Blur(1),))
