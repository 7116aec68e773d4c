"""Steganography and watermarking: hide data in images and videos, and measure who could notice and what it survives.

::

    container = underpaint.hide(cover, "meet me at noon", passphrase="…")     # uint8 (H, W, 3) arrays
    underpaint.reveal(container, passphrase="…").text
    underpaint.hide_file("cover.png", "container.jpg", "meet me at noon")     # files

The public names are those of ``underpaint.api.__all__``.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from underpaint.api import *  # noqa: F403
    from underpaint.api import __all__ as __all__

__version__ = "0.1.0"


if not TYPE_CHECKING:  # a type checker knows every name from above, and still reports a misspelt one

    def __getattr__(name: str) -> object:
        """Import a public name where it is first used, so that ``import underpaint`` itself is fast."""
        public = name == "__all__" or (name.isidentifier() and not name.startswith("_"))
        if public and find_spec(f"{__name__}.{name}") is None:  # the import system asks here for modules, too
            api = import_module(f"{__name__}.api")
            if name == "__all__" or name in api.__all__:
                return globals().setdefault(name, getattr(api, name))
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})
