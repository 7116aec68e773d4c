"""How well people are recognised whom a run of ``miais`` never saw, in covers that it never saw.

``python -m underpaint.lab.judge_faces miais --run runs/miais --data DATA`` prints the figures. Of ``miais-teacher``
they are those of plain secrets, which all others are compared with. Nothing is written to ``results/`` yet.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from underpaint import metrics
from underpaint.errors import UsageError
from underpaint.lab import faces
from underpaint.lab import run as folder
from underpaint.lab.couples import reduced
from underpaint.lab.fit import restore
from underpaint.lab.nets.miais import Keys
from underpaint.lab.papers import RECIPES, miais
from underpaint.lab.papers.miais import Published
from underpaint.lab.recipe import as_settings, with_settings
from underpaint.lab.recognising import Teacher
from underpaint.lab.rounding import rounded
from underpaint.verification import Verified, rank_one

if TYPE_CHECKING:
    from collections.abc import Callable
    from functools import partial

    from numpy.typing import NDArray
    from torch import Tensor

    from underpaint.lab.papers.miais_ours import Ours
    from underpaint.types import Image

#: What can be judged: those whose secrets are faces.
NAMES = [*(name for name in miais.RECIPES if "objects" not in name), "miais"]
#: Pictures that are computed at once.
_AT_ONCE = 100


def judge(
    name: str, run: Path, data: Path, split: faces.Split = "test", each: int = 150, seed: int = 0
) -> dict[str, Any]:
    """Verify and look up people of a *split*, in containers rounded to 8 bits.

    Args:
        name: of the recipe, one of :data:`NAMES`.
        run: of that recipe.
        data: what it was trained on.
        split: ``val`` to choose by.
        each: pairs of either kind in each of ten folds.
        seed: of pairs, covers and keys.

    Returns:
        Figures: ``recognised`` and ``rank_one``; of containers ``covers``, and of ours ``wrong_key``.

    Raises:
        UsageError: the recipe is of another kind, or *data* has no faces or too few.
        ModelError: *run* has no checkpoint of these networks.
    """
    if name not in NAMES:
        raise UsageError(f"'{name}' cannot be judged", hint=f"these can: {', '.join(NAMES)}")
    entry, settings = RECIPES[name], folder.read_record(run)["recipe"]
    recipe = with_settings(entry.recipe, as_settings(settings))
    model = entry.model(recipe)
    restore(cast("torch.nn.Module", model), run)
    found = faces.Faces.of(data / "faces", split)
    pairs, secrets = faces.pairs(found.labels, each, seed=seed), _tensor(reduced(found, recipe.crop))

    def recognised(codes: Tensor) -> dict[str, Any]:
        told = torch.linalg.vector_norm(codes[pairs.first] - codes[pairs.second], dim=1)
        return Verified.of(told.numpy(), pairs.same)._asdict()

    if isinstance(model, Teacher):
        codes = _computed(model.network, secrets)
        return {"recognised": recognised(codes), "rank_one": _rank_one(codes, codes, found.labels)}
    pool = cast("partial[object]", entry.read).keywords["pool"]
    covers = faces.covers(data, pool, "test").batch(0, size=len(secrets), crop=recipe.crop, seed=seed)[:, :3]
    if isinstance(model, Published):
        containers = rounded(_computed(model.container, covers, secrets))
        codes = gallery = _computed(model.embedding, containers)
        return {
            "recognised": recognised(codes),
            "rank_one": _rank_one(codes, gallery, found.labels),
            "covers": _likeness(covers, containers),
        }
    ours = cast("Ours", model)
    gallery = _computed(ours.code, secrets)
    right, wrong = (Keys(len(secrets), ours.recipe.size, np.random.default_rng([seed, key])) for key in range(2))
    with torch.inference_mode():
        containers = ours.container(covers, gallery, right)
        codes, false = (ours.embedding(containers, keys) for keys in (right, wrong))
    return {
        "recognised": recognised(codes),
        "wrong_key": recognised(false),
        "rank_one": _rank_one(codes, gallery, found.labels),
        "wrong_key_rank_one": _rank_one(false, gallery, found.labels),
        "covers": _likeness(covers, containers),
    }


def _rank_one(codes: Tensor, gallery: Tensor, labels: NDArray[np.int64]) -> float:
    """Of everybody the first picture is enrolled, as of *gallery*; all others are looked up."""
    _, first = np.unique(labels, return_index=True)
    others = np.delete(np.arange(len(labels)), first)
    return rank_one(codes[others].numpy(), labels[others], gallery[first].numpy(), labels[first])


def _likeness(covers: Tensor, containers: Tensor) -> dict[str, float]:
    """Both conventions of PSNR and of MS-SSIM, of as many scales as fit."""
    pairs = list(zip(_pictures(covers), _pictures(containers), strict=True))
    scales = min(5, int(np.log2(covers.shape[2] // metrics.SSIM_WINDOW)) + 1)
    return {
        "mse": float(np.mean([metrics.mse(*pair) for pair in pairs])),
        "psnr": float(np.mean([min(metrics.psnr(*pair), 100.0) for pair in pairs])),
        "pooled_psnr": metrics.pooled_psnr(pairs),
        "ms_ssim": float(np.mean([metrics.ms_ssim(*pair, scales) for pair in pairs])),
        "ms_ssim_as_coded": float(np.mean([metrics.ms_ssim_as_coded(*pair, scales) for pair in pairs])),
        "scales": scales,
    }


def _computed(network: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        parts = [network(*part) for part in zip(*(torch.split(each, _AT_ONCE) for each in inputs), strict=True)]
    return torch.cat(parts)


def _tensor(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255


def _pictures(tensor: Tensor) -> list[Image]:
    return list((255 * tensor).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy())


def main() -> None:
    """Judge what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m underpaint.lab.judge_faces", description=judge.__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=["val", "test"], default="test")
    arguments = parser.parse_args()
    # People who choose by val have fewer pairs.
    each = {"val": 50, "test": 150}[arguments.split]
    print(json.dumps(judge(arguments.name, arguments.run, arguments.data, arguments.split, each), indent=1))


if __name__ == "__main__":
    main()
