"""Face templates: enrol, hide, recognise, restore; from Python and on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.run_cli import run
from underpaint import api, media
from underpaint.api import FacePayload
from underpaint.coding.template import cosine_similarity
from underpaint.errors import NotFoundError, TemplateError, UnderpaintError, UsageError
from underpaint.media import Picture, samples
from underpaint.models.face import template

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("cheap_keys")

CAT = media.read(samples.path("chelsea")).pixels
CUP = media.read(samples.path("coffee")).pixels
COVER = CUP[:256, 300:556]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cover, a face to hide, a gallery of two, and passphrases."""
    monkeypatch.chdir(tmp_path)
    media.write(Picture(COVER), "cover.png")
    media.write(Picture(CAT[20:280, 120:380]), "face.png")
    (tmp_path / "people" / "cat").mkdir(parents=True)
    for number, left in enumerate((110, 130)):
        media.write(Picture(CAT[20:280, left : left + 260]), f"people/cat/{number}.png")
    media.write(Picture(CUP[60:360, 150:450]), "people/cup.jpg")
    (tmp_path / "people" / "notes.txt").write_text("no picture")
    (tmp_path / "gate.txt").write_text("gate")
    (tmp_path / "auditor.txt").write_text("auditor")
    return tmp_path


def test_people_are_enrolled_in_a_gallery_file(folder: Path) -> None:
    people = api.enrolled("people")
    assert list(people) == ["cat", "cup"]
    assert api.enrol_files("people", "gallery.json") == ("cat", "cup")
    again = api.read_gallery("gallery.json")
    assert all(np.abs(again[name] - people[name]).max() < 0.07 for name in people)
    with pytest.raises(UsageError, match="there is a file already"):
        api.enrol_files("people", "gallery.json")
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match="there are no pictures in empty"):
        api.enrolled("empty")


def test_the_template_of_several_pictures_is_their_normalised_mean(folder: Path) -> None:
    both = [template(media.read(file).pixels) for file in sorted((folder / "people" / "cat").iterdir())]
    found = api.enrolled("people")["cat"]
    assert cosine_similarity(found, both[0] + both[1]) == pytest.approx(1, abs=1e-5)
    assert np.mean(found**2) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "underpaint gallery 1", "people": {"a": "AAAA"}}'])
def test_another_file_is_refused_as_a_gallery(folder: Path, text: str) -> None:
    (folder / "gallery.json").write_text(text)
    with pytest.raises(UsageError, match=r"gallery.json is no gallery"):
        api.read_gallery("gallery.json")


@pytest.mark.parametrize(
    ("container", "by", "named"),
    [
        ("sent.png", "basn", ()),
        ("sent.jpg", "robust", ()),
        ("sent.png", "miais", ("--method", "miais")),
        ("sent.webp", "stdm", ("--method", "stdm", "--quality", "90")),
    ],
)
def test_the_hidden_face_is_recognised(folder: Path, container: str, by: str, named: tuple[str, ...]) -> None:
    hidden = run(
        *("hide", "cover.png", "-o", container, "-i", "face.png", "--template", *named, "--passphrase-file", "gate.txt")
    )
    assert hidden.status == 0, hidden.stderr
    assert f"by {by} in {container}" in hidden.stderr
    found = run("recognise", container, "-g", "people", "--passphrase-file", "gate.txt")
    assert found.status == 0, found.stderr
    assert found.stdout.decode().splitlines()[0] == "it is cat"
    result = json.loads(run("recognise", container, "-g", "people", "--json", passphrase="gate").stdout)
    assert (result["name"], result["method"], list(result["scores"])) == ("cat", by, ["cat", "cup"])
    assert run("recognise", container, "-g", "people", passphrase="gates").status == 3
    assert run("recognise", container, "-g", "people").status == 3
    stranger = run("recognise", container, "-g", "people", "--threshold", "1", passphrase="gate")
    assert stranger.status == 3
    assert stranger.stdout.decode().startswith("no one in the gallery reaches the similarity threshold 1.00")


def test_a_template_is_not_revealed(folder: Path) -> None:
    for method in ("miais", "basn"):
        container = api.hide(COVER, FacePayload.read("face.png"), method=method, passphrase="gate")
        with pytest.raises(TemplateError, match=f"a face template is hidden here by {method}"):
            api.reveal(container, passphrase="gate")
        with pytest.raises(NotFoundError):
            api.reveal(container)


def test_a_second_passphrase_restores_the_picture(folder: Path) -> None:
    hidden = run(
        *("hide", "cover.png", "-o", "sent.png", "-i", "face.png", "--method", "miais"),
        *("--passphrase-file", "gate.txt", "--restorable", "auditor.txt"),
    )
    assert hidden.status == 0, hidden.stderr
    assert "the picture is restored at" in hidden.stderr
    found = run("recognise", "sent.png", "-g", "people", passphrase="gate")
    assert found.stdout.decode().splitlines()[0] == "it is cat"
    assert run("reveal", "sent.png", "-o", "back.png", passphrase="gate").status == 1, "only the auditor can"
    assert run("reveal", "sent.png", "-o", "back.png", passphrase="auditor").status == 0
    assert api.compare(media.read("face.png").pixels, media.read("back.png").pixels)["psnr"] > 34
    assert api.compare(COVER, media.read("sent.png").pixels)["psnr"] > 36


def test_one_passphrase_can_both_recognise_and_restore(folder: Path) -> None:
    container = api.hide(COVER, FacePayload.read("face.png", "both"), passphrase="both")
    assert api.recognise(container, api.enrolled("people"), passphrase="both").name == "cat"
    assert api.reveal(container, passphrase="both").kind == "picture"


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("hide cover.png -o sent.png -m hello --template", "a template needs a picture of a face"),
        (
            "hide cover.png -o sent.jpg -i face.png --restorable auditor.txt",
            "a restorable picture needs a lossless file",
        ),
        ("hide cover.png -o sent.png -i face.png --method basn --restorable auditor.txt", "is hidden by miais alone"),
        ("hide cover.png -o sent.png -i face.png --restorable auditor.txt --survive jpeg:75", "survives no channel"),
        ("hide cover.png -o sent.mp4 -i face.png --template", "a video takes no template"),
        ("recognise cover.png -g people --threshold 2", "must be -1–1"),
        ("recognise cover.png -g nowhere", "there is no gallery nowhere"),
        ("hide cover.png -o sent.png -i face.png --method miais --survive jpeg:75", "no quality or survival"),
        ("hide - -o sent.png -i face.png --restorable -", "standard input"),
        ("enrol people -o people/cup.jpg --force", "the output is the input"),
        ("enrol nowhere -o gallery.json", "no pictures in nowhere"),
    ],
)
def test_invalid_usage_is_refused_and_writes_nothing(folder: Path, words: str, match: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    outcome = run(*words.split())
    assert (outcome.status, match in outcome.stderr) == (2, True), outcome.stderr
    assert sorted(path.name for path in folder.iterdir()) == before


def test_without_a_second_passphrase_nothing_can_be_restored(folder: Path) -> None:
    """The environment variable is the passphrase for recognising, never the one for restoring."""
    hidden = run("hide", "cover.png", "-o", "sent.png", "-i", "face.png", "--template", "--json", passphrase="gate")
    result = json.loads(hidden.stdout)
    assert (result["method"], result["compression"]) == ("basn", None)
    assert run("reveal", "sent.png", "-o", "back.png", passphrase="gate").status == 1


def test_hidden_files_folders_and_broken_links_are_not_enrolled(folder: Path) -> None:
    (folder / "people" / ".cache").mkdir()
    (folder / "people" / ".cache" / "x.jpg").write_bytes(b"")
    (folder / "people" / "dir.jpg").mkdir()
    (folder / "people" / "lost.png").symlink_to("nowhere.png")
    assert list(api.enrolled("people")) == ["cat", "cup"]


def test_a_gallery_of_deeply_nested_json_is_refused(folder: Path) -> None:
    (folder / "deep.json").write_text("[" * 100_000)
    with pytest.raises(UsageError, match=r"deep.json is no gallery"):
        api.read_gallery("deep.json")


def test_names_that_cannot_be_printed_are_refused(folder: Path) -> None:
    api.enrol_files("people", "gallery.json")
    (folder / "gallery.json").write_text((folder / "gallery.json").read_text().replace("cup", "cup\\u001b"))
    with pytest.raises(UsageError, match="names that cannot be shown"):
        api.read_gallery("gallery.json")
    (folder / "people" / "red\x1b.png").write_bytes((folder / "cover.png").read_bytes())
    with pytest.raises(UsageError, match="cannot be shown"):
        api.enrolled("people")
    with pytest.raises(UsageError, match="no pictures in a folder without a name"):
        api.enrolled("")


def test_another_payload_and_an_empty_gallery_are_refused(folder: Path) -> None:
    container = api.hide(COVER, b"report", method="lsb")
    with pytest.raises(UnderpaintError, match="a file is hidden here by lsb"):
        api.recognise(container, api.enrolled("people"))
    with pytest.raises(UsageError, match="the gallery is empty"):
        api.recognise(container, {})
