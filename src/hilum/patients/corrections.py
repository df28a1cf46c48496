"""Corrected patient data: images that come again under other patient or study attributes.

The receiver quarantines what has a known SOP Instance UID and other content. Here the gateway finds
out what it is: the same image with other patient or study attributes is a correction, and one event
for its study. A person takes it (`hilum decide`), or Hilum does where the settings say so of its
sender. What images were called before is remembered by numbers, not by values, so that a late copy
never brings a wrong patient back.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import BytesIO
from itertools import islice
from pathlib import Path

from pydicom.dataset import Dataset

from hilum.config.site import Site
from hilum.delivery.filing import LOOK_THERE, FilingJudgement
from hilum.dicom.doubt import CORRECTED, FORMER
from hilum.dicom.header import text_of
from hilum.dicom.identity import PATIENT_AND_STUDY, Identity, number_of
from hilum.dicom.instance import Instance
from hilum.dicom.restating import restated
from hilum.errors import UnreadableError
from hilum.inbox import OTHER_CONTENT, Inbox, QuarantinedObject, quarantined_in, restate
from hilum.inbox.versions import Versions
from hilum.patients.comparer import LATER, Comparer, FilePair
from hilum.patients.subjects import Subjects
from hilum.processes.hints import Quarantined
from hilum.records import Records
from hilum.records.bursts import Bursts
from hilum.records.models.patients import Correction
from hilum.records.models.workitems import Workitem
from hilum.records.states import EventKind, RequestAction, WorkitemKind
from hilum.rejections import SEE_QUARANTINE, Rejection, RejectionKind
from hilum.study.arrival import Arrival
from hilum.study.assembly import Hold
from hilum.study.routing import Selection
from hilum.study.workitems import Workitems
from hilum.wording import how_to_decide

PAIRS_AT_ONCE = 500  # of images that are compared in one go
NEWEST = 10_000  # quarantined objects that a sweep looks at

log = logging.getLogger(__name__)


class Corrections:
    """Knows what was sent again with other patient data, and what images were called before."""

    def __init__(self, site: Site, records: Records, inbox: Inbox, workitems: Workitems) -> None:
        self._settings = site.corrections
        self._data = site.data
        self._records = records
        self._inbox = inbox
        self._workitems = workitems
        self.subjects = Subjects(records, inbox, workitems)
        self.versions = Versions(site.data)
        self._comparer = Comparer(site.worker)
        self._bursts = Bursts(records)
        self._queue: dict[Path, QuarantinedObject] = {}
        self._came: dict[
            Path, Rejection
        ] = {}  # what each is if it is no correction, as far as known
        self._is_news = True  # what came last may not have been followed yet

    # Recognising ----------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Find what no hint told of."""
        for item in quarantined_in(self._data, NEWEST)[1]:
            if item.reason == OTHER_CONTENT and item.study_uid and item.path.exists():
                self._queue.setdefault(item.path, item)

    def add(self, hint: Quarantined) -> None:
        """Note that an object was quarantined that may be a corrected image."""
        if not hint.study:
            return
        now = time.time()
        self._queue[hint.path] = QuarantinedObject(
            hint.path, now, OTHER_CONTENT, hint.caller, hint.study
        )
        if hint.address:  # it came through the receiver
            sender = (hint.address, hint.caller, hint.called)
            self._came[hint.path] = Rejection.at(now, RejectionKind.CONTENT, *sender, OTHER_CONTENT)

    @property
    def is_busy(self) -> bool:
        """Whether `turn` has something to do."""
        return bool(self._queue) or self._is_news or self._comparer.is_busy

    def turn(self) -> bool:
        """Go on comparing; True if something was decided that the gateway is to do now."""
        rejected = []
        for pair, differs in self._comparer.results():
            came = self._came.pop(pair.new, None)
            item = self._queue.pop(pair.new, None)
            if item and self._judge(item, pair.old, differs) and came:
                reason = f"{OTHER_CONTENT}: {differs}: {SEE_QUARANTINE}"
                rejected.append(replace(came, reason=reason))
        self._records.rejections.note(rejected)
        if self._comparer.is_busy:
            return False
        if pairs := list(islice(self._pairs(), PAIRS_AT_ONCE)):
            self._comparer.start(pairs)
            return False
        is_news, self._is_news = self._is_news, False
        return is_news and self._follow()

    def _pairs(self) -> Iterator[FilePair]:
        for path, item in list(self._queue.items()):
            try:
                present = self._present(Instance.read(path))
            except (UnreadableError, FileNotFoundError):  # one such file must not stop the others
                present = None
            if present is None or not present.exists():
                self._came.pop(path, None)
                del self._queue[path]  # taken or removed meanwhile; if it comes again it is judged
            else:
                yield FilePair(item.path, present)

    def _present(self, image: Instance) -> Path:
        return self._inbox.path_of(image.study_uid, image.sop_instance_uid)

    def _judge(self, item: QuarantinedObject, present: Path, differs: str) -> bool:
        """Judge a quarantined object; True if it is another image, to be rejected.

        The trace says it before the note beside the file does: until then a sweep finds the object.
        """
        if differs == LATER:
            return False  # the next sweep finds it
        if result := self._records.results.called(Instance.read(item.path).sop_instance_uid):
            self._judge_result(item, present, result.workitem_id)
            return False
        if differs:
            one = f"an image came again with other content ({differs}); it is in quarantine"
            many = f"images came again with other content ({differs}); they are in quarantine"
            self._bursts.note(item.study_uid, EventKind.QUARANTINED, one, many)
            restate(item, f"{OTHER_CONTENT}: {differs}")
            return True
        new, old = Instance.read(item.path), Instance.read(present)
        if new.label == old.label:
            restate(
                item, "received again: the same image of the same patient, written in another way"
            )
        elif self._records.corrections.was_called(item.study_uid, {new.label}):
            self._note_former(item)
        elif not self._records.workitems.of_study(item.study_uid):
            restate(item, f"{CORRECTED} for a study that no rule applies to")
        else:
            self._offer(item, new, old)
        return False

    def _judge_result(self, item: QuarantinedObject, present: Path, workitem_id: str) -> None:
        """Note that a result of ours came back in another form: archives may write it anew."""
        if Instance.read(item.path).label == Instance.read(present).label:
            restate(item, "a result of ours that came back, written in another way")
            return
        text = "the archive has changed the patient or study data of a result; nothing else is done"
        self._records.events.add(item.study_uid, EventKind.MOVED, text, workitem_id)
        restate(item, "a result of ours that came back under other patient or study data")

    def _note_former(self, item: QuarantinedObject) -> None:
        """Note that an image came again as it was before a correction."""
        again = f"came again from {item.sender or 'unknown'}"
        one = f"an image {again} as it was before a correction; it is in quarantine"
        many = f"images {again} as they were before a correction; they are in quarantine"
        if self._bursts.note(item.study_uid, EventKind.QUARANTINED, one, many):
            log.info("study %s: images %s as before a correction", item.study_uid, again)
        restate(item, FORMER)

    def _offer(self, item: QuarantinedObject, new: Instance, old: Instance) -> None:
        """Keep the corrected image; the first one of its identity is an event of the study."""
        identity = Identity.of(new.header).key
        self._is_news = True
        self.versions.keep(item.path, item.study_uid, identity, old.path.name)
        item.path.with_suffix(".txt").unlink(missing_ok=True)
        differ = [k for k in PATIENT_AND_STUDY if text_of(new.header, k) != text_of(old.header, k)]
        self._note(item.study_uid, identity, item.sender, differ or ["IssuerOfPatientID"])

    def _note(self, study_uid: str, identity: str, sender: str, differ: list[str]) -> None:
        known = self._records.corrections.get(study_uid, identity)
        senders = tuple(sorted({sender, *(known.senders if known else ())}))
        sent = Correction(study_uid, identity, time.time(), senders, is_open=True)
        if self._records.corrections.note(sent):
            whose = f"by {sender or 'unknown'}, number {number_of(identity)}"
            text = f"{CORRECTED} ({', '.join(differ)}) {whose}: {how_to_decide(study_uid)}"
            self._records.events.add(study_uid, EventKind.CORRECTED, text)

    # What an archive files under another patient --------------------------------------------------

    def offer_filed(self, item: Workitem, filed: FilingJudgement, destination: str) -> str:
        """Offer to make a misfiled result anew as the images are filed there; what to do, in words.

        The images here are copied with the patient of the archive, so that `hilum decide` shows
        both and takes back the result that was made under the other one.
        """
        there = filed.correct
        if there is None or item.kind is not WorkitemKind.RUN:
            return LOOK_THERE
        try:
            identities = self.restate(item.study_uid, there)
        except UnreadableError:
            identities = set()
        if not identities:
            return LOOK_THERE
        # no AE title or source is called so: to follow a sender is not to follow an archive
        sender = f"{destination} (as it files them)"
        for identity in identities:
            self._note(item.study_uid, identity, sender, ["PatientID"])
        return f"{how_to_decide(item.study_uid)}; or {LOOK_THERE}"

    def restate(self, study_uid: str, patient: Dataset) -> set[str]:
        """Copy the images of a study under another patient; the keys of their identities then."""
        keys = set()
        for file in sorted(self._inbox.study_folder(study_uid).glob("*.dcm")):
            if self._records.results.called(Instance.read(file).sop_instance_uid):
                continue
            dataset = restated(file.read_bytes(), patient)
            identity = Identity.of(dataset).key
            with BytesIO() as buffer:
                dataset.save_as(buffer, enforce_file_format=True)
                self.versions.add(buffer.getvalue(), study_uid, identity, file.name)
            keys.add(identity)
        return keys

    # Following by itself --------------------------------------------------------------------------

    def look_again(self) -> None:
        """Have `turn` look for what is to be followed; from any thread."""
        self._is_news = True

    def _follow(self) -> bool:
        """Ask the gateway to take what came whole from senders that are to be followed.

        Of several corrections of one study only the newest may be: if it may not, a person decides.
        """
        asked = False
        if self._settings.mode != "follow":
            return False
        waiting = {item.study_uid for item in self._queue.values()}
        newest: dict[str, Correction] = {}
        for sent in self._records.corrections.open_ones():
            newest.setdefault(sent.study_uid, sent)
        for sent in newest.values():
            if sent.study_uid in waiting or not set(sent.senders) <= set(self._settings.senders):
                continue
            items = self._analysed(sent.study_uid)
            if not items or self.missing(sent.study_uid, sent.identity):
                continue
            if not self._records.requests.is_waiting(items[-1].id):
                self._records.requests.add(RequestAction.DECIDE, items[-1].id, sent.identity)
                asked = True
        return asked

    def missing(self, study_uid: str, identity: str) -> int:
        """How many of the analysed images of a study did not come under `identity`."""
        came = {path.name for path in self.versions.of(study_uid, identity)}
        images = [
            image for item in self._analysed(study_uid) for image in self._workitems.images(item)
        ]
        return len({image.name for image in images} - came)

    def _analysed(self, study_uid: str) -> list[Workitem]:
        items = self._records.workitems.of_study(study_uid)
        return [item for item in items if item.is_run and self.subjects.has_result(item)]

    # Before a workitem is made --------------------------------------------------------------------

    def objection(self, arrival: Arrival, selection: Selection) -> Hold | None:
        """Why the chosen images must not be analysed by themselves, if there is a reason."""
        labels = {image.path.name: image.label for image in selection.images.values()}
        if self._records.corrections.was_called(arrival.study_uid, set(labels.values())):
            return Hold(selection, f"{FORMER}: {how_to_decide(arrival.study_uid)}")
        others = self.subjects.results_of_others(labels)
        if not others:
            return None
        image = next(iter(selection.images.values()))
        identity = Identity.of(image.header).key
        self._note(arrival.study_uid, identity, "", ["StudyInstanceUID"])
        for study_uid in {item.study_uid for item in others} - {arrival.study_uid}:
            text = (
                f"its images came in study {arrival.study_uid}: {how_to_decide(arrival.study_uid)}"
            )
            self._records.events.add_once(study_uid, EventKind.CORRECTED, text)
        why = "the images were analysed before under other data"
        return Hold(selection, f"{CORRECTED}, {why}: {how_to_decide(arrival.study_uid)}")

    # Taking a correction --------------------------------------------------------------------------

    def labels_of(self, study_uid: str, identity: str) -> dict[str, str]:
        """The labels of the images that came under `identity`, by the names of their files."""
        folder = self._inbox.study_folder(study_uid)
        files = self.versions.of(study_uid, identity) or sorted(folder.glob("*.dcm"))
        images = [Instance.read(file) for file in files]
        return {i.path.name: i.label for i in images if Identity.of(i.header).key == identity}

    def take(self, study_uid: str, identity: str, labels: Mapping[str, str]) -> None:
        """Put the corrected images in the place of the present ones, whose labels are left.

        `labels` are those of the corrected ones.
        """
        images = self.versions.of(study_uid, identity)
        present = {i.name: self._inbox.study_folder(study_uid) / i.name for i in images}
        former = {name: Instance.read(path) for name, path in present.items() if path.exists()}
        left = {image.label for image in former.values()} - set(labels.values())
        self._records.corrections.leave(study_uid, left, time.time())
        self._records.corrections.take_up(study_uid, set(labels.values()))
        for image in images:
            replaced = former.get(image.name)
            key = Identity.of(replaced.header).key if replaced else ""
            self.versions.take(image, present[image.name], study_uid, key)
        self._records.corrections.dismiss(study_uid)
