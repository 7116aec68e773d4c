"""Our robust hiding in the lab: twins of the runtime's lattice, a pair that begins as it, learns, and is shipped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lab_support.run_lab import run as run_lab
from underpaint import media, models
from underpaint.channels import parse
from underpaint.embedding import lapped as lattice
from underpaint.embedding.canvas import Canvas
from underpaint.errors import ModelError, UsageError
from underpaint.media import samples
from underpaint.types import Image
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers import RECIPES, release
from underpaint_lab.papers.robust import lapped, ours
from underpaint_lab.papers.robust.ours import (
    COUNT,
    RandomKeys,
    RobustOurs,
    RobustOursRecipe,
    embed_stdm,
    random_channel,
)
from underpaint_lab.training.loop import fit

PICTURES = [media.read(samples.path(name)).pixels for name in samples.names()]
CALM = (PICTURES[1][:128, :128] // 2 + 60).astype(np.uint8)
TOY = RobustOursRecipe(steps=30, batch=6, crop=32, learning_rate=1e-2, width=8, depth=1)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small only lose time to more."""
    torch.set_num_threads(1)


@pytest.fixture
def jpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """One channel for all, that needs no extra."""
    monkeypatch.setattr(ours, "passage", lambda _rng: "jpeg:20")


def tensor(pictures: Image) -> Tensor:
    """``(B, 3, H, W)`` in [0, 1] of ``(B, H, W, 3)``."""
    return torch.from_numpy(pictures.astype(np.float32) / 255).permute(0, 3, 1, 2)


def flat(maps: Tensor) -> NDArray[np.float32]:
    """Maps of one picture in the runtime's order, block by block."""
    return np.asarray(maps[0].permute(1, 2, 0).detach().numpy().ravel())


def toy(**changes: Any) -> RobustOurs:
    torch.manual_seed(0)
    return RobustOurs(RobustOursRecipe(**(asdict(TOY) | changes)))


def awake(model: RobustOurs) -> RobustOurs:
    """The same model with last layers that are not zero."""
    for network in (model.writer, model.reader):
        for parameter in network.sight.out.parameters():
            nn.init.normal_(parameter, std=0.02)
    return model


def images(count: int = 4, side: int = 32) -> Tensor:
    tiles = [PICTURES[i % 2][40 * i : 40 * i + side, 60 * i : 60 * i + side] for i in range(count)]
    return tensor(np.stack(tiles))


@pytest.mark.parametrize("shape", [(16, 16), (16, 64), (48, 32), (128, 160)])
@pytest.mark.parametrize("count", [1, 2, 14, 35])
def test_the_transform_is_the_runtimes(shape: tuple[int, int], count: int) -> None:
    picture = PICTURES[0][50 : 50 + shape[0], 90 : 90 + shape[1]]
    light = lapped.luma(tensor(picture[None]))
    maps = lapped.analyse(light, count)
    assert maps.shape == (1, count, shape[0] // 16, shape[1] // 16)
    assert flat(maps) == pytest.approx(lattice.analyse(picture, count), abs=1e-3)
    change = np.random.default_rng(0).normal(0, 40, maps.numel()).astype(np.float32)
    there = torch.from_numpy(change).reshape(shape[0] // 16, shape[1] // 16, count).permute(2, 0, 1)[None]
    painted = lapped.synthesise(there)
    assert painted[0].numpy() == pytest.approx(lattice.inverse(change, *lattice.grid(picture), count), abs=1e-3)
    assert flat(lapped.analyse(painted, count)) == pytest.approx(change, abs=1e-3)


def test_busyness_is_the_runtimes() -> None:
    for picture in (PICTURES[0][:64, :96], np.full((32, 32, 3), 70, np.uint8), CALM):
        busy = lapped.local_activity(lapped.luma(tensor(picture[None])))
        assert flat(busy) == pytest.approx(lattice.activity(picture), abs=1e-3)


def test_pictures_of_a_batch_do_not_mix() -> None:
    batch = images(3)
    light = lapped.luma(batch)
    for one in range(3):
        alone = lapped.luma(batch[one : one + 1])
        assert torch.allclose(lapped.analyse(light, 14)[one : one + 1], lapped.analyse(alone, 14), atol=1e-3)
        assert torch.allclose(lapped.local_activity(light)[one : one + 1], lapped.local_activity(alone), atol=1e-3)


def test_gradients_pass_through_the_transform() -> None:
    coefficients = torch.randn(1, 5, 3, 2, dtype=torch.float64, requires_grad=True)
    # The transform is orthonormal and linear: the gradient of half the energy is the coefficients themselves.
    (lapped.synthesise(coefficients.float()).square().sum() / 2).backward()  # type: ignore[no-untyped-call]
    assert coefficients.grad is not None
    assert torch.allclose(coefficients.grad, coefficients, atol=1e-4)


def test_before_training_the_pair_is_the_plain_lattice() -> None:
    model = toy()
    light = lapped.luma(images())
    coefficients = lapped.analyse(light, COUNT)
    with torch.no_grad():
        assert not model.writer(light[:, None], coefficients).any()
        assert not model.reader(light[:, None], coefficients).any()
        allocation, arriving, variance = model.writer.forecast(light[:, None], coefficients)
        correction, doubt = model.reader.estimate(light[:, None], coefficients)
    assert allocation.shape == arriving.shape == variance.shape == correction.shape == doubt.shape == coefficients.shape
    assert not allocation.any()
    assert not correction.any()
    assert bool(((arriving > 0) & (arriving < 1)).all())
    assert torch.allclose(variance.exp().sqrt(), torch.tensor(8.0))


def test_the_runtime_sees_what_the_lab_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Order, scale and masking: the runtime's weights and corrections with a network's graphs are the network's own."""
    model = awake(toy())

    def graph(network: nn.Module) -> SimpleNamespace:
        def run(inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
            with torch.no_grad():
                return {
                    "output": network(*(torch.from_numpy(inputs[name]) for name in ("luma", "coefficients"))).numpy()
                }

        return SimpleNamespace(run=run)

    graphs = {"writer": graph(model.writer), "reader": graph(model.reader)}
    monkeypatch.setattr(models, "load", lambda _name: SimpleNamespace(graphs=graphs))
    light = lapped.luma(tensor(CALM[None]))
    coefficients = lapped.analyse(light, COUNT)
    with torch.no_grad():
        allocation = model.writer(light[:, None], coefficients)
        weights = torch.exp(allocation) * (lapped.local_activity(light) + ours.ACTIVITY_OFFSET) ** ours.ACTIVITY_EXPONENT
        restored = coefficients + model.reader(light[:, None], coefficients)
    assert float(allocation.std()) > 0.01
    for count in (2, COUNT):
        assert Canvas(128).weights(CALM, count) == pytest.approx(flat(weights[:, :count]), rel=1e-3)
        assert Canvas(128).restore(CALM, count) == pytest.approx(flat(restored[:, :count]), abs=1e-2)


@pytest.mark.parametrize("seed", range(5))
def test_spreads(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spreads = RandomKeys.draw(rng, 64, 5)
    share, bits = spreads.order.shape
    assert 2 <= share <= 8
    assert bits == 64 * 5 // share
    assert len(set(spreads.order.flatten().tolist())) == spreads.order.numel()
    assert set(spreads.signs.flatten().tolist()) == {-1, 1}
    weights = torch.rand(3, 5, 8, 8) + 0.1
    moves = torch.randn(3, bits)
    change = spreads.change(moves, weights)
    assert change.shape == weights.shape
    assert torch.allclose(spreads.project(change), moves, atol=1e-4)
    # No other change that moves the projections so has a lower weighted cost.
    other = torch.randn(weights.shape)
    other -= spreads.change(spreads.project(other), torch.ones_like(weights))
    cost = (change.square() / weights).sum()
    for aside in (0.1, -0.1):
        assert ((change + aside * other).square() / weights).sum() > cost


@pytest.mark.parametrize("psnr", [36.0, 45.0])
def test_what_is_embedded_lies_on_the_lattice(psnr: float) -> None:
    light = lapped.luma(images(3, 128))
    hosts = lapped.analyse(light, COUNT)
    rng = np.random.default_rng(0)
    spreads = RandomKeys.draw(rng, 64, COUNT)
    offsets = torch.from_numpy(rng.random((3, spreads.order.shape[1]))).float()
    energy = torch.full((3,), 128 * 128 * 255**2 / 10 ** (psnr / 10))
    weights = (torch.rand(hosts.shape) + 0.2).requires_grad_()
    change, step = embed_stdm(hosts, weights, spreads, offsets, energy)
    assert torch.allclose(change.square().flatten(1).sum(1), energy, rtol=0.03)
    cells = spreads.project(hosts + change) / step[:, None] - offsets
    assert float((cells - cells.round()).abs().max().detach()) < 1e-3
    moved = spreads.project(change.detach()) / step[:, None]
    assert float(moved.abs().max().detach()) <= 0.5 + 1e-3
    # Cheaper weights would leave room for a larger step, and the gradient knows.
    (gradient,) = torch.autograd.grad(step.sum(), weights)
    assert float(gradient.abs().max()) > 0
    with torch.no_grad():  # the step that the same moves leave at this energy grows along it
        better = weights + 1e-3 * gradient / gradient.abs().max()
        again = spreads.change(spreads.project(change), better)
    assert bool((again.square().flatten(1).sum(1) < change.square().flatten(1).sum(1)).all())


def test_channels_of_training_are_channels_of_the_runtime() -> None:
    rng = np.random.default_rng(0)
    drawn = [parse(random_channel(rng)) for _ in range(400)]
    kinds = {chain.channels[0].name for chain in drawn}
    assert kinds == {"jpeg", "webp", "jpeg2000", "avif", "h264", "mpeg4", "xvid", "resize", "noise", "blur"}
    assert len(set(map(str, drawn))) > 200


@pytest.mark.usefixtures("jpeg")
def test_the_losses_and_whom_they_teach() -> None:
    model = toy()
    batch = images()
    parts = model.losses(batch, 0, np.random.default_rng(0))
    name, losses = next(parts)
    assert (name, set(losses)) == ("writer", {"forecast", "margin", "mask"})
    assert all(loss.ndim == 0 and bool(loss.isfinite()) for loss in losses.values())
    last = cast("nn.Conv2d", model.writer.sight.out)
    for term, taught in (("forecast", slice(COUNT, None)), ("margin", slice(COUNT)), ("mask", slice(COUNT))):
        model.zero_grad()
        losses[term].backward(retain_graph=True)  # type: ignore[no-untyped-call]
        assert last.weight.grad is not None
        assert bool(last.weight.grad[taught].any()), term
        rest = torch.ones(3 * COUNT, dtype=torch.bool)
        rest[taught] = False
        assert not bool(last.weight.grad[rest].any()), term
        assert all(parameter.grad is None for parameter in model.reader.parameters())
    model.zero_grad()
    name, losses = next(parts)
    assert (name, set(losses)) == ("reader", {"correction"})
    losses["correction"].backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is None for parameter in model.writer.parameters())
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in model.reader.parameters())
    assert next(parts, None) is None


@pytest.mark.usefixtures("jpeg")
def test_losses_follow_from_the_generator() -> None:
    model, batch = awake(toy()), images()
    first, again, other = (
        [
            float(loss.detach())
            for _, losses in model.losses(batch, 0, np.random.default_rng(seed))
            for loss in losses.values()
        ]
        for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.usefixtures("jpeg")
@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_do_not_break_training(level: int) -> None:
    model = awake(toy())
    flat_ones = torch.full((2, 3, 32, 32), level / 255)
    for _, losses in model.losses(flat_ones, 0, np.random.default_rng(0)):
        total = torch.stack(list(losses.values())).sum()
        assert bool(total.isfinite())
        total.backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


@pytest.mark.usefixtures("jpeg")
def test_a_toy_learns(tmp_path: Path) -> None:
    def mean_losses(model: RobustOurs) -> dict[str, float]:
        """Of the same pictures and the same draws each time."""
        found: dict[str, list[float]] = {}
        for seed in range(3):
            for _, losses in model.losses(images(8), 0, np.random.default_rng(seed)):
                for name, loss in losses.items():
                    found.setdefault(name, []).append(float(loss.detach()))
        return {name: float(np.mean(values)) for name, values in found.items()}

    model = toy()
    before = mean_losses(model)
    fit(model, Photographs("samples", PICTURES), tmp_path, accelerator="cpu", progress=False)
    after = mean_losses(model)
    assert after["forecast"] < before["forecast"] - 0.03
    assert after["correction"] < before["correction"] - 0.005
    lines = [json.loads(line)["losses"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert set(lines[-1]) == {"writer.forecast", "writer.margin", "writer.mask", "reader.correction"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps of the size that is shipped."""
    folder = tmp_path_factory.mktemp("run")
    recipe = RobustOursRecipe(**(asdict(RECIPES["robust"].recipe) | {"steps": 2, "batch": 2, "crop": 32}))
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "passage", lambda _rng: "jpeg:20")
        fit(RobustOurs(recipe), Photographs("samples", PICTURES), folder, accelerator="cpu", progress=False)
    return folder


def test_what_is_shipped(run: Path) -> None:
    graphs, card = release.MODELS["robust"](run, {"ber_jpeg_50": 0.0})
    assert set(graphs) == {"writer", "reader"}
    assert all(list(graph.inputs) == ["luma", "coefficients"] for graph in graphs.values())
    assert all(not graph.module.training for graph in graphs.values())
    assert sum(p.numel() for graph in graphs.values() for p in graph.module.parameters()) * 4 < 3e6
    assert (card.method, card.licence, card.measured) == ("robust", "MIT", {"ber_jpeg_50": 0.0})
    assert "steps=2" in card.recipe
    assert "samples, 2 pictures" in card.training_data


def test_what_cannot_be_shipped(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model is called 'nothing'") as error:
        release.release("nothing", run, tmp_path, {})
    assert "robust" in str(error.value.hint)
    with pytest.raises(ModelError, match="no checkpoint"):
        release.release("robust", tmp_path, tmp_path / "zoo", {})
    fit(toy(steps=1), Photographs("samples", PICTURES), tmp_path / "toy", accelerator="cpu", progress=False)
    with pytest.raises(ModelError, match="of another network"):
        release.release("robust", tmp_path / "toy", tmp_path / "zoo", {})
    assert not (tmp_path / "zoo").exists()


def test_shipping_from_the_command_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    targets: list[Path] = []

    def export(graphs: Mapping[str, Any], folder: Path, _card: models.Card) -> float:
        assert set(graphs) == {"writer", "reader"}
        targets.append(folder)
        return 1e-6

    monkeypatch.setattr(release, "export", export)
    assert run_lab("release", "robust", "--run", str(run)).stdout.decode() == (
        "wrote robust; ONNX Runtime is within 1.0e-06 of PyTorch\n"
    )
    assert targets == [models.folder("robust")]


@pytest.mark.slow
def test_a_run_becomes_a_model_of_the_zoo(run: Path, tmp_path: Path) -> None:
    assert release.release("robust", run, tmp_path / "robust", {}) < 1e-4
    model = models.read_model(tmp_path / "robust")
    assert set(model.graphs) == {"writer", "reader"}
    assert model.card.bytes < 3 << 20
    graphs, _ = release.MODELS["robust"](run, {})
    light = lapped.luma(tensor(CALM[None]))
    coefficients = lapped.analyse(light, COUNT)
    for name, graph in graphs.items():
        (made,) = (
            model.graphs[name].run({"luma": light[:, None].numpy(), "coefficients": coefficients.numpy()}).values()
        )
        network = cast("Callable[..., Tensor]", graph.module)
        with torch.no_grad():
            assert made == pytest.approx(network(light[:, None], coefficients).numpy(), abs=1e-4)
