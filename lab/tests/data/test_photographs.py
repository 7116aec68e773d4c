"""Photographs: found in folders and zip files, split by what they hold, cut the same way each time."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from underpaint import media
from underpaint.errors import ImageError, UsageError
from underpaint.media import samples
from underpaint.types import Image
from underpaint_lab.data.photographs import Photographs

RNG = np.random.default_rng(2)


def noise(height: int, width: int) -> Image:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def write(target: Path, pixels: Image) -> bytes:
    target.parent.mkdir(parents=True, exist_ok=True)
    media.write(media.Picture(pixels), target)
    return target.read_bytes()


def same(one: Photographs, other: Photographs) -> bool:
    pairs = zip(one.pictures, other.pictures, strict=True)
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in pairs)


def test_folders_and_zip_files_hold_the_same(tmp_path: Path) -> None:
    pictures = {"deep.png": noise(20, 30), "deep/er/b.webp": noise(31, 20), "deep/c.BMP": noise(5, 5)}
    for name, pixels in pictures.items():
        write(tmp_path / "folder" / name, pixels)
    for name in (".hidden.png", "deep/.cache/x.png", "notes.txt"):
        (tmp_path / "folder" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(b"no picture")
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as archive:
        for name in (*reversed(pictures), ".hidden.png", "notes.txt"):
            archive.write(tmp_path / "folder" / name, name)
        archive.writestr("__MACOSX/._a.png", b"no picture")
    folder, zipped = Photographs.open(tmp_path / "folder"), Photographs.open(tmp_path / "zipped.zip")
    assert [picture.shape for picture in folder.pictures] == [(5, 5, 3), (31, 20, 3), (20, 30, 3)]
    np.testing.assert_array_equal(folder.pictures[2], pictures["deep.png"])
    assert (folder.name, zipped.name) == ("folder", "zipped.zip")
    assert same(folder, zipped)
    assert folder.sha256 == zipped.sha256
    (tmp_path / "zipped.zip").rename(tmp_path / "folder" / "b.zip")
    assert len(Photographs.open(tmp_path / "folder")) == 6
    assert len(Photographs.open(tmp_path / "folder" / "deep.png")) == 1


def test_the_hash_is_of_pixels_and_their_places() -> None:
    one, two = noise(4, 6), noise(4, 6)
    hashes = [Photographs("x", pictures).sha256 for pictures in ([one, two], [two, one], [one], [one.reshape(6, 4, 3)])]
    assert len(set(hashes)) == 4
    assert Photographs("y", [one.copy(), two]).sha256 == hashes[0]


def test_splits_follow_from_the_files_alone(tmp_path: Path) -> None:
    for index in range(60):
        write(tmp_path / "one" / f"{index:02}.bmp", noise(1, 1 + index))
    parts = {split: Photographs.open(tmp_path / "one", split=split, share=0.3) for split in ("train", "held-out")}
    widths = {split: {picture.shape[1] for picture in part.pictures} for split, part in parts.items()}
    assert widths["train"] | widths["held-out"] == set(range(1, 61))
    assert not widths["train"] & widths["held-out"]
    assert 8 <= len(widths["held-out"]) <= 28  # 18, give or take three standard deviations
    for index in range(0, 60, 2):  # other names, other neighbours
        (tmp_path / "two").mkdir(exist_ok=True)
        (tmp_path / "one" / f"{index:02}.bmp").rename(tmp_path / "two" / f"{99 - index}.bmp")
    held_out = Photographs.open(tmp_path / "two", split="held-out", share=0.3)
    assert {picture.shape[1] for picture in held_out.pictures} == {w for w in widths["held-out"] if w % 2}
    assert len(Photographs.open(tmp_path / "two", split="train", share=0)) == 30
    with pytest.raises(UsageError, match="no photographs"):
        Photographs.open(tmp_path / "two", split="held-out", share=0)
    with pytest.raises(UsageError, match="share"):
        Photographs.open(tmp_path / "two", share=1.5)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no "):
        Photographs.open(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no photographs in empty"):
        Photographs.open(tmp_path / "empty")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(ImageError, match=r"cannot read .*broken\.zip"):
        Photographs.open(tmp_path / "broken.zip")
    with zipfile.ZipFile(tmp_path / "holds.zip", "w") as archive:
        archive.writestr("in/cut.png", write(tmp_path / "whole.png", noise(9, 9))[:40])
    with pytest.raises(ImageError, match=r"holds\.zip: in/cut\.png: damaged"):
        Photographs.open(tmp_path / "holds.zip")


def test_a_batch_is_a_function_of_its_arguments() -> None:
    photographs = Photographs("noise", [noise(40, 50) for _ in range(6)])

    def batch(step: int = 3, seed: int = 1, rank: int = 0) -> torch.Tensor:
        return photographs.batch(step, size=4, crop=16, seed=seed, rank=rank)

    first = batch()
    torch.manual_seed(99)
    assert torch.equal(batch(), first)
    assert torch.equal(pickle.loads(pickle.dumps(photographs)).batch(3, size=4, crop=16, seed=1), first)  # noqa: S301
    others = batch(step=4), batch(seed=2), batch(rank=1)
    assert not any(torch.equal(other, first) for other in others)
    assert (first.dtype, first.shape, first.is_contiguous()) == (torch.float32, (4, 3, 16, 16), True)


def test_crops_are_windows_of_a_photograph_mirrored() -> None:
    """Each crop, if there is no room for another scale, is found in the photograph, value by value."""
    photograph = noise(8, 20)
    crops = Photographs("noise", [photograph]).batch(0, size=64, crop=8, seed=0).numpy()
    pixels = (crops * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(pixels.transpose(0, 3, 1, 2) / np.float32(255), crops)
    mirrored = {(v, h): photograph[::v, ::h] for v in (1, -1) for h in (1, -1)}
    found = set()
    for crop in pixels:
        places = [(*flip, x) for flip, p in mirrored.items() for x in range(13) if (p[:, x : x + 8] == crop).all()]
        assert len(places) == 1
        found |= set(places)
    assert {place[:2] for place in found} == set(mirrored)
    assert len({place[2] for place in found}) == 13


def test_crops_are_of_every_scale_and_never_enlarged() -> None:
    """A slope of one grey level per pixel: how steep it is in a crop says how much was reduced."""
    slope = np.repeat(np.tile(np.arange(128, dtype=np.uint8), (64, 1))[:, :, None], 3, axis=2)
    crops = Photographs("slope", [slope, noise(15, 300)]).batch(0, size=200, crop=16, seed=0)
    steps = (crops[:, 0, :, -1] - crops[:, 0, :, 0]).mean(1).abs() * 255 / 15
    assert 0.95 < steps.min() < 1.1
    assert 3.5 < steps.max() < 4.1
    assert 0.35 < (steps < 2).float().mean() < 0.65  # half of them, on a logarithmic scale
    with pytest.raises(UsageError, match="large enough for a crop of 65×65"):
        Photographs("slope", [slope]).batch(0, size=1, crop=65, seed=0)


def test_reducing_keeps_what_the_eye_sees() -> None:
    photograph = media.read(samples.path("chelsea")).pixels[:64, :64]
    expected = np.asarray(PIL.Image.fromarray(photograph).reduce(2)) / 255
    crops = Photographs("cat", [photograph]).batch(0, size=200, crop=32, seed=4).permute(0, 2, 3, 1).numpy()
    nearest = min(float(np.abs(crop - expected[::v, ::h]).mean()) for crop in crops for v in (1, -1) for h in (1, -1))
    assert nearest < 0.02
