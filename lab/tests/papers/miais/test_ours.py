"""Our MIAIS: embedding and extraction of codes, and training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from lab_support.miais import OURS, PHOTO, batch, with_gradient
from underpaint_lab.papers.miais.nets import (
    Keys,
)
from underpaint_lab.papers.miais.ours import MiaisOurs


def test_untrained_networks_embed_readable_codes() -> None:
    model = MiaisOurs(replace(OURS, size=128)).eval()
    cover = torch.from_numpy(PHOTO[100:164, 100:164].copy()).permute(2, 0, 1)[None] / 255
    codes = torch.randn(1, 128, generator=torch.Generator().manual_seed(0))
    keys = Keys(1, 128, np.random.default_rng(0))
    with torch.no_grad():
        container = model.container(cover, codes, keys)
        assert (model.embedding(container, keys) - codes).square().mean() < 0.1
    assert -10 * torch.log10((container - cover).square().mean()) > 43


def test_containers_are_8_bit() -> None:
    model = MiaisOurs(OURS)
    covers, secrets = batch()[:, :3], batch()[:, 3:6]
    keys = Keys(8, 16, np.random.default_rng(0))
    containers = 255 * model.container(covers, model.code(secrets), keys)
    assert torch.allclose(containers, containers.round(), atol=1e-3)
    assert model.embedding(containers / 255, keys).shape == (8, 16)


def test_losses_train_embedder_and_extractor() -> None:
    model = MiaisOurs(replace(OURS, jpeg=50)).train()
    optimiser = torch.optim.Adam(model.networks.parameters(), 1e-3)
    for _ in range(3):  # what begins at nothing lets through no gradient at first
        ((part, losses),) = model.losses(batch(), 0, np.random.default_rng(0))
        assert (part, set(losses)) == ("networks", {"cover", "identity"})
        assert with_gradient(model, losses) == {"writer", "reader"}
        optimiser.step()
    assert all(
        parameter.grad.abs().sum() > 0 for parameter in model.networks.parameters() if parameter.grad is not None
    )
    assert all(parameter.grad is not None for parameter in model.networks.parameters())
