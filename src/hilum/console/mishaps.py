"""What somebody sees when their request cannot be done: a page, or JSON for a program."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.console.api import V1
from hilum.console.desk import Desk
from hilum.errors import AuditUnavailable, HilumError, RecordsUnavailable, way_to

TITLES = {
    HTTPStatus.NOT_FOUND: "Not here",
    HTTPStatus.GONE: "No longer here",
    HTTPStatus.CONFLICT: "Not any more",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Not understood",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Failed",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not now",
}
AGAIN = "no image is lost: have whoever runs Hilum look at the database, then look here again"
FAILED = "Hilum has made a mistake here: its log says where; nothing of a study is lost by it"
IN_WORDS = {"Not Found": "there is no page at this address"}  # what the web server itself says

log = logging.getLogger(__name__)


@contextmanager
def told_as(status: int) -> Iterator[None]:
    """An error of ours inside becomes an answer with this HTTP status and its own words.

    What cannot be put on record, or read from there, stays what it is: 503.
    """
    try:
        yield
    except (AuditUnavailable, RecordsUnavailable):
        raise
    except HilumError as error:
        raise HTTPException(status, str(error)) from error


def add_to(application: FastAPI) -> None:
    """Have `application` say in plain words what is wrong."""
    application.add_exception_handler(HTTPException, _refused)
    application.add_exception_handler(RequestValidationError, _not_understood)
    application.add_exception_handler(AuditUnavailable, _not_on_record)
    application.add_exception_handler(RecordsUnavailable, _without_records)
    application.add_middleware(Mistakes)


class Mistakes:
    """ASGI middleware around the pages: our own mistakes are answered, and logged, in our words.

    What reaches the web server is logged there, with a long list of places in libraries.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer; say so where it cannot."""
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:  # noqa: BLE001 - around one page: others go on
            # the route, not the path: that one may name a study
            page = getattr(scope.get("route"), "path", "a page")
            log.error("%s %s failed: %s", scope.get("method"), page, way_to(error))
            if not has_begun:
                answer = await _failed(Request(scope, receive))
                await answer(scope, receive, send)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if _is_page(request):
        return _page(request, error.status_code, IN_WORDS.get(error.detail, error.detail))
    return await http_exception_handler(request, error)


async def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if _is_page(request):
        fields = sorted({str(one["loc"][-1]) for one in error.errors()})
        text = f"this cannot be right: {', '.join(fields)}"
        return _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, text)
    return await request_validation_exception_handler(request, error)


async def _not_on_record(request: Request, error: Exception) -> Response:
    return await _refused(request, HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error)))


async def _without_records(request: Request, error: Exception) -> Response:
    if _is_page(request) and request.method == "GET":
        desk: Desk = request.app.state.desk
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return desk.rendering.page(request, "away.html", status, text=str(error))
    return await _refused(
        request, HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}; {AGAIN}")
    )


async def _failed(request: Request) -> Response:
    """A mistake of ours: the log has where."""
    return await _refused(request, HTTPException(HTTPStatus.INTERNAL_SERVER_ERROR, FAILED))


def _is_page(request: Request) -> bool:
    return not request.url.path.startswith(V1) and "text/html" in request.headers.get("accept", "")


def _page(request: Request, status: int, text: str) -> Response:
    desk: Desk = request.app.state.desk
    title = TITLES.get(HTTPStatus(status), "Not done")
    # whoever could not do something on the page of a study wants to go back there
    address = request.path_params.get("address") if request.method == "POST" else None
    values = {"title": title, "text": text, "address": address}
    return desk.rendering.page(request, "mishap.html", status, **values)
