"""The one path for the command line and for Python: what ``underpaint --help`` lists.

Each comes twice: on pictures in memory, and on files, where ``-`` is a standard stream::

    hide_file    read ─► method.hide ─► encode ─► decode ─► reveal again ─► write, whole or not at all
    reveal_file  read ─► every method is asked; exactly one may answer
"""

from __future__ import annotations

from underpaint.api.hide import DEFAULT_METHODS, HideReport, candidates, hide, hide_file
from underpaint.api.inspect import Finding, Inspection, inspect, inspect_file, inspect_files
from underpaint.api.jnd import JndReport, Saving, jnd, jnd_file
from underpaint.api.measure import attack, attack_file, capacity, capacity_file, check_target, compare, compare_files
from underpaint.api.payloads import (
    DEFAULT_PSNR,
    FacePayload,
    PictureCompression,
    PicturePayload,
    picture_as,
    revealed_name,
)
from underpaint.api.recognise import Recognition, enrol_files, enrolled, read_gallery, recognise, recognise_file
from underpaint.api.reveal import reveal, reveal_file
from underpaint.steganalysis.detectors import BLIND

__all__ = [
    "BLIND",
    "DEFAULT_METHODS",
    "DEFAULT_PSNR",
    "FacePayload",
    "Finding",
    "HideReport",
    "Inspection",
    "JndReport",
    "PictureCompression",
    "PicturePayload",
    "Recognition",
    "Saving",
    "attack",
    "attack_file",
    "candidates",
    "capacity",
    "capacity_file",
    "check_target",
    "compare",
    "compare_files",
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
