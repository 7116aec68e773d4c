"""Commands ``underpaint capacity | attack | compare | inspect``."""

from __future__ import annotations

from typing import Annotated

import typer

from underpaint.cli.messages import (
    describe_classifiers,
    describe_findings,
    format_bytes,
    print_error,
    print_json,
    warn,
)
from underpaint.cli.options import (  # noqa: TC001  # typer reads annotations
    Force,
    ImageContainerIn,
    ImageCoverIn,
    ImageIn,
    Json,
)
from underpaint.cli.terminal import check_streams
from underpaint.errors import UnderpaintError


def capacity(
    cover: ImageCoverIn,
    map_: Annotated[
        str | None, typer.Option("--map", metavar="MAP", help="Write the capacity map of basn at 44 dB as an image.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """List the capacity of a cover for each method."""
    from dataclasses import asdict

    from underpaint import api
    from underpaint.methods import METHODS
    from underpaint.models import INSTALL_HINT

    found = api.capacity_file(cover, map_, force=force)
    if json:
        print_json({name: asdict(each) for name, each in found.items()})
        return
    for name, method in METHODS.items():
        if name not in found:
            print(f"{name:14}needs ONNX Runtime: {INSTALL_HINT}")
            continue
        each = found[name]
        held = f"{format_bytes(each.payload_bytes):>17} at {each.psnr:.0f} dB"
        print(f"{name:14}{held if each.payload_bytes else 'holds nothing in this picture':26}   {method.summary}")


def attack(
    image: ImageIn,
    chain: Annotated[str, typer.Argument(metavar="CHAIN", help="Channels, such as 'jpeg:50 | resize:0.5'.")],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="OUT", help="File to write; '-' writes PNG to standard output.")
    ],
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of random channels.")] = 0,
    force: Force = False,
) -> None:
    """Distort an image as a chain of channels would."""
    from underpaint import api

    check_streams(output, image)
    warn(api.attack_file(image, chain, output, seed=seed, force=force))


def compare(cover: ImageCoverIn, container: ImageContainerIn, json: Json = False) -> None:
    """Measure the difference of two images, as metrics and as labels of classifiers."""
    from underpaint import api

    check_streams("", cover, container)
    found = api.compare_files(cover, container)
    if json:
        print_json(found)
        return
    ms_ssim = found["ms_ssim"]
    print(f"PSNR     {found['psnr']:.2f} dB")
    print(f"SSIM     {found['ssim']:.4f}")
    print("MS-SSIM  needs a larger picture" if ms_ssim is None else f"MS-SSIM  {ms_ssim:.4f}")
    print(f"APD      {found['apd']:.3f}")
    print(f"changed  {found['changed']:.1%} of the values, by at most {found['largest']:.0f}")
    if found["visible"] is not None:
        print(f"blocks   {found['visible']:.1%} visibly changed, the worst hundredth at {found['local_psnr']:.2f} dB")
    print(f"machine  {describe_classifiers(found['machine'])}")


def inspect(
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURE…", help="Image files, folders, or '-'.")],
    json: Json = False,
) -> None:
    """Search images for hidden data with steganalysis detectors."""
    from dataclasses import asdict

    from underpaint import api
    from underpaint.steganalysis.detectors import BLIND

    check_streams("", *pictures)
    inspected, failed = [], []
    for picture, found in api.inspect_files(pictures):
        if isinstance(found, UnderpaintError):
            print_error(str(found), found.hint)
            failed.append({"picture": picture, "error": str(found), "hint": found.hint})
            continue
        warn([f"{picture}: {warning}" for warning in found.warnings])
        inspected.append(asdict(found))
        if not json:
            print(*describe_findings(picture, found.findings), sep="\n")
    if json:
        print_json({"pictures": inspected, "failed": failed, "blind": BLIND})
    elif inspected:
        print(BLIND)
    if failed:
        raise typer.Exit(1)
