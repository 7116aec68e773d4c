"""Where numbers come from: this machine and this checkout, or a paper."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from underpaint_lab.provenance import commit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Libraries whose version can change a number.
LIBRARIES = ("numpy", "pillow", "onnxruntime", "cryptography", "av")
#: Codecs inside Pillow, by its names for them.
CODECS = ("libjpeg_turbo", "jpg_2000", "webp", "avif", "zlib")


@dataclass(frozen=True)
class Source:
    """Where numbers come from: enough to get the same ones again."""

    command: str
    #: The commit of the code, with a plus sign if the code was altered after it.
    commit: str
    seed: int
    #: Name of the folder of pictures, how many there are, SHA-256 over their names and bytes.
    data: str
    pictures: int
    sha256: str
    versions: dict[str, str]
    device: str

    @classmethod
    def of(cls, table: str, method: str, images: Path | None, pictures: Sequence[Path], seed: int) -> Source:
        """Look at this machine, this checkout and these *pictures*; a folder is named, not located."""
        folder = pictures[0].parent.name
        chosen = f" --images {folder}" if images else ""
        command = f"underpaint bench {table} {method}{chosen} --seed {seed}"
        digest = hashlib.sha256()
        for picture in pictures:
            digest.update(picture.name.encode() + b"\0" + hashlib.sha256(picture.read_bytes()).digest())
        return cls.here(command, seed, folder, len(pictures), digest.hexdigest())

    @classmethod
    def here(cls, command: str, seed: int, data: str, pictures: int, sha256: str) -> Source:
        """Look at this machine and this checkout; the rest is as it is given."""
        device = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
        return cls(command, commit(), seed, data, pictures, sha256, _versions(), device)


@dataclass(frozen=True)
class Citation:
    """Where published numbers stand, and what was measured on."""

    #: Authors, title, where it appeared.
    paper: str
    #: Which table of it.
    place: str
    data: str
    #: What a reader has to know beside the numbers, such as what the paper leaves out.
    note: str


def _versions() -> dict[str, str]:
    from PIL import features

    found = {"underpaint": version("underpaint"), "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found | {codec: str(features.version(codec)) for codec in CODECS}
