"""Presets: names for chains that pictures pass in practice.

Services change their processing without notice, and differ by app and device. The chains are what is documented or
measured publicly, rounded to the stronger compression; they are examples, not guarantees.
"""

from __future__ import annotations

from typing import NamedTuple


class Preset(NamedTuple):
    """A named chain."""

    #: Chain in its canonical form. JPEG is 4:2:0 unless it says otherwise.
    chain: str
    #: Origin of the numbers, a clause in Markdown.
    source: str


#: All presets by name.
PRESETS = {
    "whatsapp": Preset(
        "fit:1600 | jpeg:60",
        "standard quality: at most 1,600 pixels; qualities of 50 to 80 are reported, and depend on app and picture",
    ),
    "telegram": Preset(
        "fit:1280 | jpeg:80",
        "sent as a photo: 1,280 pixels, quality 80 in older sources of the Android app (later 87)",
    ),
    "instagram": Preset(
        "fit:1080 | sharpen:amount=0.8 | jpeg:75",
        "1,080 pixels; qualities of 70 to 80 are reported; the sharpening stands for that of the scaling",
    ),
    "x": Preset(
        "fit:2048 | jpeg:85",
        "quality 85, announced by Twitter in 2018; the size `large` has 2,048 pixels, the stored one 4,096",
    ),
    "email": Preset(
        "fit:1024 | jpeg:75",
        "Outlook reduces large attached pictures to 1,024 pixels; 75 is the usual quality of JPEG encoders",
    ),
    "thumbnail": Preset(
        "fit:320 | sharpen:0.4 | jpeg:80",
        "MediaWiki: 320 pixels, `-sharpen 0x0.4` of ImageMagick, quality 80, 4:2:0",
    ),
    "photo": Preset(
        "perspective:0.02 | blur:1 | noise:0.02 | gamma:1.2 | moire | jpeg:75",
        "photograph of a screen, simulated: a model of this project, no measurement",
    ),
}
