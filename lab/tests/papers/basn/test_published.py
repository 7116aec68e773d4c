"""BASN as published: operators compute what is printed or coded, each stage trains, bits go where they should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from underpaint import media
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.errors import CapacityError, ModelError, UsageError
from underpaint.media import samples
from underpaint_lab.benchmarks.lossless import published_basn
from underpaint_lab.benchmarks.lossless.published_basn import STRATEGIES
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.nets.resnet import ResNet18
from underpaint_lab.papers.basn import published
from underpaint_lab.papers.basn.nets import Autoencoder, ItcNet, MfdNet, Version, median_filter, variance_pool
from underpaint_lab.papers.basn.published import FUSIONS, RECIPES, BasnRecipe, Itc, Mfd, TuneItc
from underpaint_lab.training.loop import fit

TOY = BasnRecipe(steps=2, batch=2, crop=32, width=4, task_width=4)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small only lose time to more."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def photographs() -> Photographs:
    return Photographs("samples", [media.read(samples.path(name)).pixels for name in samples.names()])


def made(stage: str, recipe: BasnRecipe = TOY) -> Any:
    return RECIPES[f"basn-{stage}"].model(recipe)


def parts(model: Any, images: Tensor) -> tuple[str, dict[str, Tensor]]:
    (found,) = model.losses(images, 0, np.random.default_rng(0))
    return cast("tuple[str, dict[str, Tensor]]", found)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def by_window(images: Tensor, operator: Callable[[Any], Any]) -> Any:
    """*operator* of each 7×7 window, the picture mirrored at its borders, in plain NumPy."""
    padded = np.pad(images.numpy().astype(np.float64), ((0, 0), (0, 0), (3, 3), (3, 3)), mode="reflect")
    height, width = images.shape[2:]
    found = [[operator(padded[..., y : y + 7, x : x + 7]) for x in range(width)] for y in range(height)]
    return np.moveaxis(np.array(found), (0, 1), (2, 3))


def test_variance_pooling_is_the_variance_of_windows() -> None:
    images = torch.rand(2, 3, 12, 9)
    wanted = by_window(images, lambda window: window.var(axis=(-2, -1)))
    np.testing.assert_allclose(variance_pool(images).numpy(), wanted, atol=1e-6)
    assert variance_pool(torch.full((1, 3, 8, 8), 0.25)).abs().max() < 1e-6


def test_variance_pooling_is_not_as_printed() -> None:
    """The printed formula has the square of each row's mean, so that a picture of level stripes has no variance."""
    stripes = (torch.arange(12) % 2).float().view(1, 1, 12, 1).expand(1, 1, 12, 12)
    printed = by_window(stripes, lambda window: (window**2).mean((-2, -1)) - (window.mean(-1) ** 2).mean(-1))
    assert np.abs(printed).max() == 0
    np.testing.assert_allclose(variance_pool(stripes).numpy(), 12 / 49, atol=1e-6)


def test_the_smoother_is_the_median_of_windows() -> None:
    images = 3 * torch.rand(2, 3, 11, 8) - 1
    wanted = by_window(images, lambda window: np.median(window, axis=(-2, -1)))
    np.testing.assert_allclose(median_filter(images).numpy(), wanted.clip(0, 1), atol=1e-7)


@pytest.mark.parametrize(
    ("area", "itc", "mfd"),
    [
        *((0.001, 0, 0.936), (0.01, 0, 0.547), (0.05, 0.0002, None), (0.1, None, 0.107), (0.2, 0.015, 0.052)),
        *((0.347, None, 0.038), (0.5, 0.25, 0.049), (0.6, None, 0.071), (0.8, 0.7317, 0.224), (0.9, None, 0.466)),
        (1.0, 1.0, 1.06),
    ],
)
def test_penalties_have_the_values_of_their_formulas(area: float, itc: float | None, mfd: float | None) -> None:
    attention = torch.full((2, 3, 4, 5), area)
    if itc is not None:
        assert published.itc_penalty(attention).item() == pytest.approx(itc, abs=5e-4)
    if mfd is not None:
        assert published.mfd_penalty(attention).item() == pytest.approx(mfd, abs=1e-3 if area < 1 else 6e-3)


def test_the_penalty_for_little_attention_stays_finite() -> None:
    attention = torch.zeros(1, 3, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(published.mfd_penalty(attention), attention)
    assert gradient.isfinite().all()


def test_networks_have_the_published_layers() -> None:
    def conv(a: int, b: int) -> int:
        return 9 * a * b

    itc = conv(3, 32) + conv(32, 64) + conv(64, 32) + conv(32, 3) + (32 + 64 + 32 + 3) + 2 * (64 + 32)
    assert count(ItcNet()) == itc

    def residual(c: int) -> int:
        return 2 * (conv(c, c) + 2 * c)

    ends = conv(3, 64) + conv(64, 3)
    down = conv(64, 128) + conv(128, 256) + 2 * (128 + 256) + residual(128) + residual(256)
    up = conv(256, 128) + conv(128, 64) + 2 * (128 + 64) + residual(128) + residual(64)
    assert count(MfdNet(64, "paper")) == count(MfdNet(64, "paper", autoencoder=True)) == ends + down + up
    assert count(MfdNet(64, "code")) == ends + down + up + residual(64)
    deeper = conv(256, 512) + 2 * 512 + conv(512, 256) + 2 * 256 + 2 * 3 + residual(3) + conv(3, 3)
    assert count(Autoencoder(64)) == ends + down + up + residual(64) + deeper
    biased = [m for m in MfdNet(4).modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)) and m.bias is not None]
    assert biased == []


@pytest.mark.parametrize("build", [ItcNet, lambda: MfdNet(4), lambda: MfdNet(4, "paper"), lambda: Autoencoder(4)])
def test_attention_has_a_share_for_each_value(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)  # untrained weights can saturate the sigmoid
    found = build()(torch.rand(2, 3, 32, 48))
    assert found.shape == (2, 3, 32, 48)
    assert 0 < found.min() < found.max() < 1


def test_sides_that_cannot_be_halved_are_refused() -> None:
    for network, step in ((MfdNet(4), 8), (Autoencoder(4), 16)):
        with pytest.raises(UsageError, match=f"multiple of {step}, not 32×36"):
            network(torch.rand(1, 3, 32, 36))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"crop": 40}, "crop"), ({"width": 0}, "width"), ({"variance_weight": 2.0}, "variance_weight must be 0–1")],
)
def test_recipes_say_what_is_wrong(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        replace(TOY, **wrong)  # type: ignore[arg-type]


def test_the_published_protocol() -> None:
    told = {name: cast("BasnRecipe", RECIPES[f"basn-published-{name}"].recipe) for name in ("itc", "mfd", "tune-itc")}
    assert [recipe.batch for recipe in told.values()] == [32, 32, 16]
    assert [round(r.steps * r.batch / 1_281_167, 2) for r in told.values()] == [3, 5, 2]
    assert {(r.learning_rate, r.variance_weight, r.crop, r.decay, r.clip) for r in told.values()} == {
        (0.01, 0.99, 224, "constant", 0)
    }


def test_embedding_is_noise_in_the_bits_given_away() -> None:
    values = torch.arange(256).view(1, 1, 16, 16).expand(1, 3, -1, -1)
    for planes in range(9):
        attention = torch.full(values.shape, planes / 8)
        stego = 255 * published.simulate_embedding(values / 255, attention)
        torch.testing.assert_close(stego, stego.round(), atol=1e-3, rtol=0)
        stego = stego.round().long()
        assert torch.equal(stego >> planes, values >> planes)
        if planes:
            assert len((stego % 2**planes).unique()) > 0.9 * 2**planes


def test_gradients_pass_through_embedding_as_if_nothing_were_rounded() -> None:
    """S = (floor(x / p) p + noise) / 255 with p = 2^k: by p it grows by floor(x / p) - x / p, and p by ln 2 · p."""
    image, attention = torch.tensor([[[[200 / 255]]]]), torch.tensor([[[[0.4]]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(published.simulate_embedding(image, attention).sum(), attention)
    power = 2 ** round(8 * 0.4)
    wanted = (200 // power - 200 / power) * np.log(2) * power * 8 / 255
    assert gradient.item() == pytest.approx(wanted, rel=1e-4)


def test_fusions() -> None:
    itc, mfd = torch.tensor([0.2, 0.8]), torch.tensor([0.6, 0.5])
    assert FUSIONS["min"](itc, mfd).tolist() == pytest.approx([0.2, 0.5])
    assert FUSIONS["mean"](itc, mfd).tolist() == pytest.approx([0.4, 0.65])


def test_losses_are_those_of_the_equations(photographs: Photographs) -> None:
    images = photographs.batch(0, size=2, crop=32, seed=0)
    model = cast("Itc", made("itc"))
    attention = model.itc(images)
    mixed = attention * median_filter(images) + (1 - attention) * images
    _, found = parts(model, images)
    assert found["variance"].item() == pytest.approx(0.99 * variance_pool(mixed).mean().item(), rel=1e-4)
    assert found["area"].item() == pytest.approx(0.01 * published.itc_penalty(attention).item(), rel=1e-4)
    _, found = parts(made("mfd-auto"), images)
    auto = cast("Any", made("mfd-auto"))
    wanted = (auto.auto(images) - images).square().sum() / 2
    assert found["error"].item() == pytest.approx(wanted.item(), rel=1e-4)
    _, found = parts(made("mfd"), images)
    assert list(found) == ["features", "cover", "attention", "area"]
    assert all(0 < loss.item() < 1 for loss in found.values())


@pytest.mark.parametrize(("version", "power"), [("code", 2), ("paper", 1)])
def test_fine_tuning_differs_between_paper_and_code(version: Version, power: int, photographs: Photographs) -> None:
    images = photographs.batch(0, size=2, crop=32, seed=0)
    model = cast("TuneItc", made("tune-itc", replace(TOY, version=version)))
    model.train()
    torch.manual_seed(4)
    _, found = parts(model, images)
    torch.manual_seed(4)
    attention = model.itc(images)
    stego = published.simulate_embedding(images, (attention + model.mfd(images)) / 2)
    wanted = (model.itc(stego) - attention).abs().pow(power).mean() / 2
    assert found["reconstruction"].item() == pytest.approx(wanted.item(), rel=1e-3)


@pytest.mark.parametrize("version", ["code", "paper"])
def test_stages_follow_one_another(version: Version, photographs: Photographs, tmp_path: Path) -> None:
    """Each trains only its own network, begins with what the stages before it learned, and leaves the others alone."""
    torch.manual_seed(9)
    torch.save(ResNet18(classes=3, width=4).state_dict(), tmp_path / "resnet.pth")
    runs: Any = {"auto": f"{tmp_path / 'mfd-auto'}", "itc": f"{tmp_path / 'itc'}", "mfd": f"{tmp_path / 'mfd'}"}
    recipe = replace(TOY, version=version, task=str(tmp_path / "resnet.pth"), **runs)
    done: dict[str, dict[str, Tensor]] = {}
    for stage in ("itc", "mfd-auto", "mfd", "tune-itc", "tune-mfd"):
        if stage == "tune-mfd":
            recipe = replace(recipe, itc=str(tmp_path / "tune-itc"))
        entry = RECIPES[f"basn-{stage}"]
        model = cast("Any", entry.model(recipe))
        if entry.inherit:
            entry.inherit(model)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        fit(model, photographs, tmp_path / stage, accelerator="cpu", progress=False)
        done[stage] = model.state_dict()
        trained = {"itc": "itc", "mfd-auto": "auto", "mfd": "mfd", "tune-itc": "itc", "tune-mfd": "mfd"}[stage]
        for name, value in done[stage].items():
            if not name.startswith(f"{trained}."):
                assert torch.equal(value, before[name]), f"{stage} has changed {name}"
        assert any(not torch.equal(value, before[name]) for name, value in done[stage].items())
        for name, value in before.items():
            earlier = {
                "mfd": done["mfd-auto"] if version == "paper" and "encoder" in name else {},
                "tune-itc": done["itc"] if name.startswith("itc.") else done.get("mfd", {}),
                "tune-mfd": done.get("tune-itc", {}),
            }.get(stage, {})
            source = name.replace("mfd.encoder", "auto.encoder") if stage == "mfd" else name
            if source in earlier:
                assert torch.equal(value, earlier[source]), f"{stage} has not begun with {name}"
    official = torch.load(tmp_path / "resnet.pth", weights_only=True)
    assert torch.equal(done["tune-mfd"]["task.layer2.1.conv2.weight"], official["layer2.1.conv2.weight"])


def test_the_task_network_may_come_from_a_run(photographs: Photographs, tmp_path: Path) -> None:
    model = cast("Mfd", made("mfd", replace(TOY, task=str(tmp_path))))
    with pytest.raises(ModelError, match="there is no checkpoint"):
        model.inherit()

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recipe = replace(TOY, steps=1)
            self.network = ResNet18(classes=3, width=4)

        def losses(self, images: Tensor, *_: object) -> Any:
            yield "network", {"odds": self.network(images).mean()}

    classifier = Classifier()
    fit(classifier, photographs, tmp_path, accelerator="cpu", progress=False)
    model.inherit()
    taken, given = (network.state_dict()["layer2.1.conv2.weight"] for network in (model.task, classifier.network))
    assert torch.equal(taken, given)
    with pytest.raises(ModelError, match="of another network"):
        cast("Mfd", made("mfd", replace(TOY, task=str(tmp_path), task_width=8))).inherit()


@pytest.mark.parametrize("stage", ["itc", "mfd-auto", "mfd", "tune-itc", "tune-mfd"])
def test_losses_fall(stage: str, photographs: Photographs) -> None:
    torch.manual_seed(0)
    model = made(stage).train()
    images = photographs.batch(0, size=4, crop=32, seed=0)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=3e-3)
    losses = []
    for _ in range(12):
        _, found = parts(model, images)
        loss = torch.stack(list(found.values())).sum()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.95 * np.mean(losses[:2])


def test_attention_of_a_picture_repeats_itself() -> None:
    itc, mfd = ItcNet().eval(), MfdNet(4).eval()
    pixels = media.read(samples.path(samples.names()[0])).pixels[:64, :72]
    found = {fusion: published.attention(itc, mfd, fusion, pixels) for fusion in FUSIONS}  # type: ignore[arg-type]
    assert all(one.shape == pixels.shape and one.min() > 0 and one.max() < 1 for one in found.values())
    assert (found["min"] <= found["mean"]).all()
    np.testing.assert_array_equal(found["min"], published.attention(itc, mfd, "min", pixels))


# Where bits go


def drawn(seed: int, height: int = 6, width: int = 5) -> tuple[Any, Any]:
    """A picture, and how many bits each of its values may take."""
    rng = np.random.default_rng(seed)
    attention = rng.random((height, width, 3))
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8), published_basn.allowed(attention)


def key(fill: int) -> Key:
    return Key(bytes([fill]) * KEY_SIZE)


def test_eight_times_attention_is_rounded_half_to_even() -> None:
    attention = np.array([0, 0.5 / 8, 1.5 / 8, 2.5 / 8, 0.99, 1]).reshape(1, 2, 3)
    assert published_basn.allowed(attention).flatten().tolist() == [0, 0, 2, 2, 8, 8]


def test_bits_fill_a_value_from_above_and_leave_masked_ones_alone() -> None:
    cover = np.zeros((1, 2, 3), np.uint8)
    k = np.zeros_like(cover)
    k[0, 0, 0], k[0, 1, 0], k[0, 0, 1] = 4, 2, 8
    bits = np.array([1, 0, 1, 1, 1, 1, 1, 0], np.uint8)
    # Red of both pixels comes before green: planes 3, 2, 1; then plane 1; then planes 7, 6, … of green.
    stego = published_basn.embed(cover, k, 1, bits)
    assert [stego[0, 0, 0], stego[0, 1, 0], stego[0, 0, 1]] == [0b1010, 0b10, 0b11100000]
    assert np.count_nonzero(stego) == 3
    np.testing.assert_array_equal(published_basn.extract(stego, k, 1, 8), bits)


def test_the_last_byte_is_dropped() -> None:
    k = np.full((1, 2, 3), 4, np.uint8)
    assert [published_basn.room(k, masked) for masked in (0, 1, 2, 3, 4)] == [2, 2, 1, 0, 0]


@given(seed=st.integers(0, 2**32), masked=st.integers(0, 3), keyed=st.booleans())
def test_equal_attention_gives_bits_back(seed: int, masked: int, keyed: bool) -> None:
    cover, k = drawn(seed)
    room = 8 * published_basn.room(k, masked)
    bits = np.random.default_rng(seed).integers(0, 2, room // 2 if keyed else room, dtype=np.uint8)
    source = key(1) if keyed else None
    stego = published_basn.embed(cover, k, masked, bits, source)
    received = published_basn.extract(stego, k, masked, len(bits) if keyed else None, source)
    np.testing.assert_array_equal(received, bits)
    assert np.array_equal(stego >> k, cover >> k), "a bit above"
    below = (1 << np.minimum(masked, k)) - 1
    assert np.array_equal(stego & below, cover & below), "a masked bit"
    assert published_basn.outcome(bits, received, k, k, masked) == (len(bits), 0, 0)


def test_another_key_reads_something_else() -> None:
    cover, k = drawn(0, 40, 40)
    bits = np.random.default_rng(1).integers(0, 2, 2000, dtype=np.uint8)
    stego = published_basn.embed(cover, k, 1, bits, key(1))
    wrong = published_basn.extract(stego, k, 1, len(bits), key(2)) != bits
    assert 0.4 < wrong.mean() < 0.6
    assert np.abs(np.nonzero((stego != cover).any(axis=(1, 2)))[0].mean() - 19.5) < 2, "over the whole picture"


@pytest.mark.parametrize("source", [None, key(3)])
def test_one_value_of_another_k_ruins_what_follows(source: Key | None) -> None:
    """What BSER does not tell: a single bit too many, and half of the message is wrong."""
    cover, k = drawn(0, 60, 60)
    k = np.clip(k, 2, 7)
    bits = np.random.default_rng(1).integers(0, 2, 8 * published_basn.room(k, 1), dtype=np.uint8)
    stego = published_basn.embed(cover, k, 1, bits, source)
    other = k.copy()
    other[0, 0, 0] += 1
    received = published_basn.extract(stego, other, 1, len(bits), source)
    found = published_basn.outcome(bits, received, k, other, 1)
    assert found.bser == 1 / len(bits)
    assert 0.4 < found.ber < 0.55


def test_missing_bits_are_wrong_bits() -> None:
    k = np.full((2, 2, 3), 4, np.uint8)
    sent = np.ones(20, np.uint8)
    assert published_basn.outcome(sent, sent[:15], k, k - 1, 1) == (20, 12 / 20, 5 / 20)


def test_too_many_bits_are_refused() -> None:
    cover, k = drawn(0)
    with pytest.raises(CapacityError, match="do not fit"):
        published_basn.embed(cover, k, 1, np.zeros(10_000, np.uint8))


def test_there_are_the_rows_of_the_table() -> None:
    assert len(STRATEGIES) == 8
    for name, strategy in STRATEGIES.items():
        fusion, _, masked, *straddled = name.split("-")
        assert (fusion.lower(), int(masked)) == (strategy.fusion, strategy.masked)
        assert strategy.payload == (float(straddled[1]) if straddled else None)
        assert strategy.fusion in FUSIONS
