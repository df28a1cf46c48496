"""What is compared with the images that are here, without a service."""

from pathlib import Path

from factory import mr_slices, write
from hilum.config import parse
from hilum.dicom.doubt import CORRECTED
from hilum.inbox import OTHER_CONTENT, Inbox, Intake, quarantined_in
from hilum.patients.corrections import Corrections
from hilum.processes.hints import Quarantined
from hilum.records import Records
from hilum.study.workitems import Workitems
from tests.patience import until


def test_an_object_that_is_gone_does_not_stop_the_others(tmp_path: Path) -> None:
    data = tmp_path / "data"
    site, inbox = parse({"data": data}), Inbox(data)
    records = Records(f"sqlite:///{data}/hilum.db")
    corrections = Corrections(site, records, inbox, Workitems(records, inbox, data, {}, {}))
    image = mr_slices(count=1)[0]
    assert inbox.store(write([image], tmp_path)[0].read_bytes()).outcome is Intake.STORED
    image.PatientID = "somebody else"
    corrected = inbox.store(write([image], tmp_path)[0].read_bytes())
    assert corrected.reason == OTHER_CONTENT

    for path in (inbox.quarantine_folder / "gone.dcm", corrected.path):
        corrections.add(Quarantined(path, study=str(image.StudyInstanceUID)))

    def judged() -> bool:
        corrections.turn()
        return quarantined_in(data, 1)[1][0].reason != OTHER_CONTENT

    until(judged, "the judgement")
    assert quarantined_in(data, 1)[1][0].reason.startswith(CORRECTED)
