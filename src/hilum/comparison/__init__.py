"""Compares measurements with the patient's earlier results and with the norms of the site."""

from collections.abc import Iterable

from hilum.comparison import priors
from hilum.comparison.norms import compare_with_norms
from hilum.config.ends import DicomNode, End
from hilum.config.site import Site
from hilum.engine import exchange
from hilum.findings import Findings
from hilum.inbox.room import with_room
from hilum.recipients import recipients
from hilum.records import Records
from hilum.records.models.workitems import Workitem
from hilum.records.states import EventKind
from hilum.same_runs import module_of
from hilum.workitems import Workitems


class Comparison:
    """Adds the comparison to the findings of a workitem, on the disk."""

    def __init__(self, site: Site, records: Records, workitems: Workitems) -> None:
        self._site = site
        self._records = records
        self._workitems = workitems

    def of(self, item: Workitem) -> Findings:
        """The findings of a workitem, compared where the module says that they can be.

        To be called once after each run of the module, which writes its findings anew.
        """
        folder = self._workitems.result_folder(item.id)
        findings = exchange.load(folder)
        if not any(measurement.followed for measurement in findings.measurements):
            return findings
        about, module = self._workitems.patient_and_study(item), module_of(item)
        findings, problems = priors.follow_up(findings, about, module, self._archives(item))
        notes, unused = compare_with_norms(self._site.norms, module, about, findings)
        findings = Findings((*findings.items, *notes))
        for kind, texts in ((EventKind.PRIORS, problems), (EventKind.NORMS, unused)):
            for text in texts:
                self._records.events.add(item.study_uid, kind, text, item.id)
        with_room(self._site.data, lambda: exchange.save(findings, folder))
        return findings

    def _archives(self, item: Workitem) -> tuple[DicomNode, ...]:
        """The archives that are asked for earlier results: those that answer C-FIND."""
        if not self._site.priors.enabled:
            return ()
        names = self._site.priors.ask or recipients(self._site, item.rule, refused=False)
        ends: Iterable[End] = self._site.destinations(tuple(names))
        return tuple(end for end in ends if isinstance(end, DicomNode))
