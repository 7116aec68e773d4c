"""A picture in a video: packets that follow each other from group to group of frames.

::

    payload ─compact frame─► k packets ─Reed-Solomon─► 255 packets, each in a compact frame of its own, repeated
    frames:  │ packet 0 │ packet 1 │ packet 2 │ …     GROUP frames each
    pilots:  │   even   │   odd    │   even   │ …

Any k packets give the payload. So any part of the video that is long enough does, and it does not matter which groups a
codec damages. A packet has its number and k; the receiver need not know where in the video it is. Two pilot patterns
alternate: they tell where groups begin, and which frames still show what a codec kept of the group before. The frames
of a group are decoded together, as :mod:`underpaint.methods.video_frames` does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from underpaint.coding import convolutional, frame, reed_solomon, refusals
from underpaint.coding.keys import Key
from underpaint.embedding import watermark
from underpaint.embedding.blind_detection import MAX_FALSE_POSITIVE_RATE
from underpaint.embedding.watermark import PILOTS
from underpaint.errors import CapacityError, NotFoundError
from underpaint.methods.base import random_bits, shared_key, too_much_lost
from underpaint.methods.video_frames import QUALITIES, FrameEmbedder, Plane, decode_frames, residue_cosines
from underpaint.types import Payload, check_psnr

if TYPE_CHECKING:
    from underpaint.embedding.lapped import Array
    from underpaint.types import Bits, Image

#: Frames of a group, which carry one packet.
GROUP = 8
#: Bytes of a packet's compact frame, and number of different packets.
SIZE, PACKETS = 128, 255
#: Share of a video's packets that must be enough to reveal the payload.
ENOUGH = 0.4
#: Groups that a receiver decodes together.
GROUPS_TOGETHER = 16

#: The smallest side of frames in pixels, and the side of the canvas.
_MIN_SIDE, _CANVAS_SIDE = 128, 256
#: Lattice step in coefficients of the frame at which enough packets survive.
_MIN_FRAME_STEP = 40.0
#: Contents of a packet: bytes that identify the payload, k - 1, its number, and so many bytes of data.
_PAYLOAD_ID = 2
_PACKET_DATA = SIZE - frame.compact_size(Payload(b"")) - _PAYLOAD_ID - 2
#: Pilot score of a group, in standard deviations of chance, below which it is not decoded.
_MIN_SCORE = 2.0


def room(height: int, width: int, count: int) -> int:
    """Return the largest payload in bytes for a video; negative if there is none.

    Args:
        height: of the frames in pixels.
        width: of the frames in pixels.
        count: number of frames.

    Raises:
        CapacityError: the frames are too small.
    """
    if min(height, width) < _MIN_SIDE:
        raise CapacityError(
            f"the video is too small for a picture: {width}×{height}", hint=f"{_MIN_SIDE} pixels each way are the least"
        )
    packets = int(min(count // GROUP, PACKETS) * ENOUGH)
    return packets * _PACKET_DATA - frame.compact_size(Payload(b""))


class PacketEmbedder:
    """Embeds one packet after the other in groups of frames.

    Args:
        height: of the frames in pixels.
        width: of the frames in pixels.
        payload: of at most :func:`room` bytes.
        passphrase: needed to reveal; None lets anybody reveal.
        psnr: of luma in dB, the mean over the frames of any video; None takes the best of
            :data:`~underpaint.methods.video_frames.QUALITIES` at which packets are strong enough, or the last.

    Raises:
        UsageError: *psnr* is out of range.
        CapacityError: the payload needs more packets than there are.
    """

    def __init__(
        self, height: int, width: int, payload: Payload, passphrase: str | None, psnr: float | None = None
    ) -> None:
        check_psnr(psnr)
        plane, self._key = Plane(_CANVAS_SIDE), _packet_key(passphrase)
        pixels = height * width
        strong = (quality for quality in QUALITIES if plane.frame_step(SIZE, quality, pixels) >= _MIN_FRAME_STEP)
        self.psnr = next(strong, QUALITIES[-1]) if psnr is None else psnr
        count, self._pilots, self._message = watermark.layout(plane, self._key, SIZE)
        self._embedder = FrameEmbedder(plane, count, plane.step_at(SIZE, self.psnr))
        self._patterns = _pilot_patterns(self._key)
        self._packets = _packets(payload, self._key)
        self._frames = 0
        self._bits: Bits | None = None

    def change(self, luma: Image) -> Array | None:
        """Return the change of the coefficients of the next frame, ``uint8 (H, W)``; None leaves it unchanged.

        Frames must come in the order they are shown, because each depends on the one before.
        """
        group, place = divmod(self._frames, GROUP)
        if place == 0 or self._bits is None:
            packet = Payload(self._packets[group % PACKETS])
            body = np.frombuffer(frame.seal_compact(packet, self._key, SIZE), np.uint8)
            self._bits = convolutional.encode(np.unpackbits(body))
        self._frames += 1
        parts = ((self._pilots, self._patterns[group % 2]), (self._message, self._bits))
        return self._embedder.change(luma, parts)

    def paint(self, luma: Image, change: Array | None) -> Image:
        """Return the frame with this change; several threads may call this at once."""
        return self._embedder.paint(luma, change)


class PacketDecoder:
    """Collects packets until they give a payload.

    Args:
        passphrase: the sender's.
    """

    def __init__(self, passphrase: str | None) -> None:
        self._plane, self._key = Plane(_CANVAS_SIDE), _packet_key(passphrase)
        self._count, self._pilots, self._message = watermark.layout(self._plane, self._key, SIZE)
        self._patterns = 1 - 2.0 * np.stack(_pilot_patterns(self._key), axis=1)  # (PILOTS, 2)
        self._steps = self._plane.search_steps(SIZE)
        self._scores = np.zeros(len(self._steps))
        self._best, self._frames = 0.0, 0
        self._pilot_projections: list[Array] = []
        self._bit_projections: list[Array] = []
        #: Data of packets, by payload and k, and then by number.
        self._found: dict[bytes, dict[int, bytes]] = {}
        self._payload: Payload | None = None

    @property
    def waiting(self) -> int:
        """Number of frames that are kept in memory until their group is decoded."""
        return len(self._bit_projections)

    def add(self, luma: Image) -> Payload | None:
        """Add a frame, ``uint8 (H, W)``, and return the payload if it is complete by now."""
        if self._payload is None:
            coefficients = self._plane.analyse(luma, self._count)
            pilots = self._pilots.project(coefficients)
            fit = (residue_cosines(self._pilots.residues(pilots, self._steps)) @ self._patterns).max(axis=1)
            self._best, self._frames = max(self._best, float(fit.max())), self._frames + 1
            self._scores += np.square(np.maximum(fit, 0))
            self._pilot_projections.append(pilots.astype(np.float32))
            self._bit_projections.append(self._message.project(coefficients).astype(np.float32))
            if self.waiting >= GROUPS_TOGETHER * GROUP:
                self._decode_groups(last=False)
        return self._payload

    def end(self) -> Payload:
        """Return the payload of all frames.

        Raises:
            NotFoundError: no packet of this passphrase.
            DamagedError: there are too few packets, or none of them can be decoded.
        """
        if self._payload is None and self.waiting:
            self._decode_groups(last=True)
        if self._payload is not None:
            return self._payload
        if self._found or self.p_value() < MAX_FALSE_POSITIVE_RATE:
            identity, packets = max(self._found.items(), key=lambda pair: len(pair[1]), default=(None, {}))
            needed = f" of {identity[_PAYLOAD_ID] + 1} needed" if identity else ""
            raise too_much_lost(
                "picture",
                "look for a copy that was recompressed less, or for a longer part of it",
                f": {len(packets)} packets{needed} arrived",
            )
        raise refusals.not_found()

    def p_value(self) -> float:
        """Return a bound on the probability that frames without packets of this passphrase score as high, 0–1."""
        tried = 2 * len(self._steps) * self._frames
        return min(tried * math.exp(-(self._best**2) / PILOTS), 1.0)

    def _decode_groups(self, *, last: bool) -> None:
        """Decode the groups that are waiting; the last one only if its frames are complete or the *last* ones."""
        step = float(self._steps[self._scores.argmax()])
        residues = np.array(self._pilot_projections) / step - self._pilots.dither
        scores = residue_cosines(residues) @ self._patterns  # (frames, 2)
        frames = np.arange(len(scores))
        likelihoods = np.square(np.maximum(scores, 0))
        # The place of the first frame here in a pair of groups, even and odd: where the patterns fit best.
        first = max(range(2 * GROUP), key=lambda each: likelihoods[frames, (frames + each) // GROUP % 2].sum())
        groups = (frames + first) // GROUP
        ended = len(frames) if last else int(np.searchsorted(groups, groups[-1]))
        for group in np.unique(groups[:ended]):
            own = np.flatnonzero(groups == group)
            pilot_scores = scores[own, group % 2]
            # Cosines of chance have a variance of 1/2 each. Decoding takes long.
            if pilot_scores.sum() < _MIN_SCORE * math.sqrt(PILOTS * len(own) / 2):
                continue
            bits = np.array([self._bit_projections[each] for each in own]) / step - self._message.dither
            packet = decode_frames(residue_cosines(bits), pilot_scores, self._key)
            if packet is not None:
                self._store(packet.data)
        del self._pilot_projections[:ended], self._bit_projections[:ended]

    def _store(self, packet: bytes) -> None:
        """Store a packet, and decode the payload if there are enough."""
        identity, number, data = packet[: _PAYLOAD_ID + 1], packet[_PAYLOAD_ID + 1], packet[_PAYLOAD_ID + 2 :]
        packets = self._found.setdefault(identity, {})
        packets[number] = data
        needed = identity[_PAYLOAD_ID] + 1
        if len(packets) < needed or self._payload is not None:
            return
        numbers = list(packets)[:needed]
        values = np.frombuffer(b"".join(packets[each] for each in numbers), np.uint8).reshape(needed, -1)
        body = reed_solomon.interpolate(numbers, values, range(needed)).tobytes()
        try:
            self._payload = frame.open_compact(body, self._key)
        except NotFoundError:  # packets of two payloads
            del self._found[identity]


def _packets(payload: Payload, key: Key) -> list[bytes]:
    """Return all packets of *payload*, those of its own bytes first.

    Raises:
        CapacityError: it needs more packets than there are.
    """
    count = -(-frame.compact_size(payload) // _PACKET_DATA)
    if count > PACKETS:
        raise CapacityError(f"{len(payload.data)} bytes do not fit in {PACKETS} packets of {_PACKET_DATA}")
    body = frame.seal_compact(payload, key, count * _PACKET_DATA)
    values = np.frombuffer(body, np.uint8).reshape(count, _PACKET_DATA)
    data = reed_solomon.interpolate(range(count), values, range(PACKETS))
    return [body[:_PAYLOAD_ID] + bytes([count - 1, number]) + each.tobytes() for number, each in enumerate(data)]


def _pilot_patterns(key: Key) -> tuple[Bits, Bits]:
    """Return the pilot bits of even and of odd groups."""
    return random_bits(key, "even group", PILOTS), random_bits(key, "odd group", PILOTS)


def _packet_key(passphrase: str | None) -> Key:
    """Return the key of packets, which differs from that of messages."""
    return Key(shared_key(passphrase).subkey("film packets"))
