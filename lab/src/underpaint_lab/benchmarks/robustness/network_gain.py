"""What the two networks of ``robust`` add: bits hidden with neither, with one and with both of them.

::

    photographs held out ─► crops ─► plain │ writer │ reader │ both, as laid or refined ─► channels ─► wrong bits

``python -m underpaint_lab.benchmarks.robustness.network_gain --data PHOTOGRAPHS`` writes ``results/robust-networks``. Every variant hides the same
bits by the same keys in the same crops at the same mean PSNR, so that each can be compared with plain crop by crop.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from underpaint.channels import parse
from underpaint.embedding import watermark
from underpaint.embedding.canvas import Canvas
from underpaint.errors import UnderpaintError
from underpaint.methods.robust import HARSH, bare, refined
from underpaint.metrics import psnr, ssim
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.robustness.crops import BITS, CROP, Counted, Secret, sendable
from underpaint_lab.benchmarks.robustness.equal_psnr import TOLERANCE
from underpaint_lab.benchmarks.robustness.rows import NETWORKS, Change, Gain, Quality
from underpaint_lab.benchmarks.robustness.table import side_by_side
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.data.pictures import crops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.embedding.lapped import Array
    from underpaint.types import Channel, Image

#: What the containers are sent through.
CHANNELS = (
    *("none", "jpeg:25", "jpeg:10", "webp:25", "webp:10", "jpeg2000:10", "jpeg2000:20", "avif:30", "h264:30"),
    *("xvid:10", "contrast:0.9", "brightness:1.1", "noise:0.04", "resize:0.5"),
)
#: Mean PSNR in dB of the containers of every variant, and how often a miss is corrected.
PSNR, _ROUNDS = 40.0, 10
#: Of crops, bits, keys and the channels' randomness.
SEED = 0


@dataclass(frozen=True)
class Served(Canvas):
    """A canvas where only some of the networks have their say. What the others return is 0, as before training."""

    networks: tuple[str, ...] = ()

    def seen(self, graph: str, luma: Array, coefficients: Array) -> Array:
        """What a network makes of *luma*, if it is one of these."""
        return super().seen(graph, luma, coefficients) if graph in self.networks else np.zeros_like(coefficients)


@dataclass(frozen=True)
class Variant:
    """The bit carrier of ``robust``, served by some *networks*, its containers refined for some *channels*."""

    networks: tuple[str, ...]
    channels: Sequence[Channel]

    def embed(self, cover: Image, secret: Secret, nominal: float) -> Image:
        """Return a container with the bits of *secret*, of about *nominal* dB."""
        canvas, frequencies, spread, step = bare(secret.key, secret.count, nominal)
        served = Served(canvas.side, near=canvas.near, networks=self.networks)
        return refined(watermark.Embedding(served, cover, frequencies, [(spread, secret.bits)]), step, self.channels)

    def wrong(self, image: Image, secret: Secret, nominal: float) -> int:
        """Return how many bits of *secret*, embedded at *nominal* dB, are read wrong."""
        canvas, frequencies, spread, step = bare(secret.key, secret.count, nominal)
        served = Served(canvas.side, near=canvas.near, networks=self.networks)
        projections = spread.project(served.restore(image, frequencies))
        return int(((spread.blind_bits(projections, step) > 0) != secret.bits).sum())


_NETWORKS = {"plain": (), "writer": ("writer",), "reader": ("reader",), "both": ("writer", "reader")}
VARIANTS = {name: Variant(networks, ()) for name, networks in _NETWORKS.items()}
VARIANTS |= {f"{name}-refined": Variant(networks, HARSH) for name, networks in _NETWORKS.items()}


def measure(covers: Sequence[Image], source: Source, channels: Sequence[str]) -> list[Gain]:
    """Count wrong bits of all :data:`VARIANTS` in *covers* behind *channels*; what is random follows from the seed.

    Raises:
        UnderpaintError: a variant cannot be brought to :data:`PSNR`.
    """
    secrets = [Secret("robust", crop, BITS, source.seed) for crop in range(len(covers))]
    chains, skipped = sendable(channels)
    found: list[Gain] = []
    for name, variant in VARIANTS.items():
        containers, quality = _met(variant, covers, secrets)
        errors = np.zeros((len(covers), len(chains)), np.int64)
        for (crop, c), _ in np.ndenumerate(errors):
            # Of its own for each crop and chain, and the same for all variants.
            rng = np.random.default_rng([source.seed, crop, crc32(chains[c].encode())])
            arrived = parse(chains[c])(containers[crop], rng)
            errors[crop, c] = variant.wrong(arrived, secrets[crop], quality.nominal or PSNR)
        if not variant.networks:
            plain = errors
        changes = Change.of(errors - plain, BITS, chains, source.seed) if variant.networks else ()
        rows = Counted(chains, errors, np.full(errors.shape, np.nan)).rows(PSNR, BITS)
        found.append(Gain(NETWORKS, name, source, (quality,), tuple(rows), skipped, changes))
    return found


def _met(variant: Variant, covers: Sequence[Image], secrets: Sequence[Secret]) -> tuple[list[Image], Quality]:
    """Containers whose mean PSNR is :data:`PSNR`, by asking for what was missing before."""
    nominal = PSNR
    for _ in range(_ROUNDS):
        containers = [variant.embed(cover, secret, nominal) for cover, secret in zip(covers, secrets, strict=True)]
        figures = np.array([(psnr(i, x), ssim(i, x)) for i, x in zip(covers, containers, strict=True)])
        quality = Quality.of(PSNR, BITS, figures, nominal)
        if abs(quality.psnr_mean - PSNR) <= TOLERANCE:
            return containers, quality
        nominal = round(nominal + PSNR - quality.psnr_mean, 3)
    raise UnderpaintError(f"a mean PSNR of {PSNR:g} dB is not met, the latest is {quality.psnr_mean:.2f} dB")


def main() -> None:
    """Measure what the networks add to robust, write the results, and show them."""
    parser = argparse.ArgumentParser(
        prog="python -m underpaint_lab.benchmarks.robustness.network_gain", description=main.__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="photographs: a folder or a zip file")
    parser.add_argument("--crops", type=int, default=150, help="at most, of photographs held out from training")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder to write to")
    options = parser.parse_args()
    photographs = Photographs.open(options.data, split="held-out")
    squares = [square for picture in photographs.pictures for square in crops(picture, CROP)]
    chosen = np.random.default_rng(SEED).permutation(len(squares))[: options.crops]
    command = f"{parser.prog} --data {options.data.name} --crops {options.crops}"
    source = Source.here(command, SEED, f"{photographs.name}, held out", len(photographs), photographs.sha256)
    found = measure([squares[index] for index in chosen], source, CHANNELS)
    for result in found:
        print(f"wrote {result.write(options.results)}")
    for line in side_by_side(found).cells:
        print(" | ".join(line))


if __name__ == "__main__":
    main()
