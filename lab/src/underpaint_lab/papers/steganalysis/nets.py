"""Steganalysis networks: Ye-Net, Yedroudj-Net, and a light one of ours on a colour rich model.

All take pictures in levels 0…255, ``(B, 3, H, W)``, of any size of at least 32×32, and return the logit of "container",
``(B,)``. The papers' networks take grey pictures of 256×256; here they take the green channel, whose changes are as
large as those of a grey picture, and end in a global mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

_EDGE_3 = ((-1.0, 2.0, -1.0), (2.0, -4.0, 2.0), (0.0, 0.0, 0.0))
_SQUARE_3 = ((-1.0, 2.0, -1.0), (2.0, -4.0, 2.0), (-1.0, 2.0, -1.0))
_SQUARE_5 = (
    (-1.0, 2.0, -2.0, 2.0, -1.0),
    (2.0, -6.0, 8.0, -6.0, 2.0),
    (-2.0, 8.0, -12.0, 8.0, -2.0),
    (2.0, -6.0, 8.0, -6.0, 2.0),
    (-1.0, 2.0, -2.0, 2.0, -1.0),
)


def srm_filters() -> Tensor:
    """Return the 30 linear filters of the spatial rich model, ``(30, 1, 5, 5)``, each divided by its central weight.

    J. Fridrich and J. Kodovský, "Rich models for steganalysis of digital images" (TIFS 2012): eight first and eight
    third differences, four second ones, a square and four edges of 3×3, a square and four edges of 5×5.
    """
    filters = []
    for turns in range(4):
        for slanted in (False, True):
            first, third = torch.zeros(5, 5), torch.zeros(5, 5)
            for place, weight in ((2, -1.0), (3, 1.0)):
                first[2 - (place - 2) * slanted, place] = weight
            for place, weight in ((1, 1.0), (2, -3.0), (3, 3.0), (4, -1.0)):
                third[2 - (place - 2) * slanted, place] = weight / 3
            filters += [torch.rot90(first, turns), torch.rot90(third, turns)]
            if turns < 2:
                second = torch.zeros(5, 5)
                for place, weight in ((1, 1.0), (2, -2.0), (3, 1.0)):
                    second[2 - (place - 2) * slanted, place] = weight / 2
                filters.append(torch.rot90(second, turns))
        edge = functional.pad(torch.tensor(_EDGE_3), (1, 1, 1, 1)) / 4
        large = torch.tensor(_SQUARE_5) / 12
        large[3:] = 0
        filters += [torch.rot90(edge, turns), torch.rot90(large, turns)]
    filters += [functional.pad(torch.tensor(_SQUARE_3), (1, 1, 1, 1)) / 4, torch.tensor(_SQUARE_5) / 12]
    return torch.stack(filters)[:, None]


class YeNet(nn.Module):
    """J. Ye, J. Ni and Y. Yi, "Deep Learning Hierarchical Representations for Image Steganalysis" (TIFS 2017).

    ::

        green ─► 30 filters 5×5, initially SRM's, clipped at ±limit ─► 3 layers ─► 3 × (pool, layer) ─► 2 layers ─► mean
    """

    #: Threshold of the truncated linear unit, in levels, as in the paper (there 7 for HILL).
    limit = 3.0

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Conv2d(1, 30, 5)
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [nn.Conv2d(30, 30, 3), nn.ReLU()]
        layers.append(nn.AvgPool2d(2, padding=1))
        for inputs, padding in ((30, 2), (32, 2), (32, 2)):
            layers += [nn.Conv2d(inputs, 32, 5, padding=padding), nn.ReLU(), nn.AvgPool2d(3, 2, 1)]
        layers += [nn.Conv2d(32, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, 3, 1), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.classify = nn.Linear(16, 1)
        for name, weight in self.named_parameters():
            if name.endswith("bias"):
                nn.init.constant_(weight, 0.2)
            else:
                nn.init.xavier_uniform_(weight)
        self.filters.weight.data = srm_filters()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, ``(B,)``, of *images*, ``(B, 3, H, W)`` in levels 0…255."""
        residuals = self.filters(images[:, 1:2]).clamp(-self.limit, self.limit)
        logits: Tensor = self.classify(self.layers(residuals).mean(dim=(2, 3)))
        return logits[:, 0]


class YedroudjNet(nn.Module):
    """M. Yedroudj, F. Comby and M. Chaumont, "Yedroudj-Net: An efficient CNN for spatial steganalysis" (ICASSP 2018).

    ::

        green ─► 30 fixed filters ─► |layer|, clipped ─► layer, clipped ─► 3 × (pool, layer) ─► mean ─► 256 ─► 1024 ─► 1
    """

    #: Threshold of the second truncation, as in the paper and a port; 2 in the released definition.
    limit = 1.0
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", srm_filters())
        self.first, self.scale = nn.Conv2d(30, 30, 5, padding=2, bias=False), nn.BatchNorm2d(30)
        self.second = _normed(30, 30, 5)
        layers: list[nn.Module] = [nn.AvgPool2d(5, 2, 2)]
        layers += [_normed(30, 32, 3), nn.ReLU(), nn.AvgPool2d(5, 2, 2)]
        layers += [_normed(32, 64, 3), nn.ReLU(), nn.AvgPool2d(5, 2, 2)]
        layers += [_normed(64, 128, 3), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.classify = nn.Sequential(
            nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 1024), nn.ReLU(), nn.Linear(1024, 1)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, ``(B,)``, of *images*, ``(B, 3, H, W)`` in levels 0…255."""
        residuals = functional.conv2d(images[:, 1:2], self.filters, padding=2)
        first = self.scale(self.first(residuals).abs()).clamp(-3, 3)
        second = self.second(first).clamp(-self.limit, self.limit)
        logits: Tensor = self.classify(self.layers(second).mean(dim=(2, 3)))
        return logits[:, 0]


class ColourRichModel(nn.Module):
    """A small colour rich model: fixed co-occurrence histograms of noise residuals, which are not trained.

    ::

        R, G, B ─► filters of SRM, in rows and columns ─┬► each ─────► 5 levels ─► 3 in a row; 3 colours of a place
                                                           └► R-G, B-G ─► 5 levels ─► 3 in a row; 9 levels ─► both

    After M. Goljan, J. Fridrich and R. Cogranne, "Rich model for steganalysis of color images" (WIFS 2014). A
    co-occurrence and its negative share one bin.
    """

    filters: Tensor
    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        named = srm_filters()[_FILTERS, 0]
        # Integer filters: sums are exact in every runtime, also for residuals on the border between two levels.
        whole = torch.stack([torch.round(one * weight) for one, weight in zip(named, _WEIGHTS, strict=True)])
        self.register_buffer("filters", whole[:, None])
        weights = torch.tensor(_WEIGHTS, dtype=torch.float32)[:, None, None, None]
        self.register_buffer("weights", weights)
        self.size = len(_FILTERS) * len(_STEPS) * (3 * 63 + 41)

    def forward(self, images: Tensor) -> Tensor:
        """Return square roots of relative frequencies, ``(B, size)``, of *images*, ``(B, 3, H, W)`` in levels 0…255."""
        along, down = self._histograms(images), self._histograms(images.transpose(2, 3))
        sums = [a + b for a, b in zip(along, down, strict=True)]
        return torch.cat([(each / each.sum(dim=2, keepdim=True)).sqrt() for each in sums], dim=2).flatten(1)

    def _histograms(self, images: Tensor) -> list[Tensor]:
        """Return four co-occurrence histograms along rows for each quantisation step, ``(B, filters, bins)`` each."""
        planes = functional.conv2d(images.flatten(0, 1)[:, None], self.filters)
        colours = planes.view(-1, 3, *planes.shape[1:]).transpose(1, 2)  # (B, filters, 3, H, W)
        apart, found = colours[:, :, ::2] - colours[:, :, 1:2], []
        for step in _STEPS:
            units = step * self.weights
            each, both, wide = _level(colours, units, 2), _level(apart, units, 2), _level(apart, units, 4)
            found += [
                _histogram(each[:, :, 0] * 25 + each[:, :, 1] * 5 + each[:, :, 2], 125),
                _histogram(each[..., :-2] * 25 + each[..., 1:-1] * 5 + each[..., 2:], 125),
                _histogram(both[..., :-2] * 25 + both[..., 1:-1] * 5 + both[..., 2:], 125),
                _histogram(wide[:, :, 0] * 9 + wide[:, :, 1], 81),
            ]
        return found


class LightSteganalyser(nn.Module):
    """A colour rich model after Goljan et al. (WIFS 2014), and two trained layers.

    A convolutional network must first learn filters and quantisation, which takes days on a processor. Here both are
    those of a rich model, so that training takes minutes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts = ColourRichModel()
        size = self.counts.size
        self.judge = nn.Sequential(
            nn.BatchNorm1d(size), nn.Dropout(0.3), nn.Linear(size, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, ``(B,)``, of *images*, ``(B, 3, H, W)`` in levels 0…255."""
        return self.classify_features(self.counts(images))

    def classify_features(self, features: Tensor) -> Tensor:
        """Return logits, ``(B,)``, of features of :class:`ColourRichModel`."""
        logits: Tensor = self.judge(features)
        return logits[:, 0]


#: Indices of the SRM filters in use (first, second and third difference, edge, both squares) and their central weights.
_FILTERS, _WEIGHTS = [0, 2, 1, 6, 28, 29], (1, 2, 3, 4, 4, 12)
#: Quantisation steps, in units of a filter's central weight.
_STEPS = (1, 2)


def _level(residuals: Tensor, units: Tensor, highest: int) -> Tensor:
    """Quantise *residuals* to the levels -highest … highest; returns indices from 0."""
    return torch.round(residuals / units).clamp(-highest, highest) + highest


def _histogram(codes: Tensor, size: int) -> Tensor:
    """Count *codes*, 0 … size - 1, together with their negatives: ``(B, filters, (size + 1) / 2)``."""
    flat = codes.flatten(2).long()
    counts = torch.zeros(*flat.shape[:2], size).scatter_add(2, flat, torch.ones_like(flat, dtype=torch.float32))
    return (counts + counts.flip(2))[..., : size // 2 + 1]


def _normed(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


#: Builders of the networks by name.
STEGANALYSERS: dict[str, Callable[[], nn.Module]] = {"ye": YeNet, "yedroudj": YedroudjNet, "light": LightSteganalyser}
