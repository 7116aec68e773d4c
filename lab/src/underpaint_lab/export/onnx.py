"""From the lab to the zoo: networks become ONNX graphs that compute the same, and a card says where they come from."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from underpaint import media, models
from underpaint.errors import ModelError, UsageError
from underpaint.media import samples, write_bytes
from underpaint.models import Session, read_model
from underpaint_lab import zoo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from onnx import ModelProto
    from torch import Tensor, nn

    from underpaint.models import Card

#: Largest difference between PyTorch and ONNX Runtime, in units of the largest output, or of 1 where that is less.
PARITY = 1e-4
#: Largest share of whole numbers that may be others: what is halfway is rounded up here, down there.
_ROUNDED_OTHERWISE = 1e-3
#: The oldest that PyTorch's exporter writes: any ONNX Runtime that underpaint takes can read it.
_OPSET = 18


#: Free axes of pictures ``(N, C, H, W)``.
SIDES = {0: "n", 2: "height", 3: "width"}


class Graph(NamedTuple):
    """A network to be exported."""

    #: Takes its inputs in the order of :attr:`inputs` and returns a tensor, or a tuple of them.
    module: nn.Module
    #: Real inputs by name, ``float32``; an axis that is free must be at least 2 long in them.
    inputs: Mapping[str, Tensor]
    #: Names of the axes that are free, by input and position: ``{"image": {0: "n", 2: "h", 3: "w"}}``.
    axes: Mapping[str, Mapping[int, str]]
    outputs: Sequence[str] = ("output",)
    #: Those of them that are whole numbers, rounded by the network.
    whole: Sequence[str] = ()


def zoo_folder(name: str) -> Path:
    """Return the folder of the model *name*: where it is installed, or the lab's zoo for a new one."""
    return models.folder(name) if name in models.names() else zoo() / name


def two_photographs() -> Tensor:
    """Return a piece of a sample and its mirror image, ``float32 (2, 3, 64, 96)`` in [0, 1]: inputs for an export."""
    photograph = torch.from_numpy(media.read(samples.path("coffee")).pixels[None, :64, :96]).permute(0, 3, 1, 2) / 255
    return torch.cat([photograph, photograph.flip(3)])


def export(graphs: Mapping[str, Graph], folder: Path, card: Card) -> float:
    """Write *graphs* and their card to *folder*, as :func:`underpaint.models.read_model` reads them.

    Each graph is first run beside its network: on the inputs given, on their values drawn at random, and on as random
    ones that are twice as long along every free axis.

    Args:
        graphs: by the name that the file gets, without ``.onnx``.
        folder: of the model, made if it is missing.
        card: all but ``sha256`` and ``bytes``, which follow from the graphs.

    Returns:
        The largest difference found, in the units of :data:`PARITY`.

    Raises:
        ModelError: a graph does not compute what its network does; nothing was written.
        UsageError: *folder* holds other graphs, or an input is not ``float32``.
    """
    surplus = {file.name for file in folder.glob("*.onnx")} - {f"{name}.onnx" for name in graphs}
    if surplus:
        raise UsageError(f"{folder} holds other graphs: {', '.join(sorted(surplus))}", hint="delete them first")
    files = {f"{name}.onnx": to_onnx(graph) for name, graph in graphs.items()}
    worst = max(difference(graph, files[f"{name}.onnx"], name) for name, graph in graphs.items())
    digests = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
    card = replace(card, sha256=digests, bytes=sum(map(len, files.values())), text=card.text.strip())
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        write_bytes(data, folder / file)
    write_bytes(card_text(card).encode(), folder / "card.md")
    if read_model(folder).card != card:
        raise ModelError(f"the card in {folder} does not read as it was written")
    return worst


def to_onnx(graph: Graph) -> bytes:
    """Return the bytes of an ONNX file that holds the network in evaluation, and nothing of the machine it is made on.

    Raises:
        UsageError: an input is not ``float32``.
    """
    for name, tensor in graph.inputs.items():
        if tensor.dtype != torch.float32:
            raise UsageError(f"input {name} must be float32, not {tensor.dtype}")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # torchvision, which nothing here needs, is not installed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's about itself, and axes of one name
        program = torch.onnx.export(
            graph.module.eval(),
            tuple(graph.inputs.values()),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_shapes=tuple(dict(graph.axes.get(name, {})) for name in graph.inputs),
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ModelError("PyTorch made no graph")
    model = program.model_proto
    _forget_the_machine(model)
    return bytes(model.SerializeToString(deterministic=True))


def difference(graph: Graph, data: bytes, name: str = "it") -> float:
    """Return how far the ONNX file *data* is from its network at most, in the units of :data:`PARITY`.

    Raises:
        ModelError: that is more than :data:`PARITY`, or ONNX Runtime cannot run it.
    """
    session, generator, worst = Session(data), torch.Generator().manual_seed(0), 0.0
    for case in ("real", "random", "large"):
        inputs = dict(graph.inputs)
        if case != "real":
            for key, tensor in graph.inputs.items():
                free = graph.axes.get(key, {}) if case == "large" else {}
                shape = [length * 2 if axis in free else length for axis, length in enumerate(tensor.shape)]
                # Values of the real input, shuffled: of its range, and whole numbers where those are what it takes.
                inputs[key] = tensor.flatten()[torch.randint(tensor.numel(), shape, generator=generator)]
        with torch.inference_mode():
            made = graph.module.eval()(*inputs.values())
        outputs = session.run({key: tensor.numpy() for key, tensor in inputs.items()})
        for key, expected in zip(graph.outputs, (made,) if isinstance(made, torch.Tensor) else made, strict=True):
            found = torch.from_numpy(outputs[key])
            if found.shape != expected.shape:
                raise ModelError(
                    f"{name} makes {key} of {tuple(found.shape)} where PyTorch makes {tuple(expected.shape)}"
                )
            if key in graph.whole:
                others = float((found != expected).float().mean())
                if others > _ROUNDED_OTHERWISE:
                    raise ModelError(f"{name}: {others:.1%} of {key} of {case} inputs are not PyTorch's")
                continue
            apart = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
            if not apart <= PARITY:
                raise ModelError(f"{name}: {key} of {case} inputs is {apart:.1e} from PyTorch's, more than {PARITY:g}")
            worst = max(worst, apart)
    return worst


def card_text(card: Card) -> str:
    """Return the text of ``card.md``."""
    values = asdict(card)
    text = values.pop("text")
    tables = {key: values.pop(key) for key, value in list(values.items()) if isinstance(value, dict)}
    lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{_toml(key)} = {_toml(value)}" for key, value in table.items())]
    return "\n".join(["+++", *lines, "+++", "", text, ""])


def _toml(value: Any) -> str:
    """Return *value* as TOML, whose strings and numbers are JSON's."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _forget_the_machine(model: ModelProto) -> None:
    """Delete what the exporter notes for those who debug it: lines of code, with the paths of their files."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        item.ClearField("doc_string")
        item.ClearField("metadata_props")
    del graph.value_info[:]
