"""One shape for every measurement, on disk as JSON: what was run on what, by what, and the numbers."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Self

from underpaint.errors import UsageError
from underpaint.metrics import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

#: Libraries whose version can change a number.
LIBRARIES = ("numpy", "pillow", "onnxruntime", "cryptography", "av")
#: Codecs inside Pillow, by its names for them.
CODECS = ("libjpeg_turbo", "jpg_2000", "webp", "avif", "zlib")


@dataclass(frozen=True)
class Source:
    """Where numbers come from: enough to get the same ones again."""

    command: str
    #: The commit of the code, with a plus sign if the code was altered after it.
    commit: str
    seed: int
    #: Name of the folder of pictures, how many there are, SHA-256 over their names and bytes.
    data: str
    pictures: int
    sha256: str
    versions: dict[str, str]
    device: str

    @classmethod
    def of(cls, table: str, method: str, images: Path | None, pictures: Sequence[Path], seed: int) -> Source:
        """Look at this machine, this checkout and these *pictures*; a folder is named, not located."""
        folder = pictures[0].parent.name
        chosen = f" --images {folder}" if images else ""
        command = f"underpaint bench {table} {method}{chosen} --seed {seed}"
        digest = hashlib.sha256()
        for picture in pictures:
            digest.update(picture.name.encode() + b"\0" + hashlib.sha256(picture.read_bytes()).digest())
        device = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
        return cls(command, _commit(), seed, folder, len(pictures), digest.hexdigest(), _versions(), device)


@dataclass(frozen=True)
class Quality:
    """How far containers of one kind lie from their covers, after rounding to 8 bits."""

    #: Asked for, in dB; what one row's ``psnr`` refers to.
    psnr: float
    payload_bits: int
    containers: int
    #: Measured.
    psnr_mean: float
    psnr_min: float
    ssim_mean: float

    @classmethod
    def of(cls, psnr: float, payload_bits: int, measured: NDArray[np.float64]) -> Quality:
        """Summarise PSNR and SSIM of each container, ``(containers, 2)``, to six decimals, as they are stored."""
        numbers = measured[:, 0].mean(), measured[:, 0].min(), measured[:, 1].mean()
        return cls(psnr, payload_bits, len(measured), *(round(float(number), 6) for number in numbers))


@dataclass(frozen=True)
class Row:
    """What came out of one channel."""

    channel: str
    #: Asked for, in dB.
    psnr: float
    payload_bits: int
    #: Containers sent, those among them refused by hide, those read without a wrong bit, those read as something else.
    sent: int
    exact: int
    refused: int = 0
    false: int = 0
    #: Wrong bits, where bits were counted one by one.
    errors: int | None = None

    @property
    def bits(self) -> int:
        """Bits sent in all."""
        return self.sent * self.payload_bits

    @property
    def exact_interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the share of exact containers."""
        return wilson(self.exact, self.sent)

    @property
    def ber(self) -> float | None:
        """Bit error rate."""
        return None if self.errors is None else self.errors / self.bits

    @property
    def ber_interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval of the bit error rate, as if bits of one crop were independent."""
        return None if self.errors is None else wilson(self.errors, self.bits)

    def numbers(self) -> dict[str, Any]:
        """Every field that has a value, and what follows from them."""
        derived = {name: getattr(self, name) for name in ("exact_interval", "ber", "ber_interval")}
        return {name: value for name, value in (asdict(self) | derived).items() if value is not None}


@dataclass(frozen=True)
class Skip:
    """A channel that was not measured, and why."""

    channel: str
    reason: str


@dataclass(frozen=True)
class Timing:
    """What one command took."""

    what: str
    #: Of the picture, and of the payload; 0 where there is none.
    pixels: int
    payload_bytes: int
    #: Seconds of each run.
    runs: tuple[float, ...]
    #: The most memory that a run held, in units of a million bytes.
    peak_mb: float

    @property
    def seconds(self) -> float:
        """The median of the runs."""
        return median(self.runs)

    def numbers(self) -> dict[str, Any]:
        """Every field, and what follows from them."""
        return asdict(self) | {"seconds": self.seconds}


@dataclass(frozen=True)
class Measured(ABC):
    """One table of one method: what every result file says, whatever was measured."""

    table: str
    method: str
    source: Source

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
        parts = [f"{json.dumps(key)}: {json.dumps(value, indent=1)}" for key, value in head.items()]
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
            source = Source(**document["source"])
            return cls(table=document["table"], method=document["method"], source=source, **cls.fields(document))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{file.name} is no result file: {error}", hint="make bench writes it") from error


@dataclass(frozen=True)
class Result(Measured):
    """What was counted behind channels."""

    quality: tuple[Quality, ...]
    rows: tuple[Row, ...]
    skipped: tuple[Skip, ...] = ()

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return qualities, rows with what follows from their counts, and skipped channels."""
        return {
            "quality": [asdict(quality) for quality in self.quality],
            "rows": [row.numbers() for row in self.rows],
            "skipped": [asdict(skip) for skip in self.skipped],
        }

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the counts, leave what follows from them."""
        return {
            "quality": tuple(Quality(**quality) for quality in lists["quality"]),
            "rows": tuple(Row(**_given(row, Row)) for row in lists["rows"]),
            "skipped": tuple(Skip(**skip) for skip in lists["skipped"]),
        }


@dataclass(frozen=True)
class Speed(Measured):
    """What processes took."""

    rows: tuple[Timing, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows, each with its median."""
        return {"rows": [row.numbers() for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the runs, leave their median."""
        return {"rows": tuple(Timing(**_given(row, Timing) | {"runs": tuple(row["runs"])}) for row in lists["rows"])}


def read(file: Path) -> Result | Speed:
    """Read a result file; the folder it lies in is its table, and says of which kind it is.

    Raises:
        UsageError: the file is missing or has another shape.
    """
    return Speed.read(file) if file.parent.name == "speed" else Result.read(file)


def _given(row: dict[str, Any], kind: type[Row | Timing]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key in kind.__dataclass_fields__}


def _line(row: dict[str, Any]) -> str:
    def short(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 6)
        return [short(part) for part in value] if isinstance(value, tuple) else value

    return json.dumps({key: short(value) for key, value in row.items()})


def _versions() -> dict[str, str]:
    from PIL import features

    found = {"underpaint": version("underpaint"), "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found | {codec: str(features.version(codec)) for codec in CODECS}


def _commit() -> str:
    def git(*words: str) -> str:
        here = Path(__file__).parent
        done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True)  # noqa: S603, S607
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", "..") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
