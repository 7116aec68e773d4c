"""Refinement of a watermark for a channel: bits are moved away from the decision boundary.

The container is sent through several channels. A quantiser answers a move of a bit irregularly, so each round is kept
only if the container gains by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.embedding.lapped import Array
    from underpaint.embedding.watermark import Embedding, Projections
    from underpaint.types import Channel, Image


@dataclass(frozen=True)
class _Refinement:
    """Settings of the refinement. Distances from a lattice point are in steps; 0.25 is the decision boundary."""

    correction_rounds: int = 6  # projections back onto the lattice before it, at most
    max_miss: float = 0.05  # these end when every projection is this near to its lattice point
    min_correlation: float = 0.5  # between sent and received projections; below, the channel has moved pixels
    rounds: int = 8  # rounds of the refinement, at most
    refine_beyond: float = 0.14  # bits nearer to their lattice point are left alone
    max_move: float = 0.1  # the most that a bit is moved in a round
    give_up_beyond: float = 0.4  # bits further away cannot be saved
    limit_sent: float = 0.21  # distance that counts as half an error in the container itself
    limit_received: float = 0.235  # the same after a channel
    sharpness: float = 60.0  # slope of that count, per step
    sent_weight: float = 3.0  # extra weight of errors in the container itself


_REFINEMENT = _Refinement()
#: Projections of a message back onto its lattice, at most: fewer than of bits without a code.
MESSAGE_ROUNDS = 2


def refine(embedding: Embedding, step: float, channels: Sequence[Channel]) -> Image:
    """Return a container whose bits keep away from the decision boundary, as sent and after each of *channels*.

    Args:
        embedding: bits and cover.
        step: lattice step, in units of a coefficient.
        channels: channels to refine for; one that moves pixels is left out of account.

    Returns:
        ``uint8 (H, W, 3)``.
    """
    targets = embedding.targets(step)
    change, container = corrected(embedding, targets, step, _REFINEMENT.correction_rounds)
    distances = _distances(embedding, targets, step, container, channels)
    limits = np.array([_REFINEMENT.limit_sent] + [_REFINEMENT.limit_received] * (len(distances) - 1))[:, None]
    rng = np.random.default_rng(0)
    for _ in range(_REFINEMENT.rounds):
        if np.all(np.abs(distances) < limits):
            break
        worst = np.take_along_axis(distances, np.abs(distances).argmax(axis=0)[None], axis=0)[0]
        reach = np.clip(np.abs(worst) - _REFINEMENT.refine_beyond, 0, _REFINEMENT.max_move)
        reach = np.where(np.abs(worst) < _REFINEMENT.give_up_beyond, reach, 0)
        moves = np.sign(worst) * reach * rng.uniform(0.5, 1.5, len(worst))
        moved = change - embedding.change(moves * step)
        candidate = embedding.paint(moved)
        reached = _distances(embedding, targets, step, candidate, channels)
        if reached.shape == distances.shape and _errors(reached, limits) < _errors(distances, limits):
            change, container, distances = moved, candidate, reached
    return container


def corrected(embedding: Embedding, targets: Projections, step: float, rounds: int) -> tuple[Array, Image]:
    """Return a change of coefficients and its container, whose projections are near to *targets*.

    Resampling to the canvas and back, rounding, and clipping each lose a little of a change.
    """
    change = embedding.change(targets - embedding.projections)
    container = embedding.paint(change)
    for _ in range(rounds):
        sent = embedding.project(container)
        if np.abs(targets - sent).max() < _REFINEMENT.max_miss * step:
            break
        change = change + embedding.change(targets - sent)
        container = embedding.paint(change)
    return change, container


def _distances(
    embedding: Embedding, targets: Projections, step: float, container: Image, channels: Sequence[Channel]
) -> Projections:
    """Return distances from *targets* in steps, ``(1 + n, bits)``: as sent, and after channels that move no pixel."""
    sent = embedding.project(container)
    rows = [sent - targets]
    for channel in channels:
        received = embedding.project(channel(container, 0))
        # The receiver undoes a change of gain. A low correlation says that the picture was cropped or rotated.
        gain = float(np.vdot(sent, received)) / max(float(np.vdot(sent, sent)), 1.0)
        if gain > _REFINEMENT.min_correlation:
            rows.append(received / gain - targets)
    return np.array(rows) / step


def _errors(distances: Projections, limits: Projections) -> float:
    """Return a smooth count of bit errors; those in the container itself count more."""
    wrong = 1 / (1 + np.exp(_REFINEMENT.sharpness * (limits - np.abs(distances))))
    return float(wrong.sum() + _REFINEMENT.sent_weight * wrong[0].sum())
