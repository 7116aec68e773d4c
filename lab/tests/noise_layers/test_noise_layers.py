"""Every attack layer keeps the contract, and is held to the real channel it stands for."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import Tensor

from underpaint import media
from underpaint.channels import CHANNELS, parse
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint.types import Image
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
    from_chain,
)
from underpaint_lab.noise_layers.blocks import ZIGZAG, to_blocks, to_ycc
from underpaint_lab.noise_layers.jpeg import quantisation_tables


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def photos() -> Tensor:
    """Two photographs, ``(2, 3, 50, 70)``, of 8-bit values; the sides are no multiples of 8."""
    pixels = media.read(samples.path("chelsea")).pixels
    return batch([pixels[40:90, 100:170], pixels[100:150, 200:270]])


def batch(pictures: Iterable[Image]) -> Tensor:
    x: Tensor = torch.from_numpy(np.stack(list(pictures))).permute(0, 3, 1, 2) / 255
    return x


def real(chain: str, x: Tensor) -> Tensor:
    sent = (x * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return batch(parse(chain)(picture, generator()) for picture in sent)


def gradient(layer: NoiseLayer, x: Tensor, weights: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    found: Tensor = torch.autograd.grad((layer(x, generator()) * weights).sum(), x)[0]
    return found


def levels_apart(a: Tensor, b: Tensor) -> Tensor:
    apart: Tensor = (a - b).abs() * 255
    return apart


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


class TestContract:
    def test_every_layer_has_an_example(self) -> None:
        assert {name: type(layer) for name, layer in EXAMPLES.items()} == NOISE_LAYERS

    def test_a_twin_has_a_channels_name_and_parameters(self) -> None:
        for name, layer in CHANNEL_LAYERS.items():
            ours, theirs = (inspect.signature(kind).parameters for kind in (layer, CHANNELS[name]))
            assert list(ours)[: len(theirs)] == list(theirs)

    @EACH
    @pytest.mark.parametrize("size", [(1, 1), (5, 12), (16, 17)])
    def test_shape_stays_and_the_same_generator_gives_the_same(self, layer: NoiseLayer, size: tuple[int, int]) -> None:
        x = torch.rand(3, 3, *size)
        before = x.clone()
        y = layer(x, generator())
        assert y.shape == x.shape
        assert y.dtype == torch.float32
        assert torch.equal(y, layer(x, generator()))
        assert torch.equal(x, before)

    @EACH
    def test_under_autocast_it_still_computes_in_32_bits(self, layer: NoiseLayer, photos: Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(photos, generator())
        assert torch.equal(y, layer(photos, generator()))

    @EACH
    def test_there_is_a_gradient(self, layer: NoiseLayer, photos: Tensor) -> None:
        found = gradient(layer, photos, torch.rand_like(photos))
        assert found.isfinite().all()
        assert found.abs().sum() > 0

    @EACH
    def test_something_else_than_rgb_pictures_is_refused(self, layer: NoiseLayer) -> None:
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
        ids=repr,
    )
    def test_no_strength_changes_nothing(self, layer: NoiseLayer, photos: Tensor) -> None:
        torch.testing.assert_close(layer(photos, generator()), photos, rtol=0, atol=1e-6)

    @pytest.mark.parametrize(
        ("layer", "parameters"),
        [
            *((DiffJpeg, (0,)), (DiffJpeg, (50, "411")), (DiffJpeg, (50, "420", "floor"))),
            *((JpegMask, (65,)), (JpegDrop, (101,)), (FourierQuantise, (-1,)), (Flip, ("diagonal",))),
            *((Noise, (2,)), (Blur, (-1,)), (Brightness, (-1,)), (Contrast, (11,))),
            *((Resize, (0,)), (Resize, (0.5, "sharp")), (Cropout, (0,)), (Rotate, (181,))),
        ],
    )
    def test_a_parameter_out_of_range_is_refused(self, layer: type[NoiseLayer], parameters: tuple[object, ...]) -> None:
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
    def test_the_gradient_is_that_of_the_values(self, layer: NoiseLayer) -> None:
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


class TestPseudoDifferentiable:
    @pytest.mark.parametrize("chain", ["jpeg:50", "webp:30", "jpeg2000:10", "jpeg:75 | blur:1"])
    def test_the_values_are_the_real_channels(self, photos: Tensor, chain: str) -> None:
        for passage in (chain, parse(chain), [chain], lambda _rng: chain):
            assert torch.equal(PseudoDifferentiable(passage)(photos, generator()), real(chain, photos))

    def test_values_are_rounded_not_truncated_and_clipped(self) -> None:
        x = torch.tensor([-0.1, 99.6 / 255, 99.4 / 255, 1.1])[None, None, :, None].expand(1, 3, 4, 1)
        y = PseudoDifferentiable("none")(x, generator()) * 255
        torch.testing.assert_close(y[0, 0, :, 0], torch.tensor([0.0, 100, 99, 255]))

    def test_the_gradient_is_the_identitys(self, photos: Tensor) -> None:
        weights = torch.rand_like(photos)
        assert torch.equal(gradient(PseudoDifferentiable("jpeg:50"), photos, weights), weights)

    @pytest.mark.parametrize("surrogate", [DiffJpeg(50), from_chain], ids=["layer", "function"])
    def test_with_a_surrogate_the_gradient_is_the_surrogates(self, photos: Tensor, surrogate: Any) -> None:
        weights = torch.rand_like(photos)
        layer = PseudoDifferentiable("jpeg:50", surrogate=surrogate)
        assert torch.equal(layer(photos, generator()), real("jpeg:50", photos))
        torch.testing.assert_close(gradient(layer, photos, weights), gradient(DiffJpeg(50), photos, weights))

    def test_chance_is_the_same_forward_and_backward(self, photos: Tensor) -> None:
        weights = torch.rand_like(photos)
        layer = PseudoDifferentiable("cropout:0.3", surrogate=from_chain)
        left = layer(photos, generator()) == photos
        assert torch.equal(gradient(layer, photos, weights) == weights, left.all(1, keepdim=True).expand_as(left))

    def test_pictures_get_passages_of_their_own_by_weight(self) -> None:
        x = torch.full((200, 3, 1, 1), 0.2)
        layer = PseudoDifferentiable(["brightness:2", "none", "brightness:0"], [3, 1, 0])
        doubled = (layer(x, generator())[:, 0, 0, 0] > 0.3).double().mean()
        assert 0.65 < doubled < 0.85
        drawn = PseudoDifferentiable(lambda rng: f"brightness:{rng.uniform(1, 4):.3f}")(x, generator())
        assert len(np.unique(drawn.numpy())) > 50

    def test_the_number_of_threads_does_not_matter(self, photos: Tensor) -> None:
        one, three = (PseudoDifferentiable("noise:0.1", workers=count)(photos, generator()) for count in (1, 3))
        assert torch.equal(one, three)
        assert not torch.equal(one[0] - photos[0], one[1] - photos[1])

    def test_a_passage_that_changes_the_size_is_refused(self, photos: Tensor) -> None:
        with pytest.raises(UsageError, match="changes the size"):
            PseudoDifferentiable("rescale:0.5")(photos, generator())

    def test_weights_that_do_not_fit_are_refused(self) -> None:
        for weights in ([1], [0, 0], [-1, 2], [float("nan"), 1]):
            with pytest.raises(UsageError, match="cannot be drawn"):
                PseudoDifferentiable(["none", "flip"], weights)
        with pytest.raises(UsageError, match="cannot be drawn"):
            PseudoDifferentiable([])
        with pytest.raises(UsageError, match="takes no weights"):
            PseudoDifferentiable(lambda _rng: "none", [1])


class TestJpeg:
    @pytest.mark.parametrize("subsampling", ["420", "422", "444"])
    @pytest.mark.parametrize("quality", [5, 25, 50, 75])
    def test_with_hard_rounding_it_is_the_real_codec(self, photos: Tensor, quality: int, subsampling: str) -> None:
        # The codec rounds colours to 8 bits four times on the way, which this does not: less than a level on average,
        # and now and then a coefficient is rounded the other way. At higher qualities that is most of the change.
        received = real(f"jpeg:{quality},subsampling={subsampling}", photos)
        ours = DiffJpeg(quality, subsampling, "straight-through")(photos, generator())
        assert levels_apart(ours, received).mean() < 1
        change, real_change = (ours - photos).flatten(), (received - photos).flatten()
        assert torch.cosine_similarity(change, real_change, dim=0) > 0.9

    def test_cubic_rounding_is_off_by_the_cube_and_has_its_slope(self) -> None:
        x = torch.full((1, 3, 8, 8), 0.5 + 3.2 / 255, dtype=torch.float64)
        # Grey 3.2 above the middle is 25.6 steps of the DC, of which a step is 2 at quality 94: 12.8, rounded to 13.
        ((step, _),) = [quantisation_tables(94)[:, 0]]
        assert step == 2
        shifted = (x - 0.5) * 255 - 0.5
        dc = 8 * shifted / step
        expected = (dc.round() + (dc - dc.round()) ** 3) * step / 8
        y = DiffJpeg(94, "444")(x, generator())
        torch.testing.assert_close((y - 0.5) * 255 - 0.5, expected)

    def test_tables_are_those_in_a_file(self) -> None:
        for quality in (1, 10, 49, 50, 51, 90, 100):
            with BytesIO() as file:
                Pillow.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
                tables = Pillow.open(file).quantization  # type: ignore[attr-defined]
            assert np.array_equal(quantisation_tables(quality), [tables[0], tables[1]])

    def test_mask_keeps_the_first_coefficients_in_zigzag_order_and_nothing_else(self, photos: Tensor) -> None:
        assert ZIGZAG[:10] == [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1), (3, 0)]
        x = photos[..., :48, :64]
        before, after = (to_blocks(to_ycc(picture)) for picture in (x, JpegMask()(x, generator())))
        for plane, count in enumerate((25, 9, 9)):
            order = [8 * v + h for v, h in ZIGZAG]
            kept, lost = order[:count], order[count:]
            torch.testing.assert_close(after[:, plane, kept], before[:, plane, kept], rtol=0, atol=1e-5)
            assert after[:, plane, lost].abs().max() < 1e-5

    def test_drop_loses_coefficients_as_often_as_their_step_says_but_no_means(self) -> None:
        x = torch.rand(2, 3, 256, 256)
        layer = JpegDrop(50)
        before, after = (to_blocks(to_ycc(picture)) for picture in (x, layer(x, generator())))
        kept = (after.abs() > before.abs() / 2).double().mean(dim=(0, 3)).numpy()
        probability = layer.keep_probability()
        np.testing.assert_allclose(kept, probability[[0, 1, 1]], atol=0.06)
        assert (kept[:, 0] == 1).all()
        order = np.argsort(quantisation_tables(50)[0, 1:])
        assert (np.diff(probability[0, 1:][order]) <= 0).all()

    def test_fourier_quantisation_comes_close_to_rounding(self) -> None:
        # From black to white, so that its own scaling changes nothing; steps of .1 that avoid the jump at .5.
        x = torch.arange(0, 255.01, 0.2, dtype=torch.float64).repeat(3, 1)[None, :, None] / 255
        apart = levels_apart(FourierQuantise()(x, generator()), (x * 255).round() / 255)
        assert apart.mean() < 0.05
        assert levels_apart(x, (x * 255).round() / 255).mean() > 0.2


class TestTwins:
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
    def test_is_the_runtimes_channel_before_rounding(self, photos: Tensor, chain: str, levels: float) -> None:
        for photo in torch.split(photos, 1):
            apart = levels_apart(from_chain(parse(chain))(photo, generator()), real(chain, photo))
            assert apart.max() <= levels + 1e-3

    def test_every_picture_loses_places_of_its_own(self) -> None:
        lost = Cropout(0.1)(torch.ones(4, 3, 40, 40), generator()) < 1
        assert (lost.double().mean(dim=(1, 2, 3)) - 0.9).abs().max() < 0.02
        assert len({picture.numpy().tobytes() for picture in lost}) == 4

    def test_a_channel_without_a_twin_is_passed_over(self) -> None:
        assert from_chain(parse("webp:50 | blur:1")) == Sequence((Blur(1),))
