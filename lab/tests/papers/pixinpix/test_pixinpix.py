"""Pictures in pictures: the paper's networks with and without corrections, ours and what it costs, and the rivals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch

from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.errors import UsageError
from underpaint.media import read, samples
from underpaint.methods import pixinpix
from underpaint.methods.pixinpix import VALUES
from underpaint.models import read_model
from underpaint_lab.data.cover_secret import CoverSecretPairs
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.nets.image_hiding import NETWORK_PAIRS, ParallelConv
from underpaint_lab.nets.unet import BlockCoder, FrozenBlockCoder, LevelTable, SecretDecoder, UNet, SecretEncoder, colour_dct
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.pixinpix.models import PixInPixOurs, PixInPixOursRecipe, PixInPixPublished, PixInPixPublishedRecipe
from underpaint_lab.papers.pixinpix.release import pictures
from underpaint_lab.papers.pixinpix.baselines import PixInPixBaseline, PixInPixBaselineRecipe
from underpaint_lab.training.loop import fit

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED = PixInPixPublishedRecipe(steps=2, batch=2, crop=32)
OURS = PixInPixOursRecipe(steps=2, batch=2, crop=32)
RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small only lose time to more."""
    torch.set_num_threads(1)


def photograph(side: int = 64) -> torch.Tensor:
    """Two squares of samples, ``(1, 6, side, side)`` in [0, 1]."""
    both = [read(samples.path(name)).pixels[100 : 100 + side, 100 : 100 + side] for name in ("coffee", "chelsea")]
    return torch.from_numpy(np.concatenate(both, axis=2)).permute(2, 0, 1)[None] / 255


def _descend(losses: dict[str, torch.Tensor]) -> None:
    torch.autograd.backward(list(losses.values()))


def couples() -> CoverSecretPairs:
    pictures = [read(samples.path(name)).pixels for name in ("coffee", "chelsea")]
    return CoverSecretPairs(*(Photographs("samples", [each]) for each in pictures), turns=True)


def test_the_unets_are_of_the_size_that_the_reference_says() -> None:
    network = UNet(6, normalised=False)
    assert network(torch.zeros(1, 6, 32, 64)).shape == (1, 3, 32, 64)
    assert 1.9e6 < sum(parameter.numel() for parameter in network.parameters()) < 2.3e6


def test_the_change_begins_at_nothing() -> None:
    covers, secrets = photograph().chunk(2, dim=1)
    assert torch.allclose(PixInPixPublished(PUBLISHED).container(covers, secrets), covers, atol=1e-6)
    painted = PixInPixPublished(replace(PUBLISHED, residual=False)).container(covers, secrets)
    assert not torch.allclose(painted, covers, atol=0.05)


def test_containers_are_whole_unless_as_printed() -> None:
    both = photograph(32).chunk(2, dim=1)
    made = 255 * PixInPixPublished(replace(PUBLISHED, residual=False)).container(*both)
    assert torch.allclose(made, made.round(), atol=1e-3)
    printed = 255 * PixInPixPublished(replace(PUBLISHED, residual=False, rounded=False)).container(*both)
    assert not torch.allclose(printed, printed.round(), atol=1e-3)


@pytest.mark.parametrize("changes", [{}, {"residual": False, "rounded": False, "normalised": False}])
def test_published_networks_learn(changes: dict[str, Any]) -> None:
    model = PixInPixPublished(replace(PUBLISHED, **changes))
    ((part, losses),) = model.losses(photograph(32).repeat(2, 1, 1, 1), 0, RNG)
    assert (part, set(losses)) == ("networks", {"cover", "secret"})
    _descend(losses)
    (gradient,) = [each.grad for name, each in model.named_parameters() if name == "networks.hide.head.weight"]
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_cosines_are_orthonormal() -> None:
    assert torch.allclose(colour_dct() @ colour_dct().T, torch.eye(VALUES), atol=1e-5)


def test_a_turn_stays_one() -> None:
    blocks = BlockCoder()
    torch.nn.init.normal_(blocks.turn)
    assert torch.allclose(blocks.basis() @ blocks.basis().T, torch.eye(VALUES), atol=1e-4)


def test_ours_begins_above_the_four_bit_control() -> None:
    secret = 255 * photograph()[:, 3:]
    blocks = BlockCoder()
    symbols = blocks.symbols(blocks.coefficients(secret), 1.0)
    error = (blocks.picture(symbols).round().clamp(0, 255) - secret).square().mean()
    assert 10 * torch.log10(255**2 / error) > 37
    assert 10 * torch.log10(255**2 / blocks.costs()[symbols.kinds].mean()) > 37


def test_numbers_are_whole_and_within_their_levels() -> None:
    blocks = BlockCoder()
    secret = 255 * torch.rand(2, 3, 16, 24)
    numbers, kinds = blocks.symbols(blocks.coefficients(secret), 1.0)
    levels = blocks.tables()[0][kinds].permute(0, 3, 1, 2)
    assert torch.allclose(numbers, numbers.round(), atol=1e-3)
    assert (numbers > -0.01).all()
    assert (numbers < levels - 0.9).all()


def test_expected_costs_are_what_containers_lose() -> None:
    blocks = FrozenBlockCoder(BlockCoder())
    levels = blocks.levels.numpy().astype(np.int64)
    rng = np.random.default_rng(0)
    for kind, expected in enumerate(blocks.costs().tolist()):
        assert expected < 90
        values = rng.integers(64, 192, size=(100, VALUES), dtype=np.uint8)
        kinds = np.full(100, kind)
        free = np.ones(values.shape, bool)
        numbers = rng.integers(levels[kinds])
        marked = pixinpix.packed(values, numbers, kinds, levels, free, Key(bytes(KEY_SIZE)))
        assert np.square(marked.astype(int) - values).mean() == pytest.approx(expected, rel=0.15, abs=0.15)


def test_everything_of_ours_learns() -> None:
    model = PixInPixOurs(OURS)
    torch.nn.init.normal_(cast("torch.nn.Conv2d", model.blocks.mend[-1]).weight)
    ((part, losses),) = model.losses(photograph(), 0, RNG)
    assert (part, set(losses)) == ("blocks", {"cover", "secret"})
    _descend(losses)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_ours_is_small() -> None:
    assert sum(parameter.numel() for parameter in PixInPixOurs(OURS).parameters()) < 300_000


def test_kinds_with_more_levels_than_fit_are_not_chosen() -> None:
    blocks = BlockCoder()
    noise = blocks.coefficients(255 * torch.rand(1, 3, 32, 32))
    dearest = int(blocks.symbols(noise, 1e3).kinds.max())
    assert blocks.costs()[dearest] < 90
    with torch.no_grad():
        blocks.more[dearest] += 0.1
    assert blocks.costs()[dearest] == float("inf")
    assert dearest not in blocks.symbols(noise, 1e3).kinds


def test_a_heavier_secret_is_revealed_better() -> None:
    secret = 255 * photograph()[:, 3:]
    blocks = BlockCoder()

    @torch.no_grad()
    def error(weight: float) -> float:
        symbols = blocks.symbols(blocks.coefficients(secret), weight)
        return float((blocks.picture(symbols) - secret).square().mean())

    assert error(10.0) < error(1.0) < error(0.1)


def test_what_is_shipped_hides_a_picture(tmp_path: Path) -> None:
    from underpaint_lab.export.onnx import export

    model = PixInPixOurs(OURS)
    fit(model, couples(), tmp_path / "run", progress=False)  # type: ignore[arg-type]
    graphs, card = pictures("pixinpix", tmp_path / "run", {})
    export(graphs, tmp_path / "zoo", card)
    shipped = read_model(tmp_path / "zoo", threads=1)
    cover, secret = (read(samples.path(name)).pixels[:120, :72] for name in ("chelsea", "coffee"))
    container = pixinpix.hide(cover, secret, "passphrase", model=shipped)
    revealed = pixinpix.reveal(container, "passphrase", model=shipped)
    from underpaint import metrics

    assert metrics.psnr(cover, container) > 36
    assert metrics.psnr(secret, revealed) > 36


def test_graphs_compute_what_blocks_do() -> None:
    blocks = FrozenBlockCoder(BlockCoder())
    secret = 255 * photograph(32)[:, 3:]
    numbers, kinds = SecretEncoder(blocks, 1.0)(secret)
    assert torch.equal(LevelTable(blocks)(kinds.flatten()), blocks.levels[kinds.flatten().long()])
    assert (SecretDecoder(blocks)(numbers, kinds) - secret).abs().mean() < 5


@pytest.mark.parametrize("crop", [33, 8])
def test_crops_fit_the_networks(crop: int) -> None:
    with pytest.raises(UsageError, match="crop"):
        replace(PUBLISHED, crop=crop)
    if crop % 8:
        with pytest.raises(UsageError, match="crop"):
            replace(OURS, crop=crop)


def test_weights_must_count() -> None:
    with pytest.raises(UsageError, match="above 0"):
        replace(OURS, secret=0.0)


@pytest.mark.parametrize("name", NETWORK_PAIRS)
def test_every_rival_learns(name: str) -> None:
    recipe = RECIPES[name].recipe
    assert isinstance(recipe, PixInPixBaselineRecipe)
    model = PixInPixBaseline(replace(recipe, width=4))
    losses = dict(model.losses(photograph(32).repeat(2, 1, 1, 1), 0, RNG))
    assert {"cover", "secret"} <= set(losses["networks"])
    assert ("critic" in losses) == (recipe.critic > 0)
    _descend(losses["networks"])
    for part in ("hide", "reveal"):
        assert all(parameter.grad is not None for parameter in model.networks[part].parameters())


def test_rivals_write_whole_levels() -> None:
    both = torch.rand(1, 6, 32, 32).chunk(2, dim=1)
    for name in NETWORK_PAIRS:
        made = 255 * PixInPixBaseline(PixInPixBaselineRecipe(steps=1, batch=1, crop=32, network=name, width=4)).eval().container(*both)
        assert made.shape == (1, 3, 32, 32)
        assert torch.allclose(made, made.round(), atol=1e-3)


def test_udh_adds_the_same_to_any_cover() -> None:
    torch.manual_seed(0)
    model = PixInPixBaseline(PixInPixBaselineRecipe(steps=1, batch=1, crop=32, network="udh", rounded=False)).eval()
    secrets = torch.rand(1, 3, 32, 32)
    first, second = torch.full((1, 3, 32, 32), 0.4), torch.full((1, 3, 32, 32), 0.6)
    assert torch.allclose(model.container(first, secrets) - first, model.container(second, secrets) - second, atol=1e-6)


def test_three_sizes_lie_side_by_side() -> None:
    assert ParallelConv(3, 5)(torch.zeros(1, 3, 9, 11)).shape == (1, 15, 9, 11)


@pytest.mark.parametrize(("changes", "match"), [({"network": "none"}, "no rival"), ({"cover": 0.0}, "weights")])
def test_a_rivals_recipe_is_checked(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        PixInPixBaselineRecipe(steps=1, batch=1, crop=32, **changes)
