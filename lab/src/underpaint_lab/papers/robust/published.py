"""A short message that survives compression, as published: HiDDeN's networks behind a real codec.

C. Zhang, A. Karjauv, P. Benz and I. S. Kweon, "Towards Robust Data Hiding Against (JPEG) Compression: A
Pseudo-Differentiable Deep Learning Approach" (arXiv:2101.00973); the code is ChaoningZhang/Pseudo-Differentiable-JPEG,
a fork of ando-khachatryan/HiDDeN, which follows J. Zhu, R. Kaplan, J. Johnson and L. Fei-Fei, "HiDDeN: Hiding Data With
Deep Networks" (ECCV 2018).

::

    image I ──┬──────────► Encoder ─► x ─► attack ─► Decoder ─► one number per bit, 1 if above 1/2
    message m ┘                       └─► Discriminator ─► was it I or x?

    coder          w_m MSE(Decoder(attack(x)), m) + w_I MSE(x, I) + w_A BCE(Discriminator(x), "cover")
    discriminator  BCE(Discriminator(I), "cover") + BCE(Discriminator(x), "encoded")

The paper's own attack is the real codec with the gradient of the identity,
:class:`~underpaint_lab.noise_layers.PseudoDifferentiable`; :data:`ATTACKS` has it and all it was compared with. What
the paper leaves out (weights, optimisers, networks) is taken from its code.

Deviations from paper and code:

1. Photographs are cut and reduced at random instead of being ImageNet's, resized whole; each is seen as often as it
   is drawn. No video frames are trained on.
2. Values are rounded to 8 bits before a codec, not truncated, which darkens every picture by half a level.
3. Codecs come from Pillow and PyAV instead of OpenCV, in memory. JPEG at quality 50 and 4:2:0 and WebP are the same
   libraries; JPEG 2000 is OpenJPEG. A video is one picture five times at a fixed quantiser, not the batch as 32 frames
   at OpenCV's bit rate, which nobody recorded.
4. Where a batch is shared by several codecs, one is drawn for each picture; the code cuts the batch in equal parts.
5. The column "JPEG-Drop": the code has no such layer. Its scripts train Fourier quantisation in that place and, for
   "Drop + Mask", quantisation or mask. ``quantise`` and ``quantise+mask`` are what the code does; ``jpeg-drop`` and
   ``drop+mask`` are what HiDDeN means by those words. Of two layers one is drawn for each batch.
6. ``pseudo-jpeg+surrogate`` is ours: the real codec forward, the gradient of Shin and Song's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from underpaint.errors import UsageError
from underpaint_lab.noise_layers import DiffJpeg, FourierQuantise, JpegDrop, JpegMask, PseudoDifferentiable
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry, channels_last

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from torch import Tensor

    Attack = Callable[[Tensor, np.random.Generator], Tensor]


def _nothing(x: Tensor, _rng: np.random.Generator) -> Tensor:
    return x


def _one_of(*layers: Attack) -> Attack:
    """Return an attack that draws one of *layers* for each batch, as the code's noiser does."""

    def attack(x: Tensor, rng: np.random.Generator) -> Tensor:
        return layers[int(rng.integers(len(layers)))](x, rng)

    return attack


#: What stands between encoder and decoder in training, by the words of the paper's tables.
ATTACKS: dict[str, Attack] = {
    "none": _nothing,
    # Table 1, the columns before "Ours", all at quality 50 where there is one.
    "jpeg-drop": JpegDrop(50),
    "jpeg-mask": JpegMask(25, 9),
    "drop+mask": _one_of(JpegDrop(50), JpegMask(25, 9)),
    "quantise": FourierQuantise(10),
    "quantise+mask": _one_of(FourierQuantise(10), JpegMask(25, 9)),
    "shin-song": DiffJpeg(50),
    # "Ours" in tables 1 to 4.
    "pseudo-jpeg": PseudoDifferentiable("jpeg:50"),
    "pseudo-jpeg2000": PseudoDifferentiable("jpeg2000:x1000=500"),
    "pseudo-webp": PseudoDifferentiable("webp:50"),
    "pseudo-mpeg4": PseudoDifferentiable("mpeg4:4"),
    "pseudo-xvid": PseudoDifferentiable("xvid:4"),
    # In the code, without a published number for messages.
    "mixed-quality": PseudoDifferentiable([f"jpeg:{quality}" for quality in (10, 25, 50, 75, 90)]),
    "mixed-codecs": PseudoDifferentiable(["jpeg:50", "jpeg2000:x1000=500", "webp:50"]),
    # Not in the paper.
    "pseudo-jpeg+surrogate": PseudoDifferentiable("jpeg:50", surrogate=DiffJpeg(50)),
}


@dataclass(frozen=True, kw_only=True)
class RobustPublishedRecipe(Recipe):
    """What the published networks and losses are told; the defaults are the code's.

    Raises:
        UsageError: no such attack, or a size below 1.
    """

    steps: int = 312 * 300
    batch: int = 32
    crop: int = 128
    seed: int = 123
    #: Bits per picture.
    bits: int = 30
    #: Feature maps in every hidden layer.
    channels: int = 64
    #: Layers before the message joins; before the layer with a map per bit; before the mean.
    encoder_blocks: int = 4
    decoder_blocks: int = 7
    discriminator_blocks: int = 3
    #: Key of :data:`ATTACKS`.
    attack: str = "pseudo-jpeg"
    #: w_m, w_I and w_A.
    message_weight: float = 1.0
    image_weight: float = 0.7
    adversarial_weight: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attack not in ATTACKS:
            raise UsageError(f"no attack is called '{self.attack}'", hint=f"the attacks are {', '.join(ATTACKS)}")
        for name in ("bits", "channels", "encoder_blocks", "decoder_blocks", "discriminator_blocks"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """ConvBNReLU: nothing is strided, every layer sees the full resolution."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


def _blocks(channels: int, count: int) -> nn.Sequential:
    """*count* blocks on a picture."""
    return nn.Sequential(_block(3, channels), *(_block(channels, channels) for _ in range(count - 1)))


class Encoder(nn.Module):
    """Paints a picture with a message in it; not a change to the picture: no residual, no bound."""

    def __init__(self, recipe: RobustPublishedRecipe) -> None:
        super().__init__()
        self.features = _blocks(recipe.channels, recipe.encoder_blocks)
        self.join = _block(recipe.bits + recipe.channels + 3, recipe.channels)
        self.paint = nn.Conv2d(recipe.channels, 3, 1)

    def forward(self, images: Tensor, messages: Tensor) -> Tensor:
        """Return containers of *images*, ``(B, 3, H, W)``, with *messages*, ``(B, bits)`` of 0 and 1."""
        tiled = messages[:, :, None, None].expand(-1, -1, *images.shape[2:])
        joined: Tensor = self.join(torch.cat([tiled, self.features(images), images], dim=1))
        painted: Tensor = self.paint(joined)
        return painted


class Decoder(nn.Module):
    """Reads a message off the means of as many maps as there are bits."""

    def __init__(self, recipe: RobustPublishedRecipe) -> None:
        super().__init__()
        self.features = _blocks(recipe.channels, recipe.decoder_blocks)
        self.maps = _block(recipe.channels, recipe.bits)
        self.mix = nn.Linear(recipe.bits, recipe.bits)

    def forward(self, containers: Tensor) -> Tensor:
        """Return one number per bit of *containers*, ``(B, bits)``: above 1/2 says 1."""
        read: Tensor = self.mix(self.maps(self.features(containers)).mean(dim=(2, 3)))
        return read


class Discriminator(nn.Module):
    """Tells covers from containers."""

    def __init__(self, recipe: RobustPublishedRecipe) -> None:
        super().__init__()
        self.features = _blocks(recipe.channels, recipe.discriminator_blocks)
        self.judge = nn.Linear(recipe.channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the log-odds that each of *images* is a cover, ``(B, 1)``."""
        judged: Tensor = self.judge(self.features(images).mean(dim=(2, 3)))
        return judged


class Coder(nn.Module):
    """Encoder and decoder: one optimiser has both."""

    def __init__(self, recipe: RobustPublishedRecipe) -> None:
        super().__init__()
        self.encoder = Encoder(recipe)
        self.decoder = Decoder(recipe)


class RobustPublished(nn.Module):
    """The published system, as the training loop wants it."""

    def __init__(self, recipe: RobustPublishedRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.coder = Coder(recipe)
        self.discriminator = Discriminator(recipe)
        channels_last(self)

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield the discriminator's losses, then the coder's, which the discriminator judges after its step."""
        recipe = self.recipe
        images = images.contiguous(memory_format=torch.channels_last)
        messages = torch.from_numpy(rng.integers(0, 2, (len(images), recipe.bits))).to(images)
        containers = self.coder.encoder(images, messages)
        told_apart = {
            "cover": _judged(self.discriminator(images), cover=True),
            "encoded": _judged(self.discriminator(containers.detach()), cover=False),
        }
        yield "discriminator", told_apart
        read = self.coder.decoder(ATTACKS[recipe.attack](containers, rng))
        hidden = {
            "message": recipe.message_weight * functional.mse_loss(read, messages),
            "image": recipe.image_weight * functional.mse_loss(containers, images),
            "adversarial": recipe.adversarial_weight * _judged(self.discriminator(containers), cover=True),
        }
        yield "coder", hidden


def _judged(odds: Tensor, *, cover: bool) -> Tensor:
    """Cross-entropy of the discriminator's log-odds with what it should have said."""
    return functional.binary_cross_entropy_with_logits(odds, torch.full_like(odds, float(cover)))


#: What the code's scripts set otherwise than its defaults.
_SCRIPTS: dict[str, dict[str, Any]] = {
    "mixed-quality": {"batch": 50, "adversarial_weight": 1e-3},
    "mixed-codecs": {"batch": 48},
}
#: The columns of table 1, without and with ours, that are trained again at a scale one processor core can bear.
ABLATION = (
    *("none", "jpeg-drop", "jpeg-mask", "drop+mask", "quantise", "quantise+mask"),
    *("shin-song", "pseudo-jpeg", "pseudo-jpeg+surrogate"),
)
#: That scale, and the training without an attack that all columns go on from.
_START = RobustPublishedRecipe(
    steps=3000,
    batch=16,
    crop=32,
    attack="none",
    bits=8,
    channels=32,
    encoder_blocks=3,
    decoder_blocks=4,
    discriminator_blocks=2,
)
_COLUMN = replace(_START, steps=1000, decay="cosine")


def _published(attack: str) -> RecipeEntry:
    summary = f"the published robust hiding, trained behind {attack}"
    return RecipeEntry(RobustPublished, RobustPublishedRecipe(attack=attack, **_SCRIPTS.get(attack, {})), summary)


def _column(attack: str) -> RecipeEntry:
    summary = f"the same reduced, behind {attack}; underpaint_lab.benchmarks.robustness.ablation lets it go on from robust-ablation-start"
    return RecipeEntry(RobustPublished, replace(_COLUMN, attack=attack), summary)


RECIPES = {
    **{f"robust-published-{attack}": _published(attack) for attack in ATTACKS if "surrogate" not in attack},
    "robust-ablation-start": RecipeEntry(RobustPublished, _START, "the published robust hiding, reduced, without an attack"),
    **{f"robust-ablation-{attack}": _column(attack) for attack in ABLATION},
}
