"""Networks that hide a picture in a picture of the same size: as published, and ours.

::

    published   cover, secret ─► U-Net ─► container ─► U-Net ─► secret
    ours        secret ─► turned blocks of 8×8 ─► kind of each block ─► whole numbers ─┐ residues of the container
                secret ◄─ mended ◄─ turned back ◄──────────────────────────────────────┘
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.methods.pixinpix import BLOCK, KINDS, VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence

#: To begin with, kinds of blocks differ in detail, and half of them have little colour, the others much.
_COLOUR = (0.12, 0.5)
_DETAIL = KINDS // len(_COLOUR)
#: Values of a block that have its kind, and by how much that changes each.
_TOLD, _TELLING = 3, 1.5
#: What whole periods cost beyond (4^R - 1) / 12: up to a quarter where they are even, nothing where they are odd.
_WHOLE = 0.2
#: Bits per value that a block can take at most: 64 bits hold what it packs.
_MOST = 4.9
#: Standard deviations of the lowest coefficients of luma, in levels, in blocks of the least and of the most detail.
_FLAT, _BUSY = 4.0, 450.0
#: How much faster tables learn than the weights of a network do, and how much slower the turn does.
_FAST, _SLOW = 10.0, 0.1
#: Channels of what mends.
_WIDTH = 24


class UNet(nn.Module):
    """The paper's: five halvings, 16 to 256 channels; sides are multiples of 32.

    Args:
        inputs: channels.
        normalised: with batch normalisation, which the paper does not mention.
    """

    def __init__(self, inputs: int, *, normalised: bool) -> None:
        super().__init__()
        widths = (16, 32, 64, 128, 256)
        before = (inputs, *widths[:-1])
        self.down = nn.ModuleList(_twice(*pair, normalised) for pair in zip(before, widths, strict=True))
        outputs = (16, 16, 32, 64, 128)
        above = (*outputs[1:], widths[-1])
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(*pair, 2, 2) for pair in zip(above, outputs, strict=True))
        joined = [skip + width for skip, width in zip(widths, outputs, strict=True)]
        self.up = nn.ModuleList(_twice(*pair, normalised) for pair in zip(joined, outputs, strict=True))
        self.head = nn.Conv2d(outputs[0], 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 3, H, W)`` of ``(B, inputs, H, W)``, of any range."""
        skips = []
        for block in self.down:
            skips.append(block(x))
            x = functional.max_pool2d(skips[-1], 2)
        for enlarge, block, skip in reversed(list(zip(self.enlarge, self.up, skips, strict=True))):
            x = block(torch.cat([enlarge(x), skip], dim=1))
        made: Tensor = self.head(x)
        return made


def _twice(inputs: int, outputs: int, normalised: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (inputs, outputs):
        layers += [nn.Conv2d(before, outputs, 3, padding=1), *([nn.BatchNorm2d(outputs)] if normalised else [])]
        layers += [nn.ReLU()]
    return nn.Sequential(*layers)


class Symbols(NamedTuple):
    """A picture as whole numbers: what its container carries."""

    #: Of each coefficient, 0 … its levels - 1, ``(B, 192, H / 8, W / 8)``.
    numbers: Tensor
    #: Of each block, 0 … :data:`KINDS` - 1, ``(B, H / 8, W / 8)``, ``int64``.
    kinds: Tensor


class Blocks(nn.Module):
    """Ours: a picture as whole numbers, and back.

    Blocks of 8×8 are turned, as by a cosine transform at first, luma and colours each by itself. Each is of a kind,
    which says how many levels every coefficient has, and how far apart: the one that costs least, container and secret
    together. It is told, so that nothing has to be guessed; all that both lose follows from kinds and numbers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cosines: Tensor
        self.register_buffer("cosines", cosines())
        self.turn = nn.Parameter(torch.zeros(3, BLOCK**2, BLOCK**2))
        spread, least = _expected()
        steps = torch.full_like(spread, 6.0)
        # None so far below 1 that it would never learn.
        levels = (torch.maximum(4.5 * spread, least) / steps).clamp(min=0.6)
        self.finer = nn.Parameter(torch.log(steps) / _FAST)
        self.more = nn.Parameter(torch.log(levels) / _FAST)
        layers: list[nn.Module] = []
        for inputs, outputs in ((4, _WIDTH), (_WIDTH, _WIDTH)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        self.mend = nn.Sequential(*layers, nothing_yet(nn.Conv2d(_WIDTH, 3, 3, padding=1)))

    def basis(self) -> Tensor:
        """The turn, ``(192, 192)``: each row is what a coefficient is the product with; rows are orthonormal."""
        turns = torch.matrix_exp(_SLOW * (self.turn - self.turn.transpose(1, 2)))
        return (turns @ self.cosines.reshape(3, BLOCK**2, VALUES)).reshape(VALUES, VALUES)

    def tables(self) -> tuple[Tensor, Tensor]:
        """Levels of each coefficient, whole numbers of at least 1, and steps in levels of 8 bits: ``(KINDS, 192)``."""
        return whole(torch.exp(_FAST * self.more) + 0.5).clamp(min=1), torch.exp(_FAST * self.finer)

    def costs(self) -> Tensor:
        """The mean square by which a block's values change, by its kind, ``(KINDS,)``: all have one period, nearly.

        Infinite where a kind has more levels than fit.
        """
        values = VALUES - _TOLD
        rate = torch.log2(self.tables()[0]).sum(dim=1) / values
        square = 4**rate
        written = (square - 1) / 12 + _WHOLE * (1 - 1 / square)
        cost = (written * values + _TELLING * _TOLD) / VALUES
        return torch.where(rate > _MOST, torch.full_like(cost, math.inf), cost)

    def coefficients(self, secret: Tensor) -> Tensor:
        """Those of pictures in levels, ``(B, 3, H, W)``, as ``(B, 192, H / 8, W / 8)``."""
        weight = self.basis().reshape(VALUES, 3, BLOCK, BLOCK)
        return functional.conv2d(secret - 127.5, weight, stride=BLOCK)

    def symbols(self, coefficients: Tensor, weight: float) -> Symbols:
        """The whole numbers of *coefficients*; secret squared errors count *weight* times as much as the container's.

        Of numbers, gradients know the way to coefficients and tables, as if nothing were rounded; of kinds none.
        """
        levels, steps = self.tables()
        with torch.no_grad():
            best, kinds = torch.full_like(coefficients[:, 0], math.inf), torch.zeros_like(coefficients[:, 0])
            for kind, cost in enumerate(self.costs()):
                count, step = (table[kind].view(-1, 1, 1) for table in (levels, steps))
                found = _value(_number(coefficients, count, step), count, step)
                total = cost + weight * (found - coefficients).square().mean(dim=1)
                best, kinds = torch.minimum(best, total), torch.where(total < best, float(kind), kinds)
        chosen = kinds.long()
        return Symbols(_number(coefficients, *self._chosen(chosen)), chosen)

    def picture(self, symbols: Symbols) -> Tensor:
        """The secret in levels, ``(B, 3, H, W)``, neither clamped nor rounded."""
        values = _value(symbols.numbers, *self._chosen(symbols.kinds))
        weight = self.basis().reshape(VALUES, 3, BLOCK, BLOCK)
        plain = functional.conv_transpose2d(values, weight, stride=BLOCK) / 127.5
        busy = torch.log2(self.costs())[symbols.kinds][:, None]
        busy = functional.interpolate(busy, scale_factor=float(BLOCK), mode="nearest")
        mended: Tensor = 127.5 * plain + self.mend(torch.cat([plain, busy], dim=1)) + 127.5
        return mended

    def _chosen(self, kinds: Tensor) -> Sequence[Tensor]:
        """Levels and steps of blocks of those *kinds*, ``(B, 192, h, w)`` each."""
        return [table[kinds].permute(0, 3, 1, 2) for table in self.tables()]


class Frozen(Blocks):
    """*blocks* as they have been learned, computed once: levels are whole to the last bit."""

    def __init__(self, blocks: Blocks) -> None:
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
        """As of :class:`Blocks`."""
        return self.turned

    def tables(self) -> tuple[Tensor, Tensor]:
        """As of :class:`Blocks`."""
        return self.levels, self.steps


class Writer(nn.Module):
    """What makes numbers of a secret.

    Args:
        blocks: as they are.
        weight: how much more a secret's squared error counts than the container's.
    """

    def __init__(self, blocks: Frozen, weight: float) -> None:
        super().__init__()
        self.blocks, self.weight = blocks, weight

    def forward(self, secret: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers and kinds, whole ``float32``, of pictures ``(B, 3, H, W)`` in levels; sides are multiples of 8."""
        numbers, kinds = self.blocks.symbols(self.blocks.coefficients(secret), self.weight)
        return torch.round(numbers), kinds.to(secret.dtype)


class Reader(nn.Module):
    """What makes a picture of numbers."""

    def __init__(self, blocks: Frozen) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, numbers: Tensor, kinds: Tensor) -> Tensor:
        """The picture in levels, ``(B, 3, H, W)``, neither clamped nor rounded; both as of :class:`Writer`."""
        return self.blocks.picture(Symbols(numbers, kinds.long()))


class Levels(nn.Module):
    """What says how many levels numbers have."""

    def __init__(self, blocks: Frozen) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, kinds: Tensor) -> Tensor:
        """Those of blocks of these *kinds*, ``(N,)``: ``(N, 192)``."""
        return self.blocks.levels[kinds.long()]


def nothing_yet(layer: nn.Conv2d) -> nn.Conv2d:
    """*layer*, which makes zeros until it has learned."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def whole(x: Tensor) -> Tensor:
    """*x* rounded down, which gradients pass as if it were not."""
    return x + (torch.floor(x) - x).detach()


def _number(coefficients: Tensor, levels: Tensor, steps: Tensor) -> Tensor:
    """Which of the levels, evenly spaced about 0, is nearest."""
    nearest = whole(coefficients / steps + levels / 2).clamp(min=0)
    # Levels learn from what is beyond them, and only from that.
    return torch.where(nearest > levels - 1, levels - 1, nearest)


def _value(numbers: Tensor, levels: Tensor, steps: Tensor) -> Tensor:
    return (numbers - (levels - 1) / 2) * steps


def _frequencies() -> tuple[Tensor, Tensor]:
    """Of each coefficient, 0 luma or 1, 2 colour, and its distance from the lowest, ``(192,)`` each."""
    across = torch.arange(BLOCK, dtype=torch.float32)
    distance = torch.hypot(across[:, None], across).flatten()
    return torch.arange(3).repeat_interleave(BLOCK**2), distance.repeat(3)


def cosines() -> Tensor:
    """Products of a colour and two cosines, ``(192, 192)``: rows are orthonormal, columns channel, row and column."""
    place = torch.arange(BLOCK, dtype=torch.float32)
    waves = torch.cos(math.pi * (2 * place + 1) * place[:, None] / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    waves[0] /= math.sqrt(2)
    colours = functional.normalize(torch.tensor([[1.0, 1, 1], [1, 0, -1], [-1, 2, -1]]), dim=1)
    return torch.einsum("kc,uy,vx->kuvcyx", colours, waves, waves).reshape(VALUES, VALUES)


def _expected() -> tuple[Tensor, Tensor]:
    """Standard deviations to begin with, ``(KINDS, 192)``, and the range that coefficients have at least."""
    plane, distance = _frequencies()
    detail = torch.logspace(math.log10(_FLAT), math.log10(_BUSY), _DETAIL)
    falling = distance.clamp(min=1) ** -1.3
    spread = torch.stack(
        [level * torch.where(plane == 0, 1.0, colour) * falling for level in detail for colour in _COLOUR]
    )
    # The mean of a block may be anything that 8 bits hold.
    reach = 255 * BLOCK * torch.tensor([math.sqrt(3), math.sqrt(2), 4 / math.sqrt(6)])
    return spread, torch.where(distance == 0, reach[plane], 0.0)
