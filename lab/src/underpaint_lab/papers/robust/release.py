"""Release of the networks of robust: graphs and card from a finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from underpaint import media, models
from underpaint.media import samples
from underpaint_lab.export.onnx import Graph
from underpaint_lab.papers.robust import ours
from underpaint_lab.papers.robust.lapped import analyse, luma
from underpaint_lab.papers.robust.ours import RobustOurs, RobustOursRecipe
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore

if TYPE_CHECKING:
    from pathlib import Path

_FREE = {"luma": {2: "height", 3: "width"}, "coefficients": {2: "down", 3: "across"}}


def robust(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], models.Card]:
    """The writer and the reader of :mod:`underpaint_lab.papers.robust.ours`."""
    model = RobustOurs(cast("OursRecipe", ours.RECIPES["robust"].recipe))
    restore(model, run)
    photograph = torch.from_numpy(media.read(samples.path("coffee")).pixels[None, :256, :384]).permute(0, 3, 1, 2) / 255
    seen = luma(photograph)
    inputs = {"luma": seen[:, None], "coefficients": analyse(seen, ours.COUNT)}
    graphs = {name: Graph(getattr(model, name), inputs, _FREE) for name in ("writer", "reader")}
    card = models.Card(
        method="robust",
        paper="Zhang, Karjauv, Benz, Kweon, Towards Robust Data Hiding Against (JPEG) Compression, arXiv:2101.00973",
        licence="MIT",
        sha256={},
        bytes=0,
        payload="any: 30 bits in 128x128 in the paper's setting, messages of up to about 750 bytes",
        **folder.provenance(run),
        reported={"ber_jpeg_10": 0.3122, "ber_jpeg_50": 0.1263, "ber_webp_50": 0.1286, "ber_jpeg2000_10": 0.3529},
        measured=measured,
        limits="turning by more than about half a degree, mirroring, and cutting below about 60 % of a side lose it",
        text=_ROBUST,
    )
    return graphs, card


_ROBUST = """
`writer.onnx` takes luma in grey levels, `float32 (1, 1, H, W)`, and the 14 lowest lapped coefficients of each 16×16
block, `(1, 14, H / 16, W / 16)`; it returns the logarithm of how much more change each coefficient takes than its
block's busyness says. `reader.onnx` takes the same of what arrived and returns what to add to the coefficients.
Sides are multiples of 16. On 150 crops held out from training they added nothing to the plain lattice that could be
told from chance; docs/methods/robust.md has the figures, and tells how they are used and what they were trained for.
"""


#: The models of this paper: each takes a run and measured numbers and returns graphs and card.
MODELS = {"robust": robust}
