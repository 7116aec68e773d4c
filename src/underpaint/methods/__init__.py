"""The methods that hide payloads in images: one module per method, one entry per method in :data:`METHODS`.

* Watermarking (:mod:`~underpaint.methods.watermarking`): ``stdm`` and ``robust`` embed a short message that survives a
  channel. Both are a :class:`~underpaint.methods.base.BitCarrier` too.
* Lossless containers (:mod:`~underpaint.methods.lossless`): ``lsb``, ``basn`` and ``basn-stc`` embed large files in
  pictures that must not change afterwards.
* Image hiding: ``pixinpix``, an :class:`~underpaint.methods.base.ImageCarrier`, embeds a picture in a picture.
* ``robust-picture`` embeds the file of a small picture so that it survives recompression.
* ``miais`` embeds a face template, which comes back approximately.

:mod:`~underpaint.methods.video_message` and :mod:`~underpaint.methods.video_picture` embed in the frames of videos.
"""

from __future__ import annotations

from underpaint.methods.base import BitCarrier, Detectable, ImageCarrier, Method, PredictablePSNR, Searching
from underpaint.methods.basn import BASN
from underpaint.methods.basn_stc import BASNSTC
from underpaint.methods.lsb import LSB
from underpaint.methods.miais import MIAIS
from underpaint.methods.pixinpix import PixInPix
from underpaint.methods.robust import Robust
from underpaint.methods.robust_picture import RobustPicture
from underpaint.methods.stdm import STDM

__all__ = [
    "EXACT",
    "FOUND_BY_NETWORK",
    "FOUND_TURNED",
    "METHODS",
    "BitCarrier",
    "Detectable",
    "ImageCarrier",
    "Method",
    "PredictablePSNR",
    "Searching",
]

#: All methods for pictures, by name.
METHODS: dict[str, Method] = {
    method.name: method for method in (STDM(), Robust(), RobustPicture(), BASN(), BASNSTC(), LSB(), PixInPix(), MIAIS())
}
#: Methods that run a network to find out whether a picture holds a payload; the others look for a header or pilots.
FOUND_BY_NETWORK = frozenset({MIAIS.name})
#: Methods that search for a picture that was turned or mirrored; for the others the picture is turned back.
FOUND_TURNED = frozenset(name for name, method in METHODS.items() if isinstance(method, Searching))
#: The methods that hide any bytes and reveal exactly these.
EXACT: dict[str, Method] = {
    name: method for name, method in METHODS.items() if not isinstance(method, ImageCarrier | MIAIS)
}
