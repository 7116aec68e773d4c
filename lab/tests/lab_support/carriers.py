"""Bit carriers whose bit error rates and PSNRs are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from underpaint.coding.keys import Key
    from underpaint.types import Bits, Image, SoftBits


class LowBits:
    """A bit carrier without errors in an unchanged container, with half of the bits wrong behind any codec."""

    def embed_bits(self, cover: Image, bits: Bits, key: Key, *, psnr: float) -> Image:
        container = cover.copy()
        container[0, : len(bits), 0] = container[0, : len(bits), 0] & 0xFE | bits
        container[1] ^= 1
        return container

    def extract_bits(self, container: Image, count: int, key: Key, *, psnr: float) -> SoftBits:
        return np.asarray(container[0, :count, 0] & 1, np.float32) - np.float32(0.5)


class Noise:
    """A bit carrier of noise, whose PSNR is off by *bias* dB and more at high PSNRs. Every bit is read as 0."""

    def __init__(self, bias: float, slope: float = 1.1) -> None:
        self.bias, self.slope = bias, slope

    def embed_bits(self, cover: Image, bits: Bits, key: Key, *, psnr: float) -> Image:
        wanted = 40 + self.bias + self.slope * (psnr - 40)
        noise = np.random.default_rng(0).standard_normal(cover.shape) * 255 * 10 ** (-wanted / 20)
        return np.clip(np.rint(cover + noise), 0, 255).astype(np.uint8)

    def extract_bits(self, container: Image, count: int, key: Key, *, psnr: float) -> SoftBits:
        return np.full(count, -1, np.float32)
