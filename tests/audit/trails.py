"""Audit trails for tests, and people who use Hilum."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hilum.audit import AuditedAct, AuditedObject, AuditNote, Auditor, AuditOutcome, Origin
from hilum.people.roles import UserRole
from hilum.people.visitor import Visitor

ALICE = Visitor("alice", UserRole.OPERATOR, "session-a", "local:alice")
BOB = Visitor("bob", UserRole.READER, "session-b", "local:bob")
PROGRAM = Visitor("ris", UserRole.OPERATOR)
STUDY = AuditedObject.study("1.2.3")
DAY = 24 * 3600.0


@dataclass
class Clock:
    """A clock that stands still until it is set on."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def auditor(data: Path, clock: Clock | None = None) -> Iterator[Auditor]:
    data.mkdir(exist_ok=True)
    made = Auditor(data, clock or Clock())
    try:
        yield made
    finally:
        made.close()


def a_note(**values: object) -> AuditNote:
    usual = {
        "at": 1_800_000_000.0,
        "person": "alice",
        "role": "operator",
        "account": "",
        "address": "10.1.2.3",
        "origin": Origin.CONSOLE,
        "act": AuditedAct.RETRY,
        "object_type": STUDY.type,
        "object": STUDY.id,
        "study_uid": STUDY.study_uid,
        "patient_id": "P1",
        "reason": "",
        "outcome": AuditOutcome.DONE,
    }
    return AuditNote(**{**usual, **values})  # type: ignore[arg-type]


def fill(auditor: Auditor, count: int) -> None:
    acts = itertools.cycle((AuditedAct.RETRY, AuditedAct.WITHDRAW, AuditedAct.ASSESS))
    for number, act in zip(range(count), acts, strict=False):
        auditor.note(act, ALICE if number % 2 else BOB, STUDY, f"P{number}", f"reason {number}")
