"""Variants of robust with and without trained networks; without them it is the method of the runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from underpaint import media
from underpaint.channels import parse
from underpaint.embedding.canvas import Canvas
from underpaint.errors import UnderpaintError
from underpaint.media import samples
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.robustness import network_gain
from underpaint_lab.benchmarks.robustness.crops import BITS, CROP, CropBits, carriers
from underpaint_lab.benchmarks.robustness.network_gain import VARIANTS, measure
from underpaint_lab.benchmarks.robustness.rows import ALL, NETWORKS, BerChange, changes, qualities
from underpaint_lab.benchmarks.robustness.table import networks_table
from underpaint_lab.data.pictures import crops
from underpaint_lab.papers.robust.network_canvas import NetworkCanvas
from underpaint_lab.provenance import Source

COVERS = [crops(media.read(samples.path(name)).pixels, CROP)[4] for name in samples.names()]
SECRET = CropBits("robust", 0, BITS, 0)
SOURCE = Source("python", "0" * 12, 0, "samples, held out", 2, "0" * 64, {}, "a machine")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refined for one codec; two crops meet a PSNR only by chance."""
    monkeypatch.setattr(network_gain, "TOLERANCE", 0.3)
    for name, variant in VARIANTS.items():
        monkeypatch.setitem(VARIANTS, name, replace(variant, channels=[parse("jpeg:25")][: len(variant.channels)]))


def test_without_networks_it_is_the_method_of_the_runtime() -> None:
    robust, variant = carriers()["robust"], VARIANTS["plain-refined"]
    container = variant.embed(COVERS[0], SECRET, 40)
    assert np.array_equal(container, robust.embed_bits(COVERS[0], SECRET.bits, SECRET.key, psnr=40))
    received = parse("jpeg:5")(container)
    soft = robust.extract_bits(received, BITS, SECRET.key, psnr=40)
    assert variant.wrong(received, SECRET, 40) == ((soft > 0) != SECRET.bits).sum() > 0


def test_networks_are_switched_off_one_by_one() -> None:
    full = NetworkCanvas(CROP, near=False)
    for name, writer, reader in (("plain", 0, 0), ("writer", 1, 0), ("reader", 0, 1), ("both", 1, 1)):
        partial = NetworkCanvas(CROP, near=False, networks=VARIANTS[name].networks)
        assert np.array_equal(partial.weights(COVERS[0], 2), full.weights(COVERS[0], 2)) == bool(writer)
        assert np.array_equal(partial.restore(COVERS[0], 2), full.restore(COVERS[0], 2)) == bool(reader)
    plain = Canvas(CROP, near=False)
    assert np.array_equal(full.analyse(COVERS[0], 2), plain.analyse(COVERS[0], 2))
    none = NetworkCanvas(CROP, near=False, networks=VARIANTS["plain"].networks)
    assert np.array_equal(none.weights(COVERS[0], 2), plain.weights(COVERS[0], 2))
    assert np.array_equal(none.restore(COVERS[0], 2), plain.analyse(COVERS[0], 2))
    first, second = plain.weights(COVERS[0], 2).reshape(-1, 2).T
    assert np.array_equal(first, second), "weights follow from the block alone"


@pytest.mark.usefixtures("quick")
def test_all_variants_are_compared_with_plain(tmp_path: Path) -> None:
    found = measure(COVERS, SOURCE, ("jpeg:5", "webp:0"))
    assert [each.method for each in found] == list(VARIANTS)
    for result in found:
        assert qualities(result)[0].psnr_mean == pytest.approx(40, abs=0.3)
        assert [row.channel for row in result.rows] == ["jpeg:5", "webp:0"]
        result.write(tmp_path)
    assert report.read_all(tmp_path / NETWORKS) == sorted(found, key=lambda each: f"{each.method}.json")
    for plain, *others in (found[:4], found[4:]):
        assert changes(plain) == ()
        for result in others:
            assert [change.channel for change in changes(result)] == ["jpeg:5", "webp:0", ALL]
            for row, before, change in zip(result.rows, plain.rows, changes(result), strict=False):
                assert (row.ber or 0) - (before.ber or 0) == pytest.approx(change.ber, abs=1e-6)
    cells = networks_table(found).cells
    assert cells[0] == ["channel", "plain", "writer", "reader", "both"]
    assert [line[0] for line in cells[1:]] == ["unrefined", "jpeg:5", "webp:0", ALL, "refined", "jpeg:5", "webp:0", ALL]
    text = report.fill_page(f"<!-- results: {NETWORKS} -->\n<!-- end of results -->", tmp_path)
    assert "| unrefined | " in text
    assert "2 crops." in text


def test_the_interval_of_a_change_covers_the_variation_between_crops() -> None:
    more = np.array([[0, -3]] * 50 + [[0, 0]] * 50)
    none, some, both = BerChange.of(more, 30, ("none", "jpeg:10"), 0)
    assert none == BerChange("none", 0, 0, 0)
    assert (some.channel, some.ber) == ("jpeg:10", -0.05)
    # Half of 100 crops: a standard deviation of 0.05 over ten.
    assert (some.low, some.high) == pytest.approx((-0.05 - 0.0098, -0.05 + 0.0098), abs=5e-4)
    assert (both.channel, both.ber) == (ALL, -0.025)
    assert both.low == pytest.approx(some.low / 2, abs=1e-6)


def test_a_psnr_that_is_not_met_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_gain, "TOLERANCE", -1)
    monkeypatch.setattr(network_gain, "ROUNDS", 2)
    with pytest.raises(UnderpaintError, match=r"40 dB was not reached, the last is (39|40)\.\d\d dB"):
        measure(COVERS, SOURCE, ())


@pytest.mark.usefixtures("quick")
def test_from_photographs_to_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photographs").mkdir()
    for number, crop in enumerate(crops(media.read(samples.path("coffee")).pixels, CROP)):
        media.write(media.Picture(crop), tmp_path / "photographs" / f"{number}.png")
    monkeypatch.setattr(network_gain, "NETWORK_CHANNELS", ("none", "jpeg:25"))
    network_gain.main(["--data", str(tmp_path / "photographs"), "--crops", "1", "--results", str(tmp_path)])
    assert capsys.readouterr().out.count("wrote") == len(VARIANTS)
    for result in report.read_all(tmp_path / NETWORKS):
        assert isinstance(result.source, Source)
        assert result.source.command == "underpaint-lab evaluate network-gain --data photographs --crops 1"
        assert result.source.data == "photographs, held out"
