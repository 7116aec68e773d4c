"""The few types that cross module borders, and the checks at the public edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from underpaint.errors import UsageError

#: One picture in the runtime: ``uint8 (H, W, 3)``, RGB.
Image = NDArray[np.uint8]
#: Message bits: ``uint8 (n,)``, each 0 or 1.
Bits = NDArray[np.uint8]
#: Soft bits: ``float32 (n,)``, log-likelihood ratios; positive says 1, magnitude says how sure.
SoftBits = NDArray[np.float32]
#: How many low bits of each colour value may carry data: ``uint8 (H, W, 3)``, 0–8.
CapacityMap = NDArray[np.uint8]

PayloadKind = Literal["text", "file", "template", "picture"]

#: The smallest side any method accepts, in pixels.
SMALLEST_SIDE = 32
#: Red, green and blue in luma, ITU-R BT.601, as in every codec here.
LUMA = (0.299, 0.587, 0.114)
_LUMA_WEIGHTS = np.array(LUMA, np.float32)


class Channel(Protocol):
    """What a container goes through on its way, and what it is called: a channel chain, a file format."""

    @property
    def random(self) -> bool:
        """Whether the seed matters."""
        ...

    def __call__(self, image: Image, seed: int, /) -> Image:
        """Return what arrives of *image*."""
        ...

    def __str__(self) -> str:
        """The name for messages."""
        ...


@dataclass(frozen=True)
class Payload:
    """What is hidden: bytes, of which kind they are, and the file's name if it has one.

    A template is what somebody is recognised by, as :mod:`underpaint.coding.template` packs it; a picture is a file, too.
    """

    data: bytes
    kind: PayloadKind = "file"
    name: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.data, (bytes, bytearray, memoryview)) or self.kind not in get_args(PayloadKind):
            kinds = ", ".join(get_args(PayloadKind))
            raise UsageError(f"a payload is bytes, of kind {kinds}, not {type(self.data).__name__} of {self.kind}")
        object.__setattr__(self, "data", bytes(self.data))

    @classmethod
    def from_text(cls, text: str) -> Payload:
        """A text message, stored as UTF-8."""
        return cls(text.encode("utf-8"), "text")

    @property
    def text(self) -> str:
        """The message, for a payload of kind ``text``."""
        return self.data.decode("utf-8")


@dataclass(frozen=True)
class Capacity:
    """What one cover can take by one method."""

    #: Largest payload in bytes, before compression, after every overhead.
    payload_bytes: int
    #: PSNR in dB to expect of a container filled to that size.
    psnr: float


def as_image(array: object) -> Image:
    """Check that *array* is ``uint8 (H, W, 3)`` with both sides of at least 1 pixel, and return it.

    Raises:
        UsageError: it is anything else.
    """
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise UsageError(f"expected an RGB image, uint8 (H, W, 3), not {found}")
    if 0 in array.shape:
        raise UsageError("the image has no pixels")
    return array


def luma(image: Image | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the luma (ITU-R BT.601) of an RGB image, ``(H, W, 3)``, in grey levels: ``float32 (H, W)``."""
    return np.asarray(image @ _LUMA_WEIGHTS)


def as_cover(array: object) -> Image:
    """Check that *array* is an image that something can be hidden in, and return it.

    Raises:
        UsageError: it is no image, or a side is below :data:`SMALLEST_SIDE` pixels.
    """
    image = as_image(array)
    height, width, _ = image.shape
    if min(height, width) < SMALLEST_SIDE:
        raise UsageError(
            f"the picture is too small: {width}×{height}", hint=f"{SMALLEST_SIDE} pixels each way are the least"
        )
    return image


def as_bits(array: object) -> Bits:
    """Check that *array* is one-dimensional and holds only 0 and 1, and return it as ``uint8``.

    Raises:
        UsageError: it is anything else.
    """
    bits = np.asarray(array)
    if bits.ndim != 1 or bits.dtype.kind not in "uib" or (bits.size and not np.isin(bits, (0, 1)).all()):
        raise UsageError("expected a one-dimensional array of bits, each 0 or 1")
    return bits.astype(np.uint8)
