"""Integer convolutions: identical results in every arithmetic, and the bound of sums."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from underpaint.errors import ModelError
from underpaint.models import Session
from underpaint_lab.export.onnx import Graph, to_onnx
from underpaint_lab.nets.integer import BOUND, PEAK, SHIFT, FrozenConv, IntegerConv, freeze, largest_sum


def layer(
    seed: int = 0, inputs: int = 5, outputs: int = 7, kernel: int = 3, stride: int = 1, scale: float = 1
) -> IntegerConv:
    torch.manual_seed(seed)
    made = IntegerConv(inputs, outputs, kernel, stride=stride)
    with torch.no_grad():
        made.weight.mul_(scale)
        made.bias.normal_()
        made.middle.uniform_(0, PEAK)
    return made.eval()


def activations(seed: int, channels: int = 5, side: int = 12, peak: int = PEAK) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, peak + 1, (2, channels, side, side), generator=generator).float()


def plain(made: IntegerConv, x: Tensor) -> NDArray[np.int64]:
    """Compute the layer in NumPy's 64-bit integers."""
    weight, bias = (parameter.detach().numpy().astype(np.int64) for parameter in made.integers())
    margin, stride, kernel = made.padding, made.stride, weight.shape[2]
    padded = np.pad(x.numpy().astype(np.int64), ((0, 0), (0, 0), (margin, margin), (margin, margin)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]
    sums: NDArray[np.int64] = np.einsum("bcyxuv,ocuv->boyx", windows, weight) + bias[:, None, None]
    clipped: NDArray[np.int64] = np.clip(sums >> SHIFT, 0, PEAK)
    return clipped


@given(st.integers(0, 2**31), st.sampled_from([(1, 1), (3, 1), (5, 1), (2, 2), (6, 2)]), st.floats(0.1, 100))
@settings(max_examples=40, deadline=None)
def test_every_arithmetic_gives_the_same_integers(seed: int, form: tuple[int, int], scale: float) -> None:
    made, x = layer(seed, kernel=form[0], stride=form[1], scale=scale), activations(seed)
    wanted = plain(made, x)
    with torch.no_grad():
        once = FrozenConv(made)
        np.testing.assert_array_equal(made(x).numpy(), wanted)
        np.testing.assert_array_equal(once(x).numpy(), wanted)
        np.testing.assert_array_equal(once.double()(x.double()).numpy(), wanted)


def test_errors_below_half_a_unit_do_not_change_the_result() -> None:
    made, x = FrozenConv(layer()), activations(0)
    sums = nn.functional.conv2d(x, made.weight, made.bias, made.stride, made.padding)
    generator = torch.Generator().manual_seed(1)
    for error in (0.499, -0.499):
        moved = sums + error * 2.0**-SHIFT * torch.rand(sums.shape, generator=generator)
        assert torch.equal(moved.floor(), sums.floor())


@given(st.integers(0, 2**31), st.floats(1e-3, 1e4), st.integers(1, 600))
@settings(max_examples=30, deadline=None)
def test_sums_stay_below_the_bound_for_any_weights(seed: int, scale: float, inputs: int) -> None:
    made = layer(seed, inputs=inputs, outputs=3, scale=scale)
    with torch.no_grad():
        made.bias.mul_(scale)
    weight, bias = (parameter.detach() for parameter in made.integers())
    assert largest_sum(weight, bias, PEAK) < BOUND
    assert torch.equal(weight, weight.round())
    assert torch.equal(bias, bias.round())


def test_largest_sum_is_exact() -> None:
    weight, bias = torch.tensor([3.0, -4.0, 1.0]).reshape(1, 3, 1, 1), torch.tensor([-7.0])
    assert largest_sum(weight, bias, 10) == 8 * 10 + 7
    huge = torch.full((1, 2, 1, 1), 2.0**24 + 2)
    assert largest_sum(huge, torch.ones(1), 255) == 2 * 255 * (2**24 + 2) + 1


def test_layers_that_could_exceed_the_bound_are_not_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    made = layer()
    weight, bias = (parameter.detach() for parameter in made.integers())
    monkeypatch.setattr(made, "integers", lambda: (weight * 2000, bias))
    with pytest.raises(ModelError, match="are not exact"):
        freeze(nn.Sequential(made))


def test_rounding_has_a_straight_through_gradient() -> None:
    made = layer(scale=0.2)
    x = activations(0)
    inside = made(x)
    open_ = (inside > 0) & (inside < PEAK)
    made(x)[open_].sum().backward()
    assert made.bias.grad is not None
    assert made.weight.grad is not None
    # As without rounding: a bias adds 64 levels to each value that is not clipped.
    counts = open_.float().sum((0, 2, 3))
    assert torch.allclose(made.bias.grad, 64 * counts)
    assert bool(made.weight.grad.any())


def test_clipped_activations_have_a_gradient() -> None:
    made = layer()
    with torch.no_grad():
        made.bias.fill_(100.0)
    out = made(activations(0))
    assert torch.equal(out, torch.full_like(out, PEAK))
    out.sum().backward()
    assert made.bias.grad is not None
    assert bool((made.bias.grad > 0).all())


def test_bias_is_the_output_for_mean_inputs() -> None:
    made = layer(scale=0.1).train()
    with torch.no_grad():
        made.bias.copy_(torch.linspace(1, 3, 7))
        x = 100 + activations(0) % 50
        for _ in range(60):
            out = made(x)[:, :, 1:-1, 1:-1]
    assert out.mean((0, 2, 3)).numpy() == pytest.approx(64 * np.linspace(1, 3, 7), abs=6)


def test_freeze_replaces_every_layer_of_a_copy() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(IntegerConv(3, 8, 2, stride=2), nn.Sequential(IntegerConv(8, 4, 3)), nn.PixelShuffle(2))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    still = freeze(network)
    assert not any(isinstance(module, IntegerConv) for module in still.modules())
    assert not list(still.parameters())
    assert not still.training
    assert network.training
    assert before.keys() == network.state_dict().keys()
    x = activations(3, channels=3)
    network.eval()
    with torch.no_grad():
        assert torch.equal(still(x), network(x))
        assert torch.equal(still.double()(x.double()).float(), network(x))


def test_graph_gives_the_same_integers() -> None:
    torch.manual_seed(0)
    network = freeze(nn.Sequential(IntegerConv(3, 8, 6, stride=2), IntegerConv(8, 12, 3), nn.PixelShuffle(2)))
    x = activations(0, channels=3)[:1]
    data = to_onnx(Graph(network, {"x": x}, {"x": {2: "height", 3: "width"}}))
    for side in (12, 40):
        x = activations(side, channels=3, side=side)[:1]
        (made,) = Session(data, threads=1).run({"x": x.numpy()}).values()
        with torch.no_grad():
            np.testing.assert_array_equal(made, network(x).numpy())
