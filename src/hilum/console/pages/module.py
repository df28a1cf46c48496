"""The page of one module: its limits, what it did, how it failed, its versions, its card."""

import time

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from hilum.answers import Checked
from hilum.audit import AuditedAct, AuditedObject
from hilum.checking import server_of
from hilum.config.site import Rule
from hilum.console.cards import shown
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.pausing import PauseReason, end_pause, refused_pause
from hilum.console.refusing import RefusedForm
from hilum.errors import MachineError
from hilum.hosts.discovery import installed_module
from hilum.hosts.place import Place
from hilum.hosts.scratch import TRACEBACK
from hilum.hosts.server import ServerHostSettings
from hilum.hosts.server.checking import checks_of
from hilum.module import ModuleFacts
from hilum.module.takes import Takes
from hilum.pausing import LONGEST_REASON
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.states import PausedKind, WorkitemState
from hilum.servers.at_server import AtServer

LONGEST_TRACEBACK = 50_000  # characters; its end says what was raised

endpoints = pages()


@endpoints.get("/modules/{name}", Permission.LOOK, response_class=HTMLResponse)
def module(request: Request, desk: OurDesk, name: str) -> HTMLResponse:
    """The page."""
    return _page(request, desk, name)


def _page(
    request: Request, desk: Desk, name: str, refused: RefusedForm | None = None
) -> HTMLResponse:
    facts, now = _facts(desk, name), time.time()
    history = views.module_history(desk.records, name, now)
    counts = desk.records.workitems.counts()
    page = desk.modules.cards.get(name)
    kept = {one.workitem_id for one in history.failures if _traceback(desk, one.workitem_id)}
    return desk.rendering.page(
        request,
        "module.html",
        refused.status if refused else 200,
        refused=refused,
        now=now,
        facts=facts,
        disabled=desk.records.pauses.get(PausedKind.MODULE, name),
        counts={state: n for (of, state), n in counts.items() if of == name},
        waiting=counts.get((name, WorkitemState.SCHEDULED), 0),
        takes=desk.modules.takes.get(name, Takes()),
        runs_in=desk.modules.runs_in.get(name, ""),
        rules=[_set(rule) for rule in desk.site.rule if rule.module == name],
        history=history,
        addresses=desk.records.identifiers.addresses({o.study_uid for o in history.failures}),
        tracebacks=kept,
        card=shown(page) if page else "",
        card_is_toml=page is not None and page.is_toml,
        longest_reason=LONGEST_REASON,
        has_server=_has_server(desk, name),
    )


@endpoints.post("/modules/{name}/test", Permission.ACT, response_class=HTMLResponse)
def test(request: Request, desk: OurDesk, name: str) -> HTMLResponse:
    """Ask the inference server of the module, as `hilum check` does; a part of the page."""
    _facts(desk, name)
    try:
        server = _server(desk, name)
    except MachineError as error:
        checks = [Checked("module", False, str(error))]
    else:
        if server is None:
            raise HTTPException(404, "no inference server computes this module")
        checks = list(checks_of(*server))
    return desk.rendering.page(request, "checks.html", checks=checks)


def _has_server(desk: Desk, name: str) -> bool:
    """Whether a server can be tested; one that nobody can ask for just now may be."""
    try:
        return _server(desk, name) is not None
    except MachineError:
        return True


def _server(desk: Desk, name: str) -> tuple[ServerHostSettings, type[AtServer]] | None:
    """What computes the module, None where no server does.

    Raises `MachineError` where it cannot be asked just now.
    """
    if not isinstance(desk.site.host_for(name), ServerHostSettings):
        return None
    try:
        return server_of(desk.site, name, installed_module(name, Place.of(desk.site)))
    except KeyError:  # it was removed meanwhile
        return None


@endpoints.get("/modules/{name}/failures/{workitem}", Permission.SEE_PATIENTS)
def traceback(desk: OurDesk, visitor: OurVisitor, name: str, workitem: str) -> PlainTextResponse:
    """What the module raised, line by line; it may hold values of the images."""
    item = desk.records.workitems.get(workitem)
    text = _traceback(desk, item.id) if item and item.module == name else ""
    if not item or not text:
        raise HTTPException(404, "no traceback of this analysis is here")
    about = AuditedObject.workitem(item.id, item.study_uid)
    patient = desk.records.identifiers.patient_of(item.study_uid)
    desk.auditor.note(AuditedAct.OPENED, visitor, about, patient)
    return PlainTextResponse(text[-LONGEST_TRACEBACK:])


@endpoints.post("/modules/{name}/disable", Permission.ACT)
def disable(
    request: Request, desk: OurDesk, visitor: OurVisitor, name: str, reason: PauseReason = ""
) -> Response:
    """Begin no analysis by it until it is enabled."""
    _facts(desk, name)
    if refused := refused_pause(desk, visitor, PausedKind.MODULE, name, reason):
        return _page(request, desk, name, refused)
    return RedirectResponse(f"/modules/{name}", 303)


@endpoints.post("/modules/{name}/enable", Permission.ACT)
def enable(desk: OurDesk, visitor: OurVisitor, name: str) -> Response:
    """Let it go on."""
    _facts(desk, name)
    end_pause(desk, visitor, PausedKind.MODULE, name)
    return RedirectResponse(f"/modules/{name}", 303)


def _facts(desk: Desk, name: str) -> ModuleFacts:
    facts = next((one for one in desk.modules.facts if one.name == name), None)
    if facts is None:
        raise HTTPException(404, "no such module is installed")
    return facts


def _set(rule: Rule) -> dict[str, str]:
    """What a rule sets for its module, in words, without what is as usual."""
    values = rule.model_dump(mode="json", exclude_defaults=True)
    return {name: _in_words(value) for name, value in values.items() if name != "module"}


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return " and ".join(f"{key}: {_in_words(inner)}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _traceback(desk: Desk, workitem: str) -> str:
    """What was kept of the failure of a known workitem; "" if nothing was, or it was removed."""
    try:
        return (desk.site.data / "results" / workitem / TRACEBACK).read_text(errors="replace")
    except OSError:
        return ""
