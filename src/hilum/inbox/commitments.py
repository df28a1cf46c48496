"""Answers to requests for storage commitment, kept until the gateway has seen them.

An archive may answer long after it was asked, to the receiver (PS3.4 J.3.3). The receiver keeps the
answer durably as `commitments/<transaction UID>.json` below the data folder before it says that it
has it.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from hilum.answers import Commitment
from hilum.inbox import write_durably
from hilum.privacy import make_private

_COMMITMENT = TypeAdapter(Commitment)


def keep(data: Path, answer: Commitment) -> Path:
    """Keep the answer of an archive; a later one to the same request takes its place."""
    folder = data / "commitments"
    make_private(folder)
    path = folder / f"{answer.transaction_uid}.json"
    write_durably(path, _COMMITMENT.dump_json(answer))
    return path


def commitments_in(data: Path) -> Iterator[tuple[Path, Commitment]]:
    """The answers that the gateway has not seen to yet. One that is broken is left out."""
    for path in sorted((data / "commitments").glob("*.json")):
        try:
            yield path, _COMMITMENT.validate_json(path.read_bytes())
        except (ValidationError, FileNotFoundError):
            continue
