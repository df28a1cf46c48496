"""Archives that commit themselves late, and one that loses what it had shown."""

import time
from datetime import datetime

from hilum.records.states import DeliveryState, EventKind
from hilum_lab.archives.behaviour import Commits, DimseBehaviour
from hilum_lab.chaos.exams import SentStudy
from hilum_lab.chaos.network import ARCHIVE_NAME, Plan
from hilum_lab.chaos.registry import fault
from hilum_lab.chaos.trial import Trial

COMMITS_AFTER = 8.0  # seconds; Hilum is back before
COMMITTING = Plan(
    "committing",
    archive={"proof": "commitment", "proof_seconds": 120},
    archive_behaviour=DimseBehaviour(commits=Commits.LATER, commits_after_seconds=COMMITS_AFTER),
)


def _until_asked(trial: Trial) -> SentStudy:
    """A study whose results the archive was asked to commit itself to."""
    study = trial.send()
    trial.until(
        lambda: trial.hilum.records.events.of_kind(study.uid, EventKind.ASKED),
        "request for commitment",
    )
    return study


def _require_committed(trial: Trial, study: SentStudy) -> None:
    trial.until(lambda: trial.is_done(study), "end of the delivery", seconds=120)
    delivery = trial.hilum.records.deliveries.one(trial.workitem(study).id, ARCHIVE_NAME)
    trial.require(delivery.state is DeliveryState.COMMITTED, f"the archive's is {delivery.state}")


@fault(
    "archive commits itself late",
    "the archive commits itself to what it took after 8 s, and Hilum is started anew meanwhile",
    plan=COMMITTING,
)
def commits_late(trial: Trial) -> None:
    study = _until_asked(trial)
    trial.hilum.kill_everything()
    trial.hilum.start()
    trial.lifted()
    _require_committed(trial, study)


@fault(
    "commitment comes when Hilum is down",
    "the archive commits itself while nothing of Hilum runs, and is asked once more",
    plan=COMMITTING,
)
def commitment_lost(trial: Trial) -> None:
    study = _until_asked(trial)
    trial.hilum.kill_everything()
    time.sleep(COMMITS_AFTER + 2)
    trial.hilum.start()
    trial.lifted()
    _require_committed(trial, study)


@fault(
    "archive restored from an older backup",
    "the archive has lost the results of two studies, and `hilum resend` brings them back",
    quick=True,
    released=True,
)
def archive_restored(trial: Trial) -> None:
    time.sleep(1.0)  # `--since` takes whole seconds: what came before this one is not meant
    since = datetime.now()
    studies = [trial.send(), trial.send()]
    trial.until(lambda: all(map(trial.is_done, studies)), "end of the deliveries")
    trial.network.archive.forget({study.uid for study in studies})
    trial.lifted()
    words = ("resend", "--to", ARCHIVE_NAME, "--since", since.isoformat())
    for _ in range(2):  # the second finds nothing to send
        ended = trial.hilum.typed(*words)
        trial.require(ended.returncode == 0, f"`hilum resend` says {ended.stdout}{ended.stderr}")
        trial.until(lambda: all(map(trial.ledger.in_archive, studies)), "results there")
    again = trial.network.archive.again
    most = max(again[r.sop_instance_uid] for s in studies for r in trial.ledger.in_archive(s))
    trial.require(most == 1, f"an object was sent again {most} times")
