"""What senders do: late images, repetitions, several at once, shuffled, broken off."""

import random
from contextlib import suppress

import httpx

from hilum.errors import DeliveryDelayed, DeliveryError
from hilum_lab.chaos.exams import SentStudy
from hilum_lab.chaos.network import Plan
from hilum_lab.chaos.registry import fault
from hilum_lab.chaos.trial import Trial
from hilum_lab.network.orthanc import ANSWER_SECONDS

GIVE_UP_SECONDS = 6.0
PATIENT = Plan("patient", rule={"quiet_seconds": 5.0})  # a stall is not the end of a series
HOLDS = Plan("holds", rule={"give_up_seconds": GIVE_UP_SECONDS}, watched=False)
ANALYSES = Plan(
    "analyses",
    rule={"give_up_seconds": GIVE_UP_SECONDS, "incomplete": "analyse"},
    watched=False,
)


@fault(
    "last images late",
    "the end of a series comes after its result: one result more, which names the first",
    quick=True,
    plan=PATIENT,
)
def late_images(trial: Trial) -> None:
    study = trial.study()
    first, second = study.files[: study.most], study.files[study.most :]
    trial.send_files(first, "hilum")
    trial.until(lambda: trial.is_done(study), "first result")
    few = trial.ledger.in_pacs(study)
    trial.send_files(second, "hilum")
    trial.lifted()
    trial.until(lambda: not trial.open_points(), "result of the whole", trial.fault.limit)
    results = trial.ledger.in_pacs(study)
    new = [r for r in results if r.images == study.target]
    named = frozenset[str]().union(*(result.replaces for result in new))
    trial.require(
        {result.sop_instance_uid for result in few} & named,
        "the new result does not name the one it replaces",
    )
    sets = len({result.images for result in results})
    trial.require(sets == 2, f"results on {sets} sets of images instead of two")


@fault("the same study twice", "every image is sent a second time after the result")
def the_same_study_twice(trial: Trial) -> None:
    study = trial.send(to="hilum")
    trial.until(lambda: trial.is_done(study), "result")
    study.accepted.clear()
    trial.send(study, to="hilum")
    trial.lifted()


@fault("two senders at once", "two associations send one half of a study each, at the same time")
def two_senders(trial: Trial) -> None:
    study = trial.study()
    with trial.meanwhile(lambda: trial.send_files(study.files[::2], "hilum")):
        trial.send_files(study.files[1::2], "hilum")
    trial.lifted()


@fault(
    "shuffled and interleaved",
    "two studies in one association, all images in random order",
)
def shuffled(trial: Trial) -> None:
    files = [path for study in (trial.study(), trial.study()) for path in study.files]
    random.Random(4).shuffle(files)
    trial.send_files(files, "hilum")
    trial.lifted()


@fault("association broken", "the sender aborts within a series and sends it all again")
def association_broken(trial: Trial) -> None:
    study = trial.study()
    _break_off(trial, study)
    trial.send(study, to="hilum")
    trial.lifted()


@fault(
    "broken off for good, hold",
    "the association breaks within a series, the rest never comes: held, no result",
    plan=HOLDS,
)
def held(trial: Trial) -> None:
    _break_off(trial, trial.study(results=False, state="held"))
    trial.lifted()


@fault(
    "broken off for good, analyse",
    'the same with incomplete = "analyse": a result that says INCOMPLETE',
    plan=ANALYSES,
)
def analysed(trial: Trial) -> None:
    study = trial.study(images=set())
    _break_off(trial, study)
    trial.expected[-1].images = study.analysable
    trial.lifted()
    trial.until(lambda: trial.ledger.in_pacs(study) and trial.is_done(study), "result")
    trial.require(_says(trial, study, "INCOMPLETE"), "no result in the PACS says INCOMPLETE")


def _break_off(trial: Trial, study: SentStudy) -> None:
    """Abort the association (PS3.8 7.3) before the end of the target series."""
    sending = trial.association(study.files, "hilum")
    for _ in range(study.most):
        next(sending)
    with suppress(DeliveryError):
        sending.throw(DeliveryDelayed("the sender is switched off"))


def _says(trial: Trial, study: SentStudy, word: str) -> bool:
    """Whether a result in the PACS has `word` in any attribute."""
    query = {"Level": "Instance", "Query": {"StudyInstanceUID": study.uid}}
    pacs = trial.network.pacs.url
    keys = httpx.post(f"{pacs}/tools/find", json=query, timeout=ANSWER_SECONDS).json()
    urls = (f"{pacs}/instances/{key}/simplified-tags" for key in keys)
    return any(word in httpx.get(url, timeout=ANSWER_SECONDS).text for url in urls)
