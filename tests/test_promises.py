"""Exactness and false positives over thousands of pictures; takes minutes: `make slow`.

UNDERPAINT_PICTURES names a folder of photographs to use instead of the two samples.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from support.shared_pictures import pictures_in, spread
from underpaint import api, media
from underpaint.errors import (
    CapacityError,
    ImageError,
    NotFoundError,
    PayloadError,
    SurvivalError,
    UnderpaintError,
    UsageError,
)
from underpaint.methods import EXACT, METHODS, Method
from underpaint.types import Image, Payload

pytestmark = pytest.mark.slow

FOLDER = os.environ.get("UNDERPAINT_PICTURES")
ROUND_TRIPS = 1000
UNMARKED = 10_000
WRONG = 1000
#: Extensions a container may have, with the quality to write it at.
OUTPUTS = (
    *((".png", None), (".png", None), (".tiff", None), (".bmp", None), (".webp", None), (".jp2", None)),
    *((".jpg", None), (".jpg", 80), (".webp", 85), (".avif", None), (".avif", 75), (".jp2", 42)),
)
#: Longest payload of each method, as a power of ten of bytes: within the capacity of most pictures.
MAX_LOG_SIZE = {"stdm": 2.5, "robust": 1.5, "robust-picture": 2.5, "basn": 5.0, "basn-stc": 5.0, "lsb": 5.5}
MODES = ("RGB", "RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16")


def photograph(rng: np.random.Generator, height: int, width: int) -> Image:
    """Return a random piece of a random photograph: scaled, perhaps mirrored, with random brightness."""
    pictures = pictures_in(Path(FOLDER) if FOLDER else None)
    pixels = media.read(pictures[rng.integers(len(pictures))]).pixels
    tall, wide, _ = pixels.shape
    scale = max(height / tall, width / wide, rng.uniform(0.3, 1.5))
    pixels = np.asarray(Pillow.fromarray(pixels).resize((int(wide * scale) + 1, int(tall * scale) + 1)))
    top, left = rng.integers(0, pixels.shape[0] - height + 1), rng.integers(0, pixels.shape[1] - width + 1)
    pixels = pixels[top : top + height, left : left + width, :: rng.choice([-1, 1])]
    return np.asarray(np.clip(np.rint(pixels * rng.uniform(0.5, 1.4)), 0, 255), np.uint8)


def round_trip(seed: int) -> str:
    """Hide a random payload in a random cover; return ``exact`` or the name of the error."""
    rng = np.random.default_rng(seed)
    height, width = (int(64 * (4000 / 64) ** rng.beta(1, 1.7)) for _ in range(2))
    method = tuple(EXACT)[seed % len(EXACT)]
    exact_only = EXACT[method].needs_lossless and rng.random() < 0.8  # a lossy file is refused
    suffix, quality = OUTPUTS[rng.integers(6 if exact_only else len(OUTPUTS))]
    mode = str(rng.choice(MODES))
    data = rng.bytes(int(10 ** rng.uniform(0, MAX_LOG_SIZE[method])))
    payload = Payload(data) if rng.random() < 0.5 else Payload.from_text("naïve 🖼 " + data.hex())
    passphrase = str(rng.choice(["", "pass", "pässword 🔑"])) or None
    folder = Path(os.environ["PYTEST_ROUND_TRIPS"], str(seed))
    folder.mkdir()
    cover, container = folder / f"cover{'.tif' if mode == 'CMYK' else '.png'}", folder / f"container{suffix}"
    pixels = photograph(rng, height, width)
    if mode == "I;16":
        picture = Pillow.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    else:
        picture = Pillow.fromarray(pixels).convert(mode)
    picture.save(cover)
    refusal: UnderpaintError | None = None
    try:
        api.hide_file(cover, container, payload, method=method, passphrase=passphrase, quality=quality)
    except (CapacityError, SurvivalError, UsageError, ImageError) as error:
        refusal = error
    if refusal:
        assert not container.exists()
        assert refusal.hint
        return type(refusal).__name__
    revealed, by, _ = api.reveal_file(container, passphrase=passphrase)
    assert (revealed, by) == (payload, method)
    with pytest.raises(PayloadError):
        api.reveal_file(container, passphrase="another")
    again = folder / "again.png"
    api.attack_file(container, "jpeg:30 | webp:20", again)
    with suppress(PayloadError):  # beyond the promise; still the payload or an error
        assert api.reveal_file(again, passphrase=passphrase)[0] == payload
    for file in folder.iterdir():
        file.unlink()
    return "exact"


def test_a_payload_comes_back_exactly_or_hiding_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ROUND_TRIPS", str(tmp_path))
    outcomes = spread(round_trip, range(ROUND_TRIPS))
    counts = {outcome: outcomes.count(outcome) for outcome in set(outcomes)}
    print("\nround trips:", counts)
    assert counts["exact"] > ROUND_TRIPS // 2


#: One in so many crops is searched with a passphrase too: LSB derives a key for each crop, robust searches for long.
PASSPHRASE_EVERY = {"stdm": 1, "robust": 10, "robust-picture": 1, "lsb": 50}


def false_positives(seed: int) -> int:
    """Return how many payloads are found in a hundred unmarked crops."""
    rng = np.random.default_rng(seed)
    found = 0
    for number in range(100):
        crop = photograph(rng, *rng.integers(64, 257, 2))
        if number % 3 == 0:
            buffer = io.BytesIO()
            Pillow.fromarray(crop).save(buffer, "JPEG", quality=int(rng.integers(20, 96)))
            crop = media.decode(buffer.getvalue()).pixels
        asked: list[tuple[Method, str | None]] = [(method, None) for method in METHODS.values()]
        asked += [(METHODS[name], "a passphrase") for name, every in PASSPHRASE_EVERY.items() if number % every == 0]
        for method, passphrase in asked:
            try:
                method.reveal(crop, passphrase)
            except NotFoundError:
                continue
            found += 1
    return found


def test_unmarked_pictures_reveal_nothing() -> None:
    assert sum(spread(false_positives, range(UNMARKED // 100))) == 0


def wrong_passphrases(seed: int) -> int:
    """Return how many of ten wrong passphrases reveal a payload, over a container of each method."""
    rng = np.random.default_rng(seed)
    cover = photograph(rng, 192, 256)
    found = 0
    for method in EXACT.values():
        with suppress(CapacityError, SurvivalError):
            container = method.hide(cover, Payload(rng.bytes(8)), "the passphrase", psnr=None, survive=None)
            for number in range(10):
                with suppress(NotFoundError):
                    method.reveal(container, f"{seed} {number}")
                    found += 1
    return found


def test_wrong_passphrases_reveal_nothing() -> None:
    assert sum(spread(wrong_passphrases, range(WRONG // 10))) == 0
