"""The page of the rules: each as a sentence, and what other rules would do with recent studies."""

from typing import Annotated

import tomlkit
from fastapi import Form, Request
from fastapi.responses import HTMLResponse

from hilum.audit import AuditedAct, AuditedObject, ObjectType
from hilum.config.site import Rule
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.saving import why_fixed
from hilum.console.trials import MOST_STUDIES, StudyTrial, trials_of
from hilum.errors import ConfigurationError
from hilum.people.roles import Permission
from hilum.study.trying import rules_in

LONGEST = 50_000  # characters of rules

endpoints = pages("Rules", place=4)


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
    return _page(request, desk, text, studies, trials=trials_of(desk, wanted, studies))


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
        rules=desk.site.rules_by_name,
        newest=desk.versions.newest(),
        refusals=desk.versions.refusals(),
        fixed=why_fixed(desk),
        titles={module.name: module.title for module in desk.modules.facts},
        text=text,
        studies=studies,
        most=MOST_STUDIES,
        trials=trials,
        problem=problem,
    )


def as_toml(rules: tuple[Rule, ...]) -> str:
    """Rules as they stand in a settings file, without what is as usual."""
    values = [rule.model_dump(mode="json", exclude_defaults=True) for rule in rules]
    return tomlkit.dumps({"rule": values}) if values else ""
