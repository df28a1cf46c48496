"""A command waits ten seconds for a database server that is away, and says so in one line."""

import subprocess
import sys
from contextlib import ExitStack
from itertools import product
from pathlib import Path

from hilum_lab.network.processes import available_port
from tests.patience import PATIENCE
from tests.postgres import Postgres

COMMANDS = ("status", "trace 1.2", "retry 1", "recover")


def test_a_command_does_not_wait_without_end(tmp_path: Path, postgres: Postgres) -> None:
    """Neither for a server that is down, nor for one that was stopped."""
    down = f"postgresql+psycopg://hilum@127.0.0.1:{available_port()}/hilum"
    stopped = postgres.database()
    with ExitStack() as stack:
        stack.enter_context(postgres.silent())
        started = []
        for words, database in [*product(COMMANDS, [down]), ("status", stopped)]:
            settings = tmp_path / f"{len(started)}.toml"
            settings.write_text(f'data = "{tmp_path}/data"\ndatabase = "{database}"\n')
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
