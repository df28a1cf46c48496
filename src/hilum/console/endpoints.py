"""How a page, or a resource of the API, says where it is and who may ask for it.

Each file in `pages/` and `api/` has one `Endpoints`. None can be added without a permission.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel

from hilum.people.roles import Permission

PERMISSION = "x-permission"  # its key in the description of the API
STREAMED = "x-streamed"  # the same of an endpoint that reads its form piece by piece
MAIN_PAGES = 7  # of the menu; the others stand under More
COOKIE, TOKEN = "session", "token"  # the ways to show who one is, as the description calls them


class ApiRefusal(BaseModel):
    """Why something was not done, in a sentence."""

    detail: str


class NotUnderstood(BaseModel):
    """What of the request cannot be right: a sentence, or each value and what is wrong with it."""

    detail: str | list[dict[str, Any]]


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ApiRefusal, "description": "The body cannot be read"},
    401: {"model": ApiRefusal, "description": "Nobody has signed in, or the token has ended"},
    403: {"model": ApiRefusal, "description": "The role does not allow it"},
    404: {"model": ApiRefusal, "description": "There is no such thing"},
    409: {"model": ApiRefusal, "description": "It cannot be done as things are"},
    422: {"model": NotUnderstood, "description": "The request cannot be right"},
    503: {"model": ApiRefusal, "description": "The records, or the audit trail, cannot be used"},
}
Handler = TypeVar("Handler", bound=Callable[..., Any])


class _Adds(Protocol):
    """Takes the function below, and gives it back as it is."""

    def __call__(self, answer: Handler, /) -> Handler: ...


@dataclass(frozen=True)
class Endpoint:
    """One address, who may ask for it, and the function that answers.

    `options` are those of FastAPI's routes. A function without `async` runs in a thread. One that
    is `streamed` takes forms that are larger than memory, see `hilum.console.multipart`.
    """

    method: str
    path: str
    permission: Permission
    answer: Callable[..., Any]
    options: dict[str, Any]
    streamed: bool = False


@dataclass(frozen=True)
class MenuEntry:
    """One line of the menu; `place` is where, from 1."""

    title: str
    path: str
    place: int
    permission: Permission

    @property
    def is_further(self) -> bool:
        """Whether it stands under More: the menu is one line for everybody."""
        return self.place > MAIN_PAGES


@dataclass
class Endpoints:
    """The endpoints of one page, or of one resource of the API.

    Attributes
    ----------
    title
        As the menu shows the first of them; "" if it is not in the menu.
    place
        In the menu, from 1.
    in_api
        Whether they are in the description of the API.
    """

    title: str = ""
    place: int = 0
    in_api: bool = False
    found: list[Endpoint] = field(default_factory=list)

    def get(self, path: str, permission: Permission, **options: Any) -> _Adds:
        """The function below answers GET at `path` to whoever has `permission`."""
        return self._add("GET", path, permission, options)

    def post(
        self, path: str, permission: Permission, streamed: bool = False, **options: Any
    ) -> _Adds:
        """The function below answers POST at `path` to whoever has `permission`."""
        return self._add("POST", path, permission, options, streamed)

    def delete(self, path: str, permission: Permission, **options: Any) -> _Adds:
        """The function below answers DELETE at `path` to whoever has `permission`."""
        return self._add("DELETE", path, permission, options)

    def _add(
        self,
        method: str,
        path: str,
        permission: Permission,
        options: dict[str, Any],
        streamed: bool = False,
    ) -> _Adds:
        def added(answer: Handler) -> Handler:
            self.found.append(Endpoint(method, path, permission, answer, options, streamed))
            return answer

        return added

    def menu(self) -> Iterator[MenuEntry]:
        """Its line of the menu, if it has one."""
        if self.title:
            first = self.found[0]
            yield MenuEntry(self.title, first.path, self.place, first.permission)

    def add_to(self, router: APIRouter) -> None:
        """Have `router` answer at all of them; the description tells refusals, too."""
        for endpoint in self.found:
            responses = (REFUSALS if self.in_api else {}) | endpoint.options.get("responses", {})
            router.add_api_route(
                endpoint.path,
                endpoint.answer,
                methods=[endpoint.method],
                include_in_schema=self.in_api,
                openapi_extra=_description(endpoint),
                **endpoint.options | {"responses": responses},
            )


def _description(endpoint: Endpoint) -> dict[str, Any]:
    ways: list[dict[str, list[str]]] = [{COOKIE: []}, {TOKEN: []}]
    is_open = endpoint.permission is Permission.NONE
    streamed = {STREAMED: True} if endpoint.streamed else {}
    return {
        PERMISSION: endpoint.permission.value,
        "security": [] if is_open else ways,
        **streamed,
    }


def pages(title: str = "", place: int = 0) -> Endpoints:
    """The endpoints of a page; with a `title` it is in the menu."""
    return Endpoints(title, place)


def resource() -> Endpoints:
    """The endpoints of a resource of the API."""
    return Endpoints(in_api=True)


def answers(model: Any, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The option `responses` of an endpoint that answers with the JSON of `model`, a type."""
    return {status: {"model": model}}


def found_in(package: ModuleType) -> list[Endpoints]:
    """The `endpoints` of every file of `package`."""
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"{package.__name__}.{name}").endpoints for name in names]
