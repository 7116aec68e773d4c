"""Two messages with different passphrases in one picture: each owner reads the own one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from underpaint import api
from underpaint.errors import NotFoundError
from underpaint.media import samples

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("cheap_keys")
def test_each_owner_reads_the_own_message_and_another_passphrase_nothing(tmp_path: Path) -> None:
    cover, first, second = samples.path("coffee"), tmp_path / "first.png", tmp_path / "second.png"
    api.hide_file(cover, first, "first owner", passphrase="a")
    api.hide_file(first, second, "second owner", passphrase="b")
    assert api.reveal_file(second, passphrase="a")[0].text == "first owner"
    assert api.reveal_file(second, passphrase="b")[0].text == "second owner"
    with pytest.raises(NotFoundError) as another:
        api.reveal_file(second, passphrase="c")
    with pytest.raises(NotFoundError) as unmarked:
        api.reveal_file(cover, passphrase="c")
    assert (str(another.value), another.value.hint) == (str(unmarked.value), unmarked.value.hint)
