"""When a series counts as complete: gaps, silence, releases, counts, and the order of arrival."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from factory import OURS, as_own_result, instances, mr_slices, write
from hilum.arrival import Arrival
from hilum.assembly import Hold, NotApplicable, Run, Wait, decide
from hilum.config.site import Rule
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.module import Input

NEEDS = {"series": Input("MR", slice_spacing=(0.8, 1.2), extent=(20, 80))}
RULE = Rule(module="hippocampal-volume", series={"SeriesDescription": "HippoCrop"})


@pytest.fixture(scope="module")
def crop(tmp_path_factory: pytest.TempPathFactory) -> list[Instance]:
    return instances(mr_slices(), tmp_path_factory.mktemp("crop"))


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> list[Instance]:
    slices = mr_slices("head", count=6, spacing=6.5, description="T2")
    return instances(slices, tmp_path_factory.mktemp("head"))


def arrive(received: list[Instance], pace: float = 0.01, association: str = "a") -> Arrival:
    arrival = Arrival(received[0].study_uid)
    for index, instance in enumerate(received):
        arrival.add(instance, 100 + index * pace, association)
    return arrival


def test_waits_while_the_sender_may_go_on(crop: list[Instance]) -> None:
    arrival = arrive(crop)
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 0.5), Wait)
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 1.1), Run)


def test_release_and_going_on_to_another_series_shorten_the_wait(
    crop: list[Instance], head: list[Instance]
) -> None:
    arrival = arrive(crop)
    arrival.released("a")
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 0.4), Run)
    arrival = arrive([*crop, head[0]])
    decision = decide(arrival, NEEDS, RULE, arrival.last + 0.4)
    assert isinstance(decision, Run)
    assert "went on" in decision.reason


def test_a_slow_sender_is_given_more_time(crop: list[Instance]) -> None:
    arrival = arrive(crop, pace=2.0)
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 5), Wait)
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 8.1), Run)


def test_a_gap_is_waited_for_and_then_held(crop: list[Instance]) -> None:
    arrival = arrive(crop[:10] + crop[12:])
    waiting = decide(arrival, NEEDS, RULE, arrival.last + 60)
    assert isinstance(waiting, Wait)
    assert "2 slices missing" in waiting.reason
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 121), Hold)


def test_the_count_the_images_state_is_believed(tmp_path: Path) -> None:
    slices = mr_slices()
    for ds in slices:
        ds.NumberOfSeriesRelatedInstances = 32
    arrival = arrive(instances(slices, tmp_path)[:30])
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 60), Wait)
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 121), Hold)
    marked = RULE.model_copy(update={"incomplete": "analyse"})
    decision = decide(arrival, NEEDS, marked, arrival.last + 121)
    assert isinstance(decision, Run)
    assert decision.incomplete
    assert "30 of 32" in decision.incomplete


def test_the_count_of_the_archive_may_grow_and_shrink(crop: list[Instance]) -> None:
    arrival = arrive(crop[:30])
    arrival.released("a")
    arrival.count(crop[0].series_uid, 31)
    waiting = decide(arrival, NEEDS, RULE, arrival.last + 60)
    assert isinstance(waiting, Wait)
    assert "30 of 31" in waiting.reason
    arrival.count(crop[0].series_uid, 32)
    for instance in crop[30:]:
        arrival.add(instance, arrival.last + 0.01, "a")
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 0.4), Run)
    arrival = arrive(crop[:30])
    arrival.released("a")
    arrival.count(crop[0].series_uid, 31)
    arrival.count(crop[0].series_uid, 30)  # one was deleted
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 0.4), Run)


def test_a_pause_of_ours_says_nothing_about_the_sender(crop: list[Instance]) -> None:
    arrival = arrive(crop[:20])
    for number, instance in enumerate(crop[20:]):
        arrival.add(instance, 200 + 0.01 * number, "b", late=True)
    arrival.released("b")
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 0.4), Run)


def test_a_lost_association_says_nothing_about_the_pace(crop: list[Instance]) -> None:
    arrival = arrive(crop[:20])
    arrival.aborted("a")
    for number, instance in enumerate(crop[20:]):
        arrival.add(instance, 200 + 0.01 * number, "b")
    arrival.released("b")
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 0.4), Run)


def test_a_study_without_the_series_is_settled_after_silence(head: list[Instance]) -> None:
    arrival = arrive(head)
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 7), Wait)
    decision = decide(arrival, NEEDS, RULE, arrival.last + 9)
    assert isinstance(decision, NotApplicable)
    assert "SeriesDescription is 'T2'" in decision.selection.verdicts[0].reasons[0]


def tilted(slices: list[Dataset]) -> None:
    for number, ds in enumerate(slices):
        ds.ImagePositionPatient = [0, 0.0437 * number, number]  # the tangent of 2.5 degrees


def without_slope(slices: list[Dataset]) -> None:
    for ds in slices:
        ds.RescaleSlope, ds.RescaleIntercept = 0, 0


def twice(slices: list[Dataset]) -> None:
    for number, ds in enumerate(slices):
        ds.ImagePositionPatient = [0, 0, number // 2]


def many(slices: list[Dataset]) -> None:
    for number, ds in enumerate(slices):
        ds.EchoTime = number // 2


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (tilted, "HippoCrop: forms no volume: gantry tilt of 2.5°, the last slice is 1.4 mm off"),
        (without_slope, "HippoCrop: image 1: RescaleSlope is 0"),
        (twice, "HippoCrop: forms no volume: 16 of 32 slices lie where another one lies"),
        (many, "HippoCrop, echo 1 of 16: 0 ms: covers "),
    ],
)
def test_what_is_wrong_with_the_series_that_is_meant_is_the_reason(
    head: list[Instance], tmp_path: Path, spoil: Callable[[list[Dataset]], None], words: str
) -> None:
    slices = mr_slices()
    spoil(slices)
    others = instances(mr_slices("ct", modality="CT"), tmp_path / "ct")
    arrival = arrive([*instances(slices, tmp_path), *head, *others])
    waiting = decide(arrival, NEEDS, RULE, arrival.last + 7)
    decision = decide(arrival, NEEDS, RULE, arrival.last + 9)
    assert isinstance(waiting, Wait)
    assert isinstance(decision, NotApplicable)
    assert decision.reason.startswith(words)
    assert words in waiting.reason
    assert not {"T2", "modality", "silence"} & set(decision.reason.split())
    assert len(decision.reason) < 400
    assert ('rule.tilt = "resample"' in decision.reason) == (spoil is tilted)
    assert ("and 13 more series" in decision.reason) == (spoil is many)


def test_the_cure_of_a_tilt_cures_and_is_named_only_where_it_does(tmp_path: Path) -> None:
    slices = mr_slices()
    tilted(slices)
    rule = RULE.model_copy(update={"tilt": "resample"})
    arrival = arrive(instances(slices, tmp_path / "tilted"))
    assert isinstance(decide(arrival, NEEDS, rule, arrival.last + 9), Run)
    without_slope(slices)
    arrival = arrive(instances(slices, tmp_path / "both"))
    refused = decide(arrival, NEEDS, RULE, arrival.last + 9)
    assert "gantry tilt" in refused.reason
    assert "RescaleSlope" in refused.reason
    assert "rule.tilt" not in refused.reason


def test_without_a_series_that_is_meant_there_is_no_matching_series(head: list[Instance]) -> None:
    arrival = arrive(head)
    decision = decide(arrival, NEEDS, RULE, arrival.last + 9)
    assert decision == NotApplicable(decision.selection, "no matching series, after 9 s of silence")


class Reluctant(Input):
    """One that has reservations to every series with a contrast agent."""

    def reservations(self, series: Series) -> Iterator[str]:
        if series.header.get("ContrastBolusAgent"):
            yield "a contrast agent was given"


def test_a_series_that_will_be_refused_waits_for_a_better_one(
    crop: list[Instance], tmp_path: Path
) -> None:
    slices = mr_slices("gd", description="HippoCrop after contrast", count=40)
    for ds in slices:
        ds.ContrastBolusAgent = "Gd"
    needs = {"series": Reluctant("MR", slice_spacing=(0.8, 1.2), extent=(20, 80))}
    arrival = arrive(instances(slices, tmp_path))
    arrival.released("a")
    waiting = decide(arrival, needs, RULE, arrival.last + 7)
    assert isinstance(waiting, Wait)
    assert "no better series" in waiting.reason
    assert isinstance(decide(arrival, needs, RULE, arrival.last + 9), Run)
    for instance in crop:
        arrival.add(instance, arrival.last + 0.01, "b")
    arrival.released("b")
    decision = decide(arrival, needs, RULE, arrival.last + 1)
    assert isinstance(decision, Run)
    assert decision.selection.chosen["series"][0].description == "HippoCrop"


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_order_of_arrival_and_repeats_do_not_matter(
    data: st.DataObject, crop: list[Instance], head: list[Instance]
) -> None:
    order = data.draw(st.permutations([*crop, *head]))
    repeats = data.draw(st.lists(st.sampled_from(order), max_size=5))
    arrival = arrive([*order, *repeats])
    decision = decide(arrival, NEEDS, RULE, arrival.last + 60)
    assert isinstance(decision, Run)
    [chosen] = decision.selection.chosen["series"]
    assert [i.sop_instance_uid for i in chosen.instances] == [i.sop_instance_uid for i in crop]


def test_own_results_are_no_news(crop: list[Instance], tmp_path: Path) -> None:
    (path,) = write([as_own_result(mr_slices("own", count=1)[0])], tmp_path)
    arrival = arrive(crop)
    last = arrival.last
    arrival.add(Instance.read(path, OURS), last + 50)
    assert arrival.last == last
    assert arrival.images == len(crop)


def test_a_broken_association_is_no_release(crop: list[Instance]) -> None:
    arrival = arrive(crop[:26])
    arrival.aborted("a")
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 60), Wait)
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 121), Hold)
    for index, instance in enumerate(crop[20:]):  # the sender tries again
        arrival.add(instance, arrival.last + 0.01 * index, "b")
    arrival.released("b")
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 5), Run)


def test_an_unknown_sender_gets_the_full_quiet_time(crop: list[Instance]) -> None:
    arrival = arrive(crop, association="")  # found on disk after a restart
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 0.5), Wait)
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 1.1), Run)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("InstanceNumber", "1\\2"),
        ("SeriesNumber", "1\\2"),
        ("NumberOfSeriesRelatedInstances", "1\\2"),
        ("PixelSpacing", "1"),
        ("ImagePositionPatient", "a\\b\\c"),
    ],
)
def test_odd_values_are_survived(tmp_path: Path, keyword: str, value: str) -> None:
    from pydicom.config import disable_value_validation

    slices = mr_slices()
    with disable_value_validation():
        setattr(slices[0], keyword, value.split("\\") if "a" not in value else None)
        arrival = arrive(instances(slices, tmp_path))
    assert decide(arrival, NEEDS, RULE, arrival.last + 60)
