"""What the settings of every source, destination, host, notifier and worklist have in common.

A kind adds its own settings in its own file, see `hilum.kinds`. Parts that several kinds share,
such as the address of a web service, stand in `hilum.config.ends`.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SerializeAsAny,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hilum.config.ends import End, check_tls
from hilum.config.fields import (
    JSONValues,
    Name,
    OrEmpty,
    Settings,
    StudyAddress,
    code_of_scheme,
)
from hilum.config.tls import Tls
from hilum.errors import ConfigurationError
from hilum.kinds import DESTINATIONS, HOSTS, NOTIFIERS, OBJECTS, SOURCES, WORKLISTS, Kinds
from hilum.results import DICOM, is_one_of
from hilum.severity import Severity
from hilum.wording import counted, suggestion

LONGEST_VARIANT = 255  # characters of the columns `variant` of our records
WISHES_IN_VARIANT = 12  # hexadecimal digits that stand for the wishes of a destination
UNUSABLE_KIND = "unusable_kind"  # type of the error that says why a kind cannot be used
STANDARD_OBJECTS = ("seg", "sr", "sc", "pdf", "own", "pm")
# How segmentations are written; "ohif": as that viewer shows them right.
Encoding = Literal["binary", "fractional", "labelmap", "ohif"]
Regions = Literal["outlines", "segments"]
Proof = Literal["query", "commitment", "accepted"]


def _object(name: str) -> str:
    if name not in OBJECTS.names:
        raise ValueError(f"there is no such result object{suggestion(name, OBJECTS.names)}")
    return name


ObjectName = Annotated[str, AfterValidator(_object)]


def _tells_assessments(name: str) -> bool:
    """Whether what readers say of a kind of object can be told: of DICOM objects another one is."""
    return name in STANDARD_OBJECTS or hasattr(OBJECTS.load(name), "write_assessment")


class DestinationSettings(End):
    """A place results are sent to: what it receives, and in which form.

    Where a later result takes the place of an earlier one, the kind is served `in_order`: nothing
    of a study is sent before what was owed earlier of it has arrived, is parked or cancelled.
    Nothing that was replaced is sent again or taken back there. `shaping` names the settings of a
    kind that its objects are written by: `wishes` are their values, which a kind of object finds in
    `Writing.wishes`.
    """

    in_order: ClassVar[bool] = False
    shaping: ClassVar[tuple[str, ...]] = ()

    objects: tuple[ObjectName, ...] = Field(
        STANDARD_OBJECTS, description="Result objects that this destination receives."
    )
    segmentation: Literal["auto", "binary", "fractional", "labelmap"] = Field(
        "auto",
        description="Encoding of segmentations; auto is binary unless the viewer needs another, "
        "labelmap is small for many structures and needs an archive that takes Label Map "
        "Segmentations.",
    )
    viewer: Literal["any", "ohif"] = Field(
        "any",
        description="The viewer that shows results there: for ohif, automatic segmentations are "
        "fractional where Rows x Columns is no multiple of 8, because OHIF scrambles binary ones.",
    )
    viewer_url: Annotated[StudyAddress, OrEmpty] = Field(
        "",
        description="Address of a study in that viewer, with {study_uid} in the place of its "
        "Study Instance UID; the console links to it.",
        examples=["http://127.0.0.1:3000/viewer?StudyInstanceUIDs={study_uid}"],
    )
    regions: Regions = Field(
        "outlines",
        description="What marks a structure in the measurement report: outlines, which viewers "
        "draw, or references to the segments, which machines read; the standard takes one of them.",
    )
    proof: Proof = Field(
        "query",
        description="What shows that a result has arrived: it is asked for (query), the archive "
        "commits itself to keep it (commitment), or nothing but that it was accepted (accepted), "
        "for routers and nodes that only store.",
    )
    proof_seconds: float = Field(
        3600,
        gt=0,
        description="How long an accepted result is asked for, in seconds, before it is parked.",
    )
    assessments: bool = Field(
        False,
        description="Whether it is told what readers say of its results, in an object or message "
        "for each of them.",
    )
    resend_after: float = Field(
        0,
        ge=0,
        description="Seconds after which an accepted result that is not shown is sent once more; "
        "0 means never. An archive may hold twice what it is sent twice.",
    )

    @property
    def encoding(self) -> Encoding:
        """How segmentations are written for it."""
        if self.segmentation != "auto":
            return self.segmentation
        return "ohif" if self.viewer == "ohif" else "binary"

    @property
    def variant(self) -> str:
        """The objects it receives and how they are written, as one word of the records."""
        words = (*self.objects, self.encoding, self.regions)
        if not self.wishes:
            return ",".join(words)
        wished = json.dumps(self.wishes, sort_keys=True)
        return ",".join((*words, sha256(wished.encode()).hexdigest()[:WISHES_IN_VARIANT]))

    @property
    def wishes(self) -> JSONValues:
        """The settings that its objects are written by, beside those that every kind has."""
        return self.model_dump(mode="json", include=set(self.shaping))

    def takes(self, media_type: str) -> bool:
        """Whether this kind of destination takes results of a media type."""
        return is_one_of(media_type, DESTINATIONS.load(self.kind).takes)

    def check(self) -> None:
        super().check()
        for name in self.objects:
            media_type = DICOM if name in STANDARD_OBJECTS else OBJECTS.load(name).media_type
            if not self.takes(media_type):
                raise ConfigurationError(
                    f"destination {self.name!r}: {name!r} is {media_type}, which kind"
                    f" {self.kind!r} does not take: leave it out of objects"
                )
        if self.assessments and not any(map(_tells_assessments, self.objects)):
            raise ConfigurationError(
                f"destination {self.name!r}: none of its objects can tell what readers say:"
                " remove assessments = true"
            )

    @model_validator(mode="after")
    def _fits_into_the_records(self) -> "DestinationSettings":
        if (excess := len(self.variant) - LONGEST_VARIANT) > 0:
            raise ValueError(
                f"the names in objects are too long together, by {counted(excess, 'character')}: "
                "leave one out, and have it sent to a destination of its own"
            )
        return self

    @model_validator(mode="after")
    def _has_what_regions_refer_to(self) -> "DestinationSettings":
        if self.regions == "segments" and "seg" not in self.objects:
            raise ValueError(
                'regions = "segments" refers to the segmentation: add "seg" to objects'
            )
        return self


class SourceSettings(End):
    """An archive that Hilum watches by itself, with nothing installed in it."""

    name: Name = Field(
        description="Name that the console and the records use.", examples=["archive"]
    )
    modalities: tuple[str, ...] = Field(
        (), description="Only series of these modalities are fetched; empty means all."
    )
    since: Literal["start", "beginning"] = Field(
        "start",
        description="Fetch what is new since the source was first used (start), or the whole "
        "archive (beginning).",
    )
    poll_seconds: float = Field(5.0, gt=0, description="Seconds between two polls.")
    wait_seconds: float = Field(
        0,
        ge=0,
        description="For an archive that also routes to us: fetch only what has not come after "
        "so many seconds.",
    )
    sweep_seconds: float = Field(
        60,
        gt=0,
        description="Seconds between two comparisons of the whole archive, which find what polls "
        "missed.",
    )
    timeout_seconds: float = Field(10, gt=0, description="Longest wait for one answer, in seconds.")


class WorklistSettings(End):
    """A worklist whose steps Hilum performs."""

    name: Name = Field(description="Name that traces and the log use.", examples=["worklist"])
    modules: dict[Annotated[str, AfterValidator(code_of_scheme)], str] = Field(
        default_factory=dict,
        description="Which module is meant by which workitem code, written as value^scheme; steps "
        "with other codes are left to others.",
        examples=[{"HIPPOCAMPUS^99HOSPITAL": "hippocampal-volume"}],
    )
    send_to: tuple[str, ...] = Field(
        (), description="Names of the destinations of what is analysed for a step."
    )
    archive: str = Field(
        "",
        description="Name of the source or destination that the images are fetched from; if empty, "
        "Hilum waits until they come, and claims no step before.",
    )
    station: str = Field(
        "HILUM",
        pattern=r"^[^\\]{1,16}$",
        description="Our station name: the code value in reports of performed steps, and the AE "
        "title that subscribes to events.",
    )
    poll_seconds: float = Field(10.0, gt=0, description="Seconds between two looks at the list.")
    timeout_seconds: float = Field(10, gt=0, description="Longest wait for one answer, in seconds.")


class HostSettings(Settings):
    """Where one module runs."""

    module: str = Field(
        description="Name of the module, as `hilum modules` lists it.",
        examples=["hippocampal-volume"],
    )
    kind: str = Field(description="What it runs in; each kind has settings of its own.")

    def check(self) -> None:
        """Look at what can be wrong before anything starts, such as a file with a secret.

        Raises
        ------
        ConfigurationError
            The settings cannot be used as they are; the text says the cure.
        """


class NotifierSettings(Settings):
    """Who is told of alarms, and of which."""

    name: Name = Field(
        description="Name that the console and the records use.", examples=["operations"]
    )
    kind: str = Field(description="How it is told; each kind has settings of its own.")
    severity: Severity = Field(
        Severity.WARNING,
        description="Lowest severity that is told: information, warning, error or critical.",
    )
    pause_seconds: float = Field(
        300,
        ge=0,
        description="Seconds between two messages, at least; what happens in between is told in "
        "one.",
    )
    remind: bool = Field(True, description="Tell once a day what still stands.")
    study_uids: bool = Field(
        False, description="Name the studies by their UIDs; without it, only their number is told."
    )
    timeout_seconds: float = Field(30, gt=0, description="Longest wait for one answer, in seconds.")

    tls: Tls | None = Field(
        None,
        description="Which certificates an encrypted connection trusts, and our client "
        "certificate; empty means those that the system trusts.",
    )

    def check(self) -> None:
        """Look at what can be wrong before anything starts, such as a file with a secret.

        Raises
        ------
        ConfigurationError
            The settings cannot be used as they are; the text says the cure.
        """
        check_tls(self.name, self.tls)


class _OfKind(BaseModel):
    kind: str


def settings_of(kinds: Kinds, name: str) -> type[Settings]:
    """The settings class of one kind; raises as `Kinds.load`."""
    settings: type[Settings] = kinds.load(name).settings
    return settings


def _by_kind(kinds: Kinds) -> Callable[[Any], Any]:
    """Validates a section by the settings of the kind that it names."""

    def validated(section: Any) -> Any:
        if not isinstance(section, dict):
            return section
        name = _OfKind.model_validate(section).kind
        try:
            settings = settings_of(kinds, name)
        except ConfigurationError as error:
            raise PydanticCustomError(UNUSABLE_KIND, "{text}", {"text": str(error)}) from error
        return settings.model_validate(section)

    return validated


AnyDestination = Annotated[
    SerializeAsAny[DestinationSettings], BeforeValidator(_by_kind(DESTINATIONS))
]
AnySource = Annotated[SerializeAsAny[SourceSettings], BeforeValidator(_by_kind(SOURCES))]
AnyHost = Annotated[SerializeAsAny[HostSettings], BeforeValidator(_by_kind(HOSTS))]
AnyNotifier = Annotated[SerializeAsAny[NotifierSettings], BeforeValidator(_by_kind(NOTIFIERS))]
AnyWorklist = Annotated[SerializeAsAny[WorklistSettings], BeforeValidator(_by_kind(WORKLISTS))]
SECTIONS_BY_KIND = {
    "destination": DESTINATIONS,
    "source": SOURCES,
    "host": HOSTS,
    "notify": NOTIFIERS,
    "worklist": WORKLISTS,
}
