"""Export of networks to the zoo: ONNX graphs that compute the same as PyTorch, and a model card."""

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
from underpaint.models import Card, Session, read_model
from underpaint_lab import zoo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from onnx import ModelProto
    from torch import Tensor, nn

    #: Graphs by file name, and the card.
    Built = tuple[dict[str, "Graph"], Card]

#: Largest difference allowed between PyTorch and ONNX Runtime, relative to the largest output, or to 1 if that is less.
PARITY = 1e-4
#: Share of whole numbers that may differ: PyTorch and ONNX Runtime may round values half-way between two differently.
_MAX_DIFFERENT_INTEGERS = 1e-3
#: The oldest opset that PyTorch's exporter writes; every ONNX Runtime that underpaint accepts can read it.
_OPSET = 18


#: Free axes of pictures ``(N, C, H, W)``.
SIDES = {0: "n", 2: "height", 3: "width"}


class Graph(NamedTuple):
    """A network to be exported."""

    #: Takes its inputs in the order of :attr:`inputs` and returns a tensor, or a tuple of tensors.
    module: nn.Module
    #: Example inputs by name, ``float32``; a free axis must be at least 2 long in them.
    inputs: Mapping[str, Tensor]
    #: Names of the free axes, by input and position: ``{"image": {0: "n", 2: "h", 3: "w"}}``.
    axes: Mapping[str, Mapping[int, str]]
    outputs: Sequence[str] = ("output",)
    #: Outputs that the network rounds to whole numbers.
    whole: Sequence[str] = ()


class Release(NamedTuple):
    """A model that is released from a finished run."""

    #: Builds graphs and card from the run's folder, and measured numbers for the card by name.
    build: Callable[[Path, dict[str, float]], Built]


class ReleaseWithData(NamedTuple):
    """A model that is released from a finished run and a second path; its numbers are measured at release."""

    #: Builds graphs and card from the run's folder, and another run or labelled pictures to measure the accuracy on.
    build: Callable[[Path, Path], Built]


def zoo_folder(name: str) -> Path:
    """Return the folder of the model *name*: its installed folder, or a new one in the lab's zoo."""
    return models.folder(name) if name in models.names() else zoo() / name


def new_card(
    history: Mapping[str, Any],
    *,
    method: str,
    paper: str,
    payload: str,
    limits: str,
    text: str,
    reported: dict[str, float] | None = None,
    measured: dict[str, float] | None = None,
) -> Card:
    """Return the card of a new model; :func:`export` fills in the hashes and the size of its graphs.

    Args:
        history: fields on the training, as :func:`underpaint_lab.training.run_folder.provenance` returns them.
        method: method that the model belongs to.
        paper: source of the network.
        payload: what it hides, in words.
        limits: what it cannot do, in words.
        text: description below the fields.
        reported: numbers of the paper by name; none by default.
        measured: our numbers by name; none by default.
    """
    return Card(
        method=method,
        paper=paper,
        licence="MIT",
        sha256={},
        bytes=0,
        payload=payload,
        **history,
        reported=reported or {},
        measured=measured or {},
        limits=limits,
        text=text,
    )


def sample_crop(height: int, width: int) -> Tensor:
    """Return the upper left corner of a sample photograph, ``uint8 (1, 3, height, width)``."""
    return torch.from_numpy(media.read(samples.path("coffee")).pixels[None, :height, :width]).permute(0, 3, 1, 2)


def sample_batch() -> Tensor:
    """Return a crop of a sample photograph and its mirror image, ``float32 (2, 3, 64, 96)`` in [0, 1]."""
    crop = sample_crop(64, 96) / 255
    return torch.cat([crop, crop.flip(3)])


def sample_squares() -> Tensor:
    """Return two adjacent squares of a sample photograph, ``float32 (2, 3, 96, 96)`` in levels 0…255."""
    pixels = media.read(samples.path("coffee")).pixels[100:196, 100:292]
    return torch.from_numpy(pixels.reshape(96, 2, 96, 3)).permute(1, 3, 0, 2).float()


def export(graphs: Mapping[str, Graph], folder: Path, card: Card) -> float:
    """Write *graphs* and their card to *folder*, as :func:`underpaint.models.read_model` reads them.

    Each graph is first compared with its network, on the inputs given, on random inputs, and on random inputs twice as
    long along every free axis.

    Args:
        graphs: by file name without ``.onnx``.
        folder: the model's folder; made if it is missing.
        card: the card; ``sha256`` and ``bytes`` are filled in from the graphs.

    Returns:
        The largest difference found, in the units of :data:`PARITY`.

    Raises:
        ModelError: a graph does not compute the same as its network; nothing was written.
        UsageError: *folder* holds other graphs, or an input is not ``float32``.
    """
    surplus = {file.name for file in folder.glob("*.onnx")} - {f"{name}.onnx" for name in graphs}
    if surplus:
        raise UsageError(f"{folder} holds other graphs: {', '.join(sorted(surplus))}", hint="delete them first")
    files = {f"{name}.onnx": to_onnx(graph) for name, graph in graphs.items()}
    worst = max(largest_difference(graph, files[f"{name}.onnx"], name) for name, graph in graphs.items())
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
    """Return the network in evaluation mode as an ONNX file, without paths or names of this machine.

    Raises:
        UsageError: an input is not ``float32``.
        ModelError: PyTorch makes no graph of it.
    """
    for name, tensor in graph.inputs.items():
        if tensor.dtype != torch.float32:
            raise UsageError(f"input {name} must be float32, not {tensor.dtype}")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is missing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations, and equal axis names
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


def largest_difference(graph: Graph, data: bytes, name: str = "it") -> float:
    """Compare an ONNX file with the network it was made from, in ONNX Runtime and PyTorch.

    Args:
        graph: the network, with example inputs.
        data: the bytes of the ONNX file.
        name: for error messages.

    Returns:
        The largest difference of any output, in the units of :data:`PARITY`.

    Raises:
        ModelError: the difference is above :data:`PARITY`, or ONNX Runtime cannot run the graph.
    """
    session, generator, worst = Session(data), torch.Generator().manual_seed(0), 0.0
    for case in ("real", "random", "large"):
        inputs = _inputs_of(graph, case, generator)
        with torch.inference_mode():
            made = graph.module.eval()(*inputs.values())
        outputs = session.run({key: tensor.numpy() for key, tensor in inputs.items()})
        for key, expected in zip(graph.outputs, (made,) if isinstance(made, torch.Tensor) else made, strict=True):
            found, label = torch.from_numpy(outputs[key]), f"{name}: {key} of {case} inputs"
            worst = max(worst, _difference(found, expected, label, whole=key in graph.whole))
    return worst


def _inputs_of(graph: Graph, case: str, generator: torch.Generator) -> dict[str, Tensor]:
    """Return the inputs of *graph* as given, or random ones, of the same shape or twice as long along free axes."""
    inputs = dict(graph.inputs)
    if case == "real":
        return inputs
    for key, tensor in graph.inputs.items():
        free = graph.axes.get(key, {}) if case == "large" else {}
        shape = [length * 2 if axis in free else length for axis, length in enumerate(tensor.shape)]
        # Values of the real input in random order: they have its range, and are whole numbers where it has those.
        inputs[key] = tensor.flatten()[torch.randint(tensor.numel(), shape, generator=generator)]
    return inputs


def _difference(found: Tensor, expected: Tensor, label: str, *, whole: bool) -> float:
    """Return the difference of an output from PyTorch's. Raises ModelError: it is too large."""
    if found.shape != expected.shape:
        raise ModelError(f"{label} has shape {tuple(found.shape)}, PyTorch's {tuple(expected.shape)}")
    if whole:
        others = float((found != expected).float().mean())
        if others > _MAX_DIFFERENT_INTEGERS:
            raise ModelError(f"{label}: {others:.1%} of the values are not PyTorch's")
        return 0.0
    apart = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
    if not apart <= PARITY:
        raise ModelError(f"{label} is {apart:.1e} from PyTorch's, more than {PARITY:g}")
    return apart


def card_text(card: Card) -> str:
    """Return *card* as the text of ``card.md``: TOML between two lines ``+++``, then its description."""
    values = asdict(card)
    text = values.pop("text")
    tables = {key: values.pop(key) for key, value in list(values.items()) if isinstance(value, dict)}
    lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{_toml(key)} = {_toml(value)}" for key, value in table.items())]
    return "\n".join(["+++", *lines, "+++", "", text, ""])


def _toml(value: Any) -> str:
    """Return *value* as TOML, which shares the syntax of strings and numbers with JSON."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _forget_the_machine(model: ModelProto) -> None:
    """Delete the debugging notes of the exporter: lines of code, with the paths of their files."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        item.ClearField("doc_string")
        item.ClearField("metadata_props")
    del graph.value_info[:]
