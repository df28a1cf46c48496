"""Pages from templates. Whatever was received is escaped, and never marked as safe."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from hilum.config.hours import in_words
from hilum.console.commands import in_place_of
from hilum.console.endpoints import MenuEntry
from hilum.printing import Quantity, percent
from hilum.why.explanation import Cure
from hilum.wording import counted, person, sentence

MINUTE, HOUR, DAY = 60, 3600, 86400
LOOKS = {  # the look of a state on a page: colour and sign
    "well": (
        "completed",
        "verified",
        "committed",
        "reachable",
        "accepted",
        "ok",
        "shown",
        "has it",
        "taken in",
        "fetched",
    ),
    "working": (
        "receiving",
        "assembling",
        "scheduled",
        "running",
        "delivering",
        "waiting",
        "asked",
        "starting",
        "waiting for images",
        "waiting to be analysed",
        "on its way",
        "coming",
        "reading",
        "supplemented",
    ),
    "caution": (
        "held",
        "parked",
        "delayed",
        "not shown",
        "warning",
        "misfiled",
        "degraded",
        "whose it is",
        "image not taken in",
        "slices missing",
        "shorter than announced",
        "no longer shown",
        "never arrived",
        "sent nowhere",
        "refused by the module",
        "does not have it",
        "no answer in time",
        "quarantined",
        "readers disagree",
    ),
    "failed": (
        "failed",
        "refused",
        "unreachable",
        "no room",
        "no records",
        "critical",
        "error",
        "cannot be judged",
        "cannot be asked",
        "rejected",
    ),
    "stopped": ("cancelled", "withdrawn", "stopped", "paused", "disabled", "information"),
}
LOOK_OF = {state: look for look, states in LOOKS.items() for state in states}


def duration(seconds: float | None) -> str:
    """A time in words that people read at a glance, such as 38 s, 4 min or 2 h."""
    if seconds is None:
        return ""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def moment(at: float | None) -> Markup:
    """A time with its zone; the page's script says beside it how long ago that was."""
    if at is None:
        return Markup("")
    local = datetime.fromtimestamp(at).astimezone()
    words = f"{duration(time.time() - at)} ago" if at <= time.time() else f"{local:%H:%M:%S}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        local.isoformat(timespec="seconds"), f"{local:%Y-%m-%d %H:%M:%S %Z}", words
    )


def clock(at: float | None) -> Markup:
    """A time of day with its date, for lists in which each line has its own."""
    if at is None:
        return Markup("")
    local = datetime.fromtimestamp(at).astimezone()
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        local.isoformat(timespec="seconds"), f"{local:%Z}", f"{local:%Y-%m-%d %H:%M:%S}"
    )


@pass_context
def code(context: Context, text: str) -> Markup:
    """Text whose parts in backticks are commands or settings.

    What the console can do stands in place of a command, with a link; the `addresses` of a page say
    where the studies are that commands name.
    """
    parts = str(text).split("`")
    addresses = context.get("addresses", {})
    marked = [_marked(p, addresses) if i % 2 else escape(p) for i, p in enumerate(parts)]
    return Markup("").join(marked)


def _marked(command: str, addresses: Mapping[str, str]) -> Markup:
    place = in_place_of(command, addresses)
    if place is None:
        return Markup("<code>{}</code>").format(command)
    if not place.path:
        return Markup("<b>{}</b>").format(place.label)
    return Markup('<a href="{}">{}</a>').format(place.path, place.label)


def in_console(cure: Cure) -> str:
    """A cure; where the console's name for its command is all that it says, that stands alone."""
    place = in_place_of(cure.command)
    is_all = place is not None and place.label.casefold() == cure.text.casefold()
    return f"`{cure.command}`" if is_all else str(cure)


def look(state: object) -> str:
    """How a state looks: well, working, caution, failed, stopped or muted."""
    return LOOK_OF.get(str(state), "muted")


def quantity(value: float, unit: str, uncertainty: float | None = None) -> str:
    """A measured number with its unit (UCUM), as reports print it."""
    return str(Quantity(value, uncertainty, unit).printed())


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("hilum.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "duration": duration,
        "moment": moment,
        "clock": clock,
        "code": code,
        "in_console": in_console,
        "look": look,
        "counted": counted,
        "hours": in_words,
        "person": person,
        "percent": percent,
        "sentence": sentence,
    }
    made.globals["quantity"] = quantity
    return made


class Rendering:
    """Renders pages with what all of them share: the menu."""

    def __init__(self, menu: Iterable[MenuEntry]) -> None:
        self._menu = sorted(menu, key=lambda entry: entry.place)
        self._environment = _environment()

    def page(
        self, request: Request, template: str, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """The page that `template` makes of `values`; its menu has what the visitor may open."""
        visitor = getattr(request.state, "visitor", None)
        menu = [entry for entry in self._menu if visitor and visitor.may(entry.permission)]
        text = self._environment.get_template(template).render(
            path=request.url.path, menu=menu, visitor=visitor, **values
        )
        return HTMLResponse(text, status)
