"""Compact and full frames: format, authentication, and what a receiver refuses."""

from __future__ import annotations

import contextlib
import hashlib
import math
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.coding import frame, refusals
from underpaint.coding.frame import Header
from underpaint.coding.keys import SALT, Key, chacha20
from underpaint.errors import CapacityError, DamagedError, NotFoundError, PayloadError, UsageError
from underpaint.types import Payload

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = Key(bytes(range(32)))

payloads = st.one_of(
    st.builds(Payload.from_text, st.text()),
    st.builds(Payload, st.binary()),
    st.builds(lambda word, times: Payload(word * times), st.binary(min_size=1), st.integers(1, 2000)),
)


def check_payload_or_payload_error(reveal: Callable[[], Payload]) -> None:
    with contextlib.suppress(PayloadError):
        assert isinstance(reveal(), Payload)


def encrypt_compact(plain: bytes) -> bytes:
    """A compact frame of any plain bytes, by the description of the format."""
    tag = hashlib.blake2b(plain, key=KEY.subkey("compact tag"), digest_size=6).digest()
    return tag + chacha20(KEY.subkey("compact"), tag + bytes(6), plain)


def encrypt_full(plain: bytes, key: Key, label: str) -> bytes:
    """Head or body of a full frame of any plain bytes, by the description of the format."""
    return ChaCha20Poly1305(key.subkey(label)).encrypt(bytes(12), plain, None)


@given(payloads, st.integers(0, 40))
def test_compact_frame_round_trip(payload: Payload, spare: int) -> None:
    size = frame.compact_size(payload) + spare
    sealed = frame.seal_compact(payload, KEY, size)
    assert len(sealed) == size
    assert frame.open_compact(sealed, KEY) == payload


def test_compact_frames_of_version_1_open() -> None:
    sealed = bytes.fromhex("90e3d423c1bfe2a238ffd1fd167cc6da3cfbf156")
    assert frame.open_compact(sealed, KEY) == Payload.from_text("https://www.example.com/a")


def test_a_compact_frame_adds_eight_bytes() -> None:
    assert frame.compact_size(Payload.from_text("hey")) == 3 + 8


def test_a_compact_frame_refuses_too_small_a_size() -> None:
    with pytest.raises(CapacityError):
        frame.seal_compact(Payload(b"\xf1\xf2\xf3\xf4\xf5"), KEY, 12)


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(UsageError):
        frame.compact_size(Payload(b"\xff", "text"))


@given(st.data())
def test_an_altered_compact_frame_is_not_found(data: st.DataObject) -> None:
    sealed = bytearray(frame.seal_compact(Payload(b"payload"), KEY, 20))
    sealed[data.draw(st.integers(0, 19))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(NotFoundError):
        frame.open_compact(bytes(sealed), KEY)


@given(st.binary(max_size=64))
def test_random_bytes_are_no_compact_frame(body: bytes) -> None:
    with pytest.raises(NotFoundError):
        frame.open_compact(body, KEY)


@given(st.binary(max_size=64))
def test_any_plain_bytes_in_a_valid_compact_frame_open_or_are_refused(plain: bytes) -> None:
    """A sender with the key may seal anything: it never raises another error."""
    check_payload_or_payload_error(lambda: frame.open_compact(encrypt_compact(plain), KEY))


def seal_full(payload: Payload, passphrase: str | None, salt: bytes | None = None) -> tuple[bytes, bytes]:
    salt = salt or frame.new_salt()
    key = Key.derive(passphrase, salt)
    body = frame.seal_body(payload, key)
    return frame.seal_head(Header(0x1234, len(body)), key, salt, "drawing"), body


@settings(deadline=None)
@given(payloads, st.sampled_from([None, "drawing"]))
def test_full_frame_round_trip(payload: Payload, passphrase: str | None) -> None:
    head, body = seal_full(payload, passphrase, b"0123456789abcdef")
    assert len(head) == frame.HEAD_SIZE
    header, key = frame.open_head(head, passphrase, "drawing")
    assert header == Header(0x1234, len(body))
    assert frame.open_body(body, key) == payload


def test_full_frames_of_version_1_open() -> None:
    head = "756e6465727061696e742d73616c7431ca1aa237efec5dfac00e1a27aad5e2b37f0873cec4dc1a33c71cf7"
    body = "635443dad01dfae0bc4b0c238b632983d5767c9ee91eaab34200a67542162f"
    header, key = frame.open_head(bytes.fromhex(head), "Grüße", "drawing")
    assert header == Header(7, 31)
    assert frame.open_body(bytes.fromhex(body), key) == Payload(b"bytes", "file", "name.bin")


@pytest.mark.parametrize("passphrase", [None, "other"])
def test_another_passphrase_does_not_open_the_head(passphrase: str | None) -> None:
    head, _ = seal_full(Payload(b"payload"), "drawing")
    with pytest.raises(NotFoundError):
        frame.open_head(head, passphrase, "drawing")


@given(st.data())
def test_altered_heads_are_not_found_and_altered_bodies_are_damaged(data: st.DataObject) -> None:
    head, body = (bytearray(part) for part in seal_full(Payload(b"payload"), None))
    _, key = frame.open_head(bytes(head), None, "drawing")
    head[data.draw(st.integers(0, len(head) - 1))] ^= data.draw(st.integers(1, 255))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(NotFoundError):
        frame.open_head(bytes(head), None, "drawing")
    with pytest.raises(DamagedError):
        frame.open_body(bytes(body), key)


@given(st.binary(max_size=64))
def test_random_bytes_are_no_full_frame(noise: bytes) -> None:
    with pytest.raises(NotFoundError):
        frame.open_head(noise, "drawing", "drawing")
    with pytest.raises(NotFoundError):
        frame.open_head(noise.ljust(frame.HEAD_SIZE, b"x"), None, "drawing")
    with pytest.raises(DamagedError):
        frame.open_body(noise, KEY)


@given(st.binary(max_size=64))
def test_any_plain_bytes_in_a_valid_body_open_or_are_refused(plain: bytes) -> None:
    check_payload_or_payload_error(lambda: frame.open_body(encrypt_full(plain, KEY, "body"), KEY))


@pytest.mark.parametrize("lead", [0x00, 0x10, 0x13, 0x11, 0x12, 0x20])
def test_an_unknown_lead_byte_means_a_newer_version(lead: int) -> None:
    with pytest.raises(DamagedError, match="newer"):
        frame.open_body(encrypt_full(bytes([lead, 0]) + b"\xff\xff", KEY, "body"), KEY)


def test_an_unknown_head_version_means_a_newer_version() -> None:
    sealed = encrypt_full(struct.pack(">BHQ", 2, 0, 0), Key.derive(None, SALT), "drawing head")
    with pytest.raises(DamagedError, match="newer"):
        frame.open_head(SALT + sealed, None, "drawing")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("Grüße, 日本.txt", "Grüße, 日本.txt"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\evil.exe", "evil.exe"),
        ("..", None),
        ("a/..", None),
        ("dir/", None),
        ("", None),
        (None, None),
        ("line\nbreak\x00\x1b[0m\u202etxt", "linebreak[0mtxt"),
        ("c:stream", "cstream"),
        ("\udc80.bin", "bin"),
        ("x" * 300, "x" * 255),
        ("é" * 200, "é" * 127),
    ],
)
def test_file_names_are_reduced_to_one_safe_component(name: str | None, kept: str | None) -> None:
    _, body = seal_full(Payload(b"", "file", name), None, SALT)
    assert frame.open_body(body, Key.derive(None, SALT)).name == kept


@given(st.text(max_size=300))
def test_file_names_from_other_senders_are_made_safe(name: str) -> None:
    raw = name.encode("utf-8", "surrogatepass")[:255]
    sealed = encrypt_full(b"\x18" + bytes([len(raw)]) + raw, KEY, "body")
    opened = frame.open_body(sealed, KEY).name or "x"
    assert not set(opened) & set('/\\:\0\n"<>|?*')
    assert opened.strip(". ") == opened
    again = frame.seal_body(Payload(b"", "file", opened), KEY)
    assert frame.open_body(again, KEY).name == opened


def test_sealed_bytes_look_random() -> None:
    """Byte counts of frames of zeros and of two-byte payloads: chi-square, 255 degrees of freedom."""
    salts = [hashlib.blake2b(bytes([i]), digest_size=16).digest() for i in range(200)]
    full = b"".join(b"".join(seal_full(Payload(bytes(100)), None, salt)) for salt in salts)
    compact = b"".join(frame.seal_compact(Payload(bytes([i, j])), KEY, 32) for i in range(50) for j in range(20))
    for sealed in (full, compact):
        counts = np.bincount(np.frombuffer(sealed, np.uint8), minlength=256)
        expected = len(sealed) / 256
        assert abs(((counts - expected) ** 2 / expected).sum() - 255) < 5 * math.sqrt(2 * 255)
        bits = np.unpackbits(np.frombuffer(sealed, np.uint8))
        assert abs(bits.mean() - 0.5) < 2.5 / math.sqrt(bits.size)


def test_payloads_above_the_largest_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "LARGEST_PAYLOAD", 1000)
    with pytest.raises(CapacityError):
        frame.seal_body(Payload(bytes(1001)), KEY)


def test_long_texts_are_refused_by_sender_and_receiver() -> None:
    """Text of one emoji and many letters takes four bytes a letter as a string, and next to nothing compressed."""
    long = "😀".encode() + bytes(frame.LONGEST_TEXT - 4)
    key = Key.derive(None, SALT)
    assert frame.open_body(frame.seal_body(Payload(long, "text"), key), key).data == long
    with pytest.raises(UsageError, match="at most 16777216 bytes"):
        frame.seal_body(Payload(long + b"x", "text"), key)
    body = frame.seal_body(Payload(long + b"x"), key)
    forged = ChaCha20Poly1305(key.subkey("body")).decrypt(bytes(12), body, None)
    with pytest.raises(DamagedError):
        frame.open_body(encrypt_full(bytes([forged[0] & ~8]) + forged[1:], key, "body"), key)
