"""A running console sends to the hospital's collector what people do, also by command."""

from contextlib import closing
from pathlib import Path

from hilum.audit import AuditedAct
from hilum.audit.store import AuditStore
from hilum.service.roles import Role
from tests.audit.collector import collector
from tests.audit.trails import ALICE, STUDY, auditor, fill
from tests.certificates import SelfSigned
from tests.patience import until
from tests.signing_in import signed_in

from .site import running


def test_what_people_do_reaches_the_collector(tmp_path: Path) -> None:
    certificate = SelfSigned.make(tmp_path)
    with collector(certificate.context) as peer:
        tls = {"ca_file": certificate.certificate}
        settings = {
            "syslog": [{"host": "127.0.0.1", "port": peer.port, "tls": tls}],
            "file": tmp_path / "messages.xml",
        }
        (tmp_path / "hilum").mkdir(mode=0o700)
        with auditor(tmp_path / "hilum") as made:
            fill(made, 2)  # what was noted before it was started
        with running(tmp_path, roles=(Role.RECEIVER, Role.CONSOLE), audit=settings) as hilum:
            until(lambda: len(peer.messages) == 2, "what was there already")
            with signed_in(hilum.site) as client:
                assert client.get("/api/v1/audit").json()["total"] == 3
            until(lambda: len(peer.messages) == 3, "what a program did")
            with auditor(tmp_path / "hilum") as made:  # as a command does
                made.note(AuditedAct.CANCEL, ALICE, STUDY)
            until(lambda: len(peer.messages) == 4, "what another process noted")
            with closing(AuditStore(hilum.site.data / "audit.db")) as store:
                until(lambda: positions(store) == {4}, "a note of how far they have got")
        assert peer.acts() == ["retry", "withdraw", "audit read", "cancel"]
        lines = (tmp_path / "messages.xml").read_bytes().splitlines()
        assert lines == [message["text"] for message in peer.messages]
    with closing(AuditStore(tmp_path / "hilum" / "audit.db")) as store:
        assert store.verify().is_whole
        assert positions(store) == {4}


def positions(store: AuditStore) -> set[int]:
    """How far the collectors have got."""
    return {standing.position for standing in store.standings().values()}
