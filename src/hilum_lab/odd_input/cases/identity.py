"""Whose images they are."""

from typing import Any

from hilum.offline.report import ReportState
from hilum_lab.odd_input.case import CaseGroup, received, refused
from hilum_lab.odd_input.classic import CaseFiles, Maker, changed
from hilum_lab.odd_input.phantom import CORONAL, planes

GROUP = CaseGroup("Whose images they are")
OTHER: dict[str, Any] = {
    "PatientID": "LAB-2",
    "PatientName": "Other^Person",
    "PatientBirthDate": "19501231",
}


def half(**attributes: Any) -> Any:
    """A regular series, every second image of it changed."""

    def make(maker: Maker) -> CaseFiles:
        exam = maker.exam()
        for dataset in exam.datasets[::2]:
            changed(dataset, **attributes)
        return exam

    return make


GROUP.add(
    "two patients in one series", half(**OTHER), refused(r"(?i)patient", state=ReportState.HELD)
)
GROUP.add(
    "two issuers of the PatientID in one series",
    half(IssuerOfPatientID="ELSEWHERE"),
    received(),
)
GROUP.add("empty PatientID in every second image", half(PatientID=""), received())
GROUP.add(
    "empty PatientID, name and birth date of another person",
    half(**(OTHER | {"PatientID": ""})),
    refused(r"(?i)patient", state=ReportState.HELD),
)
GROUP.add(
    "no patient in any image",
    lambda maker: maker.exam(PatientID="", PatientName="", PatientBirthDate=""),
    received(),
)
GROUP.add(
    "no patient in every second image",
    half(PatientID="", PatientName="", PatientBirthDate=""),
    refused(r"(?i)patient", state=ReportState.HELD),
)
GROUP.add("another birth date in every second image", half(PatientBirthDate="19501231"), received())


@GROUP.case("scouts of another patient in the study", received(12, r"(?i)patient"))
def _(maker: Maker) -> CaseFiles:
    exam = maker.exam()
    for number in (1, 2):
        (plane,) = planes(1, orientation=CORONAL)
        scout = maker.image(plane, number, SeriesInstanceUID=maker.uid("scout", number), **OTHER)
        exam.add(scout)
    return exam
