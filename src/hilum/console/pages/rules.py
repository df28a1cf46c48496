"""The page of the rules: each as a sentence, and what other rules would do with recent studies."""

from dataclasses import dataclass
from typing import Annotated

import tomlkit
from fastapi import Form, Request
from fastapi.responses import HTMLResponse

from hilum.audit import AuditedAct, AuditedObject, ObjectType
from hilum.config.site import Rule
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.errors import ConfigurationError
from hilum.inbox import Inbox
from hilum.people.roles import Permission
from hilum.records.search import StudyQuery
from hilum.trying import RuleTrial, TrialOutcome, rules_in, study_on_disk, try_rules

MOST_STUDIES = 20
LONGEST = 50_000  # characters of rules

endpoints = pages("Rules", place=4)


@dataclass(frozen=True)
class StudyTrial:
    """What the running rules would do with one study, and what the rules on trial would."""

    address: str
    description: str
    running: tuple[RuleTrial, ...]
    tried: tuple[RuleTrial, ...]

    @property
    def differs(self) -> bool:
        """Whether the rules on trial would do something else."""
        return _done(self.running) != _done(self.tried)


@endpoints.get("/rules", Permission.LOOK, response_class=HTMLResponse)
def rules(request: Request, desk: OurDesk) -> HTMLResponse:
    """The page."""
    return _page(request, desk, as_toml(desk.site.rule))


@endpoints.post("/rules", Permission.CONFIGURE, response_class=HTMLResponse)
def try_them(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    text: Annotated[str, Form(max_length=LONGEST)],
    studies: Annotated[int, Form(ge=1, le=MOST_STUDIES)] = 10,
) -> HTMLResponse:
    """The page with what the rules in `text` would do with the latest studies; nothing is done."""
    try:
        wanted = rules_in(text, desk.site)
    except ConfigurationError as error:
        return _page(request, desk, text, studies, problem=str(error), status=422)
    looked_at = AuditedObject(ObjectType.RULE, "trial")
    desk.auditor.note(AuditedAct.OPENED, visitor, looked_at)
    return _page(request, desk, text, studies, trials=_trials(desk, wanted, studies))


def _page(
    request: Request,
    desk: Desk,
    text: str,
    studies: int = 10,
    trials: list[StudyTrial] | None = None,
    problem: str = "",
    status: int = 200,
) -> HTMLResponse:
    return desk.rendering.page(
        request,
        "rules.html",
        status,
        rules=desk.site.rule,
        titles={module.name: module.title for module in desk.modules},
        text=text,
        studies=studies,
        most=MOST_STUDIES,
        trials=trials,
        problem=problem,
    )


def _trials(desk: Desk, wanted: tuple[Rule, ...], studies: int) -> list[StudyTrial]:
    query = StudyQuery()
    inbox = Inbox(desk.site.data)
    trials = []
    for row in desk.records.search.page(query, desk.records.search.count(query), 0, studies):
        arrival = study_on_disk(row.study_uid, inbox.study_folder(row.study_uid))
        if arrival.instances:
            running, tried = (
                tuple(try_rules(arrival, of, desk.needs)) for of in (desk.site.rule, wanted)
            )
            trials.append(StudyTrial(row.address, row.description, running, tried))
    return trials


def _done(trials: tuple[RuleTrial, ...]) -> set[tuple[str, str, tuple[str, ...]]]:
    """What comes of it; why a rule does nothing is not a difference."""
    done = (TrialOutcome.ANALYSE, TrialOutcome.HOLD)
    return {(one.module, one.outcome, one.series) for one in trials if one.outcome in done}


def as_toml(rules: tuple[Rule, ...]) -> str:
    """Rules as they stand in a settings file, without what is as usual."""
    values = [rule.model_dump(mode="json", exclude_defaults=True) for rule in rules]
    return tomlkit.dumps({"rule": values}) if values else ""
