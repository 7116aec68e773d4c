"""From a passphrase to keys, keystreams and permutations that are the same on every machine.

::

    passphrase + salt ──Argon2id──► Key ──keyed BLAKE2b(label)──► subkey ──ChaCha20──► stream, words, permutation

Nothing here draws from NumPy's generators: what they return for a seed is not promised across versions.
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
    """What one Argon2id derivation takes."""

    memory_kib: int
    iterations: int
    lanes: int


#: Every cost that is ever written or read, by id; readers try each, so it is the cap on what a container can make
#: them spend. Entries are only added. 1 is RFC 9106's second recommended option, about 0.1 s.
COSTS = {1: Cost(64 * 1024, 3, 4)}
DEFAULT_COST = 1
#: The cost of compact frames, whose readers try no other: part of their format.
COMPACT_COST = 1

#: Bytes in a key and in a subkey.
KEY_SIZE = 32
#: Bytes in a random salt.
SALT_SIZE = 16
#: The salt where a container has no room for one: equal passphrases then give equal keys, so a table of guesses serves
#: against every such container, and only Argon2id's cost per guess and the passphrase itself protect.
SALT = b"underpaint-salt1"


@dataclass(frozen=True)
class Key:
    """32 secret bytes, and everything keyed that is made of them."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_SIZE:
            raise UsageError(f"a key has {KEY_SIZE} bytes, not {len(self.secret)}")

    @classmethod
    def derive(cls, passphrase: str | None, salt: bytes, cost: int = DEFAULT_COST) -> Key:
        """The key of a passphrase (normalised to NFC, UTF-8), by Argon2id (RFC 9106) at one of :data:`COSTS`.

        Without a passphrase the key is a published function of the salt: what it seals is framed and checked, only
        not secret.

        Raises:
            UsageError: the passphrase is empty or no Unicode text, or the cost unknown.
        """
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
        with _ALONE:
            return cls(_argon2id(encoded, salt, COSTS[cost]))

    def subkey(self, label: str) -> bytes:
        """32 bytes for one purpose; those of different labels tell nothing about each other."""
        return hashlib.blake2b(label.encode(), key=self.secret, digest_size=KEY_SIZE).digest()

    def stream(self, label: str, count: int) -> NDArray[np.uint8]:
        """The first *count* bytes of this label's keystream, read-only."""
        return np.frombuffer(chacha20(self.subkey(label), bytes(12), bytes(count)), np.uint8)

    def words(self, label: str, count: int) -> NDArray[np.uint32]:
        """The same keystream as *count* little-endian 32-bit words."""
        return self.stream(label, 4 * count).view("<u4").astype(np.uint32, copy=False)

    def permutation(self, label: str, count: int) -> NDArray[np.intp]:
        """The numbers 0 … *count* - 1 in keyed order: sorted by one random word each.

        Stable sorting leaves nothing to the implementation. In two passes over 16-bit halves NumPy takes its radix
        sort, at half the time of one pass over whole words. Equal words stay in ascending order, a bias of about
        one pair in a permutation of 100,000.
        """
        words = self.words(label, count)
        order = np.argsort(words.astype(np.uint16), kind="stable")
        return order[np.argsort((words >> 16).astype(np.uint16)[order], kind="stable")]


def chacha20(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """*data* exclusive-or the ChaCha20 keystream (RFC 8439) of a 32-byte key and a 12-byte nonce, from block 0."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    return Cipher(algorithms.ChaCha20(key, bytes(4) + nonce), mode=None).encryptor().update(data)


# Two derivations at once wait for each other for ever: OpenSSL's lanes share one pool of threads.
_ALONE = Lock()


# hide reads back what it wrote, and a batch shares one passphrase: pay once. The last eight passphrases and keys stay
# in memory for it, as they would for a while anyway: Python cannot erase a string.
@lru_cache(maxsize=8)
def _argon2id(passphrase: bytes, salt: bytes, cost: Cost) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    kdf = Argon2id(
        salt=salt, length=KEY_SIZE, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    return kdf.derive(passphrase)
