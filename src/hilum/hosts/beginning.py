"""How the process of a module begins: it leaves what it inherited, is walled in, and loads.

It is forked by a fork server, so it has one thread, and holds what was imported and nothing else.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hilum.hosts.channel import Ended, ModuleAnswer, handed_over, send
from hilum.hosts.inside import serve
from hilum.hosts.walls import Reach, Wall, limits
from hilum.module import Module, installed_module
from hilum.process import die_with_parent, tie_to

KEPT_VARIABLES = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "PYTHONPATH", "TZ")


@dataclass(frozen=True)
class ChildPlan:
    """What the process of a module is to be.

    `needs_walls`: it does not start where the machine lacks a wall. `abi` is the newest Landlock
    that is used.
    """

    module: str
    models: Path | None
    threads: int
    reach: Reach
    needs_walls: bool
    abi: int


def begin(plan: ChildPlan, pipe: socket.socket) -> None:
    """Be the process of a module, until the worker ends."""
    die_with_parent()
    os.setsid()  # no terminal, and a group of its own
    shelf, worker, *output = handed_over(pipe)
    tie_to(worker)
    for number in (1, 2) if output else ():
        os.dup2(output[0], number)
    limits.close_all_but({0, 1, 2, shelf, worker, pipe.fileno()})
    limits.forget_environment(_environment(plan))
    tempfile.tempdir = str(plan.reach.scratch)
    os.chdir(plan.reach.scratch)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        missing = plan.reach.confine(plan.abi)
    except OSError as error:
        send(pipe, _refused(f"its walls cannot be raised ({error.strerror})"))
    else:
        if missing and plan.needs_walls:
            send(pipe, _refused("; ".join(wall.value for wall in missing)))
        else:
            serve(lambda: _loaded(plan), pipe, shelf, _told(missing))
    os._exit(0)  # without the last words of what was inherited


def _environment(plan: ChildPlan) -> Mapping[str, str]:
    scratch = str(plan.reach.scratch)
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return kept | {
        "HOME": scratch,
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": str(plan.threads),
        "ORT_DISABLE_TELEMETRY": "1",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TMPDIR": scratch,
    }


def _loaded(plan: ChildPlan) -> Module:
    return installed_module(plan.module, plan.models)()


def _told(missing: tuple[Wall, ...]) -> str:
    return "; ".join(wall.value for wall in missing)


def _refused(why: str) -> ModuleAnswer:
    text = f'the module does not start: {why}; or set walls = "best-effort" in its [[host]]'
    return ModuleAnswer(number=0, ended=Ended.FAILED, text=text)
