"""The pseudo-differentiable channel: the real codec forward, a gradient that passes it by.

::

    x ─► 8 bits ─► real channel ─► C(x)
    x ────────────────────────────► x + sg(C(x) - x)        values of C(x), gradient of x
    x ─► surrogate s ─────────────► s(x) + sg(C(x) - s(x))  values of C(x), gradient of s

Zhang, Karjauv, Benz and Kweon, "Towards Robust Data Hiding Against (JPEG) Compression: A Pseudo-Differentiable Deep
Learning Approach" (arXiv:2101.00973), figure 3. The surrogate is ours: the identity's gradient says that a codec keeps
what it destroys, and that a channel that moves pixels leaves them where they are.

Deviation: the authors' code truncates to 8 bits, which darkens every picture by half a level. Here values are rounded.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch

from underpaint.channels import Chain, parse
from underpaint.errors import UsageError
from underpaint_lab.noise_layers.layer import NoiseLayer, straight_through

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from underpaint.types import Image

#: A chain of real channels, or how it is written.
Passage = Chain | str


class PseudoDifferentiable(NoiseLayer):
    """Real channels, one drawn for each picture, with the gradient of the identity or of a surrogate.

    The gradient ignores that values are clipped to [0, 1] on their way to 8 bits; the loss has to keep them there.

    Args:
        passages: chains to draw from, such as ``["jpeg:50", "webp:50 | noise:0.02"]``, or a function that draws one:
            ``lambda rng: f"jpeg:{rng.integers(5, 96)}"``.
        weights: how often each passage is drawn, in any unit; all the same if not given.
        workers: threads that share a batch; one per processor if not given.
        surrogate: the layer whose gradient is taken, or a function that returns one for the passage drawn, such as
            :func:`~underpaint_lab.noise_layers.from_channels.twin`. A surrogate of another strength than the codec's is worth
            little more than the identity.

    Raises:
        UsageError: no such channel, weights that do not fit the passages, or, when called, a passage that changes the
            size of a picture.
    """

    def __init__(
        self,
        passages: Passage | Sequence[Passage] | Callable[[np.random.Generator], Passage],
        weights: Sequence[float] | None = None,
        workers: int | None = None,
        surrogate: NoiseLayer | Callable[[Chain], NoiseLayer] | None = None,
    ) -> None:
        self.workers = os.cpu_count() if workers is None else workers
        self.surrogate = surrogate
        if callable(passages) and not isinstance(passages, Chain):
            if weights is not None:
                raise UsageError("a function that draws passages takes no weights", hint="let the function weigh them")
            self.draw: Callable[[np.random.Generator], Passage] = passages
        else:
            self.draw = _weighted([passages] if isinstance(passages, Chain | str) else passages, weights)

    def _apply(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        sent = (x.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        passages = [_read(self.draw(rng)) for _ in sent]
        # A generator for each picture: the order in which threads finish must not matter.
        seeds = [int(seed) for seed in rng.integers(2**63, size=len(sent))]
        with ThreadPoolExecutor(self.workers) as pool:
            received = np.stack(list(pool.map(_arrive, passages, sent, seeds)))
        levels = torch.from_numpy(received).to(x.device).permute(0, 3, 1, 2)
        return straight_through(levels.to(x.dtype) / 255, self._backward(x, passages, seeds, rng))

    def _backward(self, x: Tensor, passages: list[Chain], seeds: list[int], rng: np.random.Generator) -> Tensor:
        """What the gradient is taken of."""
        if self.surrogate is None:
            return x
        if isinstance(self.surrogate, NoiseLayer):
            return self.surrogate(x, rng)
        layers = map(self.surrogate, passages)
        # The seeds of the real channels, so that what is random in both happens in both.
        pictures = zip(layers, torch.split(x, 1), seeds, strict=True)
        return torch.cat([layer(picture, np.random.default_rng(seed)) for layer, picture, seed in pictures])


def _arrive(passage: Chain, image: Image, seed: int) -> Image:
    received = passage(image, seed)
    if received.shape != image.shape:
        raise UsageError(
            f"{passage} changes the size of a picture", hint="instead of rescale and crop take resize and cropout"
        )
    return received


def _weighted(passages: Sequence[Passage], weights: Sequence[float] | None) -> Callable[[np.random.Generator], Passage]:
    """Return a function that draws one of *passages* with a chance proportional to its weight."""
    chains = [_read(passage) for passage in passages]
    shares = np.array([1.0] * len(chains) if weights is None else weights, np.float64)
    if shares.shape != (len(chains),) or not (shares >= 0).all() or not 0 < shares.sum() < np.inf:
        raise UsageError(
            f"{len(chains)} passages cannot be drawn by the weights {shares.tolist()}",
            hint="there must be a passage, and one weight for each, none below 0 and not all 0",
        )
    shares /= shares.sum()
    return lambda rng: chains[int(rng.choice(len(chains), p=shares))]


def _read(passage: Passage) -> Chain:
    return parse(passage) if isinstance(passage, str) else passage
