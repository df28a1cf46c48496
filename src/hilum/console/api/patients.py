"""Whose the images of a study are, for programs: the same as on its page."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Body

from hilum.console.api import V1
from hilum.console.api.acts import PATIENCE, ActReply
from hilum.console.choosing import choose_at, seen_versions
from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.console.guard import OurVisitor
from hilum.console.looking import study_at
from hilum.patients.choosing import StatedIdentity, Version, VersionKind, what_choosing_does
from hilum.people.roles import Permission

endpoints = resource()


@dataclass(frozen=True)
class OfferedVersion:
    """Images of the study that state one identity; `sent_at` is None where nobody has sent them."""

    number: str
    kind: VersionKind
    stated: StatedIdentity
    images: int
    senders: tuple[str, ...] = ()
    sent_at: float | None = None

    @classmethod
    def of(cls, version: Version) -> "OfferedVersion":
        """The same, as the API tells it."""
        about = (version.number, version.kind, version.stated, len(version.images))
        if version.sent is None:
            return cls(*about)
        return cls(*about, version.sent.senders, version.sent.at)


@dataclass(frozen=True)
class OfferedChoice:
    """What can be chosen, and sentences that say what choosing does: none if nothing waits."""

    versions: tuple[OfferedVersion, ...]
    does: tuple[str, ...]


@dataclass(frozen=True)
class ChosenPatient:
    """The number of the right patient."""

    number: str


@endpoints.get(f"{V1}/studies/{{address}}/patients", Permission.ACT)
def list_patients(desk: OurDesk, visitor: OurVisitor, address: str) -> OfferedChoice:
    """What the images of the study at this address state, and corrected data that were sent."""
    study = study_at(desk, address)
    versions = seen_versions(desk, visitor, study)
    does = what_choosing_does(desk.records, study.study_uid, versions)
    return OfferedChoice(tuple(map(OfferedVersion.of, versions)), does)


@endpoints.post(f"{V1}/studies/{{address}}/patients", Permission.ACT)
def choose(
    desk: OurDesk, visitor: OurVisitor, address: str, chosen: Annotated[ChosenPatient, Body()]
) -> ActReply:
    """Have the images of one patient taken."""
    return ActReply(*choose_at(desk, visitor, address, chosen.number, PATIENCE))
