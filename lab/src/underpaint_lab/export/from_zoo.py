"""Back from the zoo to the lab: a shipped classifier, as a network of PyTorch with the weights of its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from underpaint import models
from underpaint.errors import ModelError
from underpaint_lab.nets import cifar_classifiers
from underpaint_lab.nets.classifiers import CLASSIFIERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from underpaint_lab.nets.classifiers import Classifier

Network = TypeVar("Network", bound=nn.Module)

#: What has weights, by the operator that it becomes, and what they are called.
_NAMES = {
    "Conv": ("weight", "bias"),
    "Gemm": ("weight", "bias"),
    "BatchNormalization": ("weight", "bias", "running_mean", "running_var"),
}
_LAYERS = nn.Conv2d, nn.BatchNorm2d, nn.Linear


def from_zoo(name: str) -> Classifier:
    """Return the classifier *name* of the zoo, set to evaluate.

    Raises:
        ModelError: the zoo has no such classifier, or its graph is of another network.
    """
    return _filled("classifier", name, CLASSIFIERS)


def from_zoo_cifar(name: str) -> cifar_classifiers.Mapped:
    """Return the zoo's classifier *name* of CIFAR-10, set to evaluate.

    Raises:
        ModelError: the zoo has no such classifier, or its graph is of another network.
    """
    return _filled("cifar", name, cifar_classifiers.NETWORKS)


def _filled(kind: str, name: str, builders: Mapping[str, Callable[[int], Network]]) -> Network:
    """Build the network *name* with the weights of its graph.

    Layers and operators are matched in the order in which they run. A normalisation that the export took into the
    convolution before it is left with nothing to do but add.
    """
    models.load(f"{kind}-{name}")  # refuses a graph whose bytes are not those of its card
    graph = onnx.load(models.folder(f"{kind}-{name}") / "classifier.onnx").graph
    stored = {each.name: torch.from_numpy(numpy_helper.to_array(each).astype(np.float32)) for each in graph.initializer}
    stored |= {node.output[0]: stored[node.input[0]] for node in graph.node if node.op_type == "Cast"}
    linear = [node for node in graph.node if node.op_type == "Gemm"][-1]
    network = builders[name](len(stored[linear.input[-1]])).eval()
    layers = iter(_in_order(network))
    try:
        for node in graph.node:
            if node.op_type in _NAMES:
                weights = [stored[each] for each in node.input[1:]]
                layer = next(layers)
                layer.load_state_dict(dict(zip(_NAMES[node.op_type], weights, strict=False)), strict=False)
                if node.op_type == "Conv" and len(weights) == 2 and layer.bias is None:
                    _only_add(next(layers), weights[1])
    except (StopIteration, RuntimeError) as error:
        raise ModelError(f"the graph of {kind}-{name} is of another network") from error
    return network


def _only_add(layer: nn.Module, bias: Tensor) -> None:
    """Make a normalisation in its first state add *bias*, and do nothing else."""
    no_spread = torch.full_like(bias, 1 - cast("float", layer.eps))
    layer.load_state_dict({"bias": bias, "running_var": no_spread}, strict=False)


def _in_order(network: nn.Module) -> list[nn.Module]:
    """The layers of *network* that have weights, as they run."""
    ran: list[nn.Module] = []
    hooks = [
        layer.register_forward_hook(lambda layer, *_: ran.append(layer))
        for layer in network.modules()
        if isinstance(layer, _LAYERS)
    ]
    with torch.inference_mode():
        network(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    return ran
