"""A site with its console, filled as a test wants it."""

import itertools
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path

import httpx

from factory import a_delivery, a_study, a_workitem, put
from hilum.config import load, parse
from hilum.config.file import SettingsFile
from hilum.config.site import Site
from hilum.config.versions import SettingsVersions
from hilum.people.roles import UserRole
from hilum.records import Records
from hilum.records.listed import StudyIdentifiers
from hilum.records.models.patients import Correction
from hilum.records.models.standings import DestinationStanding
from hilum.records.states import DeliveryState, DestinationState, WorkitemState
from hilum.rejections import Rejection, RejectionKind
from hilum.study.verdict import Verdict
from hilum.summary.numbers import ClassificationSummary, MeasurementSummary
from hilum.summary.remarks import NoteSummary
from tests.signing_in import signed_in

from .serving import serving

HIDDEN = "<script>document.title = 'mine'</script>"
PAGES = ("/", "/studies", "/rules", "/modules", "/network", "/statistics", "/about")
NUMBERS = itertools.count(1)
SAID = StudyIdentifiers(
    patient_id="MARKERID",
    patient_name=f"MARKER^{HIDDEN}",
    accession_number="ACC7",
    study_date="20260102",
    description="Brain",
    modalities=("MR",),
)


SETTINGS = """\
# Our network
data = "{folder}/data"
database = "sqlite:///{folder}/data/hilum.db?password=hunter2" # ours

[[destination]]
name = "out"
kind = "folder"
folder = "{folder}/out"

[[destination]]
name = "research"
kind = "folder"
folder = "{folder}/research"

# Heads come from MR1.
[[rule]]
module = "hippocampal-volume" # the module
series = {{ SeriesDescription = "^Crop" }}
send_to = ["out"]

# Chests.
[[rule]]
module = "chest-radiograph"
send_to = ["out"]
"""


@dataclass(frozen=True)
class House:
    """A site with its console."""

    site: Site
    records: Records
    url: str

    def client(self, role: UserRole = UserRole.ADMINISTRATOR) -> httpx.Client:
        return signed_in(self.site, role, self.url)

    def get(self, path: str, role: UserRole = UserRole.ADMINISTRATOR) -> str:
        with self.client(role) as client:
            answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        return answer.text

    def study(self, state: WorkitemState, said: StudyIdentifiers | None = None) -> str:
        """The address of a new study whose workitem is in `state`."""
        uid = f"1.2.{next(NUMBERS)}"
        at = time.time()
        put(
            self.records,
            a_study(study_uid=uid, folder=uid, images=3, settled_images=3, first_at=at, last_at=at),
            a_workitem(
                id=f"{uid}.1", study_uid=uid, state=state, created=at, reason=f"so {HIDDEN}"
            ),
        )
        if said:
            assert self.records.identifiers.note_older(uid, said)
        return self.records.identifiers.addresses([uid])[uid]


@contextmanager
def a_house(tmp_path: Path, **settings: object) -> Iterator[House]:
    """A site below `tmp_path` with one destination, a folder; and with these `settings`."""
    (tmp_path / "data").mkdir(mode=0o700)
    site = parse(
        {
            "data": str(tmp_path / "data"),
            "receiver": {"low_water_mb": 0},
            "destination": [{"name": "out", "kind": "folder", "folder": str(tmp_path / "out")}],
            **settings,
        }
    )
    with (
        closing(Records(f"sqlite:///{site.data}/hilum.db")) as records,
        serving(site, records) as url,
    ):
        yield House(site, records, url)


def make_busy(house: House) -> str:
    """Studies in every state, trouble of each kind; the address of a study with a result."""
    for state in WorkitemState:
        house.study(state, SAID)
    uid, at = f"1.2.{next(NUMBERS)}", time.time()
    item = a_workitem(
        id=f"{uid}.1",
        study_uid=uid,
        state=WorkitemState.PARKED,
        findings=(
            MeasurementSummary("Volume", 3.379, "ml", of="Hippocampus", uncertainty=0.17),
            ClassificationSummary("normal", "normal", scores={"normal": 0.7, "pneumonia": 0.3}),
            NoteSummary(f"Much motion {HIDDEN}.", caution=True),
        ),
        verdicts=(Verdict("series", "1.9", "T1 crop", 32, True, ("it matches",)),),
    )
    study = a_study(study_uid=uid, folder=uid, images=3, settled_images=3, first_at=at, last_at=at)
    put(house.records, study, item)
    house.records.corrections.note(Correction(uid, "9" * 20, at, ("MR1",), is_open=True))
    put(house.records, a_delivery(item.id, "out", state=DeliveryState.REFUSED, reason="enable SEG"))
    standing = DestinationStanding("out", DestinationState.UNREACHABLE, at - 7200, "no answer")
    house.records.destinations.note(standing)
    rejected = (at, RejectionKind.CALLER, "10.0.0.1", "MR1", "HILUM", f"not known {HIDDEN}")
    house.records.rejections.note([Rejection.at(*rejected)])
    return house.records.identifiers.addresses([uid])[uid]


@contextmanager
def a_house_with_file(
    tmp_path: Path, settings: str = SETTINGS, patience: float = inf
) -> Iterator[House]:
    """One whose `settings` stand in a file that can be changed; its records have `patience` (s)."""
    (tmp_path / "data").mkdir(mode=0o700)
    file = SettingsFile(tmp_path / "hilum.toml")
    file.path.write_text(settings.format(folder=tmp_path))
    site = load(file.path)
    SettingsVersions(site.data).keep(file.read().text, 1.0)
    with (
        closing(Records(f"sqlite:///{site.data}/hilum.db", patience)) as records,
        serving(site, records, file=file) as url,
    ):
        yield House(site, records, url)
