"""Payload to sealed bytes and back. Without the passphrase, sealed bytes are indistinguishable from random ones.

*Compact frame*, for short messages where every byte counts; exactly as long as asked, 8 bytes more than its data::

    tag 6 | sealed( lead 1 | data | 80 00 … )

The tag is keyed BLAKE2b of the plain bytes and, as in SIV (RFC 5297), also the nonce they are sealed with: nothing is
spent on a nonce, and none can be used twice by mistake. What these few bytes cost: a forgery or an unmarked picture
passes with probability 2^-48 per attempt; equal messages of equal size and passphrase give equal frames; among 2^24
messages under one passphrase two tags have collided with a probability of 40 %, which reveals the exclusive-or of these
two. File names are not kept.

*Full frame*, for files in an exact carrier::

    head  salt 16 | sealed( version 1 | parameter 2 | body length 8 | details ) + tag 16   43 bytes or more, big-endian
    body  sealed( lead 1 | name length 1 | name | data ) + tag 16                   18 bytes more than name and data

Both are sealed by ChaCha20-Poly1305 (RFC 8439) under subkeys of a key that is fresh with each salt, so nonces are
zero. The head does not name its Argon2id cost, which would be a mark to look for: readers try each there is.

The *lead* byte holds version << 4 | is a file << 3 | is a picture << 2 | compression: 0 none, 1 deflate, 2 LZMA2,
3 AVIF without its boxes, whichever came out smallest. A picture is a file that whoever reveals it may have in another
format.
"""

from __future__ import annotations

import hashlib
import hmac
import lzma
import os
import struct
import unicodedata
import zlib
from dataclasses import dataclass

from underpaint.coding import avif_boxes
from underpaint.coding.keys import COSTS, SALT_SIZE, Key, chacha20
from underpaint.errors import CapacityError, DamagedError, NotFoundError, UsageError
from underpaint.types import Payload, PayloadKind

VERSION = 1
#: The largest payload in bytes, sealed or opened: no frame unpacks to more.
LARGEST_PAYLOAD = 1 << 28
#: The longest text message in bytes. As a string it can take four times that, unpacked from next to nothing.
LONGEST_TEXT = 1 << 24

_COMPACT_TAG = 6
_HEAD = struct.Struct(">BHQ")
_AEAD_TAG = 16
#: Bytes of a full frame's head without details.
HEAD_SIZE = SALT_SIZE + _HEAD.size + _AEAD_TAG
#: Bytes of a full frame's body beyond its name and data.
BODY_OVERHEAD = 2 + _AEAD_TAG
#: The longest file name kept, in UTF-8 bytes.
LONGEST_NAME = 255

#: The lead byte's bits for each kind.
_KINDS: dict[PayloadKind, int] = {"text": 0, "template": 4, "file": 8, "picture": 12}
_RAW, _DEFLATE, _LZMA, _AVIF = range(4)
#: Below this many bytes compression takes its time.
_UNHURRIED = 1 << 20
#: What short messages are likely to repeat, likeliest last (deflate spells near matches shorter). Part of the format.
_DICTIONARY = (
    b'0123456789 <html><div class="\n</ xmlns:{"id": "name": "url": "date": "type": [true, false, null}, "\n'
    b"January February March April June July August September October November December Monday Tuesday Wednesday "
    b"Thursday Friday Saturday Sunday image picture photo author artist All rights reserved. Copyright (c) 2025 2026 "
    b"password: address phone email: @gmail.com mailto: ftp://.html .jpg .png .pdf .net/ .de/ .org/ .com/ und der die "
    b"das ist nicht ein Sie ich mit auf que les des est pas pour por para una los del question because something "
    b"tomorrow today tonight morning evening o'clock station people please thanks Thank you Hello, Dear meeting meet "
    b"at Don't don't I'm It's message secret hidden about after again before between could first great house know "
    b"little never other place right should their there these thing think those through time under very want were "
    b"where which while with would world year your when what this that they then them than some only over into more "
    b"from have been here like come back just said will can all not but are his her him had has was one our out who "
    b"you for it is on be as by we or at an if my me so do to in of and a . The . I ations ment ness ing the of the "
    b"in the to the and the ing ed , and https://www.example.com/"
)
_LZMA_DICTIONARY = 1 << 23


@dataclass(frozen=True)
class Header:
    """What a full frame's head says of its body."""

    #: The method's own setting, 0–65535.
    parameter: int
    #: Bytes of the sealed body.
    length: int
    #: What else a method has to know, always as many bytes.
    details: bytes = b""


def compact_size(payload: Payload) -> int:
    """The fewest bytes a compact frame of *payload* takes."""
    return _COMPACT_TAG + len(_encode(payload)) + 1


def packed_size(picture: bytes) -> int:
    """How many bytes the file of a picture takes at most, without what frames it."""
    return len(avif_boxes.strip_boxes(picture) or picture)


def seal_compact(payload: Payload, key: Key, size: int) -> bytes:
    """A compact frame of exactly *size* bytes.

    Raises:
        CapacityError: *size* is below :func:`compact_size`.
    """
    plain = _encode(payload) + b"\x80"  # padding of ISO/IEC 7816-4: 80, then zeros
    room = size - _COMPACT_TAG
    if len(plain) > room:
        raise CapacityError(f"the message takes {len(plain) + _COMPACT_TAG} bytes, {size} are free")
    plain = plain.ljust(room, b"\0")
    tag = _compact_tag(plain, key)
    return tag + _compact_cipher(plain, tag, key)


def open_compact(body: bytes, key: Key) -> Payload:
    """What :func:`seal_compact` sealed.

    Raises:
        NotFoundError: these bytes are no frame under this key.
        DamagedError: they are one, of a format this version does not know.
    """
    tag, sealed = body[:_COMPACT_TAG], body[_COMPACT_TAG:]
    plain = _compact_cipher(sealed, tag.ljust(_COMPACT_TAG, b"\0"), key)
    if not hmac.compare_digest(tag, _compact_tag(plain, key)):
        raise not_found()
    return _decode(plain.rstrip(b"\0")[:-1])


def seal_head(header: Header, key: Key, salt: bytes, method: str) -> bytes:
    """The :data:`HEAD_SIZE` bytes, and those of the details, that lead to a body; *key* is derived with *salt*.

    No other *method* opens them, should it look in the same places.
    """
    plain = _HEAD.pack(VERSION, header.parameter, header.length) + header.details
    return salt + _seal(plain, key, f"{method} head")


def open_head(head: bytes, passphrase: str | None, method: str) -> tuple[Header, Key]:
    """What :func:`seal_head` sealed, and the key that opens the body.

    Raises:
        NotFoundError: these bytes are no head under this passphrase.
        DamagedError: they are one, of a newer version.
    """
    if len(head) < HEAD_SIZE:
        raise not_found()
    for cost in COSTS:
        key = Key.derive(passphrase, head[:SALT_SIZE], cost)
        plain = _open(head[SALT_SIZE:], key, f"{method} head")
        if plain is not None:
            break
    else:
        raise not_found()
    if plain[0] != VERSION:
        raise newer()
    _, parameter, length = _HEAD.unpack_from(plain)
    return Header(parameter, length, plain[_HEAD.size :]), key


def new_salt() -> bytes:
    """A random salt for a new full frame."""
    return os.urandom(SALT_SIZE)


def seal_body(payload: Payload, key: Key) -> bytes:
    """The body of a full frame; *key* must be of a fresh salt, and seals one body only.

    Raises:
        CapacityError: the payload exceeds :data:`LARGEST_PAYLOAD`.
    """
    encoded = _encode(payload)
    name = _safe_name(payload.name or "").encode("utf-8")
    return _seal(encoded[:1] + bytes([len(name)]) + name + encoded[1:], key, "body")


def open_body(sealed: bytes, key: Key) -> Payload:
    """What :func:`seal_body` sealed; a file name comes back as one plain path component, whoever sealed it.

    Raises:
        DamagedError: the bytes were altered, or the version is newer.
    """
    plain = _open(sealed, key, "body")
    if plain is None:
        raise DamagedError("a payload was found, but it was altered or cut", hint="find the unaltered container")
    data_at = 2 + int.from_bytes(plain[1:2])
    name = _safe_name(plain[2:data_at].decode("utf-8", "replace"))
    return _decode(plain[:1] + plain[data_at:], name or None)


def not_found() -> NotFoundError:
    """The error of a picture in which this passphrase opens nothing."""
    return NotFoundError(
        "no payload found, or it was hidden with another passphrase",
        hint="a wrong passphrase, an altered container and an unmarked picture look the same",
    )


def newer() -> DamagedError:
    """The error of a payload in a format this version does not know."""
    return DamagedError("the payload was hidden by a newer version of underpaint", hint="update underpaint")


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
    """Lead byte and data, compressed where that helps."""
    if len(payload.data) > LARGEST_PAYLOAD:
        raise CapacityError(f"the payload has {len(payload.data)} bytes; no frame holds more than {LARGEST_PAYLOAD}")
    if payload.kind == "text" and not _is_text(payload.data):
        raise UsageError(f"a text message is UTF-8 of at most {LONGEST_TEXT} bytes", hint="hide it as a file")
    compression, data = _compress(payload.data)
    return bytes([VERSION << 4 | _KINDS[payload.kind] | compression]) + data


def _decode(encoded: bytes, name: str | None = None) -> Payload:
    lead, data = encoded[0] if encoded else 0, encoded[1:]
    kind = next((kind for kind, bits in _KINDS.items() if bits == lead & 12), None)
    if lead >> 4 != VERSION or kind is None:
        raise newer()
    data = _decompress(lead & 3, data)
    if kind == "text" and not _is_text(data):
        raise newer()
    return Payload(data, kind, name)


def _compress(data: bytes) -> tuple[int, bytes]:
    unhurried = len(data) < _UNHURRIED
    deflate = zlib.compressobj(9 if unhurried else 6, wbits=-15, memLevel=9, zdict=_DICTIONARY)
    forms = [(_RAW, data), (_DEFLATE, deflate.compress(data) + deflate.flush())]
    if len(forms[_DEFLATE][1]) < 0.98 * len(data):  # LZMA is slow to learn that there is nothing to gain
        forms.append((_LZMA, lzma.compress(data, lzma.FORMAT_RAW, filters=_lzma_filters(6 if unhurried else 2))))
    if (lean := avif_boxes.strip_boxes(data)) is not None:
        forms.append((_AVIF, lean))
    return min(forms, key=lambda form: len(form[1]))


def _decompress(compression: int, data: bytes) -> bytes:
    if compression == _RAW:
        return data
    if compression == _AVIF:
        file = avif_boxes.restore_boxes(data)
        if file is None:
            raise newer()
        return file
    unpack: zlib._Decompress | lzma.LZMADecompressor
    if compression == _DEFLATE:
        unpack = zlib.decompressobj(wbits=-15, zdict=_DICTIONARY)
    else:
        unpack = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_lzma_filters(6))
    try:
        plain = unpack.decompress(data, LARGEST_PAYLOAD + 1)
    except (zlib.error, lzma.LZMAError):
        raise newer() from None
    if not unpack.eof or len(plain) > LARGEST_PAYLOAD:
        raise newer()
    return plain


def _lzma_filters(preset: int) -> list[dict[str, int]]:
    return [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": _LZMA_DICTIONARY}]


def _is_text(data: bytes) -> bool:
    try:
        data[: LONGEST_TEXT + 1].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return len(data) <= LONGEST_TEXT


def _safe_name(name: str) -> str:
    """One path component: no separators, control characters or outer dots; empty if nothing is left."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if c not in '<>:"|?*' and unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return kept.strip(" .").encode("utf-8")[:LONGEST_NAME].decode("utf-8", "ignore").rstrip(" .")
