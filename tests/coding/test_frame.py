from __future__ import annotations

import contextlib
import hashlib
import lzma
import math
import os
import zlib
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.coding import frame
from underpaint.coding.frame import Header
from underpaint.coding.keys import COSTS, SALT, Key
from underpaint.errors import CapacityError, DamagedError, NotFoundError, PayloadError, UsageError
from underpaint.types import Payload

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = Key(bytes(range(32)))


def check_refusal_is_deliberate(reveal: Callable[[], Payload]) -> None:
    with contextlib.suppress(PayloadError):
        assert isinstance(reveal(), Payload)


payloads = st.one_of(
    st.builds(Payload.from_text, st.text()),
    st.builds(Payload, st.binary()),
    st.builds(lambda word, times: Payload(word * times), st.binary(min_size=1), st.integers(1, 2000)),
)


# --- keys


def test_derive_golden() -> None:
    """What version 1 derived must be derived for ever."""
    assert Key.derive("Grüße", SALT).secret.hex() == "87779c93f84e3903d4db804b3c0ed0d0793a0249fdfaae8e6d5e932e1449b64d"
    assert Key.derive(None, SALT).secret.hex() == "3350bd479b498cdfc5c83789c3d158ff4e1e91d660100052de81456bc28fa8b7"


def test_threads_may_derive_at_once() -> None:
    """OpenSSL's Argon2id locks up if they really do."""
    found: list[Key] = []
    threads = [
        Thread(target=lambda number: found.append(Key.derive("at once", bytes([number] * 16))), args=(n,), daemon=True)
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(found) == len(threads)


def test_derive_normalises_and_separates() -> None:
    key = Key.derive("Gr\u00fc\u00dfe", SALT)
    assert key == Key.derive("Gru\u0308\u00dfe", SALT)
    assert key not in (Key.derive("Grüsse", SALT), Key.derive("Gr\u00fc\u00dfe", SALT[::-1]), Key.derive(None, SALT))


@pytest.mark.parametrize(("passphrase", "cost"), [("", 1), ("\udc80", 1), ("x", 0), ("x", max(COSTS) + 1)])
def test_derive_refuses(passphrase: str, cost: int) -> None:
    with pytest.raises(UsageError):
        Key.derive(passphrase, SALT, cost)


def test_costs_are_bounded() -> None:
    assert all(cost.memory_kib <= 1 << 20 and cost.iterations <= 10 for cost in COSTS.values())


def test_key_keeps_quiet_and_has_its_size() -> None:
    assert repr(KEY) == "Key()"
    with pytest.raises(UsageError):
        Key(b"short")


def test_streams_golden() -> None:
    assert KEY.subkey("label").hex() == "7f8088eb65cc4626d4a3ca026af9f97dbd1b8a39b7ac12a63a07745f1fa09847"
    assert KEY.stream("label", 8).tobytes().hex() == "f381d14e5cf6ecc9"
    assert KEY.words("label", 2).tolist() == [0x4ED181F3, 0xC9ECF65C]
    assert KEY.permutation("label", 8).tolist() == [6, 0, 3, 2, 7, 1, 5, 4]


def test_streams_extend_and_differ_by_label() -> None:
    assert KEY.stream("a", 100)[:10].tolist() == KEY.stream("a", 10).tolist()
    assert KEY.stream("a", 16).tolist() != KEY.stream("b", 16).tolist()


@given(st.integers(0, 2000))
def test_permutation_is_one(count: int) -> None:
    assert sorted(KEY.permutation("order", count).tolist()) == list(range(count))


def test_permutation_is_even() -> None:
    """Every number visits every eighth of the order equally often: chi-square, 49 degrees of freedom."""
    eighths = np.stack([np.argsort(KEY.permutation(str(i), 8)) for i in range(4000)])
    counts = np.stack([np.bincount(column, minlength=8) for column in eighths.T])
    assert ((counts - 500) ** 2 / 500).sum() < 100


# --- compact frame


@given(payloads, st.integers(0, 40))
def test_compact_round_trip(payload: Payload, spare: int) -> None:
    size = frame.compact_size(payload) + spare
    sealed = frame.seal_compact(payload, KEY, size)
    assert len(sealed) == size
    assert frame.open_compact(sealed, KEY) == payload


def test_compact_golden() -> None:
    sealed = bytes.fromhex("90e3d423c1bfe2a238ffd1fd167cc6da3cfbf156")
    assert frame.open_compact(sealed, KEY) == Payload.from_text("https://www.example.com/a")


def test_compact_overhead_is_eight_bytes() -> None:
    assert frame.compact_size(Payload.from_text("hey")) == 3 + 8


def test_compact_refuses_too_small_a_size() -> None:
    with pytest.raises(CapacityError):
        frame.seal_compact(Payload(b"\xf1\xf2\xf3\xf4\xf5"), KEY, 12)


def test_text_must_be_text() -> None:
    with pytest.raises(UsageError):
        frame.compact_size(Payload(b"\xff", "text"))


@given(st.data())
def test_compact_tamper(data: st.DataObject) -> None:
    sealed = bytearray(frame.seal_compact(Payload(b"payload"), KEY, 20))
    sealed[data.draw(st.integers(0, 19))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(NotFoundError):
        frame.open_compact(bytes(sealed), KEY)


@given(st.binary(max_size=64))
def test_compact_fuzz(body: bytes) -> None:
    with pytest.raises(NotFoundError):
        frame.open_compact(body, KEY)


@given(st.binary(max_size=64))
def test_compact_fuzz_by_who_has_the_key(plain: bytes) -> None:
    """A well-sealed frame with anything inside opens or is refused, and never breaks."""
    tag = frame._compact_tag(plain, KEY)
    check_refusal_is_deliberate(lambda: frame.open_compact(tag + frame._compact_cipher(plain, tag, KEY), KEY))


# --- full frame


def seal_full(payload: Payload, passphrase: str | None, salt: bytes | None = None) -> tuple[bytes, bytes]:
    salt = salt or frame.new_salt()
    key = Key.derive(passphrase, salt)
    body = frame.seal_body(payload, key)
    return frame.seal_head(Header(0x1234, len(body)), key, salt, "drawing"), body


@settings(deadline=None)
@given(payloads, st.sampled_from([None, "drawing"]))
def test_full_round_trip(payload: Payload, passphrase: str | None) -> None:
    head, body = seal_full(payload, passphrase, b"0123456789abcdef")
    assert len(head) == frame.HEAD_SIZE
    header, key = frame.open_head(head, passphrase, "drawing")
    assert header == Header(0x1234, len(body))
    assert frame.open_body(body, key) == payload


def test_full_golden() -> None:
    head = "756e6465727061696e742d73616c7431ca1aa237efec5dfac00e1a27aad5e2b37f0873cec4dc1a33c71cf7"
    body = "635443dad01dfae0bc4b0c238b632983d5767c9ee91eaab34200a67542162f"
    header, key = frame.open_head(bytes.fromhex(head), "Grüße", "drawing")
    assert header == Header(7, 31)
    assert frame.open_body(bytes.fromhex(body), key) == Payload(b"bytes", "file", "name.bin")


@pytest.mark.parametrize("passphrase", [None, "other"])
def test_full_other_passphrase(passphrase: str | None) -> None:
    head, _ = seal_full(Payload(b"payload"), "drawing")
    with pytest.raises(NotFoundError):
        frame.open_head(head, passphrase, "drawing")


@given(st.data())
def test_full_tamper(data: st.DataObject) -> None:
    head, body = (bytearray(part) for part in seal_full(Payload(b"payload"), None))
    _, key = frame.open_head(bytes(head), None, "drawing")
    head[data.draw(st.integers(0, len(head) - 1))] ^= data.draw(st.integers(1, 255))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(NotFoundError):
        frame.open_head(bytes(head), None, "drawing")
    with pytest.raises(DamagedError):
        frame.open_body(bytes(body), key)


@given(st.binary(max_size=64))
def test_full_fuzz(noise: bytes) -> None:
    with pytest.raises(NotFoundError):
        frame.open_head(noise, "drawing", "drawing")
    with pytest.raises(NotFoundError):
        frame.open_head(noise.ljust(frame.HEAD_SIZE, b"x"), None, "drawing")
    with pytest.raises(DamagedError):
        frame.open_body(noise, KEY)


@given(st.binary(max_size=64))
def test_full_fuzz_by_who_has_the_key(plain: bytes) -> None:
    check_refusal_is_deliberate(lambda: frame.open_body(frame._seal(plain, KEY, "body"), KEY))


@pytest.mark.parametrize("lead", [0x00, 0x10, 0x13, 0x11, 0x12, 0x20])
def test_unknown_inside_is_a_newer_version(lead: int) -> None:
    with pytest.raises(DamagedError, match="newer"):
        frame.open_body(frame._seal(bytes([lead, 0]) + b"\xff\xff", KEY, "body"), KEY)


def test_unknown_head_is_a_newer_version() -> None:
    sealed = frame._seal(frame._HEAD.pack(2, 0, 0), Key.derive(None, SALT), "drawing head")
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
def test_names_come_back_harmless(name: str | None, kept: str | None) -> None:
    _, body = seal_full(Payload(b"", "file", name), None, SALT)
    assert frame.open_body(body, Key.derive(None, SALT)).name == kept


@given(st.text(max_size=300))
def test_names_from_hostile_sealers(name: str) -> None:
    raw = name.encode("utf-8", "surrogatepass")[:255]
    sealed = frame._seal(b"\x18" + bytes([len(raw)]) + raw, KEY, "body")
    opened = frame.open_body(sealed, KEY).name or "x"
    assert not set(opened) & set('/\\:\0\n"<>|?*')
    assert opened.strip(". ") == opened
    assert frame._safe_name(opened) == opened


def test_sealed_bytes_look_random() -> None:
    """Byte counts of what is written, for the plainest of payloads: chi-square, 255 degrees of freedom."""
    salts = [hashlib.blake2b(bytes([i]), digest_size=16).digest() for i in range(200)]
    full = b"".join(b"".join(seal_full(Payload(bytes(100)), None, salt)) for salt in salts)
    compact = b"".join(frame.seal_compact(Payload(bytes([i, j])), KEY, 32) for i in range(50) for j in range(20))
    for sealed in (full, compact):
        counts = np.bincount(np.frombuffer(sealed, np.uint8), minlength=256)
        expected = len(sealed) / 256
        assert abs(((counts - expected) ** 2 / expected).sum() - 255) < 5 * math.sqrt(2 * 255)
        bits = np.unpackbits(np.frombuffer(sealed, np.uint8))
        assert abs(bits.mean() - 0.5) < 2.5 / math.sqrt(bits.size)


# --- compression


@pytest.mark.parametrize(
    ("data", "compression"),
    [
        (b"", frame._RAW),
        (os.urandom(1000), frame._RAW),
        (b"https://www.example.com/picture", frame._DEFLATE),
        (b"".join(b"%d squared is %d\n" % (i, i * i) for i in range(20000)), frame._LZMA),
    ],
)
def test_the_smallest_form_wins(data: bytes, compression: int) -> None:
    chosen, packed = frame._compress(data)
    assert chosen == compression
    assert len(packed) <= len(data)
    assert frame._decompress(chosen, packed) == data


def test_lzma_golden() -> None:
    packed = bytes.fromhex("e0014900145d003a9b88b05778bf123a72c3144abfdb3aeb70000000")
    assert frame._decompress(frame._LZMA, packed) == b"underpaint " * 30


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "LARGEST_PAYLOAD", 1000)
    deflate = zlib.compressobj(9, wbits=-15)
    deflated = deflate.compress(bytes(1001)) + deflate.flush()
    lzmaed = lzma.compress(bytes(1001), lzma.FORMAT_RAW, filters=frame._lzma_filters(6))
    for compression, packed in ((frame._DEFLATE, deflated), (frame._LZMA, lzmaed)):
        with pytest.raises(DamagedError):
            frame._decompress(compression, packed)
    with pytest.raises(CapacityError):
        frame.seal_body(Payload(bytes(1001)), KEY)


def test_a_text_message_is_short_enough_to_be_a_string() -> None:
    """Text of one emoji and many letters takes four bytes a letter as a string, and next to nothing compressed."""
    long = "😀".encode() + bytes(frame.LONGEST_TEXT - 4)
    key = Key.derive(None, SALT)
    assert frame.open_body(frame.seal_body(Payload(long, "text"), key), key).data == long
    with pytest.raises(UsageError, match="at most 16777216 bytes"):
        frame.seal_body(Payload(long + b"x", "text"), key)
    body = frame.seal_body(Payload(long + b"x"), key)
    forged = frame._open(body, key, "body")
    assert forged is not None
    with pytest.raises(DamagedError):
        frame.open_body(frame._seal(bytes([forged[0] & ~8]) + forged[1:], key, "body"), key)
