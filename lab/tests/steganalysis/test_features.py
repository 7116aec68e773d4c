"""SPAM and SRM: agreement with a public implementation, symmetries, strips, refusals."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from underpaint.errors import UsageError
from underpaint_lab.steganalysis import cooccurrence
from underpaint_lab.steganalysis.spam import FEATURES, of_colour, spam
from underpaint_lab.steganalysis.srm import BLOCKS, BLOCKS_Q1, srm, srmq1

#: Pieces of the sample photographs and what sealwatch 2025.9 returns for them: tests/make_analyst_vectors.py.
VECTORS = np.load(Path(__file__).parents[1] / "data_files" / "steganalysis_vectors.npz")
PIECES = [VECTORS[f"plane_{number}"] for number in range(2)]
SIZES = {"spam": 686, "srm": 34671, "srmq1": 12753}


def reference(feature: str, number: int) -> dict[str, NDArray[np.float32]]:
    """The submodels of a piece by our names: what others join, 3×3 and 5×5 of one size, here are two."""
    names, sizes = VECTORS[f"{feature}_names"], VECTORS[f"{feature}_sizes"]
    parts = np.split(VECTORS[f"{feature}_{number}"], np.cumsum(sizes)[:-1])
    found = dict(zip(names.tolist(), parts, strict=True))
    for name in [name for name in found if name.startswith("s35_spam11")]:
        both = found.pop(name)
        found[name.replace("s35", "s3x3")], found[name.replace("s35", "s5x5")] = both[:169], both[169:]
    return found


@pytest.mark.parametrize("number", range(2))
def test_spam_agrees_with_sealwatch(number: int) -> None:
    np.testing.assert_allclose(spam(PIECES[number]), VECTORS[f"spam_{number}"], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("feature", ["srm", "srmq1"])
def test_srm_agrees_with_sealwatch(feature: str, number: int) -> None:
    ours, blocks = FEATURES[feature](PIECES[number]), {"srm": BLOCKS, "srmq1": BLOCKS_Q1}[feature]
    wanted = reference(feature, number)
    assert wanted.keys() == blocks.keys()
    for name, block in blocks.items():
        np.testing.assert_allclose(ours[block], wanted[name], rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("feature", FEATURES)
def test_features_are_frequencies_of_known_number(feature: str) -> None:
    vector = FEATURES[feature](PIECES[1])
    assert vector.shape == (SIZES[feature],)
    assert (vector >= 0).all()
    shares = {"spam": [slice(0, 343), slice(343, 686)], "srm": BLOCKS.values(), "srmq1": BLOCKS_Q1.values()}[feature]
    whole = {325: 4, 169: 2, 338: 4, 343: 1}  # least and largest, rows and columns, each adds up to 1
    for block in shares:
        assert vector[block].sum() == pytest.approx(whole[block.stop - block.start], rel=1e-5)


def test_q1_is_a_part_of_srm() -> None:
    whole, part = srm(PIECES[1]), srmq1(PIECES[1])
    for name, block in BLOCKS_Q1.items():
        np.testing.assert_array_equal(part[block], whole[BLOCKS[name]])


@pytest.mark.parametrize("feature", FEATURES)
def test_transposed_and_mirrored_planes_have_the_same_features(feature: str) -> None:
    plain = FEATURES[feature](PIECES[1])
    fair = np.ones(plain.size, bool)
    for name, block in {"spam": {}, "srm": BLOCKS, "srmq1": BLOCKS_Q1}[feature].items():
        # The model takes one of two opposite directions, and so the residuals of one of two opposite rims.
        fair[block] = not name.startswith(("s1_spam14", "s3_spam14"))
    for turned in (PIECES[1].T, PIECES[1][::-1], PIECES[1][:, ::-1]):
        vector = FEATURES[feature](turned)
        np.testing.assert_allclose(vector[fair], plain[fair], atol=1e-6)
        np.testing.assert_array_equal(vector, FEATURES[feature](np.ascontiguousarray(turned)))


def test_srm_of_a_negative_is_the_same() -> None:
    np.testing.assert_allclose(srmq1(255 - PIECES[0]), srmq1(PIECES[0]), atol=1e-6)


def test_a_flat_plane_has_only_sequences_of_zeros() -> None:
    flat = np.full((9, 8), 200, np.uint8)
    vector = spam(flat)
    assert vector[[171, 343 + 171]].tolist() == [1, 1]
    assert np.count_nonzero(vector) == 2
    assert np.count_nonzero(srm(flat)) == 106 + 3 + 14  # once a submodel, twice where it joins two ways


def test_spam_by_hand() -> None:
    # Differences along the only two rows: 1, 2, -3 or more; each way once. Columns are flat.
    plane = np.array([[9, 8, 6, 60]] * 4, np.uint8)
    straight = spam(plane)[:343].reshape(7, 7, 7)
    assert straight[3, 3, 3] == 0.5
    assert straight[3 + 1, 3 + 2, 3 - 3] == 0.25
    assert straight[3 + 3, 3 - 2, 3 - 1] == 0.25


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_strips_do_not_change_the_features(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = spam(PIECES[1]), srmq1(PIECES[1])
    monkeypatch.setattr(cooccurrence, "STRIP_VALUES", 1)
    monkeypatch.setattr(cooccurrence, "MIN_STRIP_ROWS", rows)
    np.testing.assert_array_equal(spam(PIECES[1]), wanted[0])
    np.testing.assert_array_equal(srmq1(PIECES[1]), wanted[1])


def test_memory_does_not_grow_with_the_picture() -> None:
    plane = np.random.default_rng(0).integers(0, 256, (3000, 4000), dtype=np.uint8)
    for feature, rows in ((spam, 3000), (srmq1, 100)):
        tracemalloc.start()
        feature(plane[:rows])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20e6


def test_colour_is_the_mean_of_three_planes() -> None:
    picture = np.stack([PIECES[0], PIECES[0][::-1], 255 - PIECES[0]], axis=2)
    mean = np.mean([spam(picture[..., channel]) for channel in range(3)], axis=0)
    np.testing.assert_allclose(of_colour(picture, "spam"), mean)
    np.testing.assert_array_equal(of_colour(PIECES[0], "spam"), spam(PIECES[0]))


@pytest.mark.parametrize(
    ("plane", "complaint"),
    [
        (np.zeros((7, 90), np.uint8), "too small: 90×7"),
        (np.zeros((90, 0), np.uint8), "too small: 0×90"),
        (np.zeros((20, 20)), "float64"),
        (np.zeros((20, 20, 3), np.uint8), "uint8 .20, 20, 3."),
        ([[1]], "not list"),
    ],
)
def test_invalid_planes_are_refused(plane: NDArray[np.uint8], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        srm(plane)


def test_unknown_features_and_other_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="'dctr'"):
        of_colour(PIECES[0], "dctr")
    with pytest.raises(UsageError, match=r"not \(9, 9, 4\)"):
        of_colour(np.zeros((9, 9, 4), np.uint8), "spam")
