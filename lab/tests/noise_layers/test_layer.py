"""The contract of all noise layers."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import Tensor

from lab_support.noise import generator, gradient
from underpaint.channels import CHANNELS
from underpaint.errors import UsageError
from underpaint_lab.noise_layers import (
    CHANNEL_LAYERS,
    NOISE_LAYERS,
    Blur,
    Brightness,
    Contrast,
    Cropout,
    DiffJpeg,
    Flip,
    FourierQuantise,
    JpegDrop,
    JpegMask,
    Noise,
    NoiseLayer,
    PseudoDifferentiable,
    Resize,
    Rotate,
    Sequence,
)

#: One working setting of each layer.
EXAMPLES: dict[str, NoiseLayer] = {
    "pseudo": PseudoDifferentiable("jpeg:50"),
    "jpeg": DiffJpeg(50),
    "jpeg-mask": JpegMask(),
    "jpeg-drop": JpegDrop(),
    "fourier-quantise": FourierQuantise(),
    "noise": Noise(0.04),
    "blur": Blur(1),
    "brightness": Brightness(0.9),
    "contrast": Contrast(0.9),
    "resize": Resize(0.5),
    "cropout": Cropout(0.5),
    "rotate": Rotate(5),
    "flip": Flip(),
}
EACH = pytest.mark.parametrize("layer", EXAMPLES.values(), ids=EXAMPLES)


def test_every_layer_has_an_example() -> None:
    assert {name: type(layer) for name, layer in EXAMPLES.items()} == NOISE_LAYERS


def test_a_channel_layer_has_the_name_and_parameters_of_its_channel() -> None:
    for name, layer in CHANNEL_LAYERS.items():
        ours, theirs = (inspect.signature(kind).parameters for kind in (layer, CHANNELS[name]))
        assert list(ours)[: len(theirs)] == list(theirs)


@EACH
@pytest.mark.parametrize("size", [(1, 1), (5, 12), (16, 17)])
def test_the_shape_is_kept_and_the_same_generator_gives_the_same(layer: NoiseLayer, size: tuple[int, int]) -> None:
    x = torch.rand(3, 3, *size)
    before = x.clone()
    y = layer(x, generator())
    assert y.shape == x.shape
    assert y.dtype == torch.float32
    assert torch.equal(y, layer(x, generator()))
    assert torch.equal(x, before)


@EACH
def test_layers_compute_in_32_bits_under_autocast(layer: NoiseLayer, photos: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(photos, generator())
    assert torch.equal(y, layer(photos, generator()))


@EACH
def test_every_layer_has_a_gradient(layer: NoiseLayer, photos: Tensor) -> None:
    found = gradient(layer, photos, torch.rand_like(photos))
    assert found.isfinite().all()
    assert found.abs().sum() > 0


@EACH
def test_only_rgb_pictures_are_accepted(layer: NoiseLayer) -> None:
    for wrong in (torch.rand(3, 8, 8), torch.rand(1, 1, 8, 8), torch.zeros(1, 3, 8, 8, dtype=torch.uint8)):
        with pytest.raises(UsageError, match="expected RGB pictures"):
            layer(wrong, generator())


@pytest.mark.parametrize(
    "layer",
    [
        *(Noise(0), Blur(0), Brightness(1), Contrast(1), Resize(1), Cropout(1), Rotate(0)),
        *(JpegMask(64, 64), FourierQuantise(0), Sequence(()), Sequence((Flip(), Flip()))),
        PseudoDifferentiable("none"),
    ],
    ids=lambda layer: repr(layer).partition(" object")[0],
)
def test_at_strength_zero_a_layer_is_the_identity(layer: NoiseLayer, photos: Tensor) -> None:
    torch.testing.assert_close(layer(photos, generator()), photos, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "parameters"),
    [
        *((DiffJpeg, (0,)), (DiffJpeg, (50, "411")), (DiffJpeg, (50, "420", "floor"))),
        *((JpegMask, (65,)), (JpegDrop, (101,)), (FourierQuantise, (-1,)), (Flip, ("diagonal",))),
        *((Noise, (2,)), (Blur, (-1,)), (Brightness, (-1,)), (Contrast, (11,))),
        *((Resize, (0,)), (Resize, (0.5, "sharp")), (Cropout, (0,)), (Rotate, (181,)), (Rotate, (5, "yes"))),
    ],
)
def test_a_parameter_out_of_range_is_refused(layer: type[NoiseLayer], parameters: tuple[object, ...]) -> None:
    with pytest.raises(UsageError):
        layer(*parameters)


@pytest.mark.parametrize(
    "layer",
    [
        *(DiffJpeg(50, "420"), DiffJpeg(50, "444"), JpegMask(), JpegDrop(), FourierQuantise(2)),
        *(Noise(0.01), Blur(1), Brightness(0.9), Contrast(0.9), Resize(0.5), Cropout(0.5), Rotate(5), Flip()),
    ],
    ids=repr,
)
def test_the_gradient_agrees_with_finite_differences(layer: NoiseLayer) -> None:
    # Away from 0 and 1, where values are clipped. The extremes of a batch decide how Fourier quantisation scales,
    # which its gradient leaves out: they are given, not differentiated.
    extremes = torch.tensor([0.25, 0.75], dtype=torch.float64).repeat(8, 4)[None, None].expand(1, 3, 8, 8)
    x = (torch.rand(1, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 0.3) + 0.35
    x.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: layer(torch.cat([x, extremes]), generator())[:1],
        x,
        eps=1e-7,
        atol=1e-4,
        rtol=1e-3,
        fast_mode=True,
    )
