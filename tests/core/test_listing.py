"""The line of a study says the worst that stands, and why; and it follows every change."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from factory import a_delivery, a_study, a_workitem, put
from hilum.records import Records, listing, tables
from hilum.records.listing import Standing, StudyFacts, standing_of
from hilum.records.models.deliveries import Delivery
from hilum.records.models.patients import Correction
from hilum.records.models.studies import Removal
from hilum.records.models.workitems import Workitem, WorkitemOutline
from hilum.records.states import (
    PARKED,
    DeliveryState,
    EventKind,
    StudyState,
    WorkitemKind,
    WorkitemState,
)
from hilum.study.verdict import Verdict
from hilum.summary.numbers import ClassificationSummary, MeasurementSummary
from hilum.summary.remarks import NoteSummary, RefusalSummary, UrgencySummary
from tests.drawn import examples
from tests.patience import PATIENCE

RUN, NOT_RUN, NOTE = WorkitemKind.RUN, WorkitemKind.NOT_RUN, WorkitemKind.WITHDRAWAL
VOLUME = MeasurementSummary("Volume", 3.384, "ml", "Left hippocampus")


def outline(state: WorkitemState, **values: Any) -> WorkitemOutline:
    item = replace(a_workitem(), state=state, **values)
    names = WorkitemOutline.__dataclass_fields__
    return WorkitemOutline(**{name: getattr(item, name) for name in names})


def standing(
    *items: WorkitemOutline, deliveries: tuple[Delivery, ...] = (), **about: Any
) -> Standing:
    facts = {"settled": True, "removed": False, "corrected": False, **about}
    return standing_of(StudyFacts(**facts, items=items, deliveries=deliveries))


def verdict(description: str, reason: str, **values: bool) -> Verdict:
    return replace(Verdict("series", "1.2", description, 5, False, (reason, "and more")), **values)


def not_applicable(*verdicts: Verdict, module: str = "m", reason: str = "why") -> WorkitemOutline:
    about = {"kind": NOT_RUN, "module": module, "reason": reason, "verdicts": verdicts}
    return outline(WorkitemState.NOT_APPLICABLE, **about)


def test_the_worst_state_of_all_workitems_is_that_of_the_study() -> None:
    states = list(WorkitemState)
    for one in states:
        for other in states:
            of_two = standing(
                outline(one, verdicts=(verdict("T1", "x"),)),
                outline(other, id="2", verdicts=(verdict("T1", "x"),)),
            )
            worst = min((one, other), key=lambda state: list(StudyState).index(StudyState(state)))
            assert of_two.state is StudyState(worst)
            assert of_two.states == {StudyState(one), StudyState(other)}


def test_every_state_of_a_workitem_is_one_of_a_study() -> None:
    assert {state.value for state in WorkitemState} <= {state.value for state in StudyState}
    assert [s.urgency for s in StudyState] == sorted((s.urgency for s in StudyState), reverse=True)
    assert min(state.urgency for state in StudyState) == 1  # 0 is not read yet


def test_a_module_that_takes_no_such_modality_is_passed_over() -> None:
    chest = not_applicable(
        verdict("Head CT", "modality is CT, module needs DX", fits_modality=False, is_named=False),
        module="chest",
        reason="no matching series",
    )
    thick = not_applicable(verdict("T1", "slice thickness 6.5 mm, module needs 0.4 to 3 mm"))
    said = standing(chest, thick)
    assert said.reason == "T1: slice thickness 6.5 mm, module needs 0.4 to 3 mm"
    assert (said.modules, said.passed_over) == (set(), {"chest", "m"})
    alone = standing(chest)
    assert (alone.state, alone.reason) == (StudyState.NOT_APPLICABLE, "no matching series")
    done = outline(WorkitemState.COMPLETED, findings=(VOLUME,))
    both = standing(chest, done)
    assert both.state is StudyState.COMPLETED
    assert (both.modules, both.passed_over) == ({done.module}, {"chest"})


def test_the_first_true_objection_is_that_against_the_series_that_is_meant() -> None:
    other = verdict("Localizer", "SeriesDescription is 'Localizer'", is_named=False)
    foreign = verdict("Scan", "modality is SC", is_named=False, fits_modality=False)
    meant = verdict("T1", "3 slices are missing inside")
    assert standing(not_applicable(foreign, other, meant)).reason.startswith("T1: 3 slices")
    assert standing(not_applicable(foreign, other)).reason.startswith("Localizer: SeriesDes")


@pytest.mark.parametrize(
    ("findings", "reason"),
    [
        ((VOLUME, NoteSummary("A remark.")), "Left hippocampus, volume: 3.38 mL"),
        ((RefusalSummary("c", "It is a lateral film."),), "refused: It is a lateral film."),
        ((ClassificationSummary("pneumonia", "Pneumonia is likely."),), "Pneumonia is likely."),
        ((), "verified in pacs"),
    ],
)
def test_a_result_is_said_in_words(findings: tuple[Any, ...], reason: str) -> None:
    item = outline(WorkitemState.COMPLETED, reason="verified in pacs", findings=findings)
    assert standing(item).reason == reason


def test_cautions_are_seen() -> None:
    notes = (NoteSummary("Low confidence: motion.", caution=True), NoteSummary("A remark."))
    short = "112 of 120 images"
    item = outline(WorkitemState.COMPLETED, findings=(VOLUME, *notes), incomplete=short)
    assert standing(item).caution == "incomplete: 112 of 120 images; Low confidence: motion."


def test_a_destination_counts_once_everything_there_is_proven() -> None:
    items = [outline(WorkitemState.DELIVERING, id=name) for name in ("1", "2")]
    deliveries = (
        a_delivery("1", "pacs", state=DeliveryState.VERIFIED),
        a_delivery("2", "pacs", state=DeliveryState.COMMITTED),
        a_delivery("1", "pacs2", state=DeliveryState.VERIFIED),
        a_delivery("2", "pacs2", state=DeliveryState.ACCEPTED),
        a_delivery("1", "pacs3", state=DeliveryState.CANCELLED),
        a_delivery("2", "pacs3", state=DeliveryState.VERIFIED),
    )
    said = standing(*items, deliveries=deliveries)
    assert (said.shown, said.destinations) == (1, 3)


def test_what_a_destination_says_is_the_reason_where_something_is_parked() -> None:
    refused = a_delivery("1", "pacs2", state=DeliveryState.REFUSED, reason="it takes no SEG")
    item = outline(WorkitemState.PARKED, id="1", reason="pacs2 (refused)")
    assert standing(item, deliveries=(refused,)).reason == "pacs2: it takes no SEG"


def test_a_note_that_has_arrived_does_not_hide_that_a_result_was_taken_back() -> None:
    taken_back = outline(WorkitemState.WITHDRAWN, reason="taken back by note 2")
    note = outline(WorkitemState.COMPLETED, id="2", kind=NOTE)
    assert standing(taken_back, note).state is StudyState.WITHDRAWN
    parked = replace(note, state=WorkitemState.PARKED)
    assert standing(taken_back, parked).state is StudyState.PARKED


def test_a_study_without_workitems() -> None:
    assert standing(settled=False).state is StudyState.RECEIVING
    nearest = standing(reason="m: Modality is 'MR', the rule asks for 'CT'")
    assert (
        nearest.reason == "the nearest rule is that of m: Modality is 'MR', the rule asks for 'CT'"
    )
    assert standing().state is StudyState.NO_RULE
    assert standing(settled=False, removed=True).state is StudyState.NO_RULE
    assert standing(settled=False, corrected=True).state is StudyState.HELD


def test_while_a_rule_waits_no_other_says_that_nothing_is_applicable() -> None:
    waits = {"settled": False, "reason": "T1: 2 slices missing", "patience": 120.0}
    for no_use in (verdict("T1", "modality is MR"), verdict("T1", "too thick", fits_modality=True)):
        said = standing(not_applicable(no_use), **waits)
        assert said.state is StudyState.RECEIVING
        assert said.reason == "more images are waited for: T1: 2 slices missing"
    done = standing(outline(WorkitemState.COMPLETED), not_applicable(no_use), **waits)
    assert done.state is StudyState.COMPLETED
    cannot = standing(settled=False, reason="cannot be judged yet: m is not installed")
    assert cannot.reason == "the study cannot be judged yet: m is not installed"


# It follows every change --------------------------------------------------------------------------

STUDY = "1.2"
REACHED_ALONE = st.sampled_from([s for s in WorkitemState if s in list(EventKind)])
NAMES = st.sampled_from(["w0", "w1"])
PACS = st.sampled_from(["pacs", "pacs2"])
Act = Callable[[Records], object]


def item_called(name: str, **values: Any) -> Workitem:
    return a_workitem(id=name, study_uid=STUDY, **values)


def owed(name: str, destination: str) -> Delivery:
    return a_delivery(name, destination)


def withdraw(records: Records, name: str, destination: str) -> None:
    note = item_called(f"note of {name}", kind=NOTE, state=WorkitemState.DELIVERING)
    records.moves.withdraw(item_called(name), note, [owed(note.id, destination)])


acts = st.one_of(
    st.builds(
        lambda name, before: (
            lambda r: r.workitems.schedule(item_called(name, predecessor=before), [], f"not {name}")
        ),
        NAMES,
        NAMES | st.none(),
    ),
    st.builds(
        lambda name, state: (
            lambda r: r.workitems.note_not_run(
                item_called(f"not {name}", kind=NOT_RUN, state=state, reason="why"), []
            )
        ),
        NAMES,
        st.sampled_from([WorkitemState.HELD, WorkitemState.NOT_APPLICABLE]),
    ),
    st.builds(lambda name: lambda r: r.workitems.remove(f"not {name}"), NAMES),
    st.builds(
        lambda name: lambda r: r.workitems.note_findings(item_called(name), (VOLUME,), "x"), NAMES
    ),
    st.builds(
        lambda name: (
            lambda r: r.workitems.note_failure(
                item_called(name), (RefusalSummary("c", "no"),), "it raised"
            )
        ),
        NAMES,
    ),
    st.builds(
        lambda name, state: lambda r: r.moves.set_state(name, state, "so"),
        NAMES,
        REACHED_ALONE,
    ),
    st.builds(
        lambda name, to: lambda r: r.moves.deliver(name, "written", [owed(name, to)]),
        NAMES,
        PACS,
    ),
    st.builds(
        lambda name, to: lambda r: r.moves.release(item_called(name), [to], "so", 1.0),
        NAMES,
        PACS,
    ),
    st.builds(
        lambda name, to: lambda r: r.moves.resend(item_called(name), to, "so", 1.0),
        NAMES,
        PACS,
    ),
    st.builds(lambda name: lambda r: r.moves.cancel(item_called(name), "so"), NAMES),
    st.builds(lambda name, to: lambda r: withdraw(r, name, to), NAMES, PACS),
    st.builds(lambda name: lambda r: r.moves.withdraw_here(item_called(name), "so"), NAMES),
    st.builds(
        lambda name, to: lambda r: r.deliveries.delay(owed(name, to), "away", 5.0), NAMES, PACS
    ),
    st.builds(
        lambda name, to: lambda r: r.deliveries.accept(owed(name, to), "asked", 5.0), NAMES, PACS
    ),
    st.builds(
        lambda name, to, state: lambda r: r.deliveries.park(owed(name, to), state, "never"),
        NAMES,
        PACS,
        st.sampled_from(PARKED),
    ),
    st.builds(
        lambda name, to: (
            lambda r: r.deliveries.arrive(owed(name, to), DeliveryState.VERIFIED, "shown", 9.0)
        ),
        NAMES,
        PACS,
    ),
    st.builds(
        lambda name, to: lambda r: r.deliveries.note_cancelled(owed(name, to), "so"), NAMES, PACS
    ),
    st.builds(lambda name: lambda r: r.deliveries.cancel(item_called(name), "so"), NAMES),
    st.builds(lambda name, to: lambda r: r.deliveries.note_commitment(name, to), NAMES, PACS),
    st.just(lambda r: r.corrections.note(Correction(STUDY, "k", 1.0, ("CT1",), True))),
    st.just(lambda r: r.corrections.dismiss(STUDY)),
    st.just(lambda r: r.studies.reviewed(STUDY, 3, 5.0, 3)),
    st.just(lambda r: r.studies.reviewed(STUDY, 3, 5.0, 0, None, "2 of 3 images", 20.0)),
    st.just(lambda r: r.studies.settle("f", 3)),
    st.just(lambda r: r.studies.remove_images(Removal(STUDY, 1.0, "old", 3, 9, 0), "old")),
    st.just(lambda r: r.studies.forget_removal(STUDY)),
)


@given(done=st.lists(acts, max_size=12))
@examples(40, 600)
def test_the_line_is_as_new_as_what_it_is_made_of(done: list[Act]) -> None:
    """To make it anew after any change changes nothing."""
    with closing(Records("sqlite://")) as records:
        put(records, a_study(study_uid=STUDY, settled_images=0))
        put(records, item_called("w0", state=WorkitemState.DELIVERING), item_called("w1"))
        put(records, owed("w0", "pacs"), owed("w0", "pacs2"))
        for act in done:
            try:
                act(records)
            except LookupError:
                continue
            line = line_of(records)
            records.database.transact(partial(listing.refresh, study_uid=STUDY))
            assert line_of(records) == line


def line_of(records: Records) -> Any:
    return records.database.transact(lambda c: c.execute(tables.listing.select()).one())


def test_of_two_changes_at_once_the_line_says_both(database: str) -> None:
    """The second waits for the first, or it would not see what that one has not committed."""
    with closing(Records(database)) as records:
        put(records, a_study(study_uid=STUDY), item_called("w0"), item_called("w1"))
        second = threading.Thread(
            target=records.moves.set_state, args=("w1", WorkitemState.FAILED, "second")
        )

        def first(connection: sa.Connection) -> None:
            item = tables.workitem.update().where(tables.workitem.c.id == "w0")
            connection.execute(item.values(state="held", reason="first"))
            listing.refresh(connection, STUDY)
            second.start()
            second.join(0.5)
            assert second.is_alive()

        records.database.transact(first)
        second.join(PATIENCE)
        line = line_of(records)
        assert (line.state, line.states) == ("held", "|failed|held|")


def test_a_result_begins_with_how_urgent_it_is_and_with_what_is_followed() -> None:
    """A list shows its first words alone: it began with a part of what was measured."""
    part = MeasurementSummary("Volume", 1.384, "ml", "Hippocampus, anterior")
    whole = MeasurementSummary("Volume", 3.068, "ml", "Hippocampus", followed=True)
    urgent = UrgencySummary("pneumonia")
    said = standing(outline(WorkitemState.COMPLETED, findings=(part, whole, urgent))).reason
    words = [urgent.in_words(), whole.in_words(), part.in_words()]
    assert said == "; ".join(words)
