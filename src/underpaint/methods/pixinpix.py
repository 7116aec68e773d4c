"""PixInPix: a picture in a picture of the same size, in containers that must not change afterwards.

After "PixInPix: Hidding Pixels in Pixels", anonymous submission to a workshop of ECCV 2020. For every block of 8×8 of
the secret a network chooses one of 20 kinds, and quantises the 192 values to whole numbers, with as many levels for
each as that kind has. :mod:`underpaint.embedding.residues` embeds kind and numbers in the block of the cover at the
same place::

    secret ─► resized to the cover ─► writer ─► kinds, numbers ─► residues ─► container
    revealed ◄─ resized back ◄─ reader ◄─ kinds, numbers ◄─ residues ◄─┘

The header lies in least significant bits at public places, as in :mod:`underpaint.methods.lossless`. It has the
secret's size and a digest of all numbers, so that nothing else is ever revealed.

Limits: any change of the container destroys the secret. Every value carries two to three bits, which a detector trained
on such containers finds.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image as Pillow

from underpaint import models
from underpaint.coding import frame, refusals
from underpaint.coding.frame import Header
from underpaint.coding.keys import Key
from underpaint.embedding import residues
from underpaint.embedding.residues import BLOCK, VALUES
from underpaint.errors import DamagedError, UsageError
from underpaint.media import MAX_PIXELS, Picture, decode, encode
from underpaint.methods.lossless import HeaderPlaces, has_header
from underpaint.models.session import overlapping
from underpaint.types import Capacity, Payload, as_cover, as_image, strips

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.models import Model
    from underpaint.types import Channel, Image

#: Values of a picture, or of a mask of one.
Value = TypeVar("Value", np.uint8, np.bool_)

#: Name of the method, and of the model for photographs.
NAME = "pixinpix"
#: Kinds of blocks that the network knows.
KINDS = 20
#: Header details: the secret's height and width in pixels, and the digest.
_DETAILS = struct.Struct(">HH8s")
#: Places of the header.
HEADER = HeaderPlaces(details=_DETAILS.size)
#: The longest side of a secret in pixels, which two bytes hold.
_MAX_SIDE = 0xFFFF
#: Expected PSNR of a container in dB, for photographs in photographs.
_TYPICAL_PSNR = 45.0
#: Header parameter: version of the network. One with other levels takes another number.
_NETWORK = 1
#: Rows of blocks that a network processes at once, and further rows that the reader needs on either side.
_STRIP_ROWS, _CONTEXT_ROWS = 32, 1


class PixInPix:
    """The PixInPix method, for ``hide -i --method pixinpix``."""

    name = NAME
    summary = "a picture of any size, restored approximately"
    needs_lossless = True
    default_survive = None

    def capacity(self, cover: Image) -> Capacity:
        """Return the size of a picture as large as *cover*: a byte for each of its values."""
        return Capacity(as_cover(cover).size, _TYPICAL_PSNR)

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        """Return a container of *cover* with the picture of a file, without transparency.

        Args:
            cover: ``uint8 (H, W, 3)``, at least 32×32.
            payload: an image file, of kind ``picture``.
            passphrase: needed to reveal; None lets anybody reveal.
            psnr: must be None, since the secret decides the PSNR.
            survive: must be None, since the container must not change.

        Raises:
            UsageError: the payload is no picture, or a PSNR or a channel is requested.
            ImageError: its file cannot be read.
            ModelError: the network is missing or altered.
        """
        if payload.kind != "picture":
            raise UsageError(f"{NAME} hides pictures", hint="hide a file or a message by another method")
        if psnr is not None or survive is not None:
            raise UsageError(
                f"{NAME} has no quality or survival setting",
                hint="the hidden picture decides the quality, and only an unaltered container survives",
            )
        return self.embed_image(cover, decode(payload.data).pixels, passphrase)

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return True if *image* has a header of this method."""
        return holds(image, passphrase)

    def p_value(self, image: Image, passphrase: str | None) -> float:
        """Return the probability that other bits than a header pass for one of this method, or 1 if there is none."""
        return frame.HEAD_FALSE_POSITIVE_RATE if self.holds(image, passphrase) else 1.0

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the picture in *container* as the bytes of a PNG file.

        Raises:
            NotFoundError, DamagedError, ModelError: as for :func:`reveal`.
        """
        return Payload(encode(Picture(self.extract_image(container, passphrase)), "png"), "picture")

    def embed_image(self, cover: Image, secret: Image, passphrase: str | None) -> Image:
        """Return a container, as :func:`hide` says."""
        return hide(cover, secret, passphrase)

    def extract_image(self, container: Image, passphrase: str | None) -> Image:
        """Return the secret, as :func:`reveal` says."""
        return reveal(container, passphrase)


def hide(cover: Image, secret: Image, passphrase: str | None = None, *, model: Model | None = None) -> Image:
    """Return a container of *cover* with the picture *secret*.

    Args:
        cover: ``uint8 (H, W, 3)``, at least 32×32.
        secret: ``uint8 (h, w, 3)``, of any size up to 65,535 each way; it is resized to the cover.
        passphrase: needed to reveal; None lets anybody reveal.
        model: the model ``pixinpix`` unless another is given.

    Raises:
        UsageError: either is no such picture.
        ModelError: the network is missing or altered.
    """
    cover, secret = as_cover(cover), as_image(secret)
    if max(secret.shape[:2]) > _MAX_SIDE:
        raise UsageError(f"the secret is too large: {_MAX_SIDE} pixels each way are the most")
    model = model or models.load(NAME)
    salt = frame.new_salt()
    key = Key.derive(passphrase, salt)
    numbers, kinds = quantise(_resized(secret, *_sides(cover)), model)
    container, free = cover.copy(), blocks_of(_free(cover))
    put_blocks(container, residues.embed(blocks_of(cover), numbers, kinds, levels_of(model), free, key))
    height, width = secret.shape[:2]
    header = Header(_NETWORK, 0, _DETAILS.pack(height, width, _digest(numbers, kinds, key)))
    HEADER.embed(cover, container, frame.seal_head(header, key, salt, NAME), key, "matching")
    return container


def reveal(container: Image, passphrase: str | None = None, *, model: Model | None = None) -> Image:
    """Return the picture in *container*, restored approximately, in its original size.

    Args:
        container: ``uint8 (H, W, 3)``.
        passphrase: the sender's.
        model: the model ``pixinpix`` unless another is given.

    Raises:
        NotFoundError: there is none, or it takes another passphrase.
        DamagedError: the container was altered, the secret is larger than any picture that is read, or a newer
            network made it.
        ModelError: the network is missing or altered.
    """
    header, key = HEADER.open(as_image(container), passphrase, NAME)
    if header.parameter != _NETWORK:
        raise refusals.newer()
    model = model or models.load(NAME)
    height, width, digest = _DETAILS.unpack(header.details)
    if not 0 < height * width <= MAX_PIXELS:
        raise DamagedError(f"the hidden picture claims to have {width}×{height} pixels")
    numbers, kinds = residues.extract(blocks_of(container), levels_of(model), blocks_of(_free(container)), key)
    if not hmac.compare_digest(digest, _digest(numbers, kinds, key)):
        raise DamagedError("the hidden picture was altered", hint="only an exact copy of the container will do")
    return _resized(dequantise(numbers, kinds, _sides(container), model), height, width)


def holds(image: Image, passphrase: str | None = None) -> bool:
    """Return True if *image* has a header of this method."""
    return has_header(HEADER, as_image(image), passphrase, NAME)


def blocks_of(image: NDArray[Value]) -> NDArray[Value]:
    """Return the whole blocks of an image, ``(H, W, 3)``, row by row, ``(N, 192)``: row, column, channel."""
    height, width = (side // BLOCK for side in image.shape[:2])
    cut = image[: height * BLOCK, : width * BLOCK].reshape(height, BLOCK, width, BLOCK, 3)
    return cut.swapaxes(1, 2).reshape(-1, VALUES)


def put_blocks(image: Image, blocks: NDArray[np.uint8]) -> None:
    """Write *blocks*, in the order of :func:`blocks_of`, into *image*."""
    height, width = _sides(image)
    cut = blocks.reshape(height // BLOCK, width // BLOCK, BLOCK, BLOCK, 3).swapaxes(1, 2)
    image[:height, :width] = cut.reshape(height, width, 3)


def levels_of(model: Model) -> NDArray[np.int64]:
    """Return the number of levels of each number by kind, ``(20, 192)``."""
    levels: NDArray[np.float32] = model.graphs["levels"].run({"kinds": np.arange(KINDS, dtype=np.float32)})["levels"]
    return np.rint(levels).astype(np.int64)


def quantise(secret: Image, model: Model) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers, ``(N, 192)``, and kinds, ``(N,)``, of a picture whose sides are multiples of 8."""
    numbers, kinds = [], []
    for rows in strips(len(secret), _STRIP_ROWS * BLOCK):
        strip = secret[rows].transpose(2, 0, 1)[None].astype(np.float32)
        outputs = model.graphs["writer"].run({"secret": strip})
        numbers.append(np.rint(outputs["numbers"][0]).astype(np.int64).reshape(VALUES, -1).T)
        kinds.append(np.rint(outputs["kinds"][0]).astype(np.int64).reshape(-1))
    return np.concatenate(numbers), np.concatenate(kinds)


def dequantise(numbers: NDArray[np.int64], kinds: NDArray[np.int64], sides: tuple[int, int], model: Model) -> Image:
    """Return the picture, ``uint8 (*sides, 3)``, of *numbers*, ``(N, 192)``, and *kinds*, ``(N,)``."""
    down, across = (side // BLOCK for side in sides)
    planes = numbers.T.reshape(1, VALUES, down, across).astype(np.float32)
    maps = kinds.reshape(1, down, across).astype(np.float32)
    picture = np.empty((*sides, 3), np.uint8)
    for rows, inner in overlapping(down, _STRIP_ROWS, _CONTEXT_ROWS):
        inputs = {"numbers": np.ascontiguousarray(planes[:, :, rows]), "kinds": np.ascontiguousarray(maps[:, rows])}
        output = model.graphs["reader"].run(inputs)["secret"][0].transpose(1, 2, 0)
        strip = output[inner.start * BLOCK : inner.stop * BLOCK]
        top = (rows.start + inner.start) * BLOCK
        picture[top : top + len(strip)] = np.rint(strip).clip(0, 255)
    return picture


def _free(image: Image) -> NDArray[np.bool_]:
    """Return True for the values of an image, of its shape, that the header leaves free."""
    return HEADER.free(image.size).reshape(image.shape)


def _sides(image: Image) -> tuple[int, int]:
    """Return the height and width in pixels of the whole blocks."""
    height, width = (side // BLOCK * BLOCK for side in image.shape[:2])
    return height, width


def _resized(image: Image, height: int, width: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.LANCZOS))


def _digest(numbers: NDArray[np.int64], kinds: NDArray[np.int64], key: Key) -> bytes:
    data = numbers.astype("<u2").tobytes() + kinds.astype("u1").tobytes()
    return hashlib.blake2b(data, key=key.subkey("numbers"), digest_size=8).digest()
