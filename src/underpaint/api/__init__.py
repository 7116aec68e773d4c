"""The public functions, which the command line calls, too; ``__all__`` lists all public names.

Most functions come twice: for pictures in memory, and for files, where ``-`` is a standard stream::

    hide_file    read ─► method.hide ─► encode ─► decode ─► reveal again ─► write the file
    reveal_file  read ─► every method is tried; exactly one may find a payload
"""

from __future__ import annotations

from underpaint.api.coding_for_machines import Saving
from underpaint.api.detect import Detection, detect, detect_file
from underpaint.api.hide import hide, hide_file
from underpaint.api.inspect import Finding, Inspection, inspect, inspect_file, inspect_files
from underpaint.api.jnd import JndReport, jnd, jnd_file
from underpaint.api.measure import attack, attack_file, capacity, capacity_file, compare, compare_files
from underpaint.api.payloads import FacePayload, PictureCompression, PicturePayload, picture_as, revealed_name
from underpaint.api.recognise import Recognition, enrol_files, enrolled, read_gallery, recognise, recognise_file
from underpaint.api.reports import HideReport
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

__all__ = [
    "AmbiguousError",
    "Capacity",
    "CapacityError",
    "DamagedError",
    "Detection",
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
    "detect",
    "detect_file",
    "enrol_files",
    "enrolled",
    "hide",
    "hide_file",
    "inspect",
    "inspect_file",
    "inspect_files",
    "jnd",
    "jnd_file",
    "picture_as",
    "read_gallery",
    "recognise",
    "recognise_file",
    "reveal",
    "reveal_file",
    "revealed_name",
]
