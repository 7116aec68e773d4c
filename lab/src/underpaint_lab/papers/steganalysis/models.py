"""The networks of :mod:`underpaint_lab.papers.steganalysis.nets`, trained to tell containers from their covers.

::

    pairs of lab.pairs, each kind of container alike ─► 2 · B pictures ─► network ─► log-odds ─► cross-entropy
                                                └► counted, once ──► two layers ──┘

Both members of a pair are in one batch, turned and mirrored alike: what differs between them is what was hidden, and
nothing else. Rates begin with the highest and come down to all of them, as Ye et al. do from one network to the next.

Deviations, of the papers' two: every step is Adam's, where Ye-Net has AdaDelta and Yedroudj-Net SGD; payloads become
lower within one run; pictures are crops, of colours of which the mean is taken. The light network sees whole pictures,
for what it counts in them is computed before the first step.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.errors import UsageError
from underpaint_lab.data.cover_stego import CoverStegoPairs
from underpaint_lab.papers.steganalysis.nets import STEGANALYSERS, Counts, Light
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Pictures that are counted at once.
_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class SteganalysisRecipe(Recipe):
    """How a steganalyser is trained; a batch is of so many pairs.

    Raises:
        UsageError: no such network, or a value is out of range.
    """

    #: Key of :data:`~underpaint_lab.papers.steganalysis.nets.STEGANALYSERS`.
    network: str = "light"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in STEGANALYSERS:
            there_are = f"there are {', '.join(STEGANALYSERS)}"
            raise UsageError(f"no steganalyser is called '{self.network}'", hint=there_are)


class Counted(CoverStegoPairs):
    """Pairs of which only what :class:`~underpaint_lab.papers.steganalysis.nets.Counts` says is left.

    Args:
        name, covers, containers, rates: as of :class:`~underpaint_lab.data.cover_stego.CoverStegoPairs`.
    """

    def __init__(
        self, name: str, covers: NDArray[np.uint8], containers: NDArray[np.uint8], rates: NDArray[np.float64]
    ) -> None:
        super().__init__(name, covers, containers, rates)
        counts = Counts()
        self.counts = torch.stack([_counted(counts, pictures) for pictures in (covers, *containers)])

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:  # noqa: ARG002
        """The counts of *size* pairs drawn at random, ``float32 (size, 2, counts)``: cover, container; *crop* is none.

        A pure function of its arguments, as for photographs.
        """
        drawn = self.drawn(step, size, np.random.default_rng([seed, step, rank, 1]))
        return torch.stack([self.counts[[0, 1 + kind], number] for kind, number in drawn])


def _counted(counts: Counts, pictures: NDArray[np.uint8]) -> Tensor:
    def count(batch: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = counts(batch.float())
            return found

    # One thread each: PyTorch's own gain little where most is to be counted.
    threads, planes = torch.get_num_threads(), torch.from_numpy(pictures).permute(0, 3, 1, 2)
    torch.set_num_threads(1)
    with ThreadPoolExecutor(threads) as pool:
        counted = torch.cat(list(pool.map(count, torch.split(planes, _AT_ONCE))))
    torch.set_num_threads(threads)
    return counted


class Steganalyser(nn.Module):
    """A network, as the training loop wants it."""

    def __init__(self, recipe: SteganalysisRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = STEGANALYSERS[recipe.network]()

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield the cross-entropy of pairs, cover and container.

        *images* are pictures, ``(B, 6, H, W)``, levels 0…255, or of the light network :class:`Counted`, ``(B, 2, …)``.
        """
        both = torch.cat(images.chunk(2, dim=1))
        odds = self.network.judged(both[:, 0]) if isinstance(self.network, Light) else self.network(both)
        wanted = torch.arange(2, device=odds.device).repeat_interleave(len(images)).to(odds)
        yield "network", {"surprise": functional.binary_cross_entropy_with_logits(odds, wanted)}


_RECIPE = SteganalysisRecipe(
    steps=20_000, batch=16, crop=128, learning_rate=1e-3, warmup=200, decay="cosine", clip=1.0, ema=0.99
)
_LIGHT = replace(_RECIPE, network="light", steps=8000, batch=64, learning_rate=2e-3)

RECIPES = {
    "steganalysis-ye": RecipeEntry(
        Steganalyser,
        replace(_RECIPE, network="ye"),
        "Ye-Net, which tells containers from covers by green alone; --data is a file of lab.pairs",
        read=CoverStegoPairs.of,
    ),
    "steganalysis-yedroudj": RecipeEntry(
        Steganalyser,
        replace(_RECIPE, network="yedroudj"),
        "Yedroudj-Net, which does the same; --data is a file of lab.pairs",
        read=CoverStegoPairs.of,
    ),
    "steganalysis-light": RecipeEntry(
        Steganalyser,
        _LIGHT,
        "a light network, which does it in colours, and which inspect asks; --data is a file of lab.pairs",
        read=Counted.of,
    ),
}
