"""One odd archive with a study for it: where both are, and how a delivery there stands."""

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from hilum.errors import HilumError
from hilum.privacy import make_private
from hilum.records import Records
from hilum.records.models.deliveries import Delivery
from hilum.records.states import PARKED, DeliveryState, EventKind, WorkitemKind
from hilum_lab.archives.behaviour import AE_TITLE, DimseBehaviour, WebBehaviour
from hilum_lab.archives.dicomweb import DicomwebArchive
from hilum_lab.archives.dimse import DimseArchive
from hilum_lab.network.processes import available_port
from hilum_lab.odd_archives.case import ArchiveCase, Behaviour, Cure, KnownLater, Settings
from hilum_lab.odd_input.classic import Maker
from hilum_lab.odd_input.run import write

MODULE = "moody"
PROOF_SECONDS = 6.0
TOLD = (EventKind.WARNING, EventKind.CAUTION, EventKind.SENT_AGAIN)
TIMES_TRIED = 2  # before a delivery counts as one that is tried again and again


@dataclass(frozen=True)
class CaseOutcome:
    """How a delivery stands, and what had come to the archive by then.

    `sent` and `again` are of the object that came most often: how often it came, and how often
    after it had been accepted. `shown` of the `owed` objects are in the archive, under their UIDs.
    """

    state: DeliveryState | None
    text: str
    sent: int
    again: int
    shown: int
    owed: int


class OddArchive:
    """The archive of one case, and the study whose result it is sent.

    Parameters
    ----------
    number
        Tells it from the others of a run.
    receiver
        The port of Hilum's receiver.
    """

    def __init__(self, case: ArchiveCase, number: int, work: Path, receiver: int) -> None:
        self.case = case
        self.name = f"archive-{number:02d}"
        self._token_file = work / "token"
        of_cure = case.cure.settings if case.cure else {}
        has_node = KnownLater.QUERY_PORT in [*of_cure.values(), *case.settings.values()]
        self._query_port = available_port() if has_node else 0
        self.folder = work / "exams" / self.name
        certificates = work / "certificates" / self.name
        certificates.mkdir(parents=True)
        self._web = DicomwebArchive(folder=certificates)
        self._dimse = DimseArchive(available_port(), self._query_port, receiver)
        maker = Maker(f"{case.group}: {case.name}", "MR")
        exam = maker.exam(
            PatientID=f"LAB-{number}",
            IssuerOfPatientID="HILUM LAB",
            SeriesDescription=self.name,
            StudyDescription=self.name,
        )
        self.images = exam.datasets
        self.study_uid = str(self.images[0].StudyInstanceUID)
        write(exam, self.folder)

    @property
    def archive(self) -> DicomwebArchive | DimseArchive:
        return self._web if self.case.is_web else self._dimse

    def open(self, behaviour: Behaviour) -> None:
        """Start, or start again, and behave like that."""
        if isinstance(behaviour, WebBehaviour):
            self._web.open(behaviour)
        else:
            self._dimse.open(behaviour)

    def prepare(self) -> None:
        """Start, with the images of the study if the case says that they are there."""
        self.open(self.case.behaviour)
        for image in self.images if self.case.images is not None else ():
            header = Dataset()
            header.update({e.tag: e for e in image if e.keyword != "PixelData"})
            for keyword, value in (self.case.images or {}).items():
                setattr(header, keyword, value)
            self.archive.hold(header, DimseBehaviour())

    def correct(self) -> None:
        """File what is held under the patient of the images."""
        for header in self.archive.holds.values():
            header.PatientID = self.images[0].PatientID

    # What Hilum is told ---------------------------------------------------------------------------

    def destination(self, cure: Cure | None = None) -> dict[str, object]:
        """The settings of the destination, as they are after `cure`."""
        address: dict[str, object] = {"kind": "dicomweb", "url": self._web.url}
        if not self.case.is_web:
            address = {"kind": "dimse", "port": self._dimse.port, "ae_title": AE_TITLE}
        usual = {"objects": ["seg", "sr"], "proof_seconds": PROOF_SECONDS, "timeout_seconds": 8}
        changed = cure.settings if cure else {}
        settings = {**address, **usual, **self.case.settings, **changed}
        return {"name": self.name, **self._filled(settings)}

    def rule(self) -> dict[str, object]:
        """The rule by which the result of this study goes there alone."""
        series, study = ({f"{what}Description": f"^{self.name}$"} for what in ("Series", "Study"))
        to = {"module": MODULE, "series": series, "study": study, "send_to": [self.name]}
        return {**to, "quiet_seconds": 1.0, "study_quiet_seconds": 2.0}

    def _filled(self, settings: Settings) -> dict[str, object]:
        places: dict[object, object] = {
            KnownLater.URL: self._web.url,
            KnownLater.OLD_URL: f"{self._web.url}/old",
            KnownLater.NEW_URL: f"{self._web.url}/new",
            KnownLater.STUDIES_URL: f"{self._web.url}/studies",
            KnownLater.QUERY_URL: self._web.query_url,
            KnownLater.QUERY_PORT: self._query_port,
            KnownLater.TOKEN_FILE: str(self._token_file),
            KnownLater.OLD_HTTPS_URL: f"{self._web.https_url}/old",
            KnownLater.CERTIFICATE: {"ca_file": str(self._web.certificate)},
        }
        is_place = {key: isinstance(value, KnownLater) for key, value in settings.items()}
        return {key: places[v] if is_place[key] else v for key, v in settings.items()}

    # How it stands --------------------------------------------------------------------------------

    def delivery(self, records: Records) -> Delivery | None:
        """The newest delivery of a result there."""
        items = [i for i in records.workitems.of_study(self.study_uid) if i.is_run]
        runs = [item for item in items if item.kind is WorkitemKind.RUN]
        found = [d for item in runs for d in records.deliveries.of_workitem(item.id)]
        return found[-1] if found else None

    def is_at_rest(self, records: Records) -> bool:
        """Whether nothing goes on by itself any more, or nothing but further attempts."""
        delivery = self.delivery(records)
        if delivery is None:
            return False
        is_tried = delivery.attempts >= TIMES_TRIED and self.case.state is DeliveryState.DELAYED
        return delivery.state.settled or delivery.state in PARKED or is_tried

    def outcome(self, records: Records) -> CaseOutcome:
        """How it stands now."""
        delivery = self.delivery(records)
        if delivery is None:
            return CaseOutcome(None, "no result was made", 0, 0, 0, 0)
        owed = records.results.of_variant(delivery.workitem_id, delivery.variant)
        told = [e.text for kind in TOLD for e in records.events.of_kind(self.study_uid, kind)]
        text = "; ".join([delivery.reason, *told])
        shown = {one.identity for one in owed} & self.archive.holds.keys()
        return CaseOutcome(
            delivery.state,
            text,
            max(self.archive.sent.values(), default=0),
            max(self.archive.again.values(), default=0),
            len(shown),
            len(owed),
        )

    def keep_token(self, token: str) -> None:
        """Write the token where only we can read it."""
        make_private(self._token_file.parent)
        self._token_file.write_text(token)
        self._token_file.chmod(0o600)


def only(cases: tuple[ArchiveCase, ...], words: str) -> list[ArchiveCase]:
    """The cases whose heading and name hold `words`."""
    chosen = [case for case in cases if words in f"{case.group}: {case.name}"]
    if not chosen:
        text = "no archive has that in its name; `docs/explanation/archives.md` lists all"
        raise HilumError(text)
    return chosen
