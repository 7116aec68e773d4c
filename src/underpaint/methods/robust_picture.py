"""A picture in a picture that survives JPEG, JPEG 2000 and WebP: an image file in luma DCT coefficients.

After C. Zhang, A. Karjauv, P. Benz, I. S. Kweon, "Towards Robust Data Hiding Against (JPEG) Compression: A
Pseudo-Differentiable Deep Learning Approach" (arXiv:2101.00973), whose last experiment is one network for all three
codecs. Here bytes are hidden instead of pixels, and what is learned from the real codecs is which coefficients carry
them::

    payload ─compact frame─► bytes ─LDPC─► bits ─keyed order─► cosets of coefficients ─► container
                             keyed pilots of that rate ─────┘

A coefficient of a block of 8×8 carries one bit or two (Gray code): it moves towards the nearest point of their coset
(quantisation index modulation, Chen and Wornell 2001), by a share of the way that is the strength (Eggers, Bäuml,
Tzschoppe, Girod, "Scalar Costa scheme for information embedding", 2003). The coefficients and their periods come from
:mod:`underpaint_lab.papers.robust.picture_tables`. Cosets lie on the grid that JPEG 50 rounds the low frequencies to,
so that JPEG hardly changes them; WebP, which rounds elsewhere, limits the capacity.

The receiver knows neither strength nor rate. Some keyed coefficients are pilots, with one pattern for each rate, which
tell the rate and give a false-positive probability. The noise of each frequency is then estimated from the pilots and
from the distances of all coefficients to their cosets.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from underpaint import metrics
from underpaint.channels import parse, received
from underpaint.coding import frame, ldpc, refusals
from underpaint.embedding.blind_detection import MAX_FALSE_POSITIVE_RATE
from underpaint.embedding.dct_qim import BLOCK, RATES, TABLES, CoefficientLayout
from underpaint.errors import NotFoundError, PayloadError, SurvivalError
from underpaint.methods.base import check_size_kept, random_bits, shared_key, too_long, too_much_lost
from underpaint.types import Capacity, Payload, as_cover, as_image, check_psnr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from underpaint.coding.keys import Key
    from underpaint.types import Bits, Channel, Image

#: Name of the method.
NAME = "robust-picture"
#: Codecs that every container survives, each by itself, in addition to the requested channel.
CODECS = ("jpeg:75", "webp:75", "jpeg2000:4")
#: PSNR in dB that a picture is compressed for unless one is requested: the container then has at least 38 dB.
PICTURE_PSNR = 38.25
#: PSNRs in dB that are tried in turn unless one is requested.
QUALITIES = tuple(40 - step / 4 for step in range(45))
#: Side in pixels of the middle of a large picture, which carries everything; it starts at a multiple of 16. Part of the
#: format.
MIDDLE_SIDE = 1024


@dataclass(frozen=True)
class _Code:
    """Measured efficiency of the LDPC code, and the rates that it is used at."""

    #: Share of a channel's capacity that the code uses at these rates.
    rates: tuple[float, ...] = (0.0, 0.2, 0.3, 0.5, 0.6, 0.9)
    efficiencies: tuple[float, ...] = (0.68, 0.72, 0.80, 0.89, 0.915, 0.915)
    short_word_loss: float = 0.4  # further loss, times the root of the word length in bits
    typical_rate: float = 0.5  # rate to expect in a photograph
    light_table_psnr: float = 36.0  # dB; from here on the second table carries more


@dataclass(frozen=True)
class _Detection:
    """A table and rate that the pilots of a picture agree with."""

    #: Index of the table in ``TABLES``, and of the rate in ``RATES``.
    table: int
    rate: int
    #: Upper bound on the probability that an unmarked picture scores as high.
    p_value: float


_CODE = _Code()
#: Payloads of more bytes are refused without compressing them.
_MAX_PAYLOAD_BYTES = 1 << 20
#: Detections that are decoded at most, and the p-value beyond which none is.
_MAX_ATTEMPTS, _MAX_P_VALUE = 2, 0.5


class _Embedding:
    """Channel bits that are to be embedded in a cover at any strength."""

    def __init__(self, cover: Image, layout: CoefficientLayout, bits: Bits, rate: int) -> None:
        self.cover, self.layout, self.bits, self.rate = cover, layout, bits, rate
        coefficients = layout.coefficients(cover)
        wanted = layout.cosets(bits, rate)
        self.moves = np.rint(coefficients - wanted) + wanted - coefficients

    def at(self, psnr: float) -> Image:
        """Return a container of at least *psnr* dB, and little more unless the strength is 1."""
        strength = 1.0
        for _ in range(6):
            container = self.layout.paint(self.cover, np.float32(strength) * self.moves)
            missing = psnr - metrics.psnr(self.cover, container)
            if missing <= 0 and (strength == 1.0 or missing > -0.05):
                break
            strength = min(1.0, strength * 10 ** (-(missing + 0.01) / 20))
        return container

    def information(self, image: Image) -> float:
        """Return the mutual information per channel bit that arrives with *image*, 0–1."""
        soft = self.layout.soft_bits(self.layout.coefficients(image), self.rate)
        signed = np.where(self.bits > 0, soft, -soft)
        return max(0.0, 1 - float(np.logaddexp(0, -signed, dtype=np.float64).mean() / np.log(2)))

    def decodable(self, image: Image) -> bool:
        """Return True if the payload is expected to be decoded from *image*."""
        return _decodable(self.information(image), self.layout, self.rate)


class RobustPicture:
    """The ``robust-picture`` method: pictures and small files in containers that are recompressed."""

    name = NAME
    summary = "a picture, or a small file, that survives recompression"
    needs_lossless = False
    #: In addition to :data:`CODECS`.
    default_survive = "jpeg:50"

    def capacity(self, cover: Image) -> Capacity:
        """Return the payload to expect in a photograph of this size.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
        """
        layout = CoefficientLayout(as_cover(cover)[_middle(cover)].shape, 0, shared_key(None))
        size = layout.size(int(np.argmax(_CODE.typical_rate >= RATES)))
        return Capacity(max(0, size - _overhead()), QUALITIES[-1])

    def payload_at(self, cover: Image, psnr: float) -> int:
        """Return the largest payload in bytes that survives at *psnr* dB, measured behind the codecs; 0 if none does.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
        """
        table, middle = _table(psnr), as_cover(cover)[_middle(cover)].copy()
        layout = CoefficientLayout(middle.shape, table, shared_key(None))
        if not layout.size(0):
            return 0
        embedding = _Embedding(middle, layout, random_bits(layout.key, "sample", layout.slots.size), 0)
        received_images = _received(embedding.at(psnr), parse(self.default_survive))
        information = min(embedding.information(image) for image in received_images)
        fitting = (layout.size(rate) for rate in range(RATES.size) if _decodable(information, layout, rate))
        return max(0, next(fitting, 0) - _overhead())

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        """Return a container whose payload is decoded after each of :data:`CODECS` and after *survive*.

        Args:
            cover: ``uint8 (H, W, 3)``, at least 32×32.
            payload: any bytes.
            passphrase: needed to reveal; None lets anybody reveal.
            psnr: lowest PSNR in dB; None takes the best of :data:`QUALITIES` that survives.
            survive: channel; None takes ``default_survive``.

        Raises:
            UsageError: the PSNR is out of range, or the cover too small.
            CapacityError: the payload does not fit.
            SurvivalError: it does not survive at any PSNR that is tried.
        """
        check_psnr(psnr)
        cover, key = as_cover(cover), shared_key(passphrase)
        channel = survive or parse(self.default_survive)
        check_size_kept(self.name, cover, channel)
        middle = cover[_middle(cover)].copy()
        embeddings = [_prepare(middle, payload, key, table) for table in range(len(TABLES))]
        if embeddings[0] is None:
            expected = self.capacity(cover).payload_bytes
            raise too_long(self.name, len(payload.data), expected)
        qualities = QUALITIES if psnr is None else (psnr,)
        # The lower the PSNR, the more survives: bisection finds the first that is likely to.
        low, high = 0, len(qualities) - 1
        while low < high:
            half = (low + high) // 2
            likely = _likely_to_survive(embeddings, qualities[half], cover, channel)
            low, high = (low, half) if likely else (half + 1, high)
        for quality in qualities[low:]:
            embedding = embeddings[_table(quality)] or embeddings[0]
            container = _paste(cover, embedding.at(quality))
            if all(_reveals(image, key, payload) for image in _received(container, channel)):
                return container
        raise SurvivalError(
            f"the payload does not survive {channel} at {quality:g} dB in this picture",
            hint="hide less, or take a larger picture, a lower --psnr, or a milder --survive",
        )

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the payload. The container may be recompressed, but its pixels have to stay in their places.

        Raises:
            NotFoundError: no pilots of this passphrase.
            DamagedError: pilots, but the payload cannot be decoded.
        """
        return _reveal(as_image(container), shared_key(passphrase))

    def p_value(self, image: Image, passphrase: str | None) -> float:
        """Return the p-value of the likeliest pilots, corrected for all tables and rates."""
        detections = _detect(as_image(image), shared_key(passphrase))
        return min(detections[0].p_value, 1.0) if detections else 1.0

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return True if *image* has the pilots of a container."""
        return self.p_value(image, passphrase) < MAX_FALSE_POSITIVE_RATE


def _middle(image: Image) -> tuple[slice, slice]:
    """Return the rows and columns that carry everything."""
    starts = [max(0, side - MIDDLE_SIDE) // 2 // 16 * 16 for side in image.shape[:2]]
    down, across = (slice(start, start + MIDDLE_SIDE) for start in starts)
    return down, across


def _paste(cover: Image, middle: Image) -> Image:
    """Return a copy of *cover* with another middle."""
    container = cover.copy()
    container[_middle(cover)] = middle
    return container


def _overhead() -> int:
    """Return the bytes of a frame that are not payload."""
    return frame.compact_size(Payload(b""))


def _table(psnr: float) -> int:
    """Return the index of the table that carries more at this PSNR."""
    return 0 if psnr < _CODE.light_table_psnr else 1


def _decodable(information: float, layout: CoefficientLayout, rate: int) -> bool:
    """Return True if words of that rate are expected to be decoded, given the *information* per channel bit."""
    efficiency = np.interp(RATES[rate], _CODE.rates, _CODE.efficiencies)
    return bool(information * efficiency * (1 - _CODE.short_word_loss / layout.length**0.5) >= RATES[rate])


def _received(container: Image, channel: Channel) -> Iterable[Image]:
    """Return the container, and what is received after *channel* and after each codec."""
    after_codecs = (received(parse(codec), container) for codec in CODECS)
    return chain([container], received(channel, container), *after_codecs)


def _prepare(cover: Image, payload: Payload, key: Key, table: int) -> _Embedding | None:
    """Encode the payload at the lowest rate that it fits in; None if there is none."""
    if len(payload.data) > _MAX_PAYLOAD_BYTES:
        return None
    layout, needed = CoefficientLayout(cover.shape, table, key), frame.compact_size(payload)
    rate = max((rate for rate in range(RATES.size) if layout.size(rate) >= needed), default=None)
    if rate is None:
        return None
    sealed = frame.seal_compact(payload, key, layout.size(rate))
    words = np.unpackbits(np.frombuffer(sealed, np.uint8)).reshape(layout.words, -1)
    code = ldpc.code(words.shape[1], layout.length)
    scrambler = random_bits(key, "coins", layout.slots.size)
    return _Embedding(cover, layout, np.concatenate([code.encode(word) for word in words]) ^ scrambler, rate)


def _likely_to_survive(embeddings: list[_Embedding | None], psnr: float, cover: Image, channel: Channel) -> bool:
    """Return True if a container of that PSNR is expected to survive everything.

    The codecs are tried on the middle alone, which takes less time; the channel may depend on the whole picture.
    """
    embedding = embeddings[_table(psnr)]
    if embedding is None:
        return False
    middle = embedding.at(psnr)
    if not all(embedding.decodable(image) for codec in CODECS for image in received(parse(codec), middle)):
        return False
    after_channel = received(channel, _paste(cover, middle))
    return all(image.shape == cover.shape and embedding.decodable(image[_middle(cover)]) for image in after_channel)


def _detect(image: Image, key: Key) -> list[_Detection]:
    """Return the likeliest rate of each table, best first.

    With the right key the pilot patterns are independent of the picture. So each cosine has a mean of 0 and stays
    within ±m, m the larger of its cosine and sine, and their sum exceeds t with a probability below exp(-t² / 2 Σm²)
    (Hoeffding), times the number of patterns tried.
    """
    if min(image.shape[:2]) < BLOCK:
        return []
    detections, middle = [], image[_middle(image)]
    for table in range(len(TABLES)):
        layout = CoefficientLayout(middle.shape, table, key)
        rates = [rate for rate in range(RATES.size) if layout.size(rate)]
        if not rates:
            continue
        phases = 2j * np.pi * layout.coefficients(middle).ravel()[layout.pilots].astype(np.float64)
        scores = [float(np.exp(phases - 2j * np.pi * layout.pilot(rate)).real.sum()) for rate in rates]
        squares = np.square([np.cos(phases.imag), np.sin(phases.imag)])
        squares[1, layout.bits[layout.pilots % layout.bits.size] == 1] = 0
        best = int(np.argmax(scores))
        chance = float(np.exp(-(max(scores[best], 0.0) ** 2) / (2 * squares.max(axis=0).sum() + 1e-9)))
        detections.append(_Detection(table, rates[best], len(TABLES) * len(rates) * chance))
    return sorted(detections, key=lambda detection: detection.p_value)


def _decode(image: Image, key: Key, detection: _Detection) -> Payload | None:
    """Return the payload of a detection; None if it cannot be decoded."""
    middle = image[_middle(image)]
    layout = CoefficientLayout(middle.shape, detection.table, key)
    soft = layout.soft_bits(layout.coefficients(middle), detection.rate)
    scrambler = random_bits(key, "coins", soft.size)
    code = ldpc.code(8 * layout.size(detection.rate) // layout.words, layout.length)
    words = []
    for word in np.where(scrambler > 0, -soft, soft).reshape(layout.words, -1):
        if (bits := code.decode(word)) is None:
            return None
        words.append(bits)
    try:
        return frame.open_compact(np.packbits(np.concatenate(words)).tobytes(), key)
    except NotFoundError:
        return None


def _reveal(image: Image, key: Key) -> Payload:
    """Return the payload; raises as :meth:`RobustPicture.reveal`."""
    detections = _detect(image, key)
    for detection in detections[:_MAX_ATTEMPTS]:
        if detection.p_value < _MAX_P_VALUE and (payload := _decode(image, key, detection)):
            return payload
    if detections and detections[0].p_value < MAX_FALSE_POSITIVE_RATE:
        hint = "look for a copy that was recompressed less and neither resized nor cropped"
        raise too_much_lost("payload", hint)
    raise refusals.not_found()


def _reveals(image: Image, key: Key, payload: Payload) -> bool:
    """Return True if *payload* is decoded from *image*."""
    try:
        found = _reveal(image, key)
    except PayloadError:
        return False
    return (found.data, found.kind) == (payload.data, payload.kind)
