"""What may happen to a container on its way: one class per channel, one entry each in :data:`CHANNELS`.

A chain is written with bars, the first parameter of a channel after a colon, further ones by name::

    jpeg:50 | resize:0.5
    jpeg:50,subsampling=444 | noise:0.02
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels.base import BaseChannel, Codec
from underpaint.channels.codecs import Avif, Jpeg, Jpeg2000, WebP
from underpaint.channels.geometry import Crop, Cropout, Dropout, Flip, Rescale, Resize, Rotate
from underpaint.channels.pixel import Blur, Brightness, Contrast, Gamma, Identity, Noise, Quantise
from underpaint.channels.video import H264, Mpeg4, Xvid
from underpaint.errors import UsageError
from underpaint.types import as_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint.types import Channel, Image

__all__ = ["CHANNELS", "TRIALS", "BaseChannel", "Chain", "Codec", "parse", "received"]

_CLASSES: tuple[type[BaseChannel], ...] = (
    Identity,
    *(Jpeg, Jpeg2000, WebP, Avif),
    *(Mpeg4, Xvid, H264),
    *(Noise, Blur, Brightness, Contrast, Gamma, Quantise),
    *(Resize, Rescale, Crop, Cropout, Dropout, Rotate, Flip),
)
CHANNELS: dict[str, type[BaseChannel]] = {channel.name: channel for channel in _CLASSES}


#: How often a random channel is tried before something is said to survive it.
TRIALS = 8
_TRIAL_SEED = 1 << 20


@dataclass(frozen=True)
class Chain:
    """Channels one after the other. ``parse(str(chain)) == chain``."""

    channels: tuple[BaseChannel, ...]

    def __post_init__(self) -> None:
        if not self.channels:
            raise UsageError("a chain needs at least one channel", hint="the channel that does nothing is none")

    @property
    def random(self) -> bool:
        """Whether the seed matters."""
        return any(channel.random for channel in self.channels)

    @property
    def moves(self) -> bool:
        """Whether pixels are moved, rescaled, or cut off."""
        return any(channel.moves for channel in self.channels)

    def __call__(self, image: Image, rng: np.random.Generator | int = 0) -> Image:
        """Return what arrives of *image*, ``uint8 (H, W, 3)``; *rng* is a generator, which moves on, or a seed.

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
    """Read a chain such as ``jpeg:50 | resize:0.5``; spaces and case do not matter.

    Raises:
        UsageError: no such channel or parameter, or a value out of range.
    """
    return Chain(tuple(_parse_channel(part.strip().lower()) for part in text.split("|")))


def received(passage: Channel, image: Image) -> Iterator[Image]:
    """What arrives of *image*: once, or of a random *passage* :data:`TRIALS` times, by seeds kept for this."""
    for seed in range(_TRIAL_SEED, _TRIAL_SEED + (TRIALS if passage.random else 1)):
        yield passage(image, seed)


def _parse_channel(text: str) -> BaseChannel:
    name, _, arguments = (part.strip() for part in text.partition(":"))
    if name not in CHANNELS:
        near = get_close_matches(name, CHANNELS, n=1)
        known = f"the channels are {', '.join(CHANNELS)}"
        raise UsageError(f"no channel is called '{name}'", hint=f"did you mean {near[0]}? {known}" if near else known)
    channel = CHANNELS[name]
    positional: list[str] = []
    named: dict[str, str] = {}
    for argument in arguments.split(",") if arguments else ():
        key, equals, value = (part.strip() for part in argument.partition("="))
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
            f"'{text}' has too few parameters, too many, or one that {name} does not have",
            hint=f"it is written {channel.usage()}",
        ) from None
    return channel(*positional, **named)
