"""A running Hilum tells of an alarm once, also after a crash, whatever hangs meanwhile."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.records import tables
from hilum.records.models.patients import Correction
from plugin import BRIGHT, install_plugin
from tests.notifiers.servers import Hook, web_hook

from .site import Running, running

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def told(hook: Hook) -> list[tuple[str, str]]:
    """Name and change of each alarm that was told with success, in order."""
    bodies = [json.loads(body) for _, body in hook.posts]
    return [(a["alarm"], a["change"]) for body in bodies for a in body["data"]["alarms"]]


def correct(hilum: Running, is_wrong: bool) -> None:
    """Somebody has to decide, or nobody any more."""
    if is_wrong:
        hilum.records.corrections.note(Correction("1.2", "key", 0.0, ("CT1",), is_open=True))
    else:
        delete = tables.correction.delete()
        hilum.records.database.transact(lambda connection: connection.execute(delete))


def kill_gateway(hilum: Running) -> None:
    pid = hilum.supervisor.processes["gateway"].pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    hilum.until(lambda: hilum.supervisor.processes["gateway"].pid != pid, "a new gateway")


def test_it_is_told_once_and_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    images = mr_slices("t1", count=4)
    with web_hook() as hook, socket.create_server(("127.0.0.1", 0)) as silent:
        program = {"name": "ops", "kind": "webhook", "url": hook.url, "secret_file": secret}
        mail = {"name": "mail", "kind": "email", "host": "127.0.0.1", "sender": "a@b"}
        mail |= {"port": silent.getsockname()[1], "recipients": ["a@b"], "timeout_seconds": 600}
        settings = {
            "notify": [{**program, "pause_seconds": 0}, mail],
            "destination": [{"name": "out", "kind": "folder", "folder": tmp_path / "out"}],
            "rule": [{"module": "bright-volume", "send_to": ["out"], "quiet_seconds": 1}],
        }
        hook.status = 500
        with running(tmp_path, **settings) as hilum:
            correct(hilum, is_wrong=True)
            hilum.until(lambda: hook.posts, "the first attempt")
            hilum.until(lambda: hilum.records.notices.standing("ops").attempts, "its failure")
            kill_gateway(hilum)
            first, *_ = hook.posts
            hook.status = 204
            hilum.until(lambda: not hilum.records.notices.owed("ops"), "the beginning to be told")
            ids = {headers["webhook-id"] for headers, _ in hook.posts}
            assert ids == {first[0]["webhook-id"]}
            hook.posts.clear()
            kill_gateway(hilum)
            hilum.send(write(images, tmp_path / "exam"))  # while the mail server hangs
            (item,) = hilum.settled(images[0].StudyInstanceUID).workitems
            assert item.state == "completed"
            correct(hilum, is_wrong=False)
            hilum.until(lambda: told(hook), "the end to be told")
            assert told(hook) == [("corrections", "ended")]
            assert hilum.records.notices.owed("mail") != []
        log = (hilum.site.data / "logs" / "hilum.log").read_text()
    assert log.count("alarm: corrected") == 1
    assert log.count("the alarm is over: corrections") == 1
