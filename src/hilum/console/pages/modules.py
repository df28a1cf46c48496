"""The page of the modules: what is installed, what they did, and how they failed."""

import time
from dataclasses import dataclass

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse

from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.hosts.walls import in_words, standing
from hilum.module import ModuleFacts
from hilum.people.roles import Permission
from hilum.records.models import Workitem
from hilum.records.states import WorkitemState

DAY = 86400.0
SHOWN_FAILURES = 5

endpoints = pages("Modules", place=5)


@dataclass(frozen=True)
class ModuleView:
    """One module: its facts, the rules that use it, its workitems by state, its last failures."""

    facts: ModuleFacts
    has_card: bool
    rules: int
    counts: dict[WorkitemState, int]
    failures: tuple[Workitem, ...]


@endpoints.get("/modules", Permission.LOOK, response_class=HTMLResponse)
def modules(request: Request, desk: OurDesk) -> HTMLResponse:
    """The page."""
    counts: dict[str, dict[WorkitemState, int]] = {}
    for (module, state), number in desk.records.workitems.counts().items():
        counts.setdefault(module, {})[state] = number
    shown = [
        ModuleView(
            facts,
            facts.name in desk.cards,
            sum(rule.module == facts.name for rule in desk.site.rule),
            counts.pop(facts.name, {}),
            tuple(_failures(desk, facts.name)),
        )
        for facts in desk.modules
    ]
    worker = desk.site.worker
    uids = {item.study_uid for module in shown for item in module.failures}
    addresses = desk.records.identifiers.addresses(uids)
    return desk.rendering.page(
        request,
        "modules.html",
        modules=shown,
        addresses=addresses,
        gone=counts,
        worker=worker,
        walls=in_words(standing()),
    )


@endpoints.get("/modules/{name}/card", Permission.LOOK, response_class=PlainTextResponse)
def card(desk: OurDesk, name: str) -> str:
    """The model card as its author wrote it."""
    if name not in desk.cards:
        raise HTTPException(404, "this module has no model card")
    return desk.cards[name].read_text()


def _failures(desk: Desk, module: str) -> list[Workitem]:
    since = time.time() - 30 * DAY
    states = (WorkitemState.FAILED,)
    return desk.records.workitems.newest_of(module, since, states, SHOWN_FAILURES)
