"""Serves the OHIF viewer and, on the same origin, the PACS's studies: `python proxy.py --help`.

Of the PACS only the DICOMweb resources below `studies` are there (PS3.18 10), and only to be read:
its other interfaces, which may delete or send, often listen on the same port.

A program of its own, which imports nothing of Hilum, so that it starts in half a second.
"""

import argparse
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

CONFIGURATION = Path(__file__).with_name("app-config.js")
VOI_LUT_FUNCTION = "00281056"
# Of one connection only (RFC 9110 7.6.1), so never passed on.
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"}
# What a reader's browser has to tell the PACS. Others may change what a request does: Orthanc takes
# X-HTTP-Method-Override, or the argument `_method` of a GET, for the method.
PASSED_ON = {"accept", "accept-encoding", "accept-language", "authorization", "range"}
METHOD_ARGUMENT = "_method"
# UIDs, names and numbers. No segment begins with a dot, and none holds what could be decoded again.
RESOURCE = re.compile(r"studies(/[A-Za-z0-9][A-Za-z0-9.,_-]*)*")
TIMEOUT = httpx.Timeout(60, connect=5)
# What is asked over a connection that the PACS ends at that moment, as it does with idle ones.
ENDED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


def application(dist: Path, pacs_url: str) -> Starlette:
    """The viewer in `dist`, with `/dicom-web/studies` passed on to `pacs_url`."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=pacs_url, timeout=TIMEOUT, trust_env=False) as client:
            app.state.pacs = client
            yield

    return _assemble(dist, lifespan)


def _assemble(
    dist: Path, lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]]
) -> Starlette:
    routes = [
        Route("/app-config.js", _configuration),
        Route("/dicom-web/{path:path}", _pass_on),  # GET and HEAD
        Mount("/", SinglePageApplication(directory=dist)),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


class SinglePageApplication(StaticFiles):
    """Static files; every other page is `index.html`, which reads the address by script."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or Path(path).suffix:
                raise
            path = "index.html"
            response = await super().get_response(path, scope)
        unchanging = ".bundle." in path or path.endswith(".wasm")  # the name holds a hash
        response.headers["cache-control"] = "max-age=31536000" if unchanging else "no-cache"
        return response


async def _configuration(request: Request) -> Response:
    return FileResponse(CONFIGURATION, headers={"cache-control": "no-cache"})


def resource(path: str) -> str | None:
    """What is asked for below the PACS's DICOMweb; None if it is no resource of studies.

    `path` is decoded once, as a server does. A slash at its end is left out.
    """
    path = path.removesuffix("/")
    return path if RESOURCE.fullmatch(path) else None


def _is_disguised(query: str) -> bool:
    """Whether an argument would make another method of the request."""
    names = (argument.partition("=")[0] for argument in re.split("[&;]", query))
    return any(unquote_plus(name).strip().lower() == METHOD_ARGUMENT for name in names)


async def _pass_on(request: Request) -> Response:
    client: httpx.AsyncClient = request.app.state.pacs
    path = resource(request.path_params["path"])
    if path is None:
        return PlainTextResponse("Only studies are shown here.", status_code=404)
    if _is_disguised(request.url.query):
        return PlainTextResponse("Studies are only read here.", status_code=400)
    # The plug-in ignores an encoded comma in `includefield`, and every study loses its description.
    query = request.url.query.replace("%2C", ",").replace("%2c", ",")
    outgoing = client.build_request(
        request.method,
        httpx.URL(f"/dicom-web/{path}", query=query.encode()),
        headers=_request_headers(request),
    )
    try:
        answer = await _answer(client, outgoing)
    except httpx.TransportError:
        return PlainTextResponse("The PACS does not answer.", status_code=502)
    headers = _without(answer.headers, HOP_BY_HOP)
    if path.endswith("/metadata") and answer.is_success:
        return await _metadata(answer, headers)
    return StreamingResponse(
        answer.aiter_raw(), answer.status_code, headers, background=BackgroundTask(answer.aclose)
    )


async def _answer(client: httpx.AsyncClient, asked: httpx.Request) -> httpx.Response:
    """What the PACS answers; asked once more where the connection ended (RFC 9110 9.2.2)."""
    try:
        return await client.send(asked, stream=True)
    except ENDED:
        return await client.send(asked, stream=True)


async def _metadata(answer: httpx.Response, headers: dict[str, str]) -> Response:
    """The DICOM JSON of `answer` without VOI LUT Function, which turns OHIF's images black."""
    body = await answer.aread()
    await answer.aclose()
    if VOI_LUT_FUNCTION.encode() in body:
        body = json.dumps(_dropped(json.loads(body))).encode()
    return Response(
        body, answer.status_code, _without(headers, {"content-length", "content-encoding"})
    )


def _dropped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _dropped(item) for key, item in value.items() if key != VOI_LUT_FUNCTION}
    if isinstance(value, list):
        return [_dropped(item) for item in value]
    return value


def _request_headers(request: Request) -> dict[str, str]:
    """The headers for the PACS, with the address that bulk data URIs must have (RFC 7239)."""
    told = {name: value for name, value in request.headers.items() if name in PASSED_ON}
    forwarded = f"host={request.headers.get('host', '')};proto={request.url.scheme}"
    return {**told, "forwarded": forwarded}


def _without(headers: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dist", type=Path, required=True, help="OHIF's built files")
    parser.add_argument("--pacs", required=True, help="URL of the PACS, such as http://host:8042")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000)
    options = parser.parse_args()
    # No access log: the addresses of searches hold patients' names.
    uvicorn.run(
        application(options.dist, options.pacs),
        host=options.host,
        port=options.port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
