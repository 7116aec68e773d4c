"""Release of PixInPix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab_support.pixinpix import OURS
from underpaint import metrics
from underpaint.media import read, samples
from underpaint.methods import pixinpix
from underpaint.models import read_model
from underpaint_lab.data.cover_secret import CoverSecretPairs
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.export.onnx import export
from underpaint_lab.papers.pixinpix import nets
from underpaint_lab.papers.pixinpix.models import (
    PixInPixOurs,
)
from underpaint_lab.papers.pixinpix.release import pictures
from underpaint_lab.training.loop import fit

if TYPE_CHECKING:
    from pathlib import Path


def pairs() -> CoverSecretPairs:
    pictures = [read(samples.path(name)).pixels for name in ("coffee", "chelsea")]
    return CoverSecretPairs(*(Photographs("samples", [each]) for each in pictures), turns=True)


def test_a_released_model_hides_and_reveals_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (nets, pixinpix):
        monkeypatch.setattr(module, "KINDS", 4)  # the export takes a time in proportion
    model = PixInPixOurs(OURS)
    fit(model, pairs(), tmp_path / "run", progress=False)  # type: ignore[arg-type]
    graphs, card = pictures("pixinpix", tmp_path / "run", {})
    export(graphs, tmp_path / "zoo", card)
    released = read_model(tmp_path / "zoo", threads=1)
    cover, secret = (read(samples.path(name)).pixels[:120, :72] for name in ("chelsea", "coffee"))
    container = pixinpix.hide(cover, secret, "passphrase", model=released)
    revealed = pixinpix.reveal(container, "passphrase", model=released)
    assert metrics.psnr(cover, container) > 36
    assert metrics.psnr(secret, revealed) > 36
