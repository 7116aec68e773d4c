"""Verification: a container is delivered, decoded and revealed again before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from underpaint.api.transparency import Transparent, views
from underpaint.channels import parse, received
from underpaint.coding.template import cosine_similarity, unpack
from underpaint.errors import PayloadError, SurvivalError
from underpaint.media import decode, encode, is_exact
from underpaint.methods import ImageCarrier
from underpaint.methods.miais import MIAIS, MIN_SIMILARITY
from underpaint.types import SMALLEST_SIDE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from underpaint.api.payloads import Prepared
    from underpaint.channels import Chain
    from underpaint.media import JpegCoding, Picture
    from underpaint.types import Channel, Image, Payload

_UNCHANGED = parse("none")
#: Least share of a picture's area in which a payload is looked for; the search for pictures that were cropped finds no
#: smaller one.
MIN_SHOWN = 0.25


@dataclass(frozen=True)
class Delivered:
    """A container in the form that the recipient gets."""

    #: As the recipient decodes it, ``uint8 (H, W, 3)``.
    pixels: Image
    #: Bytes of the file; empty for an array.
    file: bytes = b""
    #: Opacity, ``uint8 (H, W)``; None for an array, and for a file without transparency.
    alpha: NDArray[np.uint8] | None = None


class Delivery(Protocol):
    """The form in which a container is delivered: an array, or a file of some format."""

    def __str__(self) -> str:
        """Name of the form in messages."""
        ...

    def deliver(self, container: Image) -> Delivered:
        """Bring *container* into this form."""
        ...

    def channel(self, chain: Chain | None) -> Channel | None:
        """Return the distortion that a method embeds for: that of this form, then *chain*."""
        ...

    def transparent(self, *, boxed: bool) -> Transparent | None:
        """Return the cover with its transparency; None if all of it is opaque."""
        ...


class ArrayDelivery:
    """Delivery as an array, without loss."""

    def __str__(self) -> str:
        return "rounding to 8 bits"

    def deliver(self, container: Image) -> Delivered:
        """Return *container* as it is."""
        return Delivered(container)

    def channel(self, chain: Chain | None) -> Channel | None:
        """Return *chain*."""
        return chain

    def transparent(self, *, boxed: bool) -> None:
        """Return None."""


@dataclass(frozen=True)
class FileFormat:
    """Format of a picture file, with its settings."""

    #: Key of :data:`underpaint.media.FORMATS`.
    name: str
    #: 1–100; None is exact where the format can be.
    quality: int | None = None
    #: Keep EXIF data and ICC profile.
    metadata: bool = True

    @property
    def exact(self) -> bool:
        """True if the file keeps every pixel. Raises UsageError if the quality is out of range."""
        return is_exact(self.name, self.quality)

    def __str__(self) -> str:
        return self.name if self.quality is None else f"{self.name} at quality {self.quality}"


@dataclass(frozen=True)
class FileDelivery:
    """Delivery as a picture file."""

    #: The cover, whose transparency, EXIF data and ICC profile the file takes.
    picture: Picture
    format: FileFormat
    #: Coding of a JPEG file; None for the quality of *format*.
    jpeg: JpegCoding | None = None

    def __str__(self) -> str:
        return "jpeg at the cover's quality" if self.jpeg else str(self.format)

    def deliver(self, container: Image) -> Delivered:
        """Encode *container*, and decode it again."""
        picture, form = self.picture.with_pixels(container), self.format
        data = encode(picture, form.name, quality=form.quality, metadata=form.metadata, jpeg=self.jpeg)
        decoded = decode(data)
        return Delivered(decoded.pixels, data, decoded.alpha)

    def channel(self, chain: Chain | None) -> Channel | None:
        """Return *chain*, after the loss of the file if there is one."""
        return chain if self.format.exact or chain is None else _LossyFile(self, chain)

    def transparent(self, *, boxed: bool) -> Transparent | None:
        """Return the cover with its transparency; None if all of it is opaque."""
        picture = self.picture
        if picture.alpha is None or (picture.alpha == 255).all():
            return None
        return Transparent(picture.pixels, picture.alpha, boxed)


@dataclass(frozen=True)
class _Written:
    """A picture that is written to a file, followed by a chain of channels."""

    delivery: FileDelivery
    chain: Chain

    @property
    def random(self) -> bool:
        """True if the result depends on the seed."""
        return self.chain.random

    @property
    def moves(self) -> bool:
        """True if pixels are moved or cut off. A picture that is only resampled is found without a search."""
        return self.chain.moves


class _LossyFile(_Written):
    """The loss of a file format, followed by a chain of channels."""

    def __call__(self, image: Image, seed: int, /) -> Image:
        """Return the distorted copy of *image*."""
        return self.chain(self.delivery.deliver(image).pixels, seed)

    def __str__(self) -> str:
        return f"{self.delivery} | {self.chain}"


@dataclass(frozen=True)
class OnBackground(_Written):
    """The loss of a picture file with transparency, shown on a background and followed by a chain of channels.

    Sent through it is the cover of *transparent*, marked. The last background is the one that it is not embedded for.
    """

    transparent: Transparent

    def __call__(self, image: Image, seed: int, /) -> Image:
        """Return the distorted copy of *image*."""
        delivered = self.delivery.deliver(self.transparent.coloured(image))
        return self.chain(views(delivered.pixels, delivered.alpha)[-1], seed)

    def __str__(self) -> str:
        return f"a black background | {self.chain}"


def check_survivable(cover: Image, chain: Chain) -> None:
    """Refuse a chain that leaves nothing of any container, before anything is embedded.

    Args:
        cover: ``uint8 (H, W, 3)``, sent in the place of a container.
        chain: channels that the payload has to survive.

    Raises:
        SurvivalError: the received picture is of one colour, or smaller than any that a payload is searched in.
    """
    distorted = chain(cover, 0)
    height, width = distorted.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        hint = f"{SMALLEST_SIDE} pixels each way are the least"
        raise SurvivalError(f"no payload survives {chain}: it leaves {width}×{height} pixels", hint=hint)
    if chain.shown < MIN_SHOWN:
        hint = f"{MIN_SHOWN:.0%} of the area is the least that a search finds"
        raise SurvivalError(f"no payload survives {chain}: it leaves {chain.shown:.0%} of the picture", hint=hint)
    if (distorted == distorted[0, 0]).all() and not (cover == cover[0, 0]).all():
        raise SurvivalError(f"no payload survives {chain}: it leaves a picture of one colour")


def verify(
    container: Image, prepared: Prepared, passphrase: str | None, chain: Chain | None, delivery: Delivery
) -> Payload:
    """Reveal the payload from *container*, as it is delivered and after *chain*.

    Args:
        container: as delivered, ``uint8 (H, W, 3)``.
        prepared: payload and method that made it.
        passphrase: passphrase that it was hidden with.
        chain: channels that the payload has to survive; None for none.
        delivery: form of the container, for the message.

    Returns:
        The payload revealed last. The bytes of an image carrier differ from those that were embedded.

    Raises:
        SurvivalError: the payload is not revealed.
    """
    trials = [(str(delivery), _UNCHANGED)]
    if chain:
        trials.append((f"{delivery} | {chain}", chain))
    for name, channel in trials:
        for distorted in received(channel, container):
            try:
                revealed = prepared.method.reveal(distorted, passphrase)
            except PayloadError:
                revealed = None
            if revealed is None or not _restored(revealed, prepared):
                hint = "a higher quality of the file, a lower psnr, a milder chain or a larger cover may help"
                raise SurvivalError(f"the payload does not survive {name}", hint=hint)
            result = revealed
    return result


def _restored(revealed: Payload, prepared: Prepared) -> bool:
    """Return True if *revealed* is the payload, as closely as the method promises."""
    if revealed.kind != prepared.payload.kind:
        return False
    if isinstance(prepared.method, MIAIS):
        return cosine_similarity(unpack(revealed.data), unpack(prepared.payload.data)) >= MIN_SIMILARITY
    return isinstance(prepared.method, ImageCarrier) or revealed.data == prepared.payload.data
