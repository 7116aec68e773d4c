"""Frames: a payload, compressed, encrypted and authenticated, as bytes, and back.

Without the passphrase a frame is indistinguishable from random bytes.

*Compact frame*, for short messages in watermarks. It has exactly the size asked for, at least 8 bytes more than its
data::

    tag 6 | encrypted( lead 1 | data | 80 00 … )

The tag is keyed BLAKE2b of the plain bytes and also the nonce of the encryption, as in SIV (RFC 5297), so no bytes are
spent on a nonce and none can be used twice by mistake. The price: a forgery or an unmarked picture passes with
probability 2^-48 per attempt; equal messages of equal size and passphrase give equal frames; among 2^24 messages under
one passphrase two tags collide with a probability of 40 %, which reveals the exclusive-or of these two messages. File
names are not kept.

*Full frame*, for files in containers that are never altered::

    head  salt 16 | encrypted( version 1 | parameter 2 | body length 8 | details ) + tag 16   43 bytes, plus details
    body  encrypted( lead 1 | name length 1 | name | data ) + tag 16                          18 bytes, name and data

Numbers are big-endian. Head and body are encrypted by ChaCha20-Poly1305 (RFC 8439) under subkeys of a key that is fresh
with each salt, so nonces are zero. The head does not name its Argon2id cost, which would make it recognisable: readers
try each cost there is.

The *lead* byte holds version << 4 | is a file << 3 | is a picture << 2 | compression, a
:class:`~underpaint.coding.compression.Compression`. A picture is a file that may be revealed in another picture format.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import unicodedata
from dataclasses import dataclass

from underpaint.coding import refusals
from underpaint.coding.compression import Compression, compress, decompress
from underpaint.coding.keys import COSTS, SALT_SIZE, Key, chacha20
from underpaint.errors import CapacityError, DamagedError, UsageError
from underpaint.types import Payload, PayloadKind

VERSION = 1
#: The longest text message in bytes. As a string it can take four times that, unpacked from next to nothing.
LONGEST_TEXT = 1 << 24

#: Bytes of a compact frame's tag.
_COMPACT_TAG = 6
#: Plain bytes of a full frame's head: version, parameter, body length.
_HEAD = struct.Struct(">BHQ")
#: Bytes of the tag of ChaCha20-Poly1305.
_AEAD_TAG = 16
#: Probability that random bytes pass for the head of a full frame, tried at each cost: one tag in 2^128 fits.
HEAD_FALSE_POSITIVE_RATE = len(COSTS) * 2.0 ** (-8 * _AEAD_TAG)
#: Bytes of a full frame's head without details.
HEAD_SIZE = SALT_SIZE + _HEAD.size + _AEAD_TAG
#: Bytes of a full frame's body beyond its name and data.
BODY_OVERHEAD = 2 + _AEAD_TAG
#: The longest file name kept, in UTF-8 bytes.
LONGEST_NAME = 255

#: Bits of the lead byte for each kind of payload, and the mask of these bits.
_KINDS: dict[PayloadKind, int] = {"text": 0, "template": 4, "file": 8, "picture": 12}
_KIND_MASK, _COMPRESSION_MASK = 12, 3


@dataclass(frozen=True)
class Header:
    """Description of a full frame's body, stored in its head."""

    #: The method's own setting, 0–65535.
    parameter: int
    #: Bytes of the sealed body.
    length: int
    #: Further data of a method, always the same number of bytes.
    details: bytes = b""


def compact_size(payload: Payload) -> int:
    """Return the size in bytes of the smallest compact frame that holds *payload*.

    Raises:
        CapacityError: the payload exceeds :data:`refusals.LARGEST_PAYLOAD`.
        UsageError: the payload is a text that is not UTF-8 or exceeds :data:`LONGEST_TEXT`.
    """
    return _COMPACT_TAG + len(_encode(payload)) + 1


def seal_compact(payload: Payload, key: Key, size: int) -> bytes:
    """Return a compact frame of exactly *size* bytes.

    Raises:
        CapacityError: *size* is below :func:`compact_size`.
        UsageError: the payload is a text that is not UTF-8 or exceeds :data:`LONGEST_TEXT`.
    """
    plain = _encode(payload) + b"\x80"  # padding of ISO/IEC 7816-4: 80, then zeros
    room = size - _COMPACT_TAG
    if len(plain) > room:
        raise CapacityError(f"the message takes {len(plain) + _COMPACT_TAG} bytes, {size} are free")
    plain = plain.ljust(room, b"\0")
    tag = _compact_tag(plain, key)
    return tag + _compact_cipher(plain, tag, key)


def open_compact(body: bytes, key: Key) -> Payload:
    """Return the payload of a compact frame.

    Raises:
        NotFoundError: the bytes are no frame under this key.
        DamagedError: they are a frame of a format that this version does not know.
    """
    tag, sealed = body[:_COMPACT_TAG], body[_COMPACT_TAG:]
    plain = _compact_cipher(sealed, tag.ljust(_COMPACT_TAG, b"\0"), key)
    if not hmac.compare_digest(tag, _compact_tag(plain, key)):
        raise refusals.not_found()
    return _decode(plain.rstrip(b"\0")[:-1])


def seal_head(header: Header, key: Key, salt: bytes, method: str) -> bytes:
    """Return the head of a full frame: :data:`HEAD_SIZE` bytes and those of the details.

    Args:
        header: description of the body.
        key: derived with *salt*.
        salt: ``SALT_SIZE`` fresh random bytes.
        method: name of the method. No other method opens this head, should it read the same places.
    """
    plain = _HEAD.pack(VERSION, header.parameter, header.length) + header.details
    return salt + _seal(plain, key, f"{method} head")


def open_head(head: bytes, passphrase: str | None, method: str) -> tuple[Header, Key]:
    """Return the header of a full frame and the key of its body.

    Args:
        head: bytes of the head, with its details.
        passphrase: the sender's passphrase; None for payloads hidden without one.
        method: name of the method that sealed it.

    Raises:
        NotFoundError: the bytes are no head under this passphrase.
        DamagedError: they are a head of a newer version.
    """
    if len(head) < HEAD_SIZE:
        raise refusals.not_found()
    for cost in COSTS:
        key = Key.derive(passphrase, head[:SALT_SIZE], cost)
        plain = _open(head[SALT_SIZE:], key, f"{method} head")
        if plain is not None:
            break
    else:
        raise refusals.not_found()
    if plain[0] != VERSION:
        raise refusals.newer()
    _, parameter, length = _HEAD.unpack_from(plain)
    return Header(parameter, length, plain[_HEAD.size :]), key


def new_salt() -> bytes:
    """Return a random salt for a new full frame."""
    return os.urandom(SALT_SIZE)


def seal_body(payload: Payload, key: Key) -> bytes:
    """Return the body of a full frame; *key* must be of a fresh salt and seals one body only.

    Raises:
        CapacityError: the payload exceeds :data:`refusals.LARGEST_PAYLOAD`.
        UsageError: the payload is a text that is not UTF-8 or exceeds :data:`LONGEST_TEXT`.
    """
    encoded = _encode(payload)
    name = _safe_name(payload.name or "").encode("utf-8")
    return _seal(encoded[:1] + bytes([len(name)]) + name + encoded[1:], key, "body")


def open_body(sealed: bytes, key: Key) -> Payload:
    """Return the payload of a full frame's body. Its file name is one plain path component, whoever sealed it.

    Raises:
        DamagedError: the bytes were altered, or the version is newer.
    """
    plain = _open(sealed, key, "body")
    if plain is None:
        raise DamagedError("a payload was found, but it was altered or cut", hint="find the unaltered container")
    data_at = 2 + int.from_bytes(plain[1:2])
    name = _safe_name(plain[2:data_at].decode("utf-8", "replace"))
    return _decode(plain[:1] + plain[data_at:], name or None)


def _compact_tag(plain: bytes, key: Key) -> bytes:
    return hashlib.blake2b(plain, key=key.subkey("compact tag"), digest_size=_COMPACT_TAG).digest()


def _compact_cipher(text: bytes, tag: bytes, key: Key) -> bytes:
    return chacha20(key.subkey("compact"), tag.ljust(12, b"\0"), text)


def _seal(plain: bytes, key: Key, label: str) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key.subkey(label)).encrypt(bytes(12), plain, None)


def _open(sealed: bytes, key: Key, label: str) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    try:
        return ChaCha20Poly1305(key.subkey(label)).decrypt(bytes(12), sealed, None)
    except InvalidTag:
        return None


def _encode(payload: Payload) -> bytes:
    """Return lead byte and data, compressed where that helps."""
    size, largest = len(payload.data), refusals.LARGEST_PAYLOAD
    if size > largest:
        raise CapacityError(f"the payload has {size} bytes; no frame holds more than {largest}")
    if payload.kind == "text" and not _is_text(payload.data):
        raise UsageError(f"a text message is UTF-8 of at most {LONGEST_TEXT} bytes", hint="hide it as a file")
    compression, data = compress(payload.data)
    return bytes([VERSION << 4 | _KINDS[payload.kind] | compression]) + data


def _decode(encoded: bytes, name: str | None = None) -> Payload:
    """Return the payload of lead byte and data."""
    lead, data = encoded[0] if encoded else 0, encoded[1:]
    kind = next((kind for kind, bits in _KINDS.items() if bits == lead & _KIND_MASK), None)
    if lead >> 4 != VERSION or kind is None:
        raise refusals.newer()
    data = decompress(Compression(lead & _COMPRESSION_MASK), data)
    if kind == "text" and not _is_text(data):
        raise refusals.newer()
    return Payload(data, kind, name)


def _is_text(data: bytes) -> bool:
    """Return True for UTF-8 of at most LONGEST_TEXT bytes."""
    try:
        data[: LONGEST_TEXT + 1].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return len(data) <= LONGEST_TEXT


def _safe_name(name: str) -> str:
    """Return one path component: no separators, control characters or outer dots; empty if nothing is left."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if c not in '<>:"|?*' and unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return kept.strip(" .").encode("utf-8")[:LONGEST_NAME].decode("utf-8", "ignore").rstrip(" .")
