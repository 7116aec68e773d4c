"""Limits of a payload, and the errors that every method raises alike when a container cannot be read."""

from __future__ import annotations

from underpaint.errors import DamagedError, NotFoundError

#: The largest payload in bytes, before compression, sealed or opened: no frame unpacks to more.
LARGEST_PAYLOAD = 1 << 28


def not_found() -> NotFoundError:
    """Return the error for a picture in which this passphrase opens nothing."""
    return NotFoundError(
        "no payload found, or it was hidden with another passphrase",
        hint="a wrong passphrase, an altered container and an unmarked picture look the same",
    )


def newer() -> DamagedError:
    """Return the error for a payload in a format that this version does not know."""
    return DamagedError("the payload was hidden by a newer version of underpaint", hint="update underpaint")
