"""The rules on imports have no gap: files that break them are reported by ``lint-imports``.

The rules are the contracts in pyproject.toml; ``make check`` runs them on the real tree.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("src/underpaint", "lab/src/underpaint_lab")
#: Files that break a rule: path, content, and the line of the report that says so.
BREACHES = {
    "an unlisted module of the runtime": ("src/underpaint/unlisted.py", "", "- underpaint.unlisted"),
    "an unlisted module of the lab": ("lab/src/underpaint_lab/unlisted.py", "", "- underpaint_lab.unlisted"),
    "an import upwards in the runtime": (
        "src/underpaint/coding/upwards.py",
        "import underpaint.api\n",
        "- underpaint.coding.upwards -> underpaint.api (l.1)",
    ),
    "an import upwards in the lab": (
        "lab/src/underpaint_lab/nets/upwards.py",
        "import underpaint_lab.training.loop\n",
        "- underpaint_lab.nets.upwards -> underpaint_lab.training.loop (l.1)",
    ),
    "the runtime imports the lab": (
        "src/underpaint/methods/to_the_lab.py",
        "import underpaint_lab.nets.resnet\n",
        "-   underpaint.methods.to_the_lab -> underpaint_lab.nets.resnet (l.1)",
    ),
    "a paper imports another": (
        "lab/src/underpaint_lab/papers/basn/sideways.py",
        "import underpaint_lab.papers.robust.ours\n",
        "- underpaint_lab.papers.basn.sideways -> underpaint_lab.papers.robust.ours (l.1)",
    ),
}


def test_every_paper_is_in_the_contract_of_papers() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (papers,) = (rule["modules"] for rule in rules if rule["type"] == "independence")
    folder = ROOT / "lab/src/underpaint_lab/papers"
    assert set(papers) == {f"underpaint_lab.papers.{file.parent.name}" for file in folder.glob("*/__init__.py")}


def lint(folder: Path) -> tuple[int, str]:
    """Check the rules on the packages in *folder*; return the exit status and the report."""
    program = (
        "import sys; sys.path[:0] = ['src', 'lab/src']; from importlinter.cli import lint_imports; "
        "sys.exit(lint_imports(no_cache=True, no_logo=True))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of both packages, without models and pictures, and of the rules."""
    folder = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.onnx", "*.png")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_a_file_that_breaks_a_rule_is_reported(copy: Path) -> None:
    status, report = lint(copy)
    assert status == 0, report
    for path, content, _ in BREACHES.values():
        (copy / path).write_text(content, encoding="utf-8")
    status, report = lint(copy)
    assert status == 1
    assert "0 kept, 4 broken" in report
    unreported = [name for name, (_, _, line) in BREACHES.items() if line not in report]
    assert unreported == [], report
