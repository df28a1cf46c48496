"""A reader says on the page of a study whether one of its results is right."""

from typing import Annotated

from fastapi import Form
from fastapi.responses import RedirectResponse

from hilum.assessing import LONGEST_REASON
from hilum.console.assessing import assess_at
from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.people.roles import Permission
from hilum.records.states import AssessmentDecision

endpoints = pages()


@endpoints.post("/studies/{address}/assessments", Permission.ASSESS)
def assess(
    desk: OurDesk,
    visitor: OurVisitor,
    address: str,
    workitem: Annotated[str, Form(max_length=64)],
    decision: Annotated[AssessmentDecision, Form()],
    reason: Annotated[str, Form(max_length=LONGEST_REASON)] = "",
) -> RedirectResponse:
    """Put on record what the reader says, and show it beside the result."""
    assess_at(desk, visitor, address, workitem, decision, reason)
    return RedirectResponse(f"/studies/{address}#assessed-{workitem}", 303)
