"""Classifiers: called as torchvision calls them, of any size, trained on labelled pictures by the lab's own loop."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import PIL.Image
import pytest
import torch

from lab_support.run_lab import run
from underpaint.errors import ImageError, ModelError, UsageError
from underpaint_lab.data.augment import toned
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.export.from_zoo import from_zoo_cifar
from underpaint_lab.nets.classifiers import CLASSIFIERS, HELD_OUT
from underpaint_lab.nets.resnet import MEAN, STD, ResNet18, normalise_imagenet, resnet18
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.classifiers.models import ClassifierRecipe, TrainableClassifier, accuracy, cutmix
from underpaint_lab.training.loop import fit
from underpaint_lab.training.run_folder import learned

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small only lose time to more."""
    torch.set_num_threads(1)


def stripes(count: int, side: int = 40) -> Labelled:
    """Pictures of level stripes, class 0, and of upright ones, class 1."""
    wave = np.where(np.arange(side) // 4 % 2, 220, 30)[:, None, None]
    pictures, labels = [], []
    for label in np.arange(count) % 2:
        noise = RNG.integers(-20, 21, (side, side, 3))
        pictures.append((noise + (wave.transpose(1, 0, 2) if label else wave)).astype(np.uint8))
        labels.append(int(label))
    return Labelled("stripes", pictures, labels)


def official_names() -> Iterator[str]:
    """The tensors of torchvision's resnet18."""

    def norm(name: str) -> list[str]:
        return [f"{name}.{kind}" for kind in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]

    yield from ("conv1.weight", *norm("bn1"))
    for layer in range(1, 5):
        for block in range(2):
            at = f"layer{layer}.{block}"
            for number in (1, 2):
                yield from (f"{at}.conv{number}.weight", *norm(f"{at}.bn{number}"))
            if layer > 1 and not block:
                yield from (f"{at}.downsample.0.weight", *norm(f"{at}.downsample.1"))
    yield from ("fc.weight", "fc.bias")


def test_the_resnet_has_the_official_tensors() -> None:
    network = ResNet18()
    state = network.state_dict()
    assert list(state) == list(official_names())
    assert len(state) == 122
    assert sum(parameter.numel() for parameter in network.parameters()) == 11_689_512, "as torchvision documents"
    shapes = {"conv1.weight": (64, 3, 7, 7), "layer4.0.downsample.0.weight": (512, 256, 1, 1), "fc.weight": (1000, 512)}
    assert {name: tuple(state[name].shape) for name in shapes} == shapes


def test_weights_come_from_a_file_with_their_width(tmp_path: Path) -> None:
    network = ResNet18(classes=7, width=8).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    images = torch.rand(2, 3, 40, 56)
    with torch.inference_mode():
        assert torch.equal(resnet18(tmp_path / "weights.pth")(images), network(images))
        assert network.features(images).shape == (2, 16, 5, 7)


@pytest.mark.parametrize("content", [None, b"no weights", {"fc.weight": torch.ones(3, 4)}, {"fc.weight": Path()}])
def test_what_is_no_resnet_is_refused(tmp_path: Path, content: object) -> None:
    file = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content:
        torch.save(content, file)
    with pytest.raises(ModelError, match="no weights of a ResNet-18") as raised:
        resnet18(file)
    assert "torchvision" in str(raised.value.hint)


def test_colours_are_normalised_as_on_imagenet() -> None:
    images = torch.rand(2, 3, 4, 5)
    wanted = (images.permute(0, 2, 3, 1) - torch.tensor(MEAN)) / torch.tensor(STD)
    torch.testing.assert_close(normalise_imagenet(images), wanted.permute(0, 3, 1, 2))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_are_small_and_take_any_size(name: str) -> None:
    network = CLASSIFIERS[name](50).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) < (3e6 if name == "resnet" else 1.5e6)
    with torch.inference_mode():
        for height, width in ((64, 64), (32, 47)):
            images = torch.rand(2, 3, height, width)
            assert network(images).shape == (2, 50)
            reduced = 4 if name == "mixer" else 8
            wanted = (
                -(-side // reduced) if name in ("resnet", "mobile") else side // reduced for side in (height, width)
            )
            assert network.features(images).shape[2:] == tuple(wanted)


def test_two_of_them_only_judge() -> None:
    assert len(CLASSIFIERS) >= 4
    assert len(HELD_OUT) == 2
    assert set(HELD_OUT) < set(CLASSIFIERS)
    for name in CLASSIFIERS:
        assert ("only judges" in RECIPES[f"classifier-{name}"].summary) == (name in HELD_OUT)


def write(folder: Path, pictures: Labelled, split: str = "train") -> Path:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{split}.zip", "w") as archive, (folder / "labels.csv").open("a") as file:
        rows = csv.writer(file)
        if not file.tell():
            rows.writerow(("split", "file", "label"))
        for index, (picture, label) in enumerate(zip(pictures.pictures, pictures.labels, strict=True)):
            with archive.open(f"{index}.png", "w") as member:
                PIL.Image.fromarray(picture).save(member, "PNG")
            rows.writerow((split, f"{index}.png", label))
    return folder


def test_labelled_pictures_are_read_by_split(tmp_path: Path) -> None:
    train, val = stripes(5), stripes(3)
    write(tmp_path, train)
    write(tmp_path, val, "val")
    read = Labelled.of(tmp_path)
    assert read.labels.tolist() == [0, 1, 0, 1, 0]
    assert all(np.array_equal(a, b) for a, b in zip(read.pictures, train.pictures, strict=True))
    assert read.sha256 == train.sha256
    assert Labelled.of(tmp_path, "val").labels.tolist() == [0, 1, 0]


def test_what_has_no_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no labelled pictures") as raised:
        Labelled.of(tmp_path)
    assert "labels.csv" in str(raised.value.hint)
    write(tmp_path, stripes(2))
    for damage in ("split,file,label\ntrain,0.png,cat\n", "split,file,label\ntrain,9.png,1\n", "file\n0.png\n"):
        (tmp_path / "labels.csv").write_text(damage)
        with pytest.raises(UsageError, match="no labelled pictures"):
            Labelled.of(tmp_path)
    (tmp_path / "labels.csv").write_text("split,file,label\ntrain,x.png,0\n")
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        archive.writestr("x.png", b"no picture")
    with pytest.raises(ImageError, match="cannot read a picture"):
        Labelled.of(tmp_path)
    with pytest.raises(UsageError, match="1 pictures, but 2 labels"):
        Labelled("few", stripes(1).pictures, [0, 1])


def test_the_hash_is_of_labels_too() -> None:
    pictures = stripes(2)
    other = Labelled("stripes", pictures.pictures, [1, 1])
    assert pictures.sha256 == Labelled("renamed", pictures.pictures, pictures.labels.tolist()).sha256
    assert pictures.sha256 != other.sha256


def test_batches_repeat_themselves_and_know_their_classes() -> None:
    flat = Labelled("flat", [np.full((40, 50, 3), value, np.uint8) for value in (0, 51, 255)], [0, 1, 2])
    batch = flat.batch(4, size=12, crop=24, seed=1)
    assert batch.shape == (12, 4, 24, 24)
    assert batch.dtype == torch.float32
    values = torch.tensor([0, 0.2, 1])[batch[:, 3].long()]
    torch.testing.assert_close(batch[:, :3], values[:, None].expand(-1, 3, -1, -1))
    assert torch.equal(batch, flat.batch(4, size=12, crop=24, seed=1))
    for changed in ({"step": 5}, {"seed": 2}, {"rank": 1}):
        arguments = {"step": 4, "size": 12, "crop": 24, "seed": 1} | changed
        assert not torch.equal(batch, flat.batch(**arguments))


def test_what_is_pasted_says_how_much_there_is_of_it() -> None:
    images = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 4, 20, 30)
    shares = []
    for seed in range(200):
        mixed = cutmix(images, np.random.default_rng(seed))
        foreign = mixed != images
        assert torch.equal(mixed[foreign], images.roll(1, dims=0)[foreign])
        assert torch.equal(foreign[0, 0], foreign[2, 3])
        rows, columns = foreign[0, 0].any(1).sum(), foreign[0, 0].any(0).sum()
        assert foreign[0, 0].sum() == rows * columns, "one rectangle"
        shares.append(float(foreign.float().mean()))
    assert 0.2 < np.mean(shares) < 0.5


def test_tones_change_and_stay_in_range() -> None:
    images = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(toned(images, 0.0, np.random.default_rng(0)), images, atol=1e-6)
    seen = toned(images, 0.5, np.random.default_rng(0))
    assert (float(seen.min()), float(seen.max())) == (0.0, 1.0)
    light = seen.mean(dim=(1, 2, 3)) - images.mean(dim=(1, 2, 3))
    assert 0.1 < float(light.std()) < 0.2, "each has its own"
    grey = images[:, :1].expand(-1, 3, -1, -1)
    assert float(toned(grey, 0.5, np.random.default_rng(1)).std(dim=1).max()) < 1e-6, "saturation leaves grey alone"


def test_teachers_are_half_of_the_answer() -> None:
    batch = torch.rand(4, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    batch[:, 3] = 3
    recipe = ClassifierRecipe(
        steps=1, batch=4, crop=32, network="cifar-alexnet", classes=10, cutmix=0, smoothing=0, teachers=("alexnet",)
    )
    model = TrainableClassifier(recipe).eval()
    assert not any("teacher" in name for name in model.state_dict()), "they are no part of it"
    ((part, losses),) = model.losses(batch, 0, np.random.default_rng(0))
    odds = model.network(batch[:, :3]).log_softmax(dim=1)
    said = from_zoo_cifar("alexnet")(batch[:, :3]).softmax(dim=1)
    expected = -(odds[:, 3].mean() + (said * odds).sum(dim=1).mean()) / 2
    assert part == "network"
    torch.testing.assert_close(losses["surprise"], expected)


@pytest.mark.parametrize("wrong", [{"network": "resnet50"}, {"classes": 1}, {"pasted": 1.5}, {"tones": -0.1}])
def test_recipes_say_what_is_wrong(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong)) if "network" not in wrong else "no classifier is called"):
        replace(ClassifierRecipe(steps=1, batch=1, crop=32), **wrong)  # type: ignore[arg-type]


def test_more_classes_than_expected_are_refused() -> None:
    model = TrainableClassifier(ClassifierRecipe(steps=1, batch=4, crop=32, network="classifier-mobile", classes=2))
    batch = Labelled("three", stripes(3).pictures, [0, 1, 2]).batch(0, size=12, crop=32, seed=0)
    with pytest.raises(UsageError, match="more than 2 classes") as raised:
        next(model.losses(batch, 0, np.random.default_rng(0)))
    assert raised.value.hint == "set classes=3, or more"


def test_a_classifier_learns(tmp_path: Path) -> None:
    recipe = ClassifierRecipe(
        steps=25, batch=16, crop=32, learning_rate=3e-3, network="classifier-resnet", classes=2, cutmix=0.3
    )
    torch.manual_seed(0)
    model = TrainableClassifier(recipe)
    fit(model, stripes(40), tmp_path, accelerator="cpu", progress=False)
    assert accuracy(model.network, stripes(30, side=32)) > 0.9
    weights = learned(tmp_path, "network")
    assert list(weights) == list(official_names())
    assert torch.equal(weights["fc.bias"], model.network.state_dict()["fc.bias"])
    with pytest.raises(ModelError, match="has no part 'decoder'"):
        learned(tmp_path, "decoder")
    with pytest.raises(ModelError, match="there is no checkpoint"):
        learned(tmp_path / "elsewhere", "network")


def test_the_command_line_trains_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "labelled", stripes(4))
    settings = [word for setting in ("steps=1", "batch=2", "crop=32", "classes=2") for word in ("--set", setting)]
    outcome = run("train", "classifier-mobile", "--data", "labelled", *settings)
    assert outcome.stderr == "trained classifier-mobile for 1 steps: runs/classifier-mobile/checkpoint.pt\n"
    record = json.loads(Path("runs/classifier-mobile/recipe.json").read_text(encoding="utf-8"))
    assert cast("dict[str, object]", record["data"])["pictures"] == 4
    refused = run("train", "classifier-mobile", "--data", "nowhere")
    assert refused.status == 2
    assert "nowhere has no labelled pictures" in refused.stderr
