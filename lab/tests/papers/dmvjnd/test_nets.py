"""DMV-JND's networks and the panel of classifiers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lab_support.jnd import pictures
from underpaint_lab.nets.cifar_classifiers import NETWORKS, WithCam
from underpaint_lab.nets.classifiers import CLASSIFIERS
from underpaint_lab.papers.dmvjnd.nets import EncoderDecoder, JndGenerator, Panel


def test_the_published_network_has_the_published_shape() -> None:
    network = EncoderDecoder().eval()
    shapes = [tuple(layer.weight.shape) for layer in network.layers if isinstance(layer, nn.Conv2d)]
    assert shapes == [(64, 4, 3, 3), (128, 64, 3, 3), (256, 128, 3, 3), (64, 256, 3, 3), (3, 64, 3, 3)]
    up = [tuple(layer.weight.shape) for layer in network.layers if isinstance(layer, nn.ConvTranspose2d)]
    assert up == [(64, 256, 2, 2), (256, 128, 2, 2), (128, 64, 2, 2)]
    with torch.inference_mode():
        change = network(2 * pictures() - 1, torch.rand(4, 1, 32, 32))
    assert change.shape == (4, 3, 32, 32)
    assert change.abs().max() <= 1


def test_direction_depends_on_every_input() -> None:
    torch.manual_seed(0)
    network = JndGenerator(8, 2).eval()
    images, attention, answers = torch.rand(2, 3, 36, 48), torch.rand(2, 1, 36, 48), torch.randn(2, 8)
    levels, first, second = torch.full((2, 1), 10.0), *torch.eye(8)[:2, None].expand(2, 2, 8)
    with torch.inference_mode():
        direction, promises = network(images, attention, answers, levels, first)
        assert direction.shape == images.shape
        assert promises.shape == (2, 8)
        others = [
            network(1 - images, attention, answers, levels, first)[0],
            network(images, 1 - attention, answers, levels, first)[0],
            network(images, attention, -answers, levels, first)[0],
            network(images, attention, answers, 2 * levels, first)[0],
        ]
        down, same = network(images, attention, answers, levels, second)
    assert all((direction - other).abs().max() > 1e-4 for other in others)
    assert down.mean() < 0 < direction.mean(), "ways begin with different directions"
    assert torch.equal(promises, same), "promises do not depend on the way"


def test_patterns_are_weighted_by_the_probability_of_their_answer() -> None:
    network = JndGenerator(4, 2).eval()
    with torch.no_grad():
        network.patterns.copy_(torch.arange(4.0)[:, None, None, None].expand_as(network.patterns))
        network.patterns[:, :, 0] = 9
        network.loudness.weight.zero_()
        network.loudness.bias.zero_()
        pattern = network.pattern(torch.tensor([[50.0, 0.0, 0.0, 50.0]]), torch.zeros(1, 64), 40, 36)
    assert pattern.shape == (1, 3, 40, 36)
    assert pattern[0, 0, 1].tolist() == pytest.approx([0 + 3] * 36), (
        "first answer of the first classifier, second of the second"
    )
    assert pattern[0, 0, 32].tolist() == pytest.approx([18] * 36), "repeated"


def test_panel_concatenates_logits_and_averages_attention() -> None:
    members = [NETWORKS[name](10).eval() for name in ("vgg", "plain")]
    both, images = Panel(members), pictures()
    with torch.inference_mode():
        logits, attention = both(images)
        assert torch.equal(logits, torch.cat([each(images) for each in members], dim=1))
        torch.testing.assert_close(attention, (WithCam(members[0])(images)[1] + WithCam(members[1])(images)[1]) / 2)
        assert torch.equal(both.logits(1, images), logits[:, 10:])
    assert both.answers == 20
    assert not any(parameter.requires_grad for parameter in both.parameters())


@pytest.mark.parametrize("name", ["mixer", "resnet"])
def test_panel_accepts_classifiers_of_photographs(name: str) -> None:
    classifier = CLASSIFIERS[name](5).eval()
    with torch.inference_mode():
        logits, attention = Panel([classifier])(pictures())
        torch.testing.assert_close(logits, classifier(pictures()))
    assert attention.shape == (4, 1, 32, 32)
    assert attention.amin() >= 0
    assert attention.amax() <= 1
