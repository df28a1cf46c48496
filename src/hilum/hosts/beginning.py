"""How the process of a module begins: it leaves what it inherited, is walled in, and loads.

It is forked by a fork server, so it has one thread, and holds what was imported and nothing else.
"""

import faulthandler
import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from hilum.config.fields import JSONValues
from hilum.environments import InEnvironment
from hilum.errors import ConfigurationError, ModuleError, where
from hilum.hosts.channel import LONGEST, Ended, ModuleAnswer, asked, handed_over, send
from hilum.hosts.elsewhere import Elsewhere, FailedElsewhere
from hilum.hosts.inside import serve
from hilum.hosts.keeping import SAY_WHERE, go_on_below_a_keeper
from hilum.hosts.planning import ChildPlan
from hilum.hosts.walls import limits
from hilum.hosts.walls.deeds import deed_of, named
from hilum.module import Input, Module, Need, inputs_of, parameters_of
from hilum.module.description import Description, Judge
from hilum.processes.process import die_with_parent, tie_to
from hilum.servers import Ask
from hilum.wording import counted
from hilum_module.places import readable

MOST_OF_PROBLEM, MOST_OF_OBJECTION = 500, 200  # characters
KEPT_VARIABLES = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "PYTHONPATH", "TZ")


@dataclass(frozen=True)
class Question:
    """What a module is asked: what it is.

    With `parameters`, whether a rule may set these; with `input`, whether it means the series whose
    files are given for the input of that name.
    """

    parameters: JSONValues | None = None
    input: str = ""


class SelfReport(BaseModel):
    """What it says, or the `problem` for which it says nothing."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")

    said: JsonValue = None
    problem: str = Field("", max_length=MOST_OF_PROBLEM)


def begin(plan: ChildPlan, pipe: socket.socket) -> None:
    """Be the process of a module, until the worker ends."""
    die_with_parent()
    os.setsid()  # no terminal, and a group of its own
    shelf, worker, *output = handed_over(pipe)
    _end_with(worker, plan)
    for number in (1, 2) if output else ():
        os.dup2(output[0], number)
    _leave_all_but({shelf, worker, pipe.fileno()}, plan)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()  # where it crashes, the line does not die with it
    faulthandler.register(SAY_WHERE)
    elsewhere = _elsewhere(plan)
    try:
        lacking = _raise_walls(plan)
    except ConfigurationError as error:
        send(pipe, ModuleAnswer(number=0, ended=Ended.FAILED, text=str(error)))
    else:
        serve(partial(_loaded, plan, elsewhere), pipe, shelf, lacking)
    os._exit(0)  # without the last words of what was inherited


def _end_with(asker: int, plan: ChildPlan) -> None:
    """End, with all that the module has started, once nobody can write to the pipe `asker`."""
    if plan.keeper:
        go_on_below_a_keeper(asker)
    else:
        tie_to(asker)


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


def tell(plan: ChildPlan, question: Question, pipe: socket.socket) -> None:
    """Be the process of a module that says what it is asked, and end."""
    die_with_parent()
    os.setsid()
    (asker,) = handed_over(pipe)
    _end_with(asker, plan)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # it may print whatever it likes
        os.dup2(nothing, number)
    _leave_all_but({asker, pipe.fileno()}, plan)
    elsewhere = _elsewhere(plan)
    try:
        _raise_walls(plan)
    except ConfigurationError as error:
        told = SelfReport(problem=str(error))
    else:
        told = _told(plan, elsewhere, question, pipe)
    content = told.model_dump_json().encode()
    for start in range(0, len(content), LONGEST):
        pipe.send(content[start : start + LONGEST])
    os._exit(0)


def _told(
    plan: ChildPlan, elsewhere: Elsewhere | None, question: Question, pipe: socket.socket
) -> SelfReport:
    """What the module says; whatever it raises is told in words."""
    try:
        if elsewhere is not None:
            about = dict(elsewhere.loaded())
            if not question.input:
                return SelfReport(said=about)
        module = plan.origin.load()
        if question.parameters is not None:
            parameters_of(module, question.parameters)
            return SelfReport()
        if question.input:
            need = inputs_of(module)[question.input]
            judge = need.objection if isinstance(need, Input) else None
            if elsewhere is not None:
                judge = partial(elsewhere.objection, question.input)
            return SelfReport(said=_objection(plan, need, judge, question.input, pipe))
        return SelfReport(said=Description.of(module).model_dump(mode="json"))
    except BaseException as error:  # noqa: BLE001 - a module may raise anything while it loads
        return SelfReport(problem=readable(_problem(error, plan))[:MOST_OF_PROBLEM])


def _objection(
    plan: ChildPlan, need: Need, judge: Judge | None, name: str, pipe: socket.socket
) -> str:
    """Why `judge` does not mean the series whose files come by the pipe, "" if it does.

    It is for the input called `name`, which is what the module may `need`.
    """
    _order, inputs, lost = asked(pipe)
    if lost:
        raise ModuleError(f"{counted(lost, 'file')} are more than its process may open")
    if not isinstance(need, Input) or judge is None:
        return ""
    try:
        return str(judge(need.read(inputs[name])) or "")[:MOST_OF_OBJECTION]
    except FailedElsewhere:
        raise
    except BaseException as error:  # its own text may hold patient data
        raise ModuleError(f"its function raised {where(error, plan.origin.package)}") from error


def _problem(error: BaseException, plan: ChildPlan) -> str:
    known = isinstance(error, ConfigurationError | ModuleError)
    text = str(error) if known else f"{plan.origin.target}: {where(error)}"
    if isinstance(error.__cause__ or error, MemoryError):
        text = f"{text}: it needs more than {plan.reach.memory_mb} MiB: raise worker.memory_mb"
    deed = None if isinstance(error, FailedElsewhere) else deed_of(error)
    return named(deed, text) if deed else text


def _elsewhere(plan: ChildPlan) -> Elsewhere | None:
    """The process of the module's own interpreter, which we fork while we still may."""
    if plan.interpreter is None:
        return None
    return Elsewhere(plan.interpreter, plan.reach.memory_mb, plan.abi)


def _loaded(plan: ChildPlan, elsewhere: Elsewhere | None, ask: Ask) -> Module:
    module = plan.origin.load()
    if plan.terms is not None:
        from hilum.servers.at_server import AtServer  # most modules ask no server

        assert issubclass(module, AtServer)
        return module(plan.terms, ask)
    if elsewhere is None:
        return module()
    elsewhere.loaded()
    assert issubclass(module, InEnvironment)
    return module(elsewhere.ask)


def _raise_walls(plan: ChildPlan) -> str:
    """Raise the walls of `plan`; which ones this machine lacks, in words.

    Raises `ConfigurationError` where they cannot be raised, or the module does not start without.
    """
    try:
        missing = plan.reach.confine(plan.abi)
    except OSError as error:
        raise _refused(f"its walls cannot be raised ({error.strerror})") from error
    lacking = "; ".join(wall.value for wall in missing)
    if lacking and plan.needs_walls:
        raise _refused(lacking)
    return lacking


def _refused(why: str) -> ConfigurationError:
    return ConfigurationError(
        f'the module does not start: {why}; or set walls = "best-effort" in its [[host]]'
    )
