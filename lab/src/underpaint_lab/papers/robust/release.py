"""Release of the networks of robust watermarking: ONNX graphs and model card from a finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from underpaint_lab.export.onnx import Graph, Release, new_card, sample_crop
from underpaint_lab.papers.robust import ours
from underpaint_lab.papers.robust.lapped import analyse, luma
from underpaint_lab.papers.robust.network_canvas import COUNT
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint_lab.export.onnx import Built

_AXES = {"luma": {2: "height", 3: "width"}, "coefficients": {2: "down", 3: "across"}}


def robust(run: Path, measured: dict[str, float]) -> Built:
    """Export the embedder and the extractor of :mod:`underpaint_lab.papers.robust.ours`.

    Args:
        run: folder of the finished run.
        measured: numbers for the card, by name.

    Returns:
        Graphs by file name, and the card.

    Raises:
        ModelError: *run* has no checkpoint of these networks.
    """
    model = ours.RobustOurs(cast("ours.RobustOursRecipe", ours.RECIPES["robust"].recipe))
    restore(model, run)
    photograph = sample_crop(256, 384) / 255
    grey = luma(photograph)
    inputs = {"luma": grey[:, None], "coefficients": analyse(grey, COUNT)}
    graphs = {name: Graph(getattr(model, name), inputs, _AXES) for name in ("writer", "reader")}
    card = new_card(
        folder.provenance(run),
        method="robust",
        paper="Zhang, Karjauv, Benz, Kweon, Towards Robust Data Hiding Against (JPEG) Compression, arXiv:2101.00973",
        payload="any: 30 bits in 128x128 in the paper's setting, messages of up to 504 bytes after compression",
        reported={"ber_jpeg_10": 0.3122, "ber_jpeg_50": 0.1263, "ber_webp_50": 0.1286, "ber_jpeg2000_10": 0.3529},
        measured=measured,
        limits="no rotation by more than about half a degree, no mirroring, no crops below about 60 % of a side",
        text=_ROBUST,
    )
    return graphs, card


_ROBUST = """
`writer.onnx` takes luma in grey levels, `float32 (1, 1, H, W)`, and the 14 lowest lapped coefficients of each 16×16
block, `(1, 14, H / 16, W / 16)`; it returns the logarithm of each coefficient's change, relative to the change that
follows from its block's local activity. `reader.onnx` takes the same of the received picture and returns the correction
to be added to the coefficients. Sides are multiples of 16. On 150 crops held out from training the networks improved
the plain lattice by no significant amount: docs/results/robustness.md has the measurements. The method `robust` does
not use them; the table `robust-networks` does.
"""


#: Models of this paper, by their name in the zoo.
MODELS = {"robust": Release(robust)}
