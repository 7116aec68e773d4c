"""underpaint: hide data in pictures, and know with numbers who could notice and what it survives.

::

    container = underpaint.hide(cover, "meet me at noon", passphrase="…")     # uint8 (H, W, 3) arrays
    underpaint.reveal(container, passphrase="…").text
    underpaint.hide_file("cover.png", "container.jpg", "meet me at noon")     # files
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from underpaint.api.hide import HideReport, hide, hide_file
    from underpaint.api.inspect import Finding, Inspection, inspect, inspect_file
    from underpaint.api.jnd import JndReport, Saving, jnd, jnd_file
    from underpaint.api.measure import attack, attack_file, capacity, capacity_file, compare, compare_files
    from underpaint.api.payloads import FacePayload, PictureCompression, PicturePayload
    from underpaint.api.recognise import Recognition, enrol_files, enrolled, read_gallery, recognise, recognise_file
    from underpaint.api.reveal import reveal, reveal_file
    from underpaint.errors import (
        AmbiguousError,
        CapacityError,
        DamagedError,
        ImageError,
        MissingExtraError,
        ModelError,
        NotFoundError,
        PayloadError,
        SurvivalError,
        TemplateError,
        UnderpaintError,
        UsageError,
    )
    from underpaint.types import Capacity, Payload

__version__ = "0.1.0"

__all__ = [
    "AmbiguousError",
    "Capacity",
    "CapacityError",
    "DamagedError",
    "FacePayload",
    "Finding",
    "HideReport",
    "ImageError",
    "Inspection",
    "JndReport",
    "MissingExtraError",
    "ModelError",
    "NotFoundError",
    "Payload",
    "PayloadError",
    "PictureCompression",
    "PicturePayload",
    "Recognition",
    "Saving",
    "SurvivalError",
    "TemplateError",
    "UnderpaintError",
    "UsageError",
    "attack",
    "attack_file",
    "capacity",
    "capacity_file",
    "compare",
    "compare_files",
    "enrol_files",
    "enrolled",
    "hide",
    "hide_file",
    "inspect",
    "inspect_file",
    "jnd",
    "jnd_file",
    "read_gallery",
    "recognise",
    "recognise_file",
    "reveal",
    "reveal_file",
]


if not TYPE_CHECKING:  # a type checker knows every name from above, and shall still find a misspelt one

    def __getattr__(name: str) -> object:
        """Import a public name where it is first used: ``import underpaint`` itself stays instant."""
        if name in __all__:
            module = "errors" if name.endswith("Error") else "types" if name in ("Capacity", "Payload") else "api"
            return getattr(import_module(f"underpaint.{module}"), name)
        raise AttributeError(f"module 'underpaint' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
