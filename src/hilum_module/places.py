"""Where an error or a finding comes from, as file and line of the author, and how it is told."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from types import GeneratorType
from typing import Any

from hilum_module.errors import ModelError
from hilum_module.findings import FindingError

OURS = __name__.partition(".")[0]
MOST_ERRORS = 20  # that one came from


def where(error: BaseException, package: str) -> str:
    """Type and place of an error. Its own text may hold patient data, unless it is ours."""
    if isinstance(error, FindingError) or (isinstance(error, ModelError) and _is_ours(error)):
        return f"{type(error).__name__}: {error}"
    line = line_of(error, package)
    return type(error).__name__ + (f" in {line}" if line else "")


def _is_ours(error: BaseException) -> bool:
    """Whether no code of a stranger has raised it."""
    *_, (frame, _line) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == OURS


def line_of(error: BaseException, package: str) -> str:
    """File and line of the last frame on the way to `error` that belongs to the module, or ""."""
    for each in chain_of(error):
        lines = [
            f"{Path(frame.f_code.co_filename).name}, line {number}"
            for frame, number in traceback.walk_tb(each.__traceback__)
            if str(frame.f_globals.get("__name__", "")).partition(".")[0] == package
        ]
        if lines:
            return lines[-1]
    return ""


def line_of_run(run: Any) -> str:
    """File and line that a run stands at which yields its findings, "" where it gives a list."""
    if not isinstance(run, GeneratorType):
        return ""
    while isinstance(run.gi_yieldfrom, GeneratorType):
        run = run.gi_yieldfrom  # the innermost one gives the finding
    frame = run.gi_frame
    return f"{Path(run.gi_code.co_filename).name}, line {frame.f_lineno}" if frame else ""


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that it came from."""
    following: BaseException | None = error
    for _ in range(MOST_ERRORS):
        if following is None:
            return
        yield following
        following = following.__cause__ or following.__context__


def readable(text: str) -> str:
    """`text` with an escape for each half of a character, which no file and no JSON can hold.

    Python decodes what is no UTF-8 to these, such as in the name of a file.
    """
    return text.encode(errors="backslashreplace").decode()
