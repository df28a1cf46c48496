"""Many images, one event."""

from contextlib import closing
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hilum.records import Records, views
from hilum.records.bursts import BURST_SECONDS, Bursts
from hilum.records.states import EventKind


@given(
    pauses=st.lists(
        st.sampled_from([0.0, 1.0, BURST_SECONDS, BURST_SECONDS + 1]), min_size=1, max_size=20
    )
)
def test_images_that_come_together_are_one_event_that_counts_them(pauses: list[float]) -> None:
    now = 0.0
    with closing(Records("sqlite://")) as records:
        bursts = Bursts(records, clock=lambda: now)
        firsts = []
        for pause in pauses:
            now += pause
            firsts.append(bursts.note("1.2", EventKind.QUARANTINED, "one came", "came"))
        told = [event.text for event in views.trace(records, "1.2")]
    begins = [n for n, first in enumerate(firsts) if first] + [len(pauses)]
    counts = [end - begin for begin, end in pairwise(begins)]
    assert told == ["one came" if count == 1 else f"{count} came" for count in counts]
    assert firsts[1:] == [pause > BURST_SECONDS for pause in pauses[1:]]


def test_what_differs_is_counted_apart() -> None:
    with closing(Records("sqlite://")) as records:
        bursts = Bursts(records, clock=lambda: 0.0)
        for study in ("1.2", "1.3", "1.2"):
            for many in ("came", "went"):
                bursts.note(study, EventKind.QUARANTINED, "one", many)
        told = [[e.text for e in views.trace(records, uid)] for uid in ("1.2", "1.3")]
    assert told == [["2 came", "2 went"], ["one", "one"]]
