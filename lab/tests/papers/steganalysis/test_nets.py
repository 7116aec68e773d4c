"""Steganalysis networks."""

from __future__ import annotations

import pytest
import torch

from underpaint import media
from underpaint.media import samples
from underpaint_lab.papers.steganalysis.nets import STEGANALYSERS, ColourRichModel, srm_filters

PHOTO = media.read(samples.path("coffee")).pixels


def test_filters_are_those_of_the_rich_model() -> None:
    filters = srm_filters()
    assert filters.shape == (30, 1, 5, 5)
    assert filters.sum(dim=(1, 2, 3)).abs().max() < 1e-6, "flat places leave nothing"
    assert torch.allclose(filters[:, 0, 2, 2], torch.full((30,), -1.0)), "a residual is in units of the value itself"
    assert len({tuple(one.flatten().tolist()) for one in filters}) == 30
    sizes = sorted(int(one.count_nonzero()) for one in filters)
    assert sizes == sorted([2] * 8 + [4] * 8 + [3] * 4 + [6] * 4 + [15] * 4 + [9, 25])


@pytest.mark.parametrize("name", STEGANALYSERS)
@pytest.mark.parametrize("size", [(32, 32), (47, 90)])
def test_networks_accept_any_size(name: str, size: tuple[int, int]) -> None:
    network = STEGANALYSERS[name]().eval()
    with torch.inference_mode():
        odds = network(torch.randint(0, 256, (3, 3, *size)).float())
    assert odds.shape == (3,)
    assert odds.isfinite().all()


def test_rich_model_has_relative_frequencies_and_symmetries() -> None:
    counts, pictures = ColourRichModel(), torch.from_numpy(PHOTO[:40, :64].copy()).permute(2, 0, 1)[None].float()
    found = counts(pictures)
    assert found.shape == (1, counts.size)
    assert found.square().sum() == pytest.approx(48, rel=1e-4), "six filters, two steps, four histograms"
    assert torch.allclose(counts(255 - pictures), found), "a negative"
    assert torch.allclose(counts(pictures.transpose(2, 3)), found), "the picture on its side"
    grey = counts(pictures[:, :1].expand(-1, 3, -1, -1))
    assert (grey == 1).sum() == 24, "colours that are alike leave nothing apart"
