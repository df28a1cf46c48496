"""A form that was refused comes back with what somebody typed, and what is wrong with it."""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.exceptions import HTTPException

from hilum.errors import AuditUnavailable

# What can be mended in the form itself, or by asking again; whatever else is wrong has a page.
MENDABLE = (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


@dataclass(frozen=True)
class TypedForm:
    """What was typed into a form. `act` names it, and the `workitem` that it is about, if it is."""

    act: str
    workitem: str = ""
    reason: str = ""
    module: str = ""
    destinations: tuple[str, ...] = ()
    images: bool = False


@dataclass(frozen=True)
class RefusedForm:
    """A form that was refused, with which HTTP status, and why."""

    typed: TypedForm
    status: int
    problem: str

    @classmethod
    def of(cls, typed: TypedForm, error: HTTPException | AuditUnavailable) -> "RefusedForm":
        """The form that `error` refused; an error that no form can mend is raised again."""
        if isinstance(error, AuditUnavailable):
            return cls(typed, HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        if error.status_code not in MENDABLE:
            raise error
        return cls(typed, error.status_code, str(error.detail))

    def is_of(self, act: str, workitem: str = "") -> bool:
        """Whether it is the form of `act`, with `workitem` if that is about one."""
        return (self.typed.act, self.typed.workitem) == (act, workitem)
