"""Where pictures of people whom nobody learned from lie by what networks make of them: figure 2 of the paper on MIAIS.

``python -m underpaint_lab.benchmarks.faces.tsne RUN… --data DATA`` draws the ten people with the most pictures, plain and in
containers of each run of ``miais-published``, by t-SNE (L. van der Maaten and G. Hinton, "Visualizing Data using
t-SNE", 2008): who lies together is told apart.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import MissingExtraError
from underpaint_lab.benchmarks import RESULTS
from underpaint_lab.benchmarks.core.plots import plot_places
from underpaint_lab.benchmarks.faces.rows import ABLATION
from underpaint_lab.benchmarks.faces.trained import drawn_from, named, pool_of, recognised, tensor
from underpaint_lab.data import faces
from underpaint_lab.data.cover_secret import reduced
from underpaint_lab.papers import trained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

_PEOPLE = 10
_NAME, _TEACHER = "miais-published", "miais-teacher"


def draw(runs: Sequence[Path], data: Path, target: Path, people: int = _PEOPLE, seed: int = 0) -> None:
    """Draw the *people* with the most pictures: plain, as the teacher in the same folder sees them, and in containers.

    Raises:
        UsageError: *data* has no faces.
        ModelError: a run is missing or damaged.
        MissingExtraError: scikit-learn or matplotlib is not installed.
    """
    found = faces.Faces.of(data / "faces", "test")
    there, counts = np.unique(found.labels, return_counts=True)
    shown = np.isin(found.labels, there[np.argsort(-counts, kind="stable")[:people]])
    labels = np.unique(found.labels[shown], return_inverse=True)[1]
    models = [trained(_TEACHER, runs[0].parent / _TEACHER), *(trained(_NAME, run) for run in runs)]
    panels = {}
    for model, name in zip(models, [_TEACHER, *[_NAME] * len(runs)], strict=True):
        size: int = model.recipe.crop
        secrets = tensor(reduced(found, size))[shown]
        covers = None if name == _TEACHER else drawn_from(data, pool_of(name), len(secrets), size, seed)
        panels[named(name, model)[1]] = placed(recognised(model, covers, secrets, seed).codes, seed)
    plot_places(panels, labels, target)


def placed(codes: Tensor, seed: int) -> NDArray[np.floating]:
    """Where *codes*, ``(N, size)``, lie in a plane, ``(N, 2)``.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE  # type: ignore[import-untyped]
    except ImportError:
        hint = "from a checkout of the project: pip install . ./lab"
        raise MissingExtraError("t-SNE needs scikit-learn", hint=hint) from None
    perplexity = min(30.0, (len(codes) - 1) / 3)
    found: NDArray[np.floating] = TSNE(perplexity=perplexity, random_state=seed).fit_transform(codes.numpy())
    return found


def main() -> None:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m underpaint_lab.benchmarks.faces.tsne", description=draw.__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / ABLATION / "tsne.svg")
    arguments = parser.parse_args()
    draw(arguments.runs, arguments.data, arguments.output)
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
