"""Runs the client of a container, and ends the container with it, or with the worker.

    python -I -S keeper.py WORKER REMOVE CLIENT

WORKER is the descriptor of a pipe that ends with the worker; REMOVE and CLIENT are commands, each a
JSON list of words. It is a program of its own, so that it begins at once and knows no study: a
client that is killed leaves its container running, so somebody has to outlive the worker. It ends
as the client has ended.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys

REMOVING_SECONDS = 120
PR_SET_PDEATHSIG = 1


def _die_with_the_keeper() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(worker: int, remove: list[str], client: list[str]) -> int:
    """Run `client` until it, or whoever holds `worker`, ends; its exit status."""
    # A client that is left alone could make its container after it was looked for.
    running = subprocess.Popen(client, preexec_fn=_die_with_the_keeper)
    poll = select.poll()
    poll.register(worker, select.POLLIN)
    poll.register(os.pidfd_open(running.pid), select.POLLIN)
    if any(descriptor == worker for descriptor, _event in poll.poll()):
        running.kill()
    status = running.wait()
    # If it cannot be removed now, it is when a worker starts.
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(remove, capture_output=True, timeout=REMOVING_SECONDS, check=False)
    return status if status >= 0 else 128 - status  # as a shell says it


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *map(json.loads, sys.argv[2:])))
