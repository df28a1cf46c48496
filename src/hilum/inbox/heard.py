"""What archives themselves say about objects that were sent, for the administrator's eyes.

Their words may hold patient data. So they stand in no record and no log, but in files that only
their owner may read: `answers/<study>/<delivery>.txt` below the data folder.
"""

import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from hilum.answers import Answer
from hilum.inbox import digest, write_durably
from hilum.privacy import make_private
from hilum.wording import printable

LONGEST = 2000  # characters of one answer
LARGEST = 256 << 10  # bytes of a file; then the oldest lines go


def note(data: Path, destination: str, answers: Iterable[Answer], at: float) -> None:
    """Add what `destination` said to each object of one workitem at a time `at`."""
    for answer in answers:
        if answer.comment:
            path = file_of(data, answer.result.study_uid, answer.result.workitem_id, destination)
            status = "" if answer.status is None else f" 0x{answer.status:04X}"
            when = datetime.fromtimestamp(at).astimezone().isoformat(" ", "seconds")
            said = printable(answer.comment)[:LONGEST]
            _append(path, f"{when} {answer.result.kind} {answer.result.identity}{status}: {said}\n")


def file_of(data: Path, study_uid: str, workitem_id: str, destination: str) -> Path:
    """The file with the words of one destination about the results of one workitem."""
    name = f"{digest(workitem_id + destination)}.txt"
    return data / "answers" / digest(study_uid) / name


def remove(data: Path, study_uid: str) -> None:
    """Delete what archives said about one study."""
    shutil.rmtree(data / "answers" / digest(study_uid), ignore_errors=True)


def _append(path: Path, line: str) -> None:
    for folder in (path.parent.parent, path.parent):
        make_private(folder)
    before = path.read_text(errors="replace") if path.exists() else ""
    if line[25:] in before:  # the same words as last time, apart from the time
        return
    # as a new file: a backup holds the one that is there by a hard link
    write_durably(path, (before + line)[-LARGEST:].encode(), mode=0o600)
