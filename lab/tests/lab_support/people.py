"""Training data of MIAIS for tests: faces, objects and covers, all of noise."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from pathlib import Path


def people(folder: Path) -> Path:
    """Write to *folder* faces of ten people and ten kinds of objects, each with its own brightness, and covers."""
    rng = np.random.default_rng(0)
    faces = {f"{number}.png": noise(rng, 20 * (number // 6)) for number in range(60)}
    archive(folder / "faces" / "few.zip", faces)
    rows = [f"{name},{number // 6}" for number, name in enumerate(faces)]
    (folder / "faces" / "few.csv").write_text("\n".join(["file,identity", *rows]))
    things = {f"{number}.png": noise(rng, 20 * (number % 10)) for number in range(20)}
    for split in ("train", "val"):
        archive(folder / "tiny-imagenet" / f"{split}.zip", things)
    rows = [f"{split},{name},{number % 10}" for split in ("train", "val") for number, name in enumerate(things)]
    (folder / "tiny-imagenet" / "labels.csv").write_text("\n".join(["split,file,label", *rows]))
    for name in ("textures/textures.zip", "covers/train.zip"):
        archive(folder / name, {f"{number}.png": noise(rng, 0, 40) for number in range(10)})
    return folder


def noise(rng: np.random.Generator, low: int, side: int = 32) -> bytes:
    """Return a PNG file of random levels from *low* on."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(rng.integers(low, 256, (side, side, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def archive(file: Path, pictures: dict[str, bytes]) -> None:
    """Write *pictures* to a zip file."""
    file.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(file, "w") as written:
        for name, content in pictures.items():
            written.writestr(name, content)
