"""The lines of the commands that show how things stand."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from rich.markup import escape

from hilum.cli.app import clock, out, print_json
from hilum.cli.finding import command_for
from hilum.cli.pausing import pause_words
from hilum.config.kinds import DestinationSettings
from hilum.records.states import PARKED, DeliveryState, DestinationState, StudyState
from hilum.wording import counted

if TYPE_CHECKING:
    from hilum.config.site import Site
    from hilum.records.models.deliveries import Delivery
    from hilum.records.search import StudyQuery
    from hilum.records.views import (
        DestinationView,
        QuarantinedView,
        QuarantineView,
        SourceView,
        StudyPage,
        StudyView,
        WorkitemView,
        WorklistView,
    )
    from hilum.rejections import Rejection

View = TypeVar("View")
EndSettings = TypeVar("EndSettings")

UNSETTLED = (DeliveryState.DELAYED, DeliveryState.ASKED, *PARKED)
ENCODINGS = {
    "binary": "binary",
    "fractional": "fractional",
    "labelmap": "label map",
    "ohif": "as OHIF shows it",
}


def show_studies(shown: "StudyPage", query: "StudyQuery", unfinished: bool) -> None:
    lines = [line for study in shown.studies for line in _study_lines(study)]
    if lines:
        out.print("\n".join(lines))  # at once: one by one takes three times as long
    is_all = shown.found == shown.total
    if shown.pages > 1 or not (is_all or unfinished):
        _show_pages(shown, query, unfinished)


def _study_lines(study: "StudyView") -> Iterator[str]:
    """A line for each workitem of a study, and for each of its deliveries that has not arrived."""
    about = f"{clock(study.last_at)}  {study.study_uid}  {counted(study.images, 'image')}"
    if study.obstacle:
        yield f"{about}  [bold]{StudyState.UNJUDGED}[/]  {escape(study.obstacle)}{_besides(study)}"
    elif not study.workitems:
        state = StudyState.NO_RULE if study.settled else StudyState.RECEIVING
        yield f"{about}  [bold]{state}[/]{_besides(study)}"
    for item in study.workitems:
        yield f"{about}  {_workitem_line(item)}{_besides(study)}"
        for delivery in item.deliveries:
            if delivery.state in UNSETTLED:
                yield f"    {_delivery_line(delivery)}"


def nothing(site: "Site", studies: int) -> str:
    """What is said where the list is empty."""
    if studies:
        return f"none of {counted(studies, 'study')} matches"
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
    module = f"{item.kind} note of {item.module}" if item.kind.is_note else item.module
    parts = [f"[bold]{item.state}[/]", f"{module} {item.id[-8:]}", escape(item.reason)]
    if item.refusal:
        parts.insert(1, f"[bold red]refused: {escape(item.refusal)}[/]")
    return "  ".join(parts)


def show_rejections(rejections: "list[Rejection]") -> None:
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


def show_answers(
    views: Iterable[View],
    settings: Iterable[EndSettings],
    answer_of: Callable[[EndSettings], tuple[bool, str]],
    as_json: bool,
    line_of: Callable[[View], str],
    further: Callable[[View], Iterable[str]] = lambda _view: (),
) -> bool:
    """Ask each end in turn, and show how it stands and what it answers; whether all of them did."""
    asked = []
    for view, one in zip(views, settings, strict=True):
        answers, answer = answer_of(one)
        asked.append({**vars(view), "answers": answers, "answer": answer})
        if not as_json:
            out.print(line_of(view))
            out.print(f"  {escape(answer)}", style=None if answers else "bold red")
            for line in further(view):
                out.print(f"  {line}")
    if as_json:
        print_json(asked)
    return all(one["answers"] for one in asked)


def source_line(source: "SourceView") -> str:
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


def worklist_line(worklist: "WorklistView") -> str:
    parts = [f"worklist {worklist.name} ({worklist.kind})", f"[bold]{worklist.state}[/]"]
    if worklist.paused:
        parts[1] = pause_words(worklist.paused)
    elif worklist.since is not None:
        parts.append(f"since {clock(worklist.since)}")
    if worklist.steps:
        parts.append(f"{counted(len(worklist.steps), 'step')} not ended")
    if worklist.problem and not worklist.paused:
        parts.append(escape(worklist.problem))
    return "  ".join(parts)


def worklist_steps(worklist: "WorklistView") -> Iterator[str]:
    for step in worklist.steps:
        said = f"{step.module} on study {step.study_uid} {step.told} {step.problem}"
        yield f"{step.state}: {escape(said.strip())}"


def show_quarantine(quarantine: "QuarantineView") -> None:
    if not quarantine.total:
        return
    total = counted(quarantine.total, "object")
    out.print(f"[bold]{total} in quarantine[/], in {quarantine.folder}:")
    for item in quarantine.objects:
        out.print(quarantined_line(item))
    if more := quarantine.total - len(quarantine.objects):
        older = counted(more, "older one")
        out.print(f"and {older}; `hilum quarantine` lists all and says what to do")


def quarantined_line(item: "QuarantinedView") -> str:
    about = f"study {item.study_uid}" if item.study_uid else "study unknown"
    said = f"from {item.sender or 'unknown sender'}  {item.reason}  {item.file}"
    return f"{clock(item.at)}  {about}  {escape(said)}"


def destination_line(destination: "DestinationView") -> str:
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


def received(destination: DestinationSettings) -> str:
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
