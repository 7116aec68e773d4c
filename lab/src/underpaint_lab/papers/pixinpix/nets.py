"""Our network for PixInPix: a secret picture as whole numbers in blocks of 8×8, and back.

::

    secret ─► transform of 8×8 blocks ─► kind of each block ─► quantised coefficients ─┐ residues of the container
    secret ◄─ corrected ◄─ inverse transform ◄──────────────────────────────────────────┘

:mod:`underpaint.methods.pixinpix` embeds the whole numbers in a cover. The paper's own networks are two
:class:`~underpaint_lab.nets.unet.UNet`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.embedding.residues import BLOCK, VALUES
from underpaint.methods.pixinpix import KINDS
from underpaint_lab.nets.colour_dct import colour_dct
from underpaint_lab.nets.unet import zero_initialised
from underpaint_lab.noise_layers.layer import straight_through

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class _Settings:
    """Constants of the block coder."""

    colour_spreads: tuple[float, ...] = (0.12, 0.5)  # colour's deviation relative to luma's, for half of the kinds each
    flattest: float = 4.0  # standard deviation of the lowest luma coefficients, in levels, of the smoothest kind
    busiest: float = 450.0  # the same of the kind with the most detail
    step: float = 6.0  # quantisation step at first, in levels of 8 bits
    kind_values: int = 3  # container values per block that carry its kind
    kind_cost: float = 1.5  # mean squared change of such a value
    even_period_cost: float = 0.2  # mean cost of whole periods beyond (4^R - 1) / 12: 1/4 where even, 0 where odd
    max_bits: float = 4.9  # bits per value that a block can take: what it packs must fit in 64 bits
    table_rate: float = 10.0  # learning-rate factor of the tables, relative to the network's weights
    turn_rate: float = 0.1  # the same of the transform
    width: int = 24  # channels of the correction network


_SETTINGS = _Settings()


class BlockSymbols(NamedTuple):
    """A picture as whole numbers: the payload of its container."""

    #: Quantised coefficients, 0 … levels - 1, ``(B, 192, H / 8, W / 8)``.
    numbers: Tensor
    #: Kind of each block, 0 … :data:`KINDS` - 1, ``int64 (B, H / 8, W / 8)``.
    kinds: Tensor


class BlockCoder(nn.Module):
    """A trainable transform coder for the secret picture.

    Blocks of 8×8 are transformed, by a cosine transform at first, luma and the two colour axes separately. Each block
    has one of :data:`KINDS` kinds; the kind gives every coefficient its number of levels and its step. The kind with
    the least total error, of container and secret, is chosen and sent with the block, so the decoder guesses nothing.
    Both errors follow from kinds and numbers alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cosines: Tensor
        self.register_buffer("cosines", colour_dct())
        self.turn = nn.Parameter(torch.zeros(3, BLOCK**2, BLOCK**2))
        spread, least = _expected()
        steps = torch.full_like(spread, _SETTINGS.step)
        # None so far below 1 that it would never learn.
        levels = (torch.maximum(4.5 * spread, least) / steps).clamp(min=0.6)
        self.finer = nn.Parameter(torch.log(steps) / _SETTINGS.table_rate)
        self.more = nn.Parameter(torch.log(levels) / _SETTINGS.table_rate)
        layers: list[nn.Module] = []
        for inputs, outputs in ((4, _SETTINGS.width), (_SETTINGS.width, _SETTINGS.width)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        self.mend = nn.Sequential(*layers, zero_initialised(nn.Conv2d(_SETTINGS.width, 3, 3, padding=1)))

    def basis(self) -> Tensor:
        """Return the transform, ``(192, 192)``, with orthonormal rows: one row per coefficient."""
        turns = torch.matrix_exp(_SETTINGS.turn_rate * (self.turn - self.turn.transpose(1, 2)))
        return (turns @ self.cosines.reshape(3, BLOCK**2, VALUES)).reshape(VALUES, VALUES)

    def tables(self) -> tuple[Tensor, Tensor]:
        """Return the quantiser of every kind.

        Returns:
            Number of levels (whole, at least 1) and step (in levels of 8 bits), each ``(KINDS, 192)``.
        """
        levels = _floor(torch.exp(_SETTINGS.table_rate * self.more) + 0.5).clamp(min=1)
        return levels, torch.exp(_SETTINGS.table_rate * self.finer)

    def costs(self) -> Tensor:
        """Return the mean squared change of a container's values by kind of block, ``(KINDS,)``, in squared levels.

        Infinite for a kind whose levels do not fit in a block.
        """
        values = VALUES - _SETTINGS.kind_values
        rate = torch.log2(self.tables()[0]).sum(dim=1) / values
        square = 4**rate
        written = (square - 1) / 12 + _SETTINGS.even_period_cost * (1 - 1 / square)
        cost = (written * values + _SETTINGS.kind_cost * _SETTINGS.kind_values) / VALUES
        return torch.where(rate > _SETTINGS.max_bits, torch.full_like(cost, math.inf), cost)

    def coefficients(self, secret: Tensor) -> Tensor:
        """Transform pictures in levels 0…255, ``(B, 3, H, W)``, to coefficients ``(B, 192, H / 8, W / 8)``."""
        weight = self.basis().reshape(VALUES, 3, BLOCK, BLOCK)
        return functional.conv2d(secret - 127.5, weight, stride=BLOCK)

    def symbols(self, coefficients: Tensor, weight: float) -> BlockSymbols:
        """Quantise *coefficients*; gradients pass the rounding of numbers unchanged, and there is none through kinds.

        Args:
            coefficients: ``(B, 192, H / 8, W / 8)``.
            weight: weight of the secret's squared error relative to the container's.
        """
        levels, steps = self.tables()
        with torch.no_grad():
            best, kinds = torch.full_like(coefficients[:, 0], math.inf), torch.zeros_like(coefficients[:, 0])
            for kind, cost in enumerate(self.costs()):
                count, step = (table[kind].view(-1, 1, 1) for table in (levels, steps))
                found = _dequantise(_quantise(coefficients, count, step), count, step)
                total = cost + weight * (found - coefficients).square().mean(dim=1)
                best, kinds = torch.minimum(best, total), torch.where(total < best, float(kind), kinds)
        chosen = kinds.long()
        return BlockSymbols(_quantise(coefficients, *self._chosen(chosen)), chosen)

    def picture(self, symbols: BlockSymbols) -> Tensor:
        """Decode *symbols* to the secret in levels, ``(B, 3, H, W)``, neither clamped nor rounded."""
        values = _dequantise(symbols.numbers, *self._chosen(symbols.kinds))
        weight = self.basis().reshape(VALUES, 3, BLOCK, BLOCK)
        plain = functional.conv_transpose2d(values, weight, stride=BLOCK) / 127.5
        busy = torch.log2(self.costs())[symbols.kinds][:, None]
        busy = functional.interpolate(busy, scale_factor=float(BLOCK), mode="nearest")
        mended: Tensor = 127.5 * plain + self.mend(torch.cat([plain, busy], dim=1)) + 127.5
        return mended

    def _chosen(self, kinds: Tensor) -> Sequence[Tensor]:
        """Levels and steps of blocks of those *kinds*, ``(B, 192, h, w)`` each."""
        return [table[kinds].permute(0, 3, 1, 2) for table in self.tables()]


class FrozenBlockCoder(BlockCoder):
    """A trained :class:`BlockCoder` with transform and tables computed once, so that levels are exactly whole."""

    def __init__(self, blocks: BlockCoder) -> None:
        super().__init__()
        self.load_state_dict(blocks.state_dict())
        self.turned: Tensor
        self.levels: Tensor
        self.steps: Tensor
        with torch.no_grad():
            levels, steps = blocks.tables()
            self.register_buffer("turned", blocks.basis())
            self.register_buffer("levels", torch.round(levels))
            self.register_buffer("steps", steps.clone())

    def basis(self) -> Tensor:
        """Return the transform, as :meth:`BlockCoder.basis`."""
        return self.turned

    def tables(self) -> tuple[Tensor, Tensor]:
        """Return levels and steps, as :meth:`BlockCoder.tables`."""
        return self.levels, self.steps


class SecretEncoder(nn.Module):
    """Exported network that turns a secret picture into whole numbers.

    Args:
        blocks: the trained coder.
        weight: weight of the secret's squared error relative to the container's.
    """

    def __init__(self, blocks: FrozenBlockCoder, weight: float) -> None:
        super().__init__()
        self.blocks, self.weight = blocks, weight

    def forward(self, secret: Tensor) -> tuple[Tensor, Tensor]:
        """Return numbers and kinds, whole ``float32``, of pictures in levels, ``(B, 3, H, W)``."""
        numbers, kinds = self.blocks.symbols(self.blocks.coefficients(secret), self.weight)
        return torch.round(numbers), kinds.to(secret.dtype)


class SecretDecoder(nn.Module):
    """Exported network that turns the whole numbers into the secret picture."""

    def __init__(self, blocks: FrozenBlockCoder) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, numbers: Tensor, kinds: Tensor) -> Tensor:
        """Return the picture in levels, ``(B, 3, H, W)``, neither clamped nor rounded; inverse of SecretEncoder."""
        return self.blocks.picture(BlockSymbols(numbers, kinds.long()))


class LevelTable(nn.Module):
    """Exported table with the number of levels of each coefficient."""

    def __init__(self, blocks: FrozenBlockCoder) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, kinds: Tensor) -> Tensor:
        """Return the levels, ``(N, 192)``, of blocks of these *kinds*, ``(N,)``."""
        return self.blocks.levels[kinds.long()]


def _floor(x: Tensor) -> Tensor:
    """Round *x* down, with the gradient of the identity."""
    return straight_through(torch.floor(x), x)


def _quantise(coefficients: Tensor, levels: Tensor, steps: Tensor) -> Tensor:
    """Return the index of the nearest of *levels*, which are evenly spaced about 0."""
    nearest = _floor(coefficients / steps + levels / 2).clamp(min=0)
    # Levels learn from coefficients beyond the last one, and only from those.
    return torch.where(nearest > levels - 1, levels - 1, nearest)


def _dequantise(numbers: Tensor, levels: Tensor, steps: Tensor) -> Tensor:
    return (numbers - (levels - 1) / 2) * steps


def _frequencies() -> tuple[Tensor, Tensor]:
    """Colour axis of each coefficient (0 is luma) and its distance from the lowest frequency, ``(192,)`` each."""
    across = torch.arange(BLOCK, dtype=torch.float32)
    distance = torch.hypot(across[:, None], across).flatten()
    return torch.arange(3).repeat_interleave(BLOCK**2), distance.repeat(3)


def _expected() -> tuple[Tensor, Tensor]:
    """Initial standard deviations of coefficients by kind, ``(KINDS, 192)``, and the range they must cover at least."""
    plane, distance = _frequencies()
    count = KINDS // len(_SETTINGS.colour_spreads)
    detail = torch.logspace(math.log10(_SETTINGS.flattest), math.log10(_SETTINGS.busiest), count)
    falling = distance.clamp(min=1) ** -1.3
    colours = _SETTINGS.colour_spreads
    spread = torch.stack(
        [level * torch.where(plane == 0, 1.0, colour) * falling for level in detail for colour in colours]
    )
    # The mean of a block may be anything that 8 bits hold.
    reach = 255 * BLOCK * torch.tensor([math.sqrt(3), math.sqrt(2), 4 / math.sqrt(6)])
    return spread, torch.where(distance == 0, reach[plane], 0.0)
