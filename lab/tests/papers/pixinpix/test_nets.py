"""The block coder of PixInPix."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lab_support.pixinpix import cover_and_secret
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.embedding import residues
from underpaint.embedding.residues import VALUES
from underpaint_lab.papers.pixinpix.nets import BlockCoder, FrozenBlockCoder, LevelTable, SecretDecoder, SecretEncoder


def test_trained_transform_stays_orthonormal() -> None:
    blocks = BlockCoder()
    torch.nn.init.normal_(blocks.turn)
    assert torch.allclose(blocks.basis() @ blocks.basis().T, torch.eye(VALUES), atol=1e-4)


def test_untrained_coder_is_better_than_four_lowest_bits() -> None:
    secret = 255 * cover_and_secret()[:, 3:]
    blocks = BlockCoder()
    symbols = blocks.symbols(blocks.coefficients(secret), 1.0)
    error = (blocks.picture(symbols).round().clamp(0, 255) - secret).square().mean()
    assert 10 * torch.log10(255**2 / error) > 37
    assert 10 * torch.log10(255**2 / blocks.costs()[symbols.kinds].mean()) > 37


def test_numbers_are_whole_and_below_the_levels() -> None:
    blocks = BlockCoder()
    secret = 255 * torch.rand(2, 3, 16, 24)
    numbers, kinds = blocks.symbols(blocks.coefficients(secret), 1.0)
    levels = blocks.tables()[0][kinds].permute(0, 3, 1, 2)
    assert torch.allclose(numbers, numbers.round(), atol=1e-3)
    assert (numbers > -0.01).all()
    assert (numbers < levels - 0.9).all()


def test_costs_are_the_mean_squared_change_of_containers() -> None:
    blocks = FrozenBlockCoder(BlockCoder())
    levels = blocks.levels.numpy().astype(np.int64)
    rng = np.random.default_rng(0)
    for kind, expected in enumerate(blocks.costs().tolist()):
        assert expected < 90
        values = rng.integers(64, 192, size=(100, VALUES), dtype=np.uint8)
        kinds = np.full(100, kind)
        free = np.ones(values.shape, bool)
        numbers = rng.integers(levels[kinds])
        marked = residues.embed(values, numbers, kinds, levels, free, Key(bytes(KEY_SIZE)))
        assert np.square(marked.astype(int) - values).mean() == pytest.approx(expected, rel=0.15, abs=0.15)


def test_kinds_with_too_many_levels_are_not_chosen() -> None:
    blocks = BlockCoder()
    noise = blocks.coefficients(255 * torch.rand(1, 3, 32, 32))
    dearest = int(blocks.symbols(noise, 1e3).kinds.max())
    assert blocks.costs()[dearest] < 90
    with torch.no_grad():
        blocks.more[dearest] += 0.1
    assert blocks.costs()[dearest] == float("inf")
    assert dearest not in blocks.symbols(noise, 1e3).kinds


def test_a_larger_weight_of_the_secret_lowers_its_error() -> None:
    secret = 255 * cover_and_secret()[:, 3:]
    blocks = BlockCoder()

    @torch.no_grad()
    def error(weight: float) -> float:
        symbols = blocks.symbols(blocks.coefficients(secret), weight)
        return float((blocks.picture(symbols) - secret).square().mean())

    assert error(10.0) < error(1.0) < error(0.1)


def test_exported_networks_compute_the_same_as_the_coder() -> None:
    blocks = FrozenBlockCoder(BlockCoder())
    secret = 255 * cover_and_secret(32)[:, 3:]
    numbers, kinds = SecretEncoder(blocks, 1.0)(secret)
    assert torch.equal(LevelTable(blocks)(kinds.flatten()), blocks.levels[kinds.flatten().long()])
    assert (SecretDecoder(blocks)(numbers, kinds) - secret).abs().mean() < 5
