"""Image quality metrics: PSNR, SSIM, MS-SSIM, mean absolute difference, visible blocks.

Pictures are ``uint8 (H, W, 3)``, both of one shape; anything else raises UsageError. Memory is bounded: under 200 MB
beside the pictures for 12 megapixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError
from underpaint.types import LUMA, as_image, strips
from underpaint.types import luma as luma_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

#: Side of SSIM's window in pixels, and of the smallest picture it measures.
SSIM_WINDOW = 11
#: Smallest side of a picture that MS-SSIM measures: a window at the coarsest of its five scales.
MS_SSIM_SMALLEST_SIDE = SSIM_WINDOW * 2**4

#: Exponents of the five scales, the finest first (Wang, Simoncelli and Bovik 2003).
_MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: SSIM's constants (K L)² with K = 0.01 and 0.03 and L = 255.
_C1, _C2 = 2.55**2, 7.65**2
_ROWS_PER_STRIP = 32
#: Side of the blocks that are seen or not, in pixels.
BLOCK = 8
#: Standard deviation in grey levels below which a block is flat, and the levels by which it may change unseen.
FLAT_DEVIATION, FLAT_CHANGE = 1.0, 3.0
#: PSNR in dB from which on no change is noticeable. At a lower one more is allowed, but not in flat blocks.
UNSEEN_PSNR = 44.0
#: Share of flat blocks from which on a picture is called flat.
MOSTLY_FLAT = 0.5


def psnr(a: Image, b: Image) -> float:
    """Return the peak signal-to-noise ratio in dB over all RGB values: 0 to infinity, infinity if equal."""
    check_pair(a, b)
    mse = float(np.square(_distance(a, b), dtype=np.uint16).mean(dtype=np.float64))
    return float(10 * np.log10(255**2 / mse)) if mse else float("inf")


def apd(a: Image, b: Image) -> float:
    """Return the average pixel discrepancy: the mean absolute difference of all RGB values, 0–255."""
    check_pair(a, b)
    return float(_distance(a, b).mean(dtype=np.float64))


def ssim(a: Image, b: Image) -> float:
    """Return the structural similarity (SSIM) of the luma: -1 to 1, 1 if equal.

    Gaussian window 11×11 with sigma 1.5; the mean is over windows wholly within the picture, as in the authors'
    code and in scikit-image. The picture is not downscaled, and the luma (BT.601, full range) is not rounded.

    Source: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Trans. Image Process. 13(4), 2004.

    Raises:
        UsageError: a side is below 11 pixels.
    """
    return ssim_terms(*_lumas(a, b, SSIM_WINDOW))[0]


def ms_ssim(a: Image, b: Image, scales: int = 5) -> float:
    """Return the multi-scale structural similarity (MS-SSIM) of the luma: 0–1, 1 if equal.

    Each scale is half the one before, by the mean of 2×2 pixels; an odd last row or column is repeated, as in the
    authors' code. Negative structure at any scale counts as 0.

    Args:
        a: a picture.
        b: another one of the same shape.
        scales: number of scales, 1–5. Fewer than five use the first published weights, normalised to a sum of 1.

    Source: Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment", 2003.

    Raises:
        UsageError: *scales* is not 1–5, or a side is below 176 pixels (half as many for each scale less).
    """
    weights = ms_ssim_weights(scales)
    x, y = _lumas(a, b, SSIM_WINDOW * 2 ** (scales - 1))
    product = 1.0
    for weight in weights[:-1]:
        product *= max(0.0, ssim_terms(x, y)[1]) ** weight
        x, y = halve(x), halve(y)
    return float(product * max(0.0, ssim_terms(x, y)[0]) ** weights[-1])


def noticeable_change(image: Image) -> NDArray[np.float32]:
    """Return the change that is just noticeable in each block of 8×8 pixels of *image*, in grey levels.

    With the mean luma bg of a block, and mg, the mean over its pixels of the larger of the differences across and down
    of luma two pixels apart, it is max(f1, f2), where f2 is masking by luminance, 17 (1 - √(bg / 127)) + 3 up to 127
    and 3 (bg - 127) / 128 + 3 above, and f1 is masking by contrast, mg (0.0001 bg + 0.115) + 0.5 - 0.01 bg. In flat
    blocks, with a standard deviation below :data:`FLAT_DEVIATION`, it is at most :data:`FLAT_CHANGE`. The last rows and
    columns are repeated to whole blocks.

    Source: Chou and Li, "A perceptually tuned subband image coder based on the measure of just-noticeable-distortion
    profile", IEEE Trans. Circuits Syst. Video Technol. 5(6), 1995. There mg is the largest difference at one pixel;
    the mean keeps an edge from counting as texture all over its block.

    Returns:
        ``float32 (⌈H / 8⌉, ⌈W / 8⌉)``, at least 3.
    """
    height, width = as_image(image).shape[:2]
    found = np.empty((-(-height // BLOCK), -(-width // BLOCK)), np.float32)
    for rows in strips(len(found), BLOCK):
        luma = luma_of(image[rows.start * BLOCK : rows.stop * BLOCK])
        lacking = (rows.stop - rows.start) * BLOCK - len(luma), -width % BLOCK
        luma = np.pad(luma, ((0, lacking[0]), (0, lacking[1])), mode="edge")
        blocks = luma.reshape(-1, BLOCK, found.shape[1], BLOCK).swapaxes(1, 2)
        across, down = np.abs(blocks[..., 2:] - blocks[..., :-2]), np.abs(blocks[..., 2:, :] - blocks[..., :-2, :])
        contrast = np.maximum(across[..., 1:-1, :], down[..., 1:-1]).mean(axis=(2, 3))
        mean = blocks.mean(axis=(2, 3))
        by_contrast = contrast * (0.0001 * mean + 0.115) + 0.5 - 0.01 * mean
        by_luminance = np.where(mean <= 127, 17 * (1 - np.sqrt(mean / 127)) + 3, 3 * (mean - 127) / 128 + 3)
        change = np.maximum(by_contrast, by_luminance)
        flat = blocks.std(axis=(2, 3)) < FLAT_DEVIATION
        found[rows] = np.where(flat, np.minimum(change, FLAT_CHANGE), change)
    return found


def visible_share(cover: Image, container: Image) -> float:
    """Return the share of blocks of 8×8 pixels whose change can be seen, 0–1.

    These are the blocks whose luma changes by more than :func:`noticeable_change` (root mean square), and flat ones in
    which any value changes by more than :data:`FLAT_CHANGE`. Pixels beyond the last whole block are left out.

    Raises:
        UsageError: a side is below 8 pixels.
    """
    check_pair(cover, container, BLOCK)
    down, across = (side // BLOCK for side in cover.shape[:2])
    limit, seen = noticeable_change(cover)[:down, :across], np.empty((down, across), bool)
    for rows in strips(down, BLOCK):
        a, b = (_blocks(image, rows) for image in (cover, container))
        squares = np.square(luma_of(a) - luma_of(b)).mean(axis=(2, 3))
        peaks = _distance(a, b).max(axis=(2, 3, 4))
        seen[rows] = (squares > limit[rows] ** 2) | ((limit[rows] <= FLAT_CHANGE) & (peaks > FLAT_CHANGE))
    return float(seen.mean())


def local_psnr(cover: Image, container: Image) -> float:
    """Return the PSNR in dB of the worst hundredth of the blocks of 8×8 pixels, at least one; infinity if equal.

    Pixels beyond the last whole block are left out.

    Raises:
        UsageError: a side is below 8 pixels.
    """
    check_pair(cover, container, BLOCK)
    parts = [
        np.square(_distance(_blocks(cover, rows), _blocks(container, rows)), dtype=np.uint16).mean(axis=(2, 3, 4))
        for rows in strips(len(cover) // BLOCK, BLOCK)
    ]
    squares = np.concatenate(parts).ravel()
    count = -(-squares.size // 100)
    mse = float(np.partition(squares, squares.size - count)[-count:].mean())
    return float(10 * np.log10(255**2 / mse)) if mse else float("inf")


def _blocks(image: Image, rows: slice) -> Image:
    """Return the whole blocks of these rows of blocks, ``uint8 (n, W / 8, 8, 8, 3)``."""
    across = image.shape[1] // BLOCK
    part = image[rows.start * BLOCK : rows.stop * BLOCK, : across * BLOCK]
    return part.reshape(-1, BLOCK, across, BLOCK, 3).swapaxes(1, 2)


def check_pair(a: Image, b: Image, smallest: int = 1) -> None:
    """Check that two pictures can be compared.

    Raises:
        UsageError: they are no pictures of one shape, or a side is below *smallest* pixels.
    """
    if as_image(a).shape != as_image(b).shape:
        raise UsageError(f"cannot compare pictures of different shapes, {a.shape} and {b.shape}")
    if min(a.shape[:2]) < smallest:
        raise UsageError(f"the picture is too small: both sides must be at least {smallest} pixels")


def ms_ssim_weights(scales: int) -> tuple[float, ...]:
    """Return MS-SSIM's weights of the first *scales*, 1–5, normalised to a sum of 1.

    Raises:
        UsageError: *scales* is not 1–5.
    """
    if not 1 <= scales <= len(_MS_SSIM_WEIGHTS):
        raise UsageError(f"there are 1–{len(_MS_SSIM_WEIGHTS)} scales, not {scales}")
    first = _MS_SSIM_WEIGHTS[:scales]
    return first if scales == len(_MS_SSIM_WEIGHTS) else tuple(weight / sum(first) for weight in first)


def _distance(a: Image, b: Image) -> NDArray[np.uint8]:
    """Return the absolute difference of each value, still in 8 bits."""
    distance: NDArray[np.uint8] = np.maximum(a, b) - np.minimum(a, b)
    return distance


def _lumas(a: Image, b: Image, smallest: int) -> list[NDArray[np.float32]]:
    """Return both lumas less 128, ``float32 (H, W)``: around zero, squares keep their precision in 32 bits."""
    check_pair(a, b, smallest)
    red, green, blue = np.array(LUMA, np.float32)
    return [red * i[..., 0] + green * i[..., 1] + blue * i[..., 2] - np.float32(128) for i in (a, b)]


def ssim_terms(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    """Return the means over all windows of SSIM and of its contrast-structure part (Wang 2004, eq. 13).

    Args:
        x: a plane less 128, ``float32 (H, W)``, sides of at least :data:`SSIM_WINDOW`.
        y: another one of the same shape.
    """
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    kernel = np.exp(-0.5 * (offsets / 1.5) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    height, width = (side - SSIM_WINDOW + 1 for side in x.shape)
    totals = np.zeros(2)
    for top in range(0, height, _ROWS_PER_STRIP):
        rows = slice(top, top + _ROWS_PER_STRIP + SSIM_WINDOW - 1)
        p, q = x[rows], y[rows]
        # Only the sum of the variances is needed, so four planes are filtered instead of five.
        planes = np.stack([p, q, p * p + q * q, p * q])
        planes = _convolved(_convolved(planes, kernel).swapaxes(1, 2), kernel)
        mean_x, mean_y, squares, cross = planes
        product, both = mean_x * mean_y, mean_x**2 + mean_y**2
        structure = (2 * (cross - product) + _C2) / (squares - both + _C2)
        mean_x, mean_y = mean_x + 128, mean_y + 128
        luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
        totals += (luminance * structure).sum(dtype=np.float64), structure.sum(dtype=np.float64)
    similarity, structure_mean = totals / (height * width)
    return float(similarity), float(structure_mean)


def _convolved(planes: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Filter ``(n, H, W)`` along its rows' axis, whole windows only: ``(n, H - 10, W)``."""
    size = planes.shape[1] - len(kernel) + 1
    result = np.zeros_like(planes[:, :size])
    for start, weight in enumerate(kernel):
        result += weight * planes[:, start : start + size]
    return result


def halve(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a plane, ``(H, W)``, at half the size by the mean of 2×2 pixels; odd last rows or columns are repeated."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / np.float32(4)


def largest_change(noticeable: NDArray[np.float32], cover: Image, psnr: float) -> NDArray[np.uint8]:
    """Return the largest change of the values of each pixel, ``uint8 (H, W)``, of a container of *psnr* dB."""
    flat = noticeable <= FLAT_CHANGE
    blocks = np.where(flat, noticeable, noticeable * 10 ** (max(0, UNSEEN_PSNR - psnr) / 20))
    pixels = np.repeat(np.repeat(np.ceil(blocks).clip(1, 255).astype(np.uint8), 8, axis=0), 8, axis=1)
    return pixels[: cover.shape[0], : cover.shape[1]]
