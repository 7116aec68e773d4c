"""Choice of the method: which ones are tried for a payload, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from underpaint.api.machine_safe import TOLERANT_METHODS
from underpaint.channels import parse
from underpaint.errors import CapacityError, SurvivalError, UsageError
from underpaint.media import FORMATS
from underpaint.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from underpaint.api.payloads import PayloadSource
    from underpaint.channels import Chain
    from underpaint.media import Picture
    from underpaint.methods import Method
    from underpaint.types import PayloadKind

Result = TypeVar("Result")

#: Methods for each kind of payload, in the order they are tried. A message should survive; a file should change the
#: cover least, or else fit; a picture should leave the container its quality, or else survive.
DEFAULT_METHODS: dict[PayloadKind, tuple[str, ...]] = {
    "text": ("robust", "stdm"),
    "file": ("basn", "lsb"),
    "template": ("basn", "robust"),
    "picture": ("basn", "robust-picture"),
}
#: Methods for a file that has to survive a channel or a lossy container: the smallest change first.
SURVIVING_METHODS = ("robust", "stdm", "robust-picture")
#: The exact method that holds most.
EXACT_METHOD = "lsb"


def methods_for(picture: Picture) -> list[Method]:
    """Return the methods by which *picture* may hold a payload.

    Methods for lossless containers are left out for a lossy file format, which saves the time of deriving their keys.
    """
    return [method for method in METHODS.values() if FORMATS[picture.format].lossless or not method.needs_lossless]


def method_named(name: str) -> Method:
    """Return the method of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in METHODS:
        raise UsageError(f"no method is called '{name}'", hint=f"the methods are {', '.join(METHODS)}")
    return METHODS[name]


def candidates(
    payload: PayloadSource,
    method: str | None,
    survive: str | Chain | None,
    *,
    machine_safe: bool = False,
    lossy: bool = False,
) -> list[Method]:
    """Return the methods to try for *payload*, in order.

    Without *method* these are :data:`DEFAULT_METHODS`. ``stdm``, which changes less, comes first if all channels of
    *survive* leave pixels in their place. Methods that need a lossless container are left out if there is a *survive*,
    or if the container is *lossy*; a file then takes :data:`SURVIVING_METHODS`.

    Args:
        payload: payload to hide.
        method: key of :data:`underpaint.methods.METHODS`; None for the default.
        survive: channels that the payload must survive; None for the method's own.
        machine_safe: take the methods that can embed where classifiers tolerate changes.
        lossy: True if the container is written in a lossy format.

    Raises:
        UsageError: no such method or channel, or one that cannot hide a restorable picture.
    """
    methods = TOLERANT_METHODS if machine_safe else METHODS
    if payload.only_method is not None:
        if method not in (None, payload.only_method) or survive is not None:
            only = payload.only_method
            raise UsageError(f"a restorable picture is hidden by {only} alone, and survives no channel")
        method = payload.only_method
    if method is not None:
        return [methods[method_named(method).name]]
    chain = parse(survive) if isinstance(survive, str) else survive
    names = DEFAULT_METHODS[payload.kind]
    if chain is not None and not chain.geometric:
        names = tuple(sorted(names, key=lambda name: name != "stdm"))
    if chain is not None or lossy:
        surviving = tuple(name for name in names if not methods[name].needs_lossless)
        names = surviving or tuple(name for name in SURVIVING_METHODS if name in methods)
    return [methods[name] for name in names]


def methods_for_lossy_file(payload: PayloadSource, methods: list[Method], written: str) -> list[Method]:
    """Return those of *methods* that survive a lossy file format.

    Args:
        payload: payload to hide.
        methods: candidates.
        written: name of the format and its quality, for the message.

    Raises:
        UsageError: none of them does.
    """
    if payload.only_method is not None:
        raise UsageError(f"a restorable picture needs a lossless file, and {written} is lossy", hint="write a .png")
    robust = [method for method in methods if not method.needs_lossless]
    if not robust:
        others = ", ".join(f"--method {name}" for name, each in METHODS.items() if not each.needs_lossless)
        hint = f"write a .png without a quality, or use a method that survives: {others}"
        raise UsageError(f"{methods[0].name} needs a lossless file, and {written} is lossy", hint=hint)
    return robust


def first_success(
    methods: list[Method], survive: str | Chain | None, attempt: Callable[[Method, Chain | None], Result]
) -> Result:
    """Return the result of *attempt* for the first of *methods* that succeeds.

    Args:
        methods: at least one.
        survive: channels; None for the ``default_survive`` of each method.
        attempt: takes a method and the channels that its container has to survive.

    Raises:
        CapacityError, SurvivalError: no method succeeds; the error of the one that holds most if the payload is too
            long for all of them, else that of the first one.
    """
    reasons: list[CapacityError | SurvivalError] = []
    for method in methods:
        chain = method.default_survive if survive is None else survive
        try:
            return attempt(method, parse(chain) if isinstance(chain, str) else chain)
        except (CapacityError, SurvivalError) as reason:
            reasons.append(reason)
    too_long = [each for each in reasons if isinstance(each, CapacityError) and each.capacity is not None]
    raise max(too_long, key=lambda each: each.capacity or 0) if len(too_long) == len(reasons) else reasons[0]


def refuse_settings(**settings: object) -> None:
    """Refuse settings that pictures have and videos do not.

    Args:
        settings: values by name; whatever is false was not asked for.

    Raises:
        UsageError: one of them was asked for.
    """
    for name, value in settings.items():
        if value:
            option = name.replace("_", "-")
            raise UsageError(f"a video takes no --{option}", hint="leave it out; a message is hidden in every frame")
