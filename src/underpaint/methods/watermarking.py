"""Base class of the watermarking methods ``stdm`` and ``robust``.

A watermark is embedded as :mod:`underpaint.embedding.watermark` describes::

    payload ─► sealed and coded bits ─► embedded at the best PSNR ─► container ─► channel ─► decoded again?
                                              ▲                                                  │
                                              └──────────── a lower PSNR, if not ────────────────┘
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from itertools import chain, product
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

import numpy as np

from underpaint import metrics
from underpaint.channels import parse, received
from underpaint.coding import frame, refusals
from underpaint.embedding import blind_detection, watermark
from underpaint.embedding.blind_detection import MAX_FALSE_POSITIVE_RATE, Detection
from underpaint.embedding.watermark import MAX_RAW_BER, SIZES, Embedding, EmbeddingDomain
from underpaint.errors import NotFoundError, PayloadError, SurvivalError
from underpaint.methods.base import shared_key, too_much_lost
from underpaint.types import Capacity, Payload, as_bits, as_cover, check_psnr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from underpaint.coding.keys import Key
    from underpaint.embedding.spread_transform import SpreadTransform
    from underpaint.types import Bits, Channel, Image, SoftBits

#: PSNR in dB from which on no change is noticeable. At a lower one more is allowed, but not in flat blocks.
UNSEEN_PSNR = 44.0
#: Share of flat blocks from which on a picture is called flat.
MOSTLY_FLAT = 0.5
#: Detections of one embedding domain that are decoded.
MAX_CANDIDATES = 3

Domain = TypeVar("Domain", bound=EmbeddingDomain)


@dataclass(frozen=True)
class Candidate(Generic[Domain]):
    """A detection in an embedding domain of an image, to be decoded."""

    detection: Detection
    domain: Domain
    #: The image that was searched, ``uint8 (H, W, 3)``.
    image: Image
    #: Number of ways in which the image was moved to find this detection, by which its p-value is multiplied.
    trials: float = 1.0

    @property
    def p_value(self) -> float:
        """Bound on the false-positive probability of the detection."""
        return self.detection.p_value * self.trials


class BitLayout(NamedTuple, Generic[Domain]):
    """Coefficients and lattice step of bits that are embedded without frame and pilots."""

    domain: Domain
    #: Coefficients per block.
    frequencies: int
    spread: SpreadTransform
    #: Lattice step, in units of a coefficient.
    step: float


class WatermarkMethod(ABC, Generic[Domain]):
    """Base of ``stdm`` and ``robust``: a short message by spread-transform dither modulation.

    A subclass chooses the embedding domains, and how a container is made at a given lattice step.
    """

    name: str
    summary: str
    needs_lossless = False
    default_survive: str
    #: PSNRs in dB that are tried in turn unless one is requested.
    qualities: tuple[float, ...]
    #: Lattice step, in coefficients of the picture, below which JPEG 50 leaves more than ``MAX_RAW_BER`` wrong bits.
    min_step: float
    #: Channels that :meth:`embed_bits` embeds for.
    bit_channels: tuple[Channel, ...]
    #: Hint of the error for a watermark that cannot be decoded.
    damage_hint: str
    #: Pixels that may be changed, ``bool (H, W)``; None for all.
    visible: NDArray[np.bool_] | None = None

    def within(self, visible: NDArray[np.bool_]) -> Self:
        """Return a copy of this method that changes only *visible* pixels, ``bool (H, W)``; PSNRs count these alone."""
        limited = copy.copy(self)
        limited.visible = visible
        return limited

    @abstractmethod
    def sender_domains(self, cover: Image) -> list[Domain]:
        """Return the embedding domains that *cover* is large enough for."""

    @abstractmethod
    def receiver_domains(self, image: Image) -> list[Domain]:
        """Return the embedding domains that a receiver searches."""

    @abstractmethod
    def bit_layout(self, image: Image, key: Key, count: int, psnr: float) -> BitLayout[Domain]:
        """Return the coefficients and the step of *count* bits without pilots.

        Raises:
            CapacityError: there are not enough coefficients.
        """

    @abstractmethod
    def embed_at_step(self, embedding: Embedding, step: float, channels: Sequence[Channel]) -> Image:
        """Return a container whose bits lie on lattices of this *step*, corrected for each of *channels*."""

    def domain_key(self, key: Key, domain: Domain) -> Key:  # noqa: ARG002
        """Return the key of one embedding domain."""
        return key

    def oversampling(self, cover: Image, domain: Domain) -> float:  # noqa: ARG002
        """Return the ratio of picture side to side of the domain. Compression noise falls by this factor."""
        return 1.0

    def typical_share(self, cover: Image) -> float:  # noqa: ARG002
        """Return the share of the squared change that the message usually takes in a picture of this size, 0–1."""
        return 1.0

    def message_share(self, embedding: Embedding, cover: Image, psnr: float) -> float:  # noqa: ARG002
        """Return the share of the squared change at *psnr* dB that is left for the message, 0–1."""
        return 1.0

    def prepare(
        self,
        domain: Domain,
        cover: Image,
        payload: Payload,
        key: Key,
        size: int,
        copies: int,
        channel: Channel,  # noqa: ARG002
    ) -> Callable[[float], Embedding]:
        """Seal *payload* in *copies* frames of *size* bytes, to survive *channel*.

        Returns:
            A function from the PSNR in dB to what is embedded.
        """
        embedding = watermark.prepare(domain, cover, payload, self.domain_key(key, domain), size, copies)
        return lambda _psnr: embedding

    def attempts(
        self, prepared: list[Callable[[float], Embedding]], channel: Channel
    ) -> list[Callable[[float], Embedding]]:
        """Return the ways to embed that are tried in turn at each PSNR.

        Args:
            prepared: what :meth:`prepare` returned, by rising number of copies. More copies survive the loss of parts,
                and harsh compression less well than one.
            channel: channel to survive.
        """
        return prepared if channel.geometric else prepared[:1]

    def capacity(self, cover: Image) -> Capacity:
        """Return the longest message expected to survive JPEG 50, at the lowest of :attr:`qualities`.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
        """
        cover = as_cover(cover)
        quality, overhead = self.qualities[-1], frame.compact_size(Payload(b""))
        usable = (
            size
            for domain in self.sender_domains(cover)
            for size in SIZES
            if watermark.fits(domain, size)
            and watermark.typical_step(domain, domain.pilots + watermark.channel_bits(size), quality)
            * self.oversampling(cover, domain)
            * self.typical_share(cover) ** 0.5
            >= self.min_step
        )
        return Capacity(max(usable, default=overhead) - overhead, quality)

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        """Return a container whose message is decoded before and after *survive* with few wrong bits.

        Args:
            cover: ``uint8 (H, W, 3)``, at least 32×32.
            payload: the message.
            passphrase: needed to reveal; None lets anybody reveal.
            psnr: lowest PSNR in dB; None takes the best of :attr:`qualities` that survives.
            survive: channel; None takes :attr:`default_survive`.

        Raises:
            UsageError: the PSNR is out of range, or the cover too small.
            CapacityError: the message does not fit.
            SurvivalError: it does not survive at any PSNR that is tried.
        """
        check_psnr(psnr)
        cover, key = as_cover(cover), shared_key(passphrase)
        domains = self.sender_domains(cover)
        size = watermark.frame_size(payload, domains, self.capacity(cover).payload_bytes)
        domain, channel = self._choose(domains, key, size), survive or parse(self.default_survive)
        copies = [each for each in domain.copies if watermark.fits(domain, size, each)]
        prepared = [self.prepare(domain, cover, payload, key, size, each, channel) for each in copies]
        attempts = self.attempts(prepared, channel)
        noticeable = metrics.noticeable_change(cover)
        share = 1.0 if self.visible is None else float(self.visible.mean())
        for quality, embedding_at in product(self.qualities if psnr is None else (psnr,), attempts):
            over_all = quality - 10 * math.log10(share)
            embedding = embedding_at(over_all)
            embedding.limit = _limit(noticeable, cover, quality)
            if self.visible is not None:
                embedding.limit = np.where(self.visible, embedding.limit, 0).astype(np.uint8)
            container = self.embed_at_quality(embedding, cover, over_all, (channel,))
            if all(self._survives(image, key, payload) for image in chain([container], received(channel, container))):
                return container
        flat = np.mean(noticeable <= metrics.FLAT_CHANGE) > MOSTLY_FLAT
        raise SurvivalError(
            f"the message does not survive {channel} at {quality:g} dB in this picture",
            hint=("most of the picture is flat and carries little unseen: take a photograph, " if flat else "")
            + "shorten the message, take a larger picture, a lower --psnr, or a milder --survive",
        )

    def embed_at_quality(self, embedding: Embedding, cover: Image, psnr: float, channels: Sequence[Channel]) -> Image:
        """Return a container of at least *psnr* dB, and little more, corrected for each of *channels*."""
        share = self.message_share(embedding, cover, psnr)
        step = embedding.step(watermark.energy(embedding.domain, psnr) * share)
        while True:
            container = self.embed_at_step(embedding, step, channels)
            missing = psnr - metrics.psnr(cover, container)
            if missing <= 0:
                return container
            step *= 10 ** (-(missing + 0.02) / 20 / share)

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the message of *container*, which may have passed a channel.

        Raises:
            NotFoundError: no watermark of this passphrase.
            DamagedError: a watermark whose message cannot be decoded.
        """
        return self._decode(container, shared_key(passphrase))[0]

    def detect(self, image: Image, passphrase: str | None) -> Detection | None:
        """Detect a watermark by its pilots, without decoding the message.

        Returns:
            The likeliest detection, its p-value corrected for the number of domains searched (Bonferroni); None if the
            image is too small for a watermark.
        """
        domains, key = self.receiver_domains(image), shared_key(passphrase)
        candidates = [each for domain in domains for each in self.candidates(image, domain, key)]
        if not candidates:
            return None
        best = likeliest(candidates).detection
        return replace(best, p_value=best.p_value * len(domains))

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return True if a watermark is detected in *image*."""
        detection = self.detect(image, passphrase)
        return detection is not None and detection.p_value < MAX_FALSE_POSITIVE_RATE

    def candidates(self, image: Image, domain: Domain, key: Key) -> list[Candidate[Domain]]:
        """Return the likeliest detections in one *domain*, best first."""
        found = blind_detection.detect(domain, image, self.domain_key(key, domain))
        return [Candidate(each, domain, image) for each in found[:MAX_CANDIDATES]]

    def search(self, image: Image, key: Key) -> Iterable[list[Candidate[Domain]]]:
        """Yield detections to decode, the cheapest search first."""
        yield [each for domain in self.receiver_domains(image) for each in self.candidates(image, domain, key)]

    def embed_bits(self, cover: Image, bits: Bits, key: Key, *, psnr: float) -> Image:
        """Return a container with *bits* alone: no frame, no pilots, no error correction.

        The step follows from *psnr* in dB and the number of bits, so the receiver has to know both. A single container
        misses *psnr* by a little; over many pictures the mean meets it.

        Raises:
            UsageError: *bits* are not bits, or the cover is too small.
            CapacityError: there are too many.
        """
        bits = as_bits(bits)
        domain, frequencies, spread, step = self.bit_layout(cover, key, len(bits), psnr)
        return self.embed_at_step(
            Embedding(domain, as_cover(cover), frequencies, [(spread, bits)]), step, self.bit_channels
        )

    def extract_bits(self, container: Image, count: int, key: Key, *, psnr: float) -> SoftBits:
        """Return *count* log-likelihood ratios, positive for 1, of bits embedded at *psnr* dB.

        Raises:
            CapacityError: there are too many.
        """
        domain, frequencies, spread, step = self.bit_layout(container, key, count, psnr)
        return spread.blind_bits(spread.project(domain.analyse(container, frequencies)), step)

    def _choose(self, domains: list[Domain], key: Key, size: int) -> Domain:
        """Return the domain that needs the lowest frequencies for a frame of *size* bytes; of equals the largest."""
        fitting = [domain for domain in domains if watermark.fits(domain, size)]
        if len(fitting) == 1:
            return fitting[0]
        return min(
            fitting,
            key=lambda domain: (watermark.layout(domain, self.domain_key(key, domain), size)[0], -domain.blocks),
        )

    def _survives(self, image: Image, key: Key, payload: Payload) -> bool:
        """Return True if the payload is decoded from *image* with at most :data:`MAX_RAW_BER` wrong channel bits."""
        try:
            found, raw_ber = self._decode(image, key)
        except PayloadError:
            return False
        return found.data == payload.data and raw_ber <= MAX_RAW_BER

    def _decode(self, image: Image, key: Key) -> tuple[Payload, float]:
        """Return the payload and its raw bit error rate; raises as :meth:`reveal`."""
        p_values = []
        for candidates in self.search(image, key):
            if not candidates:
                continue
            p_values.append(likeliest(candidates).p_value)
            for candidate in sorted(candidates, key=lambda each: each.p_value)[:MAX_CANDIDATES]:
                own = self.domain_key(key, candidate.domain)
                try:
                    return blind_detection.decode(candidate.domain, candidate.image, own, [candidate.detection])
                except NotFoundError:
                    continue
        if p_values and min(p_values) * len(p_values) < MAX_FALSE_POSITIVE_RATE:
            raise too_much_lost("message", self.damage_hint)
        raise refusals.not_found()


def _limit(noticeable: NDArray[np.float32], cover: Image, psnr: float) -> NDArray[np.uint8]:
    """Return the largest change of the values of each pixel, ``uint8 (H, W)``, of a container of *psnr* dB."""
    flat = noticeable <= metrics.FLAT_CHANGE
    blocks = np.where(flat, noticeable, noticeable * 10 ** (max(0, UNSEEN_PSNR - psnr) / 20))
    pixels = np.repeat(np.repeat(np.ceil(blocks).clip(1, 255).astype(np.uint8), 8, axis=0), 8, axis=1)
    return pixels[: cover.shape[0], : cover.shape[1]]


def likeliest(candidates: Iterable[Candidate[Domain]]) -> Candidate[Domain]:
    """Return the candidate with the smallest p-value."""
    return min(candidates, key=lambda each: each.p_value)
