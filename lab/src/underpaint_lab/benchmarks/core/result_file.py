"""Result files: the JSON files below ``results/``, one table of one method each, in one shape for all tables.

A file holds the provenance, the rows, and lists of notes beside them, such as the containers' PSNR. A row is a frozen
dataclass. It is written as one JSON object: its fields, those of nested dataclasses under ``<field>_<name>``, and what
its method ``derived`` computes. Values that are None are left out. Reading takes the fields and ignores what is
derived.
"""

from __future__ import annotations

import json
import types
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from underpaint.errors import UsageError
from underpaint_lab.provenance import Citation, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Folder of result files in a checkout.
RESULTS = Path("results")
#: Method of the result file that holds what a paper published.
PAPER = "paper"
#: Notes that stand above the rows in a file; all others stand below.
_ABOVE_ROWS = ("training", "quality")
_DECIMALS = 6

Row_co = TypeVar("Row_co", covariant=True)


@dataclass(frozen=True)
class ResultFile(Generic[Row_co]):
    """One table of one method, or of one paper.

    A measurement has a :class:`Source`; a paper has a :class:`Citation`, and its method is :data:`PAPER`.
    """

    table: str
    method: str
    source: Source | Citation
    rows: tuple[Row_co, ...]
    notes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def write(self, results: Path) -> Path:
        """Write ``<table>/<method>.json`` below the folder *results* and return its path."""
        target = results / self.table / f"{self.method}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        head = {"table": self.table, "method": self.method, "source": asdict(self.source)}
        parts = [f"{json.dumps(key)}: {json.dumps(value, indent=1, ensure_ascii=False)}" for key, value in head.items()]
        above = {name: self.notes[name] for name in _ABOVE_ROWS if name in self.notes}
        lists = {**above, "rows": self.rows, **{name: each for name, each in self.notes.items() if name not in above}}
        # One line per row: a changed number is a changed line.
        parts += [f'"{key}": [\n' + ",\n".join(f" {_line(row)}" for row in rows) + "\n]" for key, rows in lists.items()]
        target.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
        return target


def read_result(file: Path, row: type[Row_co], notes: Mapping[str, type[Any]]) -> ResultFile[Row_co]:
    """Read a result file.

    Args:
        file: path of the JSON file; one that is called ``paper.json`` holds published numbers.
        row: dataclass of its rows.
        notes: dataclass of each list of notes, or dict, by name; a paper has none.

    Raises:
        UsageError: the file is missing or has another shape.
    """
    published = file.stem == PAPER
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return ResultFile(
            document["table"],
            document["method"],
            (Citation if published else Source)(**document["source"]),
            tuple(from_json(each, row) for each in document["rows"]),
            {}
            if published
            else {name: tuple(from_json(each, notes[name]) for each in document[name]) for name in notes},
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file.name} is no result file: {error}", hint="make bench writes it") from error


def to_json(row: Any) -> dict[str, Any]:
    """Return the JSON object of *row*, a dataclass or a dict: fields, nested fields, and what is derived from them."""
    if isinstance(row, dict):
        return row
    values = {each.name: getattr(row, each.name) for each in fields(row)}
    flat = {name: value for name, value in values.items() if not is_dataclass(value)}
    nested = {
        f"{outer}_{name}": each
        for outer, value in values.items()
        if is_dataclass(value) and not isinstance(value, type)
        for name, each in asdict(value).items()
    }
    derived = row.derived() if hasattr(row, "derived") else {}
    return {name: value for name, value in (flat | nested | derived).items() if value is not None}


def from_json(found: dict[str, Any], kind: type[Row_co]) -> Row_co:
    """Read back a row that :func:`to_json` wrote.

    Args:
        found: the JSON object.
        kind: dataclass of the row, or dict.


    Raises:
        TypeError, KeyError: *found* lacks a field.
    """
    if kind is dict:
        return found  # type: ignore[return-value]
    hints, values = get_type_hints(kind), {}
    for each in fields(kind):  # type: ignore[arg-type]
        if nested := _dataclass_in(hints[each.name]):
            prefix = f"{each.name}_"
            own = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
            values[each.name] = from_json(own, nested) if own else None
        elif each.name in found:
            value = found[each.name]
            values[each.name] = tuple(value) if isinstance(value, list) else value
        elif each.default is MISSING:
            raise KeyError(each.name)
    return kind(**values)


def _dataclass_in(hint: Any) -> type[Any] | None:
    """Return the dataclass that *hint* is, alone or in a union with None."""
    options = get_args(hint) if isinstance(hint, types.UnionType) or get_origin(hint) is not None else (hint,)
    return next((each for each in options if isinstance(each, type) and is_dataclass(each)), None)


def _line(row: Any) -> str:
    def short(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, _DECIMALS)
        return [short(part) for part in value] if isinstance(value, tuple) else value

    return json.dumps({key: short(value) for key, value in to_json(row).items()}, ensure_ascii=False)
