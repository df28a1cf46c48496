"""Whatever the order, the interleaving, the repeats, the lost hints and the restarts: one outcome.

A rule-based state machine over real files in an inbox, real records and the real `Flow`. The clock
and the engine are the test's: what a worker does is done step by step, so that images can come at
any moment of a run.
"""

import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydicom.dataset import Dataset

from factory import OURS, as_own_result, mr_slices
from hilum.config.site import Rule, Site
from hilum.dicom.part10 import as_file
from hilum.inbox import Inbox, Intake, digest
from hilum.module import Input
from hilum.processes.hints import Aborted, Released, hint_of
from hilum.records import Records
from hilum.records.models.workitems import Workitem
from hilum.records.states import WorkitemState
from hilum.study.arrivals import Arrivals
from hilum.study.flow import Flow

SLICES = 6
HELD = Rule(module="m", series={"SeriesDescription": "Hippo"}, give_up_seconds=20)
MARKED = Rule(
    module="m", series={"SeriesDescription": "^Hippo"}, give_up_seconds=15, incomplete="analyse"
)
RULES = (HELD, MARKED)
STUDIES = st.sampled_from(["one", "two"])
NUMBERS = st.lists(st.integers(0, SLICES - 1), min_size=1, max_size=SLICES)
ASSOCIATIONS = st.sampled_from("abc")


class Module:
    """Is given images by the rules; what it would find does not matter here."""

    name, version = "m", "1"
    needs = Input("MR", slice_spacing=(0.5, 2.0))
    run: Callable[..., Any]


class Engine:
    """A `durable.Engine` that keeps what was handed to the workers; each at most once."""

    def __init__(self) -> None:
        self.launched: dict[str, str] = {}  # workitem by workflow
        self.hastened: list[str] = []

    def enqueue(self, _queue: str, _function: Any, workflow: str, workitem: str, _: int) -> None:
        self.launched.setdefault(workflow, workitem)

    def is_over(self, _workflow: str) -> bool:
        return False

    def hasten(self, workflow: str, _priority: int) -> bool:
        self.hastened.append(workflow)
        return workflow in self.launched


class Death(BaseException):
    """The process is gone."""


class Mortal(Records):
    """Dies before a transaction when its time has come."""

    transactions_left: int | None = None

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._transact, self.database.transact = self.database.transact, self.transact

    def transact(self, work: Callable[[Any], Any]) -> Any:
        if self.transactions_left == 0:
            self.transactions_left = None
            raise Death
        if self.transactions_left is not None:
            self.transactions_left -= 1
        return self._transact(work)


@contextmanager
def gateway(**settings: Any) -> Iterator["Gateway"]:
    """A gateway with a folder, a clock and an engine of its own."""
    with tempfile.TemporaryDirectory() as folder:
        made = Gateway(Path(folder), **settings)
        try:
            yield made
        finally:
            made.flow._hints.close()
            made.records.close()


class Gateway:
    """What the process called gateway does, one turn at a time; `receive` is the receiver.

    `now` is its time, in s since 1970.
    """

    numbers = itertools.count()

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.now = 1e9
        self.engine = Engine()
        self.records = Mortal(f"sqlite:///{folder}/hilum.db")
        self.inbox = Inbox(folder)
        name = f"flow {next(self.numbers)}"
        site = Site(**{"data": folder, "rule": RULES, **settings})
        self.flow = Flow(site, self.records, {"m": Module}, self.clock, self.engine, name)
        self.flow.arrivals = Arrivals(self.inbox, self.records, OURS, self.clock)

    def clock(self) -> float:
        return self.now

    def receive(
        self, content: bytes, association: str, told: bool = True, ahead: float = 0.0
    ) -> Intake:
        """Take in a file, which a clock stamps that is so many s `ahead`."""
        stored = self.inbox.store(content)
        if stored.outcome is Intake.STORED:
            os.utime(stored.path, (self.now + ahead, self.now + ahead))
        if told:
            self.flow.arrivals.take(hint_of(stored, association, "", ""))
        return stored.outcome

    def tell(self, event: type[Released | Aborted], association: str) -> None:
        self.flow.arrivals.take(event(association))

    def wait(self, seconds: float) -> None:
        """Let time go by, with a look at the studies whenever one is due."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 0.5)
            self.flow.review()

    def restart(self) -> None:
        self.flow.arrivals = Arrivals(self.inbox, self.records, OURS, self.clock)
        self.flow.sweep()

    def analyse(self, steps: int) -> None:
        """The next `steps` that a worker takes, on the first workitems that are not done."""
        for workitem in list(self.engine.launched.values()) * 3:
            state = self.records.workitems.one(workitem).state
            if state.settled or not steps:
                continue
            steps -= 1
            if state is WorkitemState.SCHEDULED and self.flow.begin(workitem):
                self.records.moves.set_state(workitem, WorkitemState.RUNNING)
            elif state is WorkitemState.RUNNING and self.flow.turns.is_wanted(workitem):
                self.records.moves.deliver(workitem, "", [])
            elif state is WorkitemState.DELIVERING:
                self.records.moves.set_state(workitem, WorkitemState.COMPLETED)

    def items(self, study: str, rule: Rule = HELD) -> list[Workitem]:
        uid = str(slices(study)[0].StudyInstanceUID)
        return [i for i in self.records.workitems.of_study(uid) if i.rule_key == rule.key]

    def states(self, study: str, rule: Rule = HELD) -> list[tuple[str, int]]:
        """State and number of images of every workitem, oldest first."""
        items = self.items(study, rule)
        return [(item.state, len(item.inputs.get("series", ()))) for item in items]


@cache
def slices(study: str) -> list[Dataset]:
    return mr_slices(study=study, count=SLICES, shape=(4, 4))


@cache
def others(study: str) -> list[bytes]:
    """What else a study may hold: a localizer, a report, a presentation state, results of ours."""
    made = []
    for number, modality in enumerate(("MR", "SR", "PR", "OT", "MR")):
        [odd] = mr_slices(f"other {number}", study, 1, (4, 4), 1.0, "Scout", modality)
        if number >= 3:
            del odd.ImagePositionPatient
            as_own_result(odd)
        made.append(as_file(odd))
    return made


@cache
def contents(study: str) -> list[bytes]:
    return [as_file(image) for image in slices(study)]


def files(study: str, numbers: range | list[int]) -> list[str]:
    """Their names in the inbox."""
    return sorted(f"{digest(slices(study)[number].SOPInstanceUID)}.dcm" for number in numbers)


@settings(
    max_examples=8,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
class AnyOrder(RuleBasedStateMachine):
    """Two studies, three associations, and everything that can go wrong on the way."""

    @initialize()
    def begin(self) -> None:
        self.opened = gateway()
        self.gateway = self.opened.__enter__()
        self.sent: dict[str, set[int]] = {"one": set(), "two": set()}

    @rule(study=STUDIES, numbers=NUMBERS, association=ASSOCIATIONS, told=st.booleans())
    def send(self, study: str, numbers: list[int], association: str, told: bool) -> None:
        for number in numbers:
            self.gateway.now += 0.01
            outcome = self.gateway.receive(contents(study)[number], association, told)
            known = number in self.sent[study]
            assert outcome is (Intake.DUPLICATE if known else Intake.STORED)
            self.sent[study].add(number)

    @rule(study=STUDIES, number=st.integers(0, 4), association=ASSOCIATIONS)
    def send_something_else(self, study: str, number: int, association: str) -> None:
        self.gateway.receive(others(study)[number], association)

    @rule(event=st.sampled_from([Released, Aborted]), association=ASSOCIATIONS)
    def end(self, event: str, association: str) -> None:
        self.gateway.tell(event, association)

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 10.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.gateway.wait(seconds)

    @rule()
    def sweep(self) -> None:
        self.gateway.flow.sweep()

    @rule()
    def restart(self) -> None:
        self.gateway.restart()

    @rule(writes=st.integers(0, 12), seconds=st.sampled_from([1.0, 10.0, 30.0]))
    def die(self, writes: int, seconds: float) -> None:
        """Between any two lines that are written down."""
        self.gateway.records.transactions_left = writes
        try:
            self.gateway.wait(seconds)
        except Death:
            self.gateway.restart()
        self.gateway.records.transactions_left = None

    @rule(steps=st.integers(1, 6))
    def analyse(self, steps: int) -> None:
        self.gateway.analyse(steps)

    @invariant()
    def never_two_results_on_the_same_images(self) -> None:
        for study, wanted in itertools.product(self.sent, RULES):
            items = [item for item in self.gateway.items(study, wanted) if item.inputs]
            images = Counter(tuple(item.inputs["series"]) for item in items)
            assert set(images.values()) <= {1}
            assert len([item for item in items if not item.superseded_by]) <= 1
            for before, after in itertools.pairwise(items):
                assert set(before.inputs["series"]) < set(after.inputs["series"])
                assert before.superseded_by == after.id
                assert after.predecessor == before.id
            launched = list(self.gateway.engine.launched.values())
            assert all(launched.count(item.id) == 1 for item in items)

    def teardown(self) -> None:
        try:
            self.come_to_rest()
        finally:
            self.opened.__exit__(None, None, None)

    def come_to_rest(self) -> None:
        """The rest comes, nobody tells of it, senders repeat themselves, and all falls silent."""
        for study, sent in self.sent.items():
            for number in set(range(SLICES)) - sent:
                self.gateway.receive(contents(study)[number], "", told=False)
        for study, number in itertools.product(self.sent, range(SLICES)):
            self.gateway.receive(contents(study)[number], "again")
        self.gateway.tell(Released, "again")
        for _ in range(2):  # the second sweep counts our own results, which are no news
            self.gateway.flow.sweep()
            self.gateway.wait(60)
        self.gateway.analyse(1000)
        for study, wanted in itertools.product(self.sent, RULES):
            *before, final = self.gateway.items(study, wanted)
            assert list(final.inputs["series"]) == files(study, range(SLICES))
            assert final.state == WorkitemState.COMPLETED
            # what was analysed as incomplete before it proved whole is not analysed once more
            assert final.incomplete in (None, f"the association broke off after {SLICES} images")
            assert {item.state for item in before} <= {"completed", "cancelled"}
            kept = self.gateway.inbox.study_folder(final.study_uid).glob("*.dcm")
            row = self.gateway.records.studies.one(final.study_uid)
            assert row.settled_images == len(list(kept))


test_any_order = AnyOrder.TestCase


@pytest.fixture
def hall() -> Iterator[Gateway]:
    with gateway() as opened:
        yield opened


def send(
    hall: Gateway,
    numbers: Iterable[int],
    association: str = "a",
    end: type[Released | Aborted] = Released,
) -> None:
    """Some images of study "one", a tenth of a second apart."""
    for number in numbers:
        hall.now += 0.1
        hall.receive(contents("one")[number], association)
    if end:
        hall.tell(end, association)


@pytest.mark.parametrize("jump", [-36_000.0, -3_600.0, -30.0, 36_000.0])
@pytest.mark.parametrize("looks", [0, 1], ids=["before a look", "after a look"])
def test_a_clock_that_is_set_holds_up_no_study(jump: float, looks: int) -> None:
    with gateway(rule=(HELD,)) as made:
        first, *rest = contents("one")
        for image in (first, *rest[1:]):  # one is missing, so it is waited for
            made.receive(image, "a")
        made.wait(looks)
        made.now += jump
        set_at = made.now
        while not made.items("one"):
            assert made.now - set_at < 2 * HELD.give_up_seconds
            made.wait(10)


def test_files_that_a_clock_ahead_has_stamped_make_no_sender_slow() -> None:
    paces = []
    for ahead in (0.0, 60.0):
        with gateway(rule=(HELD,)) as made:
            for image in contents("one")[:3]:
                made.receive(image, "a", ahead=ahead)
                made.wait(1)
            arrival = made.flow.arrivals.as_it_is(str(slices("one")[0].StudyInstanceUID))
            assert arrival is not None
            paces.append(arrival.longest_pause)
    assert paces == [1.0, 1.0]


def test_images_that_come_after_the_study_was_held(hall: Gateway) -> None:
    send(hall, (0, 1, 4, 5))
    hall.wait(19)
    assert hall.states("one") == []
    hall.wait(5)
    assert hall.states("one") == [("held", 0)]
    send(hall, (2, 3))
    hall.wait(2)
    hall.analyse(10)
    assert hall.states("one") == hall.states("one", MARKED) == [("completed", 6)]


def test_images_that_come_after_an_incomplete_analysis(hall: Gateway) -> None:
    send(hall, range(4), end=Aborted)
    hall.wait(16)
    hall.analyse(10)
    assert hall.states("one") == []
    assert hall.states("one", MARKED) == [("completed", 4)]
    [item] = hall.items("one", MARKED)
    assert item.incomplete == "the association broke off after 4 images"
    hall.wait(10)
    assert hall.states("one") == [("held", 0)]
    send(hall, range(6), "b")
    hall.wait(5)
    hall.analyse(10)
    assert hall.states("one") == [("completed", 6)]
    assert hall.states("one", MARKED) == [("completed", 4), ("completed", 6)]
    before, after = hall.items("one", MARKED)
    assert (before.superseded_by, after.predecessor) == (after.id, before.id)
    assert after.incomplete is None


def test_images_that_come_while_a_run_is_under_way(hall: Gateway) -> None:
    send(hall, range(4))
    hall.wait(2)
    hall.analyse(2)
    assert hall.states("one") == hall.states("one", MARKED) == [("running", 4)]
    send(hall, range(4, 6), "b")
    hall.wait(8)
    assert hall.states("one") == [("running", 4)]  # after a pause more images may come
    hall.wait(2)
    hall.analyse(20)
    assert hall.states("one") == [("cancelled", 4), ("completed", 6)]


def test_the_same_study_twice(hall: Gateway) -> None:
    for association in "ab":
        send(hall, range(6), association)
        hall.wait(30)
        hall.analyse(10)
        assert hall.states("one") == [("completed", 6)]
    assert hall.flow.arrivals.due(float("inf")) == []


def test_an_association_broken_half_way_and_sent_again(hall: Gateway) -> None:
    send(hall, range(3), end=Aborted)
    hall.wait(10)
    assert hall.states("one") == hall.states("one", MARKED) == []
    send(hall, range(6), "b")
    hall.wait(2)
    hall.analyse(10)
    assert hall.states("one") == hall.states("one", MARKED) == [("completed", 6)]


def test_a_gap_that_shows_only_after_a_run_is_held(hall: Gateway) -> None:
    """The result on the first images stands; that it is not of the whole series must be seen."""
    send(hall, range(3))
    hall.wait(2)
    hall.analyse(10)
    assert hall.states("one") == [("completed", 3)]
    send(hall, range(4, 6), "b")
    hall.wait(40)
    assert hall.states("one") == [("completed", 3), ("held", 0)]


def test_own_results_that_come_back_are_counted_and_never_analysed(hall: Gateway) -> None:
    send(hall, range(3), end="")
    hall.receive(others("one")[3], "pacs")
    hall.tell(Released, "pacs")  # of another association: says nothing about the scanner's
    hall.wait(0.6)
    assert hall.states("one") == []
    send(hall, range(3, 6))
    hall.wait(30)
    hall.analyse(10)
    hall.receive(others("one")[4], "pacs")
    hall.tell(Released, "pacs")
    hall.wait(30)
    hall.flow.sweep()
    hall.wait(30)
    assert hall.states("one") == [("completed", 6)]
    [study] = hall.records.studies.latest(2)
    assert (study.images, study.settled_images) == (6, 8)


@pytest.mark.parametrize("number", range(0, 12))
def test_a_death_between_two_transactions_leaves_one_current_result(
    hall: Gateway, number: int
) -> None:
    send(hall, range(4))
    hall.wait(20)
    hall.analyse(10)
    send(hall, range(4, 6), "b")
    hall.records.transactions_left = number
    with suppress(Death):
        hall.wait(5)
    hall.restart()
    hall.wait(30)
    hall.analyse(10)
    for wanted in RULES:
        before, after = hall.items("one", wanted)
        assert (before.superseded_by, after.predecessor) == (after.id, before.id)
        assert (after.state, len(after.inputs["series"])) == ("completed", 6)


def test_an_unreadable_file_in_a_settled_study_stands_apart(hall: Gateway) -> None:
    send(hall, range(6))
    hall.wait(30)
    hall.analyse(10)
    folder = hall.inbox.study_folder(str(slices("one")[0].StudyInstanceUID))
    (folder / "odd.dcm").write_bytes(b"not DICOM")
    os.utime(folder / "odd.dcm", (0, 0))
    hall.restart()
    hall.wait(30)
    assert hall.states("one") == [("completed", 6)]
    assert [path.name for path in hall.inbox.quarantine_folder.glob("*.dcm")]
    assert not (folder / "odd.dcm").exists()


def test_what_broke_off_and_is_sent_again_is_whole(hall: Gateway) -> None:
    """Every image had arrived before the association was lost; the sender cannot know."""
    send(hall, range(SLICES), "a", Aborted)
    hall.wait(60)
    assert hall.states("one") == [("held", 0)]
    send(hall, range(SLICES), "b")
    hall.wait(30)
    assert hall.states("one") == [("scheduled", SLICES)]
