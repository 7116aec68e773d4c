"""The pseudo-differentiable noise layer: the real codec forward, the gradient of the identity or a surrogate backward.

::

    x ─► 8 bits ─► real channel ─► C(x)
    x ────────────────────────────► x + sg(C(x) - x)        values of C(x), gradient of x
    x ─► surrogate s ─────────────► s(x) + sg(C(x) - s(x))  values of C(x), gradient of s

Zhang, Karjauv, Benz and Kweon, "Towards Robust Data Hiding Against (JPEG) Compression: A Pseudo-Differentiable Deep
Learning Approach" (arXiv:2101.00973), figure 3. The surrogate is ours: the gradient of the identity ignores that a
codec removes detail and that geometric channels move pixels.

Deviation: values are rounded to 8 bits; the authors' code truncates them, which darkens pictures by half a level.
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

#: A chain of channels, or its specification such as ``jpeg:50 | blur:1``.
ChainLike = Chain | str


class PseudoDifferentiable(NoiseLayer):
    """Real channels, one drawn for each picture, with the gradient of the identity or of a surrogate.

    The gradient ignores that values are clipped to [0, 1] before rounding; the loss has to keep them there.

    Args:
        chains: channels to draw from, such as ``["jpeg:50", "webp:50 | noise:0.02"]``, or a function that draws one:
            ``lambda rng: f"jpeg:{rng.integers(5, 96)}"``.
        weights: relative frequency of each chain; uniform if not given.
        workers: threads that share a batch; one per processor if not given.
        surrogate: the layer whose gradient is used, or a function that returns one for the chain drawn, such as
            :func:`~underpaint_lab.noise_layers.from_channels.from_chain`. A surrogate of another strength than the
            codec's is hardly better than the identity.

    Raises:
        UsageError: no such channel, weights that do not fit the chains, or, when called, a chain that changes the size
            of a picture.
    """

    def __init__(
        self,
        chains: ChainLike | Sequence[ChainLike] | Callable[[np.random.Generator], ChainLike],
        weights: Sequence[float] | None = None,
        workers: int | None = None,
        surrogate: NoiseLayer | Callable[[Chain], NoiseLayer] | None = None,
    ) -> None:
        self.workers = os.cpu_count() if workers is None else workers
        self.surrogate = surrogate
        if callable(chains) and not isinstance(chains, Chain):
            if weights is not None:
                raise UsageError("a function that draws chains takes no weights", hint="let the function weight them")
            self.draw: Callable[[np.random.Generator], ChainLike] = chains
        else:
            self.draw = _weighted([chains] if isinstance(chains, Chain | str) else chains, weights)

    def _apply(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        sent = (x.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        chains = [_parsed(self.draw(rng)) for _ in sent]
        # One generator per picture: the result must not depend on the order in which threads finish.
        seeds = [int(seed) for seed in rng.integers(2**63, size=len(sent))]
        with ThreadPoolExecutor(self.workers) as pool:
            received = np.stack(list(pool.map(_transmit, chains, sent, seeds)))
        levels = torch.from_numpy(received).to(x.device).permute(0, 3, 1, 2)
        return straight_through(levels.to(x.dtype) / 255, self._backward(x, chains, seeds, rng))

    def _backward(self, x: Tensor, chains: list[Chain], seeds: list[int], rng: np.random.Generator) -> Tensor:
        """Return the values whose gradient is used."""
        if self.surrogate is None:
            return x
        if isinstance(self.surrogate, NoiseLayer):
            return self.surrogate(x, rng)
        layers = map(self.surrogate, chains)
        # The seeds of the real channels, so that both draw the same random numbers.
        pictures = zip(layers, torch.split(x, 1), seeds, strict=True)
        return torch.cat([layer(picture, np.random.default_rng(seed)) for layer, picture, seed in pictures])


def _transmit(chain: Chain, image: Image, seed: int) -> Image:
    received = chain(image, seed)
    if received.shape != image.shape:
        raise UsageError(
            f"{chain} changes the size of a picture", hint="instead of rescale and crop take resize and cropout"
        )
    return received


def _weighted(
    chains: Sequence[ChainLike], weights: Sequence[float] | None
) -> Callable[[np.random.Generator], ChainLike]:
    """Return a function that draws one of *chains* with a probability proportional to its weight."""
    parsed = [_parsed(chain) for chain in chains]
    shares = np.array([1.0] * len(parsed) if weights is None else weights, np.float64)
    if shares.shape != (len(parsed),) or not (shares >= 0).all() or not 0 < shares.sum() < np.inf:
        raise UsageError(
            f"{len(parsed)} chains cannot be drawn by the weights {shares.tolist()}",
            hint="there must be a chain, and one weight for each, none below 0 and not all 0",
        )
    shares /= shares.sum()
    return lambda rng: parsed[int(rng.choice(len(parsed), p=shares))]


def _parsed(chain: ChainLike) -> Chain:
    return parse(chain) if isinstance(chain, str) else chain
