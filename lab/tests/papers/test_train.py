"""The command ``underpaint-lab train``: recipes, runs, resuming, and errors."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab_support.run_lab import run
from lab_support.toy import Toy, photographs, recipe
from underpaint import media
from underpaint.errors import UsageError
from underpaint_lab.papers import RECIPES, RecipeEntry
from underpaint_lab.papers.robust.published import RobustPublished, RobustPublishedRecipe
from underpaint_lab.training.loop import fit


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(RECIPES, "toy", RecipeEntry(Toy, recipe(), "inverts pictures"))
    Path("photographs").mkdir()
    for index, pixels in enumerate(photographs().pictures):
        media.write(media.Picture(pixels), f"photographs/{index}.png")
    return tmp_path


def train(*words: str) -> tuple[int, str]:
    """Run ``underpaint-lab train`` and return its exit status and standard error."""
    outcome = run("train", *words)
    assert outcome.stdout == b""
    return outcome.status, outcome.stderr


def test_recipes_are_listed_without_arguments() -> None:
    outcome = run("train")
    assert outcome.status == 0
    assert [line.split()[0] for line in outcome.stdout.decode().splitlines()] == list(RECIPES)
    assert "  inverts pictures\n" in outcome.stdout.decode()


def test_training_writes_a_run_that_resumes_with_the_same_settings_only() -> None:
    words = "toy", "--data", "photographs", "--set", "steps=3", "--set", "learning_rate=5e-3"
    first = train(*words)
    assert first == (0, "trained toy for 3 steps: runs/toy/checkpoint.pt\n")
    record = json.loads(Path("runs/toy/recipe.json").read_text(encoding="utf-8"))
    assert (record["recipe"]["steps"], record["recipe"]["learning_rate"]) == (3, 5e-3)
    assert record["data"]["name"] == "photographs"
    assert train(*words) == first
    status, said = train(*words[:-1], "learning_rate=1e-3", "--run", "runs/toy")
    assert status == 2
    assert "was begun with learning_rate 0.005, not 0.001" in said


def test_initial_weights_depend_on_the_seed_alone() -> None:
    for name in ("one", "two"):
        train("toy", "--data", "photographs", "--set", "steps=1", "--run", name)
    assert (
        Path("one/log.jsonl").read_text().partition("losses")[2]
        == Path("two/log.jsonl").read_text().partition("losses")[2]
    )


def test_an_interrupted_run_resumes_with_the_same_command(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "toy", "--data", "photographs", "--run", "run"
    with monkeypatch.context() as patch:
        patch.setitem(RECIPES, "toy", replace(RECIPES["toy"], build=lambda recipe: Toy(recipe, interrupted_at=4)))
        assert train(*words) == (130, "underpaint-lab: stopped; the same command continues from here\n")
    assert len(Path("run/log.jsonl").read_text().splitlines()) == 5
    assert train(*words) == (0, "trained toy for 12 steps: run/checkpoint.pt\n")


@pytest.mark.parametrize(
    ("words", "reason", "hint"),
    [
        ("nothing --data photographs", "no recipe is called 'nothing'", "'underpaint-lab train' lists them all"),
        ("toys --data photographs", "no recipe is called 'toys'", "did you mean 'toy'?"),
        ("toy --data photographs --set step=1", "the recipe has no 'step'", "did you mean 'steps'?"),
        ("toy --data photographs --devices 3", "a batch of 4 cannot be shared by 3", "multiple"),
        ("toy --data photographs --set crop=64", "no photograph in photographs is large enough", ""),
        ("toy --data elsewhere", "there is no elsewhere", ""),
    ],
)
def test_invalid_arguments_are_refused(words: str, reason: str, hint: str) -> None:
    status, said = train(*words.split())
    assert status == 2
    assert said.startswith(f"underpaint: error: {reason}")
    assert hint in said


def test_without_pytorch_the_hint_names_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    for words in (("train",), ("train", "toy", "--data", "photographs")):
        outcome = run(*words)
        assert outcome.status == 1
        assert outcome.stderr == (
            "underpaint: error: training needs PyTorch and Lightning Fabric\n"
            "underpaint: hint: from a checkout of the project: pip install . ./lab\n"
        )


def test_runs_begun_before_a_model_was_renamed_resume(tmp_path: Path) -> None:
    blocks: dict[str, Any] = {"encoder_blocks": 1, "decoder_blocks": 1, "discriminator_blocks": 1}
    small = RobustPublishedRecipe(steps=1, batch=2, crop=16, attack="none", bits=2, channels=8, **blocks)
    fit(RobustPublished(small), photographs(), tmp_path, accelerator="cpu", progress=False)
    file = tmp_path / "recipe.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    assert record["model"] == "RobustPublished"
    for model, refused in (("Robust", False), ("Ours", True)):
        file.write_text(json.dumps(record | {"model": model}), encoding="utf-8")
        with pytest.raises(UsageError, match="begun with model Ours") if refused else nullcontext():
            fit(RobustPublished(small), photographs(), tmp_path, accelerator="cpu", progress=False)


def test_pytorch_is_not_imported_before_it_is_needed() -> None:
    """Neither the runtime nor the lab's command line and list of tables imports PyTorch or ONNX."""
    program = (
        "import sys, importlib, underpaint, pathlib\n"
        "root = pathlib.Path(underpaint.__file__).parent\n"
        "for file in root.rglob('*.py'):\n"
        "    words = file.relative_to(root.parent).with_suffix('').parts\n"
        "    if words[-1] != '__main__':\n"
        "        importlib.import_module('.'.join(words))\n"
        "import underpaint_lab.cli, underpaint_lab.benchmarks\n"
        "print({'torch', 'lightning_fabric', 'onnx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
