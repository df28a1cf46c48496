"""How an upload begins, and how its files come in, whether by the page or by the API."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from anyio import to_thread
from fastapi import HTTPException
from starlette.requests import ClientDisconnect

from hilum.console.desk import Desk
from hilum.console.mishaps import told_as
from hilum.console.uploads_door import bounds_of
from hilum.errors import UploadError
from hilum.people.visitor import Visitor
from hilum.uploading.uploads import Upload, UploadWish

UNBOUNDED = 1 << 50  # bytes; `console.upload_gib` is the bound that is watched while they come
WRITTEN_AT_ONCE = 1 << 20  # bytes


@dataclass(frozen=True)
class WantedUpload:
    """Where the results of the uploaded studies go; without destinations they stay here."""

    destinations: tuple[str, ...] = ()
    images: bool = False


def begin(desk: Desk, visitor: Visitor, wanted: WantedUpload) -> Upload:
    """Begin an upload for `visitor`; 422 for a destination that is none, 409 for too many."""
    known = {destination.name for destination in desk.site.destination}
    if unknown := [name for name in wanted.destinations if name not in known]:
        raise HTTPException(422, f"there is no destination {', '.join(unknown)[:100]}")
    chosen = tuple(dict.fromkeys(wanted.destinations))
    with told_as(409):
        return desk.uploads.begin(UploadWish(visitor, chosen, wanted.images), bounds_of(desk.site))


def upload_of(desk: Desk, visitor: Visitor, number: str) -> Upload:
    """The upload of `visitor` with this number; 404 if there is none, or it is another's."""
    upload = desk.uploads.of(visitor.identity, number)
    if upload is None:
        raise HTTPException(404, "there is no such upload of yours; begin it anew")
    return upload


async def receive(upload: Upload, pieces: AsyncIterator[bytes]) -> None:
    """Write a file of an upload as it comes; 409 where no more of it is taken."""
    held = bytearray()
    try:
        with upload.receiving() as file:
            async for piece in pieces:
                held += piece
                if len(held) >= WRITTEN_AT_ONCE:
                    await to_thread.run_sync(file.write, bytes(held))
                    held.clear()
            await to_thread.run_sync(file.write, bytes(held))
    except UploadError as error:
        raise HTTPException(409, str(error)) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the connection was cut off in the middle of a file") from error
