"""Channels: distortions of a container by compression, noise, resampling and the like.

There is one class per channel and one entry each in :data:`CHANNELS`. In a chain channels are separated by bars. The
first parameter of a channel follows a colon, further ones follow commas, in order or by name. A parameter that is yes
or no is switched on by its name::

    jpeg:50 | resize:0.5
    jpeg:50,subsampling=444 | noise:0.02
    pad:0.1,white | rotate:10,expand

A preset stands for a whole chain; :data:`PRESETS` has them::

    crop:0.9 | whatsapp
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels.base import BaseChannel, Codec
from underpaint.channels.codecs import Avif, Jpeg, Jpeg2000, JpegXl, WebP
from underpaint.channels.colour import Equalise, Flatten, Grey, Hue, Icc, Palette, Saturation
from underpaint.channels.frames import Letterbox, Pad, Screenshot
from underpaint.channels.geometry import (
    Crop,
    Cropout,
    Cut,
    Dropout,
    Fit,
    Flip,
    Perspective,
    Rescale,
    Resize,
    Rotate,
    Shear,
)
from underpaint.channels.pixel import Blur, Brightness, Contrast, Gamma, Identity, Moire, Noise, Quantise, Sharpen
from underpaint.channels.presets import PRESETS
from underpaint.channels.video import H264, Hevc, Mpeg4, Xvid
from underpaint.errors import UsageError
from underpaint.types import as_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint.types import Channel, Image

__all__ = ["CHANNELS", "PRESETS", "TRIALS", "BaseChannel", "Chain", "Codec", "Flatten", "Icc", "parse", "received"]

_CLASSES: tuple[type[BaseChannel], ...] = (
    Identity,
    *(Jpeg, Jpeg2000, WebP, Avif, JpegXl),
    *(Mpeg4, Xvid, H264, Hevc),
    *(Noise, Blur, Sharpen, Moire, Brightness, Contrast, Gamma, Quantise),
    *(Saturation, Hue, Equalise, Palette, Grey, Flatten, Icc),
    *(Resize, Rescale, Fit, Crop, Cut, Cropout, Dropout),
    *(Rotate, Flip, Shear, Perspective),
    *(Pad, Letterbox, Screenshot),
)
#: All channels by name.
CHANNELS: dict[str, type[BaseChannel]] = {channel.name: channel for channel in _CLASSES}
#: Trials of a random channel before a payload is said to survive it.
TRIALS = 8
#: Seed of the first trial, far from the seeds that users and benchmarks choose.
_TRIAL_SEED = 1 << 20


@dataclass(frozen=True)
class Chain:
    """Channels applied one after the other. ``parse(str(chain)) == chain``."""

    channels: tuple[BaseChannel, ...]

    def __post_init__(self) -> None:
        if not self.channels:
            raise UsageError("a chain needs at least one channel", hint="the channel 'none' changes nothing")

    @property
    def random(self) -> bool:
        """True if the result depends on the seed."""
        return any(channel.random for channel in self.channels)

    @property
    def geometric(self) -> bool:
        """True if pixels are moved, resampled or cut off."""
        return any(channel.geometric for channel in self.channels)

    @property
    def moves(self) -> bool:
        """True if pixels are moved or cut off. A picture that is only resampled is found without a search."""
        return any(channel.geometric and not channel.resamples for channel in self.channels)

    @property
    def shown(self) -> float:
        """Share of the picture's area that is left, 0–1, without what a rotation or the like moves out of the frame."""
        return math.prod(channel.shown for channel in self.channels)

    def __call__(self, image: Image, rng: np.random.Generator | int = 0) -> Image:
        """Send a picture through the channels.

        Args:
            image: ``uint8 (H, W, 3)``.
            rng: a generator, whose state advances, or a seed.

        Returns:
            The received picture, ``uint8``; some channels change its size.

        Raises:
            UsageError: *image* is not ``uint8 (H, W, 3)``.
            ImageError: a codec cannot hold the picture.
            MissingExtraError: a video channel without PyAV.
        """
        image, rng = as_image(image), np.random.default_rng(rng)
        for channel in self.channels:
            image = channel(image, rng)
        return image

    def __str__(self) -> str:
        return " | ".join(map(str, self.channels))


def parse(text: str) -> Chain:
    """Parse a chain such as ``jpeg:50 | resize:0.5``; spaces and case do not matter. Presets are expanded.

    Raises:
        UsageError: a channel or parameter is unknown, or a value is out of range.
    """
    parts = (part.strip().lower() for part in text.split("|"))
    return Chain(tuple(channel for part in parts for channel in _parse_part(part)))


def received(channel: Channel, image: Image) -> Iterator[Image]:
    """Yield the pictures received when *image* is sent: one, or :data:`TRIALS` if the channel is random."""
    for seed in range(_TRIAL_SEED, _TRIAL_SEED + (TRIALS if channel.random else 1)):
        yield channel(image, seed)


def _parse_part(text: str) -> tuple[BaseChannel, ...]:
    """Return the channels of one part of a chain: one channel, or those of a preset."""
    name, colon, arguments = (part.strip() for part in text.partition(":"))
    if name in PRESETS:
        if colon:
            raise UsageError(f"'{text}' has too many parameters", hint=f"the preset is written {name}")
        return parse(PRESETS[name].chain).channels
    if name not in CHANNELS:
        near = get_close_matches(name, (*CHANNELS, *PRESETS), n=1)
        known = f"the channels are {', '.join(CHANNELS)}, the presets {', '.join(PRESETS)}"
        raise UsageError(f"no channel is called '{name}'", hint=f"did you mean {near[0]}? {known}" if near else known)
    return (_parse_channel(CHANNELS[name], arguments, text),)


def _parse_channel(channel: type[BaseChannel], arguments: str, text: str) -> BaseChannel:
    """Return a channel with the *arguments* in *text*, its part of the chain."""
    positional: list[str] = []
    named: dict[str, str] = {}
    for argument in arguments.split(",") if arguments else ():
        key, equals, value = (part.strip() for part in argument.partition("="))
        if not equals and key in channel.switches():
            equals, value = "=", "yes"
        if key and not equals and not named:
            positional.append(key)
        elif not equals or key in named:
            raise UsageError(f"cannot read '{text}'", hint=f"it is written {channel.usage()}")
        else:
            named[key] = value
    try:
        inspect.signature(channel).bind(*positional, **named)
    except TypeError:
        raise UsageError(
            f"'{text}' has too few parameters, too many, or one that {channel.name} does not have",
            hint=f"it is written {channel.usage()}",
        ) from None
    return channel(*positional, **named)
