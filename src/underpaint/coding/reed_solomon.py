"""Any k of up to 256 packets are enough: bytes are values of a polynomial over GF(256).

::

    k packets = values at 0 … k - 1 ──interpolate──► values at k, k + 1, … = spare packets
    any k values ──interpolate──► values at 0 … k - 1

Each byte position has a polynomial of its own, of a degree below k, which any k values determine: Reed and Solomon,
"Polynomial codes over certain finite fields", J. SIAM 8 (1960). The field is that of QR codes, modulo 11d, generator 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Places that packets may have.
PLACES = 256

_ORDER, _MODULUS = 255, 0x11D


def interpolate(places: Sequence[int], packets: NDArray[np.uint8], wanted: Sequence[int]) -> NDArray[np.uint8]:
    """The packets at the *wanted* places, ``uint8 (len(wanted), n)``, by those at k *places*, ``uint8 (k, n)``.

    Raises:
        UsageError: places are the same, or not below :data:`PLACES`.
    """
    if len(set(places)) != len(places) or not all(0 <= place < PLACES for place in (*places, *wanted)):
        raise UsageError(f"packets have places of their own below {PLACES}")
    known = np.asarray(places)
    results = np.zeros((len(wanted), packets.shape[1]), np.uint8)
    for row, place in zip(results, wanted, strict=True):
        if place in places:
            row[...] = packets[places.index(place)]
            continue
        # Lagrange: the product of (x - x_j) / (x_i - x_j) over j ≠ i, where minus is exclusive-or.
        over = _LOG[known ^ place]
        under = _LOG[known[:, None] ^ known].sum(axis=1)  # the logarithm of 0 on the diagonal is taken as 0
        factors = (over.sum() - over - under) % _ORDER  # (k,), logarithms
        terms = np.where(packets, _POWERS[(factors[:, None] + _LOG[packets]) % _ORDER], 0)
        row[...] = np.bitwise_xor.reduce(terms, axis=0)
    return results


def _powers() -> NDArray[np.uint8]:
    """The powers of the generator, from 0 to 254."""
    powers, value = [], 1
    for _ in range(_ORDER):
        powers.append(value)
        value = value << 1 ^ (_MODULUS if value & 0x80 else 0)
    return np.array(powers, np.uint8)


_POWERS = _powers()
_LOG = np.zeros(PLACES, np.int64)
_LOG[_POWERS] = np.arange(_ORDER)
