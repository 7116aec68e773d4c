"""Differentiable approximations of JPEG from the literature: DiffJPEG, JPEG-Mask, JPEG-Drop, Fourier quantisation.

The published layers compute chroma at full resolution unless their docstring says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch.nn import functional

from underpaint.channels.codecs import Jpeg
from underpaint.errors import UsageError
from underpaint_lab.noise_layers.blocks import BLOCK, ZIGZAG, from_blocks, padded, to_blocks, to_rgb, to_ycc
from underpaint_lab.noise_layers.layer import NoiseLayer, straight_through

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

#: The quantisation tables of ITU-T T.81, annex K, for luma and chroma: ``(2, 64)``, row by row.
_TABLES = np.array(
    [
        [
            *(16, 11, 10, 16, 24, 40, 51, 61),
            *(12, 12, 14, 19, 26, 58, 60, 55),
            *(14, 13, 16, 24, 40, 57, 69, 56),
            *(14, 17, 22, 29, 51, 87, 80, 62),
            *(18, 22, 37, 56, 68, 109, 103, 77),
            *(24, 35, 55, 64, 81, 104, 113, 92),
            *(49, 64, 78, 87, 103, 121, 120, 101),
            *(72, 92, 95, 98, 112, 100, 103, 99),
        ],
        [
            *(17, 18, 24, 47, 99, 99, 99, 99),
            *(18, 21, 26, 66, 99, 99, 99, 99),
            *(24, 26, 56, 99, 99, 99, 99, 99),
            *(47, 66, 99, 99, 99, 99, 99, 99),
            *[99] * 32,
        ],
    ]
)
#: Luma samples per chroma sample, down and across.
_SUBSAMPLING = {"444": (1, 1), "422": (1, 2), "420": (2, 2)}


def quantisation_tables(quality: int) -> NDArray[np.int64]:
    """Return libjpeg's quantisation tables of a *quality* of 1–100: luma and chroma, ``(2, 64)``, steps of 1–255."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.asarray(np.clip((_TABLES * percent + 50) // 100, 1, 255))


@dataclass(frozen=True)
class DiffJpeg(NoiseLayer):
    """Shin and Song's differentiable JPEG, the baseline [25] of the pseudo-differentiable paper.

    R. Shin and D. Song, "JPEG-resistant Adversarial Images" (NIPS 2017 workshop): all of JPEG but the entropy coding,
    which is lossless, with ``round(x)`` replaced by ``round(x) + (x - round(x))³``.

    Deviation: chroma is interpolated when it is brought back to full size, as libjpeg does, instead of repeated.

    Args:
        quality: 1–100, libjpeg's scale.
        subsampling: how chroma is reduced: 420, 422 or 444.
        rounding: cubic, as published, or straight-through: the values of the real codec, the gradient of no rounding.

    Raises:
        UsageError: a parameter is out of its range.
    """

    quality: int
    subsampling: str = "420"
    rounding: Literal["cubic", "straight-through"] = "cubic"

    def __post_init__(self) -> None:
        Jpeg(self.quality, self.subsampling)  # raises UsageError
        if self.rounding not in _ROUNDINGS:
            raise UsageError(f"rounding cannot be {self.rounding}", hint=f"legal is {' or '.join(_ROUNDINGS)}")

    def _apply(self, x: Tensor, _rng: np.random.Generator) -> Tensor:
        height, width = x.shape[-2:]
        sharing = _SUBSAMPLING[self.subsampling]
        ycc = to_ycc(x * 255)
        luma, chroma = ycc[:, :1] - 128, ycc[:, 1:]
        # libjpeg repeats columns before it reduces chroma, but rows only after.
        chroma = functional.avg_pool2d(padded(chroma, sharing[0], sharing[1] * BLOCK), sharing)
        small = -(-height // sharing[0]), -(-width // sharing[1])
        steps = torch.from_numpy(quantisation_tables(self.quality)).to(x)
        luma = self._quantised(luma, steps[0], height, width)
        chroma = self._quantised(chroma, steps[1], *small)
        if sharing != (1, 1):
            chroma = functional.interpolate(chroma, scale_factor=sharing, mode="bilinear")[..., :height, :width]
        return (to_rgb(torch.cat([luma + 128, chroma], dim=1)) / 255).clamp(0, 1)

    def _quantised(self, planes: Tensor, steps: Tensor, height: int, width: int) -> Tensor:
        coefficients = to_blocks(planes) / steps[:, None]
        return from_blocks(_ROUNDINGS[self.rounding](coefficients) * steps[:, None], height, width)


def _cubic(x: Tensor) -> Tensor:
    """Return ``round(x) + (x - round(x))³``, which has a gradient."""
    whole = x.detach().round()
    return whole + (x - whole) ** 3


def _straight(x: Tensor) -> Tensor:
    return straight_through(x.round(), x)


_ROUNDINGS = {"cubic": _cubic, "straight-through": _straight}


@dataclass(frozen=True)
class JpegMask(NoiseLayer):
    """HiDDeN's JPEG-Mask: keep only the first coefficients of every 8×8 block in zig-zag order.

    J. Zhu, R. Kaplan, J. Johnson and L. Fei-Fei, "HiDDeN: Hiding Data With Deep Networks" (ECCV 2018), section 3.
    Linear, so that results may leave [0, 1] by a little.

    Args:
        luma: number of luma coefficients kept, 0–64.
        chroma: number kept of each chroma plane.

    Raises:
        UsageError: a number is out of its range.
    """

    luma: int = 25
    chroma: int = 9

    def __post_init__(self) -> None:
        if not (0 <= self.luma <= BLOCK**2 and 0 <= self.chroma <= BLOCK**2):
            raise UsageError(f"a block cannot keep {self.luma} and {self.chroma} coefficients", hint="legal is 0–64")

    def _apply(self, x: Tensor, _rng: np.random.Generator) -> Tensor:
        kept = np.zeros((3, BLOCK**2, 1), bool)
        for plane, count in enumerate((self.luma, self.chroma, self.chroma)):
            kept[plane, [v * BLOCK + h for v, h in ZIGZAG[:count]]] = True
        return _with_kept(x, torch.from_numpy(kept))


@dataclass(frozen=True)
class JpegDrop(NoiseLayer):
    """HiDDeN's JPEG-Drop: set coefficients to 0 at random, more often the more coarsely JPEG quantises them.

    The paper (as :class:`JpegMask`, section 3) gives no probabilities. These are of its authors' code, layer
    ``jpegq+``: a coefficient of step q stays with ``clip((1 - ln(min(q, 128)) / 7)², 0.1, 0.9)``, and the means of the
    blocks always stay. Linear, so that results may leave [0, 1].

    Args:
        quality: 1–100, of the quantisation table.

    Raises:
        UsageError: the quality is out of its range.
    """

    quality: int = 50

    def __post_init__(self) -> None:
        Jpeg(self.quality)  # raises UsageError

    def keep_probability(self) -> NDArray[np.float64]:
        """Return the probability that a coefficient is kept: luma and chroma, ``(2, 64)``, row by row."""
        steps = np.minimum(quantisation_tables(self.quality), 128)
        probability = np.clip((1 - np.log(steps) / 7) ** 2, 0.1, 0.9)
        probability[:, 0] = 1
        return np.asarray(probability)

    def _apply(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        batch, _, height, width = x.shape
        blocks = -(-height // BLOCK) * -(-width // BLOCK)
        probability = self.keep_probability()[[0, 1, 1], :, None]
        kept = rng.random((batch, 3, BLOCK**2, blocks), np.float32) < probability
        return _with_kept(x, torch.from_numpy(kept))


def _with_kept(x: Tensor, kept: Tensor) -> Tensor:
    """Set the coefficients of *x* to zero that are not *kept*, ``bool (B or absent, 3, 64, blocks or 1)``."""
    coefficients = to_blocks(to_ycc(x)) * kept.to(x)
    return to_rgb(from_blocks(coefficients, *x.shape[-2:]))


@dataclass(frozen=True)
class FourierQuantise(NoiseLayer):
    """Rounding to whole levels by the first terms of its Fourier series, the baseline ``quant`` of HiDDeN's reader.

    ``round(x) ≈ x + Σ (-1)ⁿ sin(2πnx) / (πn)`` for n = 1 … *terms*, after the smallest and the largest value of the
    whole batch are brought to 0 and 255, as in the code the pseudo-differentiable paper builds on
    (ando-khachatryan/HiDDeN). That code leaves the result at 0–255; here it comes back to the range it had.

    Args:
        terms: of the series; 0 changes nothing.

    Raises:
        UsageError: fewer than 0 terms.
    """

    terms: int = 10

    def __post_init__(self) -> None:
        if self.terms < 0:
            raise UsageError(f"a Fourier series cannot have {self.terms} terms", hint="the code it is from has 10")

    def _apply(self, x: Tensor, _rng: np.random.Generator) -> Tensor:
        low, high = x.detach().aminmax()
        # A batch of a single value has no range; any scale will do.
        scale = (high - low).clamp(min=1e-6) / 255
        levels = (x - low) / scale
        rounded = levels
        for n in range(1, self.terms + 1):
            rounded = rounded + (-1) ** n / (np.pi * n) * torch.sin(2 * np.pi * n * levels)
        return rounded * scale + low
