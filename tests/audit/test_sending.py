"""Audit messages reach a collector over TLS, each at least once, whatever happens meanwhile."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from hilum.audit import AuditedAct
from hilum.audit.messages import AuditSource
from hilum.audit.sending import (
    FIRST_RETRY_SECONDS,
    LAST_RETRY_SECONDS,
    LOOK_SECONDS,
    PORTION,
    UNPROVEN,
    AuditKeeper,
    AuditSender,
)
from hilum.config import parse
from hilum.config.audit import AuditSettings, SyslogSettings
from hilum.config.tls import Tls
from hilum_lab.network.processes import available_port
from tests.certificates import SelfSigned
from tests.patience import NEVER, until

from .collector import Collector, collector, settings_for
from .trails import ALICE, DAY, STUDY, Clock, a_note, auditor, fill

SOURCE = AuditSource("hilum-1", "hospital")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> SelfSigned:
    return SelfSigned.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def peer(certificate: SelfSigned) -> Iterator[Collector]:
    with collector(certificate.context) as opened:
        yield opened


def test_every_entry_arrives_once_and_in_order(
    tmp_path: Path, peer: Collector, certificate: SelfSigned
) -> None:
    settings = settings_for(peer.port, certificate.certificate)
    with auditor(tmp_path / "data") as made:
        sender = AuditSender(settings.name, settings, SOURCE, made.store)
        assert sender.send_next() == LOOK_SECONDS  # there is nothing
        fill(made, PORTION + 1)
        assert sender.send_next() == 0.0
        again = AuditSender(settings.name, settings, SOURCE, made.store)  # after a restart
        assert again.send_next() == 0.0
        assert again.send_next() == LOOK_SECONDS
        assert made.store.verify().is_whole
    assert peer.connections == 2
    assert peer.acts() == (["retry", "withdraw", "assess"] * PORTION)[: PORTION + 1]
    first = peer.messages[0]
    assert (first["priority"], first["program"], first["id"]) == (b"85", b"hilum", b"DICOM+RFC3881")
    assert first["at"] == b"2027-01-15T08:00:00.000+00:00"
    assert first["host"].decode() == socket.gethostname()
    assert peer.documents()[0].find("AuditSourceIdentification").attrib == {
        "AuditEnterpriseSiteID": "hospital",
        "AuditSourceID": "hilum-1",
    }


def test_what_did_not_arrive_for_sure_is_sent_again(
    tmp_path: Path, peer: Collector, certificate: SelfSigned
) -> None:
    settings = settings_for(peer.port, certificate.certificate)
    with auditor(tmp_path / "data") as made:
        for number in range(PORTION):
            made.store.add(a_note(reason="x" * 2000, object=str(number)))
        sender = AuditSender(settings.name, settings, SOURCE, made.store, Clock())
        peer.drops = 2
        assert sender.send_next() == FIRST_RETRY_SECONDS
        assert sender.send_next() == 2 * FIRST_RETRY_SECONDS
        (standing,) = made.store.standings().values()
        assert (standing.position, standing.failing_since) == (0, Clock().now)
        assert sender.send_next() == 0.0  # one, on trial
        (standing,) = made.store.standings().values()
        assert (standing.position, standing.failing_since, standing.problem) == (1, None, "")
        assert sender.send_next() == 0.0
    assert len(peer.messages) == PORTION


def test_a_collector_that_closes_without_a_word_of_tls_is_told_so(
    tmp_path: Path, peer: Collector, certificate: SelfSigned
) -> None:
    """It may have closed before it read everything."""
    peer.says_end = False
    settings = settings_for(peer.port, certificate.certificate)
    with auditor(tmp_path / "data") as made:
        fill(made, 3)
        sender = AuditSender(settings.name, settings, SOURCE, made.store)
        assert sender.send_next() == FIRST_RETRY_SECONDS
        (standing,) = made.store.standings().values()
        assert standing.problem.startswith(UNPROVEN)
        peer.says_end = True  # the cure
        assert sender.send_next() == 0.0
        assert sender.send_next() == 0.0
    assert len(peer.messages) == 6


def test_nothing_is_lost_while_the_collector_is_down(
    tmp_path: Path, certificate: SelfSigned
) -> None:
    port = available_port()
    settings = settings_for(port, certificate.certificate)
    with auditor(tmp_path / "data") as made:
        sender = AuditSender(settings.name, settings, SOURCE, made.store)
        pauses = []
        for _ in range(8):
            fill(made, 1)
            pauses.append(sender.send_next())
        assert pauses[:3] == [10.0, 20.0, 40.0]
        assert pauses[-1] == LAST_RETRY_SECONDS
        (standing,) = made.store.standings().values()
        assert standing.problem.startswith("it cannot be reached (Connection refused): correct ")
        with collector(certificate.context, port) as peer:
            while sender.send_next() == 0.0:
                pass
            assert len(peer.messages) == 8
            assert peer.connections == 2


def test_who_is_not_who_we_trust_is_told_nothing(
    tmp_path: Path, peer: Collector, certificate: SelfSigned
) -> None:
    (tmp_path / "other").mkdir()
    other = SelfSigned.make(tmp_path / "other")
    with auditor(tmp_path / "data") as made:
        fill(made, 1)
        for tls, problem in (
            (Tls(ca_file=other.certificate), "its certificate is not trusted"),
            (None, "its certificate is not trusted"),
        ):
            settings = SyslogSettings(host="127.0.0.1", port=peer.port, tls=tls)
            sender = AuditSender(settings.name, settings, SOURCE, made.store)
            assert sender.send_next() == FIRST_RETRY_SECONDS
            (standing,) = made.store.standings().values()
            assert standing.problem.startswith(problem)
    assert peer.messages == []


def test_a_collector_that_wants_our_certificate_gets_it(
    tmp_path: Path, certificate: SelfSigned
) -> None:
    context = certificate.context
    context.load_verify_locations(certificate.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    with collector(context) as peer, auditor(tmp_path / "data") as made:
        fill(made, 1)
        without = settings_for(peer.port, certificate.certificate)
        sender = AuditSender(without.name, without, SOURCE, made.store)
        assert sender.send_next() == FIRST_RETRY_SECONDS
        (standing,) = made.store.standings().values()
        assert standing.problem.startswith("it wants a certificate of ours: set tls.certificate_fi")
        tls = Tls(
            ca_file=certificate.certificate,
            certificate_file=certificate.certificate,
            key_file=certificate.key,
        )
        whole = SyslogSettings(host="127.0.0.1", port=peer.port, tls=tls)
        assert AuditSender(whole.name, whole, SOURCE, made.store).send_next() == 0.0
        assert peer.acts() == ["retry"]


def test_a_collector_that_hangs_holds_up_nobody(tmp_path: Path, certificate: SelfSigned) -> None:
    """One that takes the connection and says nothing, and one that works, beside each other."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        collector(certificate.context) as peer,
        auditor(tmp_path / "data", Clock()) as made,
    ):
        hanging = settings_for(silent.getsockname()[1], certificate.certificate, NEVER)
        good = settings_for(peer.port, certificate.certificate)
        settings = AuditSettings(syslog=(hanging, good), file=tmp_path / "messages.xml")
        AuditKeeper(settings, made, Clock()).start()
        made.note(AuditedAct.RETRY, ALICE, STUDY)
        until(lambda: peer.messages, "the message")
        until(lambda: (tmp_path / "messages.xml").exists(), "the line")
        made.note(AuditedAct.CANCEL, ALICE, STUDY)
        until(lambda: len(peer.messages) == 2, "the next one, at once")
        assert peer.acts() == ["retry", "cancel"]


def test_a_file_gets_one_message_a_line(tmp_path: Path) -> None:
    file = tmp_path / "messages.xml"
    with auditor(tmp_path / "data") as made:
        sender = AuditSender("file", file, SOURCE, made.store)
        made.store.add(a_note(reason="one\ntwo\r\nthree", person="Ö\x00"))
        assert sender.send_next() == 0.0
        file.rename(tmp_path / "rotated")
        fill(made, 2)
        assert sender.send_next() == 0.0
        assert len(file.read_bytes().splitlines()) == 2
        assert len((tmp_path / "rotated").read_bytes().splitlines()) == 1
        assert file.stat().st_mode & 0o777 == 0o600
        gone = AuditSender("gone", tmp_path / "no" / "file", SOURCE, made.store)
        assert gone.send_next() == FIRST_RETRY_SECONDS
        standing = made.store.standings()["gone"]
        assert standing.problem.endswith("folder is there, and that Hilum may write to it")
        (tmp_path / "no").mkdir()  # the cure
        assert gone.send_next() == 0.0


def test_what_a_collector_has_not_got_is_not_purged(
    tmp_path: Path, peer: Collector, certificate: SelfSigned
) -> None:
    settings = AuditSettings(
        keep_days=183, syslog=(settings_for(peer.port, certificate.certificate),)
    )
    with auditor(tmp_path / "data", clock := Clock()) as made:
        fill(made, 4)
        clock.now += 200 * DAY
        keeper = AuditKeeper(settings, made, clock)
        assert keeper.look_after() == LOOK_SECONDS
        assert made.store.after(0, 9)[0].number == 1
        ((name, listener),) = settings.listeners.items()
        assert AuditSender(name, listener, SOURCE, made.store).send_next() == 0.0
        keeper.look_after()  # it is not time yet
        assert made.store.after(0, 9)[0].number == 1
        clock.now += DAY
        keeper.look_after()
        assert made.store.after(0, 9)[0].number == 5
        assert made.store.verify().is_whole


def test_six_months_are_kept_at_least() -> None:
    with pytest.raises(Exception, match="183 or more"):
        parse({"audit": {"keep_days": 100}})
    with pytest.raises(Exception, match="same host and port"):
        parse({"audit": {"syslog": [{"host": "a"}, {"host": "a"}]}})
    with pytest.raises(Exception, match=r"audit\.syslog 1: unknown setting hots, did you mean"):
        parse({"audit": {"syslog": [{"host": "a", "hots": "a"}]}})
