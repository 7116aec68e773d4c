"""Recovery attack on MIAIS: train a network to restore secrets that were only meant to be recognised.

The attacker trains a restorer with one of these kinds of knowledge::

    pairs    leaked containers with their secrets; neither networks nor keys
    model    the networks, so any number of pairs with keys of the attacker's choice
    key      of ours: the networks, and the keys of the containers to be restored; restores from embeddings

With the networks and known pairs under the same key, :func:`recover_codes` finds the key.

The losses are visual and, with a plain classifier, a content loss.
:mod:`underpaint_lab.benchmarks.faces.privacy` trains and evaluates the attack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from underpaint.errors import UsageError
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers.miais.nets import EmbeddingDecoder, Keys, StegGenerator
from underpaint_lab.papers.miais.ours import MiaisOurs
from underpaint_lab.papers.miais.published import MiaisPublished
from underpaint_lab.training.losses import ms_ssim_normalised
from underpaint_lab.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint_lab.papers.miais.nets import Recogniser

Knowledge = Literal["pairs", "model", "key"]
#: Halvings in the restorer.
_DOWNS = 5


@dataclass(frozen=True, kw_only=True)
class AttackRecipe(Recipe):
    """Settings of a restorer.

    Raises:
        UsageError: a value is out of range.
    """

    #: The attacker's knowledge.
    knows: Knowledge = "model"
    #: Channels of the first level, or of the last one if it restores from embeddings.
    width: int = 16
    #: Weight of the content loss: mean squared difference of a plain classifier's embeddings.
    content: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1 or self.content < 0 or self.crop % 2**_DOWNS:
            raise UsageError(f"width must be at least 1, content at least 0, crop a multiple of {2**_DOWNS}")


class LeakedPairs(Photographs):
    """Leaked pairs of container and secret, ``uint8 (H, W, 6)``."""

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:
        """Return *size* random pairs, not cropped: ``float32 (size, 6, H, W)`` in [0, 1].

        Raises:
            UsageError: the side of the pairs is not *crop*.
        """
        if self.pictures[0].shape[0] != crop:
            raise UsageError(f"pairs measure {self.pictures[0].shape[0]} pixels, not {crop}")
        drawn = np.random.default_rng([seed, step, rank, 1]).choice(len(self), size)
        pairs = np.stack([self.pictures[index] for index in drawn]).transpose(0, 3, 1, 2)
        return torch.from_numpy(pairs.astype(np.float32, order="C") / np.float32(255))


class RecoveryAttack(nn.Module):
    """A restorer with the networks it attacks and a plain classifier.

    Args:
        recipe: settings.
        victim: the attacked system.
        eye: the plain classifier of the content loss.

    Raises:
        UsageError: the recipe needs keys, which the published system does not have.
    """

    former_name: ClassVar[str] = "Attacker"

    def __init__(self, recipe: AttackRecipe, victim: MiaisPublished | MiaisOurs, eye: Recogniser) -> None:
        super().__init__()
        self.recipe = recipe
        self.known = nn.ModuleDict({"victim": victim, "eye": eye}).requires_grad_(False)
        if recipe.knows != "key":
            self.network: nn.Module = StegGenerator(recipe.width, _DOWNS, pictures=1)
        elif isinstance(victim, MiaisOurs):
            self.network = EmbeddingDecoder(victim.recipe.size, recipe.width, recipe.crop)
        else:
            raise UsageError("the published system has no keys")

    def train(self, mode: bool = True) -> Self:
        """Set the training mode; the known networks stay in evaluation mode."""
        super().train(mode)
        self.known.eval()
        return self

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``network`` with ``error``, ``visual`` and the weighted ``content``.

        Args:
            images: ``(B, 6, H, W)`` in [0, 1]: container and secret if only pairs are known, else cover and secret.
            rng: draws keys.
        """
        first, secrets = images[:, :3], images[:, 3:6]
        with torch.no_grad():
            if self.recipe.knows == "key":
                evidence = cast("MiaisOurs", self.victim).code(secrets)
            elif self.recipe.knows == "model":
                evidence = make_containers(self.victim, first, secrets, rng)[0]
            else:
                evidence = first
            embedding = self.known["eye"](secrets)
        restored = self.network(evidence)
        yield (
            "network",
            {
                "error": (restored - secrets).square().mean(),
                "visual": 1 - ms_ssim_normalised(restored, secrets).mean(),
                "content": self.recipe.content * (self.known["eye"](restored) - embedding).square().mean(),
            },
        )

    @property
    def victim(self) -> MiaisPublished | MiaisOurs:
        """The attacked system."""
        return cast("MiaisPublished | MiaisOurs", self.known["victim"])

    def restored(self, covers: Tensor, secrets: Tensor, rng: np.random.Generator) -> Tensor:
        """Restore *secrets* from new containers: 8-bit pictures, ``(B, 3, H, W)`` in [0, 1]; *rng* draws the keys."""
        with torch.inference_mode():
            containers, codes = make_containers(self.victim, covers, secrets, rng)
            return round_8_bit(self.network(codes if self.recipe.knows == "key" else containers))


def make_containers(
    victim: MiaisPublished | MiaisOurs, covers: Tensor, secrets: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor | None]:
    """Embed *secrets* in *covers* with the attacked system.

    Args:
        victim: the attacked system.
        covers: ``(B, 3, H, W)`` in [0, 1].
        secrets: of the same shape.
        rng: draws the keys of ours.

    Returns:
        8-bit containers, and for ours the codes extracted with their keys, ``(B, size)``; else None.
    """
    if isinstance(victim, MiaisPublished):
        return round_8_bit(victim.container(covers, secrets)), None
    keys = Keys(len(secrets), victim.recipe.size, rng)
    containers = victim.container(covers, victim.code(secrets), keys)
    return containers, victim.embedding(containers, keys)


def recover_codes(
    victim: MiaisOurs, known: tuple[Tensor, Tensor], others: tuple[Tensor, Tensor], rng: np.random.Generator
) -> Tensor:
    """Extract codes without the key, from known pairs under the same key (known-plaintext attack).

    A key only permutes numbers and flips signs. So each extracted number equals, up to its sign, the number of the code
    with the smallest squared error over all known pairs; the best matches are assigned first.

    Args:
        victim: the attacked system, whose networks are known.
        known: covers and secrets of the known pairs, ``(B, 3, H, W)`` each.
        others: covers and secrets of the containers to be read.
        rng: draws the key.

    Returns:
        Codes of *others*, ``(N, size)``.
    """
    keys, size = Keys(1, victim.recipe.size, rng), victim.recipe.size
    with torch.inference_mode():
        codes = victim.code(known[1])
        known_numbers, numbers = (
            victim.networks["reader"](victim.container(covers, victim.code(secrets), keys))[:, :size]
            for covers, secrets in (known, others)
        )
    products = known_numbers.T @ codes
    errors = known_numbers.square().sum(dim=0)[:, None] + codes.square().sum(dim=0) - 2 * products.abs()
    found = torch.zeros_like(numbers)
    for _ in range(size):
        place, position = divmod(int(errors.argmin()), size)
        found[:, position] = numbers[:, place] * products[place, position].sign()
        errors[place], errors[:, position] = torch.inf, torch.inf
    return found
