"""Tensor names of torchvision's networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def resnet18_names() -> Iterator[str]:
    """Yield the names of the tensors of torchvision's ``resnet18``."""

    def norm(name: str) -> list[str]:
        return [f"{name}.{kind}" for kind in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]

    yield from ("conv1.weight", *norm("bn1"))
    for layer in range(1, 5):
        for block in range(2):
            at = f"layer{layer}.{block}"
            for number in (1, 2):
                yield from (f"{at}.conv{number}.weight", *norm(f"{at}.bn{number}"))
            if layer > 1 and not block:
                yield from (f"{at}.downsample.0.weight", *norm(f"{at}.downsample.1"))
    yield from ("fc.weight", "fc.bias")
