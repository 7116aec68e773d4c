"""Content and size of the wheel ``underpaint``: its files, its models, and nothing of the lab."""

from __future__ import annotations

import tomllib
import zlib

from support.package_files import LIST, PACKAGE, ROOT, package_files

MODELS = (
    "basn",
    "classifier-mixer",
    "classifier-mobile",
    "classifier-resnet",
    "classifier-vgg",
    "detector",
    "dmvjnd",
    "miais",
    "miais-teacher",
    "pixinpix",
)
#: In bytes: of the wheel, whose files are compressed one by one, and of all installed models.
MAX_WHEEL_SIZE, MAX_MODELS_SIZE = 15_000_000, 40_000_000
#: Name and index entry of a file in the wheel, on average.
OVERHEAD = 250


def test_the_package_has_the_listed_files() -> None:
    hint = f"after adding or removing files: python {LIST.parents[1].name}/support/package_files.py"
    assert package_files() == LIST.read_text(encoding="utf-8").split(), hint


def test_the_models_are_those_that_a_command_needs() -> None:
    assert sorted(path.name for path in (PACKAGE / "models" / "zoo").iterdir()) == list(MODELS)
    lab = {path.name for path in (ROOT / "lab" / "src" / "underpaint_lab" / "zoo").iterdir()}
    assert lab
    assert lab.isdisjoint(MODELS)


def test_only_modules_models_and_samples_are_packaged() -> None:
    kinds = {name.rpartition(".")[2] for name in package_files()}
    assert kinds == {"py", "onnx", "md", "png", "typed"}


def test_wheel_and_models_are_small() -> None:
    files = [PACKAGE / name for name in package_files()]
    assert sum(len(zlib.compress(path.read_bytes())) + OVERHEAD for path in files) <= MAX_WHEEL_SIZE
    assert sum(path.stat().st_size for path in files if path.suffix == ".onnx") <= MAX_MODELS_SIZE


def test_the_wheel_needs_no_library_of_the_lab() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = " ".join(project["project"]["dependencies"])
    assert not any(name in needed for name in ("torch", "lightning", "scikit", "underpaint-lab"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["src/underpaint"]


def test_the_top_level_has_at_most_thirteen_packages_and_modules() -> None:
    names = {name.split("/")[0] for name in package_files()} - {"py.typed"}
    assert len(names) <= 13
