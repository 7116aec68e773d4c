"""Placement of a marked picture: straightening, outline, and flat borders."""

from __future__ import annotations

import numpy as np
import pytest

from support import geometry
from underpaint import media, metrics
from underpaint.channels import parse
from underpaint.embedding.placement import Placement, corners, transform, trimmed
from underpaint.media import samples

COFFEE = media.read(samples.path("coffee")).pixels
HEIGHT, WIDTH = COFFEE.shape[:2]


@pytest.mark.parametrize(
    "move", [geometry.rotated(7), geometry.transposed, geometry.tilted(0.02), geometry.half_turned]
)
def test_a_moved_picture_is_straightened(move: geometry.Move) -> None:
    moved, matrix = move(COFFEE)
    straight = Placement(matrix @ np.diag([WIDTH, HEIGHT, 1.0])).straightened(moved, 256)
    plain = Placement(np.diag([WIDTH, HEIGHT, 1.0])).straightened(COFFEE, 256)
    assert straight.shape == (256, 256, 3)
    assert metrics.psnr(plain[64:192, 64:192], straight[64:192, 64:192]) > 29


def test_a_large_picture_is_reduced_without_aliasing() -> None:
    large = parse("rescale:3")(COFFEE)
    straight = Placement(np.diag([3 * WIDTH, 3 * HEIGHT, 1.0])).straightened(large, 256)
    assert metrics.psnr(straight, Placement(np.diag([WIDTH, HEIGHT, 1.0])).straightened(COFFEE, 256)) > 33


def test_the_outline_is_that_of_the_received_picture() -> None:
    part, matrix = geometry.cropped(0.25, 0.5, 0.5)(COFFEE)
    outline = Placement(matrix @ np.diag([WIDTH, HEIGHT, 1.0])).outline(part)
    assert outline == pytest.approx(np.array([[0.5, 0.25], [1, 0.25], [1, 0.75], [0.5, 0.75]]), abs=1e-6)


def test_points_are_moved_by_a_projective_map() -> None:
    matrix = np.array([[2, 0, 1], [0, 3, 0], [0, 0, 2]], float)
    assert transform(matrix, corners(2, 4)) == pytest.approx(np.array([[0.5, 0], [2.5, 0], [2.5, 6], [0.5, 6]]))


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("width", [1, 9])
def test_flat_borders_are_removed(width: int, level: int) -> None:
    bordered, _ = geometry.bordered(width, level)(COFFEE)
    assert np.array_equal(trimmed(bordered), COFFEE)


def test_bars_on_two_sides_are_removed_after_compression() -> None:
    boxed = np.pad(COFFEE, ((64, 64), (0, 0), (0, 0)))
    assert abs(len(trimmed(parse("jpeg:60")(boxed))) - HEIGHT) <= 4


def test_pictures_without_borders_and_flat_ones_stay() -> None:
    flat = np.full((20, 30, 3), 9, np.uint8)
    for picture in (COFFEE, flat, flat[:1, :1]):
        assert np.array_equal(trimmed(picture), picture)
