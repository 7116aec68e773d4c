"""Every attack layer keeps the contract, and is held to the real channel it stands for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from underpaint import image, samples  # noqa: E402
from underpaint.channels import parse  # noqa: E402
from underpaint.errors import UsageError  # noqa: E402
from underpaint.lab.diffchannels import DiffJpeg, Layer, PseudoDifferentiable  # noqa: E402
from underpaint.types import Image  # noqa: E402


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def photos() -> Tensor:
    """Two photographs, ``(2, 3, 50, 70)``, of 8-bit values; the sides are no multiples of 8."""
    pixels = image.read(samples.path("chelsea")).pixels
    return batch([pixels[40:90, 100:170], pixels[100:150, 200:270]])


def batch(pictures: Iterable[Image]) -> Tensor:
    x: Tensor = torch.from_numpy(np.stack(list(pictures))).permute(0, 3, 1, 2) / 255
    return x


def real(chain: str, x: Tensor) -> Tensor:
    sent = (x * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return batch(parse(chain)(picture) for picture in sent)


def gradient(layer: Layer, x: Tensor, weights: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (layer(x, generator()) * weights).sum().backward()
    assert x.grad is not None
    return x.grad


class TestPseudoDifferentiable:
    @pytest.mark.parametrize("chain", ["jpeg:50", "webp:30", "jpeg2000:10", "jpeg:75 | blur:1"])
    def test_the_values_are_the_real_channels(self, photos: Tensor, chain: str) -> None:
        assert torch.equal(PseudoDifferentiable(chain)(photos, generator()), real(chain, photos))

    def test_the_gradient_is_the_identitys(self, photos: Tensor) -> None:
        weights = torch.rand_like(photos)
        assert torch.equal(gradient(PseudoDifferentiable("jpeg:50"), photos, weights), weights)

    def test_with_a_surrogate_the_gradient_is_the_surrogates(self, photos: Tensor) -> None:
        weights = torch.rand_like(photos)
        layer = PseudoDifferentiable("jpeg:50", surrogate=DiffJpeg(50))
        assert torch.equal(layer(photos, generator()), real("jpeg:50", photos))
        assert torch.equal(gradient(layer, photos, weights), gradient(DiffJpeg(50), photos, weights))

    def test_a_passage_that_changes_the_size_is_refused(self, photos: Tensor) -> None:
        with pytest.raises(UsageError, match="changes the size"):
            PseudoDifferentiable("rescale:0.5")(photos, generator())
