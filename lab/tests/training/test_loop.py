"""The training loop on a toy: it learns, resumes exactly, shares its work, and refuses what it cannot go on with."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lab_support.toy import Toy, log, photographs, recipe, same, toy, train, weights
from underpaint.errors import ModelError, UnderpaintError, UsageError
from underpaint.models import Card
from underpaint_lab.training import loop as module
from underpaint_lab.training.loop import fit
from underpaint_lab.training.run_folder import provenance, read_state

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_the_loss_falls(tmp_path: Path) -> None:
    model = train(tmp_path, steps=60)
    lines = log(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, 61))
    assert list(lines[0]["losses"]) == ["critic.real", "critic.false", "coder.picture", "coder.critic"]
    losses = [line["losses"]["coder.picture"] for line in lines]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    assert not model.training


def test_a_run_that_was_interrupted_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    for step in (0, 7):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "halved", toy(interrupted_at=step))
        state = read_state(tmp_path / "halved")
        assert state is not None
        assert state["step"] == step + 1
    assert same(weights(train(tmp_path / "halved")), weights(whole))
    assert log(tmp_path / "halved") == log(tmp_path / "whole")
    ends = [dict(read_state(tmp_path / run) or {}) | {"seconds": 0} for run in ("whole", "halved")]
    assert same(*ends)


def test_a_run_that_was_killed_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("underpaint_lab.training.run_folder.MIN_LOG_LINES", 4)  # a line for three steps
    whole = train(tmp_path / "whole")
    losses = Toy.losses

    def strike(self: Toy, images: Tensor, step: int, rng: np.random.Generator) -> Iterator[Any]:
        monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0.0 if step == 6 else 1e9)
        if step == 10:
            raise MemoryError
        return losses(self, images, step, rng)

    monkeypatch.setattr(Toy, "losses", strike)
    with pytest.raises(MemoryError):
        train(tmp_path / "killed")
    monkeypatch.setattr(Toy, "losses", losses)
    state = read_state(tmp_path / "killed")
    assert state is not None
    assert (state["step"], log(tmp_path / "killed")[-1]["step"]) == (7, 9)
    assert set(state["counts"].values()) == {1}
    assert same(weights(train(tmp_path / "killed")), weights(whole))
    assert log(tmp_path / "killed") == log(tmp_path / "whole")


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    first = train(tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    other = Toy(recipe())  # with other first weights
    assert same(weights(train(tmp_path, other)), weights(first))
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before


def test_what_is_kept_is_the_running_mean(tmp_path: Path) -> None:
    expected: dict[str, Tensor] = {name: value for name, value in weights(toy()).items() if value.is_floating_point()}
    for step in range(1, 5):  # the last weights of runs of one step, two, …
        last = weights(train(tmp_path / str(step), steps=step, ema=0))
        decay = min(0.3, step / (step + 9))
        expected = {name: decay * mean + (1 - decay) * last[name] for name, mean in expected.items()}
    kept = weights(train(tmp_path / "mean", steps=4, ema=0.3))
    for name, mean in expected.items():
        torch.testing.assert_close(kept[name], mean)
    assert kept["coder.1.num_batches_tracked"] == 4


def test_parts_take_turns_and_know_only_their_own_loss(tmp_path: Path) -> None:
    """One step by hand: Adam's first is the learning rate, along the sign of the gradient."""
    model, images = toy(), photographs().batch(0, size=4, crop=16, seed=0)
    begun = weights(model)
    torch.manual_seed(int(np.random.SeedSequence([0, 0, 0, 2]).generate_state(1)[0]))
    steps = model.losses(images, 0, np.random.default_rng([0, 0, 0]))
    for name, parts in steps:
        model.zero_grad()
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        part = cast("nn.Module", getattr(model, name))
        torch.optim.Adam(part.parameters(), lr=1e-2 / 4).step()  # the first of three steps of warm-up
    trained = weights(train(tmp_path, steps=1, ema=0))
    assert same(trained, weights(model))
    assert not any(same(trained[name], begun[name]) for name in ("coder.0.weight", "critic.0.weight"))


@pytest.mark.slow
def test_two_processes_share_a_batch(tmp_path: Path) -> None:
    """Against the same by hand, in one process: gradients are averaged part by part, statistics step by step."""
    ranks = [toy(), toy()]
    optimisers = [
        {
            name: torch.optim.Adam(cast("nn.Module", getattr(rank, name)).parameters(), lr=1e-2)
            for name in ("critic", "coder")
        }
        for rank in ranks
    ]
    for step in range(2):
        turns = [losses_of(model, step, rank) for rank, model in enumerate(ranks)]
        for found in zip(*turns, strict=True):
            for model, (_, parts) in zip(ranks, found, strict=True):
                model.zero_grad()
                torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
            for pair in zip(*(model.parameters() for model in ranks), strict=True):
                average([parameter.grad for parameter in pair if parameter.grad is not None])
            for optimiser in optimisers:
                optimiser[found[0][0]].step()
        for buffers in zip(*(model.buffers() for model in ranks), strict=True):
            average([buffer for buffer in buffers if buffer.is_floating_point()])
    assert same(weights(ranks[0]), weights(ranks[1]))

    shared = toy(steps=2, ema=0, warmup=0)
    fit(shared, photographs(), tmp_path, accelerator="cpu", devices=2)
    for name, value in weights(ranks[0]).items():
        torch.testing.assert_close(weights(shared)[name], value)
    assert [line["step"] for line in log(tmp_path)] == [1, 2]
    assert provenance(tmp_path)["device"].startswith("2 × ")
    with pytest.raises(UsageError, match="begun with processes 2, not 1"):
        fit(shared, photographs(), tmp_path, accelerator="cpu")


@pytest.mark.slow
def test_two_processes_resume_exactly(tmp_path: Path) -> None:
    for run, interrupted_at in (("whole", None), ("halved", 5), ("halved", None)):
        model = toy(interrupted_at=interrupted_at)
        try:
            fit(model, photographs(), tmp_path / run, accelerator="cpu", devices=2)
        except KeyboardInterrupt:
            state = read_state(tmp_path / run)
            assert state is not None
            assert state["step"] == 6
    ends = [dict(read_state(tmp_path / run) or {}) | {"seconds": 0} for run in ("whole", "halved")]
    assert same(*ends)


def losses_of(model: Toy, step: int, rank: int) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Return the losses that the process *rank* of two computes."""
    images = photographs().batch(step, size=2, crop=16, seed=0, rank=rank)
    torch.manual_seed(int(np.random.SeedSequence([0, step, rank, 2]).generate_state(1)[0]))
    yield from model.losses(images, step, np.random.default_rng([0, step, rank]))


def average(tensors: list[Tensor]) -> None:
    if tensors:
        mean = torch.stack(tensors).mean(0)
        for tensor in tensors:
            tensor.copy_(mean)


def test_clipping(tmp_path: Path) -> None:
    clipped, free = train(tmp_path / "clipped", clip=1e-9, ema=0), train(tmp_path / "free", ema=0)
    first = weights(toy())["coder.0.weight"]
    moved = [(weights(model)["coder.0.weight"] - first).abs().max() for model in (clipped, free)]
    assert moved[0] < 0.5 * moved[1]


def test_half_precision(tmp_path: Path) -> None:
    half = train(tmp_path / "half", precision="bf16-mixed")
    assert {value.dtype for value in weights(half).values()} == {torch.float32, torch.int64}
    train(tmp_path / "full")
    first, exact = (log(tmp_path / run)[0]["losses"] for run in ("half", "full"))
    assert first == pytest.approx(exact, rel=0.02)
    assert first != exact


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(UnderpaintError, match=r"critic\.0\.weight|coder\.0\.weight") as caught:
        train(tmp_path, toy(broken_at=5))
    assert "after step 6" in str(caught.value)
    assert "learning_rate" in str(caught.value.hint)
    assert not (tmp_path / "checkpoint.pt").exists()
    assert len(log(tmp_path)) == 5


@pytest.mark.parametrize(
    ("changes", "pictures", "reason"),
    [
        ({"learning_rate": 0.5}, 5, "begun with learning_rate 0.01, not 0.5"),
        ({"steps": 13}, 5, "begun with steps 12, not 13"),
        ({}, 4, "begun with data.pictures 5, not 4"),
    ],
)
def test_a_run_is_not_continued_as_another(tmp_path: Path, changes: Any, pictures: int, reason: str) -> None:
    train(tmp_path)
    with pytest.raises(UsageError, match=reason) as caught:
        fit(toy(**changes), photographs(pictures), tmp_path, accelerator="cpu")
    assert "another folder" in str(caught.value.hint)


def test_a_part_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = torch.zeros((), requires_grad=True)
    monkeypatch.setattr(Toy, "losses", lambda *_: iter([("decoder", {"bits": loss})]))
    with pytest.raises(ModelError, match="no part 'decoder'") as caught:
        train(tmp_path)
    assert caught.value.hint == "it has coder, critic"


def test_devices_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a batch of 4 cannot be shared by 3"):
        fit(toy(), photographs(), tmp_path / "run", accelerator="cpu", devices=3)
    with pytest.raises(UsageError, match="no 1 devices of the kind 'abacus'"):
        fit(toy(), photographs(), tmp_path / "run", accelerator="abacus")
    assert not (tmp_path / "run").exists()


def test_what_a_card_says_of_a_run(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, toy(interrupted_at=3, seed=9))
    said = provenance(tmp_path)
    assert said.keys() <= Card.__annotations__.keys()
    assert said["recipe"].startswith("Toy steps=12 batch=4 crop=16 learning_rate=0.01 seed=9")
    assert said["recipe"].endswith(", stopped after 4 steps")
    assert (said["seed"], said["device"].endswith(" cores")) == (9, True)
    assert photographs().sha256 in said["training_data"]


def test_nothing_is_shown_unless_at_a_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)  # ignored, if the tests run in the background
    train(tmp_path)
    assert capfd.readouterr() == ("", "")
    assert signal.getsignal(signal.SIGINT) is before


def test_training_in_a_thread(tmp_path: Path) -> None:
    """Signals are for the main thread alone."""
    with ThreadPoolExecutor(1) as pool:
        threaded = pool.submit(train, tmp_path / "thread", steps=2).result()
    assert same(weights(threaded), weights(train(tmp_path / "main", steps=2)))


def test_progress_at_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    train(tmp_path)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "12/12" in shown.err
    assert "coder.picture" in shown.err
    fit(toy(steps=2), photographs(), tmp_path / "quiet", accelerator="cpu", progress=False)
    assert capsys.readouterr() == ("", "")
