"""Differentiable JPEG layers agree with the real codec and with their definitions."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import Tensor

from lab_support.noise import generator, levels_apart, real
from underpaint_lab.noise_layers import (
    DiffJpeg,
    FourierQuantise,
    JpegDrop,
    JpegMask,
)
from underpaint_lab.noise_layers.blocks import ZIGZAG, to_blocks, to_ycc
from underpaint_lab.noise_layers.jpeg import quantisation_tables


@pytest.mark.parametrize("subsampling", ["420", "422", "444"])
@pytest.mark.parametrize("quality", [5, 25, 50, 75])
def test_with_hard_rounding_it_agrees_with_the_real_codec(photos: Tensor, quality: int, subsampling: str) -> None:
    # The codec rounds colours to 8 bits four times on the way, which this does not: less than a level on average,
    # and now and then a coefficient is rounded the other way. At higher qualities that is most of the change.
    received = real(f"jpeg:{quality},subsampling={subsampling}", photos)
    ours = DiffJpeg(quality, subsampling, "straight-through")(photos, generator())
    assert levels_apart(ours, received).mean() < 1
    change, real_change = (ours - photos).flatten(), (received - photos).flatten()
    assert torch.cosine_similarity(change, real_change, dim=0) > 0.9


def test_cubic_rounding_is_off_by_the_cube_and_has_its_slope() -> None:
    x = torch.full((1, 3, 8, 8), 0.5 + 3.2 / 255, dtype=torch.float64)
    # Grey 3.2 above the middle is 25.6 steps of the DC, of which a step is 2 at quality 94: 12.8, rounded to 13.
    ((step, _),) = [quantisation_tables(94)[:, 0]]
    assert step == 2
    shifted = (x - 0.5) * 255 - 0.5
    dc = 8 * shifted / step
    expected = (dc.round() + (dc - dc.round()) ** 3) * step / 8
    y = DiffJpeg(94, "444")(x, generator())
    torch.testing.assert_close((y - 0.5) * 255 - 0.5, expected)


def test_quantisation_tables_are_those_in_a_jpeg_file() -> None:
    for quality in (1, 10, 49, 50, 51, 90, 100):
        with BytesIO() as file:
            Pillow.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
            tables = Pillow.open(file).quantization  # type: ignore[attr-defined]
        assert np.array_equal(quantisation_tables(quality), [tables[0], tables[1]])


def test_jpeg_mask_keeps_the_first_coefficients_in_zigzag_order_only(photos: Tensor) -> None:
    assert ZIGZAG[:10] == [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1), (3, 0)]
    x = photos[..., :48, :64]
    before, after = (to_blocks(to_ycc(picture)) for picture in (x, JpegMask()(x, generator())))
    for plane, count in enumerate((25, 9, 9)):
        order = [8 * v + h for v, h in ZIGZAG]
        kept, lost = order[:count], order[count:]
        torch.testing.assert_close(after[:, plane, kept], before[:, plane, kept], rtol=0, atol=1e-5)
        assert after[:, plane, lost].abs().max() < 1e-5


def test_jpeg_drop_keeps_coefficients_by_their_probability_and_every_dc() -> None:
    x = torch.rand(2, 3, 256, 256)
    layer = JpegDrop(50)
    before, after = (to_blocks(to_ycc(picture)) for picture in (x, layer(x, generator())))
    kept = (after.abs() > before.abs() / 2).double().mean(dim=(0, 3)).numpy()
    probability = layer.keep_probability()
    np.testing.assert_allclose(kept, probability[[0, 1, 1]], atol=0.06)
    assert (kept[:, 0] == 1).all()
    order = np.argsort(quantisation_tables(50)[0, 1:])
    assert (np.diff(probability[0, 1:][order]) <= 0).all()


def test_fourier_quantisation_approximates_rounding() -> None:
    # From black to white, so that its own scaling changes nothing; steps of .1 that avoid the jump at .5.
    x = torch.arange(0, 255.01, 0.2, dtype=torch.float64).repeat(3, 1)[None, :, None] / 255
    apart = levels_apart(FourierQuantise()(x, generator()), (x * 255).round() / 255)
    assert apart.mean() < 0.05
    assert levels_apart(x, (x * 255).round() / 255).mean() > 0.2
