"""What a finished run becomes in the zoo: which graphs, and what the card says beside where they come from.

``python -m underpaint.lab.ship robust --run runs/robust`` writes ``src/underpaint/zoo/robust``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint import image, samples, zoo
from underpaint.errors import UsageError
from underpaint.lab import run as folder
from underpaint.lab.export import Graph, export
from underpaint.lab.fit import restore
from underpaint.lab.nets import miais as miais_nets
from underpaint.lab.nets.dmvjnd import Changing
from underpaint.lab.nets.integer import frozen
from underpaint.lab.nets.lapped import analyse, luma
from underpaint.lab.nets.pixinpix import Frozen, Levels, Reader, Writer
from underpaint.lab.papers import basn_exact, dmvjnd, miais, miais_ours, pixinpix, robust_ours
from underpaint.lab.papers.basn_exact import Exact, ExactRecipe
from underpaint.lab.papers.robust_ours import Ours, OursRecipe
from underpaint.lab.recipe import as_settings, with_settings
from underpaint.lab.recognising import Teacher, TeacherRecipe, both_ways
from underpaint.methods.dmvjnd import PANELS

if TYPE_CHECKING:
    from collections.abc import Callable

_SIDES = {0: "n", 2: "height", 3: "width"}
_FREE = {
    "view": {2: "height", 3: "width"},
    "luma": {2: "height", 3: "width"},
    "coefficients": {2: "down", 3: "across"},
}


def robust(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], zoo.Card]:
    """The writer and the reader of :mod:`underpaint.lab.papers.robust_ours`."""
    model = Ours(cast("OursRecipe", robust_ours.RECIPES["robust"].recipe))
    restore(model, run)
    photograph = torch.from_numpy(image.read(samples.path("coffee")).pixels[None, :256, :384]).permute(0, 3, 1, 2) / 255
    seen = luma(photograph)
    inputs = {"luma": seen[:, None], "coefficients": analyse(seen, robust_ours.COUNT)}
    graphs = {name: Graph(getattr(model, name), inputs, _FREE) for name in ("writer", "reader")}
    card = zoo.Card(
        method="robust",
        paper="Zhang, Karjauv, Benz, Kweon, Towards Robust Data Hiding Against (JPEG) Compression, arXiv:2101.00973",
        licence="MIT",
        sha256={},
        bytes=0,
        payload="any: 30 bits in 128x128 in the paper's setting, messages of up to about 750 bytes",
        **folder.provenance(run),
        reported={"ber_jpeg_10": 0.3122, "ber_jpeg_50": 0.1263, "ber_webp_50": 0.1286, "ber_jpeg2000_10": 0.3529},
        measured=measured,
        limits="turning by more than about half a degree, mirroring, and cutting below about 60 % of a side lose it",
        text=_ROBUST,
    )
    return graphs, card


_ROBUST = """
`writer.onnx` takes luma in grey levels, `float32 (1, 1, H, W)`, and the 14 lowest lapped coefficients of each 16×16
block, `(1, 14, H / 16, W / 16)`; it returns the logarithm of how much more change each coefficient takes than its
block's busyness says. `reader.onnx` takes the same of what arrived and returns what to add to the coefficients.
Sides are multiples of 16. On 150 crops held out from training they added nothing to the plain lattice that could be
told from chance; docs/methods/robust.md has the figures, and tells how they are used and what they were trained for.
"""


def basn(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], zoo.Card]:
    """The attention of :mod:`underpaint.lab.papers.basn_exact`, in whole numbers that are proved to stay exact."""
    recipe = cast("ExactRecipe", basn_exact.RECIPES["basn-exact"].recipe)
    model = Exact(replace(recipe, teachers=()))
    restore(model, run)
    photograph = torch.from_numpy(image.read(samples.path("coffee")).pixels[None, :256, :384]).permute(0, 3, 1, 2)
    view = (photograph - photograph % 2**basn_exact.LOW_BITS).float()
    graphs = {"attention": Graph(frozen(model.attention), {"view": view}, _FREE, ("attention",))}
    card = zoo.Card(
        method="basn",
        paper="Yang, BASN: Learning Steganography with Binary Attention Mechanism, arXiv:1907.04362",
        licence="MIT",
        sha256={},
        bytes=0,
        payload="any: up to 12 bits per pixel of three values",
        **folder.provenance(run),
        reported={"bser_min_lsm_1": 0.0106, "bser_mean_lsm_1": 0.0222},
        measured=measured,
        limits="who reveals can see but the upper four bits of each value, so that only the lower four may change",
        text=_BASN,
    )
    return graphs, card


_BASN = """
`attention.onnx` takes a picture in levels, whole numbers 0…255 in `float32 (1, 3, H, W)`, as it is or with the low four
bits of each value cleared, and returns attention, whole numbers 0…255 of the same shape: 32 more means that a value
takes twice the change, so that for a change of d levels a value costs d² · 2^(-attention / 16). Sides are multiples of
8, and no output depends on values more than 48 pixels away.

Every number on the way is a multiple of 2^-9 and every sum stays inside 24 bits, which was proved from the weights when
the graph was made: the result is the same to the byte whatever computes it, whole or in tiles.

It was taught by the classifiers that the recipe names as teachers, and by no others.
"""


def jnd(name: str, run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], zoo.Card]:
    """The generator of :mod:`underpaint.lab.papers.dmvjnd` that is the recipe *name*."""
    model = dmvjnd.Ours(cast("dmvjnd.OursRecipe", dmvjnd.RECIPES[name].recipe))
    restore(model, run)
    images = _two_photographs()
    odds, attention = model.panel(images)
    inputs = {"image": images, "attention": attention, "answers": odds, "level": torch.tensor([[10.0], [30.0]])}
    inputs["way"] = torch.eye(model.generator.ways)[:2]
    axes = {"image": _SIDES, "attention": _SIDES} | {key: {0: "n"} for key in ("answers", "level", "way")}
    card = _jnd_card(name, PANELS[name], run, measured, _DMVJND)
    return {"generator": Graph(model.generator, inputs, axes, ("direction", "promises"))}, card


def published(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], zoo.Card]:
    """The paper's network of :mod:`underpaint.lab.papers.dmvjnd`, to be measured beside ours."""
    recipe = cast("dmvjnd.PublishedRecipe", dmvjnd.RECIPES["dmvjnd-published"].recipe)
    model = dmvjnd.Published(replace(recipe, width=int(folder.read_record(run)["recipe"]["width"])))
    restore(model, run)
    images = _two_photographs()
    inputs = {"image": images, "attention": model.panel(images)[1]}
    graph = Graph(Changing(model.network), inputs, dict.fromkeys(inputs, _SIDES), ("change",))
    return {"generator": graph}, _jnd_card("dmvjnd-published", recipe.classifiers, run, measured, _PUBLISHED)


def _two_photographs() -> torch.Tensor:
    photograph = torch.from_numpy(image.read(samples.path("coffee")).pixels[None, :64, :96]).permute(0, 3, 1, 2) / 255
    return torch.cat([photograph, photograph.flip(3)])


def _jnd_card(name: str, panel: tuple[str, ...], run: Path, measured: dict[str, float], text: str) -> zoo.Card:
    return zoo.Card(
        method=name,
        paper="Jin et al., Just Noticeable Difference for Deep Machine Vision, arXiv:2102.08168",
        licence="MIT",
        sha256={},
        bytes=0,
        payload="none: how far a picture may change before classifiers notice",
        **folder.provenance(run),
        reported={"rca_train": 1.0, "rca_test": 0.9218, "psnr": 9.56} if "cifar" in panel[0] else {},
        measured=measured,
        limits=f"taught by {', '.join(panel)}; other classifiers notice more",
        text=text,
    )


_PUBLISHED = """
The network as published, trained by us. `generator.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], and where
classifiers look on average, `(N, 1, H, W)` in [0, 1]. It returns the change, of the pictures' shape, which is neither
clamped nor rounded. Sides are multiples of 8.
"""

_DMVJND = """
`generator.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], where the classifiers of its panel look on average,
`(N, 1, H, W)` in [0, 1], their log-odds one after the other, `(N, answers)`, and the PSNR in dB that is to be left,
`(N, 1)`. It knows eight ways; `way`, `(N, 8)`, is 1 for the one to be taken. It returns the direction in which pictures
may go, `(N, 3, H, W)`, whose length is of no account, and what each way promises, `(N, 8)`: the log-odds that a
classifier keeps its answer. Sides are multiples of 4, and no direction depends on values more than 32 pixels away.
docs/methods/dmvjnd.md has the figures.
"""


def pictures(name: str, run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], zoo.Card]:
    """The network of :mod:`underpaint.lab.papers.pixinpix` that is the recipe *name*."""
    recipe = cast("pixinpix.OursRecipe", pixinpix.RECIPES[name].recipe)
    told = folder.read_record(run)["recipe"]
    model = pixinpix.Ours(replace(recipe, cover=told["cover"], secret=told["secret"]))
    restore(model, run)
    blocks = Frozen(model.blocks).eval()
    writer, secret = Writer(blocks, model.weight), 255 * _two_photographs()
    with torch.inference_mode():
        numbers, kinds = (each.clone() for each in writer(secret))
    inputs = {"numbers": numbers, "kinds": kinds}
    axes = {"numbers": {0: "n", 2: "down", 3: "across"}, "kinds": {0: "n", 1: "down", 2: "across"}}
    made = ("numbers", "kinds")
    graphs = {
        "levels": Graph(Levels(blocks), {"kinds": kinds.flatten()}, {"kinds": {0: "n"}}, ("levels",)),
        "reader": Graph(Reader(blocks), inputs, axes, ("secret",)),
        "writer": Graph(writer, {"secret": secret}, {"secret": _SIDES}, made, whole=made),
    }
    card = zoo.Card(
        method=name,
        paper="PixInPix: Hidding Pixels in Pixels, anonymous submission to a workshop of ECCV 2020",
        licence="MIT",
        sha256={},
        bytes=0,
        payload="a picture of the cover's size",
        **folder.provenance(run),
        reported={},
        measured=measured,
        limits="any change to the container destroys what is hidden; two to three bits lie in every value",
        text=_PICTURES,
    )
    return graphs, card


_PICTURES = """
`writer.onnx` takes pictures in levels, `float32 (N, 3, H, W)`, and returns whole numbers, `(N, 192, H / 8, W / 8)`, and
the kind of every block of 8×8, `(N, H / 8, W / 8)`. `levels.onnx` says how many levels the 192 numbers of a block have,
by its kind. `reader.onnx` takes numbers and kinds and returns the picture, neither clamped nor rounded; no output
depends on blocks that are not neighbours. Sides are multiples of 8. How a container takes up the numbers is told in
src/underpaint/methods/pixinpix.py, and docs/methods/pixinpix.md has the figures.
"""


class _Blocks(nn.Module):
    """What the blocks of a container say, not their mean."""

    def __init__(self, reader: miais_nets.Reader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, pictures: Tensor) -> Tensor:
        return self.reader.blocks(pictures)


class _Embedded(nn.Module):
    """What pictures are recognised by, with a mean square of 1."""

    def __init__(self, network: miais_nets.Recogniser, size: int) -> None:
        super().__init__()
        self.network, self.factor = network, size**0.5 / miais_nets.LENGTH

    def forward(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.factor * both_ways(self.network, pictures)
        return found


def recognised(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], zoo.Card]:
    """The writer and the reader of :mod:`underpaint.lab.papers.miais_ours`."""
    recipe = cast("miais_ours.OursRecipe", miais_ours.RECIPES["miais"].recipe)
    told = folder.read_record(run)["recipe"]
    model = miais_ours.Ours(with_settings(recipe, as_settings(told)))
    restore(model, run)
    reader, covers = cast("miais_nets.Reader", model.networks["reader"]), _two_photographs()
    with torch.inference_mode():
        said = reader(covers).clone()
    numbers = torch.randn(said.shape, generator=torch.Generator().manual_seed(0))
    inputs = {"covers": covers, "numbers": numbers, "said": said}
    axes = {"covers": _SIDES, "numbers": {0: "n"}, "said": {0: "n"}}
    graphs = {
        "reader": Graph(_Blocks(reader), {"pictures": covers}, {"pictures": _SIDES}, ("numbers",)),
        "writer": Graph(model.networks["writer"], inputs, axes, ("containers",)),
    }
    return graphs, _miais_card("miais", run, measured, "64 numbers, which come back nearly as they were", _MIAIS)


def teacher(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], zoo.Card]:
    """The plain classifier of :mod:`underpaint.lab.recognising`, as far as its embedding."""
    recipe = cast("TeacherRecipe", miais.RECIPES["miais-teacher"].recipe)
    recipe = with_settings(recipe, as_settings(folder.read_record(run)["recipe"]))
    model = Teacher(recipe)
    restore(model, run)
    pictures = functional.interpolate(_two_photographs(), (recipe.crop, recipe.crop), mode="area")
    graph = Graph(_Embedded(model.network, recipe.size), {"pictures": pictures}, {"pictures": {0: "n"}}, ("numbers",))
    card = _miais_card("miais-teacher", run, measured, "none: it recognises faces", _TEACHER)
    return {"recogniser": graph}, card


def _miais_card(name: str, run: Path, measured: dict[str, float], payload: str, text: str) -> zoo.Card:
    return zoo.Card(
        method=name,
        paper="Cui, Zhang, Li, Zheng, Bao, Xia, Li, Multitask Identity-Aware Image Steganography, IEEE TIP 2021",
        licence="MIT",
        sha256={},
        bytes=0,
        payload=payload,
        **folder.provenance(run),
        reported={"accuracy": 0.8752, "accuracy_plain": 0.8780, "cover_psnr": 22.85, "cover_ms_ssim": 0.9799},
        measured=measured,
        limits="learned from 98 people of Labeled Faces in the Wild: no evidence of fitness for any real use",
        text=text,
    )


_MIAIS = """
`reader.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], and returns what each block of 8×8 says,
`(N, 104, H / 8, W / 8)`; a picture says the mean. `writer.onnx` takes pictures, what they are to say and what they say,
`(N, 104)` each, and returns containers, neither clamped nor rounded. Sides are multiples of 8; no output depends on
blocks more than two away. Of the 104 numbers 64 are a template, turned by a key, and 40 announce how it is turned:
src/underpaint/methods/miais.py. docs/methods/miais.md has the figures.
"""

_TEACHER = """
`recogniser.onnx` takes faces, `float32 (N, 3, 64, 64)` in [0, 1], and returns what they are recognised by,
`(N, 64)`: the sum of what it makes of a picture and of its mirror image, with a mean square of 1. Faces fill the
picture as the middle 130×130 pixels of the deep-funneled Labeled Faces in the Wild do.
"""

#: What can be shipped.
MODELS: dict[str, Callable[[Path, dict[str, float]], tuple[dict[str, Graph], zoo.Card]]] = {
    "basn": basn,
    "dmvjnd": partial(jnd, "dmvjnd"),
    "dmvjnd-cifar": partial(jnd, "dmvjnd-cifar"),
    "dmvjnd-published": published,
    "miais": recognised,
    "miais-teacher": teacher,
    "pixinpix": partial(pictures, "pixinpix"),
    "pixinpix-cifar": partial(pictures, "pixinpix-cifar"),
    "robust": robust,
}


def ship(name: str, run: Path, target: Path, measured: dict[str, float]) -> float:
    """Export a *run* to the folder *target*, and return the largest difference between the two runtimes.

    Raises:
        UsageError: no such model.
        ModelError: *run* has no checkpoint of this network, or a graph does not compute what its network does.
    """
    if name not in MODELS:
        raise UsageError(f"no model is called '{name}'", hint=f"there are {', '.join(MODELS)}")
    graphs, card = MODELS[name](run, measured)
    return export(graphs, target, card)


def main() -> None:
    """Ship what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m underpaint.lab.ship", description=ship.__doc__)
    parser.add_argument("name", choices=MODELS)
    parser.add_argument("--run", type=Path, required=True)
    arguments = parser.parse_args()
    target = Path(zoo.__file__).parent / arguments.name
    worst = ship(arguments.name, arguments.run, target, {})
    print(f"wrote {target.name}; ONNX Runtime is within {worst:.1e} of PyTorch")


if __name__ == "__main__":
    main()
