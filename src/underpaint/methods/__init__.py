"""How each method is used: one module per method, one entry per method in :data:`METHODS`.

Three kinds of carrier lie below the methods; a method implements the one that fits it:

* *bits* (:class:`BitCarrier`): a few bits that survive a channel, read back as soft bits. ``stdm``, ``robust``
* *map* (:class:`MapCarrier`): how many low bits of each value carry data; ``underpaint.embedding.bit_planes`` places
  them. ``basn``, ``lsb``
* *image* (:class:`ImageCarrier`): a picture inside a picture. ``pixinpix``

``robust-picture`` has a carrier of its own: thousands of bits that survive a channel; and ``miais`` another: numbers
that come back nearly as they were.

Whatever the carrier, the application sees a :class:`Method`: payload in, payload out, or an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from underpaint.methods.basn import BASN
from underpaint.methods.basn_stc import BASNSTC
from underpaint.methods.lsb import LSB
from underpaint.methods.miais import MIAIS
from underpaint.methods.pixinpix import PixInPix
from underpaint.methods.robust import Robust
from underpaint.methods.robust_picture import RobustPicture
from underpaint.methods.stdm import STDM

if TYPE_CHECKING:
    from underpaint.coding.keys import Key
    from underpaint.types import Bits, Capacity, CapacityMap, Channel, Image, Payload, SoftBits


class Method(Protocol):
    """What the application needs of a method."""

    name: str
    #: One line for help and listings.
    summary: str
    #: The container must stay exactly as it is: no lossy file format, no channel.
    needs_lossless: bool

    @property
    def default_survive(self) -> str | None:
        """The channel chain a container survives unless another is asked for; None if it survives nothing."""
        ...

    def capacity(self, cover: Image) -> Capacity:
        """What fits. Raises UsageError if the cover is too small for the method."""
        ...

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        """Return the container.

        ``psnr`` asks for that quality in dB, ``survive`` for exact recovery after that channel; None leaves it to the
        method. Raises CapacityError if the payload does not fit, SurvivalError if it would not survive, UsageError if
        the method has no such setting.
        """
        ...

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return whether *image*, as it is, seems to be a container; quick, and without its payload."""
        ...

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return exactly what was hidden. Raises NotFoundError or DamagedError; never returns anything else."""
        ...


@runtime_checkable
class PredictablePSNR(Protocol):
    """A method that knows beforehand what a payload does to the picture."""

    def payload_at(self, cover: Image, psnr: float) -> int:
        """Return the largest payload in bytes of which a container of *psnr* dB is to be expected; 0 if none."""
        ...


class BitCarrier(Protocol):
    """A fixed number of bits in, soft bits out; no framing, no error correction."""

    def embed_bits(self, cover: Image, bits: Bits, key: Key, *, psnr: float) -> Image:
        """Return a container of about ``psnr`` dB that carries *bits*."""
        ...

    def extract_bits(self, container: Image, count: int, key: Key, *, psnr: float) -> SoftBits:
        """Return *count* log-likelihood ratios, positive for 1, of bits embedded at *psnr*."""
        ...


class MapCarrier(Protocol):
    """A capacity map, by which :mod:`underpaint.embedding.bit_planes` places bytes exactly."""

    def capacity_map(self, image: Image) -> CapacityMap:
        """Return how many low bits of each value may carry data: the same for a cover and for its container."""
        ...


@runtime_checkable
class ImageCarrier(Protocol):
    """A picture inside a picture, which comes back as near as may be, and not to the byte."""

    def embed_image(self, cover: Image, secret: Image, passphrase: str | None) -> Image:
        """Return a container of the size of *cover*."""
        ...

    def extract_image(self, container: Image, passphrase: str | None) -> Image:
        """Return the secret, as it was restored, in the shape that it had."""
        ...


METHODS: dict[str, Method] = {
    method.name: method for method in (STDM(), Robust(), RobustPicture(), BASN(), BASNSTC(), LSB(), PixInPix(), MIAIS())
}
#: Those that hide any bytes, and give back exactly these.
EXACT: dict[str, Method] = {
    name: method for name, method in METHODS.items() if not isinstance(method, ImageCarrier | MIAIS)
}
