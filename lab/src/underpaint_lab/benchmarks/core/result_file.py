"""One shape for every result file, on disk as JSON: where it comes from, and the numbers."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core.source import Citation, Source

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ResultFile(ABC):
    """One table of one method: what every result file says, whatever was measured."""

    #: What :attr:`source` is.
    origin: ClassVar[type[Source | Citation]] = Source

    table: str
    method: str
    source: Source | Citation

    @abstractmethod
    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the numbers, by name."""

    @staticmethod
    @abstractmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Return the fields that :meth:`lists` came from."""

    def write(self, results: Path) -> Path:
        """Write the JSON file below the folder *results* and return its path."""
        target = results / self.table / f"{self.method}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        head = {"table": self.table, "method": self.method, "source": asdict(self.source)}
        parts = [f"{json.dumps(key)}: {json.dumps(value, indent=1, ensure_ascii=False)}" for key, value in head.items()]
        lists = self.lists().items()
        # A row is a line: a changed number is a changed line.
        parts += [f'"{key}": [\n' + ",\n".join(f" {_line(row)}" for row in rows) + "\n]" for key, rows in lists]
        target.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
        return target

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read what :meth:`write` wrote.

        Raises:
            UsageError: the file is missing or has another shape.
        """
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            source = cls.origin(**document["source"])
            return cls(table=document["table"], method=document["method"], source=source, **cls.fields(document))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{file.name} is no result file: {error}", hint="make bench writes it") from error


def given(row: dict[str, Any], kind: type[Any]) -> dict[str, Any]:
    """Those items of *row* that are fields of the dataclass *kind*: counts, without what follows from them."""
    return {key: value for key, value in row.items() if key in kind.__dataclass_fields__}


def valued(fields: dict[str, Any]) -> dict[str, Any]:
    """Those items of *fields* that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def _line(row: dict[str, Any]) -> str:
    def short(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 6)
        return [short(part) for part in value] if isinstance(value, tuple) else value

    return json.dumps({key: short(value) for key, value in row.items()}, ensure_ascii=False)
