"""How a walled module asks a server: its request lies on the shelf, and the worker carries it."""

import mmap
import re
import socket

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hilum.errors import ModuleError, ServerError
from hilum.hosts.channel import Ended, ModuleAnswer, answered, send
from hilum.hosts.shelf import LONGEST_JSON, MEBIBYTE, Letter, put
from hilum.servers import ServerReply, ServerRequest

CONTENT = "content"
PATH = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/-]{0,200}")  # below the server's address
LONGEST_TYPE = 200  # characters


class _Envelope(BaseModel):
    """What stands in the letter beside the content."""

    model_config = ConfigDict(extra="forbid", strict=True)
    path: str
    media_type: str = Field(max_length=LONGEST_TYPE, pattern=r"^[ -~]*$")
    json_length: int = Field(ge=0)
    until_ready: bool


class Asking:
    """The module's side, for the run that has `number`."""

    def __init__(self, pipe: socket.socket, shelf: int) -> None:
        self.number = 0
        self._pipe = pipe
        self._memory = mmap.mmap(shelf, 0)

    def ask(self, request: ServerRequest) -> ServerReply:
        """What the server answers; the worker ends this process where it does not."""
        room = (len(self._memory) - LONGEST_JSON) // MEBIBYTE
        if len(request.content) > room * MEBIBYTE:
            size = len(request.content) // MEBIBYTE
            raise ServerError(
                f"what the server is to get has {size} MiB, and there is room for {room}: raise"
                " worker.memory_mb, of which a quarter is for that"
            )
        envelope = _Envelope(
            path=request.path,
            media_type=request.media_type,
            json_length=request.json_length,
            until_ready=request.until_ready,
        )
        content = np.frombuffer(request.content, np.uint8)
        letter = Letter([envelope.model_dump()], {CONTENT: content})
        length = put(letter, memoryview(self._memory))
        send(self._pipe, ModuleAnswer(number=self.number, ended=Ended.ASKS, length=length))
        return answered(self._pipe)


def request_in(letter: Letter) -> ServerRequest:
    """What a module asks in `letter`; `ModuleError` where that is nothing to ask a server."""
    try:
        (item,) = letter.items
        envelope = _Envelope.model_validate(item)
        content = letter.arrays[CONTENT].tobytes()
    except (ValueError, KeyError, ValidationError) as error:
        raise ModuleError("what the module's process asks a server is not a request") from error
    if not PATH.fullmatch(envelope.path):
        raise ModuleError("the module's process asks for a path that is not on the server")
    return ServerRequest(content=content, **envelope.model_dump())
