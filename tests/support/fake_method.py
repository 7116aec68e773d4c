"""A method whose answers a test chooses."""

from __future__ import annotations

from underpaint.errors import UnderpaintError
from underpaint.types import Capacity, Channel, Image, Payload


class FakeMethod:
    """Hides nothing, and reveals the *answers* one after the other, the last one again and again."""

    name = "fake"
    summary = "for tests"
    default_survive = "jpeg:50"

    def __init__(self, *answers: Payload | UnderpaintError, needs_lossless: bool = False) -> None:
        self.answers, self.needs_lossless = list(answers), needs_lossless

    def capacity(self, _cover: Image) -> Capacity:
        return Capacity(1, 50.0)

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        return cover

    def holds(self, image: Image, passphrase: str | None) -> bool:
        return False

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Payload):
            return answer
        raise answer
