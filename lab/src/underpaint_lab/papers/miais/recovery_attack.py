"""What somebody who learns to restore finds of secrets that were only meant to be recognised.

An attacker trains a restorer of its own, by what it knows::

    pairs    containers of others with their secrets, each made once; neither networks nor keys
    model    the networks, so that it makes as many pairs as it likes, each by a key of its own
    key      of ours: the networks, and the keys of the containers that it restores: it draws by embeddings

Who knows the networks, and pairs by the very key that others are turned by, needs no key: :func:`opened`.

It learns by what can be seen and, as it has a plain classifier, by whom that sees.
:mod:`underpaint_lab.benchmarks.faces.privacy` trains and judges it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from underpaint.errors import UsageError
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers.miais.nets import Drawer, Generator, Keys
from underpaint_lab.papers.miais.ours import Ours
from underpaint_lab.papers.miais.published import Published
from underpaint_lab.training.losses import ms_ssim_normalised
from underpaint_lab.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint_lab.papers.miais.nets import Recogniser

Knowledge = Literal["pairs", "model", "key"]
#: Halvings of the restorer.
_DOWNS = 5


@dataclass(frozen=True, kw_only=True)
class AttackRecipe(Recipe):
    """What a restorer is trained by.

    Raises:
        UsageError: a value is out of range.
    """

    #: What whoever trains it knows.
    knows: Knowledge = "model"
    #: Channels of its first or last level.
    width: int = 16
    #: Weight of whom a plain classifier sees in what is restored: the mean square by which embeddings differ.
    content: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1 or self.content < 0 or self.crop % 2**_DOWNS:
            raise UsageError(f"width must be at least 1, content at least 0, crop a multiple of {2**_DOWNS}")


class Lost(Photographs):
    """Containers with their secrets, ``uint8 (H, W, 6)``, that got into other hands."""

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:
        """*size* pairs drawn at random, as they are: ``float32 (size, 6, H, W)`` in [0, 1].

        Raises:
            UsageError: their side is not *crop*.
        """
        if self.pictures[0].shape[0] != crop:
            raise UsageError(f"pairs measure {self.pictures[0].shape[0]} pixels, not {crop}")
        drawn = np.random.default_rng([seed, step, rank, 1]).choice(len(self), size)
        pairs = np.stack([self.pictures[index] for index in drawn]).transpose(0, 3, 1, 2)
        return torch.from_numpy(pairs.astype(np.float32, order="C") / np.float32(255))


class Attacker(nn.Module):
    """A restorer, and what whoever trains it has: the networks of a victim, and a plain classifier."""

    def __init__(self, recipe: AttackRecipe, victim: Published | Ours, eye: Recogniser) -> None:
        super().__init__()
        self.recipe = recipe
        self.known = nn.ModuleDict({"victim": victim, "eye": eye}).requires_grad_(False)
        if recipe.knows != "key":
            self.network: nn.Module = Generator(recipe.width, _DOWNS, pictures=1)
        elif isinstance(victim, Ours):
            self.network = Drawer(victim.recipe.size, recipe.width, recipe.crop)
        else:
            raise UsageError("the published system has no keys")

    def train(self, mode: bool = True) -> Self:
        """As of a module; what is known stays as it is."""
        super().train(mode)
        self.known.eval()
        return self

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``network``: ``error``, ``visual`` and, weighted, ``content``.

        *images* are pairs of container and secret, ``(B, 6, H, W)`` in [0, 1], if it knows no more than those, and
        couples of cover and secret otherwise.
        """
        first, secrets = images[:, :3], images[:, 3:6]
        with torch.no_grad():
            if self.recipe.knows == "key":
                evidence = cast("Ours", self.victim).code(secrets)
            elif self.recipe.knows == "model":
                evidence = made(self.victim, first, secrets, rng)[0]
            else:
                evidence = first
            seen = self.known["eye"](secrets)
        restored = self.network(evidence)
        yield (
            "network",
            {
                "error": (restored - secrets).square().mean(),
                "visual": 1 - ms_ssim_normalised(restored, secrets).mean(),
                "content": self.recipe.content * (self.known["eye"](restored) - seen).square().mean(),
            },
        )

    @property
    def victim(self) -> Published | Ours:
        """Whose containers are to be restored."""
        return cast("Published | Ours", self.known["victim"])

    def restored(self, covers: Tensor, secrets: Tensor, rng: np.random.Generator) -> Tensor:
        """What it makes of new containers of *secrets*: pictures of 8 bits, ``(B, 3, H, W)`` in [0, 1]."""
        with torch.inference_mode():
            containers, codes = made(self.victim, covers, secrets, rng)
            return round_8_bit(self.network(codes if self.recipe.knows == "key" else containers))


def made(
    victim: Published | Ours, covers: Tensor, secrets: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor | None]:
    """Containers of *secrets* in *covers*, in 8 bits, and what those of ours say by their keys, drawn by *rng*."""
    if isinstance(victim, Published):
        return round_8_bit(victim.container(covers, secrets)), None
    keys = Keys(len(secrets), victim.recipe.size, rng)
    containers = victim.container(covers, victim.code(secrets), keys)
    return containers, victim.embedding(containers, keys)


def opened(
    victim: Ours, known: tuple[Tensor, Tensor], others: tuple[Tensor, Tensor], rng: np.random.Generator
) -> Tensor:
    """Codes, ``(N, size)``, as they are read in containers of *others* by whoever has *known* pairs by the same key.

    A key only changes places and signs. So each number that a container says is, but for its sign, that number of the
    code which it misses least in all pairs; the surest come first.

    Args:
        victim: its networks are known, and not the key.
        known: covers and secrets of the pairs.
        others: those of the containers that are to be read.
        rng: draws the key.
    """
    keys, size = Keys(1, victim.recipe.size, rng), victim.recipe.size
    with torch.inference_mode():
        codes = victim.code(known[1])
        told, said = (
            victim.networks["reader"](victim.container(covers, victim.code(secrets), keys))[:, :size]
            for covers, secrets in (known, others)
        )
    products = told.T @ codes
    missed = told.square().sum(dim=0)[:, None] + codes.square().sum(dim=0) - 2 * products.abs()
    found = torch.zeros_like(said)
    for _ in range(size):
        place, number = divmod(int(missed.argmin()), size)
        found[:, number] = said[:, place] * products[place, number].sign()
        missed[place], missed[:, number] = torch.inf, torch.inf
    return found
