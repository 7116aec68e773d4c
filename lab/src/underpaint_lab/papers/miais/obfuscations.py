"""Image obfuscation and perceptual encryption: the methods that table V of MIAIS compares with.

Each function takes a picture, ``uint8 (H, W, 3)``, and a generator that draws its key, and returns a picture of the
same shape. With a new generator of one seed for each picture, all share a key, and a network can learn to see through
it; with one generator for all, each picture has its own key. MIAIS does not state which, nor the block sizes where a
paper has several; :func:`obfuscate` follows the paper of each method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from underpaint.embedding.lapped import dct
from underpaint.errors import UsageError
from underpaint_lab.data.camera import YCC
from underpaint_lab.noise_layers.jpeg import quantisation_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from underpaint.types import Image

    Obfuscation = Callable[[Image, np.random.Generator], Image]

Value = TypeVar("Value", np.uint8, np.float64)

#: Side of the blocks in which values are scrambled, and of the blocks that are moved as a whole, in pixels.
_SMALL, _LARGE = 4, 8
#: Rounds of the cat map, and values of the logistic map that are discarded first.
_ROUNDS, _DISCARDED = 8, 200
#: P3's threshold, in quantised coefficients, and its JPEG quality.
_THRESHOLD, _QUALITY = 10, 90
#: Offset that JPEG subtracts from luma and chroma (ITU-T T.871).
_OFFSET = np.array([128, 0, 0])


def bws(picture: Image, rng: np.random.Generator) -> Image:
    """Block-wise shuffling: permute the pixels of each 4×4 block, with another permutation for each block."""
    blocks = _blocks(picture, _SMALL)
    order = rng.permuted(np.tile(np.arange(_SMALL**2), (len(blocks), 1)), axis=1)
    return _picture(np.take_along_axis(blocks, order[..., None], axis=1), picture.shape)


def le(picture: Image, rng: np.random.Generator) -> Image:
    """Learnable encryption: invert and permute the half-bytes of each 4×4 block, with one key for all blocks.

    M. Tanaka, "Learnable Image Encryption" (ICCE-TW 2018).
    """
    return _scramble_halves(picture, *_half_keys(1, rng))


def ele(picture: Image, rng: np.random.Generator) -> Image:
    """Extended learnable encryption: as :func:`le` with a key for each block; blocks are permuted too.

    K. Madono et al., "Block-wise Scrambled Image Recognition Using Adaptation Network" (AAAI workshop 2020).
    """
    count = len(_blocks(picture, _SMALL))
    blocks = _blocks(_scramble_halves(picture, *_half_keys(count, rng)), _SMALL)
    return _picture(rng.permutation(blocks), picture.shape)


def pbie(picture: Image, rng: np.random.Generator) -> Image:
    """Pixel-based encryption: invert values at random, and permute the colours of every pixel.

    W. Sirichotedumrong, Y. Kinoshita and H. Kiya, "Pixel-Based Image Encryption Without Key Management for
    Privacy-Preserving Deep Neural Networks" (IEEE Access 2019).
    """
    inverted = np.where(rng.random(picture.shape) < 0.5, np.uint8(255) - picture, picture)
    return rng.permuted(inverted, axis=2)


def etc(picture: Image, rng: np.random.Generator) -> Image:
    """Encryption-then-compression: permute 8×8 blocks and their colours; rotate, mirror and invert blocks at random.

    T. Chuman, W. Sirichotedumrong and H. Kiya, "Encryption-Then-Compression Systems Using Grayscale-Based Image
    Encryption for JPEG Images" (IEEE TIFS 2019), section II, in colour.
    """
    blocks = _scrambled(_blocks(picture, _LARGE), rng)
    order = rng.permuted(np.tile(np.arange(3), (len(blocks), 1)), axis=1)
    return _picture(np.take_along_axis(blocks, order[:, None], axis=2), picture.shape)


def em_hog(picture: Image, rng: np.random.Generator) -> Image:
    """Encryption for histograms of oriented gradients: as :func:`etc`, of luma alone.

    M. Kitayama and H. Kiya, "HOG Feature Extraction from Encrypted Images for Privacy-Preserving Machine Learning"
    (ICCE-Asia 2019). MIAIS compares pictures, so it probably used the encrypted pictures.
    """
    luma = np.rint(picture @ YCC[0]).astype(np.uint8)[..., None].repeat(3, axis=2)
    return _picture(_scrambled(_blocks(luma, _LARGE), rng), picture.shape)


def ccm(picture: Image, rng: np.random.Generator) -> Image:
    """Cipher of chaotic maps: permute pixels by a cat map, then combine each byte with the one before (XOR).

    After X. Wang, L. Liu and Y. Zhang, "A novel chaotic block image encryption algorithm based on dynamic random growth
    technique" (Optics and Lasers in Engineering 2015), simplified: one cat map for the whole picture, and the keystream
    of a logistic map.

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
    """Privacy-preserving face recognition: combine every value with random bits by exclusive or.

    S. Ergun, "Privacy Preserving Face Recognition in Encrypted Domain" (IEEE APCCAS 2014), whose generator is a chaotic
    circuit. One key serves all pictures.
    """
    return picture ^ rng.integers(256, size=picture.shape, dtype=np.uint8)


def dio(picture: Image, _rng: np.random.Generator) -> Image:
    """P3's public part: JPEG with DC removed and coefficients of large magnitude replaced by the threshold.

    M.-R. Ra, R. Govindan and A. Ortega, "P3: Toward Privacy-Preserving Photo Sharing" (NSDI 2013), which R. McPherson,
    R. Shokri and V. Shmatikov, "Defeating Image Obfuscation with Deep Learning" (2016), attack among others. It has no
    key.
    """
    planes = picture @ YCC.T - _OFFSET
    # One matrix for both directions: (n, 64, 3) from (n, 64, 3).
    cosines = np.kron(dct(_LARGE), dct(_LARGE))
    steps = quantisation_tables(_QUALITY)[[0, 1, 1]].T
    numbers = np.rint(cosines @ _blocks(planes, _LARGE) / steps)
    public = np.where(np.abs(numbers) > _THRESHOLD, _THRESHOLD, numbers)
    public[:, 0] = 0
    values = cosines.T @ (public * steps) + _OFFSET
    rgb = np.rint(values @ np.linalg.inv(YCC).T).clip(0, 255).astype(np.uint8)
    return _picture(rgb, picture.shape)


#: All methods, by their names in table V.
OBFUSCATIONS: dict[str, Obfuscation] = {
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
#: Methods with one key for all pictures, as published; training on them needs it. DIO has no key.
SHARED_KEY_OBFUSCATIONS = {"LE", "ELE", "EM-HOG", "PPFR"}
#: The seed of that key.
_SHARED_KEY = 0


def obfuscate(way: str, pictures: Iterable[Image], rng: np.random.Generator) -> list[Image]:
    """Obfuscate pictures.

    Args:
        way: a key of :data:`OBFUSCATIONS`.
        pictures: ``uint8 (H, W, 3)`` each.
        rng: draws a key for each picture; not used by methods in :data:`SHARED_KEY_OBFUSCATIONS`.

    Raises:
        UsageError: a picture's sides do not suit the method.
    """
    shared = way in SHARED_KEY_OBFUSCATIONS
    return [OBFUSCATIONS[way](each, np.random.default_rng(_SHARED_KEY) if shared else rng) for each in pictures]


def _half_keys(count: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the XOR masks and the permutations of the half-bytes of *count* blocks, ``(count, 96)`` each."""
    halves = 2 * 3 * _SMALL**2
    masks = rng.integers(2, size=(count, halves), dtype=np.uint8) * np.uint8(15)
    return masks, rng.permuted(np.tile(np.arange(halves), (count, 1)), axis=1)


def _scramble_halves(picture: Image, masks: NDArray[np.uint8], order: NDArray[np.int64]) -> Image:
    """Invert and permute the half-bytes of each 4×4 block."""
    values = _blocks(picture, _SMALL).reshape(-1, 3 * _SMALL**2)
    halves = np.concatenate([values >> 4, values & 15], axis=1) ^ masks
    high, low = np.split(np.take_along_axis(halves, np.broadcast_to(order, halves.shape), axis=1), 2, axis=1)
    return _picture((high << 4 | low).reshape(-1, _SMALL**2, 3), picture.shape)


def _scrambled(blocks: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Permute *blocks*, ``(n, 64, 3)``; rotate, mirror and invert each at random."""
    places = np.arange(_LARGE**2).reshape(_LARGE, _LARGE)
    ways = [np.rot90(each, quarters).ravel() for each in (places, places[:, ::-1]) for quarters in range(4)]
    order = np.array(ways)[rng.integers(8, size=len(blocks)), :, None]
    inverted = rng.integers(2, size=(len(blocks), 1, 1), dtype=np.uint8) * np.uint8(255)
    scrambled: NDArray[np.uint8] = np.take_along_axis(rng.permutation(blocks), order, axis=1) ^ inverted
    return scrambled


def _logistic(start: float, count: int) -> NDArray[np.uint8]:
    """Return *count* bytes of the logistic map x → 4x(1 - x)."""
    value, found = start, []
    for _ in range(_DISCARDED + count):
        value = 4 * value * (1 - value)
        found.append(value)
    return np.floor(np.array(found[_DISCARDED:]) * 1e6).astype(np.int64).astype(np.uint8)


def _blocks(picture: NDArray[Value], side: int) -> NDArray[Value]:
    """Cut *picture* into blocks, row by row: ``(blocks, side², 3)``.

    Raises:
        UsageError: a side of the picture is no multiple of *side*.
    """
    height, width = picture.shape[:2]
    if height % side or width % side:
        raise UsageError(f"sides must be multiples of {side}, not {width}×{height}")
    return picture.reshape(height // side, side, width // side, side, 3).swapaxes(1, 2).reshape(-1, side**2, 3)


def _picture(blocks: NDArray[np.uint8], shape: tuple[int, ...]) -> Image:
    """Join *blocks* to a picture: the inverse of :func:`_blocks`."""
    side = round(blocks.shape[1] ** 0.5)
    tiles = blocks.reshape(shape[0] // side, shape[1] // side, side, side, 3)
    return np.ascontiguousarray(tiles.swapaxes(1, 2).reshape(shape))
