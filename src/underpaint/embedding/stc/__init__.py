"""Syndrome-trellis codes (STC): embed a message by nearly the cheapest changes of a cover, for any costs.

The receiver knows neither the costs nor the changed places: the message is a syndrome of the values' low bits in keyed
order.

::

    values ─► parts of at most 262,144, each a keyed sample of the whole, in keyed order       multilayer
    part   ─► layers: one bit plane each, the highest first                                    multilayer
    layer  ─► segments of some 512 message bits: independent trellises, searched in parallel   binary, viterbi

Source: Filler, Judas and Fridrich, "Minimizing additive distortion in steganography using syndrome-trellis codes",
IEEE Trans. Inf. Forensics Security 6(3), 2011.
"""

from underpaint.embedding.stc.binary import code, syndrome
from underpaint.embedding.stc.multilayer import bound, embed, extract, squares

__all__ = ["bound", "code", "embed", "extract", "squares", "syndrome"]
