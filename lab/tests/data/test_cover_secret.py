"""Pairs of a cover and a secret: their choice, and its repetition."""

import gzip
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from underpaint.errors import UsageError
from underpaint_lab.data import cover_secret
from underpaint_lab.data.cifar import Cifar
from underpaint_lab.data.cover_secret import CoverSecretPairs
from underpaint_lab.data.photographs import Photographs


def flat(*levels: int) -> list[np.ndarray]:
    return [np.full((40, 48, 3), level, np.uint8) for level in levels]


def test_a_couple_is_a_cover_and_a_secret() -> None:
    both = CoverSecretPairs(Photographs("bright", flat(200, 210)), Photographs("dark", flat(10, 20)))
    batch = both.batch(3, size=8, crop=32, seed=1)
    assert batch.shape == (8, 6, 32, 32)
    assert batch.dtype == torch.float32
    assert batch[:, :3].min() > 0.7
    assert batch[:, 3:].max() < 0.1
    assert (both.name, len(both)) == ("dark in bright", 4)


def test_halves_take_turns_and_never_meet() -> None:
    halves = [Photographs("all", flat(*levels)) for levels in ((0, 1, 2), (100, 101, 102))]
    both = CoverSecretPairs(*halves, turns=True)
    first, second = (both.batch(step, size=6, crop=32, seed=0) for step in (0, 1))
    assert first[:, :3].max() < 0.1 < first[:, 3:].min()
    assert second[:, 3:].max() < 0.1 < second[:, :3].min()


def test_batches_follow_from_seed_and_step() -> None:
    rng = np.random.default_rng(0)
    sets = [Photographs(name, [rng.integers(256, size=(64, 64, 3), dtype=np.uint8)]) for name in "ab"]
    both = CoverSecretPairs(*sets)
    assert torch.equal(both.batch(5, size=4, crop=32, seed=2), both.batch(5, size=4, crop=32, seed=2))
    for other in ({"step": 6}, {"seed": 3}, {"rank": 1}):
        asked = {"step": 5, "seed": 2} | other
        assert not torch.equal(both.batch(5, size=4, crop=32, seed=2), both.batch(size=4, crop=32, **asked))


def test_a_cover_and_a_secret_are_cut_at_different_places() -> None:
    ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)[..., None].repeat(3, 2)
    both = CoverSecretPairs(Photographs("a", [ramp]), Photographs("b", [ramp]))
    batch = both.batch(0, size=4, crop=32, seed=0)
    assert not torch.equal(batch[:, :3], batch[:, 3:])


def test_the_hash_tells_covers_from_secrets() -> None:
    one, other = Photographs("a", flat(1)), Photographs("b", flat(2))
    assert CoverSecretPairs(one, other).sha256 != CoverSecretPairs(other, one).sha256


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "mnist").mkdir()
    mosaic = rng.integers(256, size=(64, 64, 3), dtype=np.uint8)
    PIL.Image.fromarray(mosaic).save(tmp_path / "cifar10" / "train.webp", lossless=True)
    np.savez(tmp_path / "cifar10" / "labels.npz", y_train=np.arange(4))
    pictures = np.arange(3, dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2) + 50
    header = np.array([0x803, 3, 28, 28], ">u4").tobytes()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + pictures.tobytes()))
    return tmp_path


def test_cifar_is_halved(data: Path) -> None:
    both = cover_secret.cifar(data / "cifar10")
    assert isinstance(both.covers, Cifar)
    assert (len(both.covers), len(both.secrets), both.turns) == (2, 2, True)
    assert both.batch(0, size=2, crop=32, seed=0).shape == (2, 6, 32, 32)


def test_digits_get_a_black_border(data: Path) -> None:
    found = cover_secret.digits(data / "mnist")
    assert found.shape == (3, 32, 32, 3)
    assert (found[1, 2:30, 2:30] == 51).all()
    assert found[:, :2].max() == found[:, :, 30:].max() == 0
    assert cover_secret.mnist(data).name == "mnist in cifar10"


@pytest.mark.parametrize("content", [b"", gzip.compress(b"short", mtime=0), gzip.compress(bytes(16), mtime=0)])
def test_broken_digits_are_refused(data: Path, content: bytes) -> None:
    (data / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(UsageError, match="no pictures of MNIST"):
        cover_secret.digits(data / "mnist")


def test_photographs_are_halved(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(20):
        PIL.Image.fromarray(rng.integers(256, size=(40, 40, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    both = cover_secret.photographs(tmp_path)
    assert abs(len(both.covers) - len(both.secrets)) <= 1
    assert both.batch(0, size=2, crop=32, seed=0).shape == (2, 6, 32, 32)
