"""Gradient refinement of the just noticeable difference of machines: rows of the table ``dmvjnd``.

``underpaint-lab evaluate refinement CIFAR10`` changes pictures of the test split to the paper's PSNR and to 14 and 20
dB, and refines those that lose a label by a few steps of gradient descent. Held-out classifiers are measured too.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from underpaint import models
from underpaint.models import classifiers, jnd
from underpaint_lab.benchmarks.core.result_file import RESULTS, ResultFile
from underpaint_lab.benchmarks.jnd import measure as bench
from underpaint_lab.benchmarks.jnd.rows import DMVJND, HELD_OUT, PANEL, LabelRow
from underpaint_lab.export.from_zoo import from_zoo_cifar
from underpaint_lab.papers.dmvjnd.moving import move_to_psnr
from underpaint_lab.papers.dmvjnd.panel import load_panel
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.types import Image
    from underpaint_lab.papers.dmvjnd.nets import Panel

#: Numbers of descent steps, and test pictures.
STEPS, COUNT = (1, 2, 5), 1000
_MODEL = "dmvjnd-cifar"
#: Margin of the log-odds, and root mean square of a step in [0, 1].
_MARGIN, _STRIDE = 1.0, 0.02
_SMALLEST = 1e-6  # of a gradient's root mean square


def measure(file: Path, count: int = COUNT) -> list[LabelRow]:
    """Return a row for each level and number of steps, of *count* pictures of a mosaic.

    Raises:
        UsageError: there is no such mosaic.
        ModelError: a network is missing.
    """
    panel = load_panel(jnd.PANELS[_MODEL])
    names = [name for name in (*PANEL, *HELD_OUT) if f"cifar-{name}" in models.names()]
    networks = {name: from_zoo_cifar(name) for name in names}
    pictures = bench.tiles(file, count)
    chunks = [pictures[start : start + bench.BATCH] for start in range(0, len(pictures), bench.BATCH)]
    rows = []
    for level in bench.LEVELS:
        begun = [(chunk + bench.change("ours", level, chunk)).astype(np.uint8) for chunk in chunks]
        for steps in STEPS:
            kept, error = dict.fromkeys(names, 0), 0.0
            for before, changed in zip(map(_tensor, chunks), map(_tensor, begun), strict=True):
                after = refined(panel, before, changed, level, steps)
                error += float((255 * (after - before)).double().square().sum())
                with torch.inference_mode():
                    for name, network in networks.items():
                        kept[name] += int((network(before).argmax(dim=1) == network(after).argmax(dim=1)).sum())
            psnr = bench.decibels(error / pictures.size)
            change = f"{steps} step{'s' * (steps > 1)} of refinement"
            rows.append(
                LabelRow(split="test", change=change, level=level, pictures=len(pictures), kept=kept, psnr=psnr)
            )
    return rows


def refined(panel: Panel, images: Tensor, changed: Tensor, psnr: float, steps: int) -> Tensor:
    """Return *changed* after at most *steps* steps of descent in each picture that has lost a label.

    A step follows the gradient of the hinge loss of the labels, summed over the classifiers, and returns to *psnr*. A
    picture whose labels are all kept is not changed.

    Args:
        panel: the classifiers.
        images: ``(B, 3, H, W)`` in [0, 1], whole levels of 8 bits.
        changed: of that shape, as :func:`move_to_psnr` returns it.
        psnr: PSNR in dB that is to be left.
        steps: 0 or more, of one forward and one backward pass each.
    """
    with torch.no_grad():
        labels = torch.stack([odds.argmax(dim=1) for odds in panel(images)[0].chunk(len(panel.members), dim=1)])
    changed, open_ = changed.detach().clone(), torch.arange(len(images))
    for _ in range(steps):
        seen = changed[open_].requires_grad_()
        behind = torch.stack([_behind(panel.logits(n, seen), labels[n, open_]) for n in range(len(labels))])
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
    """Return the lead of the best other class over the one in *labels*, ``(B,)``."""
    own = odds.gather(1, labels[:, None])[:, 0]
    return odds.scatter(1, labels[:, None], -torch.inf).amax(dim=1) - own


def _tensor(pictures: Image) -> Tensor:
    return torch.from_numpy(classifiers.planes(pictures))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure gradient refinement on CIFAR-10 and write the result."""
    parser = argparse.ArgumentParser(prog="underpaint-lab evaluate refinement", description=main.__doc__)
    parser.add_argument("images", type=Path, help="folder with CIFAR-10's test.webp")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    options = parser.parse_args(arguments)
    file = options.images / "test.webp"
    source = replace(
        Source.of_bench(DMVJND, "refined", options.images, [file], 0), command=f"{parser.prog} {options.images.name}"
    )
    result = ResultFile(DMVJND, "refined", source, tuple(measure(file)))
    print(f"wrote {result.write(options.results)}")
