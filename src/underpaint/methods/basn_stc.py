"""Files in the fewest changes that carry them, where neither eye nor machine looks.

Head and body are those of :mod:`underpaint.sealed`, attention is that of ``basn``, but only who hides looks at it: it
says what a change of ±1 costs, and :mod:`underpaint.trellis` finds the cheapest ones that carry the body. Who reveals
needs the key, and how many bits lie in the higher of two layers, which the head says.

Limits: any change to the container destroys the payload. It holds less than ``basn``, and takes longer to hide.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint import sealed, trellis
from underpaint.attention import OCTAVE, attention
from underpaint.errors import CapacityError
from underpaint.secret import frame
from underpaint.secret.frame import Header
from underpaint.types import Capacity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.embed import Mode
    from underpaint.secret.keys import Key
    from underpaint.types import Image

#: Bits in the higher layer.
_HIGHER = struct.Struct(">I")
#: Which share of what changes of ±1 can say at most is promised, 0.95 bits per value: a trellis needs some to spare.
_SHARE = 0.6
#: How much larger the squared change is than with the best of all codes.
_LOSS = 1.1
#: What a squared change of 1 costs, by attention.
_WEIGHTS = np.exp2(-2 * np.arange(256) / OCTAVE).astype(np.float32)


@dataclass(frozen=True)
class _Room:
    """What one picture takes."""

    #: How many values have each attention, ``(256,)``.
    counts: NDArray[np.int64]
    #: Bytes of the longest body.
    longest: int

    @classmethod
    def of(cls, cover: Image, attended: NDArray[np.uint8]) -> _Room:
        """What *cover* takes, its head's places left out."""
        options = np.full(256, 3)
        options[[0, 255]] = 2  # nothing is darker than black
        bits = sealed.tally(cover, _HIGHER.size) @ np.log2(options)
        return cls(sealed.tally(attended, _HIGHER.size), int(_SHARE * bits / 8))

    def psnr(self, length: int) -> float:
        """PSNR in dB to expect of a container with a body of *length* bytes: that of the best code, less its loss."""
        low, high = -40.0, 40.0  # the logarithm of what multiplies costs, so that just so much can be said
        while high - low > 1e-3:
            middle = (low + high) / 2
            energy = 2.0**middle * _WEIGHTS.astype(np.float64)
            either = 2 * np.exp(-energy)
            changed = either / (1 + either)
            said = np.log2(1 + either) + changed * energy / math.log(2)  # the entropy of -1, 0, 1
            low, high = (middle, high) if self.counts @ said > 8 * length else (low, middle)
        return sealed.expected_psnr(_LOSS * float(self.counts @ changed), int(self.counts.sum()))


def _free(image: Image) -> NDArray[np.bool_]:
    """Which of the values of *image* in reading order are not of the head."""
    free = np.ones(image.size, bool)
    free[sealed.places(image, _HIGHER.size)] = False
    return free


class BASNSTC(sealed.Carrier):
    """Syndrome-trellis codes by attention: the fewest changes, for lossless formats only."""

    name = "basn-stc"
    summary = "files up to a third of a byte per pixel in the fewest changes, lossless formats only"
    needs_lossless = True
    default_survive = None
    mode: Mode = "matching"
    details = _HIGHER.size

    def capacity(self, cover: Image) -> Capacity:
        """What fits, whatever the file's name; about a third of a byte per pixel, less where it is black or white.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
            ModelError: the network is missing or altered.
        """
        room = _Room.of(cover, attention(cover))
        return Capacity(max(room.longest - sealed.OVERHEAD, 0), room.psnr(room.longest))

    def payload_at(self, cover: Image, psnr: float) -> int:
        """The largest payload in bytes of which a container of *psnr* dB is to be expected; 0 if there is none.

        Raises:
            UsageError, ModelError: as for :meth:`capacity`.
        """
        room = _Room.of(cover, attention(cover))
        return sealed.largest(room.longest, room.psnr, psnr)

    def write(self, cover: Image, body: bytes, key: Key) -> tuple[Image, Header]:
        """Return a copy of *cover* that carries *body*, and its header; as :class:`sealed.Carrier` says."""
        attended = attention(cover)
        room = _Room.of(cover, attended)
        if len(body) > room.longest:
            raise sealed.too_long(len(body), room.longest)
        free = _free(cover)
        costs = _WEIGHTS[attended.reshape(-1)[free]]
        bits = np.unpackbits(np.frombuffer(body, np.uint8))
        container = cover.copy()
        costs = np.broadcast_to(costs[:, None], (costs.size, 2))  # of -1 and of +1
        try:
            container.reshape(-1)[free], (higher, _) = trellis.embed(cover.reshape(-1)[free], bits, costs, key)
        except CapacityError:
            hint = "hide less, take a larger picture, or hide it by basn"
            raise CapacityError(f"no trellis of {len(body)} bytes was found in this picture", hint=hint) from None
        return container, Header(0, len(body), _HIGHER.pack(higher))

    def read(self, container: Image, header: Header, key: Key) -> bytes:
        """Return the body; as :class:`sealed.Carrier` says."""
        (higher,) = _HIGHER.unpack(header.details)
        lower = 8 * header.length - higher
        if header.parameter or lower < 0:
            raise frame.newer()
        try:
            bits = trellis.extract(container.reshape(-1)[_free(container)], (higher, lower), key)
        except CapacityError:
            raise frame.newer() from None
        return np.packbits(bits).tobytes()
