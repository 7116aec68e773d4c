"""Steganalysers: what they are made of, what they are shown, and that they learn and are shipped."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from underpaint import media, models
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint.types import Image
from underpaint_lab.benchmarks.detectability import shipped_cnn
from underpaint_lab.data.camera import developed
from underpaint_lab.data.cover_stego import CURRICULUM_STEPS, KINDS, CoverStegoPairs, embed_at, make
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers import RECIPES, release
from underpaint_lab.papers.steganalysis.models import Counted, SteganalysisRecipe
from underpaint_lab.papers.steganalysis.nets import STEGANALYSERS, Counts, Light, srm_filters
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import fit

RNG = np.random.default_rng(7)
PHOTO = media.read(samples.path("coffee")).pixels


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small only lose time to more."""
    torch.set_num_threads(1)


def toy(count: int = 12, side: int = 40) -> CoverStegoPairs:
    """Covers of two levels, whose containers have noise."""
    covers = np.repeat(RNG.integers(60, 180, (count, 1, 1, 3), dtype=np.uint8), side, 1).repeat(side, 2)
    noise = RNG.integers(0, 3, (2, *covers.shape), dtype=np.uint8)
    return CoverStegoPairs("toy", covers, covers + noise, RNG.random((2, count)))


def test_the_filters_are_those_of_the_rich_model() -> None:
    filters = srm_filters()
    assert filters.shape == (30, 1, 5, 5)
    assert filters.sum(dim=(1, 2, 3)).abs().max() < 1e-6, "flat places leave nothing"
    assert torch.allclose(filters[:, 0, 2, 2], torch.full((30,), -1.0)), "a residual is in units of the value itself"
    assert len({tuple(one.flatten().tolist()) for one in filters}) == 30
    sizes = sorted(int(one.count_nonzero()) for one in filters)
    assert sizes == sorted([2] * 8 + [4] * 8 + [3] * 4 + [6] * 4 + [15] * 4 + [9, 25])


@pytest.mark.parametrize("name", STEGANALYSERS)
@pytest.mark.parametrize("size", [(32, 32), (47, 90)])
def test_any_size_has_its_odds(name: str, size: tuple[int, int]) -> None:
    network = STEGANALYSERS[name]().eval()
    with torch.inference_mode():
        odds = network(torch.randint(0, 256, (3, 3, *size)).float())
    assert odds.shape == (3,)
    assert odds.isfinite().all()


def test_counts_are_shares_and_symmetric() -> None:
    counts, pictures = Counts(), torch.from_numpy(PHOTO[:40, :64].copy()).permute(2, 0, 1)[None].float()
    found = counts(pictures)
    assert found.shape == (1, counts.size)
    assert found.square().sum() == pytest.approx(48, rel=1e-4), "six filters, two steps, four histograms"
    assert torch.allclose(counts(255 - pictures), found), "a negative"
    assert torch.allclose(counts(pictures.transpose(2, 3)), found), "the picture on its side"
    grey = counts(pictures[:, :1].expand(-1, 3, -1, -1))
    assert (grey == 1).sum() == 24, "colours that are alike leave nothing apart"


def test_members_of_a_pair_stay_together() -> None:
    shown = make(Photographs("photo", [PHOTO[:256, :256], PHOTO[-256:, -256:]]), 6, jobs=1)
    assert shown.containers.shape == (len(KINDS), 6, 128, 128, 3)
    batch = shown.batch(10**6, size=12, crop=64, seed=1)
    apart = (batch[:, 3:] - batch[:, :3]).abs()
    assert 0 < apart.mean() < 3, "the same place, turned alike"
    assert all(apart.flatten(1).max(dim=1).values > 0)
    assert torch.equal(batch, shown.batch(10**6, size=12, crop=64, seed=1))
    assert not torch.equal(batch, shown.batch(10**6 + 1, size=12, crop=64, seed=1))
    assert (shown.covers[0][..., :1] == shown.covers[0]).all(), "the first of twenty is grey"
    assert (shown.containers[:, 0, ..., :1] == shown.containers[:, 0]).all()
    with pytest.raises(UsageError, match="large enough"):
        shown.batch(0, size=1, crop=129, seed=0)


def test_rates_begin_with_the_highest() -> None:
    shown = toy(40)
    for step, lowest in ((0, 30), (CURRICULUM_STEPS // 2, 15), (CURRICULUM_STEPS, 0), (10 * CURRICULUM_STEPS, 0)):
        drawn = shown.drawn(step, 400, np.random.default_rng(0))
        ranks = {int((shown.rates[kind] < shown.rates[kind, number]).sum()) for kind, number in drawn}
        assert lowest <= min(ranks) < lowest + 3
        assert {kind for kind, _ in drawn} == {0, 1}


@pytest.mark.parametrize("kind", KINDS)
def test_containers_carry_their_rate(kind: str) -> None:
    cover = PHOTO[:64, :96].copy()
    low, high = (np.mean(embed_at(cover, kind, rate, 3) != cover) for rate in (0.1, 0.4))
    assert 0 < low < high < 0.4
    assert (embed_at(cover, kind, 0.4, 3) == embed_at(cover, kind, 0.4, 3)).all()


def test_only_exact_methods_have_rates() -> None:
    with pytest.raises(UsageError, match="made by 'stdm'"):
        embed_at(PHOTO, "stdm", 0.1, 0)
    with pytest.raises(UsageError, match="has no pairs"):
        CoverStegoPairs.of("nothing.npz")
    shown = toy()
    with pytest.raises(UsageError, match="not a container"):
        CoverStegoPairs("short", shown.covers, shown.containers[:, 1:], shown.rates)
    with pytest.raises(UsageError, match="no steganalyser is called 'resnet'"):
        SteganalysisRecipe(steps=1, batch=1, crop=32, network="resnet")


@pytest.mark.parametrize("name", STEGANALYSERS)
def test_every_recipe_takes_a_step(name: str) -> None:
    entry, shown = RECIPES[f"steganalysis-{name}"], toy()
    assert isinstance(entry.recipe, SteganalysisRecipe)
    if name == "light":
        shown = Counted("toy", shown.covers, shown.containers, shown.rates)
    model = entry.model(replace(entry.recipe, crop=32))
    losses = dict(model.losses(shown.batch(0, size=2, crop=32, seed=0), 0, np.random.default_rng(0)))
    assert losses["network"]["surprise"] > 0


def test_counting_first_or_later_is_the_same() -> None:
    shown = toy()
    counted = Counted("toy", shown.covers, shown.containers, shown.rates)
    light = Light().eval()
    ((kind, number),) = counted.drawn(5, 1, np.random.default_rng([0, 5, 0, 1]))
    both = np.stack([shown.covers[number], shown.containers[kind, number]])
    with torch.inference_mode():
        wanted = light(torch.from_numpy(both).permute(0, 3, 1, 2).float())
        found = light.judged(counted.batch(5, size=1, crop=32, seed=0)[0])
    assert torch.allclose(found, wanted, atol=1e-6)


def test_it_learns_and_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = toy()
    np.savez(tmp_path / "pairs.npz", covers=shown.covers, containers=shown.containers, rates=shown.rates)
    counted = Counted.of(tmp_path / "pairs.npz")
    recipe = replace(RECIPES["steganalysis-light"].recipe, steps=40, batch=8, warmup=0, ema=0.0)
    model = RECIPES["steganalysis-light"].model(recipe)
    fit(model, counted, tmp_path / "run", accelerator="cpu", progress=False)
    exported: dict[str, Any] = {}
    monkeypatch.setattr(release, "export", lambda graphs, folder, card: exported.update(graphs, card=card) or 0.5)
    assert release.release("detector", tmp_path / "run", tmp_path / "detector", {"auc": 0.9}) == 0.5
    assert exported["card"].measured == {"auc": 0.9}
    assert "light one of ours" in exported["card"].paper
    assert "12 pictures" in exported["card"].training_data
    network = exported["detector"].module
    with torch.inference_mode():
        clean, full = (
            network(torch.from_numpy(each).permute(0, 3, 1, 2).float()) for each in (shown.covers, shown.containers[0])
        )
    assert clean.max() < full.min()


def test_only_steganalysers_are_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "read_record", lambda run: {"recipe": {"network": "vgg"}})
    with pytest.raises(UsageError, match="trained no steganalyser"):
        release.release("detector", tmp_path, tmp_path)


def test_what_was_shipped_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        pixels = PHOTO[100 * number : 100 * number + 256, 40:296]
        media.write(media.Picture(pixels.copy()), tmp_path / f"{number}.png")
    monkeypatch.setattr(shipped_cnn, "CASES", {"LSB matching 0.4": ("lsb", 0.4), "stdm": ("stdm", 0)})
    monkeypatch.setattr(
        "sys.argv", ["judge_detector", "pairs", str(tmp_path), "--jobs", "1", "--scores", str(tmp_path / "scores.json")]
    )
    shipped_cnn.main()
    printed = capsys.readouterr().out.splitlines()
    assert [re.split(r" *\| *", line)[1:4] for line in printed[2:5]] == [
        ["as they are", "LSB matching 0.4", "2"],
        ["as they are", "stdm", "2"],
        ["as they are", "clean", "2"],
    ]
    assert len(printed) == 2 + 3 * 3
    assert (tmp_path / "scores.json").stat().st_size > 100


def test_other_processes_can_be_asked_to_judge() -> None:
    assert pickle.dumps(shipped_cnn.ASKED)


def test_a_network_that_is_not_shipped_is_asked_too(tmp_path: Path) -> None:
    recipe = SteganalysisRecipe(steps=1, batch=2, crop=32, network="ye")
    fit(RECIPES["steganalysis-ye"].model(recipe), toy(), tmp_path, accelerator="cpu", progress=False)
    odds = [shipped_cnn.trained(np.ascontiguousarray(PHOTO[:64, :64] // step), tmp_path) for step in (1, 4)]
    assert odds[0] != odds[1]


def test_large_photographs_are_judged_in_crops_and_whole() -> None:
    found = shipped_cnn.sets(Photographs("large", [np.zeros((300, 520, 3), np.uint8)]))
    assert {name: len(covers) for name, covers in found.items()} == {"large crops": 2, "large whole": 1}


def test_clean_covers_have_scores() -> None:
    crops: list[Image] = [PHOTO[:128, :128], PHOTO[128:256, :128]]
    assert ((shipped_cnn.clean(crops) > 0) & (shipped_cnn.clean(crops) < 1)).all()
    assert models.card("detector").method == "analyst"


def test_covers_are_developed_each_in_its_own_way() -> None:
    picture = PHOTO[:256, :300]
    found = [developed(picture, np.random.default_rng(seed)) for seed in range(30)]
    assert all(cover.shape == (128, 128, 3) and cover.dtype == np.uint8 for cover in found)
    assert len({cover.tobytes() for cover in found}) == len(found)
    assert (developed(picture, np.random.default_rng(3)) == found[3]).all()
    rough = [float(np.abs(np.diff(cover.astype(int), axis=1)).mean()) for cover in found]
    assert max(rough) > 2 * min(rough), "noise and blur"
