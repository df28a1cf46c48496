"""Uploads: images that a person or program hands over by HTTP, file by file."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Body, Request

from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.console.guard import OurVisitor
from hilum.console.uploading import UNBOUNDED, WantedUpload, begin, receive, upload_of
from hilum.people.roles import Permission
from hilum.uploading.talk import FateCount
from hilum.uploading.uploads import Upload, UploadState

endpoints = resource()


@dataclass(frozen=True)
class UploadAnswer:
    """How far an upload is; `problem` says why it was stopped, or is ""."""

    number: str
    state: UploadState
    problem: str
    received_files: int
    received_bytes: int
    files: tuple[FateCount, ...]
    studies: int


@endpoints.post(f"{V1}/uploads", Permission.ACT)
def begin_upload(
    desk: OurDesk, visitor: OurVisitor, wanted: Annotated[WantedUpload, Body()]
) -> UploadAnswer:
    """Begin an upload; its files follow, each in a request of its own."""
    return answer_of(begin(desk, visitor, wanted))


@endpoints.get(f"{V1}/uploads/{{number}}", Permission.ACT)
def one_upload(desk: OurDesk, visitor: OurVisitor, number: str) -> UploadAnswer:
    """How far it is."""
    return answer_of(upload_of(desk, visitor, number))


@endpoints.post(
    f"{V1}/uploads/{{number}}/files", Permission.ACT, streamed=True, max_body_size=UNBOUNDED
)
async def add_file(
    request: Request, desk: OurDesk, visitor: OurVisitor, number: str
) -> UploadAnswer:
    """Add a file, or a ZIP archive: the body is its bytes (application/octet-stream)."""
    upload = upload_of(desk, visitor, number)
    await receive(upload, request.stream())
    return answer_of(upload)


@endpoints.post(f"{V1}/uploads/{{number}}/finish", Permission.ACT)
def finish_upload(desk: OurDesk, visitor: OurVisitor, number: str) -> UploadAnswer:
    """Say that all files have come."""
    upload = upload_of(desk, visitor, number)
    upload.finish()
    return answer_of(upload)


@endpoints.delete(f"{V1}/uploads/{{number}}", Permission.ACT)
def abort_upload(desk: OurDesk, visitor: OurVisitor, number: str) -> UploadAnswer:
    """End it now; what was accepted stays."""
    upload = upload_of(desk, visitor, number)
    upload.abort()
    return answer_of(upload)


def answer_of(upload: Upload) -> UploadAnswer:
    """How far it is."""
    return UploadAnswer(
        upload.number,
        upload.state,
        upload.problem,
        upload.received_files,
        upload.received_bytes,
        upload.told.fates,
        len(upload.studies),
    )
