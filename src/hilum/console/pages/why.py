"""The page Why not?: why there is no result of a study, in one sentence, and what to do."""

import time
from typing import Annotated

from fastapi import Form, HTTPException, Request
from fastapi.responses import HTMLResponse

from hilum.console.api.why import note_search
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.mishaps import told_as
from hilum.errors import HilumError, RecordsUnavailable
from hilum.people.roles import Permission
from hilum.why.archives import archives_of, ask_archives, with_answer
from hilum.why.explanation import Cause, Explanation
from hilum.why.known import SHOWN_DIGITS
from hilum.why.question import LONGEST, explain, search_for

MOST_OTHERS = 20
FETCHED_FOR = (Cause.NEVER_ARRIVED, Cause.REMOVED, Cause.SHORT, Cause.GAPS)  # more images may help

endpoints = pages("Why not?", place=3)

Wanted = Annotated[str, Form(max_length=LONGEST)]


@endpoints.get("/why", Permission.SEE_PATIENTS, response_class=HTMLResponse)
def ask(request: Request, desk: OurDesk) -> HTMLResponse:
    """The page with nothing but the question."""
    return desk.rendering.page(
        request, "why.html", wanted="", said=None, problem="", archives=[], others=[], more=0
    )


@endpoints.post("/why", Permission.SEE_PATIENTS, response_class=HTMLResponse)
def answer(
    request: Request, desk: OurDesk, visitor: OurVisitor, wanted: Wanted = ""
) -> HTMLResponse:
    """The page with the answer of the records; it asks for that of each archive by itself."""
    said, problem = None, ""
    try:
        said = explain(desk.site, desk.records, wanted, time.time())
    except RecordsUnavailable:
        raise
    except HilumError as error:
        problem = str(error)
    note_search(desk, visitor, said)
    others = said.others if said else ()
    return desk.rendering.page(
        request,
        "why.html",
        status=422 if problem else 200,
        addresses=_addresses(desk, said) if said else {},
        wanted=wanted.strip(),
        said=said,
        problem=problem,
        archives=dict.fromkeys(one.name for one in archives_of(desk.site)) if said else (),
        others=others[:MOST_OTHERS],
        more=max(0, len(others) - MOST_OTHERS),
    )


@endpoints.post("/why/archives/{name}", Permission.SEE_PATIENTS, response_class=HTMLResponse)
def ask_archive(request: Request, desk: OurDesk, name: str, wanted: Wanted) -> HTMLResponse:
    """What one archive answers, as a part of the page."""
    archives = [archive for archive in archives_of(desk.site) if archive.name == name]
    if not archives:
        raise HTTPException(404, "there is no such archive")
    with told_as(422):
        said = explain(desk.site, desk.records, wanted, time.time())
        answers = list(ask_archives(archives, search_for(desk.records, wanted)))
    now = said
    for one in answers:
        now = with_answer(now, one, desk.site)
    changed = now if now != said else None
    fetchable = [
        (one.archive, uid)
        for one in answers
        for uid in one.study_uids
        if one.can_be_fetched and said.cause in FETCHED_FOR
    ]
    addresses = _addresses(desk, said)
    return desk.rendering.page(
        request,
        "why_archive.html",
        answers={str(one): one for one in answers}.values(),  # it may be source and destination
        changed=changed,
        addresses=addresses,
        fetchable=fetchable,
    )


def _addresses(desk: Desk, said: Explanation) -> dict[str, str]:
    """Addresses of the studies it is about, by UID and by what cures call their workitems."""
    every = (said, *said.others)
    by_uid = desk.records.identifiers.addresses({one.study_uid for one in every})
    known = [one for one in every if one.workitem and one.study_uid in by_uid]
    return by_uid | {one.workitem[-SHOWN_DIGITS:]: by_uid[one.study_uid] for one in known}
