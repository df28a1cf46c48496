"""One running Hilum delivers to all odd archives; then every cure is applied."""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hilum.errors import HilumError
from hilum.offline.reading import Progress, untold
from hilum.records import Records
from hilum.records.states import DeliveryState
from hilum.transport import sender
from hilum_lab.chaos.gateway import RunningHilum
from hilum_lab.network.processes import LOOPBACK, available_port
from hilum_lab.odd_archives.case import Act, ArchiveCase, Cure
from hilum_lab.odd_archives.cases.web import TOKEN
from hilum_lab.odd_archives.place import MODULE, CaseOutcome, OddArchive
from hilum_lab.package import write_package

REST_SECONDS = 180.0  # longest wait until nothing goes on by itself
POLL_SECONDS = 0.5
AE_TITLE = "HIPPOAI"
OTHER_PATIENT = re.compile(r"^\s*(\w+) +sent by", re.M)  # as `hilum decide` shows it


@dataclass(frozen=True)
class TriedArchive:
    """What came of a case, before and after its cure."""

    case: ArchiveCase
    before: CaseOutcome
    after: CaseOutcome | None

    @property
    def wrong(self) -> str:
        """What is not right, or ""."""
        case, cure = self.case, self.case.cure
        found = list(_wrong(self.before, case.state, case.sent))
        if self.before.again:
            found.append(f"an object came {self.before.again} times after it was accepted")
        if cure and cure.words not in self.before.text:
            found.append(f"the cure is not said: {cure.words}")
        if cure and self.after:
            found += [
                f"after the cure: {text}" for text in _wrong(self.after, cure.state, cure.sent)
            ]
        return "; ".join(found)


def _wrong(outcome: CaseOutcome, state: DeliveryState, sent: int | None) -> list[str]:
    found = []
    if outcome.state is not state:
        found.append(f"it is {outcome.state}, not {state}")
    if sent not in (None, outcome.sent):
        found.append(f"sent {outcome.sent} times, not {sent}")
    return found


def run(
    cases: Sequence[ArchiveCase], work: Path, progress: Progress = untold
) -> list[TriedArchive]:
    """One row for each case, in their order; files are made in the empty folder `work`."""
    receiver, console = available_port(), available_port()
    archives = [OddArchive(c, n, work, receiver) for n, c in enumerate(cases, start=1)]
    archives[0].keep_token(TOKEN)
    packages = work / "packages"
    write_package(packages, MODULE, {MODULE: "hilum_lab.chaos.moody:Moody"})

    def hilum_with(cured: bool) -> RunningHilum:
        return RunningHilum(work, _site(archives, receiver, console, cured), packages)

    with ExitStack() as stack:
        for number, archive in enumerate(archives, start=1):
            stack.callback(archive.archive.close)
            archive.prepare()
            progress("opening archives", number, len(archives))
        before = _delivered(hilum_with(cured=False), archives, progress)
        after = _cured(hilum_with(cured=True), archives, progress)
    return [
        TriedArchive(archive.case, one, after.get(archive.name))
        for archive, one in zip(archives, before, strict=True)
    ]


def _delivered(
    hilum: RunningHilum, archives: Sequence[OddArchive], progress: Progress
) -> list[CaseOutcome]:
    """What becomes of a result for each archive; a person then decides what is to be decided."""
    try:
        hilum.start()
        for number, archive in enumerate(archives, start=1):
            files = sender.dicom_files(archive.folder)
            report = sender.send(files, (AE_TITLE, LOOPBACK, hilum.site.receiver.port))
            if report.failed:
                raise HilumError(f"Hilum did not take the images: {report}")
            progress("sending", number, len(archives))
        _wait(archives, lambda one: one.is_at_rest(hilum.records), "delivering", progress)
        outcomes = [archive.outcome(hilum.records) for archive in archives]
        for archive in archives:
            if archive.case.cure:
                _change(archive, archive.case.cure)
            if archive.case.cure and archive.case.cure.act is Act.DECIDE:
                _decide(hilum, archive)
        return outcomes
    finally:
        hilum.stop()


def _change(archive: OddArchive, cure: Cure) -> None:
    """Change the archive as a cure has it."""
    if cure.behaviour:
        archive.open(cure.behaviour)
    if cure.corrects:
        archive.correct()


def _decide(hilum: RunningHilum, archive: OddArchive) -> None:
    """Decide for the patient of the archive, as the words say."""
    shown = hilum.typed("decide", archive.study_uid).stdout
    if number := OTHER_PATIENT.search(shown):
        hilum.typed("decide", archive.study_uid, "--patient", number[1])


def _cured(
    hilum: RunningHilum, archives: Sequence[OddArchive], progress: Progress
) -> dict[str, CaseOutcome]:
    """How the deliveries of the cases with a cure stand after it, by the name of the archive."""
    cured = {one.name: one for one in archives if one.case.cure}
    if not cured:
        return {}
    try:
        hilum.start()
        if any(one.case.cure.act is Act.RELEASE for one in cured.values() if one.case.cure):
            hilum.typed("release")
        _wait(list(cured.values()), lambda one: _is_well(one, hilum.records), "curing", progress)
        return {name: one.outcome(hilum.records) for name, one in cured.items()}
    finally:
        hilum.stop()


def _is_well(archive: OddArchive, records: Records) -> bool:
    delivery, cure = archive.delivery(records), archive.case.cure
    assert cure
    if delivery is None or delivery.state is DeliveryState.DELAYED:
        return False
    return delivery.state is cure.state or (
        cure.act is not Act.DECIDE and archive.is_at_rest(records)
    )


def _wait(
    archives: Sequence[OddArchive],
    is_done: Callable[[OddArchive], bool],
    what: str,
    progress: Progress,
) -> None:
    """Until all are done; what is not done in time is seen in its outcome."""
    deadline = time.monotonic() + REST_SECONDS
    rest = list(archives)
    while rest and time.monotonic() < deadline:
        rest = [one for one in rest if not is_done(one)]
        progress(what, len(archives) - len(rest), len(archives))
        time.sleep(POLL_SECONDS)


def _site(
    archives: Sequence[OddArchive], receiver: int, console: int, cured: bool
) -> dict[str, object]:
    return {
        "receiver": {"port": receiver, "low_water_mb": 0},
        "console": {"port": console},
        "worker": {"threads": 1},
        "priors": {"enabled": False},
        "destination": [one.destination(one.case.cure if cured else None) for one in archives],
        "rule": [one.rule() for one in archives],
    }
