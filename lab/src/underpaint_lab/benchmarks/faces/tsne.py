"""t-SNE of faces by the features of networks: figure 2 of the paper on MIAIS.

``underpaint-lab draw tsne RUN… --data DATA`` draws the ten people with the most pictures outside the training, plain
and in containers of each run of ``miais-published`` (L. van der Maaten and G. Hinton, "Visualizing Data using t-SNE",
2008).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import MissingExtraError
from underpaint_lab.benchmarks.core.plots import figure
from underpaint_lab.benchmarks.core.result_file import RESULTS
from underpaint_lab.benchmarks.core.tensors import to_tensor
from underpaint_lab.benchmarks.faces.rows import ABLATION
from underpaint_lab.benchmarks.faces.trained import draw_covers, named, pool_of, recognise
from underpaint_lab.data import faces
from underpaint_lab.data.cover_secret import reduced
from underpaint_lab.papers import trained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

_PEOPLE, _SEED = 10, 0
_NAME, _TEACHER = "miais-published", "miais-teacher"


def draw(runs: Sequence[Path], data: Path, target: Path) -> None:
    """Draw the people with the most pictures: plain, by the teacher in the same folder, and in containers of *runs*.

    Raises:
        UsageError: *data* has no faces.
        ModelError: a run is missing or damaged.
        MissingExtraError: scikit-learn or matplotlib is not installed.
    """
    found = faces.Faces.of(data / "faces", "test")
    there, counts = np.unique(found.labels, return_counts=True)
    shown = np.isin(found.labels, there[np.argsort(-counts, kind="stable")[:_PEOPLE]])
    labels = np.unique(found.labels[shown], return_inverse=True)[1]
    models = [trained(_TEACHER, runs[0].parent / _TEACHER), *(trained(_NAME, run) for run in runs)]
    panels = {}
    for model, name in zip(models, [_TEACHER, *[_NAME] * len(runs)], strict=True):
        size: int = model.recipe.crop
        secrets = to_tensor(reduced(found, size))[shown]
        covers = None if name == _TEACHER else draw_covers(data, pool_of(name), len(secrets), size, _SEED)
        panels[named(name, model)[1]] = embed_in_plane(recognise(model, covers, secrets, _SEED).codes)
    with figure(target, 2.1 * len(panels), 2.3) as drawing:
        for axes, (title, points) in zip(
            drawing.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            axes.scatter(*points.T, c=labels, s=6, cmap="tab10", linewidths=0)
            axes.set(title=title, xticks=[], yticks=[])


def embed_in_plane(codes: Tensor) -> NDArray[np.floating]:
    """Map *codes*, ``(N, size)``, to points in a plane, ``(N, 2)``, by t-SNE.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE  # type: ignore[import-untyped]
    except ImportError:
        hint = "from a checkout of the project: pip install . ./lab"
        raise MissingExtraError("t-SNE needs scikit-learn", hint=hint) from None
    perplexity = min(30.0, (len(codes) - 1) / 3)
    found: NDArray[np.floating] = TSNE(perplexity=perplexity, random_state=_SEED).fit_transform(codes.numpy())
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw a t-SNE of faces, plain and in containers."""
    parser = argparse.ArgumentParser(prog="underpaint-lab draw tsne", description=main.__doc__)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a run of miais-published")
    parser.add_argument("--data", type=Path, required=True, help="data folder of the training")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / ABLATION / "tsne.svg")
    options = parser.parse_args(arguments)
    draw(options.runs, options.data, options.output)
    print(f"wrote {options.output}")
