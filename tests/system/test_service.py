"""The processes of the service: each role apart, none in the way of another."""

import os
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from factory import mr_slices, write
from hilum.config.site import Site
from hilum.dicom.instance import Instance
from hilum.errors import ConfigurationError
from hilum.service.preflight import alone_in, require_free_ports
from hilum.service.processes import CALLED
from hilum.service.roles import Role
from hilum.service.supervisor import EVERY_ROLE, Supervisor
from hilum.service.tasks import tasks
from hilum_lab.network.processes import available_port, listens
from plugin import BRIGHT, install_plugin
from tests.signing_in import asked

from .site import running
from .test_modules import site_for


def test_a_console_that_stands_still_slows_no_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    files = write(mr_slices(count=8), tmp_path / "scan")
    with running(tmp_path, EVERY_ROLE, **site_for(tmp_path, "bright-volume")) as hilum:
        console = hilum.supervisor.processes["console"].pid
        assert console
        os.kill(console, signal.SIGSTOP)
        hilum.send(files)
        study = hilum.settled(Instance.read(files[0]).study_uid)
        assert [item.state for item in study.workitems] == ["completed"]
        os.kill(console, signal.SIGKILL)
        hilum.until(lambda: hilum.supervisor.processes["console"].pid != console, "another one")
        hilum.until(lambda: listens(hilum.site.console.port), "the console")
        shown = asked(hilum.site, "/api/v1/studies").json()["studies"]
        assert [view["study_uid"] for view in shown] == [study.study_uid]


def test_a_process_that_dies_again_and_again_is_an_alarm(tmp_path: Path) -> None:
    with running(tmp_path, [Role.RECEIVER, Role.CONSOLE]) as hilum:
        url = f"http://127.0.0.1:{hilum.site.console.port}/health"
        for _ in range(5):
            console = hilum.supervisor.processes["console"]
            assert console.pid
            os.kill(console.pid, signal.SIGKILL)
            console.join()
            hilum.supervisor._deaths["console"] = []  # no pause here
            hilum.until(lambda old=console: hilum.supervisor.processes["console"] != old, "it")
        hilum.until(lambda: listens(hilum.site.console.port), "the console")
        assert [alarm["name"] for alarm in httpx.get(url).json()["alarms"]] == ["process console"]


def test_roles_that_are_started_alone_work_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    files = write(mr_slices(count=8), tmp_path / "scan")
    with running(tmp_path, [Role.RECEIVER], **site_for(tmp_path, "bright-volume")) as hilum:
        hilum.send(files)
        with ExitStack() as stack:
            for role in (Role.GATEWAY, Role.WORKER):
                alone = Supervisor(hilum.site, [role])
                stack.callback(alone.stop)
                alone.start()
            hilum.settled(Instance.read(files[0]).study_uid)
        assert list(hilum.supervisor.processes) == ["receiver"]


def test_every_role_is_once_in_a_folder_but_workers(tmp_path: Path) -> None:
    with alone_in(tmp_path, [Role.GATEWAY, Role.WORKER]), alone_in(tmp_path, [Role.WORKER]):
        for roles in ([Role.GATEWAY], EVERY_ROLE):
            with (
                pytest.raises(ConfigurationError, match=r"another `hilum serve` .* \(gateway\)"),
                alone_in(tmp_path, roles),
            ):
                pass
        with alone_in(tmp_path, [Role.CONSOLE]):
            pass
    with alone_in(tmp_path, EVERY_ROLE):
        pass


def test_ports_that_are_taken_are_named_with_the_cure(tmp_path: Path) -> None:
    with socket.socket() as receiver, socket.socket() as console:
        for taken in (receiver, console):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
        ports = [taken.getsockname()[1] for taken in (receiver, console)]
        listeners = {"receiver": {"port": ports[0]}, "console": {"port": ports[1]}}
        site = Site.model_validate({"data": tmp_path, **listeners})
        with pytest.raises(ConfigurationError) as refused:
            require_free_ports(site, EVERY_ROLE)
        require_free_ports(site, [Role.WORKER])
    assert str(refused.value) == (
        f"receiver.port {ports[0]}: another program listens there, such as another Hilum: "
        "stop it, or set another port\n"
        f"console.port {ports[1]}: another program listens there, such as another Hilum: "
        "stop it, or set another port"
    )
    nowhere = Site.model_validate({"data": tmp_path, "receiver": {"host": "192.0.2.7"}})
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.7: this machine has no such address"):
        require_free_ports(nowhere, [Role.RECEIVER])


def test_every_role_has_its_processes(tmp_path: Path) -> None:
    source = {"name": "pacs", "kind": "orthanc", "url": f"http://127.0.0.1:{available_port()}"}
    site = Site.model_validate({"data": tmp_path, "source": [source], "worker": {"count": 2}})
    names = [name for role in Role for name in tasks(site, role, EVERY_ROLE)]
    assert names == ["receiver", "source-pacs", "gateway", "console", "worker-0", "worker-1"]
    assert set(CALLED) == set(Role)
