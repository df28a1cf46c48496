import json
from pathlib import Path

from hilum_example.tray import TraySettings, TrayWorklist

from hilum.testing import check_worklist


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    def schedule(uid: str, study_uid: str) -> None:
        step = {"code": ["BRAIN", "99HOSPITAL", "Measure the brain"], "study": study_uid}
        (tmp_path / f"{uid}.step").write_text(json.dumps(step))

    settings = TraySettings(name="tray", folder=tmp_path)
    check_worklist(lambda: TrayWorklist(settings), schedule, ("BRAIN", "99HOSPITAL"))
