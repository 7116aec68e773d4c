"""ResNet-18 with torchvision's tensor names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lab_support.torchvision_names import resnet18_names
from underpaint.errors import ModelError
from underpaint_lab.nets.resnet import MEAN, STD, ResNet18, normalise_imagenet, resnet18


def test_tensors_have_torchvisions_names_and_shapes() -> None:
    network = ResNet18()
    state = network.state_dict()
    assert list(state) == list(resnet18_names())
    assert len(state) == 122
    assert sum(parameter.numel() for parameter in network.parameters()) == 11_689_512, "as torchvision documents"
    shapes = {"conv1.weight": (64, 3, 7, 7), "layer4.0.downsample.0.weight": (512, 256, 1, 1), "fc.weight": (1000, 512)}
    assert {name: tuple(state[name].shape) for name in shapes} == shapes


def test_width_and_classes_follow_from_the_weights(tmp_path: Path) -> None:
    network = ResNet18(classes=7, width=8).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    images = torch.rand(2, 3, 40, 56)
    with torch.inference_mode():
        assert torch.equal(resnet18(tmp_path / "weights.pth")(images), network(images))
        assert network.features(images).shape == (2, 16, 5, 7)


@pytest.mark.parametrize("content", [None, b"no weights", {"fc.weight": torch.ones(3, 4)}, {"fc.weight": Path()}])
def test_files_without_resnet_weights_are_refused(tmp_path: Path, content: object) -> None:
    file = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content:
        torch.save(content, file)
    with pytest.raises(ModelError, match="no weights of a ResNet-18") as raised:
        resnet18(file)
    assert "torchvision" in str(raised.value.hint)


def test_colours_are_normalised_by_imagenets_mean_and_deviation() -> None:
    images = torch.rand(2, 3, 4, 5)
    wanted = (images.permute(0, 2, 3, 1) - torch.tensor(MEAN)) / torch.tensor(STD)
    torch.testing.assert_close(normalise_imagenet(images), wanted.permute(0, 3, 1, 2))
