"""Loading of the zoo's classifiers as PyTorch networks, with the weights of their ONNX graphs."""

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
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor

    from underpaint_lab.nets.classifiers import Classifier

Network = TypeVar("Network", bound=nn.Module)

#: Names of an operator's weights in PyTorch, in the order of its inputs.
_WEIGHT_NAMES = {
    "Conv": ("weight", "bias"),
    "Gemm": ("weight", "bias"),
    "BatchNormalization": ("weight", "bias", "running_mean", "running_var"),
}
#: Layers with weights, by operator.
_LAYERS = {"Conv": nn.Conv2d, "Gemm": nn.Linear, "BatchNormalization": nn.BatchNorm2d}


def from_zoo(name: str) -> Classifier:
    """Load a classifier of the zoo in evaluation mode.

    Args:
        name: a key of :data:`~underpaint_lab.nets.classifiers.CLASSIFIERS`.

    Raises:
        ModelError: the zoo has no such classifier, or its graph does not match the network.
    """
    return _load("classifier", name, CLASSIFIERS)


def from_zoo_cifar(name: str) -> cifar_classifiers.CamClassifier:
    """Load a CIFAR-10 classifier of the zoo in evaluation mode.

    Args:
        name: a key of :data:`~underpaint_lab.nets.cifar_classifiers.NETWORKS`.

    Raises:
        ModelError: the zoo has no such classifier, or its graph does not match the network.
    """
    return _load("cifar", name, cifar_classifiers.NETWORKS)


def _load(kind: str, name: str, builders: Mapping[str, Callable[[int], Network]]) -> Network:
    """Build the network *name* with the weights of its graph.

    Operators are matched with layers in the order of execution: the exporter renames some of the tensors and stores
    equal ones once, so their names in the graph do not suffice. Kinds and shapes must be equal, and no layer may be
    left over. Where it folded a normalisation into the convolution before it, the convolution gets the folded weights
    and the normalisation only adds the bias.
    """
    models.load(f"{kind}-{name}")  # refuses a graph whose hash is not that of its card
    graph = onnx.load(models.folder(f"{kind}-{name}") / "classifier.onnx").graph
    stored = {each.name: torch.from_numpy(numpy_helper.to_array(each).astype(np.float32)) for each in graph.initializer}
    stored |= {node.output[0]: stored[node.input[0]] for node in graph.node if node.op_type == "Cast"}
    linear = [node for node in graph.node if node.op_type == "Gemm"][-1]
    network = builders[name](len(stored[linear.input[-1]])).eval()
    layers = iter(_in_order(network))
    try:
        for node in graph.node:
            if node.op_type in _WEIGHT_NAMES:
                weights = [stored[each] for each in node.input[1:]]
                layer = _next(layers, _LAYERS[node.op_type])
                layer.load_state_dict(dict(zip(_WEIGHT_NAMES[node.op_type], weights, strict=False)), strict=False)
                if node.op_type == "Conv" and len(weights) == 2 and layer.bias is None:
                    _only_add(_next(layers, nn.BatchNorm2d), weights[1])
        if next(layers, None) is not None:
            raise ValueError
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"the graph of {kind}-{name} is of another network") from error
    return network


def _next(layers: Iterator[nn.Module], kind: type[nn.Module]) -> nn.Module:
    """Return the next of *layers*. Raises ValueError: there is none, or it is of another *kind*."""
    layer = next(layers, None)
    if not isinstance(layer, kind):
        raise ValueError
    return layer


def _only_add(layer: nn.Module, bias: Tensor) -> None:
    """Set a newly built batch normalisation to add *bias* and do nothing else."""
    unit_variance = torch.full_like(bias, 1 - cast("float", layer.eps))
    layer.load_state_dict({"bias": bias, "running_var": unit_variance}, strict=False)


def _in_order(network: nn.Module) -> list[nn.Module]:
    """Return the layers of *network* that have weights, in the order of execution."""
    ran: list[nn.Module] = []
    hooks = [
        layer.register_forward_hook(lambda layer, *_: ran.append(layer))
        for layer in network.modules()
        if isinstance(layer, tuple(_LAYERS.values()))
    ]
    with torch.inference_mode():
        network(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    return ran
