"""Exact BASN: integer attention, noise at a fixed payload, and training."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from lab_support.basn import EXACT, REACH, details, view
from underpaint.errors import ModelError, UsageError
from underpaint.models import Session
from underpaint.models.session import load_onnxruntime
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.export.onnx import Graph, to_onnx
from underpaint_lab.nets.integer import PEAK, freeze
from underpaint_lab.papers.basn.exact import (
    STEPS_PER_OCTAVE,
    ExactBasn,
    ExactRecipe,
    IntegerAttention,
    TaskNetwork,
    gibbs_tables,
    noise_variance,
    smoothness_cost,
)
from underpaint_lab.steganalysis.costs import hill
from underpaint_lab.training.loop import fit, restore


@pytest.fixture(scope="module")
def attention() -> IntegerAttention:
    torch.manual_seed(0)
    return IntegerAttention().eval()


@pytest.fixture(scope="module")
def randomised() -> IntegerAttention:
    """A network with random weights in every layer."""
    torch.manual_seed(1)
    made = IntegerAttention().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return made


@pytest.fixture(scope="module")
def graph(randomised: IntegerAttention) -> bytes:
    return to_onnx(Graph(freeze(randomised), {"view": view()}, {"view": {2: "height", 3: "width"}}, ("attention",)))


@pytest.fixture(scope="module")
def run(sample_photographs: Photographs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run without task networks, for texture alone."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    changes = {"steps": 80, "batch": 4, "learning_rate": 1e-3, "decay": "cosine", "clip": 1.0, "error": 0.0}
    recipe = ExactRecipe(**(asdict(EXACT) | changes))
    fit(ExactBasn(recipe), sample_photographs, folder, accelerator="cpu", progress=False)
    return folder


def test_attention_is_constant_before_training(attention: IntegerAttention) -> None:
    with torch.no_grad():
        found = attention(view())[..., 4:-4, 4:-4]
    assert float(found.min()) == float(found.max()) == (PEAK + 1) / 2


def test_attention_is_integers_from_0_to_255(randomised: IntegerAttention) -> None:
    with torch.no_grad():
        found = randomised(view())
    assert found.shape == (1, 3, 64, 64)
    assert torch.equal(found, found.round())
    assert 0 <= float(found.min()) < float(found.max()) <= PEAK


def test_receptive_field_is_48_pixels(randomised: IntegerAttention) -> None:
    seen = torch.full((1, 3, 144, 144), 112.0).requires_grad_()
    for phase in range(8):
        (gradient,) = torch.autograd.grad(randomised(seen)[0, :, 64 + phase, 72 - phase].sum(), seen)
        rows, columns = torch.nonzero(gradient[0].abs().sum(0), as_tuple=True)
        assert max(int((rows - 64 - phase).abs().max()), int((columns - 72 + phase).abs().max())) <= REACH


def test_attention_is_bit_identical_across_runtimes_tiles_and_threads(
    randomised: IntegerAttention, graph: bytes
) -> None:
    """Whole and in tiles, optimised and not, one thread and two, PyTorch and ONNX Runtime, 32 bits and 64."""
    seen = view(152)
    with torch.no_grad():
        wanted = freeze(randomised)(seen).numpy()
        assert np.array_equal(randomised(seen).numpy(), wanted)
        assert np.array_equal(freeze(randomised).double()(seen.double()).numpy(), wanted)
    for threads in (1, 2):
        session = Session(graph, threads=threads)
        assert np.array_equal(session.run({"view": seen.numpy()})["attention"], wanted)
        for tile in (64, 104):
            assert np.array_equal(session.tiled(seen.numpy(), overlap=REACH, tile=tile, multiple=8), wanted)
        onnxruntime = load_onnxruntime()
        for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED"):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
            raw = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            assert np.array_equal(raw.run(None, {"view": seen.numpy()})[0], wanted)


@pytest.mark.parametrize(("payload", "psnr"), [(3.9, 52.4), (8.0, 43.5)])
def test_variance_for_constant_attention_matches_theory(payload: float, psnr: float) -> None:
    change = noise_variance(torch.full((2, 3, 8, 8), 100.0), torch.full((2,), payload))
    assert float(change.std()) == pytest.approx(0, abs=1e-6)
    assert 10 * math.log10(255**2 / float(change.mean())) == pytest.approx(psnr, abs=0.1)


def test_noise_carries_the_payload_where_attention_is_high() -> None:
    attention = torch.randint(40, 200, (2, 3, 16, 16)).float()
    payload = torch.tensor([1.0, 6.0])
    change = noise_variance(attention, payload)
    entropies, variances = gibbs_tables()
    order = torch.argsort(variances)
    for one in range(2):  # variance tells entropy
        carried = np.interp(change[one].flatten(), variances[order], entropies[order])
        assert carried.mean() * 3 == pytest.approx(float(payload[one]), rel=0.02)
        assert np.corrcoef(attention[one].flatten(), change[one].flatten())[0, 1] > 0.5
    # Only differences allocate.
    assert torch.allclose(noise_variance(attention + 30, payload), change, rtol=1e-2, atol=1e-4)
    # An octave is twice the amplitude, where the bin does not bound it.
    halves = torch.cat([torch.full((1, 3, 8, 8), 100.0), torch.full((1, 3, 8, 8), 100.0 + STEPS_PER_OCTAVE)], 3)
    low, high = noise_variance(halves, torch.tensor([5.5]))[0, 0, 0, [0, -1]].tolist()
    assert high / low == pytest.approx(4, rel=0.15)


def test_gradient_of_the_variance_keeps_the_payload() -> None:
    torch.manual_seed(0)
    attention = (torch.rand(1, 3, 8, 8) * 100 + 60).requires_grad_()
    weights, payload = torch.rand(1, 3, 8, 8), torch.tensor([4.0])
    (gradient,) = torch.autograd.grad((noise_variance(attention, payload) * weights).sum(), attention)
    assert float(gradient.sum()) == pytest.approx(0, abs=float(gradient.abs().sum()) * 0.02)
    for place in ((0, 0, 1, 1), (0, 1, 5, 5), (0, 2, 3, 7)):
        moved = [attention.detach().clone() for _ in range(2)]
        moved[0][place] += 3
        moved[1][place] -= 3
        up, down = ((noise_variance(one, payload) * weights).sum() for one in moved)
        assert float(up - down) / 6 == pytest.approx(float(gradient[place]), rel=0.1, abs=1e-3)


def test_sensitivity_predicts_the_change_of_features() -> None:
    teacher, batch = TaskNetwork("resnet"), details(2)
    torch.manual_seed(0)
    forecast = torch.stack([teacher.sensitivity(batch) for _ in range(80)]).mean(0).flatten(1).sum(1)
    step, found = 1e-4, []
    for _ in range(40):
        pair = (batch, batch + step * torch.randn_like(batch))
        seen = [[features.flatten(1).detach() for features in teacher.features(one)] for one in pair]
        found.append(sum(((y - x).norm(dim=1) / x.norm(dim=1)).square() for x, y in zip(*seen, strict=True)))
    measured = torch.stack([torch.as_tensor(one) for one in found]).mean(0) / step**2
    assert forecast.numpy() == pytest.approx(measured.numpy(), rel=0.3)


@pytest.mark.parametrize("crop", [48, 60])
def test_crops_that_are_too_small_or_no_multiple_of_8_are_refused(crop: int) -> None:
    with pytest.raises(UsageError, match="crop must be"):
        ExactRecipe(**(asdict(EXACT) | {"crop": crop}))


def test_unknown_task_network_is_refused() -> None:
    with pytest.raises(ModelError, match="no model is called classifier-nobody"):
        TaskNetwork("nobody")


def test_smoothness_cost_is_hills_cost_bounded_by_1() -> None:
    """On textures, HILL's own; on a wall, 1."""
    rough = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    for pixels in (rough, np.full((48, 48, 3), 200, np.uint8)):
        found = smoothness_cost(torch.from_numpy(pixels).permute(2, 0, 1)[None].float())[0].permute(1, 2, 0).numpy()
        wanted = np.minimum(hill.compute_cost(pixels), 1)
        assert found[8:-8, 8:-8] == pytest.approx(wanted[8:-8, 8:-8], rel=0.05)


def test_losses_train_the_attention_network() -> None:
    torch.manual_seed(0)
    always = {"texture", "error"}
    for teachers, names in (((), always), (("resnet",), always | {"features"})):
        model = ExactBasn(ExactRecipe(**(asdict(EXACT) | {"teachers": teachers})))
        assert {name.split(".")[0] for name in model.state_dict()} == {"attention"}
        ((part, losses),) = model.losses(details(), 0, np.random.default_rng(0))
        assert (part, set(losses)) == ("attention", names)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, name
                assert bool(parameter.grad.isfinite().all()), name
        assert any(bool(parameter.grad.any()) for parameter in model.parameters() if parameter.grad is not None)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_gradients_are_finite_for_flat_pictures(level: int) -> None:
    model = ExactBasn(ExactRecipe(**(asdict(EXACT) | {"teachers": ("resnet",)})))
    for _, losses in model.losses(torch.full((2, 3, 56, 56), level / 255), 0, np.random.default_rng(0)):
        total = torch.stack(list(losses.values())).sum()
        assert bool(total.isfinite())
        total.backward()  # type: ignore[no-untyped-call]
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


def test_training_lowers_the_texture_loss(run: Path) -> None:
    lines = [json.loads(line)["losses"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert set(lines[-1]) == {"attention.texture", "attention.error"}
    torch.manual_seed(0)
    trained, first = ExactBasn(EXACT).eval(), ExactBasn(EXACT).eval()
    restore(trained, run)
    seen = 255 * details(8)
    with torch.no_grad():
        payload, costs = torch.full((8,), 1.5), smoothness_cost(seen)
        before, after = (
            float((noise_variance(model.attention(seen), payload) * costs).mean()) for model in (first, trained)
        )
    assert after < 0.95 * before
