"""From start to end in a browser: a rule is mended, and what it has missed is analysed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory import mr_slices, write
from hilum.cli import app
from hilum.config import load
from hilum.dicom.instance import Instance
from hilum.people.roles import UserRole
from hilum.service.supervisor import EVERY_ROLE
from plugin import BRIGHT, install_plugin
from tests.browser import CHROMIUM, Reader
from tests.signing_in import browse_as

from .site import running
from .test_modules import delivered, site_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
]


def test_a_mended_rule_reaches_what_it_has_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    exams = [write(mr_slices(study=name, count=8), tmp_path / name) for name in ("one", "two")]
    first, second = (Instance.read(files[0]).study_uid for files in exams)
    settings = site_for(tmp_path, "bright-volume")
    settings["destination"][0]["folder"] = str(tmp_path / "out")
    settings["rule"][0] |= {"series": {"SeriesDescription": "^Hipo"}, "study_quiet_seconds": 1}
    with (
        running(tmp_path, EVERY_ROLE, in_file=True, **settings) as hilum,
        Reader(width=1280) as reader,
    ):
        for files, uid in zip(exams, (first, second), strict=True):
            hilum.send(files)
            assert hilum.settled(uid).workitems[0].state == "not applicable"
        address = hilum.records.identifiers.addresses([first])[first]
        page = reader.page
        browse_as(page, hilum.site, UserRole.ADMINISTRATOR)
        page.goto(f"http://127.0.0.1:{hilum.site.console.port}/rules")
        page.get_by_role("link", name="Change").click()
        page.get_by_label("series", exact=True).fill("SeriesDescription = ^Hippo")
        page.get_by_role("button", name="Show what would change").first.click()
        page.wait_for_selector("text=2 of 2 studies would be treated otherwise")
        page.get_by_role("button", name="Save").first.click()
        page.wait_for_url("**/rules/versions/2")
        hilum.followed()
        page.get_by_role("link", name="Look which studies of the last week").click()
        page.wait_for_selector("text=2 studies of the last 7 days would be analysed now")
        page.check(f"#tick-{address}")
        page.get_by_role("button", name="Run the ticked ones").click()
        page.wait_for_selector("text=Asked for 1 study")
        made = load(hilum.file.path).rule[0].key
        hilum.until(lambda: hilum.records.workitems.last_run(first, made), "its run")
        study = hilum.settled(first)
        assert [item.state for item in study.workitems if item.kind == "run"] == ["completed"]
        assert load(hilum.file.path).rule[0].series == {"SeriesDescription": "^Hippo"}
        assert {ds.StudyInstanceUID for ds in delivered(tmp_path)} == {first}
        command = ["rerun", "--since", "2026-01-01", "-c", str(hilum.file.path)]
        shown = CliRunner().invoke(app, [*command, "--rule", "bright-volume", "--dry-run"])
        assert (second in shown.output, first in shown.output) == (True, False)
        assert CliRunner().invoke(app, command).exit_code == 0
        hilum.until(lambda: hilum.records.workitems.last_run(second, made), "its run")
        hilum.settled(second)
    assert {ds.StudyInstanceUID for ds in delivered(tmp_path)} == {first, second}
