"""Robust watermarking as published: HiDDeN's networks trained behind a real codec.

C. Zhang, A. Karjauv, P. Benz and I. S. Kweon, "Towards Robust Data Hiding Against (JPEG) Compression: A
Pseudo-Differentiable Deep Learning Approach" (arXiv:2101.00973); the code is ChaoningZhang/Pseudo-Differentiable-JPEG,
a fork of ando-khachatryan/HiDDeN, which follows J. Zhu, R. Kaplan, J. Johnson and L. Fei-Fei, "HiDDeN: Hiding Data With
Deep Networks" (ECCV 2018).

::

    image I ──┬──────────► Encoder ─► x ─► attack ─► Decoder ─► one number per bit, 1 if above 1/2
    message m ┘                       └─► Discriminator ─► is it I or x?

    coder          w_m MSE(Decoder(attack(x)), m) + w_I MSE(x, I) + w_A BCE(Discriminator(x), "cover")
    discriminator  BCE(Discriminator(I), "cover") + BCE(Discriminator(x), "encoded")

The paper's own attack is the real codec with the gradient of the identity,
:class:`~underpaint_lab.noise_layers.PseudoDifferentiable`; :data:`ATTACKS` has it and the attacks it is compared with.
Details that the paper leaves out (weights, optimisers, networks) are taken from its code.

Deviations from paper and code:

1. The data are random crops of reduced photographs instead of ImageNet's pictures resized whole, drawn with
   replacement. No video frames are used.
2. Values are rounded to 8 bits before a codec; the code truncates them, which darkens every picture by half a level.
3. Codecs come from Pillow and PyAV instead of OpenCV, in memory. JPEG at quality 50 and 4:2:0 and WebP are the same
   libraries; JPEG 2000 is OpenJPEG. A video is one picture five times at a fixed quantiser, not the batch as 32 frames
   at OpenCV's bit rate, which is not recorded.
4. With several codecs, one is drawn for each picture; the code splits the batch into equal parts.
5. The column "JPEG-Drop": the code has no such layer. Its scripts train Fourier quantisation instead and, for
   "Drop + Mask", quantisation or mask. ``quantise`` and ``quantise+mask`` follow the code; ``jpeg-drop`` and
   ``drop+mask`` follow HiDDeN's definition. Of two layers, one is drawn for each batch.
6. ``pseudo-jpeg+surrogate`` is ours: the real codec in the forward pass, the gradient of Shin and Song's JPEG.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

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


def _identity(x: Tensor, _rng: np.random.Generator) -> Tensor:
    return x


def _one_of(*layers: Attack) -> Attack:
    """Return an attack that applies one of *layers*, drawn for each batch, as the code's noiser does."""

    def attack(x: Tensor, rng: np.random.Generator) -> Tensor:
        return layers[int(rng.integers(len(layers)))](x, rng)

    return attack


#: Attacks between encoder and decoder in training, by their names in the paper's tables.
ATTACKS: dict[str, Attack] = {
    "none": _identity,
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
    """Settings of the published networks and losses; the defaults are the code's.

    Raises:
        UsageError: no such attack, or a size below 1.
    """

    steps: int = 312 * 300
    batch: int = 32
    crop: int = 128
    seed: int = 123
    #: Message length in bits per picture.
    bits: int = 30
    #: Feature maps in every hidden layer.
    channels: int = 64
    #: Layers of the encoder before the message is concatenated.
    encoder_blocks: int = 4
    #: Layers of the decoder before the layer with one map per bit.
    decoder_blocks: int = 7
    #: Layers of the discriminator before the mean.
    discriminator_blocks: int = 3
    #: Key of :data:`ATTACKS`.
    attack: str = "pseudo-jpeg"
    #: w_m: weight of the message's mean squared error.
    message_weight: float = 1.0
    #: w_I: weight of the container's mean squared error.
    image_weight: float = 0.7
    #: w_A: weight of the adversarial loss.
    adversarial_weight: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attack not in ATTACKS:
            raise UsageError(f"no attack is called '{self.attack}'", hint=f"the attacks are {', '.join(ATTACKS)}")
        for name in ("bits", "channels", "encoder_blocks", "decoder_blocks", "discriminator_blocks"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution, batch normalisation and ReLU at full resolution."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


def _blocks(channels: int, count: int) -> nn.Sequential:
    """Return *count* blocks, the first of which takes a picture."""
    return nn.Sequential(_block(3, channels), *(_block(channels, channels) for _ in range(count - 1)))


class Encoder(nn.Module):
    """Returns the container itself, not a change of the cover: no residual, no bound."""

    def __init__(self, recipe: RobustPublishedRecipe) -> None:
        super().__init__()
        self.features = _blocks(recipe.channels, recipe.encoder_blocks)
        self.join = _block(recipe.bits + recipe.channels + 3, recipe.channels)
        self.paint = nn.Conv2d(recipe.channels, 3, 1)

    def forward(self, images: Tensor, messages: Tensor) -> Tensor:
        """Embed *messages*, ``(B, bits)`` of 0 and 1, in *images*, ``(B, 3, H, W)``."""
        tiled = messages[:, :, None, None].expand(-1, -1, *images.shape[2:])
        joined: Tensor = self.join(torch.cat([tiled, self.features(images), images], dim=1))
        painted: Tensor = self.paint(joined)
        return painted


class Decoder(nn.Module):
    """Decodes a message from the means of feature maps, one per bit, mixed by a linear layer."""

    def __init__(self, recipe: RobustPublishedRecipe) -> None:
        super().__init__()
        self.features = _blocks(recipe.channels, recipe.decoder_blocks)
        self.maps = _block(recipe.channels, recipe.bits)
        self.mix = nn.Linear(recipe.bits, recipe.bits)

    def forward(self, containers: Tensor) -> Tensor:
        """Return one number per bit of *containers*, ``(B, bits)``; the bit is 1 if it is above 1/2."""
        read: Tensor = self.mix(self.maps(self.features(containers)).mean(dim=(2, 3)))
        return read


class Discriminator(nn.Module):
    """Distinguishes covers from containers."""

    def __init__(self, recipe: RobustPublishedRecipe) -> None:
        super().__init__()
        self.features = _blocks(recipe.channels, recipe.discriminator_blocks)
        self.judge = nn.Linear(recipe.channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the log-odds that each of *images* is a cover, ``(B, 1)``."""
        logits: Tensor = self.judge(self.features(images).mean(dim=(2, 3)))
        return logits


class Coder(nn.Module):
    """Encoder and decoder, trained by one optimiser."""

    def __init__(self, recipe: RobustPublishedRecipe) -> None:
        super().__init__()
        self.encoder = Encoder(recipe)
        self.decoder = Decoder(recipe)


class RobustPublished(nn.Module):
    """The published system: encoder, decoder and discriminator, with their losses."""

    former_name: ClassVar[str] = "Robust"

    def __init__(self, recipe: RobustPublishedRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.coder = Coder(recipe)
        self.discriminator = Discriminator(recipe)
        channels_last(self)

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``discriminator``, then part ``coder``, whose adversarial loss uses the updated discriminator.

        Args:
            images: covers, ``(B, 3, H, W)`` in [0, 1].
            rng: draws the messages and the attack.
        """
        recipe = self.recipe
        images = images.contiguous(memory_format=torch.channels_last)
        messages = torch.from_numpy(rng.integers(0, 2, (len(images), recipe.bits))).to(images)
        containers = self.coder.encoder(images, messages)
        discriminator_losses = {
            "cover": _cross_entropy(self.discriminator(images), cover=True),
            "encoded": _cross_entropy(self.discriminator(containers.detach()), cover=False),
        }
        yield "discriminator", discriminator_losses
        read = self.coder.decoder(ATTACKS[recipe.attack](containers, rng))
        coder_losses = {
            "message": recipe.message_weight * functional.mse_loss(read, messages),
            "image": recipe.image_weight * functional.mse_loss(containers, images),
            "adversarial": recipe.adversarial_weight * _cross_entropy(self.discriminator(containers), cover=True),
        }
        yield "coder", coder_losses


def _cross_entropy(logits: Tensor, *, cover: bool) -> Tensor:
    """Cross-entropy of the discriminator's logits with the label *cover*."""
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(cover)))


#: Settings of the code's scripts that differ from its defaults, by attack.
_SCRIPTS: dict[str, dict[str, Any]] = {
    "mixed-quality": {"batch": 50, "adversarial_weight": 1e-3},
    "mixed-codecs": {"batch": 48},
}
#: Columns of table 1 that are trained again at a scale for one processor core; the last one is ours.
ABLATION = (
    *("none", "jpeg-drop", "jpeg-mask", "drop+mask", "quantise", "quantise+mask"),
    *("shin-song", "pseudo-jpeg", "pseudo-jpeg+surrogate"),
)
#: Reduced recipe without an attack; training of every column continues from its run.
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
    summary = f"robust watermarking as published, trained behind {attack}"
    return RecipeEntry(RobustPublished, RobustPublishedRecipe(attack=attack, **_SCRIPTS.get(attack, {})), summary)


def _column(attack: str) -> RecipeEntry:
    summary = f"the same reduced, behind {attack}; the ablation continues it from robust-ablation-start"
    return RecipeEntry(RobustPublished, replace(_COLUMN, attack=attack), summary)


#: Recipes of the published system by name.
RECIPES = {
    **{f"robust-published-{attack}": _published(attack) for attack in ATTACKS if "surrogate" not in attack},
    "robust-ablation-start": RecipeEntry(
        RobustPublished, _START, "robust watermarking as published, reduced, without an attack"
    ),
    **{f"robust-ablation-{attack}": _column(attack) for attack in ABLATION},
}
