"""What a case is: how an archive behaves, what is right to happen, and the cure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hilum.records.states import DeliveryState
from hilum_lab.archives.behaviour import DimseBehaviour, WebBehaviour

Behaviour = DimseBehaviour | WebBehaviour


class KnownLater(StrEnum):
    """Stands in settings for what is known only when the archive is there."""

    URL = "url"
    OLD_URL = "url of old"
    STUDIES_URL = "url of studies"
    NEW_URL = "url of new"
    QUERY_URL = "query url"
    QUERY_PORT = "query port"
    TOKEN_FILE = "token file"
    OLD_HTTPS_URL = "https url of old"
    CERTIFICATE = "certificate"


class Act(StrEnum):
    """What a person does at last, after what was wrong has been changed."""

    NOTHING = "nothing"  # it goes on by itself
    RELEASE = "hilum release"
    DECIDE = "hilum decide"  # for the patient of the archive


Settings = Mapping[str, object]


@dataclass(frozen=True)
class Cure:
    """What a person does, as the words say.

    Attributes
    ----------
    words
        Which must stand in what Hilum prints.
    done
        What is done, for the page.
    behaviour
        How the archive behaves from then on; None if it is not changed.
    settings
        What is changed in hilum.toml, before a restart.
    corrects
        The archive files what it holds under the patient of the images.
    act
        What is typed then.
    state, sent
        What is right then, as in the case; `sent` counts from the beginning.
    """

    words: str
    done: str
    behaviour: Behaviour | None = None
    settings: Settings = field(default_factory=dict)
    corrects: bool = False
    act: Act = Act.RELEASE
    state: DeliveryState = DeliveryState.VERIFIED
    sent: int | None = 1


@dataclass(frozen=True)
class ArchiveCase:
    """One kind of archive, and what is right to happen to a delivery.

    Attributes
    ----------
    group
        A heading of the page.
    name
        What the archive does.
    behaviour, settings
        How it does that, and the settings of the destination beside its address.
    images
        What the archive states otherwise of the study's images, which it has, by keyword; None if
        it has no images.
    state
        Of the delivery, when nothing goes on by itself.
    sent, why
        How often the object that comes most often has come, and why if that is not once; None
        where it is tried for days.
    cure
        What ends it, None if there is nothing to do.
    """

    group: str
    name: str
    behaviour: Behaviour
    state: DeliveryState = DeliveryState.VERIFIED
    settings: Settings = field(default_factory=dict)
    images: Mapping[str, str] | None = None
    sent: int | None = 1
    why: str = ""
    cure: Cure | None = None

    @property
    def is_web(self) -> bool:
        """Whether it is spoken to by DICOMweb."""
        return isinstance(self.behaviour, WebBehaviour)
