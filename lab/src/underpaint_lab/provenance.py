"""Provenance of measurements and trained networks: commit, data, library versions and device, or the paper cited."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Libraries whose version can change a number.
LIBRARIES = ("numpy", "pillow", "onnxruntime", "cryptography", "av")
#: Folders of code whose changes alter numbers. Cards of models do not: pages are filled in after the measurement.
_CODE = (":/src", ":/lab/src", ":(top,exclude,glob)**/zoo/*/card.md")
#: Codecs inside Pillow, by Pillow's names.
CODECS = ("libjpeg_turbo", "jpg_2000", "webp", "avif", "zlib")


@dataclass(frozen=True)
class Source:
    """Provenance of a measurement: enough to repeat it."""

    command: str  #: command line that repeats the measurement
    commit: str  #: first twelve digits of the commit, with a plus sign if the code was altered after it
    seed: int
    data: str  #: name of the folder of pictures
    pictures: int
    sha256: str  #: over the names and contents of the pictures
    versions: dict[str, str]
    device: str

    @classmethod
    def of_bench(cls, table: str, method: str, images: Path | None, pictures: Sequence[Path], seed: int) -> Source:
        """Return the provenance of ``underpaint-lab bench TABLE METHOD`` on this machine.

        Args:
            table: name of the table.
            method: name of the method.
            images: folder named after ``--images``; None for the samples.
            pictures: the files; only the name of their folder is noted.
            seed: seed of everything random.
        """
        folder = pictures[0].parent.name
        option = f" --images {folder}" if images else ""
        command = f"underpaint-lab bench {table} {method}{option} --seed {seed}"
        digest = hashlib.sha256()
        for picture in pictures:
            digest.update(picture.name.encode() + b"\0" + hashlib.sha256(picture.read_bytes()).digest())
        return cls.here(command, seed, folder, len(pictures), digest.hexdigest())

    @classmethod
    def here(cls, command: str, seed: int, data: str, pictures: int, sha256: str) -> Source:
        """Return the provenance of a measurement on this machine; the arguments are fields of the class."""
        device = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
        return cls(command, commit(), seed, data, pictures, sha256, _versions(), device)


@dataclass(frozen=True)
class Citation:
    """Provenance of published numbers."""

    paper: str  #: authors, title, venue
    place: str  #: table or figure of the paper
    data: str  #: data that the paper measured on
    note: str  #: anything else a reader must know, such as what the paper leaves out


def commit() -> str:
    """Return the first twelve digits of the commit, with a plus sign if the code was altered after it.

    It is ``unknown`` outside a checkout of this project, or without git.
    """

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)  # noqa: S603, S607
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # fails for an installation inside another repository
        altered = git("status", "--porcelain", "--", *_CODE)
        return git("rev-parse", "--short=12", "HEAD") + ("+" if altered else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _versions() -> dict[str, str]:
    from PIL import features

    found = {"underpaint": version("underpaint"), "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found | {codec: str(features.version(codec)) for codec in CODECS}
