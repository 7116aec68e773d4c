"""Every error underpaint raises on purpose, and the exit code the command line gives it.

::

    UnderpaintError              1   the base; carries an optional hint
    ├── UsageError               2   a parameter that cannot be meant: unknown channel, bad range, output = input
    ├── ImageError               1   a file that is no picture we can read, or a picture we cannot write
    ├── CapacityError            1   the payload does not fit this cover with these settings
    ├── SurvivalError            1   the container would not survive what was asked of it
    ├── PayloadError             1   reveal returned nothing
    │   ├── NotFoundError        3   no payload, or another passphrase: nobody without the passphrase can tell which
    │   ├── DamagedError         1   a payload is there, but it is beyond repair
    │   ├── AmbiguousError       2   there is more than one payload, by different methods
    │   └── TemplateError        1   a template is there, which is recognised and not revealed
    ├── ModelError               1   a zoo model is missing, altered or unusable
    └── MissingExtraError        1   an optional library is not installed
"""

from __future__ import annotations


class UnderpaintError(Exception):
    """Base of all deliberate errors: one lower-case sentence, and a hint where one helps."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(UnderpaintError):
    """A parameter or combination of parameters that cannot be meant."""

    exit_code = 2


class ImageError(UnderpaintError):
    """A file that is no picture we can read, or a picture we cannot write."""


class CapacityError(UnderpaintError):
    """The payload does not fit."""


class SurvivalError(UnderpaintError):
    """The container would not survive the channel it was asked to survive."""


class PayloadError(UnderpaintError):
    """Reveal has no payload to return."""


class NotFoundError(PayloadError):
    """No payload here, or one hidden with another passphrase."""

    exit_code = 3


class DamagedError(PayloadError):
    """A payload is certainly here, but it cannot be restored exactly."""


class AmbiguousError(PayloadError):
    """There is more than one payload; a method has to be named."""

    exit_code = 2


class TemplateError(PayloadError):
    """What is hidden is somebody's template: there is no picture to be had from it."""


class ModelError(UnderpaintError):
    """A zoo model is missing, altered or unusable."""


class MissingExtraError(UnderpaintError):
    """An optional library is needed; the hint names the extra that brings it."""
