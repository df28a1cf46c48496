"""Storing by STOW-RS (PS3.18 10.5): the request, and what its answer says of each object."""

import uuid
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from hilum.answers import Acceptance, Answer
from hilum.results import Result
from hilum.transport.dicom_json import items_of, values
from hilum.transport.statuses import answer_of
from hilum.transport.web import Response

CHUNK_BYTES = 1 << 18
FAILED_SOP_SEQUENCE, FAILURE_REASON = "00081198", "00081197"
OTHER_FAILURES_SEQUENCE = "0008119A"
REFERENCED_SOP_SEQUENCE, WARNING_REASON = "00081199", "00081196"
REFERENCED_SOP_INSTANCE_UID = "00081155"
ERROR_COMMENT = "00000902"
PROCESSING_FAILURE = 0x0110
COERCED = 0xB000  # it was stored, with other values
LARGEST_COMMENT = 2000  # characters
UNNAMED = "its answer tells of other objects, and not of this one"


class MultipartFiles:
    """The body of a request that stores `files` (PS3.18 8.6.1.2), read as it is sent.

    It can be sent again. `begun` says whether any of it may have left this machine.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._boundary = uuid.uuid4().hex
        self._head = f"--{self._boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self._end = f"--{self._boundary}--\r\n".encode()
        self.begun = False

    @property
    def headers(self) -> dict[str, str]:
        """Those that describe it; with a length, because some archives do not take chunks."""
        around = len(self._head) + len(b"\r\n")
        length = sum(path.stat().st_size + around for path in self._files) + len(self._end)
        media_type = f'multipart/related; type="application/dicom"; boundary={self._boundary}'
        return {"Content-Type": media_type, "Content-Length": str(length)}

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        for path in self._files:
            yield self._head
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
            yield b"\r\n"
        yield self._end


def is_about_objects(answer: Response) -> bool:
    """Whether an answer says something of single objects, whatever its status is."""
    told = _told(answer)
    sequences = (FAILED_SOP_SEQUENCE, OTHER_FAILURES_SEQUENCE, REFERENCED_SOP_SEQUENCE)
    stored = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
    is_said = any(values(told, tag) for tag in sequences)
    return stored or answer.status == HTTPStatus.CONFLICT or is_said


def is_web_page(answer: Response) -> bool:
    """Whether success is said by a page for people, as a login page or a proxy answers.

    STOW-RS answers in DICOM JSON or XML (PS3.18 10.5.3), and some archives with nothing at all.
    """
    return answer.status < HTTPStatus.MULTIPLE_CHOICES and "html" in answer.media_type


def answers_in(answer: Response, sent: Sequence[Result]) -> list[Answer]:
    """One answer to each object that was `sent`, in that order.

    An answer has to name all that is stored (PS3.18 10.5.3): what it does not name beside others is
    not known, unless failures without a name are left, it names as many by UIDs of its own, or
    nothing was stored (409). Where it names none, as those with an empty body, all are stored.
    """
    verdicts = _verdicts(answer, [result.identity for result in sent])
    return [
        _answer(answer, result, verdict) for result, verdict in zip(sent, verdicts, strict=True)
    ]


def _answer(answer: Response, result: Result, verdict: "_Verdict | None") -> Answer:
    if verdict is None:
        return Answer(result, Acceptance.UNKNOWN, text=UNNAMED)
    status, item = verdict
    return answer_of(result, status, comment_in(answer, item) if status else "")


def _verdicts(answer: Response, sent: Sequence[str]) -> Iterator["_Verdict | None"]:
    """One for each of the objects with these identities, in that order; None if it is not known."""
    told = _told(answer)
    failures = values(told, FAILED_SOP_SEQUENCE)
    failed = _by_uid(failures)
    stored = _by_uid(values(told, REFERENCED_SOP_SEQUENCE))
    nameless = [item for item in failures if _uid(item) not in sent]
    nameless += values(told, OTHER_FAILURES_SEQUENCE)
    rest: _Verdict | None = None
    if answer.status == HTTPStatus.CONFLICT:
        rest = _failure(next(iter(failures), None))
    elif not (failed or stored or nameless):
        rest = _Verdict(0)
    elif len(stored.keys() - set(sent)) >= len(set(sent) - failed.keys() - stored.keys()):
        rest = _Verdict(COERCED)
    for identity in sent:
        if identity in failed:
            yield _failure(failed[identity])
        elif identity in stored:
            yield _Verdict(_number(stored[identity], WARNING_REASON) or 0)
        elif nameless:
            yield _failure(nameless.pop(0))
        else:
            yield rest


class _Verdict(NamedTuple):
    """A status, and what else the answer says of the object."""

    status: int
    item: object = None


def comment_in(answer: Response, failed: object = None) -> str:
    """What the archive itself says of a refusal. It may hold patient data."""
    own = [str(value) for value in values(failed, ERROR_COMMENT)]
    body = "" if values(_told(answer), FAILED_SOP_SEQUENCE) else _text(answer)
    said = [*own, *([f"Warning: {answer.warning}"] if answer.warning else []), body]
    return "; ".join(part for part in said if part)[:LARGEST_COMMENT]


def _text(answer: Response) -> str:
    is_stored = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
    return "" if is_stored else answer.content[:LARGEST_COMMENT].decode("utf-8", "replace").strip()


def _told(answer: Response) -> dict[str, Any]:
    items = items_of(answer)
    return items[0] if items else {}


def _uid(item: object) -> str:
    return str((values(item, REFERENCED_SOP_INSTANCE_UID) or [""])[0])


def _by_uid(items: Sequence[object]) -> dict[str, object]:
    return {_uid(item): item for item in items}


def _failure(item: object) -> _Verdict:
    """Why one object was not stored; a processing failure where that is not said in a number."""
    return _Verdict(_number(item, FAILURE_REASON) or PROCESSING_FAILURE, item)


def _number(item: object, tag: str) -> int | None:
    try:
        number = int(values(item, tag)[0])
    except (IndexError, TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number <= 0xFFFF else None
