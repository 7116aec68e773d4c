"""Our robust watermarking: networks, embedding, losses and training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lab_support.robust import CALM, flat, images, our_model
from underpaint import models
from underpaint.channels import parse
from underpaint_lab.benchmarks.core.tensors import to_tensor
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers.robust import lapped, ours
from underpaint_lab.papers.robust.network_canvas import COUNT, NetworkCanvas
from underpaint_lab.papers.robust.ours import (
    RandomKeys,
    RobustOurs,
    embed_stdm,
    random_channel,
)
from underpaint_lab.training.loop import fit


@pytest.fixture
def jpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use one channel, which needs no extra."""
    monkeypatch.setattr(ours, "random_channel", lambda _rng: "jpeg:20")


def randomised(model: RobustOurs) -> RobustOurs:
    """Return the same model with random last layers."""
    for network in (model.writer, model.reader):
        for parameter in network.sight.out.parameters():
            nn.init.normal_(parameter, std=0.02)
    return model


def test_untrained_networks_leave_plain_stdm() -> None:
    model = our_model()
    light = lapped.luma(images())
    coefficients = lapped.analyse(light, COUNT)
    with torch.no_grad():
        assert not model.writer(light[:, None], coefficients).any()
        assert not model.reader(light[:, None], coefficients).any()
        allocation, surviving, variance = model.writer.forecast(light[:, None], coefficients)
        correction, remaining = model.reader.estimate(light[:, None], coefficients)
    assert (
        allocation.shape
        == surviving.shape
        == variance.shape
        == correction.shape
        == remaining.shape
        == coefficients.shape
    )
    assert not allocation.any()
    assert not correction.any()
    assert bool(((surviving > 0) & (surviving < 1)).all())
    assert torch.allclose(variance.exp().sqrt(), torch.tensor(8.0))


def test_the_canvas_computes_the_same_weights_and_corrections(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canvas' weights and corrections equal those of the networks: order, scale and masking."""
    model = randomised(our_model())

    def graph(network: nn.Module) -> SimpleNamespace:
        def run(inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
            with torch.no_grad():
                return {
                    "output": network(*(torch.from_numpy(inputs[name]) for name in ("luma", "coefficients"))).numpy()
                }

        return SimpleNamespace(run=run)

    graphs = {"writer": graph(model.writer), "reader": graph(model.reader)}
    monkeypatch.setattr(models, "load", lambda _name: SimpleNamespace(graphs=graphs))
    light = lapped.luma(to_tensor([CALM]))
    coefficients = lapped.analyse(light, COUNT)
    with torch.no_grad():
        allocation = model.writer(light[:, None], coefficients)
        weights = (
            torch.exp(allocation) * (lapped.local_activity(light) + ours.ACTIVITY_OFFSET) ** ours.ACTIVITY_EXPONENT
        )
        restored = coefficients + model.reader(light[:, None], coefficients)
    assert float(allocation.std()) > 0.01
    for count in (2, COUNT):
        assert NetworkCanvas(128).weights(CALM, count) == pytest.approx(flat(weights[:, :count]), rel=1e-3)
        assert NetworkCanvas(128).restore(CALM, count) == pytest.approx(flat(restored[:, :count]), abs=1e-2)


@pytest.mark.parametrize("seed", range(5))
def test_keys_assign_each_coefficient_to_one_bit_and_change_at_least_cost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys = RandomKeys.draw(rng, 64, 5)
    share, bits = keys.order.shape
    assert 2 <= share <= 8
    assert bits == 64 * 5 // share
    assert len(set(keys.order.flatten().tolist())) == keys.order.numel()
    assert set(keys.signs.flatten().tolist()) == {-1, 1}
    weights = torch.rand(3, 5, 8, 8) + 0.1
    moves = torch.randn(3, bits)
    change = keys.change(moves, weights)
    assert change.shape == weights.shape
    assert torch.allclose(keys.project(change), moves, atol=1e-4)
    # No other change that moves the projections so has a lower weighted cost.
    other = torch.randn(weights.shape)
    other -= keys.change(keys.project(other), torch.ones_like(weights))
    cost = (change.square() / weights).sum()
    for aside in (0.1, -0.1):
        assert ((change + aside * other).square() / weights).sum() > cost


@pytest.mark.parametrize("psnr", [36.0, 45.0])
def test_embedding_moves_projections_to_lattice_points(psnr: float) -> None:
    light = lapped.luma(images(3, 128))
    hosts = lapped.analyse(light, COUNT)
    rng = np.random.default_rng(0)
    keys = RandomKeys.draw(rng, 64, COUNT)
    offsets = torch.from_numpy(rng.random((3, keys.order.shape[1]))).float()
    energy = torch.full((3,), 128 * 128 * 255**2 / 10 ** (psnr / 10))
    weights = (torch.rand(hosts.shape) + 0.2).requires_grad_()
    change, step = embed_stdm(hosts, weights, keys, offsets, energy)
    assert torch.allclose(change.square().flatten(1).sum(1), energy, rtol=0.03)
    cells = keys.project(hosts + change) / step[:, None] - offsets
    assert float((cells - cells.round()).abs().max().detach()) < 1e-3
    moved = keys.project(change.detach()) / step[:, None]
    assert float(moved.abs().max().detach()) <= 0.5 + 1e-3
    # The gradient points to weights that allow a larger step at this energy.
    (gradient,) = torch.autograd.grad(step.sum(), weights)
    assert float(gradient.abs().max()) > 0
    with torch.no_grad():  # the step that the same moves leave at this energy grows along it
        better = weights + 1e-3 * gradient / gradient.abs().max()
        again = keys.change(keys.project(change), better)
    assert bool((again.square().flatten(1).sum(1) < change.square().flatten(1).sum(1)).all())


def test_random_channels_are_valid_in_the_runtime() -> None:
    rng = np.random.default_rng(0)
    drawn = [parse(random_channel(rng)) for _ in range(400)]
    kinds = {chain.channels[0].name for chain in drawn}
    assert kinds == {"jpeg", "webp", "jpeg2000", "avif", "h264", "mpeg4", "xvid", "resize", "noise", "blur"}
    assert len(set(map(str, drawn))) > 200


@pytest.mark.usefixtures("jpeg")
def test_each_loss_trains_its_own_outputs() -> None:
    model = our_model()
    batch = images()
    parts = model.losses(batch, 0, np.random.default_rng(0))
    name, losses = next(parts)
    assert (name, set(losses)) == ("writer", {"forecast", "margin", "mask"})
    assert all(loss.ndim == 0 and bool(loss.isfinite()) for loss in losses.values())
    last = cast("nn.Conv2d", model.writer.sight.out)
    for term, trained in (("forecast", slice(COUNT, None)), ("margin", slice(COUNT)), ("mask", slice(COUNT))):
        model.zero_grad()
        losses[term].backward(retain_graph=True)  # type: ignore[no-untyped-call]
        assert last.weight.grad is not None
        assert bool(last.weight.grad[trained].any()), term
        rest = torch.ones(3 * COUNT, dtype=torch.bool)
        rest[trained] = False
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
def test_losses_are_reproducible_from_the_seed() -> None:
    model, batch = randomised(our_model()), images()
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
def test_gradients_are_finite_for_flat_pictures(level: int) -> None:
    model = randomised(our_model())
    flat_ones = torch.full((2, 3, 32, 32), level / 255)
    for _, losses in model.losses(flat_ones, 0, np.random.default_rng(0)):
        total = torch.stack(list(losses.values())).sum()
        assert bool(total.isfinite())
        total.backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


@pytest.mark.usefixtures("jpeg")
def test_training_lowers_forecast_and_correction_losses(sample_photographs: Photographs, tmp_path: Path) -> None:
    def mean_losses(model: RobustOurs) -> dict[str, float]:
        """Return the losses of the same pictures with the same random numbers."""
        found: dict[str, list[float]] = {}
        for seed in range(3):
            for _, losses in model.losses(images(8), 0, np.random.default_rng(seed)):
                for name, loss in losses.items():
                    found.setdefault(name, []).append(float(loss.detach()))
        return {name: float(np.mean(values)) for name, values in found.items()}

    model = our_model()
    before = mean_losses(model)
    fit(model, sample_photographs, tmp_path, accelerator="cpu", progress=False)
    after = mean_losses(model)
    assert after["forecast"] < before["forecast"] - 0.03
    assert after["correction"] < before["correction"] - 0.005
    lines = [json.loads(line)["losses"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert set(lines[-1]) == {"writer.forecast", "writer.margin", "writer.mask", "reader.correction"}
