"""JND of machines: the paper's losses with and without its misprints; ours keeps to 8 bits and the PSNR asked for."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from underpaint.errors import UsageError
from underpaint_lab.benchmarks.jnd.refinement import refined
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.nets.cifar_classifiers import NETWORKS, Mapped, cam
from underpaint_lab.nets.classifiers import CLASSIFIERS
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.dmvjnd.models import Ours, OursRecipe, Published, PublishedRecipe, magnitude, place
from underpaint_lab.papers.dmvjnd.moving import lacking, moved, shaken
from underpaint_lab.papers.dmvjnd.nets import EncoderDecoder, Generator, Panel
from underpaint_lab.training.loop import fit

PUBLISHED = PublishedRecipe(steps=2, batch=2, crop=32, width=4)
OURS = OursRecipe(steps=2, batch=2, crop=32)
RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small only lose time to more."""
    torch.set_num_threads(1)


def sides() -> Mapped:
    """A classifier that says whether the left or the right is brighter, by how much."""
    halves = nn.Conv2d(3, 2, 8, stride=8)
    network = Mapped(nn.Sequential(halves, nn.ReLU()), 2, 2)
    with torch.no_grad():
        halves.weight.zero_()
        halves.weight[0, :, :, :4] = 0.1
        halves.weight[1, :, :, 4:] = 0.1
        assert halves.bias is not None
        halves.bias.fill_(5.0)
        network.classify.weight.copy_(torch.eye(2))
        network.classify.bias.zero_()
    return network


def panel(count: int = 4) -> Panel:
    torch.manual_seed(0)
    return Panel([sides(), *(NETWORKS["plain"](2) for _ in range(count - 1))])


def pictures(count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, 32, 32), generator=generator) / 255


def decibels(a: Tensor, b: Tensor) -> Tensor:
    return -10 * (a - b).square().mean(dim=(1, 2, 3)).log10()


# ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_published_network_has_the_published_shape() -> None:
    network = EncoderDecoder().eval()
    shapes = [tuple(layer.weight.shape) for layer in network.layers if isinstance(layer, nn.Conv2d)]
    assert shapes == [(64, 4, 3, 3), (128, 64, 3, 3), (256, 128, 3, 3), (64, 256, 3, 3), (3, 64, 3, 3)]
    up = [tuple(layer.weight.shape) for layer in network.layers if isinstance(layer, nn.ConvTranspose2d)]
    assert up == [(64, 256, 2, 2), (256, 128, 2, 2), (128, 64, 2, 2)]
    with torch.inference_mode():
        change = network(2 * pictures() - 1, torch.rand(4, 1, 32, 32))
    assert change.shape == (4, 3, 32, 32)
    assert change.abs().max() <= 1


def test_ours_takes_any_size_and_listens() -> None:
    torch.manual_seed(0)
    network = Generator(8, 2).eval()
    images, attention, answers = torch.rand(2, 3, 36, 48), torch.rand(2, 1, 36, 48), torch.randn(2, 8)
    levels, first, second = torch.full((2, 1), 10.0), *torch.eye(8)[:2, None].expand(2, 2, 8)
    with torch.inference_mode():
        direction, promises = network(images, attention, answers, levels, first)
        assert direction.shape == images.shape
        assert promises.shape == (2, 8)
        others = [
            network(1 - images, attention, answers, levels, first)[0],
            network(images, 1 - attention, answers, levels, first)[0],
            network(images, attention, -answers, levels, first)[0],
            network(images, attention, answers, 2 * levels, first)[0],
        ]
        down, same = network(images, attention, answers, levels, second)
    assert all((direction - other).abs().max() > 1e-4 for other in others)
    assert down.mean() < 0 < direction.mean(), "each begins another way"
    assert torch.equal(promises, same), "what is promised is known before a way is taken"


def test_patterns_speak_for_the_answers_that_are_likely() -> None:
    network = Generator(4, 2).eval()
    with torch.no_grad():
        network.patterns.copy_(torch.arange(4.0)[:, None, None, None].expand_as(network.patterns))
        network.patterns[:, :, 0] = 9
        network.loudness.weight.zero_()
        network.loudness.bias.zero_()
        spoken = network.spoken(torch.tensor([[50.0, 0.0, 0.0, 50.0]]), torch.zeros(1, 64), 40, 36)
    assert spoken.shape == (1, 3, 40, 36)
    assert spoken[0, 0, 1].tolist() == pytest.approx([0 + 3] * 36), "the first classifier's first, the second's second"
    assert spoken[0, 0, 32].tolist() == pytest.approx([18] * 36), "repeated"


def test_directions_keep_their_length() -> None:
    model = Ours(replace(OURS, length=1.0), panel())
    ((_, losses),) = model.losses(pictures(), 0, RNG)
    with torch.no_grad():
        for name, weight in model.generator.named_parameters():
            if name.startswith(("colours.", "detail.")):
                weight.mul_(100)
    ((_, longer),) = model.losses(pictures(), 0, RNG)
    assert longer["length"] > losses["length"] + 5


def test_ways_that_promise_more_are_taken_more_often() -> None:
    model = Ours(OURS, panel())
    torch.manual_seed(0)
    promises = torch.zeros(4000, 8)
    promises[:, 3] = 1
    taken = model._way(promises).mean(dim=0)
    assert taken.sum() == pytest.approx(1)
    wanted = 0.9 * math.exp(2) / (math.exp(2) + 7) + 0.1 / 8
    assert taken[3] == pytest.approx(wanted, abs=0.03)
    assert taken.min() > 0.04


def test_a_panel_is_its_members() -> None:
    members = [NETWORKS[name](10).eval() for name in ("vgg", "plain")]
    asked, images = Panel(members), pictures()
    with torch.inference_mode():
        odds, attention = asked(images)
        assert torch.equal(odds, torch.cat([each(images) for each in members], dim=1))
        torch.testing.assert_close(attention, (cam(members[0], images) + cam(members[1], images)) / 2)
        assert torch.equal(asked.odds(1, images), odds[:, 10:])
    assert asked.answers == 20
    assert not any(parameter.requires_grad for parameter in asked.parameters())


@pytest.mark.parametrize("name", ["mixer", "resnet"])
def test_classifiers_of_photographs_show_where_they_look(name: str) -> None:
    classifier = CLASSIFIERS[name](5).eval()
    with torch.inference_mode():
        odds, attention = Panel([classifier])(pictures())
        torch.testing.assert_close(odds, classifier(pictures()))
    assert attention.shape == (4, 1, 32, 32)
    assert attention.amin() >= 0
    assert attention.amax() <= 1


# ── the paper's losses ───────────────────────────────────────────────────────────────────────────────────────────────


def test_magnitude_is_least_where_it_is_what_attention_leaves() -> None:
    attention = torch.full((1, 1, 8, 8), 0.4)
    losses = {size: magnitude(torch.full((1, 3, 8, 8), size), attention, 1e-10) for size in (0.3, 0.6, -0.6, 0.9)}
    assert losses[0.6] == pytest.approx(0, abs=1e-6)
    assert losses[-0.6] == losses[0.6]
    assert losses[0.3] == pytest.approx(math.log((0.36 + 0.09) / 0.36), abs=1e-6)
    assert losses[0.9] > 0.05


def test_as_printed_magnitude_hardly_counts() -> None:
    attention, nothing = torch.full((1, 1, 8, 8), 0.4), torch.full((1, 3, 8, 8), 1e-6)
    assert magnitude(nothing, attention, 1.0) < math.log(1.36) + 1e-6
    assert magnitude(nothing, attention, 1e-10) > 10


def test_place_weighs_by_attention() -> None:
    attention = torch.zeros(1, 1, 8, 8)
    attention[..., :4] = 1
    inside, outside = (torch.zeros(1, 3, 8, 8) for _ in range(2))
    inside[..., :4], outside[..., 4:] = -0.5, 0.5
    assert place(inside, attention, 1.0, absolute=True) == pytest.approx(0.5 * math.e / (1 + math.e), abs=1e-6)
    assert place(outside, attention, 1.0, absolute=True) == pytest.approx(0.5 / (1 + math.e), abs=1e-6)
    assert place(inside, attention, 1.0, absolute=False) < 0, "as printed it has no lower end"
    sharp = [place(each, attention, 0.1, absolute=True) for each in (inside, outside)]
    assert sharp[0] > 0.499
    assert sharp[1] < 1e-3


def test_published_losses_are_four() -> None:
    model = Published(PUBLISHED, panel())
    for changes in ({}, {"q": 1.0}, {"absolute": False}, {"temperature": 0.1}):
        model.recipe = replace(PUBLISHED, **changes)
        ((part, losses),) = model.losses(pictures(2), 0, RNG)
        assert part == "network"
        assert list(losses) == ["labels", "magnitude", "place", "decay"]
        assert all(loss.isfinite() and loss.requires_grad for loss in losses.values())


# ── ours ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("psnr", [9.56, 14.0, 20.0, 40.0])
def test_pictures_move_as_far_as_asked(psnr: float) -> None:
    images, direction = pictures(), torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    changed = moved(images, direction, torch.full((4, 1), psnr))
    levels = 255 * changed
    assert torch.equal(levels, levels.round().clamp(0, 255)), "what is judged can be stored"
    found = decibels(images, changed)
    assert (found <= psnr + 1e-3).all()
    assert (found > psnr - 0.1).all()
    twice = moved(images, 2 * direction, torch.full((4, 1), psnr))
    assert torch.equal(changed, twice), "its length is of no account"


def test_small_parts_of_a_direction_count_where_large_ones_are_spent() -> None:
    images, direction = torch.full((1, 3, 8, 8), 0.2), torch.full((1, 3, 8, 8), 0.003)
    direction[:, :, :4] = -1
    changed = moved(images, direction, torch.full((1, 1), 6.0))
    assert decibels(images, changed) <= 6.001


def test_a_direction_that_leads_nowhere_does_no_harm() -> None:
    white = torch.ones(2, 3, 8, 8)
    assert torch.equal(moved(white, white, torch.full((2, 1), 10.0)), white)
    assert torch.equal(moved(white, torch.zeros_like(white), torch.full((2, 1), 10.0)), white)


def test_a_direction_that_leads_nowhere_is_no_solution() -> None:
    images, levels = 0.9 * torch.ones(2, 3, 8, 8), torch.full((2, 1), 10.0)
    assert lacking(images, -torch.ones_like(images), levels) == 0
    up = torch.ones_like(images, requires_grad=True)
    lack = lacking(images, up, levels)
    assert lack.detach() == pytest.approx(0.12 - 0.01, abs=0.02)
    mixed = torch.ones_like(images)
    mixed[:, 0] = 0.2
    mixed.requires_grad_()
    (gradient,) = torch.autograd.grad(lacking(images, mixed, levels), mixed)
    assert (gradient[:, 0] > 0).all(), "down is where there is room"


def test_gradients_pass_rounding_but_not_the_border() -> None:
    images = torch.tensor([-0.1, 0.501, 1.2], requires_grad=True)
    (gradient,) = torch.autograd.grad(round_8_bit(images).sum(), images)
    assert gradient.tolist() == [0, 1, 0]


def test_a_direction_does_not_shrink() -> None:
    images = pictures()
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)).requires_grad_()
    changed = moved(images, direction, torch.full((4, 1), 20.0))
    (gradient,) = torch.autograd.grad(changed.square().sum(), direction)
    along = (direction * gradient).sum(dim=(1, 2, 3)) / gradient.norm() / direction.norm()
    assert along.abs().max() < 1e-5


def test_shaken_pictures_move_as_a_whole_and_keep_their_size() -> None:
    images = torch.zeros(2, 3, 16, 16)
    images[:, :, 8, 8] = 1
    seen = shaken(images, np.random.default_rng(3))
    assert seen.shape == images.shape
    assert not torch.equal(seen, images)
    places = seen.mean(dim=1).flatten(1).argmax(dim=1)
    assert places[0] == places[1]
    assert ((places // 16 - 8).abs() <= 2).all()
    assert ((places % 16 - 8).abs() <= 2).all()


def test_factors_are_one_or_less() -> None:
    model = Ours(replace(OURS, scaled=0.5, scattered=0.5, asked=1), panel())
    factors = model._factors(torch.zeros(200, 3, 4, 4), np.random.default_rng(0))
    assert factors.shape == (200, 1, 4, 4)
    assert 0 <= factors.min() < factors.max() <= 1
    level = (factors.flatten(1).std(dim=1) == 0).float().mean()
    assert 0.3 < level < 0.7, "half of the pictures have one factor, half have one for each pixel"
    model.recipe = replace(OURS, scaled=0.0, scattered=0.0)
    assert (model._factors(torch.zeros(9, 3, 4, 4), np.random.default_rng(0)) == 1).all()


def test_no_change_costs_nothing() -> None:
    model = Ours(replace(OURS, lowest_psnr=90.0, highest_psnr=90.0, labels=0.0, shaken=0.0), panel())
    ((part, losses),) = model.losses(pictures(), 0, RNG)
    assert part == "generator"
    assert losses["answers"].detach() == pytest.approx(0, abs=1e-5)


def test_it_learns_to_keep_answers() -> None:
    torch.manual_seed(1)
    model = Ours(
        replace(OURS, lowest_psnr=12.0, highest_psnr=12.0, scaled=0.0, scattered=0.0, asked=1), Panel([sides()])
    )
    model.recipe = replace(model.recipe, classifiers=("sides",))
    generator = torch.Generator().manual_seed(0)
    images = (127 + 60 * torch.randn(16, 3, 1, 1, generator=generator)).expand(-1, -1, 32, 32).clone()
    images[::2, :, :, 3::8] += 40
    images[1::2, :, :, 4::8] += 40
    images = round_8_bit(images / 255)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for step in range(25):
        ((_, parts),) = model.losses(images, step, np.random.default_rng(step))
        loss = sum(parts.values(), torch.zeros(()))
        gradients = torch.autograd.grad(loss, list(model.generator.parameters()))
        for parameter, gradient in zip(model.generator.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_refinement_brings_labels_back() -> None:
    images, other = pictures(8), sides()
    other.classify.weight.data.mul_(-1)
    asked = Panel([sides(), other])
    with torch.no_grad():
        before = asked(images)[0].view(8, 2, 2).argmax(dim=2)
        swapped = moved(images, images.flip(3) - images, torch.full((8, 1), 12.0))
    lost = [
        (asked(refined(asked, images, swapped, 12.0, steps))[0].view(8, 2, 2).argmax(dim=2) != before).sum()
        for steps in (0, 8)
    ]
    assert torch.equal(refined(asked, images, swapped, 12.0, 0), swapped)
    assert lost[1] < lost[0]
    assert (decibels(images, refined(asked, images, swapped, 12.0, 8)) <= 12.001).all()
    assert torch.equal(refined(asked, images, images, 12.0, 3), images), "what is kept is left alone"


# ── recipes and runs ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (PUBLISHED, {"q": 0.0}),
        (PUBLISHED, {"temperature": 0.0}),
        (PUBLISHED, {"classifiers": ()}),
        (OURS, {"lowest_psnr": 0.0}),
        (OURS, {"lowest_psnr": 30.0}),
        (OURS, {"scaled": 0.6, "scattered": 0.6}),
        (OURS, {"asked": 5}),
        (OURS, {"explored": 1.1}),
    ],
)
def test_recipes_are_checked(kind: PublishedRecipe | OursRecipe, changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        replace(kind, **changes)


def test_recipes_are_the_papers_and_ours() -> None:
    published = RECIPES["dmvjnd-published"].recipe
    assert isinstance(published, PublishedRecipe)
    assert (published.learning_rate, published.batch, published.weight_decay) == (1e-5, 50, 1e-3)
    assert (published.alpha, published.beta, published.decay) == (1, 1, "constant")
    assert {"dmvjnd", "dmvjnd-cifar"} < RECIPES.keys()


@pytest.mark.parametrize("kind", [Published, Ours])
def test_both_are_trained_by_the_loop(kind: type[Published] | type[Ours], tmp_path: Path) -> None:
    labelled = Labelled("noise", [RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(4)], [0, 1, 0, 1])
    torch.manual_seed(0)
    model = Published(PUBLISHED, panel()) if kind is Published else Ours(OURS, panel())
    fit(model, labelled, tmp_path, accelerator="cpu", progress=False)
    assert not any("_panel" in name for name in model.state_dict()), "classifiers are no part of what is trained"
    with torch.inference_mode():
        if isinstance(model, Published):
            assert model.change(pictures()).shape == (4, 3, 32, 32)
        else:
            changed = model.changed(pictures(), 14.0)
            assert (decibels(pictures(), changed) <= 14.001).all()
