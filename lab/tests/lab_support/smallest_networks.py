"""Train the smallest case of every kind of network for two steps: ``python smallest_networks.py FOLDER``.

This is a program because a damaged heap ends the process; the last line printed names the kind that was at work.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from underpaint_lab.papers import RECIPES
from underpaint_lab.training.loop import fit
from underpaint_lab.training.recipe import with_settings
from underpaint_lab.training.trainable import channels_last


class Case(NamedTuple):
    """A recipe made small."""

    recipe: str
    #: Channels of its training pictures; the last of 4 and of 7 is the class.
    channels: int
    settings: str = ""


CASES = {
    "residual network": Case("miais-teacher", 4, "classes=3 width=4 size=8"),
    "U-Net, classifiers and restorer": Case(
        "miais-published", 7, "classes=3 width=4 size=8 generator=4 downs=3 restorer=4 multitask=true joint=0 epoch=1"
    ),
    "templates": Case("miais", 7, "classes=3 width=4 size=8 hidden=8"),
    "image hiding with a classifier": Case("miais-baluja", 7, "classes=3 width=4 size=8 hidden=2"),
    "dense layers and critic": Case("steganogan-dense", 6, "width=4"),
    "separable layers": Case("stegnet", 6, "width=4"),
    "blocks": Case("pixinpix", 6),
    "encoder and decoder around a codec": Case(
        "robust-ablation-pseudo-jpeg", 3, "channels=4 encoder_blocks=1 decoder_blocks=1 discriminator_blocks=1"
    ),
    "lapped transform": Case("robust", 3, "width=4 depth=1 crop=64"),
    "transposed layers": Case("basn-mfd-auto", 3, "width=4"),
    "integers": Case("basn-exact", 3, "teachers= crop=64"),
    "classifier with inverted residuals": Case("cifar-mobile", 4, "classes=3"),
    "classifier of patches": Case("cifar-mixer", 4, "classes=3"),
    "classifier with dense layers": Case("cifar-densenet", 4, "classes=3"),
    "detector": Case("steganalysis-yedroudj", 6, "crop=64"),
}


class Noise:
    """Pictures of noise instead of photographs."""

    name, sha256 = "noise", "0" * 64

    def __init__(self, channels: int) -> None:
        self.channels = channels

    def __len__(self) -> int:
        return 8

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int) -> Tensor:
        """Return ``(size, channels, crop, crop)`` in [0, 1]; pairs of neighbours have one class."""
        drawn = np.random.default_rng([seed, step, rank]).random((size, self.channels, crop, crop), dtype=np.float32)
        if self.channels in (4, 7):
            drawn[:, -1] = (np.arange(size) // 2 % 3)[:, None, None]
        return torch.from_numpy(drawn)


def train(case: Case, folder: Path) -> None:
    """Train *case* for two steps."""
    entry = RECIPES[case.recipe]
    recipe = with_settings(entry.recipe, ["steps=2", "batch=6", "crop=32", *case.settings.split()])
    fit(entry.model(recipe), cast("Any", Noise(case.channels)), folder, accelerator="cpu", progress=False)


def known_to_fail() -> None:
    """Take ten backward passes of the layers that damage the heap unless they are guarded."""
    for layer in (nn.Conv2d(4, 8, 1, stride=2), nn.ConvTranspose2d(8, 4, 1, stride=2)):
        channels_last(layer)
        images = torch.rand(8, layer.in_channels, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()
        for _ in range(10):
            layer(images).square().mean().backward()


def main() -> None:
    """Run all cases."""
    torch.set_num_threads(1)
    print("layers known to fail", flush=True)
    known_to_fail()
    for kind, case in CASES.items():
        print(kind, flush=True)
        train(case, Path(sys.argv[1]) / case.recipe)
    print("done")


if __name__ == "__main__":
    main()
