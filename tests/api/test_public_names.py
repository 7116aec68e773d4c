"""The public names of the package: one list, imported on first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import underpaint
from underpaint import api, errors

#: A change of this list is a change of the public API: say so in the changelog.
PUBLIC = """
AmbiguousError Capacity CapacityError DamagedError Detection FacePayload Finding HideReport ImageError Inspection
JndReport MissingExtraError ModelError NotFoundError Payload PayloadError PictureCompression PicturePayload
Recognition Saving SurvivalError TemplateError UnderpaintError UsageError attack attack_file capacity capacity_file
compare compare_files detect detect_file enrol_files enrolled hide hide_file inspect inspect_file inspect_files jnd
jnd_file picture_as read_gallery recognise recognise_file reveal reveal_file revealed_name
"""


def test_the_public_names_are_these() -> None:
    assert underpaint.__all__ == PUBLIC.split()
    assert underpaint.__all__ is api.__all__


def test_every_public_name_is_an_attribute() -> None:
    assert set(underpaint.__all__) <= set(dir(underpaint))
    for name in underpaint.__all__:
        assert getattr(underpaint, name).__module__.startswith("underpaint.")


def test_a_public_name_is_looked_up_once() -> None:
    assert underpaint.hide is vars(underpaint)["hide"]


def test_every_error_is_public() -> None:
    assert {name for name, each in vars(errors).items() if isinstance(each, type)} <= set(underpaint.__all__)


def test_other_names_are_no_attributes() -> None:
    for name in ("nothing", "_nothing", "__nothing__", "media.nothing", "nothing.nothing", ""):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
            getattr(underpaint, name)


def modules_after(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_underpaint_imports_nothing_else() -> None:
    modules = modules_after("import underpaint")
    assert {name for name in modules if name.startswith("underpaint.")} == set()
    assert not {"numpy", "PIL", "typer"} & modules


def test_importing_a_module_does_not_import_the_api() -> None:
    assert "underpaint.api" not in modules_after("from underpaint import media")
