"""The page Upload: a person hands over images, and says where results go.

With scripts, the page hands over each file of a folder by the API, and shows how far it is. Without
them, a form does with one ZIP archive, or with a few files.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.mishaps import told_as
from hilum.console.multipart import FormPart, MultipartForm
from hilum.console.sending import can_be_sent, send_made_up
from hilum.console.uploading import UNBOUNDED, WantedUpload, begin, receive, upload_of
from hilum.dicom.uids import MADE_UP
from hilum.inbox.room import is_low
from hilum.people.roles import Permission
from hilum.uploading.made_up import can_be_made_for, made_up_study
from hilum.uploading.talk import FileFate
from hilum.uploading.uploads import Upload, UploadState
from hilum.wording import counted

MOST_SHOWN = 100  # studies

endpoints = pages("Upload", place=9)


@endpoints.get("/upload", Permission.ACT, response_class=HTMLResponse)
def upload_page(request: Request, desk: OurDesk, visitor: OurVisitor) -> HTMLResponse:
    """The form, and what was uploaded before."""
    return desk.rendering.page(
        request,
        "upload.html",
        destinations=desk.site.destination,
        before=[(one, _said(one)) for one in desk.uploads.all_of(visitor.identity)],
        console=desk.site.console,
        no_room=is_low(desk.site.data, desk.site.receiver.low_water_mb),
        by_receiver=can_be_sent(desk.site.receiver),
        made_up_for=[name for name, needs in desk.modules.needs.items() if can_be_made_for(needs)],
    )


@endpoints.post("/upload/made-up", Permission.ACT)
def upload_made_up(
    desk: OurDesk,
    visitor: OurVisitor,
    module: Annotated[str, Form(max_length=64)] = "",
    receiver: Annotated[bool, Form()] = False,
) -> RedirectResponse:
    """Have a made-up study go the way of any other; its results go nowhere.

    It is handed over as uploaded, or sent to the `receiver`, as a scanner would.
    """
    needs = desk.modules.needs.get(module, {})
    if not can_be_made_for(needs):
        raise HTTPException(422, "no study can be made up for a module that is called so")
    contents = list(made_up_study(needs))
    if receiver and can_be_sent(desk.site.receiver):
        with told_as(409):
            study_uid = send_made_up(desk, visitor, contents)
        return RedirectResponse(f"/upload/made-up/{study_uid}", 303)
    upload = begin(desk, visitor, WantedUpload())
    for content in contents:
        with told_as(409), upload.receiving() as file:
            file.write(content)
    upload.finish()
    return RedirectResponse(f"/upload/{upload.number}", 303)


@endpoints.get("/upload/made-up/{study_uid}", Permission.ACT, response_class=HTMLResponse)
def sent_made_up(request: Request, desk: OurDesk, study_uid: str) -> Response:
    """The page of a made-up study, once the gateway has seen what the receiver took of it."""
    if not study_uid.startswith(MADE_UP):
        raise HTTPException(404, "there is no such study")
    if listed := desk.records.search.of([study_uid]).get(study_uid):
        return RedirectResponse(f"/studies/{listed.address}", 303)
    return desk.rendering.page(request, "sent.html")


@endpoints.post("/upload", Permission.ACT, streamed=True, max_body_size=UNBOUNDED)
async def upload_by_form(request: Request, desk: OurDesk, visitor: OurVisitor) -> RedirectResponse:
    """Take what a form without scripts brings; its choice stands before its files."""
    form: MultipartForm = request.state.form
    upload: Upload | None = None
    names: list[str] = []
    images = False
    try:
        async for event in form:
            if not isinstance(event, FormPart):
                continue
            if event.is_file:
                upload = upload or begin(desk, visitor, WantedUpload(tuple(names), images))
                await receive(upload, _bytes_of(form))
            elif event.name == "destination":
                names.append(await form.value())
            elif event.name == "images":
                images = bool(await form.value())
    except BaseException:  # also where the browser goes away: nothing of it may stay
        if upload:
            upload.abort()
        raise
    if upload is None:
        raise HTTPException(422, "no file was chosen")
    upload.finish()
    return RedirectResponse(f"/upload/{upload.number}", 303)


@endpoints.get("/upload/{number}", Permission.ACT, response_class=HTMLResponse)
def one_upload(request: Request, desk: OurDesk, visitor: OurVisitor, number: str) -> HTMLResponse:
    """How far an upload is, and what became of its files."""
    upload = upload_of(desk, visitor, number)
    listed = desk.records.search.of(upload.studies[:MOST_SHOWN])
    return desk.rendering.page(
        request,
        "uploaded.html",
        upload=upload,
        said=_said(upload),
        fates=FileFate,
        sees=visitor.may(Permission.SEE_PATIENTS),
        studies=list(listed.values()),
        by_rules=set(upload.by_rules),
    )


@endpoints.post("/upload/{number}/end", Permission.ACT)
def end_upload(desk: OurDesk, visitor: OurVisitor, number: str) -> RedirectResponse:
    """End it now."""
    upload_of(desk, visitor, number).abort()
    return RedirectResponse(f"/upload/{number}", 303)


async def _bytes_of(form: MultipartForm) -> AsyncIterator[bytes]:
    async for event in form:
        if not isinstance(event, bytes):
            return
        yield event


def _outcome(upload: Upload) -> str:
    """What has become of the images of an upload that has ended, in a sentence."""
    lost = upload.fates(FileFate.QUARANTINED) + upload.fates(FileFate.REFUSED)
    files = counted(lost, "file")
    if not upload.studies:
        return f"No image was taken in of {files}." if lost else "There was no image in it."
    return f"All images were taken in, but for {files}." if lost else "All images were taken in."


def _said(upload: Upload) -> str:
    """How far it is, in a sentence."""
    match upload.state:
        case UploadState.COMING:
            return "Files are coming."
        case UploadState.READING:
            return "All files have come, and are taken in."
        case UploadState.DONE:
            return _outcome(upload)
        case UploadState.STOPPED:
            return f"It was stopped: {upload.problem}. What was accepted stays."
