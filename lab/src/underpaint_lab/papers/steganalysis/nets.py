"""Networks that tell containers from covers: two that papers judge by, and a light one of ours for colours.

All take levels 0…255, ``(B, 3, H, W)``, of any size of at least 32×32, and return log-odds of a container, ``(B,)``.
The papers' see grey pictures of 256×256; here they see green alone, whose changes are as large as those of a grey
picture, and end in a mean over all places whatever the size.
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
    """The 30 linear filters of the spatial rich model, ``(30, 1, 5, 5)``, each divided by its central weight.

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

        green ─► 30 filters 5×5, SRM's at first, clipped at ±limit ─► 3 layers ─► 3 × (pool, layer) ─► 2 layers ─► mean

    Args:
        limit: of the truncated linear unit, in levels; the paper has 3, and 7 for HILL.
    """

    def __init__(self, limit: float = 3.0) -> None:
        super().__init__()
        self.limit = limit
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
        """Log-odds ``(B,)`` of *images*, ``(B, 3, H, W)``, levels 0…255."""
        residuals = self.filters(images[:, 1:2]).clamp(-self.limit, self.limit)
        odds: Tensor = self.classify(self.layers(residuals).mean(dim=(2, 3)))
        return odds[:, 0]


class YedroudjNet(nn.Module):
    """M. Yedroudj, F. Comby and M. Chaumont, "Yedroudj-Net: An efficient CNN for spatial steganalysis" (ICASSP 2018).

    ::

        green ─► 30 fixed filters ─► |layer|, clipped ─► layer, clipped ─► 3 × (pool, layer) ─► mean ─► 256 ─► 1024 ─► 1

    Args:
        limit: of the second truncation; sources have 1 (the paper), 1 (a port) and 2 (the released definition).
    """

    filters: Tensor

    def __init__(self, limit: float = 1.0) -> None:
        super().__init__()
        self.limit = limit
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
        """Log-odds ``(B,)`` of *images*, ``(B, 3, H, W)``, levels 0…255."""
        residuals = functional.conv2d(images[:, 1:2], self.filters, padding=2)
        first = self.scale(self.first(residuals).abs()).clamp(-3, 3)
        second = self.second(first).clamp(-self.limit, self.limit)
        odds: Tensor = self.classify(self.layers(second).mean(dim=(2, 3)))
        return odds[:, 0]


class ColourRichModel(nn.Module):
    """What is counted in a picture, and never trained: rich models of colours, small enough for any machine.

    ::

        R, G, B ─► filters of SRM, along rows and columns ─┬► each ─────► 5 levels ─► 3 in a row; 3 colours of a place
                                                           └► R-G, B-G ─► 5 levels ─► 3 in a row; 9 levels ─► both

    After M. Goljan, J. Fridrich and R. Cogranne, "Rich model for steganalysis of color images" (WIFS 2014). Codes of
    opposite signs count as one: a negative hides as much.
    """

    filters: Tensor
    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        named = srm_filters()[_COUNTED, 0]
        # Whole numbers: their sums are exact in every runtime, and so is what is on the edge of a level.
        whole = torch.stack([torch.round(one * weight) for one, weight in zip(named, _WEIGHTS, strict=True)])
        self.register_buffer("filters", whole[:, None])
        weights = torch.tensor(_WEIGHTS, dtype=torch.float32)[:, None, None, None]
        self.register_buffer("weights", weights)
        self.size = len(_COUNTED) * len(_STEPS) * (3 * 63 + 41)

    def forward(self, images: Tensor) -> Tensor:
        """Square roots of relative frequencies, ``(B, size)``, of *images*, ``(B, 3, H, W)``, levels 0…255."""
        along, down = self._counted(images), self._counted(images.transpose(2, 3))
        sums = [a + b for a, b in zip(along, down, strict=True)]
        return torch.cat([(each / each.sum(dim=2, keepdim=True)).sqrt() for each in sums], dim=2).flatten(1)

    def _counted(self, images: Tensor) -> list[Tensor]:
        """How often each code occurs along rows: of each step four histograms of every filter, ``(B, filters, …)``."""
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
    """A light one of ours for colours: what Counts counts after Goljan et al. (WIFS 2014), and two trained layers.

    A network of convolutions has to find filters and levels first, which takes days on a processor. Those that rich
    models have are given to this one, so that it learns in minutes what to make of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts = ColourRichModel()
        size = self.counts.size
        self.judge = nn.Sequential(
            nn.BatchNorm1d(size), nn.Dropout(0.3), nn.Linear(size, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Log-odds ``(B,)`` of *images*, ``(B, 3, H, W)``, levels 0…255."""
        return self.judged(self.counts(images))

    def judged(self, counts: Tensor) -> Tensor:
        """Log-odds ``(B,)`` of what :class:`Counts` made of pictures."""
        odds: Tensor = self.judge(counts)
        return odds[:, 0]


#: Of the filters of SRM: a first, second and third difference, an edge, and both squares, and their central weights.
_COUNTED, _WEIGHTS = [0, 2, 1, 6, 28, 29], (1, 2, 3, 4, 4, 12)
#: Levels are so many central weights apart.
_STEPS = (1, 2)


def _level(residuals: Tensor, units: Tensor, highest: int) -> Tensor:
    """Which of the levels -highest … highest, counted from 0, each of *residuals* is nearest to."""
    return torch.round(residuals / units).clamp(-highest, highest) + highest


def _histogram(codes: Tensor, size: int) -> Tensor:
    """How often each of *codes*, 0 … size - 1, or of opposite signs occurs: ``(B, filters, (size + 1) / 2)``."""
    flat = codes.flatten(2).long()
    counts = torch.zeros(*flat.shape[:2], size).scatter_add(2, flat, torch.ones_like(flat, dtype=torch.float32))
    return (counts + counts.flip(2))[..., : size // 2 + 1]


def _normed(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


#: What makes each.
STEGANALYSERS: dict[str, Callable[[], nn.Module]] = {"ye": YeNet, "yedroudj": YedroudjNet, "light": LightSteganalyser}
