"""Release of classifiers: graphs and card from a run, with the accuracy on held-out pictures.

A run need not be finished: its card says how far it went.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from underpaint import media, models
from underpaint.media import samples
from underpaint_lab.data.cifar import Cifar
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.export.half_precision import HalfPrecision
from underpaint_lab.export.onnx import Graph
from underpaint_lab.metrics.intervals import wilson
from underpaint_lab.nets import cifar_classifiers, classifiers
from underpaint_lab.papers.classifiers.models import NETWORKS, accuracy
from underpaint_lab.training import run_folder as folder

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint_lab.nets.classifiers import Classifier


_FREE = {"image": {0: "n", 2: "height", 3: "width"}}
_CLASSIFIER = """
`classifier.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], of any size of at least 32×32, and returns
`features`, the maps half-way, at an eighth of the size or a quarter, `logits`, the log-odds of 50 classes of
Tiny-ImageNet, and `cam`, the class activation map of the most likely one, `(N, 1, H, W)` from 0 to 1. Its larger
tensors are stored in 16 bits; accuracy was measured with them.
"""
_RESNET = "K. He, X. Zhang, S. Ren and J. Sun, Deep Residual Learning for Image Recognition (CVPR 2016), half as wide."
_CIFAR = """
`classifier.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], of any size of at least 32×32, and returns
`logits`, the log-odds of the ten classes of CIFAR-10, and `cam`, the class activation map of the most likely one,
`(N, 1, H, W)` from 0 to 1. Its larger tensors are stored in 16 bits; accuracy was measured with them, on all 10,000
pictures of the test set as they are, not mirrored.
"""


class WithFeaturesAndCam(nn.Module):
    """A classifier that says what it went by: features, log-odds, and where it looks."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``(B, maps, h, w)``, ``(B, classes)`` and ``(B, 1, H, W)`` of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        features = self.classifier.features(images)
        maps, linear = self.classifier.maps(features), self.classifier.classify
        odds: Tensor = linear(maps.mean(dim=(2, 3)))
        return features, odds, cifar_classifiers.activation_map(maps, odds, linear.weight, images.shape[2:])


class _Kind(NamedTuple):
    """What classifiers of one kind have in common."""

    outputs: tuple[str, ...]
    #: Those that nothing is trained against, and what is said of the others.
    unseen: tuple[str, ...]
    seen: str
    limits: str
    text: str


_KINDS = {
    "classifier": _Kind(
        outputs=("features", "logits", "cam"),
        unseen=classifiers.HELD_OUT,
        seen="which attention is trained against",
        limits="trained on 64×64; it tells how machines see a change, not what is in a photograph",
        text=_CLASSIFIER,
    ),
    "cifar": _Kind(
        outputs=("logits", "cam"),
        unseen=cifar_classifiers.HELD_OUT,
        seen="whose just noticeable difference is asked",
        limits="trained on half of CIFAR-10, 32×32, in minutes on a processor; it knows ten classes of small pictures",
        text=_CIFAR,
    ),
}


def classifier(name: str, run: Path, pictures: Labelled) -> tuple[dict[str, Graph], models.Card]:
    """The classifier *name*, trained in *run*, and how often it is right about *pictures*.

    Raises:
        ModelError: *run* has no checkpoint of it.
    """
    network = NETWORKS[name](int(folder.read_record(run)["recipe"]["classes"]))
    folder.load_weights(network, folder.learned(run, "network"), run)
    shown = cifar_classifiers.WithCam(network) if isinstance(network, cifar_classifiers.CamClassifier) else WithFeaturesAndCam(network)
    halved = HalfPrecision(shown.eval())
    right = accuracy(network, pictures)  # of the rounded weights, which are the network's own by now
    low, high = wilson(round(right * len(pictures)), len(pictures))
    prefix, _, short = name.partition("-")
    kind = _KINDS[prefix]
    role = "which nothing is trained against" if short in kind.unseen else kind.seen
    card = models.Card(
        method="machine",
        paper=_RESNET if name == "classifier-resnet" else str(NETWORKS[name].__doc__).partition("\n")[0],
        licence="MIT",
        sha256={},
        bytes=0,
        payload=f"none: an observer, {role}",
        **folder.provenance(run),
        reported={},
        measured={"top1": round(right, 4), "top1_low": round(low, 4), "top1_high": round(high, 4)},
        limits=kind.limits,
        text=kind.text,
    )
    return {"classifier": Graph(halved, {"image": _photograph()}, _FREE, kind.outputs)}, card


def _photograph() -> Tensor:
    """Two squares of a sample, ``(2, 3, 96, 96)``: an axis that is free must be at least 2 long."""
    pixels = media.read(samples.path("coffee")).pixels[100:196, 100:292]
    return torch.from_numpy(pixels.reshape(96, 2, 96, 3)).permute(1, 3, 0, 2).float() / 255


def with_accuracy(name: str, run: Path, data: Path) -> tuple[dict[str, Graph], models.Card]:
    """Return graphs and card of the classifier *name*, with its accuracy on the pictures in *data*.

    Args:
        name: a key of :data:`NETWORKS`.
        run: the run that trained it.
        data: labelled pictures; the split ``val``, of CIFAR-10 ``test``, is what accuracy is measured on.

    Raises:
        UsageError: no such pictures.
        ModelError: *run* has no checkpoint of this network.
    """
    return classifier(name, run, Cifar.of(data, "test") if name.startswith("cifar-") else Labelled.of(data, "val"))


#: The models of this paper: each takes a run and labelled pictures and returns graphs and card.
MODELS = {name: partial(with_accuracy, name) for name in NETWORKS}
