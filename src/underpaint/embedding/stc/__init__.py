"""Syndrome-trellis codes: bits carried by the cheapest changes, wherever the sender finds them cheap.

Filler, Judas and Fridrich, *Minimizing additive distortion in steganography using syndrome-trellis codes*, IEEE TIFS
6(3), 2011. The receiver knows neither what a change costs nor where changes are: the message is a syndrome of the
values' low bits in keyed order.

::

    values ─► parts of at most 262,144, each a keyed sample of the whole, in keyed order      layers
    part   ─► layers: one low bit of every value each, the highest first                      layers
    layer  ─► segments of some 512 bits of message: independent trellises, searched abreast   binary
"""

from underpaint.embedding.stc.binary import code, syndrome
from underpaint.embedding.stc.multilayer import bound, embed, extract, squares

__all__ = ["bound", "code", "embed", "extract", "squares", "syndrome"]
