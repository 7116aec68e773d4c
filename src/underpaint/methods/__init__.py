"""How each method is used: one module per method, one entry per method in :data:`METHODS`.

Three kinds of carrier lie below the methods; a method implements the one that fits it:

* *bits* (:class:`BitCarrier`): a few bits that survive a channel, read back as soft bits. ``stdm``
* *map*: a capacity map says how many low bits of each value carry data; ``underpaint.embed`` places them. ``lsb``
* *image*: a picture inside a picture.

Whatever the carrier, the application sees a :class:`Method`: payload in, payload out, or an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from underpaint.methods.lsb import LSB
from underpaint.methods.stdm import STDM

if TYPE_CHECKING:
    from underpaint.secret.keys import Key
    from underpaint.types import Bits, Capacity, Image, Passage, Payload, SoftBits


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
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Passage | None
    ) -> Image:
        """Return the container.

        ``psnr`` asks for that quality in dB, ``survive`` for exact recovery after that channel; None leaves it to the
        method. Raises CapacityError if the payload does not fit, SurvivalError if it would not survive, UsageError if
        the method has no such setting.
        """
        ...

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return exactly what was hidden. Raises NotFoundError or DamagedError; never returns anything else."""
        ...


class BitCarrier(Protocol):
    """A fixed number of bits in, soft bits out; no framing, no error correction."""

    def embed_bits(self, cover: Image, bits: Bits, key: Key, *, psnr: float) -> Image:
        """Return a container of about ``psnr`` dB that carries *bits*."""
        ...

    def extract_bits(self, container: Image, count: int, key: Key, *, psnr: float) -> SoftBits:
        """Return *count* log-likelihood ratios, positive for 1, of bits embedded at *psnr*."""
        ...


METHODS: dict[str, Method] = {method.name: method for method in (STDM(), LSB())}
