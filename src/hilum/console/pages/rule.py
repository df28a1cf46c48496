"""The pages of one rule: it is edited as a form or as text, added or removed, and tried before."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import tomlkit
from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from hilum.config import site_in
from hilum.config.editing import added, changed, entry_text, removed, with_entry_text
from hilum.config.file import SettingsText
from hilum.config.site import Rule
from hilum.console.desk import Desk, OurDesk
from hilum.console.drafts import EntryDraft
from hilum.console.endpoints import pages
from hilum.console.forms import FieldProblems, SentForm, fields_of, refilled, values_of
from hilum.console.guard import OurVisitor
from hilum.console.saving import (
    LONGEST_REASON,
    checked,
    file_of,
    require_same,
    save,
    why_fixed,
)
from hilum.console.trials import StudyTrial, trials_of
from hilum.errors import ConfigurationError
from hilum.people.roles import Permission
from hilum.people.visitor import Visitor

SECTION = "rule"
LATEST_STUDIES = 10  # that a change is tried with

endpoints = pages()


@dataclass(frozen=True, kw_only=True)
class RuleDraft(EntryDraft):
    """A rule that somebody is at: its `lines` in the file, and what it does on trial."""

    lines: str = ""
    trials: list[StudyTrial] | None = None

    @property
    def title(self) -> str:
        """The title of its page."""
        return f"Rule {self.name}" if self.name else "New rule"


@endpoints.get("/rules/add", Permission.CONFIGURE, response_class=HTMLResponse)
def new(request: Request, desk: OurDesk) -> HTMLResponse:
    """An empty form."""
    return _page(request, desk, _draft(desk, ""))


@endpoints.post("/rules/add", Permission.CONFIGURE, response_class=HTMLResponse)
def add(request: Request, desk: OurDesk, visitor: OurVisitor, sent: SentForm) -> Response:
    """Try a new rule, or add it."""
    return _change(request, desk, visitor, sent, "")


@endpoints.get("/rules/edit/{name}", Permission.CONFIGURE, response_class=HTMLResponse)
def edit(request: Request, desk: OurDesk, name: str) -> HTMLResponse:
    """The form of one rule."""
    return _page(request, desk, _draft(desk, name))


@endpoints.post("/rules/edit/{name}", Permission.CONFIGURE, response_class=HTMLResponse)
def change(
    request: Request, desk: OurDesk, visitor: OurVisitor, sent: SentForm, name: str
) -> Response:
    """Try other settings of a rule, save them, or remove it."""
    return _change(request, desk, visitor, sent, name)


def _change(request: Request, desk: Desk, visitor: Visitor, sent: FormData, name: str) -> Response:
    draft = _draft(desk, name).sent(sent)
    if sent.get("as") == "text":
        draft = replace(draft, lines=str(sent.get("lines", "")))
    else:
        draft = replace(draft, fields=refilled(draft.fields, sent))
    try:
        draft = replace(draft, after=_after(desk, draft, sent))
        site = checked(desk, draft.after)
        if sent.get("do") != "save":
            trials = trials_of(desk, site.rule, LATEST_STUDIES)
            return _page(request, desk, replace(draft, trials=trials))
        require_same(draft.before, draft.based_on)
        version = save(request, desk, visitor, draft.before, draft.after, draft.why)
    except (FieldProblems, ConfigurationError) as error:
        return _page(request, desk, *draft.refused(error))
    return RedirectResponse(f"/rules/versions/{version.number}", HTTPStatus.SEE_OTHER)


def _after(desk: Desk, draft: RuleDraft, sent: FormData) -> str:
    """What the file would say."""
    text = draft.before.text
    if not draft.name:
        return added(text, SECTION, values_of(Rule, sent, {}, _choices(desk)))
    number = _number(draft.before, draft.name)
    if sent.get("as") == "nothing":
        return removed(text, SECTION, number)
    if sent.get("as") == "text":
        return with_entry_text(text, SECTION, number, draft.lines)
    values = values_of(Rule, sent, _values(draft.before, number), _choices(desk))
    return changed(text, SECTION, number, values)


def _draft(desk: Desk, name: str) -> RuleDraft:
    """The rule as it stands in the file now."""
    try:
        before = file_of(desk).read()
        if not name:
            fields = fields_of(Rule, {}, _choices(desk))
            return RuleDraft(name="", before=before, fields=fields, based_on=before.digest)
        number = _number(before, name)
    except ConfigurationError as error:
        raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error
    fields = fields_of(Rule, _values(before, number), _choices(desk))
    try:
        lines = entry_text(before.text, SECTION, number)
    except ConfigurationError:
        lines = ""  # it does not stand on lines of its own: the form changes it
    return RuleDraft(name=name, before=before, fields=fields, based_on=before.digest, lines=lines)


def _number(said: SettingsText, name: str) -> int:
    names = list(site_in(said.text).rules_by_name)
    if name not in names:
        raise HTTPException(HTTPStatus.NOT_FOUND, "hilum.toml has no rule of this name any more")
    return names.index(name)


def _values(said: SettingsText, number: int) -> Mapping[str, Any]:
    values: Mapping[str, Any] = tomlkit.parse(said.text).unwrap()[SECTION][number]
    return values


def _choices(desk: Desk) -> dict[str, list[str]]:
    return {
        "module": sorted(module.name for module in desk.modules.facts),
        "send_to": [destination.name for destination in desk.site.destination],
    }


def _page(
    request: Request, desk: Desk, draft: RuleDraft, status: HTTPStatus = HTTPStatus.OK
) -> HTMLResponse:
    return desk.rendering.page(
        request,
        "rule.html",
        status,
        draft=draft,
        fixed=why_fixed(desk),
        latest=LATEST_STUDIES,
        longest=LONGEST_REASON,
    )
