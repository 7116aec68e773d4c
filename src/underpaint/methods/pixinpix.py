"""A picture in a picture of the same size, for containers that stay exactly as they are.

After "PixInPix: Hidding Pixels in Pixels", anonymous submission to a workshop of ECCV 2020. A network says of every
block of 8×8 of the secret of which kind it is, and makes whole numbers of its 192 values, as many levels for each as
that kind has. The block of the cover at the same place takes them up as residues::

    secret ─► fitted to the cover ─► writer ─► kind, numbers ─► residues ─► container
    revealed ◄─ brought to its shape ◄─ reader ◄─ kind, numbers ◄─ residues ◄─┘

The numbers of a block are packed in sixteen groups; each group is one large number, whose digits go to some values of
the block. A value takes the nearest level that leaves its digit, with a keyed number added, when divided by its period;
periods are nearly alike within a group, as that costs least. The head lies in lowest bits at public places, as in
:mod:`underpaint.methods.lossless`; it has the secret's shape, and a digest of all numbers, so that nothing else is ever revealed.

Limits: any change to the container destroys the secret. Two to three bits lie in every value, which is not to be hidden
from a detector that was trained on such containers.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image as Pillow

from underpaint import models
from underpaint.coding import frame, refusals
from underpaint.coding.frame import Header
from underpaint.coding.keys import Key
from underpaint.embedding import bit_planes
from underpaint.errors import DamagedError, ModelError, NotFoundError, PayloadError, UsageError
from underpaint.media import MAX_PIXELS, Picture, decode, encode
from underpaint.methods.lossless import HeaderPlaces
from underpaint.types import SMALLEST_SIDE, Capacity, Payload, as_cover, as_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.models import Model
    from underpaint.types import Channel, Image

#: What a picture, or a mask of one, is made of.
Value = TypeVar("Value", np.uint8, np.bool_)

#: Name of the method, and of the model for photographs.
NAME = "pixinpix"
#: Side of a block, and values in it.
BLOCK = 8
VALUES = 3 * BLOCK * BLOCK
#: Kinds of blocks that the network knows.
KINDS = 20
#: Groups that the numbers of a block are packed in. Part of the format, as what follows.
_GROUPS = 16
#: The first values of a block have its kind, with this period.
_KIND_VALUES, _KIND_PERIOD = 3, 4
#: What one large number stays below, so that 64 bits hold whatever is computed with it.
_LARGEST = 1 << 62
#: The secret's height and width, and the digest.
_DETAILS = struct.Struct(">HH8s")
#: The longest side of a secret, which two bytes hold.
_LONGEST = 0xFFFF
_HEAD = HeaderPlaces(details=_DETAILS.size)
#: What containers come to, in dB: photographs in photographs that it was trained on.
_TYPICAL = 45.0
#: Which network made it: another one, of other levels, takes another number.
_NETWORK = 1
#: Rows of blocks that are worked on at once, and how many more the reader sees.
_ROWS, _BEYOND = 32, 1


class PixInPix:
    """What ``hide -i --method pixinpix`` takes; a :class:`~underpaint.methods.Method` and an image carrier."""

    name = NAME
    summary = "a picture of any size, which comes back nearly as it was"
    needs_lossless = True
    default_survive = None

    def capacity(self, cover: Image) -> Capacity:
        """A picture as large as *cover*, each of its values a byte."""
        return Capacity(as_cover(cover).size, _TYPICAL)

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        """Return a container of *cover* that holds the picture of a file, less its transparency.

        Raises:
            UsageError: the payload is no picture, or a quality or a channel is asked for.
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
        """Return whether *image* has a head of this method."""
        return holds(image, passphrase)

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the picture in *container* as the bytes of a PNG file.

        Raises:
            NotFoundError, DamagedError, ModelError: as of :func:`reveal`.
        """
        return Payload(encode(Picture(self.extract_image(container, passphrase)), "png"), "picture")

    def embed_image(self, cover: Image, secret: Image, passphrase: str | None) -> Image:
        """As :func:`hide`."""
        return hide(cover, secret, passphrase)

    def extract_image(self, container: Image, passphrase: str | None) -> Image:
        """As :func:`reveal`."""
        return reveal(container, passphrase)


def hide(cover: Image, secret: Image, passphrase: str | None = None, *, model: Model | None = None) -> Image:
    """Return a container of *cover* that holds *secret*, as good as may be.

    Args:
        cover: ``uint8 (H, W, 3)``, both sides at least 32.
        secret: of any shape; it is brought to that of the cover.
        passphrase: without one anybody can reveal it.
        model: by default that of the zoo.

    Raises:
        UsageError: either is no such picture.
        ModelError: the network is missing or altered.
    """
    cover, secret = as_cover(cover), as_image(secret)
    if max(secret.shape[:2]) > _LONGEST:
        raise UsageError(f"the secret is too large: {_LONGEST} pixels each way are the most")
    model = model or models.load(NAME)
    salt = frame.new_salt()
    key = Key.derive(passphrase, salt)
    numbers, kinds = written(_resized(secret, *_sides(cover)), model)
    container = cover.copy()
    put(container, packed(blocks_of(cover), numbers, kinds, levels_of(model), blocks_of(_free(cover)), key))
    height, width = secret.shape[:2]
    header = Header(_NETWORK, 0, _DETAILS.pack(height, width, _digest(numbers, kinds, key)))
    bits = np.unpackbits(np.frombuffer(frame.seal_head(header, key, salt, NAME), np.uint8))
    at = _HEAD.places(cover.size)
    coins = np.unpackbits(key.stream("head coins", -(-bits.size // 8)))[: bits.size]
    container.reshape(-1)[at] = bit_planes.place(cover.reshape(-1)[at], bits, np.ones_like(bits), coins)
    return container


def reveal(container: Image, passphrase: str | None = None, *, model: Model | None = None) -> Image:
    """Return the picture in *container*, in the shape that it had.

    Raises:
        NotFoundError: there is none, or it takes another passphrase.
        DamagedError: the container was altered, the secret is larger than any picture that is read, or a newer
            network made it.
        ModelError: the network is missing or altered.
    """
    header, key = _open(as_image(container), passphrase)
    if header.parameter != _NETWORK:
        raise refusals.newer()
    model = model or models.load(NAME)
    height, width, digest = _DETAILS.unpack(header.details)
    if not 0 < height * width <= MAX_PIXELS:
        raise DamagedError(f"the hidden picture claims to have {width}×{height} pixels")
    numbers, kinds = unpacked(blocks_of(container), levels_of(model), blocks_of(_free(container)), key)
    if not hmac.compare_digest(digest, _digest(numbers, kinds, key)):
        raise DamagedError("the hidden picture was altered", hint="only an exact copy of the container will do")
    return _resized(drawn(numbers, kinds, _sides(container), model), height, width)


def holds(image: Image, passphrase: str | None = None) -> bool:
    """Return whether *image* has a head of this method."""
    try:
        _open(as_image(image), passphrase)
    except PayloadError as error:
        return not isinstance(error, NotFoundError)
    return True


def packed(
    values: NDArray[np.uint8],
    numbers: NDArray[np.int64],
    kinds: NDArray[np.int64],
    levels: NDArray[np.int64],
    free: NDArray[np.bool_],
    key: Key,
) -> NDArray[np.uint8]:
    """Return *values* of blocks, ``(N, 192)``, nearest to which leave the *numbers* of that shape.

    Args:
        values: of the cover.
        numbers: each 0 … its levels - 1.
        kinds: of each block, ``(N,)``.
        levels: of each number by kind, ``(K, 192)``, at least 1.
        free: which values may change, of the shape of *values*; in each block 128 or more.
        key: makes residues look random.

    Raises:
        ModelError: there are too many levels, or kinds.
    """
    periods, residues = np.ones(values.shape, np.int64), np.zeros(values.shape, np.int64)
    for rows, places, kind in _alike(free, kinds):
        layout = _layout(tuple(levels[kind].tolist()), len(places) - _KIND_VALUES)
        told = kind // _KIND_PERIOD ** np.arange(_KIND_VALUES) % _KIND_PERIOD
        at = np.ix_(rows, places)
        periods[at] = np.concatenate([np.full(_KIND_VALUES, _KIND_PERIOD), layout.periods])
        digits = layout.digits(numbers[rows])
        residues[at] = np.concatenate([np.broadcast_to(told, (len(rows), _KIND_VALUES)), digits], axis=1)
    before = values.astype(np.int64)
    up = (residues + _pad(values.shape, key) - before) % periods
    down = up - periods
    # Ties fall by the value's own lowest bit, which is as good as a coin.
    rise = (2 * up < periods + before % 2) & (before + up <= 255) | (before + down < 0)
    return np.where(rise | (up == 0), before + up, before + down).astype(np.uint8)


def unpacked(
    values: NDArray[np.uint8], levels: NDArray[np.int64], free: NDArray[np.bool_], key: Key
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers and kinds that :func:`packed` wrote; of anything else, some that might have been."""
    shown = values.astype(np.int64) - _pad(values.shape, key)
    first = np.argsort(~free, axis=1, kind="stable")[:, :_KIND_VALUES]
    told = np.take_along_axis(shown, first, axis=1) % _KIND_PERIOD
    kinds = np.minimum(told @ _KIND_PERIOD ** np.arange(_KIND_VALUES), len(levels) - 1)
    numbers = np.zeros(values.shape, np.int64)
    for rows, places, kind in _alike(free, kinds):
        layout = _layout(tuple(levels[kind].tolist()), len(places) - _KIND_VALUES)
        numbers[rows] = layout.numbers(shown[np.ix_(rows, places[_KIND_VALUES:])] % layout.periods)
    return numbers, kinds


@dataclass(frozen=True, eq=False)
class _Layout:
    """How the numbers of one kind of block lie in its values: each group's as the digits of one large number."""

    #: Of each of the 192 numbers: its group, what it counts in the group's large number, and its levels.
    group: NDArray[np.int64]
    weight: NDArray[np.int64]
    levels: NDArray[np.int64]
    #: Of each value: its group, what its digit counts, and its period.
    of: NDArray[np.int64]
    counts: NDArray[np.int64]
    periods: NDArray[np.int64]

    def digits(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """What values take of *numbers*, ``(N, 192)``."""
        return _sums(numbers * self.weight, self.group)[:, self.of] // self.counts % self.periods

    def numbers(self, digits: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers of which values have those *digits*."""
        found: NDArray[np.int64] = _sums(digits * self.counts, self.of)[:, self.group] // self.weight % self.levels
        return found


@cache
def _layout(levels: tuple[int, ...], room: int) -> _Layout:
    """The layout of numbers with so many *levels*, in blocks with *room* for digits.

    Raises:
        ModelError: they do not fit.
    """
    group, weight = np.zeros(VALUES, np.int64), np.ones(VALUES, np.int64)
    sizes = [1] * _GROUPS
    # The largest first, back and forth over the groups, so that these come out nearly alike.
    for place, number in enumerate(np.argsort([-each for each in levels], kind="stable").tolist()):
        lap, step = divmod(place, _GROUPS)
        chosen = step if lap % 2 == 0 else _GROUPS - 1 - step
        group[number], weight[number] = chosen, min(sizes[chosen], _LARGEST)
        sizes[chosen] *= levels[number]
    if max(sizes) >= _LARGEST or room < 2 * _GROUPS:
        raise ModelError("the network wants more levels than a block can take")
    counts, of, periods = [], [], []
    for rank, chosen in enumerate(sorted(range(_GROUPS), key=lambda each: -sizes[each])):
        count = 1
        for period in _periods(sizes[chosen], room // _GROUPS + (rank < room % _GROUPS)):
            of.append(chosen)
            counts.append(count)
            periods.append(period)
            count *= period
    of_, counts_, periods_ = (np.array(each, np.int64) for each in (of, counts, periods))
    return _Layout(group, weight, np.array(levels, np.int64), of_, counts_, periods_)


def _periods(size: int, values: int) -> list[int]:
    """Periods of so many *values* that have room for *size*, no two further apart than 1, and no more than it takes."""
    period = next(each for each in range(1, 256) if each**values >= size)
    large = next(many for many in range(values + 1) if period**many * (period - 1) ** (values - many) >= size)
    return [period] * large + [period - 1] * (values - large)


def _sums(values: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sums of *values*, ``(N, n)``, by group, ``(N, groups)``."""
    return np.stack([values[:, groups == each].sum(axis=1) for each in range(_GROUPS)], axis=1)


def _alike(free: NDArray[np.bool_], kinds: NDArray[np.int64]) -> list[tuple[NDArray[np.intp], NDArray[np.intp], int]]:
    """Blocks with the same free values and of the same kind: their rows, those values, that kind."""
    found: dict[tuple[bytes, int], list[int]] = {}
    for row, (mask, kind) in enumerate(zip(np.packbits(free, axis=1), kinds.tolist(), strict=True)):
        found.setdefault((mask.tobytes(), kind), []).append(row)
    return [(np.array(rows), np.flatnonzero(free[rows[0]]), kind) for (_, kind), rows in found.items()]


def _pad(shape: tuple[int, ...], key: Key) -> NDArray[np.int64]:
    """What is added to residues; of twice as many bits as the largest period has, so that no residue is likelier."""
    return key.words("residues", int(np.prod(shape))).reshape(shape).astype(np.int64)


def _digest(numbers: NDArray[np.int64], kinds: NDArray[np.int64], key: Key) -> bytes:
    data = numbers.astype("<u2").tobytes() + kinds.astype("u1").tobytes()
    return hashlib.blake2b(data, key=key.subkey("numbers"), digest_size=8).digest()


def _open(image: Image, passphrase: str | None) -> tuple[Header, Key]:
    if min(image.shape[:2]) < SMALLEST_SIDE:
        raise refusals.not_found()
    return frame.open_head(_HEAD.read(image), passphrase, NAME)


def _free(image: Image) -> NDArray[np.bool_]:
    """Which values of a picture the head leaves free, of its shape."""
    free = np.ones(image.shape, bool)
    free.reshape(-1)[_HEAD.places(image.size)] = False
    return free


def _sides(image: Image) -> tuple[int, int]:
    """Height and width of what blocks cover."""
    height, width = (side // BLOCK * BLOCK for side in image.shape[:2])
    return height, width


def blocks_of(image: NDArray[Value]) -> NDArray[Value]:
    """The blocks of a picture, row by row, ``(N, 192)``: row, column, channel."""
    height, width = (side // BLOCK for side in image.shape[:2])
    cut = image[: height * BLOCK, : width * BLOCK].reshape(height, BLOCK, width, BLOCK, 3)
    return cut.swapaxes(1, 2).reshape(-1, VALUES)


def put(image: Image, blocks: NDArray[np.uint8]) -> None:
    """Write *blocks* into *image*, as :func:`blocks_of` takes them out."""
    height, width = _sides(image)
    cut = blocks.reshape(height // BLOCK, width // BLOCK, BLOCK, BLOCK, 3).swapaxes(1, 2)
    image[:height, :width] = cut.reshape(height, width, 3)


def _resized(image: Image, height: int, width: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.LANCZOS))


def levels_of(model: Model) -> NDArray[np.int64]:
    """How many levels each number has, by kind, ``(K, 192)``."""
    found: NDArray[np.float32] = model.graphs["levels"].run({"kinds": np.arange(KINDS, dtype=np.float32)})["levels"]
    return np.rint(found).astype(np.int64)


def written(secret: Image, model: Model) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers, ``(N, 192)``, and kinds, ``(N,)``, of a picture whose sides are multiples of 8."""
    numbers, kinds = [], []
    for top in range(0, len(secret), _ROWS * BLOCK):
        part = secret[top : top + _ROWS * BLOCK].transpose(2, 0, 1)[None].astype(np.float32)
        found = model.graphs["writer"].run({"secret": part})
        numbers.append(np.rint(found["numbers"][0]).astype(np.int64).reshape(VALUES, -1).T)
        kinds.append(np.rint(found["kinds"][0]).astype(np.int64).reshape(-1))
    return np.concatenate(numbers), np.concatenate(kinds)


def drawn(numbers: NDArray[np.int64], kinds: NDArray[np.int64], sides: tuple[int, int], model: Model) -> Image:
    """The picture of those numbers, ``(H, W, 3)``."""
    down, across = (side // BLOCK for side in sides)
    planes = numbers.T.reshape(1, VALUES, down, across).astype(np.float32)
    told = kinds.reshape(1, down, across).astype(np.float32)
    picture = np.empty((*sides, 3), np.uint8)
    for top in range(0, down, _ROWS):
        first = max(0, top - _BEYOND)
        rows = slice(first, top + _ROWS + _BEYOND)
        inputs = {"numbers": np.ascontiguousarray(planes[:, :, rows]), "kinds": np.ascontiguousarray(told[:, rows])}
        found = model.graphs["reader"].run(inputs)["secret"][0].transpose(1, 2, 0)
        inner = found[(top - first) * BLOCK :][: _ROWS * BLOCK]
        picture[top * BLOCK : (top + _ROWS) * BLOCK] = np.rint(inner).clip(0, 255)
    return picture
