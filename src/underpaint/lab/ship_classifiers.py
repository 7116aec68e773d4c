"""What judges, and what is judged beside ours, goes to the zoo: classifiers, and the attention of BASN as published.

``python -m underpaint.lab.ship_classifiers classifier-resnet runs/classifier-resnet LABELLED`` writes
``src/underpaint/zoo/classifier-resnet``; ``… cifar-resnet runs/cifar-resnet CIFAR`` writes ``zoo/cifar-resnet``;
``… basn-published runs/basn-tune-itc runs/basn-mfd`` writes ``zoo/basn-published``. A run need not be finished: its
card says how far it went.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from underpaint import image, samples, zoo
from underpaint.errors import UsageError
from underpaint.lab import run as folder
from underpaint.lab.cifar import Cifar
from underpaint.lab.export import Graph, export
from underpaint.lab.labelled import Labelled
from underpaint.lab.nets import cifar, classifiers
from underpaint.lab.nets.basn import ItcNet, MfdNet
from underpaint.lab.papers.classifier import NETWORKS, accuracy
from underpaint.metrics import wilson

if TYPE_CHECKING:
    from underpaint.lab.nets.classifiers import Classifier

#: Name of the attention as published.
PUBLISHED = "basn-published"
_FREE = {"image": {0: "n", 2: "height", 3: "width"}}
#: Tensors of so many weights are worth storing in 16 bits.
_LARGE = 4096

_CLASSIFIER = """
`classifier.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], of any size of at least 32×32, and returns
`features`, the maps half-way, at an eighth of the size or a quarter, `logits`, the log-odds of 50 classes of
Tiny-ImageNet, and `cam`, the class activation map of the most likely one, `(N, 1, H, W)` from 0 to 1. Its larger
tensors are stored in 16 bits; accuracy was measured with them.
"""
_ATTENTION = """
`itc.onnx` and `mfd.onnx` take pictures, `float32 (N, 3, H, W)` in [0, 1], and return the two attentions, of the same
shape in (0, 1), as the paper's networks do: in floating point, and of all bits of a picture. So whoever reveals comes
to other attentions than whoever hides; `underpaint bench basn` counts what that costs. Of `mfd.onnx` a side is a
multiple of 8. Their larger tensors are stored in 16 bits.
"""
_RESNET = "K. He, X. Zhang, S. Ren and J. Sun, Deep Residual Learning for Image Recognition (CVPR 2016), half as wide."
_CIFAR = """
`classifier.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], of any size of at least 32×32, and returns
`logits`, the log-odds of the ten classes of CIFAR-10, and `cam`, the class activation map of the most likely one,
`(N, 1, H, W)` from 0 to 1. Its larger tensors are stored in 16 bits; accuracy was measured with them, on all 10,000
pictures of the test set as they are, not mirrored.
"""


class Halved(nn.Module):
    """A network whose larger weights are stored in 16 bits, and computed with in 32.

    Args:
        network: whose weights it takes over, rounded.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._stored: dict[str, str] = {}
        for name, weight in network.named_parameters():
            if weight.numel() >= _LARGE:
                self._stored[name] = name.replace(".", "_")
                self.register_buffer(self._stored[name], weight.detach().half())
                weight.data = weight.detach().half().float()

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the network makes of *images*."""
        weights = {name: getattr(self, stored).float() for name, stored in self._stored.items()}
        made: Tensor | tuple[Tensor, ...] = functional_call(self.network, weights, (images,))
        return made


class Observed(nn.Module):
    """A classifier that says what it went by: features, log-odds, and where it looks."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``(B, maps, h, w)``, ``(B, classes)`` and ``(B, 1, H, W)`` of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        features = self.classifier.features(images)
        maps, linear = self.classifier.maps(features), self.classifier.classify
        odds: Tensor = linear(maps.mean(dim=(2, 3)))
        return features, odds, cifar.activation(maps, odds, linear.weight, images.shape[2:])


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
        unseen=classifiers.UNSEEN,
        seen="which attention is trained against",
        limits="trained on 64×64; it tells how machines see a change, not what is in a photograph",
        text=_CLASSIFIER,
    ),
    "cifar": _Kind(
        outputs=("logits", "cam"),
        unseen=cifar.UNSEEN,
        seen="whose just noticeable difference is asked",
        limits="trained on half of CIFAR-10, 32×32, in minutes on a processor; it knows ten classes of small pictures",
        text=_CIFAR,
    ),
}


def classifier(name: str, run: Path, pictures: Labelled) -> tuple[dict[str, Graph], zoo.Card]:
    """The classifier *name*, trained in *run*, and how often it is right about *pictures*.

    Raises:
        ModelError: *run* has no checkpoint of it.
    """
    network = NETWORKS[name](int(folder.read_record(run)["recipe"]["classes"]))
    folder.load_weights(network, folder.learned(run, "network"), run)
    shown = cifar.Attentive(network) if isinstance(network, cifar.Mapped) else Observed(network)
    halved = Halved(shown.eval())
    right = accuracy(network, pictures)  # of the rounded weights, which are the network's own by now
    low, high = wilson(round(right * len(pictures)), len(pictures))
    prefix, _, short = name.partition("-")
    kind = _KINDS[prefix]
    role = "which nothing is trained against" if short in kind.unseen else kind.seen
    card = zoo.Card(
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


def published(itc_run: Path, mfd_run: Path) -> tuple[dict[str, Graph], zoo.Card]:
    """Both attentions as published, each from a run that trained it.

    Raises:
        ModelError: a run has no checkpoint of its network.
    """
    recipe = folder.read_record(mfd_run)["recipe"]
    networks = {"itc": (ItcNet(), itc_run), "mfd": (MfdNet(recipe["width"], recipe["version"]), mfd_run)}
    for part, (network, run) in networks.items():
        folder.load_weights(network, folder.learned(run, part), run)
    first, history = folder.provenance(itc_run), folder.provenance(mfd_run)
    history |= {"recipe": f"{first['recipe']}; {history['recipe']}", "hours": first["hours"] + history["hours"]}
    card = zoo.Card(
        method="basn-published",
        paper="Yang, BASN: Learning Steganography with Binary Attention Mechanism, arXiv:1907.04362",
        licence="MIT",
        sha256={},
        bytes=0,
        payload="what attention yields: 0.4 to 3.9 bits per pixel in the paper",
        **history,
        reported={"bser_min_lsm_1": 0.0106, "bser_mean_lsm_1": 0.0222},
        measured={},
        limits="trained at a reduced scale; to be measured, not to hide with: messages do not come back exactly",
        text=_ATTENTION,
    )
    inputs = {"image": _photograph()}
    return {part: Graph(Halved(network.eval()), inputs, _FREE) for part, (network, _) in networks.items()}, card


def _photograph() -> Tensor:
    """Two squares of a sample, ``(2, 3, 96, 96)``: an axis that is free must be at least 2 long."""
    pixels = image.read(samples.path("coffee")).pixels[100:196, 100:292]
    return torch.from_numpy(pixels.reshape(96, 2, 96, 3)).permute(1, 3, 0, 2).float() / 255


def ship(name: str, run: Path, beside: Path, target: Path) -> float:
    """Export a *run* to the folder *target*, and return the largest difference between the two runtimes.

    Args:
        name: of a classifier, or :data:`PUBLISHED`.
        run: that trained it; of the published attention, the run of ITC.
        beside: labelled pictures, whose split ``val``, of CIFAR ``test``, judges a classifier; or the run of MFD.
        target: folder.

    Raises:
        UsageError: no such model or pictures.
        ModelError: *run* has no checkpoint of this network, or a graph does not compute what its network does.
    """
    if name == PUBLISHED:
        graphs, card = published(run, beside)
    elif name in NETWORKS:
        judged = Cifar.of(beside, "test") if name.startswith("cifar-") else Labelled.of(beside, "val")
        graphs, card = classifier(name, run, judged)
    else:
        raise UsageError(f"no model is called '{name}'", hint=f"there are {', '.join((*NETWORKS, PUBLISHED))}")
    return export(graphs, target, card)


def main() -> None:
    """Ship what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m underpaint.lab.ship_classifiers", description=__doc__)
    parser.add_argument("name", choices=(*NETWORKS, PUBLISHED))
    parser.add_argument("run", type=Path)
    parser.add_argument("beside", type=Path, help="labelled pictures to judge a classifier by, or the run of MFD")
    arguments = parser.parse_args()
    target = Path(zoo.__file__).parent / arguments.name
    worst = ship(arguments.name, arguments.run, arguments.beside, target)
    print(f"wrote {target.name}; ONNX Runtime is within {worst:.1e} of PyTorch")


if __name__ == "__main__":
    main()
