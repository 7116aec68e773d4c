"""Faces: who is in which split, whom a batch shows, which pairs are compared."""

import io
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from underpaint.errors import ImageError, UsageError
from underpaint_lab.data.faces import TOGETHER, Faces, KnownPairs, covers, faces, objects, pairs
from underpaint_lab.data.photographs import Photographs

PEOPLE, PICTURES = 20, 6


def jpeg(level: int) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.full((40, 40, 3), level, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces that are as bright as their person's number, dark textures, and objects."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("faces", "textures", "tiny-imagenet"):
        (folder / name).mkdir()
    rows = ["file,identity,split"]
    with zipfile.ZipFile(folder / "faces" / "few.zip", "w") as archive:
        for person in range(PEOPLE):
            for number in range(PICTURES):
                rows.append(f"p{person}/{number}.jpg,p{person},train")
                archive.writestr(f"p{person}/{number}.jpg", jpeg(50 + 10 * person))
    (folder / "faces" / "few.csv").write_text("\n".join(rows))
    with zipfile.ZipFile(folder / "textures" / "textures.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.jpg", jpeg(number))
    with zipfile.ZipFile(folder / "tiny-imagenet" / "train.zip", "w") as archive:
        archive.writestr("cat.jpg", jpeg(200))
    (folder / "tiny-imagenet" / "labels.csv").write_text("split,file,label\ntrain,cat.jpg,7\n")
    return folder


def brightness(found: Photographs) -> set[int]:
    return {int(picture.mean().round()) for picture in found.pictures}


def test_nobody_is_in_two_splits(data: Path) -> None:
    train, val, test = (Faces.of(data / "faces", split) for split in ("train", "val", "test"))
    assert [len(each) // PICTURES for each in (train, val, test)] == [12, 2, 6]
    assert not brightness(train) & brightness(val)
    assert not (brightness(train) | brightness(val)) & brightness(test)
    assert len(set(train.labels.tolist())) == 12


def test_a_batch_has_several_pictures_of_each_person(data: Path) -> None:
    found = Faces.of(data / "faces")
    batch = found.batch(3, size=3 * TOGETHER, crop=16, seed=1)
    assert batch.shape == (12, 4, 16, 16)
    people = batch[:, 3, 0, 0].reshape(3, TOGETHER).numpy()
    assert (people == people[:, :1]).all()
    assert len(np.unique(people)) == 3
    assert torch.equal(batch, found.batch(3, size=12, crop=16, seed=1))
    assert found.batch(0, size=5, crop=16, seed=1).shape[0] == 5
    assert found.batch(0, size=80, crop=16, seed=1).shape[0] == 80


def test_a_known_couple_is_a_cover_a_secret_and_its_class(data: Path) -> None:
    batch = faces(data).batch(0, size=8, crop=32, seed=0)
    assert batch.shape == (8, 7, 32, 32)
    assert batch[:, :3].max() < 0.1 < batch[:, 3:6].min()
    assert (batch[:, 6] == batch[:, 6, :1, :1]).all()
    kinds = objects(data)
    assert isinstance(kinds, KnownPairs)
    assert set(kinds.batch(0, size=2, crop=32, seed=0)[:, 6].flatten().tolist()) == {7}


def test_no_cover_is_in_both_splits(data: Path) -> None:
    for pool in ("textures", "faces"):
        train, test = (covers(data, pool, split) for split in ("train", "test"))
        assert not brightness(train) & brightness(test)
    assert len(covers(data)) + len(covers(data, split="test")) == 20


def test_pairs_are_balanced_in_every_fold_and_fixed() -> None:
    labels = np.arange(6).repeat(5)
    first, second, same = pairs(labels, each=5, folds=4)
    assert (labels[first] == labels[second]).tolist() == same.tolist()
    assert same.reshape(4, 10).sum(axis=1).tolist() == [5] * 4
    assert len(set(zip(first.tolist(), second.tolist(), strict=True))) == 40
    assert (first < second).all()
    again = pairs(labels, each=5, folds=4)
    assert all(np.array_equal(*both) for both in zip(again, (first, second, same), strict=True))
    assert not np.array_equal(pairs(labels, each=5, folds=4, seed=1).first, first)


def test_more_pairs_than_there_are_are_refused() -> None:
    with pytest.raises(UsageError, match="no 20 pairs"):
        pairs(np.arange(6).repeat(2), each=5, folds=4)


def test_folders_without_faces_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no faces"):
        Faces.of(tmp_path)
    (tmp_path / "one.csv").write_text("file,identity\na.jpg,a")
    with pytest.raises(UsageError, match="no faces"):
        Faces.of(tmp_path)
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.writestr("a.jpg", b"no picture")
    with pytest.raises(ImageError, match="cannot read a picture"):
        Faces.of(tmp_path)
