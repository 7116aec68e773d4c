"""Release of the CNN detector of ``underpaint inspect``: ONNX graph and model card from a finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint.errors import UsageError
from underpaint_lab.export.onnx import SIDES, Graph, Release, new_card, sample_squares
from underpaint_lab.papers.steganalysis.nets import STEGANALYSERS
from underpaint_lab.training import run_folder as folder

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint_lab.export.onnx import Built

#: Papers that cards cite, by network.
_PAPERS = {
    "ye": 'J. Ye, J. Ni and Y. Yi, "Deep Learning Hierarchical Representations for Image Steganalysis" (TIFS 2017).',
    "yedroudj": 'M. Yedroudj, F. Comby and M. Chaumont, "Yedroudj-Net: An efficient CNN for spatial steganalysis" '
    "(ICASSP 2018).",
    "light": "A colour rich model after Goljan et al. (WIFS 2014), and two trained layers.",
}
_TEXT = """
`detector.onnx` takes pictures, `float32 (N, 3, H, W)`, whole levels 0…255, of any size of at least 32×32, and returns
`odds`, the log-odds `(N,)` that a picture is a container.
"""


def detector(run: Path, measured: dict[str, float]) -> Built:
    """Export the detector that *run* trained.

    Args:
        run: folder of the finished run.
        measured: numbers for the card, by name.

    Returns:
        Graphs by file name, and the card.

    Raises:
        ModelError: *run* has no checkpoint of this network.
        UsageError: *run* trained something else.
    """
    recipe = folder.read_record(run)["recipe"]
    if recipe.get("network") not in STEGANALYSERS:
        raise UsageError(f"{run} trained no detector", hint="underpaint-lab train steganalysis-light does")
    network = STEGANALYSERS[recipe["network"]]()
    folder.load_weights(network, folder.learned(run, "network"), run)
    card = new_card(
        folder.provenance(run),
        method="analyst",
        paper=_PAPERS[recipe["network"]],
        payload="none: a steganalysis detector",
        measured=measured,
        limits="trained on a few picture sources: pictures with other noise may raise the false-positive rate",
        text=_TEXT,
    )
    return {"detector": Graph(network.eval(), {"image": sample_squares()}, {"image": SIDES}, ("odds",))}, card


#: Models of this paper, by their name in the zoo.
MODELS = {"detector": Release(detector)}
