"""Output files: their format, and what they must not overwrite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from underpaint.errors import UsageError
from underpaint.media import check_target, target_format


def test_the_extension_names_the_format_and_standard_output_takes_png() -> None:
    assert [target_format(name) for name in ("a.png", "b.JPG", Path("c.webp"), "-")] == ["png", "jpeg", "webp", "png"]
    with pytest.raises(UsageError, match="no picture format"):
        target_format("a.txt")


def test_a_new_file_a_folder_and_standard_output_may_be_written(tmp_path: Path) -> None:
    source = tmp_path / "source.png"
    source.write_bytes(b"picture")
    for target in (tmp_path / "new.png", tmp_path, "-"):
        check_target(target, source)
    check_target(source, "-", force=True)


def test_an_existing_file_is_replaced_only_if_forced(tmp_path: Path) -> None:
    (tmp_path / "old.png").write_bytes(b"picture")
    with pytest.raises(UsageError, match="there is a file already") as caught:
        check_target(tmp_path / "old.png")
    assert caught.value.hint == "--force replaces it"
    check_target(tmp_path / "old.png", tmp_path / "other.png", force=True)


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_source_is_never_overwritten_under_another_name(tmp_path: Path, link: Any) -> None:
    (tmp_path / "source.png").write_bytes(b"picture")
    link(tmp_path / "other.png", tmp_path / "source.png")
    for target in ("source.png", "other.png", "../" + tmp_path.name + "/source.png"):
        with pytest.raises(UsageError, match="the output is the input"):
            check_target(tmp_path / target, tmp_path / "first.png", tmp_path / "source.png", force=True)
