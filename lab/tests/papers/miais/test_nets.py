"""MIAIS's networks, and the keys of ours."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from underpaint.methods.miais import SIGNS
from underpaint_lab.papers.miais.nets import (
    LENGTH,
    Keys,
    MiaisEmbedder,
    MiaisExtractor,
    Recogniser,
    Restorer,
    StegGenerator,
)


def test_networks_are_of_the_published_size() -> None:
    count = {
        network: sum(parameter.numel() for parameter in network.parameters())
        for network in (StegGenerator(), Restorer())
    }
    # pix2pix's U-Net of seven halvings for 6 channels, and table II.
    assert list(count.values()) == [pytest.approx(41.8e6, rel=0.01), pytest.approx(741e3, rel=0.02)]


def test_outputs_have_the_expected_shapes_and_ranges() -> None:
    images = torch.rand(2, 3, 64, 64)
    made = StegGenerator(8, 5).eval()(images, images)
    assert made.shape == images.shape
    assert 0 < made.min() < made.max() < 1
    assert Restorer(8).eval()(made).shape == images.shape
    network = Recogniser(7, 8, 16).eval()
    embeddings = network(images)
    assert torch.allclose(embeddings.norm(dim=1), torch.full((2,), LENGTH))
    assert network.classify(embeddings).shape == (2, 7)


def test_rotation_by_a_key_is_invertible_only_with_the_key() -> None:
    codes = torch.randn(200, 64, generator=torch.Generator().manual_seed(1))
    keys, others = (Keys(200, 64, np.random.default_rng(seed)) for seed in (0, 1))
    assert torch.equal(keys.rotate_back(keys.rotate(codes)), codes)
    rotated = keys.rotate(codes)
    assert torch.allclose(rotated[:, :64].norm(dim=1), codes.norm(dim=1))
    assert torch.equal(rotated[:, 64:].abs(), torch.ones(200, SIGNS))
    wrong = torch.cosine_similarity(others.rotate_back(keys.rotate(codes)), codes)
    # As unlike as codes drawn at random: a standard deviation of 1 / 8, and no mean.
    assert abs(float(wrong.mean())) < 0.03
    assert float(wrong.std()) == pytest.approx(1 / 8, rel=0.2)


def test_codes_under_wrong_keys_are_dissimilar() -> None:
    same = torch.randn(1, 64, generator=torch.Generator().manual_seed(1)).expand(200, -1)
    keys, others = (Keys(200, 64, np.random.default_rng(seed)) for seed in (0, 1))
    found = others.rotate_back(keys.rotate(same))
    assert abs(float(torch.cosine_similarity(found[1:], found[:-1]).mean())) < 0.03


def test_change_of_the_embedder_is_bounded() -> None:
    covers, codes = torch.rand(2, 3, 32, 40), torch.randn(2, 16)
    embedder = MiaisEmbedder(16, 8, 0.05)
    with torch.no_grad():
        embedder.carriers.mul_(1e4)
        assert (embedder(covers, codes, -codes) - covers).abs().max() == pytest.approx(0.05, abs=1e-5)
        assert MiaisExtractor(16, 8)(covers).shape == (2, 16)
