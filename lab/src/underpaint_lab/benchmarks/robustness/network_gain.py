"""Table ``robust-networks``: bit error rates of ``robust`` without trained networks, with either one, and with both.

::

    held-out photographs ─► crops ─► plain │ writer │ reader │ both; unrefined or refined ─► channels ─► wrong bits

``underpaint-lab evaluate network-gain --data PHOTOGRAPHS`` writes ``results/robust-networks``. Every variant embeds the
same bits by the same keys in the same crops at the same mean PSNR, so that crops can be compared one by one.
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
from underpaint.embedding.refinement import refine
from underpaint.errors import UnderpaintError
from underpaint.methods.robust import HARSH, bit_layout
from underpaint.methods.watermarking import BitLayout
from underpaint.metrics import psnr, ssim
from underpaint_lab.benchmarks.core.result_file import RESULTS, ResultFile
from underpaint_lab.benchmarks.robustness.crops import BITS, CROP, BitErrors, CropBits, sendable
from underpaint_lab.benchmarks.robustness.equal_psnr import TOLERANCE
from underpaint_lab.benchmarks.robustness.grids import NETWORK_CHANNELS
from underpaint_lab.benchmarks.robustness.rows import NETWORKS, BerChange, ChannelRow, Quality
from underpaint_lab.benchmarks.robustness.table import networks_table
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.data.pictures import crops
from underpaint_lab.papers.robust import network_canvas
from underpaint_lab.papers.robust.network_canvas import NetworkCanvas, Networks
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.types import Channel, Image

#: Mean PSNR in dB of the containers of every variant, and the number of corrections of the requested PSNR.
PSNR, ROUNDS = 40.0, 10
#: Seed of crops, bits, keys and the channels' randomness.
SEED = 0
#: Crops that are measured.
CROPS = 150


@dataclass(frozen=True)
class Variant:
    """The bit carrier of ``robust`` with some *networks*, its containers refined for some *channels*."""

    networks: Networks
    channels: Sequence[Channel]

    def embed(self, cover: Image, secret: CropBits, nominal: float) -> Image:
        """Return a container with the bits of *secret*, of about *nominal* dB."""
        canvas, frequencies, spread, step = self._layout(secret, nominal)
        return refine(watermark.Embedding(canvas, cover, frequencies, [(spread, secret.bits)]), step, self.channels)

    def wrong(self, image: Image, secret: CropBits, nominal: float) -> int:
        """Return the number of wrong bits when *secret*, embedded at *nominal* dB, is extracted from *image*."""
        canvas, frequencies, spread, step = self._layout(secret, nominal)
        projections = spread.project(canvas.restore(image, frequencies))
        return int(((spread.blind_bits(projections, step) > 0) != secret.bits).sum())

    def _layout(self, secret: CropBits, nominal: float) -> BitLayout[NetworkCanvas]:
        """Return the method's coefficients and step for *secret*, on a canvas with the networks."""
        plain = bit_layout(secret.key, secret.count, nominal)
        canvas = NetworkCanvas(plain.domain.side, near=plain.domain.near, networks=self.networks)
        return BitLayout(canvas, plain.frequencies, plain.spread, plain.step)


_NETWORKS = {
    "plain": Networks(),
    "writer": Networks(writer=network_canvas.NETWORKS.writer),
    "reader": Networks(reader=network_canvas.NETWORKS.reader),
    "both": network_canvas.NETWORKS,
}
VARIANTS = {name: Variant(networks, ()) for name, networks in _NETWORKS.items()}
VARIANTS |= {f"{name}-refined": Variant(networks, HARSH) for name, networks in _NETWORKS.items()}


def measure(covers: Sequence[Image], source: Source, channels: Sequence[str]) -> list[ResultFile[ChannelRow]]:
    """Count wrong bits of all :data:`VARIANTS` in *covers* behind *channels*.

    Args:
        covers: crops of 128×128, ``uint8``.
        source: provenance to note; its seed is that of everything random.
        channels: channel chains.

    Raises:
        UnderpaintError: a variant cannot be brought to :data:`PSNR`.
    """
    secrets = [CropBits("robust", crop, BITS, source.seed) for crop in range(len(covers))]
    chains, skipped = sendable(channels)
    found: list[ResultFile[ChannelRow]] = []
    for name, variant in VARIANTS.items():
        containers, quality = _at_mean_psnr(variant, covers, secrets)
        errors = np.zeros((len(covers), len(chains)), np.int64)
        for (crop, c), _ in np.ndenumerate(errors):
            # One stream per crop and chain, the same for all variants.
            rng = np.random.default_rng([source.seed, crop, crc32(chains[c].encode())])
            received = parse(chains[c])(containers[crop], rng)
            errors[crop, c] = variant.wrong(received, secrets[crop], quality.nominal or PSNR)
        changes: tuple[BerChange, ...] = ()
        if variant.networks == Networks():
            plain = errors
        else:
            changes = BerChange.of(errors - plain, BITS, chains, source.seed)
        rows = BitErrors(chains, errors, np.full(errors.shape, np.nan)).rows(PSNR, BITS)
        notes = {"quality": (quality,), "skipped": skipped, "changes": changes}
        found.append(ResultFile(NETWORKS, name, source, tuple(rows), notes))
    return found


def _at_mean_psnr(
    variant: Variant, covers: Sequence[Image], secrets: Sequence[CropBits]
) -> tuple[list[Image], Quality]:
    """Return containers whose mean PSNR is :data:`PSNR`: each round corrects the requested PSNR by the last error."""
    nominal = PSNR
    for _ in range(ROUNDS):
        containers = [variant.embed(cover, secret, nominal) for cover, secret in zip(covers, secrets, strict=True)]
        figures = np.array([(psnr(i, x), ssim(i, x)) for i, x in zip(covers, containers, strict=True)])
        quality = Quality.of(PSNR, BITS, figures, nominal)
        if abs(quality.psnr_mean - PSNR) <= TOLERANCE:
            return containers, quality
        nominal = round(nominal + PSNR - quality.psnr_mean, 3)
    raise UnderpaintError(f"a mean PSNR of {PSNR:g} dB was not reached, the last is {quality.psnr_mean:.2f} dB")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the networks add to robust, write the results, and show them."""
    parser = argparse.ArgumentParser(prog="underpaint-lab evaluate network-gain", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="photographs: a folder or a zip file")
    parser.add_argument("--crops", type=int, default=CROPS, help="largest number of crops of held-out photographs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    options = parser.parse_args(arguments)
    photographs = Photographs.open(options.data, split="held-out")
    squares = [square for picture in photographs.pictures for square in crops(picture, CROP)]
    chosen = np.random.default_rng(SEED).permutation(len(squares))[: options.crops]
    command = f"{parser.prog} --data {options.data.name} --crops {options.crops}"
    source = Source.here(command, SEED, f"{photographs.name}, held out", len(photographs), photographs.sha256)
    found = measure([squares[index] for index in chosen], source, NETWORK_CHANNELS)
    for result in found:
        print(f"wrote {result.write(options.results)}")
    for line in networks_table(found).cells:
        print(" | ".join(line))
