"""Asks a module that was just installed what it is, behind the walls that it will run behind."""

import json
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from hilum.hosts.beginning import ChildPlan, begin, describe
from hilum.hosts.elsewhere import in_environment
from hilum.hosts.scratch import make_scratch, remove
from hilum.hosts.walls import Reach, files
from hilum.installing.uv import InstallingError
from hilum.process import fork_server

SECONDS = 120  # in which it is to load
MEMORY_MB = 8192


def described(python: Path, folder: Path, target: str) -> dict[str, Any]:
    """What the module that `target` names says of itself; `InstallingError` if it does not load."""
    scratch = make_scratch()
    try:
        return _asked(python, folder, target, scratch)
    finally:
        remove(scratch)


def _asked(python: Path, folder: Path, target: str, scratch: Path) -> dict[str, Any]:
    reach = Reach(scratch, memory_mb=MEMORY_MB)
    interpreter = in_environment(python, folder.resolve(), target, reach, needs_walls=False)
    plan = ChildPlan(target, None, 1, reach, False, files.NEWEST_ABI, interpreter)
    ours, theirs = Pipe(duplex=False)
    process = fork_server(begin.__module__, shared=True).Process(
        target=describe, args=(plan, theirs), name="hilum modules"
    )
    process.start()
    theirs.close()
    try:
        if not ours.poll(SECONDS):
            raise InstallingError(f"the module did not load in {SECONDS} s")
        told = json.loads(ours.recv_bytes())
    except EOFError as error:
        raise InstallingError("the module's process died while it loaded the module") from error
    finally:
        process.kill()
        process.join()
        ours.close()
    if problem := told.get("problem"):
        raise InstallingError(f"the module does not load: {problem}")
    about: dict[str, Any] = told["module"]
    return about
