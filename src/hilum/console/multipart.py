"""Forms with files that are larger than memory: read part by part, as they come (RFC 7578).

Starlette would write every file to a temporary one before anybody has said whether it may come.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING

from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MULTIPART = "multipart/form-data"
LONGEST_VALUE = 4096  # bytes of a field that is no file
NO_FORM = f"this takes a form with files ({MULTIPART})"


@dataclass(frozen=True)
class FormPart:
    """One part begins: the name of its field, and whether it is a file."""

    name: str
    is_file: bool


@dataclass(frozen=True)
class FormPartEnd:
    """The part that was begun ends."""


Event = FormPart | bytes | FormPartEnd


class MultipartForm:
    """The parts of the form that `request` brings, in order, each event once."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._events = self._read()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events

    async def first_value(self, name: str) -> str:
        """The value of the first field, if it is called `name`, else "".

        Nothing that follows is read, so whoever is not let in has handed over no file.
        """
        first = await anext(self._events, None)
        if not isinstance(first, FormPart) or first.name != name or first.is_file:
            return ""
        return await self.value()

    async def value(self) -> str:
        """The value of the field that has begun."""
        content = b""
        async for event in self._events:
            if not isinstance(event, bytes):
                break
            content += event
            if len(content) > LONGEST_VALUE:
                raise HTTPException(422, "a field of the form is too long")
        return content.decode(errors="replace")

    async def _read(self) -> AsyncIterator[Event]:
        kind, options = parse_options_header(self._request.headers.get("content-type", ""))
        if kind != MULTIPART.encode() or not options.get(b"boundary"):
            raise HTTPException(415, NO_FORM)
        collected = _Collected()
        try:
            parser = MultipartParser(options[b"boundary"], collected.callbacks())
            async for piece in self._request.stream():
                parser.write(piece)
                for event in collected.taken():
                    yield event
            parser.finalize()
        except FormParserError as error:
            raise HTTPException(422, "the form is not as browsers send it") from error


class _Collected:
    """What the parser has found in the bytes it was given."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._header = Message()
        self._name, self._value = b"", b""

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_name,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": lambda data, start, end: self._events.append(data[start:end]),
            "on_part_end": lambda: self._events.append(FormPartEnd()),
        }

    def taken(self) -> list[Event]:
        taken, self._events = self._events, []
        return taken

    def _begin(self) -> None:
        self._header = Message()

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._header[self._name.decode("latin-1")] = self._value.decode("latin-1")
        self._name, self._value = b"", b""

    def _end_headers(self) -> None:
        said = self._header.get("content-disposition", "")
        _, options = parse_options_header(said)
        name = options.get(b"name", b"").decode(errors="replace")
        self._events.append(FormPart(name, b"filename" in options))
