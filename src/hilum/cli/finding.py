"""The command that finds studies, and the options by which others choose among them."""

import re
import shlex
import sys
from calendar import monthrange
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hilum.cli.app import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    app,
    clock,
    out,
    print_json,
    site_and_records,
)
from hilum.errors import HilumError
from hilum.records.states import AssessmentStanding, StudyOrder, StudyState
from hilum.wording import counted, person

if TYPE_CHECKING:
    from hilum.records.listed import ListedStudy
    from hilum.records.search import StudyQuery

PAGE = 20  # studies
FROM_INPUT = "-"
RANGE = ".."

Page = Annotated[int, typer.Option(min=1, help="Page to show; page 1 holds the first.")]
States = Annotated[
    list[StudyState] | None,
    typer.Option("--state", help="Only studies in this state; may be repeated."),
]
Modules = Annotated[
    list[str] | None,
    typer.Option("--module", help="Only studies that this module could analyse, or is to."),
]
PassedOver = Annotated[
    list[str] | None,
    typer.Option("--not-applicable", help="Only studies without anything for this module."),
]
Modalities = Annotated[
    list[str] | None,
    typer.Option("--modality", help="Only studies with images of this modality."),
]
Assessments = Annotated[
    list[AssessmentStanding] | None,
    typer.Option("--assessment", help="Only studies with a result that stands so with readers."),
]
Reason = Annotated[str, typer.Option(help="Only studies whose reason or result has these words.")]
Sort = Annotated[StudyOrder, typer.Option(help="How the studies are sorted.")]


@app.command()
def find(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="Parts of the name or description, beginnings of the patient ID or accession "
            "number, an address or a UID; - reads them from standard input."
        ),
    ] = None,
    patient: Annotated[
        str, typer.Option(help="Patient ID as a whole, or its beginning and *.")
    ] = "",
    name: Annotated[str, typer.Option(help="Parts of the patient's name.")] = "",
    accession: Annotated[
        str, typer.Option(help="Accession number as a whole, or its beginning and *.")
    ] = "",
    description: Annotated[str, typer.Option(help="Parts of the study's description.")] = "",
    day: Annotated[
        str, typer.Option("--date", help="Study date: 2026-11-29, 2026-11, or FROM..TO.")
    ] = "",
    modality: Modalities = None,
    module: Modules = None,
    not_applicable: PassedOver = None,
    state: States = None,
    assessment: Assessments = None,
    reason: Reason = "",
    sort: Sort = StudyOrder.NEWEST,
    page: Page = 1,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Find studies by patient, order, date, or by how they stand. This shows patient data.

    Neither case nor accents count. Each study is shown with its address, which `hilum trace` and
    other commands take.
    """
    from hilum.audit import AuditedAct, AuditedObject
    from hilum.cli.audited import audited
    from hilum.records import views
    from hilum.records.search import StudyQuery

    first, last = days(day)
    query = StudyQuery(
        words=tuple(_typed(words or [])),
        patient_id=patient,
        patient_name=name,
        accession_number=accession,
        description=description,
        first_date=first,
        last_date=last,
        modalities=tuple(modality or ()),
        modules=tuple(module or ()),
        passed_over=tuple(not_applicable or ()),
        states=tuple(state or ()),
        assessments=tuple(assessment or ()),
        reason=reason,
        order=sort,
    )
    site, records = site_and_records(config)
    about = AuditedObject.search(query)
    with audited(site, AuditedAct.SEARCHED, about, patient_id=patient):
        found = views.find(records, query, page, PAGE)
    again = replace(query, words=tuple(words or []))
    if as_json:
        print_json(found)
        return
    for study in found.studies:
        for line in _lines(study):
            out.print(line)
    out.print(f"[bold]{counted(found.total, 'study')}[/], page {found.page}/{found.pages}")
    if found.unread:
        older = counted(found.unread, "older study")
        out.print(f"{older} may be missing: the gateway still reads what their images say")
    if found.page < found.pages:
        out.print(escape(f"`{command_for(again, 'find', found.page + 1)}` shows the next ones"))


def _typed(words: list[str]) -> list[str]:
    return sys.stdin.readline().split() if words == [FROM_INPUT] else words


def _lines(study: "ListedStudy") -> list[str]:
    """What is shown of one study: who, then how it stands."""
    who = [person(study.patient_name), study.patient_id and f"ID {study.patient_id}"]
    who += [study.accession_number and f"accession {study.accession_number}"]
    what = [" ".join(study.modalities), study.study_date and _written(study.study_date)]
    what += [study.description, counted(study.images, "image")]
    if study.removed:
        what.append("images removed")
    about = "  ".join(escape(text) for text in (*who, *what) if text)
    said = [f"[bold]{study.state or 'not read yet'}[/]", escape(study.reason)]
    if study.destinations:
        said.append(f"shown by {study.shown} of {counted(study.destinations, 'destination')}")
    lines = [f"{clock(study.last_at)}  [bold]{study.address}[/]  {about}"]
    lines.append("    " + "  ".join(filter(None, said)))
    if study.caution:
        lines.append(f"    [bold yellow]caution[/]: {escape(study.caution)}")
    return lines


def command_for(query: "StudyQuery", command: str, page: int, unfinished: bool = False) -> str:
    """The command line that shows a page of what `query` finds."""
    options = [
        ("--patient", (query.patient_id,)),
        ("--name", (query.patient_name,)),
        ("--accession", (query.accession_number,)),
        ("--description", (query.description,)),
        ("--date", (_range(query.first_date, query.last_date),)),
        ("--modality", query.modalities),
        ("--module", query.modules),
        ("--not-applicable", query.passed_over),
        ("--state", query.states),
        ("--assessment", query.assessments),
        ("--reason", (query.reason,)),
        ("--sort", () if query.order is StudyOrder.NEWEST else (query.order,)),
    ]
    words = ["hilum", command, *query.words, *(["--unfinished"] if unfinished else [])]
    words += [
        word for name, values in options for value in values if value for word in (name, value)
    ]
    return shlex.join([*words, "--page", str(page)])


def _range(first: date | None, last: date | None) -> str:
    if first is None and last is None:
        return ""
    return f"{first or ''}{RANGE}{last or ''}"


def _written(day: str) -> str:
    """A date of DICOM as people write it."""
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


def days(text: str) -> tuple[date | None, date | None]:
    """The first and last day of what was typed as a date, a month or a range.

    `HilumError` for anything else.
    """
    first, dots, last = text.partition(RANGE)
    if not dots:
        return _day(first, is_last=False), _day(first, is_last=True)
    return _day(first, is_last=False), _day(last, is_last=True)


def _day(text: str, is_last: bool) -> date | None:
    """One end of a range; None where it is open."""
    if not text:
        return None
    if not re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", text, re.ASCII):
        raise HilumError(NO_DATE.format(text))
    year, month, *day = map(int, text.split("-"))
    try:
        return date(year, month, *(day or [monthrange(year, month)[1] if is_last else 1]))
    except ValueError as error:
        raise HilumError(NO_DATE.format(text)) from error


NO_DATE = "{!r} is no date: write 2026-11-29, 2026-11, or 2026-11-01..2026-11-29"
