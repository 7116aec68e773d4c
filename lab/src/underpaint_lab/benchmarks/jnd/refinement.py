"""What a few steps of descent add to the generator of machines' just noticeable difference: rows of the table `dmvjnd`.

``python -m underpaint_lab.benchmarks.jnd.refinement CIFAR10`` changes pictures of the test split to the paper's PSNR and to 14 and
20 dB, and refines those of which a classifier has changed its mind. Descent needs gradients, which only the lab has.
Classifiers that the generator was not trained against judge too.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from underpaint import models
from underpaint.models import classifiers, jnd_networks
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.jnd import measure as bench
from underpaint_lab.benchmarks.jnd.rows import DMVJND, PANEL, UNSEEN, Agreement, Agreements
from underpaint_lab.export.from_zoo import from_zoo_cifar
from underpaint_lab.papers.dmvjnd.models import load_panel
from underpaint_lab.papers.dmvjnd.moving import move_to_psnr

if TYPE_CHECKING:
    from underpaint.types import Image
    from underpaint_lab.papers.dmvjnd.nets import Panel

#: Steps that are tried, and test pictures that are asked.
STEPS, COUNT = (1, 2, 5), 1000
_MODEL = "dmvjnd-cifar"
#: By how much log-odds shall be ahead, and the root mean square of a step.
_MARGIN, _STRIDE = 1.0, 0.02
_SMALLEST = 1e-6


def measure(file: Path, count: int = COUNT) -> list[Agreement]:
    """Rows for each level and number of steps, of *count* pictures of a mosaic.

    Raises:
        UsageError: there is no such mosaic.
        ModelError: a network is missing.
    """
    panel = load_panel(jnd_networks.PANELS[_MODEL])
    judges = [name for name in (*PANEL, *UNSEEN) if f"cifar-{name}" in models.names()]
    networks = {name: from_zoo_cifar(name) for name in judges}
    pictures = bench.tiles(file, count)
    chunks = [pictures[start : start + bench.AT_ONCE] for start in range(0, len(pictures), bench.AT_ONCE)]
    rows = []
    for level in bench.LEVELS:
        begun = [(chunk + bench.change("ours", level, chunk)).astype(np.uint8) for chunk in chunks]
        for steps in STEPS:
            kept, error = dict.fromkeys(judges, 0), 0.0
            for before, changed in zip(map(_tensor, chunks), map(_tensor, begun), strict=True):
                after = refined(panel, before, changed, level, steps)
                error += float((255 * (after - before)).double().square().sum())
                with torch.inference_mode():
                    for name, network in networks.items():
                        kept[name] += int((network(before).argmax(dim=1) == network(after).argmax(dim=1)).sum())
            psnr = bench.decibels(error / pictures.size)
            change = f"{steps} step{'s' * (steps > 1)} of refinement"
            rows.append(Agreement("test", change, level, len(pictures), kept, psnr))
    return rows


def refined(panel: Panel, images: Tensor, changed: Tensor, psnr: float, steps: int) -> Tensor:
    """*changed*, after at most so many steps of descent in each picture of which a classifier has changed its mind.

    A step leads down the gradient of how far labels are from winning by a margin, in sum over the classifiers, and back
    to *psnr*. A picture whose labels are all kept is left alone.

    Args:
        panel: the classifiers.
        images: ``(B, 3, H, W)`` in [0, 1], whole levels of 8 bits.
        changed: of that shape, as :func:`moved` returns it.
        psnr: in dB, to be left.
        steps: 0 or more, of one forward and one backward pass each.
    """
    with torch.no_grad():
        labels = torch.stack([odds.argmax(dim=1) for odds in panel(images)[0].chunk(len(panel.members), dim=1)])
    changed, open_ = changed.detach().clone(), torch.arange(len(images))
    for _ in range(steps):
        seen = changed[open_].requires_grad_()
        behind = torch.stack([_behind(panel.odds(n, seen), labels[n, open_]) for n in range(len(labels))])
        (gradient,) = torch.autograd.grad((behind + _MARGIN).clamp(min=0).sum(), seen)
        lost = (behind > 0).any(dim=0)
        open_, gradient = open_[lost], gradient[lost]
        if not len(open_):
            break
        length = gradient.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=_SMALLEST)
        target = changed[open_] - _STRIDE * gradient / length
        levels = images.new_full((len(open_), 1), psnr)
        changed[open_] = move_to_psnr(images[open_], target - images[open_], levels)
    return changed


def _behind(odds: Tensor, labels: Tensor) -> Tensor:
    """By how much the best other class is ahead of the one in *labels*, ``(B,)``."""
    own = odds.gather(1, labels[:, None])[:, 0]
    return odds.scatter(1, labels[:, None], -torch.inf).amax(dim=1) - own


def _tensor(pictures: Image) -> Tensor:
    return torch.from_numpy(classifiers.planes(pictures))


def main() -> None:
    """Measure on the mosaics of a folder, and write the result."""
    parser = argparse.ArgumentParser(prog="python -m underpaint_lab.benchmarks.jnd.refinement", description=__doc__)
    parser.add_argument("images", type=Path, help="folder with CIFAR-10's test.webp")
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    file = arguments.images / "test.webp"
    source = Source.of(DMVJND, "refined", arguments.images, [file], 0)
    command = f"python -m underpaint_lab.benchmarks.jnd.refinement {arguments.images.name}"
    here = Source.here(command, 0, source.data, source.pictures, source.sha256)
    print(Agreements(DMVJND, "refined", here, tuple(measure(file))).write(arguments.results))


if __name__ == "__main__":
    main()
