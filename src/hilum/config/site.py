"""The settings of one installation as data: what may stand in hilum.toml, and what each means.

Each setting has one help sentence, shown by `hilum init` and in the reference.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hilum.config.assessment import AssessmentSettings
from hilum.config.audit import AuditSettings
from hilum.config.console import Console
from hilum.config.fields import (
    JSONValues,
    Keyword,
    Name,
    OrEmpty,
    Regex,
    Settings,
)
from hilum.config.findings import When
from hilum.config.hours import Hours
from hilum.config.kinds import (
    AnyDestination,
    AnyHost,
    AnyNotifier,
    AnySource,
    AnyWorklist,
    DestinationSettings,
    HostSettings,
)
from hilum.config.receiver import Receiver
from hilum.config.updates import PatientUpdates
from hilum.dicom.uids import derived_uid
from hilum.errors import ConfigurationError


class RetentionSettings(Settings):
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
        90, ge=0, description="Remove what is in quarantine after this many days; 0 means never."
    )


class CorrectionsSettings(Settings):
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
    def _names_whom_to_follow(self) -> "CorrectionsSettings":
        if self.mode == "follow" and not self.senders:
            raise ValueError("mode follow needs senders: the AE titles or sources to be followed")
        return self


class Priors(Settings):
    """Where earlier results of a patient are looked up, to report what has changed."""

    enabled: bool = Field(True, description="Compare with earlier results of the same patient.")
    ask: tuple[Name, ...] = Field(
        (),
        description="Names of dimse destinations to ask (C-FIND, C-GET); empty asks those that the "
        "result is sent to.",
    )


class Rule(Settings):
    """Which module analyses what, and where its results go."""

    module: str = Field(description="Name of the module, as `hilum modules` lists it.")
    name: Annotated[Name, OrEmpty] = Field(
        "", description="What the console and commands call the rule; empty means its module."
    )
    series: dict[Keyword, Regex] = Field(
        default_factory=dict,
        description="What this site calls the series: DICOM keyword = regular expression.",
    )
    inputs: dict[str, dict[Keyword, Regex]] = Field(
        default_factory=dict,
        description="The same for each input, for modules with several inputs.",
    )
    study: dict[Keyword, Regex] = Field(
        default_factory=dict,
        description="Conditions on the study: DICOM keyword = expression; one of its series "
        "must meet all of them.",
    )
    send_to: tuple[str, ...] = Field((), description="Names of the destinations.")
    priority: Literal["STAT", "HIGH", "MEDIUM", "LOW"] = Field(
        "MEDIUM", description="Which study goes first when several wait (PS3.3 C.30.4)."
    )
    hours: Annotated[Hours, OrEmpty] = Field(
        "",
        description="Hours in which its analyses begin, such as 22:00-06:00, by the clock of this "
        "machine; empty means at any time. What a module calls urgent, or a person or a worklist "
        "asks for, does not wait for them.",
    )
    quiet_seconds: float = Field(
        1.0,
        gt=0,
        description="Shortest silence in seconds after which a whole series counts as complete.",
    )
    study_quiet_seconds: float = Field(
        8.0,
        gt=0,
        description="Silence in seconds after which Hilum no longer waits for a usable series.",
    )
    give_up_seconds: float = Field(
        120.0,
        gt=0,
        description="Silence in seconds after which Hilum no longer waits for a series with gaps.",
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

    parameters: JSONValues = Field(
        default_factory=dict,
        description="Parameters of the module, by name; a wrong name is refused, and the nearest "
        "one is named.",
    )

    @property
    def key(self) -> str:
        """What makes two rules the same: the module, its parameters, and the series it is given."""
        own = [self.parameters] if self.parameters else []
        given = json.dumps([self.series, self.inputs, *own], sort_keys=True)
        return derived_uid(self.module, given)


class Route(Settings):
    """Where results go on to, beside the destinations that their rule names."""

    modules: tuple[str, ...] = Field(
        (), description="Modules whose results take this route; empty means all."
    )
    outcome: Literal["any", "result", "refusal"] = Field(
        "any", description="Take every outcome, only results, or only refusals."
    )
    when: When | None = Field(
        None,
        description="Take only results with such a finding: { urgent = true }, { outcome = "
        '"Pneumonia" } or { measurement = "Volume", above = 30 }.',
    )
    images: bool = Field(
        False, description="Send the analysed images, too, for archives that do not have them."
    )
    send_to: tuple[str, ...] = Field(description="Names of the destinations.")


class NormsSettings(Settings):
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


class Worker(Settings):
    """Where modules run."""

    count: int = Field(1, ge=1, description="Worker processes; each runs one analysis at a time.")
    timeout_seconds: float = Field(
        600, gt=0, description="Longest run of a module in seconds; then it is killed."
    )
    memory_mb: int = Field(
        8192,
        ge=256,
        description="Memory limit of a module's process in MiB."
        " Where the system lets Hilum do so, this limits all processes of the module together.",
    )
    threads: int = Field(2, ge=1, description="Threads that a model may use.")


RECORDS, ENGINE = "hilum.db", "engine.db"  # ours on SQLite, in the data folder


class Site(Settings):
    """All settings of one installation."""

    data: Path = Field(Path("hilum-data"), description="Folder for images, results and records.")
    database: str = Field(
        "",
        description="SQLAlchemy URL of the records, such as postgresql+psycopg://hilum@db/hilum; "
        "empty means SQLite in the data folder.",
    )
    models: Path | None = Field(
        None, description="Folder of models of your own; each is a folder with a card.toml."
    )
    receiver: Receiver = Field(Receiver(), description="The DICOM listener.")
    worker: Worker = Field(Worker(), description="Where modules run.")
    retention: RetentionSettings = Field(
        RetentionSettings(), description="When images and results are removed from this machine."
    )
    corrections: CorrectionsSettings = Field(
        CorrectionsSettings(), description="What happens with corrected patient data."
    )
    assessment: AssessmentSettings = Field(
        AssessmentSettings(), description="What becomes of results that readers have assessed."
    )
    patient_updates: PatientUpdates = Field(
        PatientUpdates(), description="What the hospital says of changed patient data (HL7 ADT)."
    )
    priors: Priors = Field(Priors(), description="Comparison with earlier results of a patient.")
    console: Console = Field(Console(), description="The web page and API.")
    audit: AuditSettings = Field(
        AuditSettings(), description="The audit trail: who did what, and who is told of it."
    )
    source: tuple[AnySource, ...] = Field((), description="Archives to watch for new images.")
    destination: tuple[AnyDestination, ...] = Field((), description="Where results go.")
    rule: tuple[Rule, ...] = Field((), description="Which module analyses what.")
    host: tuple[AnyHost, ...] = Field(
        (), description="Where modules run that do not run in a child process of the worker."
    )
    route: tuple[Route, ...] = Field((), description="Where results are sent on to.")
    notify: tuple[AnyNotifier, ...] = Field((), description="Who is told of alarms.")
    worklist: tuple[AnyWorklist, ...] = Field(
        (), description="Worklists whose steps Hilum performs."
    )
    norms: tuple[NormsSettings, ...] = Field((), description="Norms of your own; Hilum has none.")

    @property
    def rules_by_name(self) -> dict[str, Rule]:
        """The rules by what they are called.

        One without a name is called as its module, or `module-2` where that is taken.
        """
        taken = {rule.name for rule in self.rule}
        found = {}
        for rule in self.rule:
            called, number = rule.name or rule.module, 2
            while not rule.name and called in taken:
                called, number = f"{rule.module}-{number}", number + 1
            taken.add(called)
            found[called] = rule
        return found

    @property
    def in_order(self) -> frozenset[str]:
        """The destinations where what comes later of a study takes the place of what came before.

        They take the results of a study one after the other, in the order in which they are owed.
        """
        return frozenset(one.name for one in self.destination if one.in_order)

    def host_for(self, module: str) -> HostSettings | None:
        """The settings of the `[[host]]` that names `module`, if there is one."""
        return next((settings for settings in self.host if settings.module == module), None)

    def destinations(self, names: tuple[str, ...]) -> tuple[DestinationSettings, ...]:
        """The settings of the destinations called `names`."""
        by_name = {destination.name: destination for destination in self.destination}
        for name in names:
            if name not in by_name:
                raise ConfigurationError(f"destination {name!r} is no longer defined")
        return tuple(by_name[name] for name in names)
