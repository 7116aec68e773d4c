"""Capacity of a cover for a watermark, measured: one embedding at the lowest PSNR, sent through the channel.

::

    frame size ─► container, embedded once ─► channel ─► share of wrong channel bits, noise in lattice steps
        ▲                                                                                   │
        └──────── the size at which that noise leaves few enough wrong bits ◄───────────────┘

The step falls with the root of the number of bits, so that one or two trials lead to the largest size. Pilots are not
searched, and nothing is decoded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from underpaint import metrics
from underpaint.channels import parse
from underpaint.coding import frame
from underpaint.embedding import watermark
from underpaint.embedding.watermark import MAX_RAW_BER, SIZES
from underpaint.errors import SurvivalError
from underpaint.methods.base import shared_key, too_long
from underpaint.types import Payload

if TYPE_CHECKING:
    from underpaint.methods.watermarking import WatermarkMethod
    from underpaint.types import Channel, Image


@dataclass(frozen=True)
class _Trials:
    """Settings of the trials. Steps are those of a typical picture, relative to the least that survives there."""

    sure: float = 1.6  # from here on the message survives in any picture
    likely: float = 0.8  # from here on it survives in most
    hopeless: float = 0.45  # up to here it survives in none
    deviations: float = 1.0  # of the number of wrong bits, by which it may be larger for another passphrase
    lost: float = 3.0  # times MAX_RAW_BER wrong bits; a message with more survives at no attempt
    noise: float = 0.115  # deviation of the noise in steps at which MAX_RAW_BER bits are wrong, with that margin
    max_missing: float = 0.2  # dB below the PSNR that a container may be
    least_correlation: float = 0.5  # of sent and received projections; below, the channel has moved pixels


_TRIALS = _Trials()


@dataclass(frozen=True)
class Trial:
    """Result of one embedding behind a channel."""

    #: Share of wrong channel bits.
    raw_ber: float
    #: Standard deviation of the noise, in lattice steps.
    noise: float
    #: Number of channel bits.
    bits: int

    @property
    def survives(self) -> bool:
        """True if a message of this size is expected to survive under any passphrase."""
        deviation = math.sqrt(self.raw_ber * (1 - self.raw_ber) / self.bits)
        return self.raw_ber + _TRIALS.deviations * deviation <= MAX_RAW_BER

    @property
    def lost(self) -> bool:
        """True if far too many bits are wrong, so that no attempt is worth its time."""
        return self.raw_ber > _TRIALS.lost * MAX_RAW_BER


def largest_size(method: WatermarkMethod[Any], cover: Image) -> int:
    """Return the largest frame size in bytes that survives ``default_survive`` at the lowest quality; 0 if none does.

    Args:
        method: watermarking method.
        cover: ``uint8 (H, W, 3)``, at least 32×32.
    """
    cover, ratio = method.sample(cover)
    domains = method.sender_domains(cover)
    sizes = [size for size in SIZES if any(watermark.fits(domain, size) for domain in domains)]
    relative = [_typical_step(method, cover, size, method.qualities[-1]) / method.min_step for size in sizes]  # falls
    low = sum(each >= _TRIALS.sure for each in relative) - 1
    high = sum(each > _TRIALS.hopeless for each in relative)
    guess = min(max(sum(each >= _TRIALS.likely for each in relative) - 1, low + 1), high - 1)
    channel = parse(method.default_survive)
    while high - low > 1:
        result = trial(method, cover, sizes[guess], channel, method.qualities[-1])
        if result is not None and result.survives:
            low = guess
        else:
            high = guess
        noise = _TRIALS.noise if result is None else max(result.noise, 1e-3)
        aim = sizes[guess] * (_TRIALS.noise / noise) ** 2
        guess = min(max(sum(size <= aim for size in sizes) - 1, low + 1), high - 1)
    if low < 0:
        return 0
    whole = [size for size in SIZES if size <= ratio * sizes[low]]
    return whole[-1]


def checked_size(
    method: WatermarkMethod[Any], cover: Image, payload: Payload, channel: Channel, psnr: float | None
) -> int:
    """Return the frame size of *payload*; refuse a message that is too long, before time is spent on all attempts.

    Args:
        method: watermarking method.
        cover: ``uint8 (H, W, 3)``, at least 32×32.
        payload: the message.
        channel: to survive.
        psnr: that was requested; None for those of the method.

    Raises:
        CapacityError: it is longer than ``capacity`` says, at the usual channel and PSNR, or than any frame here.
        SurvivalError: far too many of its bits are wrong behind the requested channel.
    """
    size = watermark.frame_size(payload, method.sender_domains(cover))
    usual = psnr is None and str(channel) == method.default_survive
    quality = method.qualities[-1] if psnr is None else psnr
    if size is not None and _typical_step(method, cover, size, quality) >= _TRIALS.sure * method.min_step:
        return size  # a trial is not worth its time
    if size is not None and not usual:
        result = trial(method, cover, size, channel, quality)
        if result is not None and result.lost:
            raise not_surviving(channel, quality)
        return size
    largest = method.capacity(cover).payload_bytes
    if size is None or not largest or size > largest + frame.compact_size(Payload(b"")):
        raise too_long(method.name, len(payload.data), largest)
    return size


def not_surviving(channel: Channel, psnr: float, *, flat: bool = False) -> SurvivalError:
    """Return the error for a message that does not survive *channel* at *psnr* dB, in a picture that may be *flat*."""
    return SurvivalError(
        f"the message does not survive {channel} at {psnr:g} dB in this picture",
        hint=("most of the picture is flat and carries little unseen: take a photograph, " if flat else "")
        + "shorten the message, take a larger picture, a lower --psnr, or a milder --survive",
    )


def trial(method: WatermarkMethod[Any], cover: Image, size: int, channel: Channel, psnr: float) -> Trial | None:
    """Embed a frame of *size* bytes once at *psnr* dB, and compare its bits behind *channel*.

    Returns:
        The result; None if the channel moves pixels, which the pilots would have to find again.
    """
    key = shared_key(None)
    domain = method.choose(method.sender_domains(cover), key, size)
    embedding = method.prepare(domain, cover, Payload(b""), key, size, 1, channel)(psnr)
    step = embedding.step(watermark.energy(domain, psnr) * method.message_share(embedding, cover, psnr))
    container = method.embed_at_step(embedding, step, (channel,))
    missing = psnr - metrics.psnr(cover, container)
    if missing > _TRIALS.max_missing:  # corrections took much of the squared change, so that the step has to fall
        step *= 10 ** (-missing / 20)
        container = method.embed_at_step(embedding, step, (channel,))
    targets, arrived = embedding.targets(step), channel(container, 0)
    if arrived.shape != cover.shape:
        return None
    received = embedding.project(arrived)
    if float(np.vdot(targets, received)) < _TRIALS.least_correlation * float(np.vdot(targets, targets)):
        return None
    misses = ((received - targets) / step)[domain.pilots :]
    wrong = np.rint(2 * misses).astype(np.intp) % 2
    return Trial(float(wrong.mean()), float(np.sqrt(np.mean(np.square(misses)))), len(misses))


def _typical_step(method: WatermarkMethod[Any], cover: Image, size: int, psnr: float) -> float:
    """Return the largest lattice step of *size* bytes in a typical picture, in its coefficients, at *psnr* dB."""
    steps = (
        watermark.typical_step(domain, domain.pilots + watermark.channel_bits(size), psnr)
        * method.oversampling(cover, domain)
        * method.typical_share(cover) ** 0.5
        for domain in method.sender_domains(cover)
        if watermark.fits(domain, size)
    )
    return float(max(steps))
