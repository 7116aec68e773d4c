"""Errors that underpaint raises on purpose, with the exit code of the command line.

::

    UnderpaintError              1   base class; carries an optional hint
    ├── UsageError               2   an invalid argument: unknown channel, value out of range, output = input
    ├── ImageError               1   a file that cannot be read as an image, or an image that cannot be written
    ├── CapacityError            1   the payload does not fit this cover with these settings
    ├── SurvivalError            1   the payload would not survive the channel asked for
    ├── PayloadError             1   reveal has no payload to return
    │   ├── NotFoundError        3   no payload, or a wrong passphrase: these cannot be told apart
    │   ├── DamagedError         1   a payload was detected, but cannot be restored
    │   ├── AmbiguousError       2   more than one payload, hidden by different methods
    │   └── TemplateError        1   a biometric template, which can be recognised and not revealed
    ├── ModelError               1   a model is missing, altered or unusable
    └── MissingExtraError        1   an optional library is not installed
"""

from __future__ import annotations


class UnderpaintError(Exception):
    """Base class of all deliberate errors: one lower-case sentence, and a hint where one helps."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(UnderpaintError):
    """An invalid argument, or an invalid combination of arguments."""

    exit_code = 2


class ImageError(UnderpaintError):
    """A file that cannot be read as an image, or an image that cannot be written."""


class CapacityError(UnderpaintError):
    """The payload does not fit.

    ``capacity`` is the largest payload in bytes that does, before compression; None if it is not known.
    """

    def __init__(self, message: str, *, hint: str | None = None, capacity: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.capacity = capacity


class SurvivalError(UnderpaintError):
    """The payload would not survive the channel that it was asked to survive."""


class PayloadError(UnderpaintError):
    """Reveal has no payload to return."""


class NotFoundError(PayloadError):
    """No payload, or one hidden with another passphrase."""

    exit_code = 3


class DamagedError(PayloadError):
    """A payload was detected, but it cannot be restored exactly."""


class AmbiguousError(PayloadError):
    """More than one payload: the method has to be named."""

    exit_code = 2


class TemplateError(PayloadError):
    """The payload is a biometric template, from which no picture can be restored."""


class ModelError(UnderpaintError):
    """A model is missing, altered or unusable."""


class MissingExtraError(UnderpaintError):
    """An optional library is not installed; the hint names the extra that installs it."""
