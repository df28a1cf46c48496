"""A study from the scanner to a web archive in a hospital: behind nginx, with its own certificate,
a path in front, and a Bearer token that nginx checks; the Orthanc behind it wants a login.
"""

import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from factory import mr_slices, write
from hilum.dicom.instance import Instance
from hilum.hints import HintSender, Written, gateway_address
from plugin import BRIGHT, install_plugin
from tests.archives import Orthanc
from tests.web_front import PASSWORD, TOKEN, USER, WITH_LOGIN, Nginx

from .site import running


def test_a_study_arrives_with_a_token_and_is_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    token = tmp_path / "token"
    token.write_text("an old one")
    token.chmod(0o600)
    scan = write(mr_slices("good", count=4), tmp_path / "scan")
    study_uid = Instance.read(scan[0]).study_uid
    with Orthanc(tmp_path / "pacs", settings=WITH_LOGIN) as pacs, Nginx(tmp_path, pacs) as nginx:
        destination = {
            "name": "pacs",
            "kind": "dicomweb",
            "url": f"{nginx.https}/token/dicom-web",
            "token_file": token,
            "tls": {"ca_file": nginx.certificates.ca},
        }
        rule = {"module": "bright-volume", "send_to": ["pacs"], "quiet_seconds": 1}
        with running(tmp_path, destination=[destination], rule=[rule]) as hilum:
            hilum.send(scan)
            hilum.until(lambda: hilum.records.deliveries.parked(), "the refusal of the old token")
            token.write_text(TOKEN)  # the cure
            (item,) = hilum.records.workitems.of_study(study_uid)
            assert hilum.records.moves.release(item, ["pacs"], "released", time.time())
            with closing(HintSender(gateway_address(hilum.site.data))) as hints:
                hints.send(Written())
            (item_view,) = hilum.settled(study_uid).workitems
            (delivery,) = item_view.deliveries
            assert delivery.state == "verified", delivery.reason
            log = (hilum.site.data / "logs" / "hilum.log").read_text()
            owed = hilum.records.results.of_workitem(item.id)
        assert TOKEN not in log and "an old one" not in log
        known = httpx.get(f"{pacs.url}/instances?expand", auth=(USER, PASSWORD)).json()
        assert {one["MainDicomTags"]["SOPInstanceUID"] for one in known} == {
            one.identity for one in owed
        }
