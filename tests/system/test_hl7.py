"""A study whose result goes to a report system, while the hospital corrects who its patient is."""

import socket
from pathlib import Path

import hl7
import pytest

from factory import mr_slices, write
from hilum.hl7.er7 import ReceivedMessage
from hilum.records.states import DeliveryState, RequestAction
from hilum_lab.network.processes import available_port, listens
from tests.core.test_patient_updates import OLD, adt, answered
from tests.core.test_patient_updates import ask as say
from tests.mllp_receiver import Receiver, receiving
from tests.plugin import BRIGHT, install_plugin
from tests.system.site import running


def patient(message: bytes) -> str:
    return str(hl7.parse(message.decode()).segment("PID")(5))


def statuses(message: bytes) -> set[str]:
    return {str(one(11)) for one in hl7.parse(message.decode()).segments("OBX")}


@pytest.mark.slow
def test_a_receiver_that_was_down_has_each_message_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result, then its withdrawal under the wrong patient, then the result under the right."""
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    receiver, updates = Receiver(), available_port()
    with receiving(receiver):
        pass  # its port is free, and nobody listens there
    settings = {
        "destination": [{"name": "ris", "kind": "mllp", "port": receiver.port}],
        "rule": [{"module": "bright-volume", "send_to": ["ris"], "quiet_seconds": 1}],
        "patient_updates": {
            "enabled": True,
            "port": updates,
            "allowed_hosts": ["127.0.0.1"],
            "issuer": "HOSP",
        },
    }
    with running(tmp_path, **settings) as hilum:
        files = write(mr_slices(count=8), tmp_path / "exam")
        uid = str(mr_slices(count=1)[0].StudyInstanceUID)
        hilum.send(files)

        def state(number: int) -> DeliveryState | None:
            owed = [
                delivery
                for item in hilum.records.workitems.of_study(uid)
                for delivery in hilum.records.deliveries.of_workitem(item.id)
            ]
            owed.sort(key=lambda one: one.owed_at)
            return owed[number].state if len(owed) > number else None

        hilum.until(lambda: state(0) is DeliveryState.DELAYED, "an attempt while it is down")
        with receiving(receiver):
            hilum.until(lambda: state(0) is DeliveryState.ACCEPTED, "the result")
            hilum.until(lambda: listens(updates), "the listener for patients")
            with socket.create_connection(("127.0.0.1", updates)) as connection:
                sent = adt("A08", {3: [OLD], 5: ("Roe", "Jane")})
                assert answered(say(connection, sent))[0] == "AA"
            hilum.until(lambda: hilum.records.corrections.is_open(uid), "the offer")
            [offer] = hilum.records.corrections.of_study(uid)
            [item] = hilum.records.workitems.of_study(uid)
            hilum.records.requests.add(RequestAction.DECIDE, item.id, offer.identity)
            hilum.until(lambda: state(2) is DeliveryState.ACCEPTED, "the new result")
    assert [patient(one) for one in receiver.came] == [
        "Marker^Patient^^^^^L^A",
        "Marker^Patient^^^^^L^A",
        "Roe^Jane^^^^^L^A",
    ]
    assert [statuses(one) for one in receiver.came] == [{"P"}, {"W", "P"}, {"P"}]
    orders = [ReceivedMessage.of(one).first("OBR") for one in receiver.came]
    numbers = [order.text(3) for order in orders if order]
    assert numbers[0] == numbers[1] != numbers[2]
    log = (hilum.site.data / "logs" / "hilum.log").read_text()
    assert "Roe" not in log and "Marker" not in log and "marker-id" not in log
