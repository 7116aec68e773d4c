"""Release of classifiers: ONNX graph and model card from a run, with the accuracy on held-out pictures.

A run need not be finished: the card states the number of steps.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from underpaint_lab.data.cifar import Cifar
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.export.half_precision import HalfPrecision
from underpaint_lab.export.onnx import SIDES, Graph, ReleaseWithData, new_card, sample_squares
from underpaint_lab.metrics.intervals import wilson
from underpaint_lab.nets import cifar_classifiers, classifiers
from underpaint_lab.papers.classifiers.models import NETWORKS, accuracy
from underpaint_lab.training import run_folder as folder

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint_lab.export.onnx import Built
    from underpaint_lab.nets.classifiers import Classifier


_CLASSIFIER = """
`classifier.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], of any size of at least 32×32. It returns
`features`, the maps half-way through the network at an eighth or a quarter of the size; `logits` of 50 classes of
Tiny-ImageNet; and `cam`, the class activation map of the most likely class, `(N, 1, H, W)` from 0 to 1. Its larger
tensors are stored in 16 bits; the accuracy was measured with them.
"""
_CIFAR = """
`classifier.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], of any size of at least 32×32. It returns `logits`
of the ten classes of CIFAR-10, and `cam`, the class activation map of the most likely class, `(N, 1, H, W)` from 0 to
1. Its larger tensors are stored in 16 bits; the accuracy was measured with them, on all 10,000 pictures of the test
set, not mirrored.
"""
#: Papers that cards cite, by architecture.
_PAPERS = {
    "alexnet": "After A. Krizhevsky, I. Sutskever and G. Hinton, "
    '"ImageNet Classification with Deep CNNs" (NeurIPS 2012).',
    "densenet": 'After G. Huang et al., "Densely Connected Convolutional Networks" (CVPR 2017).',
    "mixer": 'After A. Trockman and J. Z. Kolter, "Patches Are All You Need?" (TMLR 2023).',
    "mobile": 'After M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018).',
    "plain": "After D.-A. Clevert et al., "
    '"Fast and Accurate Deep Network Learning by Exponential Linear Units" (ICLR 2016).',
    "resnet": 'After K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016).',
    "vgg": 'After K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks" (ICLR 2015), with normalisation.',
}
#: The same for classifiers that differ from the paper.
_OWN_PAPERS = {
    "classifier-resnet": (
        "K. He, X. Zhang, S. Ren and J. Sun, Deep Residual Learning for Image Recognition (CVPR 2016), half as wide."
    )
}


class WithFeaturesAndCam(nn.Module):
    """A classifier that returns features and class activation maps beside its logits."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features, logits and activation maps of *images*.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1].

        Returns:
            Features ``(B, maps, h, w)``, logits ``(B, classes)``, activation maps ``(B, 1, H, W)`` in [0, 1].
        """
        features = self.classifier.features(images)
        maps, linear = self.classifier.maps(features), self.classifier.classify
        logits: Tensor = linear(maps.mean(dim=(2, 3)))
        return features, logits, cifar_classifiers.activation_map(maps, logits, linear.weight, images.shape[2:])


class _Kind(NamedTuple):
    """Properties that all classifiers of one data set share."""

    outputs: tuple[str, ...]
    #: Names of the classifiers that nothing is trained against.
    held_out: tuple[str, ...]
    #: Use of the others, for the card.
    use: str
    limits: str
    text: str


_KINDS = {
    "classifier": _Kind(
        outputs=("features", "logits", "cam"),
        held_out=classifiers.HELD_OUT,
        use="for training attention",
        limits="trained on 64×64; it measures how a change affects classifiers, not what a photograph shows",
        text=_CLASSIFIER,
    ),
    "cifar": _Kind(
        outputs=("logits", "cam"),
        held_out=cifar_classifiers.HELD_OUT,
        use="for training the just noticeable difference",
        limits="trained on half of CIFAR-10, 32×32, in minutes on a processor; it has ten classes of small pictures",
        text=_CIFAR,
    ),
}


def classifier(name: str, run: Path, pictures: Labelled) -> Built:
    """Export a classifier and measure its accuracy.

    Args:
        name: a key of :data:`~underpaint_lab.papers.classifiers.models.NETWORKS`.
        run: folder of the run that trained it.
        pictures: labelled pictures for the accuracy.

    Returns:
        Graphs by file name, and the card with ``top1`` and its 95 % confidence interval.

    Raises:
        ModelError: *run* has no checkpoint of this network.
    """
    network = NETWORKS[name](int(folder.read_record(run)["recipe"]["classes"]))
    folder.load_weights(network, folder.learned(run, "network"), run)
    if isinstance(network, cifar_classifiers.CamClassifier):
        with_cam: nn.Module = cifar_classifiers.WithCam(network)
    else:
        with_cam = WithFeaturesAndCam(network)
    stored = HalfPrecision(with_cam.eval())
    right = accuracy(network, pictures)  # of the rounded weights: HalfPrecision rounded them in place
    low, high = wilson(round(right * len(pictures)), len(pictures))
    prefix, _, short = name.partition("-")
    kind = _KINDS[prefix]
    role = "for evaluation only" if short in kind.held_out else kind.use
    card = new_card(
        folder.provenance(run),
        method="machine",
        paper=_OWN_PAPERS.get(name, _PAPERS[short]),
        payload=f"none: a classifier {role}",
        measured={"top1": round(right, 4), "top1_low": round(low, 4), "top1_high": round(high, 4)},
        limits=kind.limits,
        text=kind.text,
    )
    return {"classifier": Graph(stored, {"image": sample_squares() / 255}, {"image": SIDES}, kind.outputs)}, card


def with_accuracy(name: str, run: Path, data: Path) -> Built:
    """Export a classifier, with its accuracy on the test data in *data*.

    Args:
        name: a key of :data:`~underpaint_lab.papers.classifiers.models.NETWORKS`.
        run: folder of the run that trained it.
        data: labelled pictures; their split ``val``, or ``test`` of CIFAR-10, is used.

    Raises:
        UsageError: no such pictures.
        ModelError: *run* has no checkpoint of this network.
    """
    return classifier(name, run, Cifar.of(data, "test") if name.startswith("cifar-") else Labelled.of(data, "val"))


#: Classifiers, by their name in the zoo.
MODELS = {name: ReleaseWithData(partial(with_accuracy, name)) for name in NETWORKS}
