"""The command by which a reader says whether a result is right, or sees what readers said."""

import sys
from contextlib import closing
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
    say,
    site_and_records,
)
from hilum.cli.finding import FROM_INPUT
from hilum.decision import AssessmentDecision
from hilum.errors import HilumError

if TYPE_CHECKING:
    from hilum.config.site import Site
    from hilum.people.accounts import Person
    from hilum.records import Records
    from hilum.records.assessed import Assessment
    from hilum.records.models.workitems import Workitem


@app.command()
def assess(
    study: Annotated[
        str,
        typer.Argument(
            help="Address of the study, its accession number or Study Instance UID, or the id of "
            "a workitem; of the latter two the end is enough."
        ),
    ],
    decision: Annotated[
        AssessmentDecision | None,
        typer.Argument(help="What you say of the result; without it, what readers said is shown."),
    ] = None,
    reason: Annotated[
        str,
        typer.Option(
            help="Why, without the name of the patient; - reads it from standard input. Only "
            "*accepted* needs none."
        ),
    ] = "",
    module: Annotated[
        str, typer.Option(help="Of several results of the study, that of this module.")
    ] = "",
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Say whether a result is right, as a reader who has an account, or show what readers said.

    You have to have an account with the role *reader*, under the name that this machine knows you
    by. The result itself stays as it is.
    """
    from hilum.assessing import to_be_assessed

    site, records = site_and_records(config)
    item = records.workitems.one(to_be_assessed(records, study, module))
    if decision:
        why = sys.stdin.readline().strip() if reason == FROM_INPUT else reason.strip()
        made = _assess(site, records, item, decision, why)
        say.print(f"{made.reader} says of {item.module} {item.version}: {made.decision}")
        return
    said = _said(site, records, item)
    if as_json:
        print_json(said)
        return
    for one in said:
        who = f"{one.reader} (from {one.sender})" if one.sender else one.reader
        out.print(escape(f"{clock(one.at)}  {who}: {one.decision}  {one.reason}"))
    if not said:
        out.print(f"no reader has assessed this result of {item.module} {item.version}")


def _said(site: "Site", records: "Records", item: "Workitem") -> "list[Assessment]":
    """What readers said; the trail has that it was shown, for a reason may be of the patient."""
    from hilum.audit import AuditedAct, AuditedObject
    from hilum.cli.audited import audited

    of = AuditedObject.workitem(item.id, item.study_uid)
    patient_id = records.identifiers.patient_of(item.study_uid)
    with audited(site, AuditedAct.OPENED, of, patient_id=patient_id):
        return records.assessments.of_workitem(item.id)


def _assess(
    site: "Site", records: "Records", item: "Workitem", decision: AssessmentDecision, reason: str
) -> "Assessment":
    from hilum.assessing import CHANGED, audited, fault_in, objection_to, said_here
    from hilum.audit import AuditedAct, AuditedObject, Auditor, AuditOutcome
    from hilum.audit.system_user import actor_here
    from hilum.people.accounts import identity_of

    listed = records.search.of([item.study_uid])[item.study_uid]
    about = (AuditedObject.workitem(item.id, item.study_uid), listed.patient_id)
    with closing(Auditor(site.data)) as auditor:

        def note(act: AuditedAct, why: str, outcome: AuditOutcome) -> None:
            auditor.note_of(actor_here(), act, *about, why, outcome)

        try:
            reader = _reader_here(site)
        except HilumError as error:
            note(AuditedAct.ASSESS, str(error), AuditOutcome.DENIED)
            raise
        if problem := objection_to(item) or fault_in(reason, decision, listed):
            raise HilumError(problem)
        said = said_here(item.id, reader.name, identity_of(reader.name), decision, reason)
        made = audited(note, site, records, said)
    if made is None:
        raise HilumError(CHANGED)
    return made


def _reader_here(site: "Site") -> "Person":
    """The account of whoever types this; `HilumError` if they have none, or may not assess."""
    from hilum.audit.system_user import actor_here
    from hilum.people.everybody import Everybody
    from hilum.people.roles import MAY, Permission

    name = actor_here().person
    with closing(Everybody(site.data, site.console)) as everybody:
        account = everybody.accounts.get(name)
    cure = f"`hilum people add {name.lower()} --role reader` makes an account"
    if account is None:
        raise HilumError(f"{name} has no account here, and only readers assess results: {cure}")
    if account.disabled:
        raise HilumError(f"the account {account.name} is disabled, so it assesses no result")
    if Permission.ASSESS not in MAY[account.role]:
        raise HilumError(
            f"{account.name} is {account.role} here, and only readers assess results: have a "
            "reader do it, on the page of the study or under an account of their own"
        )
    return account
