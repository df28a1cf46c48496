"""A command waits ten seconds for a database server that is down, and says so in one line."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from hilum_lab.network.processes import available_port
from tests.patience import PATIENCE

COMMANDS = ("status", "trace 1.2", "retry 1", "recover")


def test_a_command_does_not_wait_without_end(tmp_path: Path) -> None:
    settings = tmp_path / "hilum.toml"
    database = f"postgresql+psycopg://hilum@127.0.0.1:{available_port()}/hilum"
    settings.write_text(f'data = "{tmp_path}/data"\ndatabase = "{database}"\n')
    with ExitStack() as stack:
        started = []
        for words in COMMANDS:
            line = [sys.executable, "-m", "hilum", *words.split(), "--config", str(settings)]
            process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            started.append(process)
        for process in started:
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 1
            assert "the records do not answer for 1" in said
            assert "Traceback" not in said
