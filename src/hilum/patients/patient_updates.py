"""What the hospital says of its patients (HL7 ADT) becomes an offer to correct the studies here.

Nothing is changed by itself: a message does not prove that the archive has changed, too. So it is
offered as images that were sent again under other patient data are, for a person to decide, or to
be followed where `corrections.senders` names `SENDER`.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from pydicom.dataset import Dataset

from hilum.dicom.identity import Identity, Patient, number_of
from hilum.dicom.instance import Instance, readable
from hilum.errors import MessageError, UnreadableError
from hilum.hl7.adt import PatientEvent, PatientIdentifier, PatientUpdate, StatedPatient
from hilum.hl7.er7 import ReceivedMessage
from hilum.inbox.kept_updates import forget, heard_of, remember
from hilum.inbox.updates import came_at, updates_in
from hilum.logs import going_on
from hilum.records.models.patients import Correction
from hilum.records.states import EventKind
from hilum.study.flow import Flow
from hilum.wording import how_to_decide

SENDER = "patient_updates (HL7)"  # no AE title or source is called so
LONGEST_NAME = 200  # characters: three groups of 64 (PS3.5 6.2)
IDLE_SECONDS = 60.0  # whoever keeps a message wakes us
DAY = 86_400.0  # s
OVERLAP_SECONDS = 3600.0  # longest time from when a workitem is made to when it is on record
FORGET_SECONDS = 3600.0  # between two looks for what is no longer kept
SEE = "nothing was changed here: see which patient its results belong to"
AHEAD = "a message about its patient states a time in the future; it counts from when it came"
SEVERAL = (
    "the hospital has merged its patient into another one (A40), of whom it names several IDs: "
    f"{SEE}"
)
ONLY_TOLD = {
    PatientEvent.LINKED: "the hospital has linked its patient with another one (A24)",
    PatientEvent.UNLINKED: "the hospital has taken a link of its patient back (A37)",
    PatientEvent.RENAMED: "the hospital has changed the ID of its patient (A47)",
}

log = logging.getLogger(__name__)


class PatientUpdatesTaken:
    """Sees to the messages that were kept, one after the other.

    `on_news` is called when the corrections of `flow` have to look again.
    """

    def __init__(
        self,
        flow: Flow,
        clock: Callable[[], float] = time.time,
        on_news: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_news = on_news
        self._flow = flow
        self._records = flow.records
        self._data = flow.site.data
        self._issuer = flow.site.patient_updates.issuer
        self._keep_seconds = flow.site.patient_updates.keep_days * DAY
        self._clock = clock
        self._caught_up = 0.0  # when the last workitem was made whose study is known here
        self._known: dict[str, float] = {}  # the same of each study of the last hour before that
        self._newcomers: dict[str, str] = {}  # patient IDs of the studies to look at, by UID
        self._forget_at = 0.0
        self._waker = threading.Event()

    def start(self) -> None:
        """Do so in a thread of this process; no decision waits for copies of a whole study."""
        threading.Thread(target=self._keep_on, name="patient updates", daemon=True).start()

    def wake(self) -> None:
        """Wake the thread: a message was kept."""
        self._waker.set()

    def _keep_on(self) -> None:
        while True:
            self._waker.clear()
            with going_on("patient updates", log):
                self.turn()
            self._waker.wait(IDLE_SECONDS)

    def turn(self) -> None:
        """See to every message that is there, in the order in which they came.

        One that fails is tried again with the next ones, and holds up no other.
        """
        for file in updates_in(self._data):
            with going_on("a message about a patient", log):
                self._see_to(file)
                file.unlink(missing_ok=True)
        with going_on("what was heard of patients before", log):
            self._catch_up()
        self._flow.corrections.look_again()
        self._on_news()

    def _see_to(self, file: Path) -> None:
        try:
            update = PatientUpdate.read(ReceivedMessage.of(file.read_bytes()))
            update = update.that_came(came_at(file))
        except MessageError as error:  # the listener takes none of these
            log.error("a message about a patient that was kept cannot be used: %s", error)
            return
        for patient in update.patients:
            one = replace(update, patients=(patient,))
            if self._keep_seconds:
                for patient_id in _concerned(update.event, patient):
                    remember(self._data, patient_id, one)
            self._take(one)

    def _catch_up(self) -> None:
        """Take what was heard of a patient before a study of theirs came.

        A study with which that fails is looked at again, and holds up no other.
        """
        now = self._clock()
        if now >= self._forget_at:
            forget(self._data, now - self._keep_seconds)
            self._forget_at = now + FORGET_SECONDS
        self._note_newcomers()
        for study_uid, patient_id in list(self._newcomers.items()):
            with going_on("what was heard of one patient before", log):
                self._take_heard(study_uid, patient_id)
                del self._newcomers[study_uid]

    def _note_newcomers(self) -> None:
        """Find the studies of which a workitem was made since the last look.

        One that was made first may be on record last, so the last hour is looked through again.
        """
        since = self._caught_up - OVERLAP_SECONDS
        found = self._records.identifiers.decided_after(since)
        for study_uid, patient_id, at in found:
            if self._known.get(study_uid) != at:
                self._newcomers[study_uid] = patient_id
            self._caught_up = max(self._caught_up, at)
        self._known = {study_uid: at for study_uid, _, at in found}

    def _take_heard(self, study_uid: str, patient_id: str) -> None:
        heard = heard_of(self._data, patient_id)
        heeded = self._heeded_until(study_uid) if heard else 0.0
        for update in heard:
            if update.at > heeded or update.event in ONLY_TOLD:
                self._take(update, study_uid)

    def _take(self, update: PatientUpdate, only: str = "") -> None:
        """Offer or tell what is said of one patient: of each study, or of the study `only`."""
        [patient] = update.patients
        if update.event in ONLY_TOLD:
            self._tell(update.event, patient, only)
        elif update.event is PatientEvent.UPDATED:
            for identifier in patient.identifiers:
                self._change(identifier, update, _said(patient), only)
        else:
            self._merge(update, patient, only)

    def _merge(self, update: PatientUpdate, patient: StatedPatient, only: str) -> None:
        """Offer the studies of the former ID under the surviving one of the same authority.

        Where the message names several, nobody can know which one images are filed under.
        """
        for former in patient.former:
            surviving = self._surviving(patient, former)
            if len(surviving) == 1:
                said = _said(patient)
                [said.PatientID] = surviving
                self._change(former, update, said, only)
            elif surviving:
                self._of_each(former, only, lambda uid, _image: self._tell_once(uid, SEVERAL))

    def _surviving(self, patient: StatedPatient, former: PatientIdentifier) -> set[str]:
        """The IDs that take the place of a `former` one: those of its type, if any has that."""
        left = {(one.id, self._authority(one)) for one in patient.former}
        same = [
            one
            for one in patient.identifiers
            if self._authority(one) == self._authority(former)
            and (one.id, self._authority(one)) not in left
        ]
        of_kind = [one for one in same if one.kind == former.kind]
        return {one.id for one in of_kind or same}

    def _tell(self, event: PatientEvent, patient: StatedPatient, only: str) -> None:
        text = f"{ONLY_TOLD[event]}: {SEE}"
        for identifier in (*patient.identifiers, *patient.former):
            self._of_each(identifier, only, lambda uid, _image: self._tell_once(uid, text))

    # One study ------------------------------------------------------------------------------------

    def _change(
        self, whose: PatientIdentifier, update: PatientUpdate, said: Dataset, only: str
    ) -> None:
        """Offer what `update` says of the patient `whose` for each study that is here."""
        self._of_each(whose, only, lambda uid, present: self._compare(uid, present, update, said))

    def _compare(
        self, study_uid: str, present: Instance, update: PatientUpdate, said: Dataset
    ) -> None:
        """Offer what is said for one study, of which one image is `present`, if it is other."""
        differ = _differences(present, said)
        if update.is_ahead:
            self._tell_once(study_uid, f"{AHEAD} ({update.event})")
        if self._heeded_until(study_uid) > update.at:
            if differ:
                text = f"an older message about its patient ({update.event}) came late"
                self._tell_once(study_uid, f"{text} and was left out")
        elif differ:
            self._offer(study_uid, update, _with_groups(said, present), differ)
        else:
            self._remember(study_uid, Identity.of(present.header).key, update.at)

    def _offer(
        self, study_uid: str, update: PatientUpdate, said: Dataset, differ: list[str]
    ) -> None:
        changed = Dataset()
        for keyword in differ:
            setattr(changed, keyword, said[keyword].value)
        try:
            identities = self._flow.corrections.restate(study_uid, changed)
        except UnreadableError as error:
            self._tell_once(study_uid, f"what {update.event} says cannot be offered: {error}")
            return
        for identity in identities:
            offered = Correction(study_uid, identity, update.at, (SENDER,), is_open=True)
            known = self._records.corrections.get(study_uid, identity)
            if known and SENDER in known.senders and known.at == update.at:
                continue  # the same message again; perhaps somebody has decided since
            if self._records.corrections.note(offered):
                what = f"the hospital says ({update.event}) that its patient data have changed"
                text = f"{what} ({', '.join(differ)}), number {number_of(identity)}"
                text = f"{text}: {how_to_decide(study_uid)}"
                self._records.events.add(study_uid, EventKind.CORRECTED, text)

    def _heeded_until(self, study_uid: str) -> float:
        """The time of the newest that was taken of the patient of a study; 0 if nothing was."""
        sent = self._records.corrections.of_study(study_uid)
        return max((one.at for one in sent if SENDER in one.senders), default=0.0)

    def _remember(self, study_uid: str, identity: str, at: float) -> None:
        """Note that the hospital has said what is here already, so that nothing older counts."""
        known = self._records.corrections.get(study_uid, identity)
        if known is None or not known.is_open:
            said = Correction(study_uid, identity, at, (SENDER,), is_open=False)
            self._records.corrections.note(said)

    def _tell_once(self, study_uid: str, text: str) -> None:
        self._records.events.add_once(study_uid, EventKind.IDENTITY, text)

    def _of_each(
        self, whose: PatientIdentifier, only: str, act: Callable[[str, Instance], None]
    ) -> None:
        """Do something for each study with a workitem whose images are all of that patient.

        It is given one of the images. A study that the disk does not give, or does not take, holds
        up no other: the error is raised at the end, so that all of it is tried again.
        """
        trouble: OSError | None = None
        for study_uid in self._records.identifiers.studies_of(whose.id):
            if only and study_uid != only:
                continue
            if not self._records.workitems.of_study(study_uid):
                continue
            try:
                images = list(self._images(study_uid))
                if images and all(self._is_of(whose, image.patient) for image in images):
                    act(study_uid, images[0])
            except OSError as error:
                trouble = error
        if trouble:
            raise trouble

    def _images(self, study_uid: str) -> Iterator[Instance]:
        """What is here of a study and says whose it is."""
        for image in readable(sorted(self._flow.inbox.study_folder(study_uid).glob("*.dcm"))):
            if not self._records.results.called(image.sop_instance_uid):
                yield image

    def _is_of(self, whose: PatientIdentifier, patient: Patient) -> bool:
        """Whether a patient has that ID of that authority; one that is not known is no match."""
        ours = patient.issuer if any(patient.issuer) else (self._issuer, "", "")
        theirs = self._authority(whose)
        stated = [(one, other) for one, other in zip(ours, theirs, strict=True) if one and other]
        return patient.id == whose.id and bool(stated) and all(a == b for a, b in stated)

    def _authority(self, whose: PatientIdentifier) -> tuple[str, str, str]:
        return whose.authority if any(whose.authority) else (self._issuer, "", "")


def _concerned(event: PatientEvent, patient: StatedPatient) -> set[str]:
    """The patient IDs that studies have about which something is said."""
    if event is PatientEvent.UPDATED:
        found = patient.identifiers
    elif event is PatientEvent.MERGED:
        found = patient.former
    else:
        found = (*patient.identifiers, *patient.former)
    return {one.id for one in found}


def _said(patient: StatedPatient) -> Dataset:
    said = Dataset()
    said.PatientName = patient.name
    said.PatientBirthDate, said.PatientSex = patient.birth_date, patient.sex
    return said


def _with_groups(said: Dataset, present: Instance) -> Dataset:
    """A copy of `said` with the groups of the name that only the image states (ideographic)."""
    said = deepcopy(said)
    ours = [*present.header.text("PatientName", LONGEST_NAME).split("="), "", ""][:3]
    theirs = [*str(said.PatientName).split("="), "", ""][:3]
    groups = [other or one for one, other in zip(ours, theirs, strict=True)]
    said.PatientName = "=".join(groups).rstrip("=")
    return said


def _differences(present: Instance, said: Dataset) -> list[str]:
    """The attributes that a message states otherwise than an image, by keyword."""
    ours, theirs = present.patient, Patient.of(said)
    sex = present.header.text("PatientSex", 16).strip()
    differ = {
        "PatientID": bool(theirs.id) and theirs.id != ours.id,
        "PatientName": ours.name_differs(theirs) or (any(theirs.name) and not any(ours.name)),
        "PatientBirthDate": bool(theirs.birth_date) and theirs.birth_date != ours.birth_date,
        "PatientSex": bool(said.PatientSex) and said.PatientSex != sex,
    }
    return [keyword for keyword, differs in differ.items() if differs]
