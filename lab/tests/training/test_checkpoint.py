"""Damaged and foreign checkpoints and records are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from lab_support.toy import toy, train
from underpaint.errors import ModelError
from underpaint_lab.training.loop import restore
from underpaint_lab.training.run_folder import provenance


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_a_damaged_checkpoint_is_an_error(tmp_path: Path, damage: str) -> None:
    model = train(tmp_path, steps=2)
    file = tmp_path / "checkpoint.pt"
    data = bytearray(file.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "flipped":
        data[data.index(model.state_dict()["coder.1.running_var"].numpy().tobytes())] ^= 1  # one bit of one weight
    elif damage == "empty":
        data.clear()
    file.write_bytes(data)
    if damage == "other":
        torch.save({"step": 2}, file)
    for use in (lambda: train(tmp_path, steps=2), lambda: restore(toy(), tmp_path), lambda: provenance(tmp_path)):
        with pytest.raises(ModelError, match=r"checkpoint\.pt is damaged") as caught:
            use()
        assert "delete it" in str(caught.value.hint)


def test_a_checkpoint_cannot_execute_anything(tmp_path: Path) -> None:
    train(tmp_path, steps=1)
    torch.save({"step": Path}, tmp_path / "checkpoint.pt")
    with pytest.raises(ModelError, match="damaged"):
        restore(toy(), tmp_path)


def test_a_checkpoint_of_another_network_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, toy(interrupted_at=3))
    larger = toy()
    larger.coder[2] = nn.Conv2d(6, 3, 3)
    with pytest.raises(ModelError, match="of another network"):
        train(tmp_path, larger)
    with pytest.raises(ModelError, match="of another network"):
        restore(larger, tmp_path)
    with pytest.raises(ModelError, match="there is no checkpoint"):
        restore(toy(), tmp_path / "nowhere")


def test_a_damaged_record_is_an_error(tmp_path: Path) -> None:
    train(tmp_path, steps=1)
    record = json.loads((tmp_path / "recipe.json").read_text(encoding="utf-8"))
    for damaged in ("[]", json.dumps(record | {"recipe": 5})):
        (tmp_path / "recipe.json").write_text(damaged, encoding="utf-8")
        with pytest.raises(ModelError, match=r"recipe\.json is missing or damaged"):
            train(tmp_path, steps=1)
    (tmp_path / "checkpoint.pt").unlink()
    train(tmp_path, steps=2)  # nothing is lost, so it is begun anew
