"""Biometric templates: cosine similarity, cancelable rotation by a key, and packing into bytes.

A template is 64 real numbers that identify a face (:mod:`underpaint.models.face` computes them)::

    template ─┬─► rotate by a key ─► the method ``miais`` embeds the numbers
              └─► pack: 48 or 96 bytes ─► any method embeds the bytes

Two templates of one person have a high cosine similarity. A rotation keeps the similarity of templates that were
rotated by the same key and label, and makes all others as dissimilar as random vectors (cancelable biometrics).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from underpaint.errors import DamagedError

if TYPE_CHECKING:
    from underpaint.coding.keys import Key

#: ``float32 (64,)``.
Template = NDArray[np.float32]

# All constants below are part of the container format.

#: Numbers of a template. Their mean square is 1.
NUMBERS = 64
#: Bits per number in a packed template: high precision (96 bytes) and low precision (48 bytes).
FINE, COARSE = 12, 6
#: Packing clips numbers to ±4.
_CLIP = 4.0
#: Rounds of random signs and Hadamard's matrix in a rotation.
_ROTATION_ROUNDS = 3


def cosine_similarity(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return the cosine similarity of two templates: 1 for equal ones, about 0 for those of two people.

    Args:
        one: ``(64,)``.
        other: ``(64,)``.

    Returns:
        −1 to 1; 0 if one of them is all zeros.
    """
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9))


def rotate(numbers: Template, key: Key, label: str) -> Template:
    """Return *numbers* times the orthogonal matrix that *key* and *label* determine.

    Args:
        numbers: ``float32 (64,)``.
        key: secret of the rotation.
        label: selects one of the key's rotations.

    Source: N. Ailon, B. Chazelle, "The Fast Johnson–Lindenstrauss Transform", 2009: signs and Hadamard's matrix, here
    three times instead of once, which comes near to a uniformly random rotation.
    """
    return _rotation(key, label) @ numbers


def rotate_back(numbers: Template, key: Key, label: str) -> Template:
    """Invert :func:`rotate` for the same *key* and *label*."""
    return _rotation(key, label).T @ numbers


def pack(numbers: Template, bits: int = FINE) -> bytes:
    """Quantise *numbers* and pack them into bytes, most significant bit first.

    Args:
        numbers: ``float32 (64,)``; clipped to ±4.
        bits: per number, :data:`FINE` or :data:`COARSE`.

    Returns:
        96 bytes for :data:`FINE`, 48 for :data:`COARSE`.
    """
    levels = np.rint(numbers / _step(bits) + (2**bits - 1) / 2).clip(0, 2**bits - 1).astype(np.uint16)
    return np.packbits(np.unpackbits(levels.astype(">u2")[:, None].view(np.uint8), axis=1)[:, -bits:]).tobytes()


def unpack(data: bytes) -> Template:
    """Return the template that :func:`pack` stored in *data*, to within half a quantisation step.

    Raises:
        DamagedError: *data* is neither 48 nor 96 bytes long.
    """
    if len(data) not in (size(FINE), size(COARSE)):
        raise DamagedError(f"a template has {size(FINE)} or {size(COARSE)} bytes, not {len(data)}")
    bits = len(data) * 8 // NUMBERS
    padded = np.zeros((NUMBERS, 16), np.uint8)
    padded[:, -bits:] = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(NUMBERS, bits)
    levels = np.packbits(padded, axis=1).view(">u2")[:, 0]
    numbers: Template = ((levels - (2**bits - 1) / 2) * _step(bits)).astype(np.float32)
    return numbers


def size(bits: int) -> int:
    """Return the number of bytes of a packed template with this many *bits* per number."""
    return NUMBERS * bits // 8


def _step(bits: int) -> float:
    """Return the quantisation step."""
    return float(2 * _CLIP / 2**bits)


def _rotation(key: Key, label: str) -> Template:
    """Return the orthogonal matrix ``(64, 64)`` of *key* and *label*."""
    signs = 1 - 2 * (key.stream(label, _ROTATION_ROUNDS * NUMBERS) & 1).astype(np.float32)
    hadamard = np.ones((1, 1), np.float32)
    while len(hadamard) < NUMBERS:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    rotation: Template = np.eye(NUMBERS, dtype=np.float32)
    for diagonal in signs.reshape(_ROTATION_ROUNDS, NUMBERS):
        rotation = (hadamard @ (diagonal[:, None] * rotation) / NUMBERS**0.5).astype(np.float32)
    return rotation
