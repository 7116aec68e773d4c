"""Base classes of channels: checked parameters, a picture in, a picture out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from underpaint.errors import UsageError
from underpaint.types import as_image

if TYPE_CHECKING:
    from underpaint.types import Image


@dataclass(frozen=True)
class Number:
    """Closed range of a numeric parameter."""

    low: float
    high: float
    kind: type[int] | type[float]

    def read(self, value: Any) -> float:
        """Return *value*, a number or its text, as a number. Raises ValueError if it is out of range."""
        number = self.kind(value)
        if not self.low <= number <= self.high or (not isinstance(value, str) and number != value):
            raise ValueError
        return number

    def __str__(self) -> str:
        return f"{self.low:g}–{self.high:g}"


@dataclass(frozen=True)
class Choice:
    """Words that a parameter may take."""

    words: tuple[str, ...]

    def read(self, value: Any) -> str:
        """Return *value* as a word. Raises ValueError if it is none of them."""
        if str(value) not in self.words:
            raise ValueError
        return str(value)

    def __str__(self) -> str:
        return "|".join(self.words)


@dataclass(frozen=True)
class Ratio:
    """Ratio of two positive numbers, written ``16:9``."""

    #: Largest ratio of the longer to the shorter number.
    highest: float

    def read(self, value: Any) -> str:
        """Return *value* in its canonical form. Raises ValueError if it is no ratio, or too far from 1."""
        width, height = (float(number) for number in str(value).split(":"))
        if not 0 < height < float("inf") or not height / self.highest <= width <= height * self.highest:
            raise ValueError
        return f"{width:g}:{height:g}"

    def __str__(self) -> str:
        return f"1:{self.highest:g}–{self.highest:g}:1"


#: A parameter that is off by default. In a chain its bare name switches it on: ``rotate:10,expand``.
SWITCH = Choice(("no", "yes"))


def whole(low: int, high: int, default: Any = MISSING) -> Any:
    """Declare a parameter that is a whole number from *low* to *high*."""
    return field(default=default, metadata={"domain": Number(low, high, int)})


def real(low: float, high: float, default: Any = MISSING) -> Any:
    """Declare a parameter that is a real number from *low* to *high*."""
    return field(default=default, metadata={"domain": Number(low, high, float)})


def choice(*words: str, default: Any = MISSING) -> Any:
    """Declare a parameter that is one of *words*."""
    return field(default=default, metadata={"domain": Choice(words)})


def ratio(highest: float, default: Any = MISSING) -> Any:
    """Declare a parameter that is a ratio such as ``16:9``, at most *highest* either way."""
    return field(default=default, metadata={"domain": Ratio(highest)})


def switch() -> Any:
    """Declare a parameter that is ``no`` by default, and ``yes`` if it is named."""
    return field(default="no", metadata={"domain": SWITCH})


@dataclass(frozen=True)
class BaseChannel(ABC):
    """A distortion of a picture.

    A channel is pure: the same picture and the same state of the generator give the same result, the input is never
    changed, and the result shares no memory with it. Results are rounded to 8 bits, never truncated, and have the shape
    of the input unless the channel's docstring says otherwise.

    Raises:
        UsageError: a parameter is out of its range; the hint lists what is legal.
    """

    #: Name of the channel in a chain.
    name: ClassVar[str]
    #: True if the result depends on the generator.
    random: ClassVar[bool] = False
    #: True if pixels are moved, resampled or cut off.
    geometric: ClassVar[bool] = False
    #: True if the whole picture is resampled, and each pixel keeps its place in it.
    resamples: ClassVar[bool] = False

    @property
    def shown(self) -> float:
        """Share of the picture's area that is left, 0–1: below 1 if the channel cuts something off."""
        return 1.0

    def __post_init__(self) -> None:
        for parameter in fields(self):
            value, domain = getattr(self, parameter.name), parameter.metadata["domain"]
            try:
                object.__setattr__(self, parameter.name, domain.read(value))
            except (TypeError, ValueError, OverflowError):
                message = f"{self.name}: {parameter.name} cannot be {value}"
                raise UsageError(message, hint=f"legal is {self.usage()}") from None

    def __call__(self, image: Image, rng: np.random.Generator | int = 0) -> Image:
        """Send a picture through the channel.

        Args:
            image: ``uint8 (H, W, 3)``.
            rng: a generator, whose state advances, or a seed.

        Returns:
            The received picture, ``uint8``.

        Raises:
            UsageError: *image* is not ``uint8 (H, W, 3)``.
        """
        return self._apply(as_image(image), np.random.default_rng(rng))

    @abstractmethod
    def _apply(self, image: Image, rng: np.random.Generator) -> Image: ...

    def __str__(self) -> str:
        """Return the channel as ``name:first,second=…``, without parameters at their default."""
        given = [(p.name, getattr(self, p.name)) for p in fields(self) if getattr(self, p.name) != p.default]
        first = next(iter(fields(self)), None)
        words = [_write(value) if first and name == first.name else f"{name}={_write(value)}" for name, value in given]
        return f"{self.name}:{','.join(words)}" if words else self.name

    @classmethod
    def usage(cls) -> str:
        """Return the syntax with the range of each parameter, for help and hints: ``jpeg:quality=1–100,…``."""
        words = [f"{parameter.name}={parameter.metadata['domain']}" for parameter in fields(cls)]
        return f"{cls.name}:{','.join(words)}" if words else cls.name

    @classmethod
    def switches(cls) -> frozenset[str]:
        """Return the names of the parameters that their bare name switches on."""
        return frozenset(parameter.name for parameter in fields(cls) if parameter.metadata["domain"] == SWITCH)

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the docstring, for help and listings."""
        return (cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def definition(cls) -> str:
        """Return the whole docstring as one line of Markdown, for the reference."""
        return " ".join((cls.__doc__ or "").split()).replace("``", "`")


class Codec(BaseChannel):
    """A channel that encodes the picture as a file or a stream, whose size is known."""

    def transmit(self, image: Image) -> tuple[Image, float]:
        """Encode and decode a picture.

        Args:
            image: ``uint8 (H, W, 3)``.

        Returns:
            The decoded picture, and the bits per pixel of its file with headers. For video these are the mean bits per
            pixel over the clip's frames, without a container file.

        Raises:
            UsageError: *image* is not ``uint8 (H, W, 3)``.
            ImageError: the codec cannot encode this picture.
            MissingExtraError: a video codec without PyAV.
        """
        return self._code(as_image(image))

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        return self._code(image)[0]

    @abstractmethod
    def _code(self, image: Image) -> tuple[Image, float]: ...


def _write(value: float | str) -> str:
    """Return a parameter's value as text."""
    return str(value).removesuffix(".0")
