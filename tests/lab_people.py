"""Data as those have it who recognise secrets: people, textures and photographs, all of noise."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from pathlib import Path


def people(folder: Path) -> Path:
    """Write ten people of noise to *folder*, each with a brightness of their own, and textures of noise."""
    rng = np.random.default_rng(0)
    rows = ["file,identity"]
    for name in ("faces", "textures"):
        (folder / name).mkdir()
    with zipfile.ZipFile(folder / "faces" / "few.zip", "w") as archive:
        for number in range(60):
            rows.append(f"{number}.png,{number // 6}")
            archive.writestr(f"{number}.png", _png(rng.integers(20 * (number // 6), 256, (32, 32, 3), dtype=np.uint8)))
    (folder / "faces" / "few.csv").write_text("\n".join(rows))
    with zipfile.ZipFile(folder / "textures" / "textures.zip", "w") as archive:
        for number in range(10):
            archive.writestr(f"{number}.png", _png(rng.integers(256, size=(40, 40, 3), dtype=np.uint8)))
    (folder / "covers").mkdir()
    (folder / "covers" / "train.zip").write_bytes((folder / "textures" / "textures.zip").read_bytes())
    return folder


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
