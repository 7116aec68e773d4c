"""The commit that measurements note."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from underpaint_lab import provenance


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a module, a card and a page, in which :mod:`underpaint_lab.provenance` is taken to lie."""
    module = tmp_path / "lab" / "src" / "provenance.py"
    for file in (module, card(tmp_path), tmp_path / "docs" / "page.md"):
        file.parent.mkdir(parents=True)
        file.write_text("as committed\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "first")
    monkeypatch.setattr(provenance, "__file__", str(module))
    return tmp_path


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def card(root: Path) -> Path:
    return root / "src" / "models" / "zoo" / "robust" / "card.md"


def test_the_commit_is_marked_if_code_was_changed_after_it(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "--short=12", "HEAD")
    assert provenance.commit() == head
    for page in (card(checkout), checkout / "docs" / "page.md"):
        page.write_text("filled in after a measurement\n")
    assert provenance.commit() == head
    (checkout / "lab" / "src" / "new.py").write_text("changed\n")
    assert provenance.commit() == f"{head}+"


def test_the_commit_is_unknown_outside_a_checkout(checkout: Path) -> None:
    git(checkout, "rm", "-q", "--cached", "lab/src/provenance.py")  # as if installed inside another repository
    assert provenance.commit() == "unknown"
