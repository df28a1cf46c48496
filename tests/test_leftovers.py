"""The guard that finds what tests have left behind finds it."""

import os
import signal
import subprocess

from tests import leftovers


def test_a_process_that_lost_its_parent_is_found() -> None:
    forsaken = ["sh", "-c", "sleep 987 > /dev/null & echo $!"]
    said = subprocess.run(forsaken, stdout=subprocess.PIPE, text=True, check=True).stdout
    try:
        found = leftovers.left_over(seconds=0.1)[int(said)]
        assert found.startswith("(s") and found.endswith(": sleep 987")  # "(sleep) S 1: sleep 987"
    finally:
        os.kill(int(said), signal.SIGKILL)
    assert int(said) not in leftovers.left_over()
