"""Write reference values of public steganalysis implementations for crops of the sample photographs.

    python lab/tests/lab_support/make_vectors.py

Needs sealwatch 2025.9 and conseal 2025.11 with what they import; neither is installed with underpaint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import conseal  # type: ignore[import-not-found]
import numpy as np
import sealwatch  # type: ignore[import-not-found]

from underpaint import media
from underpaint.media import samples

FILE = Path(__file__).parents[1] / "data_files" / "steganalysis_vectors.npz"
#: Photograph, first row and column, number of rows and columns, channel.
PIECES = [("coffee", 100, 200, 48, 64, 1), ("chelsea", 90, 150, 41, 37, 0)]


def main() -> None:
    """Write the output of each implementation for each crop."""
    arrays: dict[str, Any] = {}
    for number, (name, top, left, height, width, channel) in enumerate(PIECES):
        pixels = media.read(samples.path(name)).pixels
        piece = np.ascontiguousarray(pixels[top : top + height, left : left + width, channel])
        arrays[f"plane_{number}"] = piece
        arrays[f"spam_{number}"] = np.concatenate(list(sealwatch.spam.extract(piece).values()))
        for feature, module in (("srm", sealwatch.srm), ("srmq1", sealwatch.srmq1)):
            found = module.extract(piece)
            # Their order depends on the hash of strings.
            arrays[f"{feature}_{number}"] = np.concatenate([found[name] for name in sorted(found)])
            arrays[f"{feature}_names"] = np.array(sorted(found))
            arrays[f"{feature}_sizes"] = np.array([found[name].size for name in sorted(found)])
        arrays[f"s-uniward_{number}"] = conseal.suniward._costmap.compute_cost(x0=piece.astype(float))
        arrays[f"wow_{number}"] = conseal.wow._costmap.compute_cost(x0=piece)
        arrays[f"hugo_{number}"] = np.stack(conseal.hugo._costmap.compute_cost_adjusted(piece, wet_cost=np.inf))
    arrays = {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in arrays.items()}
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    main()
