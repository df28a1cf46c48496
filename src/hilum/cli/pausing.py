"""Commands that pause a destination, a source or a worklist, and let it go on."""

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, Config, app, clock, say, site_and_records
from hilum.records.states import PausedKind

if TYPE_CHECKING:
    from hilum.config.site import Site
    from hilum.records import Records
    from hilum.records.models.standings import NotedPause

PlaceName = Annotated[str, typer.Argument(help="Name of the destination, source or worklist.")]
Kind = Annotated[
    PausedKind | None,
    typer.Option(help="Which one is meant, where several have one name."),
]
PauseReason = Annotated[
    str, typer.Option("--reason", help="Why, for whoever finds it so. Name no patient.")
]


@app.command()
def pause(
    name: PlaceName, reason: PauseReason, kind: Kind = None, config: Config = DEFAULT_CONFIG
) -> None:
    """Leave a destination, a source or a worklist alone until `hilum resume`."""
    from hilum.pausing import kind_called

    site, records = site_and_records(config)
    begin(site, records, kind_called(site, name, kind), name, reason)


@app.command()
def resume(name: PlaceName, kind: Kind = None, config: Config = DEFAULT_CONFIG) -> None:
    """Let a destination, a source or a worklist go on that was paused."""
    from hilum.pausing import kind_called

    site, records = site_and_records(config)
    end(site, records, kind_called(site, name, kind), name)


def begin(site: "Site", records: "Records", kind: PausedKind, name: str, reason: str) -> None:
    """Pause it, on record, and say what that means."""
    from hilum import pausing
    from hilum.audit import AuditedAct
    from hilum.audit.system_user import actor_here
    from hilum.cli.audited import audited
    from hilum.records.models.standings import NotedPause

    why = pausing.reason_of(reason)
    about = pausing.audited_object(kind, name)
    with audited(site, AuditedAct.PAUSED, about, why):
        new = NotedPause(kind, name, time.time(), actor_here().person, why)
        said = pausing.pause(site, records, new)
    say.print(escape(said))


def end(site: "Site", records: "Records", kind: PausedKind, name: str) -> None:
    """Let it go on, on record, and say what that means."""
    from hilum import pausing
    from hilum.audit import AuditedAct
    from hilum.cli.audited import audited

    with audited(site, AuditedAct.RESUMED, pausing.audited_object(kind, name)):
        said = pausing.resume(site, records, kind, name)
    say.print(escape(said))


def pause_words(pause: "NotedPause") -> str:
    """Since when something is paused, by whom and why, as lists of commands show it."""
    said = escape(f"{pause.person}: {pause.reason}")
    return f"[bold magenta]paused since {clock(pause.since)}[/] by {said}"
