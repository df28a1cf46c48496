"""The kind "json": a result as one JSON document, for programs (docs/reference/json.md).

The numbers are those of the measurement report, with the same codes and units.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.sr.coding import Code

from hilum.config.events import EventWishes
from hilum.dicom.dates import day_of
from hilum.dicom.header import text_of
from hilum.dicom.identity import Identity
from hilum.dicom.uids import derived_uid
from hilum.findings import Classification
from hilum.objects.analysis import Analysis
from hilum.objects.assessed import ReaderWord
from hilum.objects.kinds import Writing
from hilum.objects.report import NOT_FOR_DIAGNOSIS, Report
from hilum.objects.stated import StatedGroup, StatedNumber, StatedReport
from hilum.result_event import (
    VERSION,
    CodedConcept,
    ReportedAssessment,
    ReportedGroup,
    ReportedModule,
    ReportedNumber,
    ReportedOutcome,
    ReportedRefusal,
    ReportedResult,
    ReportedSeries,
    ResultEvent,
    decoded,
    encoded,
)
from hilum.results import JSON


class JsonResult:
    """One document for each result, one that takes results back, and one that tells of readers."""

    media_type = JSON
    refers_to: tuple[str, ...] = ()

    def write(self, writing: Writing) -> list[bytes]:
        return [encoded(_Told.of(writing).event())]

    def write_withdrawal(self, writing: Writing, identities: Sequence[str], reason: str) -> bytes:
        return encoded(_Told.of(writing).event(tuple(identities), reason))

    def write_assessment(
        self, writing: Writing, identities: Sequence[str], word: ReaderWord
    ) -> bytes:
        files = {file.identity: file.content for file in writing.analysis.replaced}
        told = decoded(files[identities[0]]).data
        return encoded(_Told.of(writing).assessed(tuple(identities), word, told))


@dataclass(frozen=True)
class _Told:
    """One analysis as a receiver is told it."""

    report: Report
    identified: bool

    @classmethod
    def of(cls, writing: Writing) -> "_Told":
        return cls(writing.report, EventWishes.model_validate(writing.wishes).identified)

    @property
    def analysis(self) -> Analysis:
        return self.report.analysis

    def event(self, takes_back: tuple[str, ...] = (), reason: str = "") -> ResultEvent:
        return ResultEvent(
            type="result.withdrawn" if takes_back else "result.made",
            timestamp=self.analysis.created,
            version=VERSION,
            notice=NOT_FOR_DIAGNOSIS,
            takes_back=takes_back,
            reason=self._text(reason),
            data=self._result(),
        )

    def assessed(
        self, identities: tuple[str, ...], word: ReaderWord, told: ReportedResult
    ) -> ResultEvent:
        """The event for the `word` of a reader on what was `told` as the messages `identities`."""
        before = word.before[0] if word.before else None
        reader = word.reader if self.identified else self._name("reader", word.key)
        return ResultEvent(
            type="result.assessed",
            timestamp=word.at,
            version=VERSION,
            notice=NOT_FOR_DIAGNOSIS,
            takes_back=(),
            reason=self._text(word.reason),
            data=told,
            assessment=ReportedAssessment(word.decision, identities, reader, before),
        )

    def _result(self) -> ReportedResult:
        findings = self.analysis.findings
        stated = self.analysis.patient_and_study
        whose = Identity.of(stated)
        day = day_of(text_of(stated, "StudyDate"))
        urgencies = tuple(urgency.text for urgency in self.report.urgencies)
        remarks = tuple(note.text for note in findings.notes)
        patient, issuer = (text_of(stated, k).strip() for k in ("PatientID", "IssuerOfPatientID"))
        result = ("result", self.analysis.study.uid, self.analysis.module.name, whose.key)
        return ReportedResult(
            identified=self.identified,
            result=derived_uid(*result) if self.identified else self._name(*result),
            # by what `hilum export` has it, so that both give a patient the same pseudonym
            patient=self._name("patient", patient, issuer),
            patient_issuer=self._text(issuer),
            study=self._name("study", self.analysis.study.uid),
            accession_number=self._text(text_of(stated, "AccessionNumber").strip()),
            study_date=self._text(f"{day:%Y%m%d}" if day else ""),
            study_year=day.year if day else None,
            module=_module(self.analysis),
            series=tuple(
                ReportedSeries(self._name("series", one.uid), one.modality, len(one.instances))
                for one in self.analysis.all_series
            ),
            replaces_earlier=bool(self.analysis.predecessor or self.analysis.replaced),
            incomplete=self.analysis.incomplete is not None,
            low_confidence=any(note.caution for note in findings.notes),
            urgent=bool(urgencies),
            urgencies=urgencies if self.identified else (),
            refusal=self._refusal(),
            groups=tuple(self._group(group) for group in StatedReport.of(self.report).numbered),
            outcomes=tuple(self._outcome(one) for one in findings.classifications),
            remarks=remarks if self.identified else (),
        )

    def _name(self, kind: str, first: str, *more: str) -> str | None:
        """`first`, or its pseudonym; None where there is none, or no key to make it with."""
        if self.identified:
            return first or None
        pseudonyms = self.analysis.pseudonyms
        return pseudonyms().of(kind, first, *more) or None if pseudonyms else None

    def _text(self, text: str) -> str | None:
        """`text`, for whom it is: it may name a patient."""
        return text or None if self.identified else None

    def _refusal(self) -> ReportedRefusal | None:
        refusal = self.analysis.findings.refusal
        return ReportedRefusal(refusal.code, self._text(refusal.sentence)) if refusal else None

    def _group(self, group: StatedGroup) -> ReportedGroup:
        site = group.site
        return ReportedGroup(
            group.label,
            _concept(group.finding),
            _concept(site.side if site else None),
            _concept(site.modifier if site else None),
            self._name("image", group.image),
            tuple(map(_number, group.numbers)),
        )

    def _outcome(self, classification: Classification) -> ReportedOutcome:
        image = self._name("image", classification.image or "")
        if classification.outcome is None:
            return ReportedOutcome(None, None, image)
        return ReportedOutcome(
            classification.outcome.label, _concept(classification.outcome.code), image
        )


def _module(analysis: Analysis) -> ReportedModule:
    module = analysis.module
    return ReportedModule(
        module.name, module.version, module.title, module.weights_sha256, module.device_uid
    )


def _number(number: StatedNumber) -> ReportedNumber:
    what = CodedConcept(number.code.value, number.code.scheme_designator, number.code.meaning)
    return ReportedNumber(what, number.value, number.unit.value, number.uncertainty)


def _concept(code: Code | None) -> CodedConcept | None:
    return CodedConcept(code.value, code.scheme_designator, code.meaning) if code else None
