"""What no frame of a film holds, in packets that follow each other from group to group of frames.

::

    payload ─compact frame─► k packets ─Reed-Solomon─► 255 packets, each in a compact frame of its own, round and round
    frames:  │ packet 0 │ packet 1 │ packet 2 │ …     GROUP frames each
    pilots:  │   even   │   odd    │   even   │ …

Any k packets make the payload, so any part of the film that is long enough does, and it does not matter which groups a
codec treated badly. Packets say their place and k; a reader need not know where in the film it is. Two patterns of
pilots that take turns tell where groups begin, and which frames still show what a codec kept of the group before.
Within a group frames are read together, as :mod:`underpaint.methods.video_message` reads those of a message.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from underpaint.coding import convolutional, frame, reed_solomon, refusals
from underpaint.coding.keys import Key
from underpaint.embedding import watermark
from underpaint.embedding.watermark import MAX_FALSE_POSITIVE_RATE, PILOTS
from underpaint.errors import CapacityError, DamagedError, NotFoundError
from underpaint.methods.video_message import (
    QUALITIES,
    FrameEmbedder,
    Plane,
    cosines,
    open_payload,
    steps,
    strength,
    video_key,
)
from underpaint.types import Payload, check_psnr

if TYPE_CHECKING:
    from underpaint.embedding.lapped import Array
    from underpaint.types import Bits, Image

#: Frames of a packet, bytes of one, and different packets at most.
GROUP, SIZE, PLACES = 8, 128, 255
#: The share of a film's packets that is enough.
ENOUGH = 0.4

#: Frames must be this large, in pixels each way.
_SMALLEST = 128
_SIDE = 256
#: The step, in the frame's own coefficients, at which enough packets survive.
_STRONG = 40.0
#: A packet: what payload it is of, its place, k - 1, and so many bytes.
_MARK = 2
_ROOM = SIZE - frame.compact_size(Payload(b"")) - _MARK - 2
#: Groups that a reader looks at together, and how many standard deviations from chance one has to be.
_TOGETHER, _WORTH_A_TRY = 16, 2.0


def room(height: int, width: int, count: int) -> int:
    """The largest payload in bytes for a film of *count* frames of this size, in pixels; below 0 there is none.

    Raises:
        CapacityError: the frames are too small.
    """
    if min(height, width) < _SMALLEST:
        raise CapacityError(
            f"the video is too small for a picture: {width}×{height}", hint=f"{_SMALLEST} pixels each way are the least"
        )
    packets = int(min(count // GROUP, PLACES) * ENOUGH)
    return packets * _ROOM - frame.compact_size(Payload(b""))


class PacketEmbedder:
    """Marks one frame after the other with one packet after the other.

    Args:
        height: of the frames, in pixels.
        width: the same.
        payload: of at most :func:`room` bytes.
        passphrase: what it takes to reveal.
        psnr: of luma, in dB, in the mean over frames of any film; None takes the best of
            :data:`underpaint.methods.video_message.QUALITIES` at which packets are strong enough, or the last.

    Raises:
        UsageError: *psnr* is out of range.
        CapacityError: there are more packets than places.
    """

    def __init__(
        self, height: int, width: int, payload: Payload, passphrase: str | None, psnr: float | None = None
    ) -> None:
        check_psnr(psnr)
        plane, self._key = Plane(_SIDE), _own_key(passphrase)
        pixels = height * width
        strong = (quality for quality in QUALITIES if strength(plane, SIZE, quality, pixels) >= _STRONG)
        self.psnr = next(strong, QUALITIES[-1]) if psnr is None else psnr
        count, self._pilots, self._message = watermark.layout(plane, self._key, SIZE)
        self._brush = FrameEmbedder(
            plane, count, watermark.typical_step(plane, PILOTS + watermark.channel_bits(SIZE), self.psnr)
        )
        self._turns = _turns(self._key)
        self._packets = _packets(payload, self._key)
        self._frames = 0
        self._bits: Bits | None = None

    def change(self, luma: Image) -> Array | None:
        """How the coefficients of the next frame are to change, as in :meth:`underpaint.methods.video_message.Writer.change`."""
        group, place = divmod(self._frames, GROUP)
        if place == 0 or self._bits is None:
            packet = Payload(self._packets[group % PLACES])
            body = np.frombuffer(frame.seal_compact(packet, self._key, SIZE), np.uint8)
            self._bits = convolutional.encode(np.unpackbits(body))
        self._frames += 1
        return self._brush.change(luma, ((self._pilots, self._turns[group % 2]), (self._message, self._bits)))

    def paint(self, luma: Image, change: Array | None) -> Image:
        """The frame with this change; several threads may do so at once."""
        return self._brush.paint(luma, change)


class PacketDecoder:
    """Gathers packets until they make a payload."""

    def __init__(self, passphrase: str | None) -> None:
        self._plane, self._key = Plane(_SIDE), _own_key(passphrase)
        self._count, self._pilots, self._message = watermark.layout(self._plane, self._key, SIZE)
        self._patterns = 1 - 2.0 * np.stack(_turns(self._key), axis=1)  # (PILOTS, 2)
        self._steps = steps(self._plane, SIZE)
        self._scores = np.zeros(len(self._steps))
        self._best, self._frames = 0.0, 0
        self._announced: list[Array] = []
        self._said: list[Array] = []
        #: Packets by payload and their number, and then by their place.
        self._found: dict[bytes, dict[int, bytes]] = {}
        self._payload: Payload | None = None

    def add(self, luma: Image) -> Payload | None:
        """Listen to another frame, ``uint8 (H, W)``, and return the payload if there is one by now."""
        if self._payload is None:
            coefficients = self._plane.analyse(luma, self._count)
            pilots = self._pilots.project(coefficients)
            fit = (cosines(self._pilots.residues(pilots, self._steps)) @ self._patterns).max(axis=1)
            self._best, self._frames = max(self._best, float(fit.max())), self._frames + 1
            self._scores += np.square(np.maximum(fit, 0))
            self._announced.append(pilots.astype(np.float32))
            self._said.append(self._message.project(coefficients).astype(np.float32))
            if len(self._said) >= _TOGETHER * GROUP:
                self._gather(last=False)
        return self._payload

    def end(self) -> Payload:
        """The payload of all frames.

        Raises:
            NotFoundError: no packet of this key.
            DamagedError: too few of them, or none can be read though they are there.
        """
        if self._payload is None and self._said:
            self._gather(last=True)
        if self._payload is not None:
            return self._payload
        tried = 2 * len(self._steps) * self._frames
        if self._found or tried * math.exp(-(self._best**2) / PILOTS) < MAX_FALSE_POSITIVE_RATE:
            packets = max(self._found.values(), key=len, default={})
            needed = next((f" of {key[-1] + 1} needed" for key, each in self._found.items() if each is packets), "")
            raise DamagedError(
                f"a picture is here, but too much of it is lost: {len(packets)} packets{needed} arrived",
                hint="look for a copy that was recompressed less, or for a longer part of it",
            )
        raise refusals.not_found()

    def _gather(self, *, last: bool) -> None:
        """Read the groups that are waiting, but for the one that goes on unless these frames are the *last*."""
        step = float(self._steps[self._scores.argmax()])
        agreed = cosines(np.array(self._announced) / step - self._pilots.dither) @ self._patterns  # (frames, 2)
        frames = np.arange(len(agreed))
        likely = np.square(np.maximum(agreed, 0))
        # Which frame of an even group is the first one here: the turns that fit best.
        first = max(range(2 * GROUP), key=lambda each: likely[frames, (frames + each) // GROUP % 2].sum())
        groups = (frames + first) // GROUP
        ended = len(frames) if last else int(np.searchsorted(groups, groups[-1]))
        for group in np.unique(groups[:ended]):
            own = np.flatnonzero(groups == group)
            fit = agreed[own, group % 2]
            # Pilots of chance have a variance of 1/2 each; decoding takes long.
            if fit.sum() < _WORTH_A_TRY * math.sqrt(PILOTS * len(own) / 2):
                continue
            said = cosines(np.array([self._said[each] for each in own]) / step - self._message.dither)
            packet = open_payload(said, fit, self._key)
            if packet is not None:
                self._file(packet.data)
        del self._announced[:ended], self._said[:ended]

    def _file(self, packet: bytes) -> None:
        """Put a packet to the others of its payload, and see whether they are enough."""
        mark, place, data = packet[: _MARK + 1], packet[_MARK + 1], packet[_MARK + 2 :]
        packets = self._found.setdefault(mark, {})
        packets[place] = data
        needed = mark[_MARK] + 1
        if len(packets) < needed or self._payload is not None:
            return
        places = list(packets)[:needed]
        values = np.frombuffer(b"".join(packets[each] for each in places), np.uint8).reshape(needed, -1)
        try:
            self._payload = frame.open_compact(
                reed_solomon.interpolate(places, values, range(needed)).tobytes(), self._key
            )
        except NotFoundError:  # packets of two payloads
            del self._found[mark]


def _packets(payload: Payload, key: Key) -> list[bytes]:
    """All packets of *payload*, those that are its bytes first.

    Raises:
        CapacityError: there are more than places.
    """
    count = -(-frame.compact_size(payload) // _ROOM)
    if count > PLACES:
        raise CapacityError(f"{len(payload.data)} bytes do not fit in {PLACES} packets of {_ROOM}")
    body = frame.seal_compact(payload, key, count * _ROOM)
    values = np.frombuffer(body, np.uint8).reshape(count, _ROOM)
    every = reed_solomon.interpolate(range(count), values, range(PLACES))
    return [body[:_MARK] + bytes([count - 1, place]) + each.tobytes() for place, each in enumerate(every)]


def _turns(key: Key) -> tuple[Bits, Bits]:
    """The pilot bits of even and of odd groups."""
    even, odd = (np.unpackbits(key.stream(f"{turn} group", PILOTS // 8)) for turn in ("even", "odd"))
    return even, odd


def _own_key(passphrase: str | None) -> Key:
    """Another key than that of messages."""
    return Key(video_key(passphrase).subkey("film packets"))
