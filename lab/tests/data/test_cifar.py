"""CIFAR-10 and its classifiers: pictures cut out of a mosaic, answers that say where they come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from underpaint.errors import UsageError
from underpaint.models import classifiers
from underpaint_lab.data.cifar import Cifar
from underpaint_lab.nets.cifar_classifiers import HELD_OUT, NETWORKS, CamClassifier, WithCam
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.classifiers.models import ClassifierRecipe, TrainableClassifier, accuracy
from underpaint_lab.training.loop import fit
from underpaint_lab.training.run_folder import start_from

RNG = np.random.default_rng(5)


def stripes(count: int) -> Cifar:
    """Pictures of level stripes, class 0, and of upright ones, class 1."""
    wave = np.where(np.arange(32) // 4 % 2, 220, 30)[:, None, None]
    noise = RNG.integers(-20, 21, (count, 32, 32, 3))
    classes = (np.arange(count) % 2).tolist()
    return Cifar(
        "stripes",
        [(noise[i] + (wave.swapaxes(0, 1) if c else wave)).astype(np.uint8) for i, c in enumerate(classes)],
        classes,
    )


def mosaic(folder: Path, pictures: Cifar, columns: int, split: str = "train") -> Path:
    """Write *pictures* as CIFAR-10 comes, the last row filled up."""
    missing = -len(pictures) % columns
    tiles = np.stack([*pictures.pictures, *[np.zeros((32, 32, 3), np.uint8)] * missing])
    rows = tiles.reshape(-1, columns, 32, 32, 3).swapaxes(1, 2).reshape(-1, 32 * columns, 3)
    PIL.Image.fromarray(rows).save(folder / f"{split}.webp", lossless=True)
    np.savez(folder / "labels.npz", **cast("dict[str, Any]", {f"y_{split}": pictures.labels}))
    return folder


def test_pictures_are_read_from_their_mosaic(tmp_path: Path) -> None:
    pictures = stripes(7)
    read = Cifar.of(mosaic(tmp_path, pictures, columns=3))
    assert read.labels.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert all(np.array_equal(a, b) for a, b in zip(read.pictures, pictures.pictures, strict=True))
    assert read.sha256 == pictures.sha256
    with pytest.raises(UsageError, match="no pictures of CIFAR"):
        Cifar.of(tmp_path, "test")


def test_what_is_no_mosaic_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pictures of CIFAR") as raised:
        Cifar.of(tmp_path)
    assert "labels.npz" in str(raised.value.hint)
    mosaic(tmp_path, stripes(4), columns=2)
    PIL.Image.new("RGB", (64, 40)).save(tmp_path / "train.webp", lossless=True)
    with pytest.raises(UsageError, match="no pictures of CIFAR"):
        Cifar.of(tmp_path)
    PIL.Image.new("RGB", (64, 32)).save(tmp_path / "train.webp", lossless=True)
    with pytest.raises(UsageError, match="2 pictures, but 4 labels"):
        Cifar.of(tmp_path)


def test_a_batch_is_cut_from_reflected_pictures() -> None:
    pictures = [RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(3)]
    cifar = Cifar("noise", pictures, [0, 1, 2])
    for crop in (24, 32):
        batch = cifar.batch(2, size=12, crop=crop, seed=1)
        assert batch.shape == (12, 4, crop, crop)
        assert batch.dtype == torch.float32
        for planes in batch.numpy():
            padded = np.pad(pictures[int(planes[3, 0, 0])], ((4, 4), (4, 4), (0, 0)), mode="reflect")
            views = np.lib.stride_tricks.sliding_window_view(padded, (crop, crop), axis=(0, 1))
            wanted = (planes[:3] * 255).round().astype(np.uint8)
            found = [(views == each).all(axis=(2, 3, 4)).any() for each in (wanted, wanted[:, :, ::-1])]
            assert any(found)
            assert (planes[3] == planes[3, 0, 0]).all()
    with pytest.raises(UsageError, match="no crop of 41×41"):
        cifar.batch(0, size=2, crop=41, seed=0)


def test_batches_repeat_themselves_and_leave_no_picture_out() -> None:
    cifar = Cifar("levels", [np.full((32, 32, 3), i, np.uint8) for i in range(10)], range(10))
    drawn = torch.cat([cifar.batch(step, size=4, crop=32, seed=3)[:, 3, 0, 0] for step in range(5)]).tolist()
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    assert drawn[:10] != drawn[10:]
    batch = cifar.batch(4, size=12, crop=32, seed=1)
    assert torch.equal(batch, cifar.batch(4, size=12, crop=32, seed=1))
    for changed in ({"step": 5}, {"seed": 2}, {"rank": 1}):
        arguments = {"step": 4, "size": 12, "crop": 32, "seed": 1} | changed
        assert not torch.equal(batch, cifar.batch(**arguments))


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_small_and_show_what_they_went_by(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](10).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) < 1e6
    with torch.inference_mode():
        for height, width in ((32, 32), (40, 51)):
            images = torch.rand(3, 3, height, width)
            maps, odds = network.maps(images), network(images)
            assert min(maps.shape[2:]) >= 4, "a map still shows where"
            torch.testing.assert_close(network.classify(maps.mean(dim=(2, 3))), odds)
            seen = WithCam(network)(images)[1]
            assert seen.shape == (3, 1, height, width)
            torch.testing.assert_close(seen.amin(dim=(1, 2, 3)), torch.zeros(3))
            torch.testing.assert_close(seen.amax(dim=(1, 2, 3)), torch.ones(3))


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_neither_fade_nor_explode(name: str) -> None:
    torch.manual_seed(1)
    maps = NETWORKS[name](10).maps(torch.rand(32, 3, 32, 32))
    assert 0.1 < float(maps.detach().square().mean()) ** 0.5 < 10


def toy(weight: float) -> CamClassifier:
    """Two maps, red and blue, and as many classes, which see *weight* of either."""
    network = CamClassifier(nn.Sequential(nn.AvgPool2d(4)), 3, 2)
    network.classify.weight.data = weight * torch.tensor([[1.0, 0, 0], [0, 0, 1]])
    network.classify.bias.data = torch.zeros(2)
    return network


def test_attention_is_where_the_answer_comes_from() -> None:
    image = torch.full((1, 3, 32, 32), 0.5)
    image[:, 0, :16, :16] = 1
    image[:, 2, 16:, 16:] = 0.6
    seen = WithCam(toy(1.0))(image)[1][0, 0]
    assert seen[:12, :12].min() > 0.999
    assert seen[20:].max() == seen[:, 20:].max() < 0.001, "blue is not what it went by"


def test_a_level_map_shows_nothing() -> None:
    assert WithCam(toy(0.0))(torch.rand(2, 3, 32, 32))[1].abs().max() == 0


def test_three_classifiers_are_held_out() -> None:
    assert len(NETWORKS) == 7
    assert len(HELD_OUT) == 3
    assert set(HELD_OUT) < set(NETWORKS)
    for name in NETWORKS:
        assert ("for evaluation only" in RECIPES[f"cifar-{name}"].summary) == (name in HELD_OUT)
    assert not set(classifiers.names()) & {f"cifar-{name}" for name in NETWORKS}


def test_pictures_grow_while_it_learns() -> None:
    recipe = cast("ClassifierRecipe", RECIPES["cifar-densenet"].recipe)
    sides = [recipe.side(step) for step in range(recipe.steps)]
    assert sides == sorted(sides)
    assert sides[0] == 20
    assert set(sides) == {20, 24, 28, 32}
    assert sides.index(32) == recipe.steps / 2
    assert set(map(replace(recipe, first=0).side, range(recipe.steps))) == {32}
    with pytest.raises(UsageError, match="first must be 0, or 4–32, not 40"):
        replace(recipe, first=40)


def test_a_classifier_is_trained_further(tmp_path: Path) -> None:
    recipe = ClassifierRecipe(steps=1, batch=2, crop=32, classes=2, network="cifar-mobile")
    first = TrainableClassifier(recipe)
    fit(first, stripes(4), tmp_path, accelerator="cpu", progress=False)
    assert RECIPES["cifar-vgg-more"].recipe.start == "runs/cifar-vgg"
    second = TrainableClassifier(recipe)
    start_from(second, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_one_learns(tmp_path: Path) -> None:
    recipe = cast("ClassifierRecipe", RECIPES["cifar-alexnet"].recipe)
    recipe = replace(recipe, steps=20, batch=16, warmup=2, learning_rate=3e-3, classes=2, ema=0.5)
    torch.manual_seed(0)
    model = TrainableClassifier(recipe)
    fit(model, stripes(40), tmp_path, accelerator="cpu", progress=False)
    assert accuracy(model.network, stripes(30)) > 0.9
