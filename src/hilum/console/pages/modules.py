"""The page of the modules: what is installed, and how it stands."""

from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import HTMLResponse

from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.hosts.walls import in_words, standing
from hilum.module import ModuleFacts
from hilum.people.roles import Permission
from hilum.records.models.standings import NotedPause
from hilum.records.states import PausedKind, WorkitemState

endpoints = pages("Modules", place=5)


@dataclass(frozen=True)
class ModuleView:
    """One module: how many rules use it, where it runs, its workitems by state, who disabled it."""

    facts: ModuleFacts
    rules: int
    runs_in: str
    counts: dict[WorkitemState, int]
    disabled: NotedPause | None


@endpoints.get("/modules", Permission.LOOK, response_class=HTMLResponse)
def modules(request: Request, desk: OurDesk) -> HTMLResponse:
    """The page."""
    counts: dict[str, dict[WorkitemState, int]] = {}
    for (module, state), number in desk.records.workitems.counts().items():
        counts.setdefault(module, {})[state] = number
    disabled = desk.records.pauses.of(PausedKind.MODULE)
    shown = [
        ModuleView(
            facts,
            sum(rule.module == facts.name for rule in desk.site.rule),
            desk.modules.runs_in.get(facts.name, ""),
            counts.pop(facts.name, {}),
            disabled.get(facts.name),
        )
        for facts in desk.modules.facts
    ]
    worker = desk.site.worker
    return desk.rendering.page(
        request,
        "modules.html",
        modules=shown,
        problems=desk.modules.problems,
        gone=counts,
        worker=worker,
        walls=in_words(standing()),
    )
