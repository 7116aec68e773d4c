"""Search of the synchronisation pattern: the place of a moved picture is found to less than a pixel."""

from __future__ import annotations

import numpy as np
import pytest

from support import geometry
from support.geometry import Move
from underpaint import media
from underpaint.channels import parse
from underpaint.embedding import lapped, sync, sync_search
from underpaint.embedding.canvas import stretched
from underpaint.embedding.sync_planes import FINE, Received
from underpaint.media import samples
from underpaint.types import Image

COVERS = {name: media.read(samples.path(name)).pixels for name in samples.names()}
MOVES: dict[str, Move] = {
    "rotated by 3°": geometry.rotated(3),
    "rotated by -10°": geometry.rotated(-10),
    "transposed": geometry.transposed,
    "turned by 180°": geometry.half_turned,
    "with a white border": geometry.bordered(4, 255),
    "with a black border": geometry.bordered(40, 0),
    "cropped to half": geometry.cropped(0.1, 0.25, 0.7),
    "sheared": geometry.sheared(0.02),
    "in perspective": geometry.tilted(0.03),
}


def patterned(cover: Image, luma_psnr: float = 50.5, cr_psnr: float = 52.0) -> Image:
    """Return *cover* with the pattern at the PSNRs of a container of 44 dB."""
    height, width = cover.shape[:2]
    luma, cr = sync.picture_planes(height, width, 256)
    luma *= np.float32(255 / 10 ** (luma_psnr / 20))
    cr *= np.float32(255 / 10 ** (cr_psnr / 20) / sync.CR_ERROR)
    return lapped.add(cover, stretched(luma, height, width), stretched(cr, height, width))


@pytest.fixture(scope="module", params=samples.names())
def pair(request: pytest.FixtureRequest) -> tuple[Image, Image]:
    """A cover and the same with the pattern."""
    cover = COVERS[request.param]
    return cover, patterned(cover)


@pytest.mark.parametrize("name", MOVES)
def test_the_place_is_found_after_compression(pair: tuple[Image, Image], name: str) -> None:
    cover, marked = pair
    moved, matrix = MOVES[name](marked)
    received = parse("jpeg:75")(np.ascontiguousarray(moved))
    assert geometry.error(next(sync_search.search(received)), received, cover, matrix) < 1.5


def test_the_pattern_has_no_sure_candidate_in_covers() -> None:
    for cover in COVERS.values():
        scores = [each.score for each in sync_search.candidates(Received(cover, FINE), 40)]
        assert max(scores, default=0) < 6.5


def test_a_small_part_of_a_larger_picture_is_found() -> None:
    marked = patterned(COVERS["coffee"])
    height, width = marked.shape[:2]
    large = np.asarray(parse("rescale:2.2")(COVERS["chelsea"])).copy()
    large = np.tile(large, (2, 2, 1))[: round(2.2 * height), : round(2.2 * width)]
    top, left = 300, 500
    large[top : top + height, left : left + width] = marked
    found = sync_search.search(large)
    errors = [geometry.error(each, large, COVERS["coffee"], geometry.shifted(left, top)) for each in found]
    assert min(errors) < 2.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (4000, 2), (3, 3), (15, 17), (64, 4000), (32, 32)])
@pytest.mark.parametrize("flat", [True, False])
def test_tiny_thin_and_flat_pictures(shape: tuple[int, int], flat: bool) -> None:
    rng = np.random.default_rng(0)
    picture = np.full((*shape, 3), 77, np.uint8) if flat else rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    for placement in sync_search.search(picture):
        assert np.isfinite(placement.matrix).all()


def test_the_search_is_deterministic_and_leaves_the_picture() -> None:
    picture = COVERS["chelsea"].copy()
    picture.flags.writeable = False
    first, second = (np.array([each.matrix for each in sync_search.search(picture)]) for _ in range(2))
    assert np.array_equal(first, second)
