"""Roads that pictures take in practice, as cases of the tables ``messages-…``: one table per kind of road.

A table takes minutes, not hours, so that each can be measured on its own.
"""

from __future__ import annotations

from underpaint.channels import PRESETS, parse
from underpaint_lab.benchmarks.robustness.grids import Case

_SIDES = ("left", "right", "top", "bottom")


def _then_jpeg(*chains: str) -> tuple[str, ...]:
    return tuple(f"{chain} | jpeg:75" for chain in chains)


#: Cases by the end of their table's name, ``messages-borders``.
ROADS: dict[str, tuple[Case, ...]] = {
    "borders": (
        Case(
            8,
            44.0,
            _then_jpeg(
                *("pad:0.02", "pad:0.05", "pad:0.1", "pad:0.2"),
                *("pad:0.02,colour=white", "pad:0.1,colour=white", "pad:0.2,colour=white"),
                *("pad:0.02,colour=photo", "pad:0.1,colour=photo", "pad:0.2,colour=photo"),
                *("letterbox:16:9", "letterbox:1:1", "screenshot:0.85"),
            ),
        ),
    ),
    # Sides 1.5 and 2.5 times those of the picture.
    "windows": (Case(8, 44.0, _then_jpeg("screenshot:0.444", "screenshot:0.16", "pad:0.25,colour=photo", "pad:0.75")),),
    "orientations": (
        Case(
            8,
            44.0,
            _then_jpeg(
                *("flip", "flip:vertical", "rotate:180", "rotate:90,expand=yes", "rotate:-90,expand=yes"),
                *("flip | rotate:90,expand=yes", "flip | rotate:-90,expand=yes"),
            ),
        ),
    ),
    "distortions": (
        Case(
            8,
            44.0,
            _then_jpeg(
                *("rotate:0.5", "rotate:1", "rotate:3", "rotate:10", "rotate:-10,expand=yes"),
                *("shear:0.02", "perspective:0.02"),
            ),
        ),
    ),
    # A share of 0 cuts off one row or column.
    "cuts": (Case(8, 44.0, tuple(f"cut:{share},side={side}" for share in (0, 0.02, 0.05) for side in _SIDES)),),
    "crops": tuple(Case(8, 40.0, _then_jpeg(f"crop:{area}"), asked=True) for area in (0.7, 0.5, 0.3)),
    "photo": (Case(8, 44.0, (PRESETS["photo"].chain,)), Case(8, 40.0, (PRESETS["photo"].chain,))),
    "longer": (
        Case(64, 44.0, ("rescale:0.5 | jpeg:75",), window=512),
        Case(128, 44.0, ("jpeg:75", "jpeg:50")),
    ),
    "services": (
        Case(
            8,
            44.0,
            (
                *(str(parse(name)) for name in PRESETS if name != "photo"),
                *(" | ".join(["jpeg:70"] * 4), "icc", "jpeg:10"),
            ),
        ),
    ),
}
