"""Types that several packages share, and checks of arguments at the public functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from underpaint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: One image: ``uint8 (H, W, 3)``, RGB.
Image = NDArray[np.uint8]
#: Message bits: ``uint8 (n,)``, each 0 or 1.
Bits = NDArray[np.uint8]
#: Soft bits: ``float32 (n,)``, log-likelihood ratios; positive for 1, the magnitude is the reliability.
SoftBits = NDArray[np.float32]
#: Number of least significant bits of each colour value that may carry data: ``uint8 (H, W, 3)``, 0–8.
CapacityMap = NDArray[np.uint8]

PayloadKind = Literal["text", "file", "template", "picture"]

#: Smallest side of a cover for any method, in pixels.
SMALLEST_SIDE = 32
#: PSNR in dB that may be asked of a container, for every payload and method.
MIN_PSNR, MAX_PSNR = 30.0, 60.0
#: Weights of red, green and blue in luma, ITU-R BT.601, as in every codec here.
LUMA = (0.299, 0.587, 0.114)
_LUMA_WEIGHTS = np.array(LUMA, np.float32)


#: Effort of a search for a picture that was moved; ``quick`` makes none.
Search = Literal["quick", "normal", "thorough"]


class Channel(Protocol):
    """A distortion of a container: a chain of channels, or a lossy file format."""

    @property
    def random(self) -> bool:
        """True if the result depends on the seed."""
        ...

    @property
    def moves(self) -> bool:
        """True if pixels are moved or cut off. A picture that is only resampled is found without a search."""
        ...

    def __call__(self, image: Image, seed: int, /) -> Image:
        """Return the distorted copy of *image*."""
        ...

    def __str__(self) -> str:
        """Name of the channel in messages."""
        ...


@dataclass(frozen=True)
class Payload:
    """The data to hide: bytes, their kind, and the name of the file that they come from.

    The bytes of kind ``text`` are UTF-8, those of kind ``picture`` an image file, and those of kind ``template`` a
    biometric template as :func:`underpaint.coding.template.pack` writes it.

    Raises:
        UsageError: *data* is not bytes, or *kind* is unknown.
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
        """Return a text message, stored as UTF-8."""
        return cls(text.encode("utf-8"), "text")

    @property
    def text(self) -> str:
        """The message of a payload of kind ``text``."""
        return self.data.decode("utf-8")


@dataclass(frozen=True)
class Capacity:
    """Capacity of one cover for one method."""

    #: Largest payload in bytes, before compression, after every overhead.
    payload_bytes: int
    #: Expected PSNR in dB of a container filled to that size.
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
    """Check that *array* is an image that can serve as a cover, and return it.

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


def check_psnr(psnr: float | None, lowest: float = MIN_PSNR, highest: float = MAX_PSNR) -> None:
    """Refuse a PSNR in dB that is out of range; None, for the method's own choice, is always allowed.

    Raises:
        UsageError: *psnr* is below *lowest*, above *highest*, or not a number.
    """
    if psnr is not None and not lowest <= psnr <= highest:
        hint = f"{lowest:g}–{highest:g} dB are possible"
        raise UsageError(f"a PSNR of {psnr:g} dB is out of range", hint=hint)


def strips(rows: int, size: int) -> Iterator[slice]:
    """Yield consecutive slices of *size* rows that cover *rows* rows; the last may be shorter.

    Work on one strip of a picture at a time needs little memory, whatever the picture's size.
    """
    for top in range(0, rows, size):
        yield slice(top, min(top + size, rows))
