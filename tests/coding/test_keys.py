"""Key derivation, keystreams and keyed permutations."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.coding.keys import COSTS, SALT, Key
from underpaint.errors import UsageError

KEY = Key(bytes(range(32)))


def test_derived_keys_stay_the_same() -> None:
    """Containers of format version 1 depend on these keys."""
    assert Key.derive("Grüße", SALT).secret.hex() == "87779c93f84e3903d4db804b3c0ed0d0793a0249fdfaae8e6d5e932e1449b64d"
    assert Key.derive(None, SALT).secret.hex() == "3350bd479b498cdfc5c83789c3d158ff4e1e91d660100052de81456bc28fa8b7"


def test_threads_derive_keys_at_the_same_time() -> None:
    """OpenSSL's Argon2id deadlocks without the lock in keys."""
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


def test_passphrases_are_normalised_and_salts_separate_keys() -> None:
    key = Key.derive("Gr\u00fc\u00dfe", SALT)
    assert key == Key.derive("Gru\u0308\u00dfe", SALT)
    assert key not in (Key.derive("Grüsse", SALT), Key.derive("Gr\u00fc\u00dfe", SALT[::-1]), Key.derive(None, SALT))


@pytest.mark.parametrize(("passphrase", "cost"), [("", 1), ("\udc80", 1), ("x", 0), ("x", max(COSTS) + 1)])
def test_invalid_passphrases_and_costs_are_refused(passphrase: str, cost: int) -> None:
    with pytest.raises(UsageError):
        Key.derive(passphrase, SALT, cost)


def test_key_derivation_costs_are_bounded() -> None:
    assert all(cost.memory_kib <= 1 << 20 and cost.iterations <= 10 for cost in COSTS.values())


def test_a_key_does_not_show_its_secret_and_has_32_bytes() -> None:
    assert repr(KEY) == "Key()"
    with pytest.raises(UsageError):
        Key(b"short")


def test_keystreams_stay_the_same() -> None:
    assert KEY.subkey("label").hex() == "7f8088eb65cc4626d4a3ca026af9f97dbd1b8a39b7ac12a63a07745f1fa09847"
    assert KEY.stream("label", 8).tobytes().hex() == "f381d14e5cf6ecc9"
    assert KEY.words("label", 2).tolist() == [0x4ED181F3, 0xC9ECF65C]
    assert KEY.permutation("label", 8).tolist() == [6, 0, 3, 2, 7, 1, 5, 4]


def test_longer_keystreams_extend_shorter_ones_and_labels_differ() -> None:
    assert KEY.stream("a", 100)[:10].tolist() == KEY.stream("a", 10).tolist()
    assert KEY.stream("a", 16).tolist() != KEY.stream("b", 16).tolist()


@given(st.integers(0, 2000))
def test_a_permutation_contains_every_number_once(count: int) -> None:
    assert sorted(KEY.permutation("order", count).tolist()) == list(range(count))


def test_permutations_are_uniform() -> None:
    """Every number takes every position equally often: chi-square, 49 degrees of freedom."""
    eighths = np.stack([np.argsort(KEY.permutation(str(i), 8)) for i in range(4000)])
    counts = np.stack([np.bincount(column, minlength=8) for column in eighths.T])
    assert ((counts - 500) ** 2 / 500).sum() < 100
