"""A reader says on the page of a study whether one of its results is right."""

from typing import Annotated

from fastapi import Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from hilum.assessments.decision import AssessmentDecision
from hilum.console.assessing import assess_at
from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.pages.study import LONGEST_TYPED, study_page
from hilum.console.refusing import RefusedForm, TypedForm
from hilum.errors import AuditUnavailable
from hilum.people.roles import Permission

ASSESS = "assess"  # what its form is called

endpoints = pages()


@endpoints.post("/studies/{address}/assessments", Permission.ASSESS)
def assess(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    address: str,
    workitem: Annotated[str, Form(max_length=64)],
    decision: Annotated[AssessmentDecision, Form()],
    reason: Annotated[str, Form(max_length=LONGEST_TYPED)] = "",
) -> Response:
    """Put on record what the reader says, and show it beside the result."""
    try:
        assess_at(desk, visitor, address, workitem, decision, reason)
    except (HTTPException, AuditUnavailable) as error:
        refused = RefusedForm.of(TypedForm(ASSESS, workitem, reason), error)
        return study_page(request, desk, visitor, address, refused=refused)
    return RedirectResponse(f"/studies/{address}#assessed-{workitem}", 303)
