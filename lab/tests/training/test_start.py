"""Runs that start from the weights of an earlier run, and runs of older versions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from lab_support.toy import Toy, log, recipe, same, toy, train, weights
from underpaint.errors import ModelError, UsageError
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.run_folder import provenance, read_state


def test_a_new_run_starts_from_the_weights_of_an_earlier_one(tmp_path: Path) -> None:
    first = train(tmp_path / "first")
    by_hand = toy(steps=2)
    by_hand.load_state_dict(weights(first))
    train(tmp_path / "by hand", by_hand)
    for source in (tmp_path / "first", tmp_path / "first" / "checkpoint.pt"):
        run = tmp_path / f"from {source.name}"
        assert same(weights(train(run, steps=2, start=str(source))), weights(by_hand))
        assert log(run) == log(tmp_path / "by hand")


def test_a_run_without_a_start_keeps_the_weights_of_its_model(tmp_path: Path) -> None:
    model = toy(steps=1, learning_rate=1e-12)
    before = weights(model.coder[0])
    train(tmp_path / "earlier")
    torch.testing.assert_close(weights(train(tmp_path / "run", model).coder[0]), before, rtol=0, atol=1e-9)


def test_a_started_run_resumes_without_its_source(tmp_path: Path) -> None:
    start = str(tmp_path / "first")
    train(tmp_path / "first", steps=2)
    whole = train(tmp_path / "whole", start=start)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "halved", toy(start=start, interrupted_at=5))
    (tmp_path / "first" / "checkpoint.pt").unlink()
    assert same(weights(train(tmp_path / "halved", start=start)), weights(whole))
    with pytest.raises(UsageError, match=r"was begun with start .*first, not "):
        train(tmp_path / "halved")


def test_the_card_counts_the_training_of_earlier_runs(tmp_path: Path) -> None:
    train(tmp_path / "0", steps=3)
    assert "start" not in provenance(tmp_path / "0")["recipe"]
    hours = []
    for number in (1, 2):
        train(tmp_path / str(number), steps=2, start=str(tmp_path / str(number - 1)))
        for run in (number - 1, number):
            state = read_state(tmp_path / str(run))
            assert state is not None
            hours.append(state["seconds"] / 3600)
    card = provenance(tmp_path / "2")
    assert card["recipe"].endswith(f"start={tmp_path / '1'}, after 5 steps of earlier runs")
    assert card["hours"] == pytest.approx(hours[0] + hours[1] + hours[3], abs=1e-3)


@pytest.mark.parametrize(
    ("source", "reason", "hint"),
    [
        (
            "nowhere",
            "cannot start from .*nowhere: there is no checkpoint",
            "name the folder of a run, or its checkpoint.pt",
        ),
        (
            "empty",
            "cannot start from .*empty: there is no checkpoint",
            "name the folder of a run, or its checkpoint.pt",
        ),
        ("larger", "cannot start from .*larger: it is of another network", "take a run of the same recipe"),
        ("damaged", "checkpoint.pt is damaged", "name the checkpoint of another run"),
    ],
)
def test_a_wrong_start_is_refused(tmp_path: Path, source: str, reason: str, hint: str) -> None:
    (tmp_path / "empty").mkdir()
    larger = toy(steps=1)
    larger.coder[2] = nn.Conv2d(6, 3, 3, padding=1)
    train(tmp_path / "larger", larger)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "checkpoint.pt").write_bytes(b"none")
    with pytest.raises(ModelError, match=reason) as caught:
        train(tmp_path / "run", start=str(tmp_path / source))
    assert hint in str(caught.value.hint)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("old", [{}, {"before": ""}])
def test_a_run_of_an_older_version_resumes(tmp_path: Path, old: dict[str, str]) -> None:
    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "old", toy(interrupted_at=5))
    file = tmp_path / "old" / "recipe.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    del record["recipe"]["start"]
    record["recipe"] |= old
    file.write_text(json.dumps(record), encoding="utf-8")
    assert same(weights(train(tmp_path / "old")), weights(whole))


@dataclass(frozen=True, kw_only=True)
class RecipeWithTuple(Recipe):
    """A later version of a recipe, with a field that is a tuple."""

    teachers: tuple[str, ...] = ()


def test_a_run_from_before_a_field_with_a_tuple_was_added_resumes(tmp_path: Path) -> None:
    train(tmp_path, steps=1)
    later = Toy(RecipeWithTuple(**asdict(recipe(steps=1))))
    train(tmp_path, later)
    with pytest.raises(UsageError, match=r"was begun with teachers \[\], not \['vgg'\]"):
        train(tmp_path, Toy(RecipeWithTuple(**asdict(recipe(steps=1)), teachers=("vgg",))))
