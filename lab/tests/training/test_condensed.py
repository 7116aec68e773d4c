"""A condensed run holds what a later run starts from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lab_support.run_lab import run as run_lab
from lab_support.toy import toy, train, weights
from underpaint.errors import ModelError, UsageError
from underpaint_lab.training.condensed import condense
from underpaint_lab.training.run_folder import read_existing_state, start_from, write_state


def test_a_new_run_starts_from_the_condensed_weights(tmp_path: Path) -> None:
    learned = weights(train(tmp_path / "run", steps=2))
    outcome = run_lab("prepare", "weights", str(tmp_path / "run"), str(tmp_path / "kept"))
    assert outcome.status == 0, outcome.stderr
    assert sorted(file.name for file in (tmp_path / "kept").iterdir()) == ["checkpoint.pt", "log.jsonl", "recipe.json"]
    assert (tmp_path / "kept" / "checkpoint.pt").stat().st_size < (tmp_path / "run" / "checkpoint.pt").stat().st_size
    model = toy()
    start_from(model, tmp_path / "kept")
    for name, value in model.state_dict().items():
        assert torch.allclose(value, learned[name], rtol=2e-3, atol=1e-3), name


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no checkpoint"):
        condense(tmp_path, tmp_path / "kept")


def test_a_run_is_not_condensed_into_itself(tmp_path: Path) -> None:
    train(tmp_path, steps=1)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(UsageError, match="would be overwritten"):
        condense(tmp_path, tmp_path / ".." / tmp_path.name)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_weights_beyond_half_precision_are_kept(tmp_path: Path) -> None:
    train(tmp_path / "run", steps=1)
    state = read_existing_state(tmp_path / "run")
    large = torch.full((6,), 1e6)
    for part in (state["weights"], state["mean"] or {}):
        part["coder.1.running_var"] = large
    write_state(tmp_path / "run", state)
    condense(tmp_path / "run", tmp_path / "kept")
    kept = read_existing_state(tmp_path / "kept")["weights"]
    assert torch.equal(kept["coder.1.running_var"], large)
    assert kept["coder.0.weight"].dtype == torch.float16


def test_an_unfinished_condensed_run_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", toy(interrupted_at=3))
    condense(tmp_path / "run", tmp_path / "kept")
    with pytest.raises(UsageError, match="condensed run, which cannot be resumed") as caught:
        train(tmp_path / "kept")
    assert f"start={tmp_path / 'kept'}" in str(caught.value.hint)
    train(tmp_path / "new", start=str(tmp_path / "kept"))
