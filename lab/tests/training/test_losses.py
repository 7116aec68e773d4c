"""Losses that several papers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from underpaint.channels import parse
from underpaint.errors import UsageError
from underpaint.media import read, samples
from underpaint_lab.metrics.papers import ms_ssim_normalised as measured
from underpaint_lab.training.losses import ms_ssim_normalised, triplet

if TYPE_CHECKING:
    pass


PHOTO = read(samples.path("coffee")).pixels


def test_ms_ssim_loss_equals_the_metric() -> None:
    for side in (64, 176, 200):
        before, after = PHOTO[:side, :side], parse("jpeg:20")(PHOTO[:side, :side])
        pair = (torch.from_numpy(each.copy()).permute(2, 0, 1)[None] / 255 for each in (before, after))
        scales = 5 if side >= 176 else 3
        assert float(ms_ssim_normalised(*pair)) == pytest.approx(measured(before, after, scales), abs=1e-4)
    with pytest.raises(UsageError, match="at least 11"):
        ms_ssim_normalised(torch.zeros(1, 3, 10, 10), torch.zeros(1, 3, 10, 10))


def test_triplet_loss_computed_by_hand() -> None:
    embeddings, labels = torch.tensor([[0.0], [1.0], [3.0]], requires_grad=True), torch.tensor([0, 0, 1])
    # From 0: 1 - 3 + 2.5; from 1: 1 - 2 + 2.5.
    assert triplet(embeddings, labels, 2.5).item() == pytest.approx((0.5 + 1.5) / 2)
    loss = triplet(torch.zeros(4, 2, requires_grad=True), torch.tensor([0, 0, 1, 1]), 1.0)
    assert loss.item() == pytest.approx(1.0)
    assert triplet(embeddings, torch.tensor([0, 1, 2]), 1.0).item() == 0
