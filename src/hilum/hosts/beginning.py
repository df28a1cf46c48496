"""How the process of a module begins: it leaves what it inherited, is walled in, and loads.

It is forked by a fork server, so it has one thread, and holds what was imported and nothing else.
"""

import json
import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hilum.control_groups import MemoryGroup
from hilum.environments import InEnvironment
from hilum.errors import ModuleError
from hilum.hosts.channel import Ended, ModuleAnswer, handed_over, send
from hilum.hosts.elsewhere import Elsewhere, Interpreter
from hilum.hosts.inside import serve
from hilum.hosts.keeping import go_on_below_a_keeper
from hilum.hosts.walls import Reach, limits
from hilum.module import Module, installed_module
from hilum.process import die_with_parent, tie_to
from hilum.servers import Ask, Terms

KEPT_VARIABLES = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "PYTHONPATH", "TZ")


@dataclass(frozen=True)
class ChildPlan:
    """What the process of a module is to be.

    `needs_walls`: it does not start where the machine lacks a wall. `abi` is the newest Landlock
    that is used. `interpreter` is what runs a module that has an environment of its own, `terms`
    are those of a server that computes the module. `keeper`: it may start processes, which
    have to end with it; `group` limits their memory, where the system can.
    """

    module: str
    models: Path | None
    threads: int
    reach: Reach
    needs_walls: bool
    abi: int
    interpreter: Interpreter | None = None
    terms: Terms | None = None
    keeper: bool = False
    group: MemoryGroup | None = None


def begin(plan: ChildPlan, pipe: socket.socket) -> None:
    """Be the process of a module, until the worker ends."""
    die_with_parent()
    os.setsid()  # no terminal, and a group of its own
    shelf, worker, *output = handed_over(pipe)
    if plan.keeper:
        go_on_below_a_keeper(worker)
    else:
        tie_to(worker)
    for number in (1, 2) if output else ():
        os.dup2(output[0], number)
    _leave_all_but({shelf, worker, pipe.fileno()}, plan)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    elsewhere = _elsewhere(plan)
    try:
        missing = plan.reach.confine(plan.abi)
    except OSError as error:
        send(pipe, _refused(f"its walls cannot be raised ({error.strerror})"))
    else:
        lacking = "; ".join(wall.value for wall in missing)
        if lacking and plan.needs_walls:
            send(pipe, _refused(lacking))
        else:
            serve(partial(_loaded, plan, elsewhere), pipe, shelf, lacking)
    os._exit(0)  # without the last words of what was inherited


def _leave_all_but(descriptors: set[int], plan: ChildPlan) -> None:
    """Have nothing else of whom we were forked from: no file, no variable, no folder."""
    limits.close_all_but({0, 1, 2, *descriptors})
    limits.forget_environment(_environment(plan))
    tempfile.tempdir = str(plan.reach.scratch)
    os.chdir(plan.reach.scratch)


def _environment(plan: ChildPlan) -> Mapping[str, str]:
    scratch = str(plan.reach.scratch)
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return kept | {
        "HOME": scratch,
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": str(plan.threads),
        # A thread of PyTorch that waits for another one sleeps. To look all the time, as is usual,
        # takes twenty times the work where other programs want the same cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        "ORT_DISABLE_TELEMETRY": "1",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TMPDIR": scratch,
        "USER": "module",  # PyTorch asks for its name, and the list of users is behind the wall
    }


def describe(plan: ChildPlan, answer: Connection) -> None:
    """Tell what the module in an environment says of itself, or why it says nothing, and end."""
    die_with_parent()
    os.setsid()
    _leave_all_but({answer.fileno()}, plan)
    elsewhere = _elsewhere(plan)
    assert elsewhere is not None
    try:
        told: Mapping[str, Any] = {"module": elsewhere.loaded()}
    except ModuleError as error:
        told = {"problem": str(error)}
    answer.send_bytes(json.dumps(told).encode())
    os._exit(0)


def _elsewhere(plan: ChildPlan) -> Elsewhere | None:
    """The process of the module's own interpreter, which we fork while we still may."""
    if plan.interpreter is None:
        return None
    return Elsewhere(plan.interpreter, plan.reach.memory_mb, plan.abi)


def _loaded(plan: ChildPlan, elsewhere: Elsewhere | None, ask: Ask) -> Module:
    module = installed_module(plan.module, plan.models)
    if plan.terms is not None:
        from hilum.servers.at_server import AtServer  # most modules ask no server

        assert issubclass(module, AtServer)
        return module(plan.terms, ask)
    if elsewhere is None:
        return module()
    elsewhere.loaded()
    assert issubclass(module, InEnvironment)
    return module(elsewhere.ask)


def _refused(why: str) -> ModuleAnswer:
    text = f'the module does not start: {why}; or set walls = "best-effort" in its [[host]]'
    return ModuleAnswer(number=0, ended=Ended.FAILED, text=text)
