"""The settings of one installation as data: what may stand in hilum.toml, and what each means.

Each setting has one help sentence, shown by `hilum init` and in the reference.
"""

import ipaddress
import json
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydicom.datadict import tag_for_keyword

from hilum.config.patterns import compiled
from hilum.dicom.uids import derived_uid
from hilum.errors import ConfigurationError


def ae_title(value: str) -> str:
    """`value` without padding; `ValueError` if it is no AE title."""
    if not value.strip() or len(value) > 16 or not value.isascii() or "\\" in value:
        raise ValueError("an AE title has 1 to 16 ASCII characters and no backslash (PS3.5 6.2)")
    return value.strip()


def _regex(value: str) -> str:
    compiled(value)
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise ValueError("an IP address or network such as 10.1.2.0/24, not a name") from error
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address such as http://pacs:8042")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("only scheme, host, port and path; username and password_file are apart")
    return parts.geturl().rstrip("/")  # with the scheme in small letters


def _web_address_if_any(value: str) -> str:
    return _web_address(value) if value else ""


def _keyword(value: str) -> str:
    if tag_for_keyword(value) is None:
        raise ValueError("not a DICOM keyword, such as SeriesDescription")
    return value


WebAddress = Annotated[str, AfterValidator(_web_address)]
WebAddressIfAny = Annotated[str, AfterValidator(_web_address_if_any)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
Keyword = Annotated[str, AfterValidator(_keyword)]
AETitle = Annotated[str, AfterValidator(ae_title)]
Regex = Annotated[str, AfterValidator(_regex)]
Network = Annotated[str, AfterValidator(_network)]
FileMode = Annotated[str, Field(pattern=r"^0?6[0-7]{2}$")]  # its owner, who checks it, reads it
Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Receiver(Settings):
    """The DICOM listener that scanners and PACS send to."""

    ae_title: AETitle = Field("HIPPOAI", description="AE title the listener answers to.")
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: Port = Field(11112, description="DICOM port (104 and 106 need root).")
    allowed_callers: tuple[AETitle, ...] = Field(
        (), description="Calling AE titles that may send; empty allows every one."
    )
    allowed_hosts: tuple[Network, ...] = Field(
        (), description="Addresses or networks that may connect; empty allows every one."
    )
    require_called_ae_title: bool = Field(
        True, description="Reject associations that call another AE title."
    )
    max_associations: int = Field(
        32,
        ge=1,
        description="Associations served at one time; a quarter is kept for hosts that have sent "
        "images since the start.",
    )
    max_associations_per_host: int = Field(
        16,
        ge=1,
        description="Associations of one host served at one time, so that none is shut out.",
    )
    memory_mb: int = Field(
        2048,
        ge=256,
        description="Memory in MiB that the receiver may take for what it receives; no source "
        "fetches more than a quarter of it at once.",
    )
    low_water_mb: int = Field(
        512, ge=0, description="Free disk space in MiB below which images are refused (0xA700)."
    )


class Retention(Settings):
    """When images and results are removed from this machine; records always stay."""

    days: float = Field(
        30,
        ge=0,
        description="Remove a study this many days after its last image and the last proof that "
        "its results arrived; 0 means never.",
    )
    disk_percent: float = Field(
        80,
        ge=0,
        le=100,
        description="When the disk is fuller, or less than twice low_water_mb is free, remove the "
        "oldest finished studies first, none younger than an hour; 0 means never.",
    )
    quarantine_days: float = Field(
        90, ge=0, description="Remove what was set apart after this many days; 0 means never."
    )


class Corrections(Settings):
    """What becomes of images that are sent again with other patient or study data."""

    mode: Literal["ask", "follow"] = Field(
        "ask",
        description="Wait until a person takes corrected patient data (`hilum decide`), or follow "
        "them where they come from one of the senders.",
    )
    senders: tuple[str, ...] = Field(
        (),
        description="Calling AE titles, or names of sources, whose corrections are followed.",
    )

    @model_validator(mode="after")
    def _names_whom_to_follow(self) -> "Corrections":
        if self.mode == "follow" and not self.senders:
            raise ValueError("mode follow needs senders: the AE titles or sources to be followed")
        return self


class Destination(Settings):
    """A place results are sent to."""

    name: str = Field(description="Name that rules and the console use.")
    kind: Literal["dimse", "dicomweb", "folder"] = Field(
        description="C-STORE (dimse), STOW-RS (dicomweb) or a folder."
    )
    host: str = Field("127.0.0.1", description="Address of the archive (dimse).")
    port: Port = Field(4242, description="DICOM port of the archive (dimse).")
    ae_title: AETitle = Field("ORTHANC", description="AE title of the archive (dimse).")
    calling_ae_title: AETitle = Field("HIPPOAI", description="AE title Hilum calls with (dimse).")
    url: WebAddressIfAny = Field(
        "", description="DICOMweb root, such as http://pacs:8042/dicom-web (dicomweb)."
    )
    username: str = Field("", description="User name for HTTP Basic authentication (dicomweb).")
    password_file: Path | None = Field(None, description="File holding the password (dicomweb).")
    folder: Path | None = Field(None, description="Where files are written (folder).")
    mode: FileMode = Field(
        "0600",
        description="Rights of the files written there, as for chmod; folders can be entered by "
        "whoever may read (folder).",
    )
    objects: tuple[Literal["seg", "sr", "sc", "pdf"], ...] = Field(
        ("seg", "sr", "sc", "pdf"), description="Result objects this destination receives."
    )
    segmentation: Literal["auto", "binary", "fractional"] = Field(
        "auto", description="Encoding of segmentations; auto is fractional where viewers need it."
    )
    regions: Literal["outlines", "segments"] = Field(
        "outlines",
        description="What marks a structure in the measurement report: outlines, which viewers "
        "draw, or references to the segments, which machines read; the standard takes one of them.",
    )
    timeout_seconds: float = Field(30, gt=0, description="Longest wait for one answer.")

    @property
    def variant(self) -> str:
        """The objects it receives and how they are written, as one word of the records."""
        return ",".join((*self.objects, self.segmentation, self.regions))


class Priors(Settings):
    """Where earlier results of a patient are looked up, to report what has changed."""

    enabled: bool = Field(True, description="Compare with earlier results of the same patient.")
    ask: tuple[Name, ...] = Field(
        (),
        description="Names of dimse destinations to ask (C-FIND, C-GET); empty asks those that the "
        "result is sent to.",
    )


class Source(Settings):
    """An archive that Hilum watches by itself, with nothing installed in it."""

    name: Name = Field(description="Name that the console and the records use.")
    kind: Literal["orthanc", "dicomweb"] = Field(
        description="REST API of Orthanc (orthanc), or QIDO-RS and WADO-RS (dicomweb)."
    )
    url: WebAddress = Field(
        description="Root of the API: http://pacs:8042 (orthanc), http://pacs/dicom-web (dicomweb)."
    )
    username: str = Field("", description="User name for HTTP Basic authentication.")
    password_file: Path | None = Field(None, description="File holding the password.")
    modalities: tuple[str, ...] = Field(
        (), description="Only series of these modalities are fetched; empty means all."
    )
    since: Literal["start", "beginning"] = Field(
        "start",
        description="Fetch what is new since the source was first used, or the whole archive.",
    )
    days: int = Field(
        1, ge=0, description="How many days ago the StudyDate of new studies may lie (dicomweb)."
    )
    poll_seconds: float = Field(
        0, ge=0, description="Pause between two polls; 0 means 0.25 (orthanc) or 5 (dicomweb)."
    )
    wait_seconds: float = Field(
        0,
        ge=0,
        description="For an archive that also routes to us: fetch only what has not come by then.",
    )
    sweep_seconds: float = Field(
        60, gt=0, description="How often the whole archive is compared, for what polls missed."
    )
    timeout_seconds: float = Field(10, gt=0, description="Longest wait for one answer.")


class Rule(Settings):
    """Which module analyses what, and where its results go."""

    module: str = Field(description="Name of the module, as `hilum modules` lists it.")
    series: dict[Keyword, Regex] = Field(
        default_factory=dict,
        description="What this site calls the series: DICOM keyword = regular expression.",
    )
    inputs: dict[str, dict[Keyword, Regex]] = Field(
        default_factory=dict, description="The same per input, for modules with several."
    )
    study: dict[Keyword, Regex] = Field(
        default_factory=dict,
        description="Conditions on the study: DICOM keyword = expression; one of its series "
        "must meet all of them.",
    )
    send_to: tuple[str, ...] = Field((), description="Names of the destinations.")
    priority: Literal["STAT", "HIGH", "MEDIUM", "LOW"] = Field(
        "MEDIUM", description="Who goes first when several studies wait (PS3.3 C.30.4)."
    )
    quiet_seconds: float = Field(
        1.0, gt=0, description="Shortest silence after which a whole series counts as complete."
    )
    study_quiet_seconds: float = Field(
        8.0, gt=0, description="Silence after which a study without a usable series is settled."
    )
    give_up_seconds: float = Field(
        120.0, gt=0, description="Silence after which a series with gaps is given up on."
    )
    incomplete: Literal["hold", "analyse"] = Field(
        "hold",
        description="Hold a series shorter than announced, or analyse it and mark it INCOMPLETE; "
        "one with gaps is always held.",
    )
    tilt: Literal["refuse", "resample"] = Field(
        "refuse",
        description="Refuse slices of a tilted gantry, or lay them on a right-angled grid for the "
        "module; the result says so, and its outlines lie on the slices as they were made.",
    )

    @property
    def key(self) -> str:
        """What makes two rules the same: the module and the series they give it."""
        return derived_uid(self.module, json.dumps([self.series, self.inputs], sort_keys=True))


class Route(Settings):
    """Where results go on to, beside the destinations that their rule names."""

    modules: tuple[str, ...] = Field(
        (), description="Modules whose results take this route; empty means all."
    )
    outcome: Literal["any", "result", "refusal"] = Field(
        "any", description="Take every outcome, only results, or only refusals."
    )
    images: bool = Field(
        False, description="Send the analysed images, too, for archives that do not have them."
    )
    send_to: tuple[str, ...] = Field(description="Names of the destinations.")


class Norms(Settings):
    """A table of what to expect of healthy persons by sex and age, of your own."""

    module: str = Field(description="Name of the module whose measurements the table is for.")
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the weights it was made with, from `hilum modules --json`; "
        "the results of other weights are not compared."
    )
    file: Path = Field(
        description="CSV file with the columns what, sex, age_from, age_to, mean_ml and sd_ml."
    )
    citation: str = Field(min_length=1, description="Source that is named beside every comparison.")


class Console(Settings):
    """The web page and API."""

    host: str = Field("127.0.0.1", description="Address of the console.")
    port: Port = Field(8040, description="HTTP port of the console.")


class Worker(Settings):
    """Where modules run."""

    count: int = Field(1, ge=1, description="Worker processes; each runs one analysis at a time.")
    timeout_seconds: float = Field(600, gt=0, description="Longest run before a module is killed.")
    memory_mb: int = Field(8192, ge=256, description="Memory limit of a module's process in MiB.")
    threads: int = Field(2, ge=1, description="Threads a network may use.")


class Site(Settings):
    """All settings of one installation."""

    data: Path = Field(Path("hilum-data"), description="Folder for images, results and records.")
    database: str = Field(
        "",
        description="SQLAlchemy URL of the records, such as postgresql+psycopg://hilum@db/hilum; "
        "empty means SQLite in the data folder.",
    )
    networks: Path | None = Field(
        None, description="Folder of networks of your own, a folder with a card.toml each."
    )
    receiver: Receiver = Field(Receiver(), description="The DICOM listener.")
    worker: Worker = Field(Worker(), description="Where modules run.")
    retention: Retention = Field(
        Retention(), description="When images and results are removed from this machine."
    )
    corrections: Corrections = Field(
        Corrections(), description="What becomes of corrected patient data."
    )
    priors: Priors = Field(Priors(), description="Comparison with earlier results of a patient.")
    console: Console = Field(Console(), description="The web page and API.")
    source: tuple[Source, ...] = Field((), description="Archives to watch for new images.")
    destination: tuple[Destination, ...] = Field((), description="Where results go.")
    rule: tuple[Rule, ...] = Field((), description="Which module analyses what.")
    route: tuple[Route, ...] = Field((), description="Where results are pushed on to.")
    norms: tuple[Norms, ...] = Field((), description="Norms of your own; there are no others.")

    def destinations(self, names: tuple[str, ...]) -> tuple[Destination, ...]:
        """The settings of the destinations called `names`."""
        by_name = {destination.name: destination for destination in self.destination}
        for name in names:
            if name not in by_name:
                raise ConfigurationError(f"destination {name!r} is no longer defined")
        return tuple(by_name[name] for name in names)
