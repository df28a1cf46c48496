"""A sender that is rejected is seen: in `hilum status`, the log, the records and the console."""

import json
import subprocess
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from hilum.cli import app
from hilum.service.supervisor import EVERY_ROLE
from hilum_lab.network.processes import available_port, listens
from tests.patience import PATIENCE
from tests.settings_text import with_value
from tests.signing_in import asked
from tests.system.site import Running, running


def status(hilum: Running, folder: Path, *options: str) -> str:
    config = folder / "status.toml"
    config.write_text(f'data = "{hilum.site.data}"\n')
    words = ["status", "--config", str(config), *options]
    return CliRunner().invoke(app, words, env={"COLUMNS": "999"}).stdout


def test_a_sender_with_a_wrong_ae_title_is_seen(tmp_path: Path) -> None:
    settings = {"port": available_port(), "allowed_callers": ["MR1"], "low_water_mb": 0}
    with running(tmp_path, EVERY_ROLE, in_file=True, receiver=settings) as hilum:
        port = str(hilum.site.receiver.port)
        echo = ["echoscu", "-aet", "SCANNER2", "-aec", "HIPPOAI", "127.0.0.1", port]
        for _ in range(3):
            assert subprocess.run(echo, capture_output=True, timeout=PATIENCE).returncode != 0

        def rejected() -> dict[str, Any] | None:
            rows = json.loads(status(hilum, tmp_path, "--json"))["rejections"]
            return next((row for row in rows if row["count"] == 3), None)

        row = hilum.until(rejected, "three rejections on record")
        assert (row["caller"], row["called"], row["address"]) == (
            "SCANNER2",
            "HIPPOAI",
            "127.0.0.1",
        )
        cure = "is not among receiver.allowed_callers: correct the sender, or add it"
        shown = status(hilum, tmp_path)
        assert f"3 times (first {shown.split('(first ')[1][:19]})  calling AE title" in shown
        assert f"SCANNER2 at 127.0.0.1 calling HIPPOAI: calling AE title SCANNER2 {cure}" in shown
        assert asked(hilum.site, "/api/v1/rejections").json() == [row]
        hilum.until(lambda: "alarm since" in status(hilum, tmp_path), "the alarm")
        assert "1 sender was rejected within the last hour, the last one SCANNER2" in shown
        log = (hilum.site.data / "logs" / "hilum.log").read_text()
        assert log.count("SCANNER2 (127.0.0.1): calling AE title SCANNER2 is not among") >= 1
        callers = ["MR1", "SCANNER2"]  # the cure
        hilum.change(lambda text: with_value(text, ("receiver", "allowed_callers"), callers))
        hilum.followed()
        hilum.until(lambda: listens(hilum.site.receiver.port), "the listener")
        assert subprocess.run(echo, capture_output=True, timeout=PATIENCE).returncode == 0
