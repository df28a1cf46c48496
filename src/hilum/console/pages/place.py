"""The forms that add, change and remove destinations, sources, worklists and notifiers.

Each kind brings its form with the class of its settings. What is filled in is tested, and shown as
a difference of hilum.toml, before it is saved.
"""

from dataclasses import dataclass, replace
from http import HTTPStatus
from inspect import getdoc
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from hilum.answers import Checked
from hilum.config.editing import added, changed, removed
from hilum.config.fields import Settings
from hilum.console.desk import Desk, OurDesk
from hilum.console.drafts import EntryDraft
from hilum.console.endpoints import pages
from hilum.console.forms import FieldProblems, FormField, SentForm, fields_of, refilled, values_of
from hilum.console.guard import OurVisitor
from hilum.console.mishaps import told_as
from hilum.console.places import NetworkPlace, entry_in, settings_class, tests_of
from hilum.console.saving import (
    LONGEST_REASON,
    checked,
    file_of,
    require_same,
    save,
    why_fixed,
)
from hilum.errors import ConfigurationError
from hilum.people.roles import Permission
from hilum.people.visitor import Visitor
from hilum.records.states import UNSETTLED

OF_ITS_KIND = "kind"  # chosen before, and never changed: another kind is another place

endpoints = pages()


@dataclass(frozen=True, kw_only=True)
class PlaceDraft(EntryDraft):
    """A place that somebody is at.

    `values` is the entry as it is now. `checks` are what a test of the new settings found.
    """

    place: NetworkPlace
    kind: str
    settings: type[Settings]
    values: dict[str, Any]
    checks: tuple[Checked, ...] = ()

    @property
    def title(self) -> str:
        """The title of its page."""
        if self.name:
            return f"Settings of {self.name}"
        return f"New {self.place.noun} of kind {self.kind}"

    @property
    def help(self) -> str:
        """What such a place is, in one sentence."""
        return _help(self.settings)

    @property
    def main(self) -> list[FormField]:
        """What has to be said, and what is of this kind alone."""
        return [one for one in self.fields if one.required or not self._is_further(one)]

    @property
    def further(self) -> list[FormField]:
        """The other fields: those of every kind, and of sections inside."""
        return [one for one in self.fields if one not in self.main]

    @property
    def has_further(self) -> bool:
        """Whether something is said there, or wrong."""
        return any(field.problem or field.text for field in self.further)

    def _is_further(self, one: FormField) -> bool:
        return "." in one.name or one.name in self.place.shared.model_fields

    @property
    def has_failed(self) -> bool:
        """Whether its test found something wrong."""
        return not all(check.good for check in self.checks)


@endpoints.get("/network/add", Permission.CONFIGURE, response_class=HTMLResponse)
def kinds(request: Request, desk: OurDesk) -> HTMLResponse:
    """What can be added, by kind."""
    offered = {
        place: {name: _help(kind.settings) for name, kind in place.kinds.usable().items()}
        for place in NetworkPlace
    }
    return desk.rendering.page(request, "kinds.html", offered=offered, fixed=why_fixed(desk))


@endpoints.get("/network/add/{place}/{kind}", Permission.CONFIGURE, response_class=HTMLResponse)
def new(request: Request, desk: OurDesk, place: NetworkPlace, kind: str) -> HTMLResponse:
    """An empty form."""
    return _page(request, desk, _new(desk, place, kind))


@endpoints.post("/network/add/{place}/{kind}", Permission.CONFIGURE, response_class=HTMLResponse)
def add(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    sent: SentForm,
    place: NetworkPlace,
    kind: str,
) -> Response:
    """Test a new place, or add it."""
    return _change(request, desk, visitor, sent, _new(desk, place, kind))


@endpoints.get(
    "/network/{place}/{name}/settings", Permission.CONFIGURE, response_class=HTMLResponse
)
def edit(request: Request, desk: OurDesk, place: NetworkPlace, name: str) -> HTMLResponse:
    """The form of one place."""
    return _page(request, desk, _known(desk, place, name))


@endpoints.post(
    "/network/{place}/{name}/settings", Permission.CONFIGURE, response_class=HTMLResponse
)
def change(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    sent: SentForm,
    place: NetworkPlace,
    name: str,
) -> Response:
    """Test other settings of a place, save them, or remove it."""
    return _change(request, desk, visitor, sent, _known(desk, place, name))


def _help(settings: type[Settings]) -> str:
    """What a place with these settings is, in one sentence."""
    return (getdoc(settings) or "").partition("\n\n")[0]


def _new(desk: Desk, place: NetworkPlace, kind: str) -> PlaceDraft:
    return _draft(desk, place, kind, "", {})


def _known(desk: Desk, place: NetworkPlace, name: str) -> PlaceDraft:
    with told_as(404):
        _, values = entry_in(file_of(desk).read().text, place, name)
    return _draft(desk, place, str(values.get(OF_ITS_KIND, "")), name, values)


def _draft(
    desk: Desk, place: NetworkPlace, kind: str, name: str, values: dict[str, Any]
) -> PlaceDraft:
    settings = settings_class(place, kind)
    with told_as(404):
        before = file_of(desk).read()
    hidden = {OF_ITS_KIND, "name"} if name else {OF_ITS_KIND}
    shown = [
        field for field in fields_of(settings, values, place.choices) if field.name not in hidden
    ]
    return PlaceDraft(
        name=name,
        before=before,
        fields=shown,
        based_on=before.digest,
        place=place,
        kind=kind,
        settings=settings,
        values=values,
    )


def _change(
    request: Request, desk: Desk, visitor: Visitor, sent: FormData, draft: PlaceDraft
) -> Response:
    draft = draft.sent(sent)
    if sent.get("as") != "nothing":
        draft = replace(draft, fields=refilled(draft.fields, sent))
    try:
        draft = _tested(draft, sent)
        checked(desk, draft.after)
        if sent.get("do") != "save":
            return _page(request, desk, draft)
        if draft.has_failed and sent.get("anyway") != "yes":
            draft = replace(draft, problem="the test failed, see below: nothing was saved")
            return _page(request, desk, draft, HTTPStatus.CONFLICT)
        require_same(draft.before, draft.based_on)
        version = save(request, desk, visitor, draft.before, draft.after, draft.why)
    except (FieldProblems, ConfigurationError) as error:
        return _page(request, desk, *draft.refused(error))
    return RedirectResponse(f"/network?saved={version.number}", HTTPStatus.SEE_OTHER)


def _tested(draft: PlaceDraft, sent: FormData) -> PlaceDraft:
    """With what the file would say, and what a test of the new settings finds."""
    text, section = draft.before.text, draft.place.section
    if sent.get("as") == "nothing":
        number, _ = entry_in(text, draft.place, draft.name)
        return replace(draft, after=removed(text, section, number))
    given = [*sent.multi_items(), *([("name", draft.name)] if draft.name else [])]
    found = values_of(draft.settings, FormData(given), draft.values, draft.place.choices)
    values = {"name": found.pop("name", ""), **found, OF_ITS_KIND: draft.kind}
    settings = draft.settings.model_validate(values)
    if draft.name:
        number, _ = entry_in(text, draft.place, draft.name)
        after = changed(text, section, number, values)
    else:
        after = added(text, section, values)
    is_trial = sent.get("do") != "save"
    return replace(draft, after=after, checks=tuple(tests_of(settings, is_trial)))


def _page(
    request: Request, desk: Desk, draft: PlaceDraft, status: HTTPStatus = HTTPStatus.OK
) -> HTMLResponse:
    waiting = 0
    if draft.name and draft.place is NetworkPlace.DESTINATIONS:
        counts = desk.records.deliveries.counts().get(draft.name, {})
        waiting = sum(number for state, number in counts.items() if state in UNSETTLED)
    return desk.rendering.page(
        request,
        "place.html",
        status,
        draft=draft,
        fixed=why_fixed(desk),
        longest=LONGEST_REASON,
        waiting=waiting,
    )
