"""An archive that was restored from an older backup receives what it lacks, and nothing twice."""

import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hilum.acts.requests import obey
from hilum.acts.resending import Lack, lacks
from hilum.cli import app
from hilum.errors import HilumError
from hilum.records.states import DeliveryState, RequestAction, WorkitemState
from hilum_lab.archives.behaviour import AE_TITLE
from hilum_lab.network.processes import LOOPBACK
from tests.core.test_cures import ARCHIVES, NAMES, Hospital, archives, begun
from tests.destinations.test_checks import write_config

__all__ = ["archives"]
EVER = (0.0, math.inf)


@pytest.fixture
def hospital() -> Iterator[Hospital]:
    made = begun()
    for name in NAMES:
        made.deliver(name)
    yield made
    made.close()


def lacking(hospital: Hospital, period: tuple[float, float] = EVER) -> list[Lack]:
    return list(lacks(hospital.hall.flow.site, hospital.hall.records, "a", period))


def forget(modality: str) -> None:
    archive = ARCHIVES["a"]
    for uid in [uid for uid, held in archive.holds.items() if held.Modality == modality]:
        del archive.holds[uid]


def command(hospital: Hospital, folder: Path, *more: str) -> Result:
    """What `hilum resend` does, while the gateway runs."""
    node = {"kind": "dimse", "host": LOOPBACK, "ae_title": AE_TITLE, "objects": ["sr", "pdf"]}
    ends = {name: {**node, "port": ARCHIVES[name].port} for name in NAMES}
    config = write_config(folder, ends)
    data = f"data = '{hospital.folder}'"
    config.write_text("\n".join([data, *config.read_text().splitlines()[1:]]))
    words = ["resend", "--to", "a", "--since", "2001-01-01", *more, "--config", str(config)]
    found: list[Result] = []
    asking = threading.Thread(target=lambda: found.append(CliRunner().invoke(app, words)))
    asking.start()
    while asking.is_alive():
        obey(hospital.hall.flow)
        time.sleep(0.01)
    return found[0]


def test_only_what_is_missing_is_sent(hospital: Hospital, tmp_path: Path) -> None:
    [item] = hospital.items()
    assert command(hospital, tmp_path).exit_code == 0  # it lacks nothing
    forget("DOC")
    shown = command(hospital, tmp_path, "--dry-run")
    about = f"m {item.id[-8:]} of study {item.study_uid}: 1 of 2 objects missing\n"
    assert (shown.exit_code, shown.stdout) == (0, about)
    assert hospital.items()[0].state is WorkitemState.COMPLETED
    assert command(hospital, tmp_path, "--until", "2001-01-02").stdout == ""
    done = command(hospital, tmp_path)
    assert (done.exit_code, done.stdout) == (0, about)
    assert "a is asked for it again, and receives what it lacks" in done.stderr
    hospital.quiet()
    assert hospital.items()[0].state is WorkitemState.COMPLETED
    held = {uid: ARCHIVES["a"].holds[uid].Modality for uid in ARCHIVES["a"].holds}
    assert sorted(held.values()) == ["DOC", "SR"]
    assert {held[uid]: times for uid, times in ARCHIVES["a"].sent.items()} == {"SR": 1, "DOC": 2}
    assert set(ARCHIVES["b"].sent.values()) == {1}
    assert lacking(hospital) == []


def test_a_note_is_sent_again_and_not_what_it_takes_back(hospital: Hospital) -> None:
    hospital.ask(0, RequestAction.WITHDRAW)
    hospital.quiet()
    forget("KO")
    forget("DOC")
    [lack] = lacking(hospital)
    assert (lack.item.is_run, lack.missing, lack.of) == (False, 1, 1)
    hospital.hall.records.requests.add(RequestAction.RESEND, lack.item.id, "a")
    hospital.quiet()
    assert sorted(held.Modality for held in ARCHIVES["a"].holds.values()) == ["KO", "SR"]
    assert ARCHIVES["a"].standing() == set()


def test_what_was_removed_here_is_named(hospital: Hospital, tmp_path: Path) -> None:
    [item] = hospital.items()
    for file in hospital.hall.flow.workitems.result_folder(item.id).glob("*.dcm"):
        file.unlink()
    shown = command(hospital, tmp_path)
    assert shown.exit_code == 1
    assert "cannot be sent again: 2 of its " in shown.stdout
    assert hospital.items()[0].state is WorkitemState.COMPLETED


def test_what_is_refused_then_is_parked(hospital: Hospital) -> None:
    forget("SR")
    ARCHIVES["a"].refused = frozenset({"SR"})
    hospital.hall.records.requests.add(RequestAction.RESEND, hospital.items()[0].id, "a")
    obey(hospital.hall.flow)
    hospital.deliver("a")
    [item] = hospital.items()
    assert (item.state, item.reason) == (WorkitemState.PARKED, "a (refused)")
    hospital.ask(0, RequestAction.RELEASE)
    hospital.quiet()
    assert hospital.items()[0].state is WorkitemState.COMPLETED
    assert hospital.hall.records.deliveries.one(item.id, "a").state is DeliveryState.VERIFIED
    assert lacking(hospital) == []


def test_a_destination_that_cannot_be_asked_is_said_so(hospital: Hospital) -> None:
    site, records = hospital.hall.flow.site, hospital.hall.records
    with pytest.raises(HilumError, match="the settings define no destination nowhere"):
        list(lacks(site, records, "nowhere", EVER))
    mute = site.destination[0].model_copy(update={"proof": "accepted"})
    with pytest.raises(HilumError, match='set proof = "query", then'):
        list(lacks(site.model_copy(update={"destination": (mute,)}), records, "a", EVER))
