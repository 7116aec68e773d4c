"""Any text and any bytes come back exactly, up to the capacity; above it nothing is written."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.run_cli import run
from underpaint import api, media
from underpaint.errors import CapacityError
from underpaint.types import Payload

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint.types import Image

TEXTS = {
    "joined emoji": "👩‍👩‍👧‍👦🏳️‍🌈",
    "right to left": "שלום עולם",
    "Japanese": "日本語のメッセージ",
    "empty": "",
    "an option's name": "--help",
    "line ends": "a\nb\r\n",
}
CONTENTS = {
    "no byte": b"",
    "one byte": b"\xff",
    "zeros": bytes(3),
    "compressed already": gzip.compress(bytes(3000)),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_comes_back_exactly(name: str, example_files: Path) -> None:
    assert run("hide", "cover.png", "-o", "sent.png", "-m", TEXTS[name]).status == 0
    assert run("reveal", "sent.png").stdout == TEXTS[name].encode()


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_comes_back_exactly(name: str, example_files: Path) -> None:
    assert run("hide", "cover.png", "-o", "sent.png", "-f", "-", stdin=CONTENTS[name]).status == 0
    assert run("reveal", "sent.png").stdout == CONTENTS[name]


@pytest.mark.parametrize("method", ["basn", "lsb"])
def test_a_file_as_large_as_the_capacity_comes_back_and_a_larger_one_is_refused(
    method: str, small_photograph: Image, tmp_path: Path
) -> None:
    cover, container = tmp_path / "cover.png", tmp_path / "container.png"
    media.write(media.Picture(small_photograph), cover)
    most = api.capacity_file(cover)[method].payload_bytes
    data = np.random.default_rng(0).bytes(2 * most)
    with pytest.raises(CapacityError) as refused:
        api.hide_file(cover, container, Payload(data), method=method)
    assert "area" in str(refused.value.hint)
    assert not container.exists()
    api.hide_file(cover, container, Payload(data[:most]), method=method)
    assert api.reveal_file(container)[0] == Payload(data[:most])
