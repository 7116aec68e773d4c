"""AVIF files without their container boxes: 267 bytes less in a frame.

Files that libavif writes for a still picture with three channels of 8 bits have the same boxes. They differ only in the
picture's sides, in the four bytes of the AV1 configuration, and in the data. Other files are not stripped. The bytes of
the boxes are part of the frame format.
"""

from __future__ import annotations

import struct

#: Fixed bytes, in hexadecimal: before the data length, before the sides, before the AV1 configuration, before the
#: length of the data box, and the type of that box.
_FIXED_BYTES = (
    (
        "00000020667479706176696600000000617669666d6966316d6961664d413142000000eb6d65746100000000000000216864"
        "6c72000000000000000070696374000000000000000000000000000000000e7069746d0000000000010000001e696c6f6300"
        "0000004400000100010000000100000113"
    ),
    (
        "0000002869696e660000000000010000001a696e6665020000000001000061763031436f6c6f72000000006a697072700000"
        "004b6970636f000000146973706500000000"
    ),
    "000000107069786900000000030808080000000c61763143",
    "00000013636f6c726e636c780001000d0006800000001769706d61000000000000000100010401028304",
    "6d646174",
)
#: Bytes of a length field, and of a box's header.
_LENGTH, _BOX_HEADER = 4, 8
#: Head of the stripped form: width, height, AV1 configuration.
_HEAD = struct.Struct(">HH4s")


def strip_boxes(file: bytes) -> bytes | None:
    """Return *file* without its boxes; None if it is not an AVIF file of this kind."""
    data = file[_DATA_AT:]
    try:
        width, height = struct.unpack_from(">II", file, _SIDES_AT)
        stripped = _HEAD.pack(width, height, file[_CONFIGURATION_AT : _CONFIGURATION_AT + 4]) + data
    except struct.error:
        return None
    return stripped if restore_boxes(stripped) == file else None


def restore_boxes(stripped: bytes) -> bytes | None:
    """Return the AVIF file of which :func:`strip_boxes` returned *stripped*; None if that is too short."""
    if len(stripped) < _HEAD.size:
        return None
    width, height, configuration = _HEAD.unpack_from(stripped)
    data = stripped[_HEAD.size :]
    first, second, third, fourth, last = map(bytes.fromhex, _FIXED_BYTES)
    length, box = (size.to_bytes(_LENGTH) for size in (len(data), len(data) + _BOX_HEADER))
    sides = struct.pack(">II", width, height)
    return b"".join([first, length, second, sides, third, configuration, fourth, box, last, data])


#: Offsets in the file.
_PARTS = [len(part) // 2 for part in _FIXED_BYTES]
_SIDES_AT = _PARTS[0] + _LENGTH + _PARTS[1]
_CONFIGURATION_AT = _SIDES_AT + 8 + _PARTS[2]
_DATA_AT = _CONFIGURATION_AT + 4 + _PARTS[3] + _LENGTH + _PARTS[4]
