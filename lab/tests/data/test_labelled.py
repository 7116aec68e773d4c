"""Labelled pictures: reading, hash and batches."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from lab_support.labelled import stripes, write
from underpaint.errors import ImageError, UsageError
from underpaint_lab.data.labelled import Labelled


def test_labelled_pictures_are_read_by_split(tmp_path: Path) -> None:
    train, val = stripes(5), stripes(3)
    write(tmp_path, train)
    write(tmp_path, val, "val")
    read = Labelled.of(tmp_path)
    assert read.labels.tolist() == [0, 1, 0, 1, 0]
    assert all(np.array_equal(a, b) for a, b in zip(read.pictures, train.pictures, strict=True))
    assert read.sha256 == train.sha256
    assert Labelled.of(tmp_path, "val").labels.tolist() == [0, 1, 0]


def test_missing_or_damaged_labels_are_refused(tmp_path: Path) -> None:
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


def test_hash_includes_the_labels() -> None:
    pictures = stripes(2)
    other = Labelled("stripes", pictures.pictures, [1, 1])
    assert pictures.sha256 == Labelled("renamed", pictures.pictures, pictures.labels.tolist()).sha256
    assert pictures.sha256 != other.sha256


def test_batches_are_reproducible_and_carry_classes() -> None:
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
