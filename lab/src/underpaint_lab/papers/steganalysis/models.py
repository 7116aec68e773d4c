"""Training of CNN steganalysis detectors, :mod:`underpaint_lab.papers.steganalysis.nets`.

::

    cover/stego pairs, each embedding method equally often ─► 2 · B pictures ─► network ─► logits ─► cross-entropy
                                                  └► rich model, computed once ─► two layers ──┘

Both members of a pair are in one batch, rotated and mirrored alike, so they differ in the embedding alone. Training
begins with the highest payloads and proceeds to all of them, as Ye et al. do from one network to the next.

Deviations of Ye-Net and Yedroudj-Net from their papers: Adam instead of AdaDelta and SGD; payloads decrease within one
run; the data are crops in colour. The light network takes whole pictures, since its rich model is computed before the
first step.
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
from underpaint_lab.papers.steganalysis.nets import STEGANALYSERS, ColourRichModel, LightSteganalyser
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Batch size of the rich model.
_BATCH = 8


@dataclass(frozen=True, kw_only=True)
class SteganalysisRecipe(Recipe):
    """Settings of a detector's training; the batch size counts pairs.

    Raises:
        UsageError: no such network, or a value is out of range.
    """

    #: Key of :data:`~underpaint_lab.papers.steganalysis.nets.STEGANALYSERS`.
    network: str = "light"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in STEGANALYSERS:
            there_are = f"there are {', '.join(STEGANALYSERS)}"
            raise UsageError(f"no detector is called '{self.network}'", hint=there_are)


class RichModelPairs(CoverStegoPairs):
    """Cover/stego pairs as features of a :class:`~underpaint_lab.papers.steganalysis.nets.ColourRichModel`.

    Args:
        name, covers, containers, rates: as of :class:`~underpaint_lab.data.cover_stego.CoverStegoPairs`.
    """

    def __init__(
        self, name: str, covers: NDArray[np.uint8], containers: NDArray[np.uint8], rates: NDArray[np.float64]
    ) -> None:
        super().__init__(name, covers, containers, rates)
        counts = ColourRichModel()
        self.counts = torch.stack([_features(counts, pictures) for pictures in (covers, *containers)])

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:  # noqa: ARG002
        """Return the features of *size* random pairs, ``float32 (size, 2, features)``: cover, then container.

        A pure function of its arguments, as for photographs; *crop* is not used.
        """
        drawn = self.drawn(step, size, np.random.default_rng([seed, step, rank, 1]))
        return torch.stack([self.counts[[0, 1 + kind], number] for kind, number in drawn])


def _features(counts: ColourRichModel, pictures: NDArray[np.uint8]) -> Tensor:
    def count(batch: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = counts(batch.float())
            return found

    # One PyTorch thread per picture: its own parallelism gains little in histograms.
    threads, planes = torch.get_num_threads(), torch.from_numpy(pictures).permute(0, 3, 1, 2)
    torch.set_num_threads(1)
    with ThreadPoolExecutor(threads) as pool:
        counted = torch.cat(list(pool.map(count, torch.split(planes, _BATCH))))
    torch.set_num_threads(threads)
    return counted


class Steganalyser(nn.Module):
    """A steganalysis network with its loss."""

    def __init__(self, recipe: SteganalysisRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = STEGANALYSERS[recipe.network]()

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``network`` with ``cross_entropy``.

        Args:
            images: pairs of cover and container, ``(B, 6, H, W)`` in levels 0…255; for the light network the features
                of :class:`RichModelPairs`, ``(B, 2, features)``.
        """
        both = torch.cat(images.chunk(2, dim=1))
        if isinstance(self.network, LightSteganalyser):
            logits = self.network.classify_features(both[:, 0])
        else:
            logits = self.network(both)
        labels = torch.arange(2, device=logits.device).repeat_interleave(len(images)).to(logits)
        yield "network", {"cross_entropy": functional.binary_cross_entropy_with_logits(logits, labels)}


_RECIPE = SteganalysisRecipe(
    steps=20_000, batch=16, crop=128, learning_rate=1e-3, warmup=200, decay="cosine", clip=1.0, ema=0.99
)
_LIGHT = replace(_RECIPE, network="light", steps=8000, batch=64, learning_rate=2e-3)

#: Recipes of the detectors by name.
RECIPES = {
    "steganalysis-ye": RecipeEntry(
        Steganalyser,
        replace(_RECIPE, network="ye"),
        "Ye-Net, a detector on the green channel; --data is a file of cover/stego pairs",
        read=CoverStegoPairs.of,
    ),
    "steganalysis-yedroudj": RecipeEntry(
        Steganalyser,
        replace(_RECIPE, network="yedroudj"),
        "Yedroudj-Net, a detector on the green channel; --data is a file of cover/stego pairs",
        read=CoverStegoPairs.of,
    ),
    "steganalysis-light": RecipeEntry(
        Steganalyser,
        _LIGHT,
        "the colour rich-model detector of inspect; --data is a file of cover/stego pairs",
        read=RichModelPairs.of,
    ),
}
