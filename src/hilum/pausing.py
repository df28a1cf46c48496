"""Pause a destination, a source, a worklist or a module, and let it go on.

A pause is a row of the records, which every process looks at before it begins something; so it
survives a restart. What is under way is finished. A hint tells that a pause has begun or ended.
"""

import time
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path

from hilum.audit.entry import AuditedObject, ObjectType
from hilum.config.site import Site
from hilum.errors import HilumError
from hilum.hints import Asked, HintSender, Resumed, gateway_address, wake_address
from hilum.records import Records
from hilum.records.models.standings import NotedPause
from hilum.records.states import PausedKind
from hilum.wording import listed, suggestion

LONGEST_REASON = 200  # characters
AUDITED = {
    PausedKind.DESTINATION: ObjectType.DESTINATION,
    PausedKind.SOURCE: ObjectType.SOURCE,
    PausedKind.WORKLIST: ObjectType.WORKLIST,
    PausedKind.MODULE: ObjectType.MODULE,
}
WAITS = {  # what a pause does, in words that follow the name
    PausedKind.DESTINATION: "nothing is sent there, withdrawals neither; it waits here",
    PausedKind.SOURCE: "its new images are not fetched",
    PausedKind.WORKLIST: "none of its steps is claimed, and it is told nothing",
    PausedKind.MODULE: "what it is to analyse waits",
}
GOES_ON = {
    PausedKind.DESTINATION: "what waited for it is sent now",
    PausedKind.SOURCE: "what was missed is fetched now",
    PausedKind.WORKLIST: "its steps are performed, and it is told what came of them",
    PausedKind.MODULE: "what waited for it is analysed now",
}


def places_of(site: Site) -> dict[PausedKind, list[str]]:
    """The names of what can be paused of the settings."""
    return {
        PausedKind.DESTINATION: [one.name for one in site.destination],
        PausedKind.SOURCE: [one.name for one in site.source],
        PausedKind.WORKLIST: [one.name for one in site.worklist],
    }


def kind_called(site: Site, name: str, wanted: PausedKind | None = None) -> PausedKind:
    """Whether `name` is a destination, a source or a worklist; `wanted` says which of several.

    Raises
    ------
    HilumError
        The settings have none, or several.
    """
    places = places_of(site)
    found = [kind for kind, names in places.items() if name in names and wanted in (None, kind)]
    if len(found) == 1:
        return found[0]
    if found:
        what, options = (
            listed(f"a {kind}" for kind in found),
            " or ".join(f"`--kind {kind}`" for kind in found),
        )
        raise HilumError(f"{name} is {what}: add {options}")
    known = [one for names in places.values() for one in names]
    raise HilumError(
        f"the settings define no {wanted or 'destination, source or worklist'} called {name!r}"
        + suggestion(name, known)
    )


def require_module(name: str, installed: Collection[str]) -> None:
    """Raise `HilumError` unless `name` is one of the `installed` modules."""
    if name not in installed:
        raise HilumError(f"no module is called {name!r}{suggestion(name, list(installed))}")


def audited_object(kind: PausedKind, name: str) -> AuditedObject:
    """What the audit trail says is paused."""
    return AuditedObject(AUDITED[kind], name)


def reason_of(text: str) -> str:
    """The reason as it is kept.

    Raises
    ------
    HilumError
        There is none, or it is too long.
    """
    reason = " ".join(text.split())
    if not reason:
        raise HilumError("say the reason: whoever finds it paused reads it. Name no patient")
    if len(reason) > LONGEST_REASON:
        raise HilumError(f"the reason is too long: at most {LONGEST_REASON} characters")
    return reason


def pause(site: Site, records: Records, new: NotedPause) -> str:
    """Pause it; what that means, in words.

    Raises
    ------
    HilumError
        It is paused already.
    """
    if not records.pauses.begin(new):
        known = records.pauses.get(new.kind, new.name)
        whose = f" by {known.person}: {known.reason}" if known else ""
        raise HilumError(f"{new.name} is {_word(new.kind)} already{whose}")
    _tell(site.data, new.kind, new.name)
    return f"{new.name} is {_word(new.kind)}: {WAITS[new.kind]}"


def resume(site: Site, records: Records, kind: PausedKind, name: str) -> str:
    """Let it go on; what that means, in words.

    Raises
    ------
    HilumError
        It is not paused.
    """
    if not records.pauses.end(kind, name, time.time()):
        raise HilumError(f"{name} is not {_word(kind)}")
    _tell(site.data, kind, name)
    return f"{name} goes on: {GOES_ON[kind]}"


def waiting_for(records: Records, destinations: Iterable[str]) -> str:
    """Which of `destinations` are paused, as the end of a sentence; "" if none is."""
    paused = sorted(set(destinations) & records.pauses.of(PausedKind.DESTINATION).keys())
    names = listed(paused)
    return f"; {names} {'is' if len(paused) == 1 else 'are'} paused, so it waits" if paused else ""


def waiting_with(records: Records, module: str) -> str:
    """That `module` is disabled, as the end of a sentence; "" if it is not."""
    disabled = records.pauses.of(PausedKind.MODULE)
    return f"; {module} is disabled, so it waits" if module in disabled else ""


def _word(kind: PausedKind) -> str:
    return "disabled" if kind is PausedKind.MODULE else "paused"


def _tell(data: Path, kind: PausedKind, name: str) -> None:
    is_source = kind is PausedKind.SOURCE
    address = wake_address(data, name) if is_source else gateway_address(data)
    with closing(HintSender(address)) as hints:
        hints.send(Asked() if is_source else Resumed())
