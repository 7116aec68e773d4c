"""Table ``trellis``: cost of syndrome-trellis codes above the rate–distortion bound, and their speed."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from underpaint import media
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.embedding import stc
from underpaint.errors import UsageError
from underpaint.methods import basn_stc
from underpaint.models.attention import attention
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.lossless.rows import TRELLIS, StcRow
from underpaint_lab.data.pictures import pictures_in
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: The method whose code is measured.
METHOD = basn_stc.BASNSTC.name
#: Layers of the code, by bits per value.
LAYERS = {0.1: 2, 0.4: 2, 1.0: 2, 2.0: 3}
#: Timed runs of each code, and values that it embeds in.
RUNS, VALUES = 3, 1 << 20


def stc_bounds(
    method: str, *, images: Path | None = None, seed: int = 0, jobs: int | None = None
) -> ResultFile[StcRow]:
    """Embed random bits in values of pictures by the code of *method*, with costs of each kind and at each rate.

    Args:
        method: :data:`METHOD`.
        images: folder of pictures that give values and attention; the samples by default.
        seed: seed of costs and bits.
        jobs: must be 1 or None: one embedding takes all cores.

    Raises:
        UsageError: another method, more than one process, or no pictures.
    """
    if method != METHOD:
        raise UsageError(f"the trellis is that of {METHOD}", hint=f"underpaint-lab bench {TRELLIS}")
    if jobs not in (None, 1):
        raise UsageError("speed is measured one process at a time", hint="leave out jobs")
    pictures = pictures_in(images)
    cover, attention_levels = _values(pictures)
    rng = np.random.default_rng(seed)
    key = Key(rng.bytes(KEY_SIZE))
    kinds = {
        "equal": np.ones(VALUES, np.float32),
        **{f"log-normal, σ = {sigma}": rng.lognormal(0, sigma, VALUES).astype(np.float32) for sigma in (1, 2)},
        f"{METHOD}, photographs": basn_stc.WEIGHTS[attention_levels],
    }
    rows = []
    for costs, weights in kinds.items():
        for rate, layers in LAYERS.items():
            bits = rng.integers(0, 2, int(rate * VALUES), np.uint8)
            runs = []
            for _ in range(RUNS):
                begin = perf_counter()
                stego, _ = stc.embed(cover, bits, weights, layers, key)
                runs.append(round(perf_counter() - begin, 3))
            paid = float(weights @ np.square(stego.astype(np.float64) - cover))
            bound = stc.bound(cover, weights, layers, bits.size)
            rows.append(StcRow(costs, rate, layers, VALUES, round(paid, 3), round(bound, 3), tuple(runs)))
    return ResultFile(TRELLIS, METHOD, Source.of_bench(TRELLIS, METHOD, images, pictures, seed), tuple(rows))


def _values(pictures: list[Path]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return :data:`VALUES` values, evenly spread over all *pictures*, and their attention."""
    read = [media.read(picture).pixels for picture in pictures]
    values = np.concatenate([pixels.reshape(-1) for pixels in read])
    attention_levels = np.concatenate([attention(pixels, whole=True).reshape(-1) for pixels in read])
    spots = np.arange(VALUES) * values.size // VALUES
    return values[spots], attention_levels[spots]
