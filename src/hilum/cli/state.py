"""Commands that show how things stand: studies, archives, destinations, one study's trace."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hilum.cli.app import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    StudyName,
    app,
    clock,
    out,
    print_json,
    records_if_any,
    site_and_records,
)
from hilum.cli.finding import (
    Modalities,
    Modules,
    Page,
    Reason,
    Sort,
    States,
    command_for,
)
from hilum.cli.pausing import pause_words
from hilum.config.kinds import DestinationSettings
from hilum.errors import HilumError
from hilum.records.states import (
    PARKED,
    DeliveryState,
    DestinationState,
    StudyOrder,
    WorkitemKind,
)
from hilum.severity import Severity
from hilum.wording import clauses, counted

if TYPE_CHECKING:
    from hilum.config.site import Site
    from hilum.records.models import Delivery
    from hilum.records.search import StudyQuery
    from hilum.records.views import (
        DestinationView,
        QuarantinedView,
        QuarantineView,
        SourceView,
        StudyPage,
        StudyView,
        WorkitemView,
    )
    from hilum.rejections import Rejection

PAGE = 50  # objects
STYLES = {Severity.INFORMATION: "bold", Severity.WARNING: "bold yellow"}  # of alarms
UNSETTLED = (DeliveryState.DELAYED, DeliveryState.ASKED, *PARKED)


@app.command()
def status(
    page: Page = 1,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Only studies that are not finished, or wait.")
    ] = False,
    state: States = None,
    module: Modules = None,
    modality: Modalities = None,
    reason: Reason = "",
    sort: Sort = StudyOrder.NEWEST,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show the studies that came in and where their results are."""
    from hilum.alarms import alarms_now, views_of
    from hilum.records import views
    from hilum.records.search import StudyQuery

    query = StudyQuery(
        states=tuple(state or ()),
        modules=tuple(module or ()),
        modalities=tuple(modality or ()),
        reason=reason,
        order=sort,
    )
    site, records = site_and_records(config)
    alarms = alarms_now(site, records)
    sources = views.sources(site, records)
    destinations = views.destinations(site, records)
    studies = views.studies(records, page, unfinished, query=query)
    rejections = records.rejections.since()
    quarantine = views.quarantine(site, newest=10)
    if as_json:
        print_json(
            {
                "alarms": views_of(alarms),
                "sources": sources,
                "destinations": destinations,
                **vars(studies),
                "rejections": rejections,
                "quarantine": quarantine,
            }
        )
        return
    for alarm in alarms:
        since = f" since {clock(alarm.since)}" if alarm.since else ""
        style = STYLES.get(alarm.severity, "bold red")
        said = escape(clauses(alarm.text, alarm.cure_here))
        out.print(f"[{style}]alarm{since}, {alarm.severity}[/]: {said}")
    for source in sources:
        out.print(_source_line(source))
    for destination in destinations:
        out.print(_destination_line(destination))
    _show_studies(studies, query, unfinished)
    if not studies.found:
        out.print(_nothing(site, studies.total))
    _show_rejections(rejections)
    _show_quarantine(quarantine)


@app.command()
def quarantine(
    page: Page = 1,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List every object that was received and not taken in: file, why, and what to do."""
    from hilum.config import load
    from hilum.records import views

    site = load(config)
    shown = views.quarantine(site, newest=PAGE, skip=(page - 1) * PAGE)
    pages = max(1, -(-shown.total // PAGE))
    if page > pages:
        raise HilumError(f"there is no page {page}; the last one is {pages}")
    if as_json:
        print_json({**vars(shown), "page": page, "pages": pages})
        return
    if not shown.total:
        out.print("the quarantine is empty")
        return
    out.print(
        f"[bold]{counted(shown.total, 'object')}[/] in {escape(shown.folder)}, page {page}/{pages}"
    )
    for item in shown.objects:
        out.print(_quarantined_line(item))
        out.print(f"    {escape(item.advice)}")
    if page < pages:
        out.print(f"`hilum quarantine --page {page + 1}` shows the next ones")


@app.command()
def sources(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Ask every archive that is watched whether it answers, and show how far the watch is."""
    from hilum.config import load
    from hilum.records import views
    from hilum.sources import answer_of

    site = load(config)
    if not site.source:
        raise HilumError(f"{config} defines no [[source]]: add one to have an archive watched")
    records = records_if_any(site)
    asked = []
    for view, source in zip(views.sources(site, records), site.source, strict=True):
        answers, answer = answer_of(source)
        asked.append({**vars(view), "answers": answers, "answer": answer})
        if not as_json:
            out.print(_source_line(view))
            out.print(f"  {escape(answer)}", style=None if answers else "bold red")
    if as_json:
        print_json(asked)
    raise typer.Exit(0 if all(view["answers"] for view in asked) else 1)


@app.command()
def destinations(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Try what a delivery needs at every destination, and show what it still has to take."""
    from hilum.config import load
    from hilum.destinations import checks_of
    from hilum.records import views

    site = load(config)
    records = records_if_any(site)
    tried = []
    for view, settings in zip(views.destinations(site, records), site.destination, strict=True):
        if not as_json:
            out.print(_destination_line(view))
            out.print(f"  receives {_received(settings)}")
        checks = []
        for check in checks_of(settings):
            checks.append(check)
            if not as_json:
                text = f"  {check.what}: {escape(check.text)}"
                out.print(text, style=None if check.good else "bold red")
        good = all(check.good for check in checks)
        tried.append({**vars(view), "checks": checks, "good": good})
    if as_json:
        print_json(tried)
    raise typer.Exit(0 if all(one["good"] for one in tried) else 1)


@app.command()
def trace(
    study: StudyName,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show every event of one study in order, with times and reasons, and what people asked for."""
    from contextlib import closing

    from hilum.asked import trace_with_people
    from hilum.audit import AuditStore, audit_file
    from hilum.records import views

    site, records = site_and_records(config)
    with closing(AuditStore(audit_file(site.data))) as store:
        lines = trace_with_people(records, store, views.study_called(records, study))
    if as_json:
        print_json(lines)
        return
    for line in lines:
        since = line.at - lines[0].at
        whose = f"[dim]{line.module} {line.workitem[-8:]}[/]  " if line.workitem else ""
        out.print(f"{clock(line.at)}  +{since:8.2f} s  {line.kind:<14} {whose}{escape(line.text)}")


def _show_studies(shown: "StudyPage", query: "StudyQuery", unfinished: bool) -> None:
    for study in shown.studies:
        about = f"{clock(study.last_at)}  {study.study_uid}  {counted(study.images, 'image')}"
        if not study.workitems:
            state = "no rule applies" if study.settled else "receiving"
            out.print(f"{about}  [bold]{state}[/]{_besides(study)}")
        for item in study.workitems:
            out.print(f"{about}  {_workitem_line(item)}{_besides(study)}")
            for delivery in item.deliveries:
                if delivery.state in UNSETTLED:
                    out.print(f"    {_delivery_line(delivery)}")

    is_all = shown.found == shown.total
    if shown.pages > 1 or not (is_all or unfinished):
        _show_pages(shown, query, unfinished)


def _nothing(site: "Site", studies: int) -> str:
    """What is said where the list is empty."""
    if studies:
        return f"none of {counted(studies, 'study')} is like that"
    return f"no study has come yet; `hilum serve` listens as {site.receiver.title_and_place}"


def _show_pages(shown: "StudyPage", query: "StudyQuery", unfinished: bool) -> None:
    """Say how many studies there are, and which commands show the others."""
    besides = "" if unfinished else f", {shown.unfinished} unfinished"
    besides = besides if shown.found == shown.total else f" of {shown.total}"
    total = counted(shown.found, "study")
    out.print(f"[bold]{total}[/], page {shown.page}/{shown.pages}{besides}")
    if shown.page < shown.pages:
        command = command_for(query, "status", shown.page + 1, unfinished)
        out.print(f"`{command}` shows the next ones")
    if shown.unfinished and not unfinished:
        out.print("`hilum status --unfinished` shows the unfinished ones alone")


def _workitem_line(item: "WorkitemView") -> str:
    """State, module and reason; where there is no result, that comes before the reason."""
    is_note = item.kind is WorkitemKind.WITHDRAWAL
    module = f"withdrawal note of {item.module}" if is_note else item.module
    parts = [f"[bold]{item.state}[/]", f"{module} {item.id[-8:]}", escape(item.reason)]
    if item.refusal:
        parts.insert(1, f"[bold red]refused: {escape(item.refusal)}[/]")
    return "  ".join(parts)


def _show_rejections(rejections: "list[Rejection]") -> None:
    if not rejections:
        return
    out.print("[bold]rejected by the receiver[/], the latest first:")
    for row in rejections:
        whose = f"{row.caller or 'no AE title'} at {row.address}"
        times = f"{row.count} times" if row.count > 1 else "once"
        since = f" (first {clock(row.first_at)})" if row.count > 1 else ""
        called = f" calling {row.called}" if row.called else ""
        said = escape(f"{whose}{called}: {row.reason}")
        out.print(f"{clock(row.last_at)}  {times}{since}  {row.kind}  {said}")


def _besides(study: "StudyView") -> str:
    """What a reader must know of a study besides the states of its workitems."""
    text = ""
    if removed := study.removed:
        text = f"  (files removed {clock(removed.at)}: {escape(removed.reason)})"
    if study.corrected:
        text += f"  (corrected patient data were sent: `hilum decide {study.study_uid}`)"
    return text


def _source_line(source: "SourceView") -> str:
    parts = [f"source {source.name} ({source.kind})  [bold]{source.state}[/]"]
    if source.paused:
        parts = [f"source {source.name} ({source.kind})", pause_words(source.paused)]
    elif source.since is not None:
        parts.append(f"since {clock(source.since)}")
        behind = counted(source.behind, "change")
        parts.append(f"{counted(source.fetched, 'image')} fetched, {behind} behind")
    if source.problem and source.problem_at is not None:
        parts.append(f"last problem {clock(source.problem_at)}: {escape(source.problem)}")
    return "  ".join(parts)


def _show_quarantine(quarantine: "QuarantineView") -> None:
    if not quarantine.total:
        return
    total = counted(quarantine.total, "object")
    out.print(f"[bold]{total} in quarantine[/], in {quarantine.folder}:")
    for item in quarantine.objects:
        out.print(_quarantined_line(item))
    if more := quarantine.total - len(quarantine.objects):
        older = counted(more, "older one")
        out.print(f"and {older}; `hilum quarantine` lists all and says what to do")


def _quarantined_line(item: "QuarantinedView") -> str:
    about = f"study {item.study_uid}" if item.study_uid else "study unknown"
    said = f"from {item.sender or 'unknown sender'}  {item.reason}  {item.file}"
    return f"{clock(item.at)}  {about}  {escape(said)}"


def _destination_line(destination: "DestinationView") -> str:
    parts = [f"destination {destination.name} ({destination.kind})"]
    if destination.paused:
        parts.append(pause_words(destination.paused))
    elif destination.state is DestinationState.UNREACHABLE and destination.since is not None:
        since = clock(destination.since)
        parts.append(f"[bold red]unreachable since {since}[/], called every few seconds")
        parts.append(escape(destination.problem))
    counts = destination.deliveries
    parts += [f"{counts[state]} {state}" for state in sorted(counts)]
    return "  ".join(parts)


ENCODINGS = {
    "binary": "binary",
    "fractional": "fractional",
    "labelmap": "label map",
    "ohif": "as OHIF shows it",
}


def _received(destination: DestinationSettings) -> str:
    """The objects of a result that a destination receives, in words."""
    marks = {"outlines": "outlines", "segments": "references to the segments"}
    words = {
        "seg": f"segmentation ({ENCODINGS[destination.encoding]})",
        "sr": f"report with {marks[destination.regions]}",
        "sc": "picture",
        "own": "the module's own objects",
        "pdf": "PDF",
        "pm": "parametric maps",
    }
    return ", ".join(words.get(kind, kind) for kind in destination.objects) or "nothing"


def _delivery_line(delivery: "Delivery") -> str:
    parts = [f"{delivery.destination}: [bold]{delivery.state}[/]"]
    if delivery.state is DeliveryState.DELAYED:
        when = clock(delivery.next_attempt)
        parts.append(f"attempt {delivery.attempts + 1} at {when}")
    if delivery.state is DeliveryState.ASKED:
        parts.append(f"asked again at {clock(delivery.next_attempt)}")
    return "  ".join([*parts, escape(delivery.reason)])
