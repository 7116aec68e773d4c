"""The panel of frozen classifiers that DMV-JND is trained against, and its recipe."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from underpaint.errors import UsageError
from underpaint.models.jnd_networks import PANELS
from underpaint_lab.export.from_zoo import from_zoo, from_zoo_cifar
from underpaint_lab.papers.dmvjnd.nets import Panel
from underpaint_lab.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class PanelRecipe(Recipe):
    """Settings of the panel, for both systems.

    Raises:
        UsageError: a value is out of range.
    """

    #: Classifiers of the zoo.
    classifiers: tuple[str, ...] = PANELS["dmvjnd-cifar"]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.classifiers:
            raise UsageError("there must be a classifier at least")


class PanelStudent(nn.Module):
    """A model that is trained against a panel of frozen classifiers.

    Args:
        recipe: names the classifiers.
        panel: the panel; loaded from the zoo by default.

    Raises:
        ModelError: the zoo has no such classifier.
    """

    def __init__(self, recipe: PanelRecipe, panel: Panel | None) -> None:
        super().__init__()
        self._panel = [panel or load_panel(recipe.classifiers)]  # a list, so that it is no submodule and not trained

    @property
    def panel(self) -> Panel:
        """The panel of classifiers."""
        return self._panel[0]


def load_panel(names: tuple[str, ...]) -> Panel:
    """Load a panel of classifiers from the zoo.

    Args:
        names: models of the zoo, ``cifar-…`` or ``classifier-…``.

    Raises:
        ModelError: the zoo has no such classifier.
    """
    small, large = "cifar-", "classifier-"
    return Panel(
        [
            from_zoo_cifar(name.removeprefix(small)) if name.startswith(small) else from_zoo(name.removeprefix(large))
            for name in names
        ]
    )


def label_loss(after: Tensor, before: Tensor) -> Tensor:
    """Return the cross-entropy of logits *after* a change with the most likely class *before* it; equation 8.

    Both are ``(B, classes)``.
    """
    return functional.cross_entropy(after, before.argmax(dim=1))
