"""Protocols of the methods, and functions that several methods share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from underpaint.coding.keys import COMPACT_COST, SALT, Key
from underpaint.errors import CapacityError, DamagedError, SurvivalError

if TYPE_CHECKING:
    from underpaint.types import Bits, Capacity, Channel, Image, Payload, Search, SoftBits


class Method(Protocol):
    """A method that hides payloads in images, as the application uses it."""

    name: str
    #: One line for help and listings.
    summary: str
    #: True if any change of the container destroys the payload: no lossy file format, no channel.
    needs_lossless: bool

    @property
    def default_survive(self) -> str | None:
        """The channel chain that a container survives unless another is requested; None if it survives no change."""
        ...

    def capacity(self, cover: Image) -> Capacity:
        """Return the largest payload for *cover*, and the PSNR to expect then.

        Raises:
            UsageError: the cover is too small for the method.
        """
        ...

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        """Return a container of *cover* with *payload*.

        Args:
            cover: ``uint8 (H, W, 3)``, at least 32×32.
            payload: data of a kind that the method hides.
            passphrase: needed to reveal; None lets anybody reveal.
            psnr: lowest PSNR of the container in dB; None leaves it to the method.
            survive: channel after which the payload must be recovered exactly; None leaves it to the method.

        Raises:
            CapacityError: the payload does not fit.
            SurvivalError: it would not survive.
            UsageError: the method has no such setting, or the cover is too small.
        """
        ...

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return True if *image*, as it is, seems to be a container of this method; fast, without decoding."""
        ...

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the payload exactly as it was hidden.

        Raises:
            NotFoundError: no payload, or another passphrase.
            DamagedError: a payload that cannot be recovered.
        """
        ...


@runtime_checkable
class Searching(Protocol):
    """A method that searches for a picture that was moved: cropped, turned, mirrored, or shown inside a larger one."""

    def reveal_by_search(self, container: Image, passphrase: str | None, search: Search) -> Payload:
        """Return the payload as :meth:`Method.reveal` does.

        Args:
            container: ``uint8 (H, W, 3)``.
            passphrase: the one that the payload was hidden with.
            search: ``quick`` looks at the picture as it is; ``normal`` is what :meth:`Method.reveal` does.
        """
        ...


@runtime_checkable
class Detectable(Protocol):
    """A method whose containers are detected with a bound on the false-positive rate."""

    def p_value(self, image: Image, passphrase: str | None) -> float:
        """Return a bound on the probability that an unmarked picture looks as much like a container as *image* does.

        A container under another passphrase counts as unmarked. The payload is not decoded.

        Args:
            image: ``uint8 (H, W, 3)``.
            passphrase: that of the payload to look for.

        Returns:
            The p-value, 0–1, corrected for all that is tried; 1 says nothing.
        """
        ...


@runtime_checkable
class PredictablePSNR(Protocol):
    """A method that predicts the PSNR of a container from the size of the payload."""

    def payload_at(self, cover: Image, psnr: float) -> int:
        """Return the largest payload in bytes whose container is expected to have *psnr* dB; 0 if there is none."""
        ...


class BitCarrier(Protocol):
    """A method that embeds a known number of bits, without frame or error correction: for measurements."""

    def embed_bits(self, cover: Image, bits: Bits, key: Key, *, psnr: float) -> Image:
        """Return a container of about *psnr* dB that carries *bits*."""
        ...

    def extract_bits(self, container: Image, count: int, key: Key, *, psnr: float) -> SoftBits:
        """Return *count* log-likelihood ratios, positive for 1, of bits embedded at *psnr* dB."""
        ...


@runtime_checkable
class ImageCarrier(Protocol):
    """A method that hides an image in an image of any size, and restores it approximately."""

    def embed_image(self, cover: Image, secret: Image, passphrase: str | None) -> Image:
        """Return a container of the size of *cover*."""
        ...

    def extract_image(self, container: Image, passphrase: str | None) -> Image:
        """Return the restored secret image, in its original size."""
        ...


def shared_key(passphrase: str | None) -> Key:
    """Return the key of methods whose containers have no room for a salt: equal passphrases give equal keys.

    Raises:
        UsageError: the passphrase is empty, or no Unicode text.
    """
    return Key.derive(passphrase, SALT, COMPACT_COST)


def check_size_kept(method: str, cover: Image, channel: Channel) -> None:
    """Refuse a channel that changes the size of *cover*, for a *method* whose pixels have to stay in their places.

    Raises:
        SurvivalError: it does.
    """
    if channel(cover, 0).shape != cover.shape:
        hint = f"{method} needs every pixel to stay in its place; messages by robust survive other sizes"
        raise SurvivalError(f"nothing hidden by {method} survives {channel}: the size changes", hint=hint)


def too_long(method: str, length: int, largest: int) -> CapacityError:
    """Return the error for a message of *length* bytes where *largest* bytes fit; a picture may hold none at all."""
    if not largest:
        hint = "take a larger picture, or one with more texture"
        return CapacityError("the picture holds no message", hint=hint, capacity=0)
    hint = "shorten the message, or take a larger picture"
    return CapacityError(f"{length:,} bytes do not fit, {method} holds {largest:,} here", hint=hint, capacity=largest)


def too_much_lost(kind: str, hint: str, details: str = "") -> DamagedError:
    """Return the error for a *kind* of payload that is detected but cannot be decoded."""
    return DamagedError(f"a {kind} is here, but too much of it is lost{details}", hint=hint)


def random_bits(key: Key, label: str, count: int) -> Bits:
    """Return *count* bits of the keystream of *label*."""
    return np.unpackbits(key.stream(label, -(-count // 8)))[:count]
