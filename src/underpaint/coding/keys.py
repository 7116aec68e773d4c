"""Keys: derivation from a passphrase, subkeys, keystreams and permutations, the same on every machine.

::

    passphrase + salt ──Argon2id──► Key ──keyed BLAKE2b(label)──► subkey ──ChaCha20──► stream, words, permutation

NumPy's generators are not used: their output for a seed may change between versions.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Cost(NamedTuple):
    """Cost of one Argon2id derivation."""

    memory_kib: int
    iterations: int
    lanes: int


#: Costs of key derivation by number. Readers try each, so a container cannot make them spend more. Entries are only
#: added. 1 is RFC 9106's second recommended option, about 0.1 s.
COSTS = {1: Cost(64 * 1024, 3, 4)}
#: Cost of new keys.
DEFAULT_COST = 1
#: Cost of keys of compact frames, the only one that their readers try. Part of the format.
COMPACT_COST = 1

#: Bytes in a key and in a subkey.
KEY_SIZE = 32
#: Bytes in a random salt.
SALT_SIZE = 16
#: Fixed salt of compact frames, which have no room for a random one. Equal passphrases then give equal keys, so one
#: table of guesses serves against all such containers: only the cost per guess and the passphrase itself protect.
SALT = b"underpaint-salt1"


@dataclass(frozen=True)
class Key:
    """A secret key of 32 bytes, and the subkeys, keystreams and permutations derived from it."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_SIZE:
            raise UsageError(f"a key has {KEY_SIZE} bytes, not {len(self.secret)}")

    @classmethod
    def derive(cls, passphrase: str | None, salt: bytes, cost: int | None = None) -> Key:
        """Derive a key from a passphrase by Argon2id (RFC 9106).

        Args:
            passphrase: Unicode text, normalised to NFC and encoded as UTF-8. With None the key is a published function
                of the salt: frames are authenticated by it, but not secret.
            salt: any bytes, usually :data:`SALT_SIZE`.
            cost: number of one of :data:`COSTS`; None for :data:`DEFAULT_COST`.

        Raises:
            UsageError: the passphrase is empty or no Unicode text, or the cost is unknown.
        """
        cost = DEFAULT_COST if cost is None else cost
        if cost not in COSTS:
            raise UsageError(f"unknown key derivation cost {cost}")
        if passphrase is None:
            return cls(hashlib.blake2b(salt, digest_size=KEY_SIZE, person=b"underpaint open").digest())
        if not isinstance(passphrase, str):
            raise UsageError(f"a passphrase is text, not {type(passphrase).__name__}")
        if not passphrase:
            raise UsageError("the passphrase is empty", hint="leave it out to go without one")
        try:
            encoded = unicodedata.normalize("NFC", passphrase).encode("utf-8")
        except UnicodeEncodeError:
            raise UsageError("the passphrase is not valid Unicode text") from None
        with _DERIVATION_LOCK:
            return cls(_argon2id(encoded, salt, COSTS[cost]))

    def subkey(self, label: str) -> bytes:
        """Return a subkey of 32 bytes for one purpose; subkeys of different labels are independent."""
        return hashlib.blake2b(label.encode(), key=self.secret, digest_size=KEY_SIZE).digest()

    def stream(self, label: str, count: int) -> NDArray[np.uint8]:
        """Return the first *count* bytes of the label's keystream, ``uint8 (count,)``, read-only."""
        return np.frombuffer(chacha20(self.subkey(label), bytes(12), bytes(count)), np.uint8)

    def words(self, label: str, count: int) -> NDArray[np.uint32]:
        """Return the same keystream as *count* little-endian 32-bit words, ``uint32 (count,)``."""
        return self.stream(label, 4 * count).view("<u4").astype(np.uint32, copy=False)

    def permutation(self, label: str, count: int) -> NDArray[np.intp]:
        """Return the numbers 0 … *count* - 1 in keyed order, ``(count,)``: sorted by one random word each.

        The sort is stable, so the result does not depend on the implementation. Two passes over 16-bit halves take half
        the time of one over whole words, because NumPy then uses radix sort. Equal words stay in ascending order, a
        bias of about one pair in a permutation of 100,000.
        """
        words = self.words(label, count)
        order = np.argsort(words.astype(np.uint16), kind="stable")
        return order[np.argsort((words >> 16).astype(np.uint16)[order], kind="stable")]


def chacha20(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt *data* by ChaCha20 (RFC 8439) from block 0, with a 32-byte key and a 12-byte nonce."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    return Cipher(algorithms.ChaCha20(key, bytes(4) + nonce), mode=None).encryptor().update(data)


# Two derivations at once deadlock: OpenSSL's lanes share one pool of threads.
_DERIVATION_LOCK = Lock()


# Hiding reads the container back, and a batch shares one passphrase, so the last eight keys are cached. Passphrases
# stay in memory for a while in any case: Python cannot erase a string.
@lru_cache(maxsize=8)
def _argon2id(passphrase: bytes, salt: bytes, cost: Cost) -> bytes:
    """Return the key of an encoded passphrase."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    kdf = Argon2id(
        salt=salt, length=KEY_SIZE, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    return kdf.derive(passphrase)
