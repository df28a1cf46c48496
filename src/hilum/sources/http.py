"""GET requests to an archive; what can go wrong becomes `SourceDelayed` or `SourceRefused`."""

import json
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx

from hilum.config import Source
from hilum.errors import ConfigurationError, SourceDelayed, SourceError, SourceRefused
from hilum.web import client, is_busy

LARGEST_LISTING = 64 << 20  # bytes
CURES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "user name or password are wrong: correct username, password_file",
    HTTPStatus.FORBIDDEN: "the user may not do this: give it the right in the archive",
    HTTPStatus.NOT_FOUND: "there is no such service at that address: correct url",
    HTTPStatus.NOT_ACCEPTABLE: "the archive cannot answer in the form asked for",
}
UNTRUSTED = "its certificate is not trusted: add who signed it to the system's certificates"
GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
JSON = "application/dicom+json, application/json"


class Answer(NamedTuple):
    """What an archive sent, decompressed."""

    content: bytes
    media_type: str


class Archive:
    """One keep-alive client for one archive; used by several threads.

    The transport sets TCP_NODELAY, so no request waits for Nagle's algorithm.
    """

    def __init__(self, settings: Source) -> None:
        self._name = settings.name
        self._url = settings.url
        try:
            self._client = client(settings)
        except ConfigurationError as error:
            raise SourceRefused(str(error)) from error

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def file(self, path: str, largest: int, accept: str = "*/*") -> Answer | None:
        """The file at `path` of at most `largest` bytes, None if there is nothing (404, 410)."""
        # Compressing pixels takes Orthanc longer than sending them over a local network.
        return self._get(path, {"Accept": accept, "Accept-Encoding": "identity"}, largest)

    def text(self, path: str) -> str:
        """The text at `path`, which has to exist."""
        return str(self._required(self.text_if_any(path)))

    def text_if_any(self, path: str) -> str | None:
        """The text at `path`, None if nothing is there."""
        answer = self._get(path, {})
        return answer.content.decode("ascii", "replace").strip() if answer else None

    def json(self, path: str, **query: str | int) -> Any:
        """The JSON at `path`, which has to exist."""
        return self._required(self.json_if_any(path, **query))

    def json_if_any(self, path: str, **query: str | int) -> Any:
        """The JSON at `path`; an empty list without content (204), None if nothing is there."""
        answer = self._get(path, {"Accept": JSON}, query=query)
        if answer is None:
            return None
        try:
            return json.loads(answer.content) if answer.content else []
        except ValueError as error:
            text = f"{self._name}: does not answer in JSON: correct url"
            raise SourceRefused(text) from error

    def _required(self, found: Any) -> Any:
        if found is None:
            raise SourceRefused(f"{self._name}: {_cure(HTTPStatus.NOT_FOUND)}")
        return found

    def _get(
        self,
        path: str,
        headers: dict[str, str],
        largest: int = LARGEST_LISTING,
        query: dict[str, str | int] | None = None,
    ) -> Answer | None:
        request = self._client.build_request(
            "GET", f"{self._url}/{path}", params=query, headers=headers
        )
        try:
            try:
                return self._read(request, largest)
            except httpx.RemoteProtocolError:
                # Orthanc ends idle connections after a second, perhaps just as we ask.
                return self._read(request, largest)
        except httpx.TimeoutException as error:
            raise SourceDelayed(f"{self._name}: no answer in time") from error
        except httpx.HTTPError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise SourceRefused(f"{self._name}: {UNTRUSTED}") from error
            text = f"{self._name}: cannot be reached ({type(error).__name__})"
            raise SourceDelayed(text) from error

    def _read(self, request: httpx.Request, largest: int) -> Answer | None:
        response = self._client.send(request, stream=True)
        try:
            if response.status_code in GONE:
                return None
            if is_busy(response):
                text = f"{self._name}: the archive answers HTTP {response.status_code}"
                raise SourceDelayed(text)
            if not response.is_success:
                raise SourceRefused(f"{self._name}: {_cure(response.status_code)}")
            chunks = []
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                largest -= len(chunk)
                if largest < 0:
                    raise SourceError(f"{self._name}: an answer too large for receiver.memory_mb")
            return Answer(b"".join(chunks), response.headers.get("Content-Type", ""))
        finally:
            response.close()


def _cure(status: int) -> str:
    return f"HTTP {status}: {CURES.get(status, 'unexpected: correct url, or look into its log')}"
