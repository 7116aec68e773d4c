"""Every list of channels that is measured, as one would write them after ``--survive``."""

from __future__ import annotations

from dataclasses import dataclass

#: PSNRs in dB at which bit error rates are measured.
PSNRS = (38.0, 40.0, 42.0)
#: Table ``channels``.
GRID = (
    *("none", "jpeg:90", "jpeg:75", "jpeg:50", "jpeg:25", "jpeg:10"),
    *("webp:75", "webp:50", "webp:25", "webp:10"),
    *("jpeg2000:10", "jpeg2000:20", "jpeg2000:40"),
    *("avif:60", "avif:50", "avif:30"),
    *("mpeg4:4", "mpeg4:10", "xvid:4", "xvid:10", "h264:23", "h264:30"),
    *("contrast:0.9", "brightness:0.9", "brightness:1.1", "gamma:0.9", "gamma:1.1"),
    *("noise:0.02", "noise:0.04", "blur:0.5", "blur:1", "quantise:5", "quantise:4"),
    *("resize:0.75", "resize:0.5", "rotate:0.5", "crop:0.9", "cropout:0.9", "dropout:0.3"),
    *("jpeg:75 | jpeg:75", "resize:0.75 | jpeg:75"),
)
#: Table ``robust-ablation``: rows of table 1 of Zhang et al., and the unchanged container.
ABLATION_CHANNELS = ("none", "jpeg:90", "jpeg:75", "jpeg:50", "jpeg:25", "jpeg:10")
#: Table ``robust-networks``.
NETWORK_CHANNELS = (
    *("none", "jpeg:25", "jpeg:10", "webp:25", "webp:10", "jpeg2000:10", "jpeg2000:20", "avif:30", "h264:30"),
    *("xvid:10", "contrast:0.9", "brightness:1.1", "noise:0.04", "resize:0.5"),
)
#: Table ``pictures``: channels before a picture is revealed by a method that survives them.
PICTURE_CHANNELS = ("none", "jpeg:75", "webp:75", "jpeg2000:4", "jpeg:50")


@dataclass(frozen=True)
class Grid:
    """The channels of one of the paper's tables on bit error rates at equal PSNR."""

    place: str  #: table of the paper
    chains: tuple[str, ...]
    plotted: tuple[str, ...]  #: chains that are plotted over PSNR, below and above :data:`PSNRS` as well


#: Tables 1–4 of Zhang et al. (arXiv:2101.00973). Of JPEG 2000 it quotes OpenCV's parameter, a thousandth of the raw
#: size: 100 is 10:1.
GRIDS = {
    "robust-jpeg": Grid(
        "table 1", ("jpeg:90", "jpeg:75", "jpeg:50", "jpeg:25", "jpeg:10"), ("jpeg:50", "jpeg:25", "jpeg:10")
    ),
    "robust-jpeg2000": Grid(
        "table 2",
        tuple(f"jpeg2000:{1000 / x1000}".removesuffix(".0") for x1000 in (900, 750, 500, 250, 100)),
        ("jpeg2000:4", "jpeg2000:10"),
    ),
    "robust-webp": Grid(
        "table 3",
        ("webp:90", "webp:75", "webp:50", "webp:25", "webp:10", "avif:50", "avif:30"),
        ("webp:50", "webp:25", "webp:10", "avif:30"),
    ),
    "robust-video": Grid(
        "table 4",
        ("mpeg4:4", "mpeg4:10", "xvid:4", "xvid:10", "h264:23", "h264:30"),
        ("mpeg4:10", "xvid:10", "h264:30"),
    ),
}


@dataclass(frozen=True)
class Case:
    """One test of whole messages: random bytes, in containers of a PSNR, sent through each channel on its own."""

    message_bytes: int
    psnr: float  #: in dB
    chains: tuple[str, ...]
    asked: bool = False  #: True if the container is made to survive all chains, one after the other
    window: int | None = None  #: side in pixels of the middle of pictures that is the cover; None for whole pictures


#: Table ``messages``: the promises of README. A container is made once per case.
CASES = (
    Case(
        8,
        38.0,
        (
            *("jpeg:50", "jpeg:10", "webp:25", "h264:30", "rescale:0.5", "jpeg:50 | rescale:0.5 | jpeg:75"),
            *("crop:0.7", "jpeg:75 | crop:0.7", "crop:0.7 | rescale:0.7 | jpeg:75", "rotate:0.5"),
        ),
    ),
    Case(
        8,
        42.0,
        (
            *("jpeg:50", "jpeg:25", "jpeg:10", "webp:50", "webp:25", "avif:60", "jpeg2000:10"),
            *("contrast:0.8 | jpeg:50", "resize:0.5 | jpeg:75", "h264:30"),
        ),
    ),
    Case(8, 46.0, ("jpeg:50", "jpeg:25")),
    Case(200, 40.0, ("jpeg:75", "jpeg:50")),
)
