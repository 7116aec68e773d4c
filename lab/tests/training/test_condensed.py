"""A condensed run holds what a later run starts from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lab_support.run_lab import run as run_lab
from lab_support.toy import toy, train, weights
from underpaint.errors import ModelError
from underpaint_lab.training.condensed import condense
from underpaint_lab.training.run_folder import start_from


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
