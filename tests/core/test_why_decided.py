"""What the gateway notes of a study for `hilum why`: what it waits for; why no rule takes it."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from factory import OURS, mr_slices, write
from hilum.config import parse
from hilum.dicom.series import Series
from hilum.module import Input
from hilum.records import Records
from hilum.study.arrivals import Arrivals
from hilum.study.flow import Flow
from hilum.why.explanation import Cause, Explanation
from hilum.why.question import explain

numbers = itertools.count()


class Module:
    """Is never run here."""

    name, version = "m", "1"
    needs = Input("MR", slice_spacing=(0.5, 2.0))
    run: Callable[..., Any]


class Odd(Input):
    """What a module needs, with an error in it."""

    def candidates(self, series: Series, resample: bool = False) -> Any:
        raise TypeError("Marker")


class OddModule(Module):
    needs = Odd("MR")


class Engine:
    """Keeps nothing: no worker is there."""

    def enqueue(self, *_: object) -> None:
        pass

    def is_over(self, _workflow: str) -> bool:
        return False

    def hasten(self, _workflow: str, _priority: int) -> bool:
        return False


class Clock:
    """The time, in s since 1970, as a test wants it."""

    def __init__(self, folder: Path) -> None:
        self.now = max(path.stat().st_mtime for path in folder.rglob("*.dcm"))

    def __call__(self) -> float:
        return self.now


@contextmanager
def gateway(
    folder: Path, rule: dict[str, object], module: type[Module] = Module, **image: object
) -> Iterator[Callable[[float], Explanation]]:
    """Gives what is said of a study of three images so many seconds after the last one."""
    site = parse({"data": str(folder), "rule": [{"module": "m", **rule}]})
    with closing(Records(f"sqlite:///{folder}/hilum.db")) as records:
        flow = Flow(site, records, {"m": module}, engine=Engine(), name=f"why {next(numbers)}")  # type: ignore[arg-type]
        images = mr_slices(count=3, shape=(4, 4))
        for one in images:
            for keyword, value in image.items():
                setattr(one, keyword, value)
        for path in write(images, folder / "scan"):
            flow.inbox.store(path.read_bytes())
        flow.clock = clock = Clock(folder / "incoming")
        flow.arrivals = Arrivals(flow.inbox, records, OURS, clock)
        flow.arrivals.sweep()
        begin = clock.now

        def after(seconds: float) -> Explanation:
            clock.now = begin + seconds
            flow.review()
            return explain(site, records, images[0].StudyInstanceUID, clock.now)

        try:
            yield after
        finally:
            flow._hints.close()


def test_what_a_study_waits_for(tmp_path: Path) -> None:
    with gateway(tmp_path, {"quiet_seconds": 20}) as after:
        said = after(3)
        assert (said.cause, said.evidence[0][:16]) == (Cause.WAITING, "3 images so far,")
        text = "More images are waited for: 3 images, silent for 3 of 20 s."
        assert said.sentence == text
        assert after(21).cause is Cause.QUEUED


def test_a_series_that_is_meant_is_told_before_one_that_may_come(tmp_path: Path) -> None:
    announced = {"NumberOfSeriesRelatedInstances": 5}
    with gateway(tmp_path, {"give_up_seconds": 60}, **announced) as after:
        said = after(3)
        assert said.sentence.endswith("3 of 5 images the series is to have, silent for 3 of 60 s.")
        assert after(61).cause is Cause.SHORT


def test_why_no_rule_takes_it(tmp_path: Path) -> None:
    conditions = {"StudyDescription": "^brain", "PatientSex": "F|O", "StudyID": "^7"}
    with gateway(tmp_path, {"study": conditions}, StudyDescription="Marker") as after:
        assert after(1).cause is Cause.WAITING
        said = after(9)
        assert (said.cause, said.sentence) == (
            Cause.NO_RULE,
            "No rule takes the study; the nearest is that of m: StudyDescription does not match, "
            "the rule asks for '^brain'; StudyID does not match, the rule asks for '^7'.",
        )


def test_what_is_empty_is_told_as_empty(tmp_path: Path) -> None:
    with gateway(tmp_path, {"study": {"StudyDescription": "^brain"}}) as after:
        assert "StudyDescription is empty, the rule asks for '^brain'" in after(9).sentence


def test_a_study_that_cannot_be_judged(tmp_path: Path) -> None:
    with gateway(tmp_path, {}, OddModule) as after:
        said = after(9)
        assert said.cause is Cause.UNJUDGED
        assert said.sentence.startswith("The study cannot be judged: TypeError in test_why_decided")
        assert "Marker" not in repr(said)
        assert said.cures[0].command.startswith("hilum trace ")
