"""`hilum destinations` finds what is wrong with a destination before a result does."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, evt
from typer.testing import CliRunner

from hilum.cli import app
from hilum.destinations.dimse import DimseDestinationSettings
from hilum.transport import query
from hilum.transport.dimse import VERIFICATION
from hilum_lab.archives.behaviour import AE_TITLE
from hilum_lab.archives.dicomweb import DicomwebArchive
from hilum_lab.archives.dimse import DimseArchive
from hilum_lab.network.processes import LOOPBACK, available_port

SOON = 0.2  # seconds: enough for those that never answer
STORAGE = [str(context.abstract_syntax) for context in AllStoragePresentationContexts]


@contextmanager
def entity(
    *without: str, find_status: int = 0, calling: str = "", find: bool = True
) -> Iterator[int]:
    """The port of an archive that lacks something."""
    scp = AE(AE_TITLE)
    scp.require_called_aet = True
    scp.require_calling_aet = [calling] if calling else []
    classes = [uid for uid in STORAGE if uid not in without]
    for uid in (VERIFICATION, *([query.FIND] if find else []), *classes):
        scp.add_supported_context(uid, ExplicitVRLittleEndian if uid in classes else None)
    handlers: list[Any] = [(evt.EVT_C_FIND, lambda _event: iter([(find_status, None)]))]
    port = available_port()
    server = scp.start_server((LOOPBACK, port), False, evt_handlers=handlers)
    try:
        yield port
    finally:
        server.shutdown()


@contextmanager
def silent() -> Iterator[int]:
    """The port of something that takes connections and says nothing."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, tuple[dict[str, Any], str]]]:
    """Settings by name, each with one mistake, and what must be said about it."""
    monkeypatch.setattr("hilum.transport.scu.PROBE_SECONDS", SOON)
    archive, web = DimseArchive(available_port()), DicomwebArchive()
    archive.open()
    web.open()
    (tmp_path / "file").touch()
    (tmp_path / "open").write_text("secret")
    (tmp_path / "open").chmod(0o644)

    def dimse(port: int = archive.port, **values: Any) -> dict[str, Any]:
        node = {"host": LOOPBACK, "port": port, "ae_title": AE_TITLE, "timeout_seconds": 2}
        return {"kind": "dimse", **node, **values}

    def http(url: str = web.url, **values: Any) -> dict[str, Any]:
        return {"kind": "dicomweb", "url": url, "timeout_seconds": 2, **values}

    with ExitStack() as stack:
        stack.callback(archive.close)
        stack.callback(web.close)
        port_of = stack.enter_context
        nobody = available_port()
        yield {
            "good": (dimse(), ""),
            "good-web": (http(), ""),
            "good-folder": ({"kind": "folder", "folder": str(tmp_path / "out")}, ""),
            "title": (dimse(ae_title="OTHER"), "C-ECHO"),
            "host": (dimse(host="nowhere.invalid"), "C-ECHO"),
            "port": (dimse(nobody), "C-ECHO"),
            "silent": (dimse(port_of(silent()), timeout_seconds=SOON), "C-ECHO"),
            "http": (dimse(web.port, timeout_seconds=SOON), "C-ECHO"),
            "caller": (dimse(port_of(entity(calling="KNOWN"))), "C-ECHO"),
            "pdf": (dimse(port_of(entity(EncapsulatedPDFStorage))), "C-STORE"),
            "label-maps": (dimse(port_of(entity()), segmentation="labelmap"), "label maps"),
            "stores-nothing": (dimse(port_of(entity(*STORAGE))), "C-STORE"),
            "no-find": (dimse(port_of(entity(find=False))), "C-FIND"),
            "find-fails": (dimse(port_of(entity(find_status=0xC000))), "C-FIND"),
            "find-refuses": (dimse(port_of(entity(find_status=0xA700))), "C-FIND"),
            "no-get": (dimse(retrieve="c-get"), "C-GET"),
            "no-commitment": (dimse(proof="commitment"), "storage commitment"),
            "web-port": (http(f"http://{LOOPBACK}:{nobody}"), "STOW-RS"),
            "web-host": (http("http://nowhere.invalid"), "STOW-RS"),
            "web-dicom": (http(f"http://{LOOPBACK}:{archive.port}"), "STOW-RS"),
            "tls": (dimse(tls={}), "C-ECHO"),
            "web-tls": (http(web.url.replace("http:", "https:")), "STOW-RS"),
            "open-password": (
                http(username="hilum", password_file=str(tmp_path / "open")),
                "settings",
            ),
            "folder": ({"kind": "folder", "folder": str(tmp_path / "file" / "out")}, "folder"),
        }


def write_config(folder: Path, destinations: dict[str, dict[str, Any]]) -> Path:
    lines = [f"data = {json.dumps(str(folder / 'data'))}"]
    for name, values in destinations.items():
        lines += ["[[destination]]", f"name = {json.dumps(name)}"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    config = folder / "hilum.toml"
    config.write_text("\n".join(lines))
    return config


def test_every_mistake_is_found_before_a_result_is_sent(
    tmp_path: Path, wrong: dict[str, tuple[dict[str, Any], str]]
) -> None:
    config = write_config(tmp_path, {name: values for name, (values, _) in wrong.items()})
    asked = CliRunner().invoke(app, ["destinations", "--json", "--config", str(config)])
    assert asked.exit_code == 1
    shown = {one["name"]: one for one in json.loads(asked.stdout)}
    failed = {
        name: [check["what"] for check in one["checks"] if not check["good"]]
        for name, one in shown.items()
    }
    assert len(wrong) - 3 >= 16
    for name, (_, what) in wrong.items():
        assert shown[name]["good"] == (not what), name
        assert (failed[name][0] if what else "") == what, name
        assert all(check["text"] for check in shown[name]["checks"])


def test_the_refusal_is_shown(tmp_path: Path) -> None:
    with entity(EncapsulatedPDFStorage) as port:
        node = {"kind": "dimse", "host": LOOPBACK, "port": port, "ae_title": AE_TITLE}
        config = write_config(tmp_path, {"pacs": node})
        asked = CliRunner().invoke(app, ["destinations", "--config", str(config)])
        assert asked.exit_code == 1
        lines = asked.stdout.splitlines()
        assert "  C-ECHO: answers" in lines
        [refused] = [line for line in lines if line.startswith("  C-STORE: ")]
        assert "PDF" in refused
        kinds = [kind for kind in DimseDestinationSettings.model_fields["objects"].default]
        others = [kind for kind in kinds if kind != "pdf"]  # as it tells
        config = write_config(tmp_path, {"pacs": {**node, "objects": others}})
        asked = CliRunner().invoke(app, ["destinations", "--config", str(config)])
        assert asked.exit_code == 0, asked.stdout
