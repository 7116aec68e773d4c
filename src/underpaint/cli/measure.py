"""``underpaint capacity | attack | compare | inspect``."""

from __future__ import annotations

from typing import Annotated

import typer

from underpaint.cli.messages import complain, counted, noticed, print_json, verdict, warn
from underpaint.cli.options import ContainerIn, CoverIn, Force, Json  # noqa: TC001  # typer reads annotations
from underpaint.cli.terminal import check_streams
from underpaint.errors import UnderpaintError


def capacity(
    cover: CoverIn,
    map_: Annotated[
        str | None, typer.Option("--map", metavar="MAP", help="Picture to write of where basn hides what leaves 44 dB.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Say what fits into a picture, by each method."""
    from dataclasses import asdict

    from underpaint import api
    from underpaint.methods import METHODS

    found = api.capacity_file(cover, map_, force=force)
    if json:
        print_json({name: asdict(each) for name, each in found.items()})
        return
    for name, each in found.items():
        print(f"{name:14}{counted(each.payload_bytes):>17} at {each.psnr:.0f} dB   {METHODS[name].summary}")


def attack(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="Picture file, or '-'.")],
    chain: Annotated[str, typer.Argument(metavar="CHAIN", help="Such as 'jpeg:50 | resize:0.5'.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="OUT", help="File to write; '-' writes PNG.")],
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of what is random in the chain.")] = 0,
    force: Force = False,
) -> None:
    """Do to a picture what may happen to it on its way."""
    from underpaint import api

    check_streams(output, image)
    warn(api.attack_file(image, chain, output, seed=seed, force=force))


def compare(cover: CoverIn, container: ContainerIn, json: Json = False) -> None:
    """Say how far two pictures lie apart."""
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
    print(f"machine  {noticed(found['machine'])}")


def inspect(
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURE…", help="Picture files, folders, or '-'.")],
    json: Json = False,
) -> None:
    """Say what detectors of hidden data make of pictures."""
    from dataclasses import asdict

    from underpaint import api
    from underpaint.steganalysis.detectors import BLIND

    check_streams("", *pictures)
    inspected, failed = [], []
    for picture, found in api.inspect_files(pictures):
        if isinstance(found, UnderpaintError):
            complain(str(found), found.hint)
            failed.append({"picture": picture, "error": str(found), "hint": found.hint})
            continue
        warn([f"{picture}: {warning}" for warning in found.warnings])
        inspected.append(asdict(found))
        if not json:
            print(*verdict(picture, found.findings), sep="\n")
    if json:
        print_json({"pictures": inspected, "failed": failed, "blind": BLIND})
    elif inspected:
        print(BLIND)
    if failed:
        raise typer.Exit(1)
