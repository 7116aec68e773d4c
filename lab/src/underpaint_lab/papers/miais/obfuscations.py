"""Pictures that hide what they show from the eye, but not from a network: what table V of MIAIS compares with.

Each way takes a picture, ``uint8 (H, W, 3)``, and a generator for its key, and returns one of the same shape. With a
generator of one seed for all pictures they share a key, and a network can learn around it; with one that goes on, each
has its own. Which it was, and block sizes where a paper has several, MIAIS does not say; :func:`obscured` does as the
way's own paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from underpaint.errors import UsageError
from underpaint_lab.noise_layers.jpeg import quantisation_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from underpaint.types import Image

    Way = Callable[[Image, np.random.Generator], Image]

Value = TypeVar("Value", np.uint8, np.float64)

#: Sides of blocks: where values are scrambled, and where blocks are.
_SMALL, _LARGE = 4, 8
#: Rounds of the cat map, and values of the logistic map that are passed over.
_ROUNDS, _PASSED = 8, 200
#: P3's threshold, in quantised coefficients, and the quality of its JPEG.
_THRESHOLD, _QUALITY = 10, 90
#: Luma and two colours by RGB, and what JPEG takes off: ITU-T T.871.
_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_MIDDLE = np.array([128, 0, 0])


def bws(picture: Image, rng: np.random.Generator) -> Image:
    """Block-wise shuffling: the pixels of each 4×4 block change places, in each block otherwise."""
    blocks = _blocks(picture, _SMALL)
    order = rng.permuted(np.tile(np.arange(_SMALL**2), (len(blocks), 1)), axis=1)
    return _picture(np.take_along_axis(blocks, order[..., None], axis=1), picture.shape)


def le(picture: Image, rng: np.random.Generator) -> Image:
    """Learnable encryption: half-bytes of each 4×4 block are inverted and change places, in all blocks alike.

    M. Tanaka, "Learnable Image Encryption" (ICCE-TW 2018).
    """
    return _halves_turned(picture, *_half_keys(1, rng))


def ele(picture: Image, rng: np.random.Generator) -> Image:
    """Extended learnable encryption: as :func:`le`, with a key for each block, and blocks change places too.

    K. Madono et al., "Block-wise Scrambled Image Recognition Using Adaptation Network" (AAAI workshop 2020).
    """
    count = len(_blocks(picture, _SMALL))
    blocks = _blocks(_halves_turned(picture, *_half_keys(count, rng)), _SMALL)
    return _picture(rng.permutation(blocks), picture.shape)


def pbie(picture: Image, rng: np.random.Generator) -> Image:
    """Pixel-based encryption: every value is inverted or not, and the colours of every pixel change places.

    W. Sirichotedumrong, Y. Kinoshita and H. Kiya, "Pixel-Based Image Encryption Without Key Management for
    Privacy-Preserving Deep Neural Networks" (IEEE Access 2019).
    """
    inverted = np.where(rng.random(picture.shape) < 0.5, np.uint8(255) - picture, picture)
    return rng.permuted(inverted, axis=2)


def etc(picture: Image, rng: np.random.Generator) -> Image:
    """Encryption-then-compression: 8×8 blocks change places, are turned, mirrored, inverted; colours change places.

    T. Chuman, W. Sirichotedumrong and H. Kiya, "Encryption-Then-Compression Systems Using Grayscale-Based Image
    Encryption for JPEG Images" (IEEE TIFS 2019), section II, in colour.
    """
    blocks = _scrambled(_blocks(picture, _LARGE), rng)
    order = rng.permuted(np.tile(np.arange(3), (len(blocks), 1)), axis=1)
    return _picture(np.take_along_axis(blocks, order[:, None], axis=2), picture.shape)


def em_hog(picture: Image, rng: np.random.Generator) -> Image:
    """As :func:`etc`, of luma alone: what histograms of oriented gradients are computed from.

    M. Kitayama and H. Kiya, "HOG Feature Extraction from Encrypted Images for Privacy-Preserving Machine Learning"
    (ICCE-Asia 2019). MIAIS compares pictures, so it must have used the encrypted ones.
    """
    luma = np.rint(picture @ _YCC[0]).astype(np.uint8)[..., None].repeat(3, axis=2)
    return _picture(_scrambled(_blocks(luma, _LARGE), rng), picture.shape)


def ccm(picture: Image, rng: np.random.Generator) -> Image:
    """A cipher of chaotic maps: pixels change places by a cat map, then each byte depends on the one before.

    After X. Wang, L. Liu and Y. Zhang, "A novel chaotic block image encryption algorithm based on dynamic random growth
    technique" (Optics and Lasers in Engineering 2015). A stand-in: the cat map is one for the whole picture, and the
    keystream is a logistic map's.

    Raises:
        UsageError: the picture is not square.
    """
    side = picture.shape[0]
    if picture.shape[1] != side:
        raise UsageError(f"a cat map needs a square, not {picture.shape[1]}×{side}")
    p, q = rng.integers(1, side, 2)
    rows, columns = np.indices((side, side))
    for _ in range(_ROUNDS):
        rows, columns = (rows + p * columns) % side, (q * rows + (p * q + 1) * columns) % side
    placed = np.empty_like(picture)
    placed[rows, columns] = picture
    stream = _logistic(rng.uniform(0.1, 0.9), picture.size)
    return np.bitwise_xor.accumulate(placed.ravel() ^ stream).reshape(picture.shape)


def ppfr(picture: Image, rng: np.random.Generator) -> Image:
    """Every value is combined with the bits of a random generator by exclusive or.

    S. Ergun, "Privacy Preserving Face Recognition in Encrypted Domain" (IEEE APCCAS 2014), whose generator is a chaotic
    circuit. It works with one key for all pictures.
    """
    return picture ^ rng.integers(256, size=picture.shape, dtype=np.uint8)


def dio(picture: Image, _rng: np.random.Generator) -> Image:
    """P3's public part: JPEG without means, and with large coefficients cut to the threshold, whatever their sign.

    M.-R. Ra, R. Govindan and A. Ortega, "P3: Toward Privacy-Preserving Photo Sharing" (NSDI 2013), which R. McPherson,
    R. Shokri and V. Shmatikov, "Defeating Image Obfuscation with Deep Learning" (2016), attack among others. There is
    no key in it.
    """
    planes = picture @ _YCC.T - _MIDDLE
    # One matrix for both directions: (n, 64, 3) from (n, 64, 3).
    cosines = np.kron(_cosines(), _cosines())
    steps = quantisation_tables(_QUALITY)[[0, 1, 1]].T
    numbers = np.rint(cosines @ _blocks(planes, _LARGE) / steps)
    public = np.where(np.abs(numbers) > _THRESHOLD, _THRESHOLD, numbers)
    public[:, 0] = 0
    values = cosines.T @ (public * steps) + _MIDDLE
    rgb = np.rint(values @ np.linalg.inv(_YCC).T).clip(0, 255).astype(np.uint8)
    return _picture(rgb, picture.shape)


#: Every way, by the name that it has in table V.
OBFUSCATIONS: dict[str, Way] = {
    "CCM": ccm,
    "LE": le,
    "PBIE": pbie,
    "EtC": etc,
    "ELE": ele,
    "EM-HOG": em_hog,
    "DIO": dio,
    "PPFR": ppfr,
    "BWS": bws,
}
#: Ways with one key for all pictures: as published, what learns from them needs it. DIO has none.
SHARED_KEY_OBFUSCATIONS = {"LE", "ELE", "EM-HOG", "PPFR"}
#: The seed of that key.
_SHARED_KEY = 0


def obfuscate(way: str, pictures: Iterable[Image], rng: np.random.Generator) -> list[Image]:
    """Each of *pictures* as of a *way* in :data:`OBSCURED`: by a key that *rng* draws for it, or by the shared one."""
    shared = way in SHARED_KEY_OBFUSCATIONS
    return [OBFUSCATIONS[way](each, np.random.default_rng(_SHARED_KEY) if shared else rng) for each in pictures]


def _half_keys(count: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """What turns half-bytes of *count* blocks, by exclusive or, and where each comes from: ``(count, 96)``."""
    halves = 2 * 3 * _SMALL**2
    masks = rng.integers(2, size=(count, halves), dtype=np.uint8) * np.uint8(15)
    return masks, rng.permuted(np.tile(np.arange(halves), (count, 1)), axis=1)


def _halves_turned(picture: Image, masks: NDArray[np.uint8], order: NDArray[np.int64]) -> Image:
    """*picture* with the half-bytes of each 4×4 block inverted and in another order."""
    values = _blocks(picture, _SMALL).reshape(-1, 3 * _SMALL**2)
    halves = np.concatenate([values >> 4, values & 15], axis=1) ^ masks
    high, low = np.split(np.take_along_axis(halves, np.broadcast_to(order, halves.shape), axis=1), 2, axis=1)
    return _picture((high << 4 | low).reshape(-1, _SMALL**2, 3), picture.shape)


def _scrambled(blocks: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """*blocks*, ``(n, 64, 3)``, in another order, each turned, mirrored and inverted or not."""
    places = np.arange(_LARGE**2).reshape(_LARGE, _LARGE)
    ways = [np.rot90(each, quarters).ravel() for each in (places, places[:, ::-1]) for quarters in range(4)]
    turned = np.array(ways)[rng.integers(8, size=len(blocks)), :, None]
    inverted = rng.integers(2, size=(len(blocks), 1, 1), dtype=np.uint8) * np.uint8(255)
    scrambled: NDArray[np.uint8] = np.take_along_axis(rng.permutation(blocks), turned, axis=1) ^ inverted
    return scrambled


def _logistic(start: float, count: int) -> NDArray[np.uint8]:
    """Bytes of the logistic map x → 4x(1 - x)."""
    value, found = start, []
    for _ in range(_PASSED + count):
        value = 4 * value * (1 - value)
        found.append(value)
    return np.floor(np.array(found[_PASSED:]) * 1e6).astype(np.int64).astype(np.uint8)


def _cosines() -> NDArray[np.float64]:
    """The orthonormal cosine transform of 8 values, ``(8, 8)``."""
    place = np.arange(_LARGE)
    waves: NDArray[np.float64] = np.cos(np.pi * (2 * place + 1) * place[:, None] / (2 * _LARGE)) * np.sqrt(2 / _LARGE)
    waves[0] /= np.sqrt(2)
    return waves


def _blocks(picture: NDArray[Value], side: int) -> NDArray[Value]:
    """*picture* as blocks of *side*, row by row: ``(blocks, side², 3)``.

    Raises:
        UsageError: it does not consist of such.
    """
    height, width = picture.shape[:2]
    if height % side or width % side:
        raise UsageError(f"sides must be multiples of {side}, not {width}×{height}")
    return picture.reshape(height // side, side, width // side, side, 3).swapaxes(1, 2).reshape(-1, side**2, 3)


def _picture(blocks: NDArray[np.uint8], shape: tuple[int, ...]) -> Image:
    """What :func:`_blocks` made *blocks* of."""
    side = round(blocks.shape[1] ** 0.5)
    tiles = blocks.reshape(shape[0] // side, shape[1] // side, side, side, 3)
    return np.ascontiguousarray(tiles.swapaxes(1, 2).reshape(shape))
