"""The model zoo: one folder per model, with its graphs (``*.onnx``) and its card (``card.md``).

A card is TOML between two ``+++`` lines, then free text. It documents origin, training, measured performance and the
SHA-256 of each graph; a graph with another digest is not run. ONNX files cannot execute code, unlike pickles.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from underpaint.errors import ModelError
from underpaint.models.session import INSTALL_HINT, Session, onnxruntime_installed

__all__ = [
    "INSTALL_HINT",
    "ZOO",
    "Card",
    "Model",
    "Session",
    "card",
    "folder",
    "load",
    "names",
    "onnxruntime_installed",
    "read_card",
    "read_model",
]

#: The folder of the models that come with the runtime.
ZOO = Path(__file__).parent / "zoo"
_FENCE = "+++\n"


@dataclass(frozen=True)
class Card:
    """The card of a model. Every field but ``text`` is a key of the card's TOML, and all are required."""

    #: Name of the method in ``underpaint.methods`` that uses the model, or its purpose.
    method: str
    #: Citation, or "none".
    paper: str
    licence: str
    #: SHA-256 in hexadecimal of each graph, by file name.
    sha256: dict[str, str]
    #: Size of all graphs together.
    bytes: int
    #: The payload that it hides, or "none" with the model's task.
    payload: str
    training_data: str
    #: Name of the training recipe, and the settings that differ from it.
    recipe: str
    #: Git commit of the training code.
    commit: str
    seed: int
    #: Hours of training, on ``device``.
    hours: float
    device: str
    #: Numbers that the paper reports, by name.
    reported: dict[str, float]
    #: Numbers measured here, by name.
    measured: dict[str, float]
    #: Uses that the model is not fit for.
    limits: str
    #: The free text below the TOML.
    text: str


@dataclass(frozen=True, eq=False)
class Model:
    """A model ready to run."""

    name: str
    card: Card
    #: A session for each graph, by file name without ``.onnx``.
    graphs: dict[str, Session]


def names() -> list[str]:
    """Return the names of all installed models: those of the runtime, and those of other packages' zoos.

    Raises:
        ModelError: a zoo cannot be imported.
    """
    return sorted(path.parent.name for zoo in _zoos() for path in zoo.glob("*/card.md"))


def folder(name: str) -> Path:
    """Return the folder of the model *name*.

    Raises:
        ModelError: no such model is installed, or a zoo cannot be imported.
    """
    own = ZOO / name  # tried first, since looking for other packages' zoos takes a while
    if own.parent == ZOO and (own / "card.md").is_file():
        return own
    if name not in names():
        raise ModelError(f"no model is called {name}", hint=f"the zoo has {', '.join(names())}")
    return next(zoo / name for zoo in _zoos() if (zoo / name / "card.md").is_file())


def card(name: str) -> Card:
    """Return the card of the model *name*.

    Raises:
        ModelError: there is no such model, or its card is broken.
    """
    return read_card(folder(name))


@cache
def load(name: str, *, threads: int | None = None) -> Model:
    """Load the model *name*, check its digests, and cache it.

    Args:
        name: one of :func:`names`.
        threads: as for :class:`Session`.

    Returns:
        The same object for the same arguments.

    Raises:
        ModelError: there is no such model, or :func:`read_model` refuses it.
    """
    return read_model(folder(name), threads=threads)


def read_card(folder: Path) -> Card:
    """Read ``card.md`` in *folder*.

    Raises:
        ModelError: it is missing, or its keys and types are not those of :class:`Card`.
    """
    try:
        text = (folder / "card.md").read_text(encoding="utf-8")
        before, front, after = text.split(_FENCE, 2)
        values = tomllib.loads(front) | {"text": after.strip()}
    except (OSError, ValueError) as error:  # a broken fence, UTF-8 or TOML are all ValueErrors
        raise _broken(folder, "it cannot be read") from error
    if before:
        raise _broken(folder, "it does not begin with +++")
    types = get_type_hints(Card)
    if values.keys() != types.keys():
        raise _broken(folder, f"missing or unknown keys: {', '.join(sorted(values.keys() ^ types.keys()))}")
    for key, value in values.items():
        if not _has_type(value, types[key]):
            expected = types[key]
            raise _broken(folder, f"{key} must be {expected.__name__ if isinstance(expected, type) else expected}")
    return Card(**values)


def read_model(folder: Path, *, threads: int | None = None) -> Model:
    """Read the model in *folder* and check the digests of its graphs against its card.

    Args:
        folder: holds ``card.md`` and the graphs.
        threads: as for :class:`Session`.

    Raises:
        ModelError: the card is broken; a graph is missing, not on the card, altered, or cannot run.
    """
    card = read_card(folder)
    files = {path.name: path.read_bytes() for path in folder.glob("*.onnx")}
    if files.keys() != card.sha256.keys():
        raise ModelError(f"model {folder.name}: its graphs are not those of its card", hint="reinstall underpaint")
    if sum(map(len, files.values())) != card.bytes:
        raise ModelError(f"model {folder.name}: its size is not that of its card", hint="reinstall underpaint")
    for file, graph in files.items():
        if hashlib.sha256(graph).hexdigest() != card.sha256[file]:
            raise ModelError(f"model {folder.name}: {file} has been altered", hint="reinstall underpaint")
    graphs = {file.removesuffix(".onnx"): Session(graph, threads=threads) for file, graph in sorted(files.items())}
    return Model(folder.name, card, graphs)


@cache
def _zoos() -> tuple[Path, ...]:
    """Return the runtime's zoo and those of other packages, from their entry points ``underpaint.zoo``."""
    return (ZOO, *map(_zoo, entry_points(group="underpaint.zoo")))


def _zoo(entry: EntryPoint) -> Path:
    """Return the folder that an entry point names."""
    try:
        found: Path = entry.load()()
    except Exception as error:  # the package is not ours: its import may fail in any way
        reason = f"the zoo '{entry.name} = {entry.value}' cannot be imported: {error}"
        raise ModelError(reason, hint="reinstall or uninstall the package that has this entry point") from error
    return found


def _broken(folder: Path, reason: str) -> ModelError:
    return ModelError(f"model {folder.name}: its card is broken: {reason}", hint="reinstall underpaint")


def _has_type(value: Any, expected: Any) -> bool:
    """Return whether *value* has the type of a card's field; a whole number may stand for a float."""
    if get_origin(expected) is dict:
        return isinstance(value, dict) and all(_has_type(item, get_args(expected)[1]) for item in value.values())
    return isinstance(value, (int, float) if expected is float else expected) and not isinstance(value, bool)
