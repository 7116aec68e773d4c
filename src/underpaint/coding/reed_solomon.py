"""Reed–Solomon erasure code: any k of up to 256 packets restore the k data packets.

::

    k data packets = values at 0 … k - 1 ──interpolate──► values at k, k + 1, … = parity packets
    any k received values ──interpolate──► values at 0 … k - 1

Each byte position has a polynomial of degree below k over GF(256), which any k values determine. The field is that of
QR codes: modulo x^8 + x^4 + x^3 + x^2 + 1 (hexadecimal 11d), generator 2.

Source: Reed and Solomon, "Polynomial codes over certain finite fields", J. SIAM 8(2), 1960.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Number of packets at most; a packet's number is the place at which its polynomials are evaluated.
PLACES = 256

#: Order of the multiplicative group, and the field's modulus.
_ORDER, _MODULUS = 255, 0x11D


def interpolate(places: Sequence[int], packets: NDArray[np.uint8], wanted: Sequence[int]) -> NDArray[np.uint8]:
    """Return the packets at the *wanted* places.

    Args:
        places: numbers of the known packets, (k,), all different.
        packets: the known packets, ``uint8 (k, n)``.
        wanted: numbers of the wanted packets.

    Returns:
        ``uint8 (len(wanted), n)``.

    Raises:
        UsageError: a number is repeated or not below :data:`PLACES`.
    """
    if len(set(places)) != len(places) or not all(0 <= place < PLACES for place in (*places, *wanted)):
        raise UsageError(f"packet numbers must be different and below {PLACES}")
    known = np.asarray(places)
    results = np.zeros((len(wanted), packets.shape[1]), np.uint8)
    for row, place in zip(results, wanted, strict=True):
        if place in places:
            row[...] = packets[places.index(place)]
            continue
        # Lagrange interpolation: the product of (x - x_j) / (x_i - x_j) over j ≠ i; subtraction is exclusive-or.
        over = _LOG[known ^ place]
        under = _LOG[known[:, None] ^ known].sum(axis=1)  # the logarithm of 0 on the diagonal is taken as 0
        factors = (over.sum() - over - under) % _ORDER  # (k,), logarithms
        terms = np.where(packets, _POWERS[(factors[:, None] + _LOG[packets]) % _ORDER], 0)
        row[...] = np.bitwise_xor.reduce(terms, axis=0)
    return results


def _powers() -> NDArray[np.uint8]:
    """Return the powers 0 to 254 of the generator."""
    powers, value = [], 1
    for _ in range(_ORDER):
        powers.append(value)
        value = value << 1 ^ (_MODULUS if value & 0x80 else 0)
    return np.array(powers, np.uint8)


_POWERS = _powers()
_LOG = np.zeros(PLACES, np.int64)
_LOG[_POWERS] = np.arange(_ORDER)
