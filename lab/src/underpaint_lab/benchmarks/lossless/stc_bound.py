"""How close the trellis comes to the cheapest code there can be, and how fast: for costs of several kinds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from underpaint import media
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.embedding import stc
from underpaint.errors import UsageError
from underpaint.methods import basn_stc
from underpaint.models.attention import attention
from underpaint_lab.benchmarks.core.result_file import ResultFile, given
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.data.pictures import pictures_in

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: The table, and the method that is measured.
TRELLIS, METHOD = "trellis", basn_stc.BASNSTC.name
#: Layers, by bits per value.
LAYERS = {0.1: 2, 0.4: 2, 1.0: 2, 2.0: 3}
#: How often each search is timed.
RUNS = 3
#: How many values each search goes through.
VALUES = 1 << 20


@dataclass(frozen=True)
class Searched:
    """A message in so many values."""

    #: What a change of 1 costs; larger ones cost that times their square.
    costs: str
    #: Bits per value.
    rate: float
    layers: int
    values: int
    #: What was paid, and the least expected of any code that carries as much: the rate–distortion bound.
    paid: float
    bound: float
    #: Seconds of each run, with all cores.
    runs: tuple[float, ...]

    @property
    def excess(self) -> float:
        """What was paid in excess of the bound, as a share of it."""
        return self.paid / self.bound - 1

    @property
    def speed(self) -> float:
        """Values per second, in the median of the runs."""
        return self.values / median(self.runs)

    def numbers(self) -> dict[str, Any]:
        """Every field, and what follows from them."""
        return asdict(self) | {"excess": self.excess, "speed": round(self.speed)}


@dataclass(frozen=True)
class Searches(ResultFile):
    """What was paid, and how long it took."""

    source: Source
    rows: tuple[Searched, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows, with what follows from them."""
        return {"rows": [row.numbers() for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take what was measured, leave what follows."""
        return {"rows": tuple(Searched(**given(row, Searched) | {"runs": tuple(row["runs"])}) for row in lists["rows"])}


def searches(method: str, *, images: Path | None = None, seed: int = 0, jobs: int | None = None) -> Searches:
    """Hide random bits in values of pictures, at costs of each kind and at each rate, by the trellis of *method*.

    Args:
        method: :data:`METHOD`.
        images: folder of pictures to take values from, and their attention; the samples by default.
        seed: of costs and bits.
        jobs: 1, whatever the number of cores: a search takes all of them.

    Raises:
        UsageError: another method, more than one process, or no pictures.
    """
    if method != METHOD:
        raise UsageError(f"the trellis is that of {METHOD}", hint=f"underpaint bench {TRELLIS}")
    if jobs not in (None, 1):
        raise UsageError("speed is measured one process at a time", hint="leave out jobs")
    pictures = pictures_in(images)
    shown, attended = _values(pictures)
    rng = np.random.default_rng(seed)
    key = Key(rng.bytes(KEY_SIZE))
    kinds = {
        "equal": np.ones(VALUES, np.float32),
        **{f"log-normal, σ = {sigma}": rng.lognormal(0, sigma, VALUES).astype(np.float32) for sigma in (1, 2)},
        f"{METHOD}, photographs": basn_stc.WEIGHTS[attended],
    }
    rows = []
    for costs, weights in kinds.items():
        for rate, layers in LAYERS.items():
            bits = rng.integers(0, 2, int(rate * VALUES), np.uint8)
            runs = []
            for _ in range(RUNS):
                begin = perf_counter()
                carrying, _ = stc.embed(shown, bits, weights, layers, key)
                runs.append(round(perf_counter() - begin, 3))
            paid = float(weights @ np.square(carrying.astype(np.float64) - shown))
            bound = stc.bound(shown, weights, layers, bits.size)
            rows.append(Searched(costs, rate, layers, VALUES, round(paid, 3), round(bound, 3), tuple(runs)))
    return Searches(TRELLIS, METHOD, Source.of(TRELLIS, METHOD, images, pictures, seed), tuple(rows))


def _values(pictures: list[Path]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Some values of all *pictures*, and their attention."""
    read = [media.read(picture).pixels for picture in pictures]
    values = np.concatenate([pixels.reshape(-1) for pixels in read])
    attended = np.concatenate([attention(pixels, whole=True).reshape(-1) for pixels in read])
    spots = np.arange(VALUES) * values.size // VALUES
    return values[spots], attended[spots]
