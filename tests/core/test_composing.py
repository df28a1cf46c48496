"""A module that names what another one has found is given it, and never waits for ever."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from factory import OURS, mr_slices, write
from hilum.acts.requests import obey
from hilum.acts.withdrawing import RejectionNote, take_back
from hilum.checking import check_rules
from hilum.config import parse
from hilum.config.site import Rule, Site
from hilum.dicom import codes
from hilum.engine import exchange
from hilum.errors import ConfigurationError
from hilum.findings import Finding, Findings, Measurement, Note, Refusal, Urgency
from hilum.hosts.discovery import discover
from hilum.module import FindingsOf, Input
from hilum.processes.hints import HintReceiver, Ready, gateway_address
from hilum.records import tables
from hilum.records.models.requests import Wish
from hilum.records.models.workitems import Workitem
from hilum.records.states import RequestAction, WorkitemState
from hilum.service.gateway import follow
from hilum.study.arrivals import Arrivals
from hilum.study.flow import Flow
from hilum.study.hours import PATIENCE_SECONDS
from hilum.testing import check_module
from plugin import install_plugin
from tests.core.test_order_of_arrival import Gateway, Module, contents, gateway
from tests.patience import until

WHOLE = Rule(module="m", give_up_seconds=20)
SHARE = Rule(module="share", give_up_seconds=20)
MRI = Input("MR", slice_spacing=(0.5, 2.0))
VOLUME = Measurement(codes.VOLUME, 3.0, codes.MILLILITRE)


class Share(Module):
    """Can use what `m` has found, and can do without."""

    name, version = "share", "1"
    needs = {"head": MRI, "part": FindingsOf("m", optional=True)}  # noqa: RUF012

    def run(self, head: Any, part: Findings | None) -> Iterator[Finding]:
        if part is None:
            yield Note("alone")
            return
        [whole] = part.measurements
        yield Measurement(codes.VOLUME, whole.value / 2, codes.MILLILITRE)


class Strict(Share):
    """Cannot do without."""

    needs = {"head": MRI, "part": FindingsOf("m", on="head")}  # noqa: RUF012


@pytest.fixture
def hall() -> Iterator[Gateway]:
    # the rule of the module that uses the other one comes first, so order alone helps nobody
    with gateway(rule=(SHARE, WHOLE)) as made:
        begin(made, Share)
        yield made


def begin(hall: Gateway, share: type[Module], **settings: Any) -> None:
    hall.flow._hints.close()
    site = Site(**{**dict(hall.flow.site), **settings})
    modules = {"m": Module, "share": share}
    name = f"composing {next(hall.numbers)}"
    hall.flow = Flow(site, hall.records, modules, hall.clock, hall.engine, name)
    hall.flow.arrivals = Arrivals(hall.inbox, hall.records, OURS, hall.clock)


def receive(hall: Gateway) -> dict[str, Workitem]:
    """Take in a study; its workitem of each module."""
    for image in contents("one"):
        hall.receive(image, "a")
    hall.wait(150)
    return items(hall)


def items(hall: Gateway) -> dict[str, Workitem]:
    return {
        item.module: item
        for rule in (WHOLE, SHARE)
        for item in hall.items("one", rule)
        if item.superseded_by is None
    }


def find(hall: Gateway, item: Workitem, *findings: Finding) -> None:
    """Be the worker that has run the module of `item`."""
    assert hall.flow.begin(item.id)
    hall.records.moves.set_state(item.id, WorkitemState.RUNNING)
    found = Findings(findings)
    exchange.save(found, hall.flow.workitems.result_folder(item.id))
    hall.records.workitems.note_findings(item, exchange.summary(found), "")
    hall.flow.write(item.id)


def is_handed_over(hall: Gateway, item: Workitem) -> bool:
    return item.id in hall.engine.launched.values()


def test_it_begins_the_moment_the_other_has_its_result(hall: Gateway) -> None:
    of = receive(hall)
    assert of["share"].used == {"part": of["m"].id}
    assert is_handed_over(hall, of["m"])
    hall.flow.sweep()
    assert not is_handed_over(hall, of["share"]), "it waits"
    with closing(HintReceiver(gateway_address(hall.flow.site.data))) as hints:
        find(hall, of["m"], VOLUME)
        until(lambda: Ready(of["share"].id) in hints.receive(1), "the hint that it is ready")
    follow(Ready(of["share"].id), hall.flow)
    assert is_handed_over(hall, of["share"])
    analysis = hall.flow.workitems.composition.parts(of["share"])
    assert [part.path.name for part in analysis["part"]] == ["findings.json", "arrays.npz"]
    lines = [event.text for event in hall.records.events.of_study(of["m"].study_uid)]
    assert f"share 1, with the findings of m ({of['m'].id[-8:]})" in lines


def test_what_it_is_given_is_part_of_its_uid(hall: Gateway) -> None:
    with_m = receive(hall)["share"]
    with gateway(rule=(SHARE,)) as alone:
        begin(alone, Share)
        [without] = receive(alone).values()
    assert without.used == {}
    assert without.id != with_m.id
    with gateway(rule=(WHOLE, SHARE)) as again:
        begin(again, Share)
        assert receive(again)["share"].id == with_m.id


@pytest.mark.parametrize("ending", ["failure", "refusal", "patience"])
def test_it_goes_on_without_what_never_comes(hall: Gateway, ending: str) -> None:
    of = receive(hall)
    if ending == "failure":
        assert hall.flow.begin(of["m"].id)
        hall.flow.fail(of["m"].id, "out of memory")
    elif ending == "refusal":
        find(hall, of["m"], Refusal("dark", "it is dark"))
    else:
        hall.now = of["share"].created + PATIENCE_SECONDS + 1
    assert not hall.flow.begin(of["share"].id), "another takes its place"
    after = items(hall)["share"]
    assert (after.predecessor, after.used) == (of["share"].id, {})
    assert after.reason == "without part: there is no such result"
    assert hall.flow.begin(after.id)


def test_a_repeated_result_is_used_in_the_place_of_the_first(hall: Gateway) -> None:
    of = receive(hall)
    assert hall.flow.begin(of["m"].id)
    hall.flow.fail(of["m"].id, "out of memory")
    hall.records.requests.add(RequestAction.RETRY, of["m"].id)
    obey(hall.flow)
    again = items(hall)["m"]
    assert hall.flow.turns.waits(of["share"])
    find(hall, again, VOLUME)
    assert not hall.flow.begin(of["share"].id), "its place is taken"
    after = items(hall)["share"]
    assert after.used == {"part": again.id}
    assert hall.flow.begin(after.id)


def test_one_that_cannot_do_without_is_not_run(hall: Gateway) -> None:
    begin(hall, Strict, rule=(SHARE,))
    for image in contents("one"):
        hall.receive(image, "a")
    hall.wait(150)
    [item] = hall.records.workitems.in_state(WorkitemState.NOT_APPLICABLE)
    assert item.reason == "there is no result of m on the same images"
    wish = Wish(module="share")
    number = hall.records.requests.add(RequestAction.ANALYSE, study_uid=item.study_uid, wish=wish)
    obey(hall.flow)
    assert hall.records.requests.one(number).answer == f"not analysed: {item.reason}"


def test_who_takes_a_result_back_is_told_what_its_findings_went_into(hall: Gateway) -> None:
    out = {"name": "out", "kind": "folder", "folder": "/nowhere/out"}
    to_out = [rule.model_copy(update={"send_to": ("out",)}) for rule in (WHOLE, SHARE)]
    there = parse({"destination": [out]}).destination
    begin(hall, Share, rule=tuple(to_out), destination=there)
    for image in contents("one"):
        hall.receive(image, "a")
    hall.wait(150)
    of = {item.module: item for rule in to_out for item in hall.items("one", rule)}
    find(hall, of["m"], VOLUME)
    find(hall, of["share"], VOLUME)
    note = RejectionNote(hall.now, "wrong patient")
    answer = take_back(hall.flow, hall.records.workitems.one(of["m"].id), note)
    named = f"share ({of['share'].id[-8:]})"
    assert answer.rest.startswith(f"its findings went into the result of {named}: withdraw that")
    also = take_back(hall.flow, hall.records.workitems.one(of["share"].id), note)
    assert (also.done, also.rest) == (True, "")
    again = take_back(hall.flow, hall.records.workitems.one(of["m"].id), note)
    assert again.rest == "", "the cure was applied"


def test_settings_without_the_other_module_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
        from hilum import FindingsOf, Input

        class Module:
            name, version = "{name}", "1"
            needs = {{"head": Input("MR"), "part": FindingsOf("{of}")}}

            def run(self, head, part):
                return ()
    """
    for name, of in (("one", "other"), ("a", "b"), ("b", "a")):
        install_plugin(tmp_path / name, monkeypatch, source.format(name=name, of=of), name)
    with pytest.raises(ConfigurationError, match="add a \\[\\[rule\\]\\] with that module"):
        check_rules(Site(data=tmp_path, rule=(Rule(module="one"),)))
    found, problems = discover()
    assert "one" in found
    assert problems["a"].startswith("modules wait for each other's findings")


def test_what_a_module_is_given_in_its_test(tmp_path: Path) -> None:
    files = write(mr_slices(count=4), tmp_path)
    [half] = check_module(Strict, files, {"part": Findings((VOLUME,))}).measurements
    assert half.value == 1.5
    assert check_module(Share, files).notes[0].text == "alone"


def test_images_and_findings_of_the_same_images_only(hall: Gateway) -> None:
    composition = hall.flow.workitems.composition
    of = receive(hall)
    study = of["m"].study_uid
    files = of["m"].inputs["series"]
    assert composition.runs_for(study, "share", {"head": files}) == {"part": of["m"].id}
    assert composition.runs_for(study, "share", {"head": files[1:]}) == {}
    assert composition.runs_for(study, "m", {"series": files}) == {}


def test_an_urgent_result_has_the_rest_of_the_study_analysed_first() -> None:
    out = {"name": "out", "kind": "folder", "folder": "/nowhere/out"}
    rules = (WHOLE, Rule(module="share", give_up_seconds=20, series={"SeriesDescription": "."}))
    with gateway(rule=rules, destination=[out]) as hall:
        hall.flow._hints.close()
        modules = {"m": Module, "share": type("Plain", (Share,), {"needs": MRI})}
        name = f"composing {next(hall.numbers)}"
        hall.flow = Flow(hall.flow.site, hall.records, modules, hall.clock, hall.engine, name)
        hall.flow.arrivals = Arrivals(hall.inbox, hall.records, OURS, hall.clock)
        for image in contents("one"):
            hall.receive(image, "a")
        hall.wait(150)
        study = hall.records.workitems.in_state(WorkitemState.SCHEDULED)[0].study_uid
        of = {item.module: item for item in hall.records.workitems.of_study(study)}
        find(hall, of["m"], VOLUME, Urgency("it sees free air"))
        assert hall.engine.hastened == [f"{of['share'].id}.0"]
        lines = [event.text for event in hall.records.events.of_study(study)]
        assert "begins first, because m calls the study urgent" in lines
        caution = sa.select(tables.listing.c.caution)
        told = hall.records.database.transact(lambda connection: connection.scalar(caution))
        assert told == "urgent: it sees free air"
