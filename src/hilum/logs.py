"""Log lines: one per state change, with UIDs and our ids as fields, never patient data."""

import logging
import logging.handlers
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hilum.errors import where


def configure_logging(data: Path, level: int = logging.INFO) -> None:
    """Log to `<data>/logs/hilum.log`, and keep libraries from printing element values.

    pydicom warns and logs with the offending value in the text, which may be a name.
    """
    folder = data / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.WatchedFileHandler(folder / "hilum.log")
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(processName)s %(levelname)s %(name)s %(message)s")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    silence_libraries()


def silence_libraries() -> None:
    """Mute the loggers and warnings of libraries that print element values."""
    for name in ("pydicom", "pynetdicom", "highdicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        warnings.filterwarnings("ignore", module=name)
    for name in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def going_on(what: str, log: logging.Logger) -> Iterator[None]:
    """Log an error and go on: one thing that fails must not end what does all the others."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - see above
        log.error("%s: %s", what, where(error))
