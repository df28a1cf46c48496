"""Small pictures of received series.

Decoders of received pixels may crash, hang or want all memory, so each picture is made in a process
of its own. What it cannot draw has no picture, and the console goes on.
"""

from contextlib import closing
from functools import lru_cache
from pathlib import Path
from threading import BoundedSemaphore

from hilum.console import drawing
from hilum.errors import HilumError
from hilum.processes.process import fork_server

AT_ONE_TIME = 2
KEPT = 500  # pictures

_turns = BoundedSemaphore(AT_ONE_TIME)


def thumbnail_of(path: Path) -> bytes:
    """The middle frame of the image at `path` as PNG.

    Raises
    ------
    HilumError
        It cannot be drawn.
    """
    try:
        return _kept(path, path.stat().st_mtime_ns)
    except FileNotFoundError as error:
        raise HilumError("the image is no longer here") from error


@lru_cache(KEPT)
def _kept(path: Path, _changed: int) -> bytes:
    with _turns:
        return _made(path)


def _made(path: Path) -> bytes:
    context = fork_server(drawing.__name__)
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(
        target=drawing.draw, args=(path, sending), name="hilum picture", daemon=True
    )
    with closing(receiving):
        child.start()
        sending.close()
        try:
            if not receiving.poll(drawing.SECONDS):
                raise HilumError("drawing this image takes too long")
            return receiving.recv_bytes()
        except (EOFError, OSError) as error:
            raise HilumError("this image cannot be drawn") from error
        finally:
            child.kill()
            child.join()
