"""The archives that results go to: down, slow, full, refusing, forgetful."""

import time
from collections.abc import Callable

from pydicom.uid import EncapsulatedPDFStorage

from hilum.comparison.priors import NOT_LOOKED_UP
from hilum.records.states import EventKind
from hilum.summary.remarks import NoteSummary
from hilum_lab.archives.behaviour import EVERY, DimseBehaviour
from hilum_lab.chaos import gate
from hilum_lab.chaos.exams import SentStudy
from hilum_lab.chaos.gate import Reply
from hilum_lab.chaos.network import ARCHIVE_NAME, PACS_NAME
from hilum_lab.chaos.registry import fault
from hilum_lab.chaos.trial import Trial

BACK_WITHIN = 15.0  # seconds after an archive's return in which it has the results
ALONE_WITHIN = 10.0  # seconds in which one archive has them while the other is down
PROCESSING_FAILURE, NO_SUCH_CLASS = 0x0110, 0x0122
FULL, NOT_UNDERSTOOD = 0xA700, 0xC000


def _until_tried(trial: Trial, study: SentStudy, times: int = 2) -> None:
    """Until Hilum has noted a failed attempt to deliver, and some time has gone by."""
    trial.until(
        lambda: trial.hilum.records.events.of_kind(study.uid, EventKind.DELAYED),
        "failed attempt",
    )
    time.sleep(2.0 * times)


@fault(
    "PACS down",
    "the PACS is down while a study goes through Hilum, and comes back after 10 s",
    quick=True,
    limit=BACK_WITHIN,
)
def pacs_down(trial: Trial) -> None:
    trial.network.gate.close()
    trial.wait_for(trial.send(), "written")  # the limit is that of the delivery
    time.sleep(10)
    trial.network.gate.open()
    trial.lifted()


@fault(
    "both archives down",
    "PACS and archive are down for 30 s while three studies go through",
    limit=BACK_WITHIN,
)
def both_down(trial: Trial) -> None:
    trial.network.gate.close()
    trial.network.archive.close()
    for study in [trial.send() for _ in range(3)]:
        trial.wait_for(study, "written")
    time.sleep(30)
    trial.network.gate.open()
    trial.network.archive.open()
    trial.lifted()


@fault(
    "one archive down",
    "the archive is down; the PACS has its results as soon as ever",
    quick=True,
    limit=BACK_WITHIN,
)
def one_down(trial: Trial) -> None:
    trial.network.archive.close()
    study = trial.send()
    trial.wait_for(study, "written")
    written = time.monotonic()
    trial.until(lambda: trial.ledger.in_pacs(study), "results in the PACS")
    seconds = time.monotonic() - written
    trial.require(seconds < ALONE_WITHIN, f"the PACS had to wait {seconds:.0f} s for its results")
    _until_tried(trial, study)
    trial.network.archive.open()
    trial.lifted()


@fault(
    "earlier results hang",
    "the archive never answers when it is asked for the patient's earlier exams",
)
def look_up_hangs(trial: Trial) -> None:
    archive = trial.network.archive
    archive.behaviour, before = DimseBehaviour(hangs=True), archive.asked
    study = trial.send()
    trial.until(lambda: trial.ledger.in_archive(study), "results in the archive")
    trial.require(archive.asked > before, "the archive was never asked for earlier exams")
    findings = trial.workitem(study).findings or ()
    said = [finding.text for finding in findings if isinstance(finding, NoteSummary)]
    trial.require(NOT_LOOKED_UP in said, "the result does not say that nothing was compared")
    trial.lifted()


@fault("PACS silent", "the PACS takes connections and never answers, for 20 s")
def pacs_silent(trial: Trial) -> None:
    trial.network.gate.be_silent()
    study = trial.send()
    trial.wait_for(study, "written")
    time.sleep(20)
    trial.network.gate.close()  # whoever waits is cut off, as a restart does
    trial.network.gate.open()
    trial.lifted()


@fault("PACS killed", "kill -9 of the PACS while it is being sent a result")
def pacs_killed(trial: Trial) -> None:
    def kill() -> bool:
        trial.network.pacs.kill()
        return False

    reached = trial.network.gate.at(gate.SEND, kill)
    study = trial.send()
    trial.until(reached.is_set, "sending")
    _until_tried(trial, study)
    trial.network.pacs.start()
    trial.lifted()


@fault(
    "answer lost",
    "the PACS takes a result, and the connection breaks before Hilum hears of it",
)
def answer_lost(trial: Trial) -> None:
    reached = trial.network.gate.at(gate.SENT, lambda: False)
    trial.send()
    trial.until(reached.is_set, "sending")
    trial.lifted()


def _until_sent(trial: Trial, study: SentStudy) -> None:
    """Until the archive has taken the results, and does not show them."""
    trial.until(lambda: trial.ledger.in_archive(study), "results in the archive")
    trial.until(lambda: trial.hilum.records.events.of_kind(study.uid, EventKind.ASKED), "question")


def _busy(reply: Reply) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        before = trial.network.gate.refusals
        trial.network.gate.answer(reply)
        trial.send()
        trial.until(lambda: trial.network.gate.refusals >= before + 2, "two attempts")
        trial.network.gate.open()
        trial.lifted()

    return inject


fault("PACS busy (HTTP 503)", "the PACS answers 503 to STOW-RS, twice or more")(_busy(Reply(503)))
fault(
    "PACS full (0xA700)",
    "the PACS has no room for any instance, twice or more",
)(_busy(Reply(409, FULL)))


@fault("archive full (0xA700)", "the archive has no room, and then has")
def archive_full(trial: Trial) -> None:
    trial.network.archive.behaviour = DimseBehaviour(statuses={EVERY: FULL})
    _until_tried(trial, trial.send())
    trial.network.archive.open()
    trial.lifted()


def _parked(trial: Trial, where: str, cure: str, mend: Callable[[], None]) -> None:
    """A study is parked at `where`; the reason names the `cure`; then it is released."""
    study = trial.study(state="completed")
    trial.send(study)
    trial.until(lambda: trial.state(study) == "parked", "parked workitem")
    item = trial.workitem(study)
    reason = trial.hilum.records.deliveries.one(item.id, where).reason
    trial.require(cure in reason, f"the reason does not name the cure ({cure}): {reason}")
    mend()
    trial.lifted()
    status = trial.hilum.command("release", item.id)
    trial.require(status == 0, f"`hilum release` ended with status {status}")


@fault(
    "PACS refuses the class (0x0122)",
    "the PACS does not store such results: parked with the cure, then released",
)
def pacs_refuses_class(trial: Trial) -> None:
    trial.network.gate.answer(Reply(409, NO_SUCH_CLASS))
    _parked(trial, PACS_NAME, "enable it there", trial.network.gate.open)


@fault("archive refuses (0xC000)", "the archive cannot understand a result: parked, then released")
def archive_refuses(trial: Trial) -> None:
    trial.network.archive.behaviour = DimseBehaviour(statuses={EVERY: NOT_UNDERSTOOD})
    _parked(trial, ARCHIVE_NAME, "validate the file", trial.network.archive.open)


@fault("wrong AE title", "the archive answers to another AE title: parked, then released")
def wrong_title(trial: Trial) -> None:
    trial.network.archive.open(DimseBehaviour(ae_title="OTHER"))
    _parked(trial, ARCHIVE_NAME, "correct ae_title", trial.network.archive.open)


@fault("SOP class not accepted", "the archive does not negotiate PDF: parked, then released")
def class_not_accepted(trial: Trial) -> None:
    trial.network.archive.open(DimseBehaviour(left_out=frozenset({EncapsulatedPDFStorage})))
    _parked(trial, ARCHIVE_NAME, "enable it there", trial.network.archive.open)


@fault(
    "PACS forgets",
    "the PACS answers success to STOW-RS and keeps nothing: asked for, parked, then released",
    quick=True,
    released=True,
)
def pacs_forgets(trial: Trial) -> None:
    trial.network.gate.answer(Reply(200, 0))
    _parked(trial, PACS_NAME, "`hilum release`", trial.network.gate.open)


@fault(
    "archive forgets",
    "the archive answers success to C-STORE and keeps nothing: asked for, parked, then released",
    released=True,
)
def archive_forgets(trial: Trial) -> None:
    trial.network.archive.behaviour = DimseBehaviour(keeps=False)
    _parked(trial, ARCHIVE_NAME, "`hilum release`", trial.network.archive.open)


@fault(
    "archive lags", "the archive shows what it took after 6 s, and Hilum is started anew meanwhile"
)
def archive_lags(trial: Trial) -> None:
    trial.network.archive.behaviour = DimseBehaviour(lag_seconds=6)
    study = trial.send()
    _until_sent(trial, study)
    trial.hilum.kill_everything()
    trial.hilum.start()
    trial.lifted()


@fault(
    "kill the gateway before C-STORE is answered",
    "kill -9 of the gateway when the archive has an object and has not answered yet",
)
def killed_before_answer(trial: Trial) -> None:
    trial.network.archive.behaviour = DimseBehaviour(slow_seconds=2)
    study = trial.send()
    trial.until(lambda: trial.ledger.in_archive(study), "the first object in the archive")
    trial.kill("gateway")
    trial.network.archive.behaviour = DimseBehaviour()
    trial.lifted()
