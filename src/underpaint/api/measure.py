"""Measurements on pictures: capacity of a cover, effect of a channel, difference of two pictures."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from underpaint import metrics
from underpaint.channels import Chain, Flatten, Icc, parse
from underpaint.errors import ModelError, UsageError
from underpaint.media import (
    Picture,
    check_target,
    encode,
    is_exact,
    read,
    target_format,
    unwritable,
    write_bytes,
)
from underpaint.methods import METHODS
from underpaint.methods.basn import BASN, PLANES
from underpaint.models import classifiers, onnxruntime_installed
from underpaint.types import SMALLEST_SIDE, as_cover, as_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.channels import BaseChannel
    from underpaint.types import Capacity, Image


#: PSNR in dB of the container whose capacity map is written.
MAP_PSNR = 44.0


def capacity(cover: Image) -> dict[str, Capacity]:
    """Return the capacity of *cover*, ``uint8 (H, W, 3)``, by the name of each method.

    Without ONNX Runtime the methods whose capacity a network computes are left out.

    Raises:
        UsageError: *cover* is no image, or a side is below 32 pixels.
        ModelError: the network of a method is missing or altered.
    """
    cover, found = as_cover(cover), {}
    for name, method in METHODS.items():
        try:
            found[name] = method.capacity(cover)
        except ModelError:
            if onnxruntime_installed():
                raise
    return found


def capacity_file(path: str | Path, out: str | Path | None = None, *, force: bool = False) -> dict[str, Capacity]:
    """Return the capacity of a picture file by the name of each method, and write a map of it.

    Args:
        path: picture file; ``-`` is standard input.
        out: picture to write of the number of bits that each value carries where ``basn`` hides a payload at
            :data:`MAP_PSNR`, from black for none to white for all four; None writes nothing.
        force: replace an existing file.

    Raises:
        ImageError: a file cannot be read or written.
        UsageError: the picture is too small, or *out* must not be overwritten.
        ModelError: as in :func:`capacity`.
    """
    if out is not None:
        format_name = target_format(out)
        check_target(out, path, force=force)
    pixels = read(path).pixels
    found = capacity(pixels)
    if out is not None:
        planes = BASN().capacity_map(pixels, BASN().payload_at(pixels, MAP_PSNR))
        write_bytes(encode(Picture(planes * np.uint8(255 // PLANES)), format_name), out)
    return found


def attack(image: Image, chain: str | Chain, *, seed: int = 0) -> Image:
    """Return a copy of *image* after a chain of channels (distortions).

    Args:
        image: ``uint8 (H, W, 3)``.
        chain: such as ``"jpeg:50 | resize:0.5"``.
        seed: seed of random channels, 0 or more.

    Raises:
        UsageError: no such channel, or *image* is no image.
    """
    return (parse(chain) if isinstance(chain, str) else chain)(as_image(image), seed)


def attack_file(
    path: str | Path, chain: str | Chain, out: str | Path, *, seed: int = 0, force: bool = False
) -> tuple[str, ...]:
    """Write a copy of a picture file after a chain of channels.

    Transparency moves with the picture, which is opaque where a channel adds something; it ends at a ``flatten``.
    The ICC profile stays up to an ``icc``.

    Args:
        path: picture file; ``-`` is standard input.
        chain: as in :func:`attack`.
        out: file to write, in the format of its extension; ``-`` writes PNG to standard output.
        seed: seed of random channels, 0 or more.
        force: replace an existing file.

    Returns:
        Warnings.

    Raises:
        UsageError: no such channel, or *out* must not be overwritten.
        ImageError: a file cannot be read or written.
    """
    chain = parse(chain) if isinstance(chain, str) else chain
    format_name = target_format(out)
    check_target(out, path, force=force)
    picture = read(path)
    picture = _send(picture, chain, np.random.default_rng(seed))
    warnings = picture.warnings + unwritable(picture, format_name)
    if not is_exact(format_name):
        warnings += (f"{format_name} is lossy: writing it changed the picture again",)
    write_bytes(encode(picture, format_name), out)
    return warnings


def _send(picture: Picture, chain: Chain, rng: np.random.Generator) -> Picture:
    """Return *picture*, with its transparency and profile, after *chain*."""
    for channel in chain.channels:
        if isinstance(channel, Flatten) and picture.alpha is not None:
            picture = replace(picture, pixels=channel.compose(picture.pixels, picture.alpha), alpha=None)
        if channel.geometric and picture.alpha is not None:
            picture = replace(picture, alpha=_moved(picture.alpha, channel, rng))
        pixels = channel(picture.pixels, rng)
        picture = replace(picture, pixels=pixels, icc=None if isinstance(channel, Icc) else picture.icc)
    return picture


def _moved(alpha: NDArray[np.uint8], channel: BaseChannel, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the transparency after a geometric *channel*: moved as the picture is, and opaque around it."""
    sent = [np.repeat(each[..., None], 3, axis=2) for each in (np.full_like(alpha, 255), alpha)]
    opaque, plane = (channel(each, deepcopy(rng))[..., 0].astype(np.int16) for each in sent)
    # Both have the same surroundings. What differs is the transparency of the picture.
    return np.asarray(np.clip(255 - (opaque - plane), 0, 255), np.uint8)


def compare(cover: Image, container: Image) -> dict[str, Any]:
    """Return the difference of two pictures of one size, by metric.

    Args:
        cover: ``uint8 (H, W, 3)``.
        container: the same shape.

    Returns:
        ``psnr`` in dB; ``local_psnr``, that of the worst hundredth of the blocks of 8×8 pixels, and ``visible``, the
        share of blocks whose change can be seen; ``ssim``; ``ms_ssim``, None for pictures that are too small; ``apd``,
        the mean absolute difference in levels; ``changed``, the share of values that differ; ``largest``, the largest
        difference in levels; ``machine``, for each classifier by name the relative ``change`` of its features and
        whether its label is ``kept``, empty below 32 pixels a side or without ONNX Runtime.

    Raises:
        UsageError: their sizes differ, or they are no images.
        ModelError: a classifier is missing or altered.
    """
    a, b = as_image(cover), as_image(container)
    if a.shape != b.shape:
        sizes = " and ".join(f"{width}×{height}" for height, width, _ in (a.shape, b.shape))
        raise UsageError(f"the pictures differ in size: {sizes}", hint="compare pictures of one size")
    change = np.abs(a.astype(np.int16) - b)
    side = min(a.shape[:2])
    responses = classifiers.responses(a, b) if side >= SMALLEST_SIDE and onnxruntime_installed() else {}
    return {
        "psnr": metrics.psnr(a, b),
        "local_psnr": metrics.local_psnr(a, b) if side >= metrics.BLOCK else None,
        "visible": metrics.visible_share(a, b) if side >= metrics.BLOCK else None,
        "ssim": metrics.ssim(a, b),
        "ms_ssim": metrics.ms_ssim(a, b) if side >= metrics.MS_SSIM_SMALLEST_SIDE else None,
        "apd": metrics.apd(a, b),
        "changed": float(np.mean(change > 0)),
        "largest": float(change.max()),
        "machine": {name: response._asdict() for name, response in responses.items()},
    }


def compare_files(cover: str | Path, container: str | Path) -> dict[str, Any]:
    """Return the difference of two picture files, as :func:`compare`.

    Raises:
        ImageError: a file cannot be read.
        UsageError, ModelError: as in :func:`compare`.
    """
    return compare(read(cover).pixels, read(container).pixels)
