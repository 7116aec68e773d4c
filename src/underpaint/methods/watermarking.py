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
from itertools import chain, count, product
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

import numpy as np

from underpaint import metrics
from underpaint.channels import parse, received
from underpaint.coding import frame, refusals
from underpaint.embedding import blind_detection, watermark
from underpaint.embedding.blind_detection import CERTAIN, MAX_FALSE_POSITIVE_RATE, Candidate, likeliest
from underpaint.embedding.watermark import MAX_MOVED_RAW_BER, MAX_RAW_BER, Embedding, EmbeddingDomain
from underpaint.errors import NotFoundError, PayloadError, SurvivalError
from underpaint.methods import watermark_capacity
from underpaint.methods.base import shared_key, too_much_lost
from underpaint.types import Capacity, Payload, as_bits, as_cover, check_psnr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from underpaint.coding.keys import Key
    from underpaint.embedding.spread_transform import SpreadTransform
    from underpaint.types import Bits, Channel, Image, Search, SoftBits

#: Detections of one embedding domain that are decoded.
MAX_CANDIDATES = 3

#: Containers at most that are made to meet a PSNR; three are usual.
_MAX_ROUNDS = 20

Domain = TypeVar("Domain", bound=EmbeddingDomain)


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
    #: Lattice step, in coefficients of a typical picture, below which :attr:`default_survive` leaves too many wrong
    #: bits.
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
        return prepared if channel.moves else prepared[:1]

    def sample(self, cover: Image) -> tuple[Image, float]:
        """Return a smaller picture with about the capacity per bit of *cover*, and the ratio of their capacities."""
        return cover, 1.0

    def capacity(self, cover: Image) -> Capacity:
        """Return the longest message that :meth:`hide` accepts unless a PSNR or a channel is requested.

        It is measured by :mod:`underpaint.methods.watermark_capacity`.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
        """
        size = watermark_capacity.largest_size(self, as_cover(cover))
        return Capacity(max(size - frame.compact_size(Payload(b"")), 0), self.qualities[-1])

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
        channel = survive or parse(self.default_survive)
        size = watermark_capacity.checked_size(self, cover, payload, channel, psnr)
        domain = self.choose(domains, key, size)
        copies = [each for each in domain.copies if watermark.fits(domain, size, each)]
        prepared = [self.prepare(domain, cover, payload, key, size, each, channel) for each in copies]
        attempts = self.attempts(prepared, channel)
        noticeable = metrics.noticeable_change(cover)
        allowed = MAX_MOVED_RAW_BER if channel.moves else MAX_RAW_BER
        share = 1.0 if self.visible is None else float(self.visible.mean())
        for quality, embedding_at in product(self.qualities if psnr is None else (psnr,), attempts):
            over_all = quality - 10 * math.log10(share)
            embedding = embedding_at(over_all)
            embedding.limit = metrics.largest_change(noticeable, cover, quality)
            if self.visible is not None:
                embedding.limit = np.where(self.visible, embedding.limit, 0).astype(np.uint8)
            container = self.embed_at_quality(embedding, cover, over_all, (channel,))
            images = chain([container], received(channel, container))
            if all(self._survives(image, key, payload, allowed) for image in images):
                return container
        raise watermark_capacity.not_surviving(
            channel, quality, flat=bool(np.mean(noticeable <= metrics.FLAT_CHANGE) > metrics.MOSTLY_FLAT)
        )

    def embed_at_quality(self, embedding: Embedding, cover: Image, psnr: float, channels: Sequence[Channel]) -> Image:
        """Return a container of at least *psnr* dB, and little more, corrected for each of *channels*.

        Raises:
            SurvivalError: the synchronisation pattern and rounding alone change the cover more.
        """
        share = self.message_share(embedding, cover, psnr)
        step = embedding.step(watermark.energy(embedding.domain, psnr) * share)
        for _ in range(_MAX_ROUNDS):
            container = self.embed_at_step(embedding, step, channels)
            missing = psnr - metrics.psnr(cover, container)
            if missing <= 0:
                return container
            step *= 10 ** (-(missing + 0.02) / 20 / share)
        raise SurvivalError(f"no container of {self.name} reaches {psnr:g} dB", hint="ask for a lower --psnr")

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the message of *container*, which may have passed a channel.

        Raises:
            NotFoundError: no watermark of this passphrase.
            DamagedError: a watermark whose message cannot be decoded.
        """
        return self.decode(container, shared_key(passphrase))[0]

    def p_value(self, image: Image, passphrase: str | None) -> float:
        """Return the p-value of the likeliest detection, in the picture as it is or as :meth:`search` moves it.

        It is corrected for everything that is tried. The number of looks depends on the picture, so the n-th one may
        take 1 / n(n + 1) of the false positives: these shares sum to 1. The search ends at a detection that is certain.

        Args:
            image: ``uint8 (H, W, 3)``.
            passphrase: of the watermark to look for.
        """
        best = 1.0
        for corrected in self._corrected(image, self.search(image, shared_key(passphrase))):
            best = min(best, corrected)
            if best < CERTAIN:
                break
        return best

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return True if a watermark is detected in *image* as it is: by the first look of :meth:`search`."""
        looks = self._corrected(image, self.search(image, shared_key(passphrase)))
        return next(looks, 1.0) < MAX_FALSE_POSITIVE_RATE

    def _corrected(self, image: Image, looks: Iterable[list[Candidate[Domain]]]) -> Iterator[float]:
        """Yield the p-value of each of *looks*, corrected for the domains and for the number of looks."""
        domains = len(self.receiver_domains(image))
        for number, candidates in zip(count(1), looks, strict=False):
            best = min((each.p_value for each in candidates), default=1.0)
            yield min(domains * number * (number + 1) * best, 1.0)

    def candidates(self, image: Image, domain: Domain, key: Key) -> list[Candidate[Domain]]:
        """Return the likeliest detections in one *domain*, best first."""
        found = blind_detection.detect(domain, image, self.domain_key(key, domain))
        return [Candidate(each, domain, image) for each in found[:MAX_CANDIDATES]]

    def search(self, image: Image, key: Key, effort: Search = "normal") -> Iterable[list[Candidate[Domain]]]:  # noqa: ARG002
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

    def choose(self, domains: list[Domain], key: Key, size: int) -> Domain:
        """Return the domain that needs the lowest frequencies for a frame of *size* bytes; of equals the largest."""
        fitting = [domain for domain in domains if watermark.fits(domain, size)]
        if len(fitting) == 1:
            return fitting[0]
        return min(
            fitting,
            key=lambda domain: (watermark.layout(domain, self.domain_key(key, domain), size)[0], -domain.blocks),
        )

    def _survives(self, image: Image, key: Key, payload: Payload, allowed: float) -> bool:
        """Return True if the payload is decoded from *image* with at most a share *allowed* of wrong channel bits."""
        try:
            found, raw_ber = self.decode(image, key)
        except PayloadError:
            return False
        return found.data == payload.data and raw_ber <= allowed

    def decode(self, image: Image, key: Key, effort: Search = "normal") -> tuple[Payload, float]:
        """Return the payload and its raw bit error rate; raises as :meth:`reveal`."""
        p_values = []
        for candidates in self.search(image, key, effort):
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
