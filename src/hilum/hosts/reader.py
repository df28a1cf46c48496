"""Asks a module what it is, behind the walls that it runs behind, in a process that then ends.

What that process says is not trusted: it is limited in length and in time.
"""

import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress

from pydantic import JsonValue, ValidationError

from hilum.dicom.parts import Part
from hilum.errors import ConfigurationError, MachineError
from hilum.hosts.beginning import Question, SelfReport, tell
from hilum.hosts.channel import LONGEST, Order, give, hand_over, has_said_something, pair, send
from hilum.hosts.place import Place
from hilum.hosts.planning import ChildPlan, plan_to_describe
from hilum.hosts.scratch import make_scratch, remove
from hilum.module.origin import CodeOrigin
from hilum.processes.process import children_deaf_to_ctrl_c, fork_server
from hilum.wording import printable

LOAD_SECONDS = 45.0  # in which the code of a module is to load
KEEPER_SECONDS = 5.0
MOST_BYTES = 2 << 20  # of what it says


class DidNotComeBack(ConfigurationError):  # noqa: N818
    """A module has not answered in the time that it was given."""


def ask_module(
    name: str,
    origin: CodeOrigin,
    place: Place,
    question: Question,
    seconds: float = LOAD_SECONDS,
    parts: Sequence[Part] = (),
) -> JsonValue:
    """What the module called `name` says, as `ask`, in no more time than a run of it may take."""
    scratch = make_scratch()
    try:
        plan = plan_to_describe(origin, name, place, scratch)
        return ask(plan, question, min(seconds, place.limits.timeout_seconds), parts)
    finally:
        remove(scratch)


def ask(
    plan: ChildPlan,
    question: Question,
    seconds: float = LOAD_SECONDS,
    parts: Sequence[Part] = (),
) -> JsonValue:
    """What the module of `plan` says to `question`; `parts` are the files of a series it is about.

    Raises
    ------
    ConfigurationError
        It does not load, dies, or gives no answer that makes sense; `DidNotComeBack` if it gives
        none in time.
    MachineError
        No process can be started just now.
    """
    try:
        ours, theirs = pair()
        with ours, theirs:
            content = _answer(plan, question, seconds, parts, ours, theirs)
    except (OSError, EOFError) as error:  # no memory or descriptors, or no fork server
        text = f"the module cannot be asked what it is: {type(error).__name__}"
        raise MachineError(f"{text}: see whether this machine has memory and files left") from error
    return _judged(content, plan)


def _answer(
    plan: ChildPlan,
    question: Question,
    seconds: float,
    parts: Sequence[Part],
    ours: socket.socket,
    theirs: socket.socket,
) -> bytes:
    """All that a process says that is started for it and ended."""
    process = fork_server(tell.__module__, shared=True).Process(
        target=tell, args=(plan, question, theirs), name="hilum modules"
    )
    tie, end = os.pipe()  # it ends with us, and the process with it
    try:
        with theirs, children_deaf_to_ctrl_c():
            process.start()
        hand_over(ours, [tie])
        deadline = time.monotonic() + seconds
        if parts:
            _give(ours, question.input, parts, seconds)
        return _said(ours, plan, deadline, seconds)
    finally:
        os.close(tie)
        os.close(end)  # a keeper ends what the module has started
        ours.close()
        if process.pid:
            if plan.keeper:
                process.join(KEEPER_SECONDS)
            process.kill()
            process.join()
            process.close()


def _give(pipe: socket.socket, name: str, parts: Sequence[Part], seconds: float) -> None:
    """Hand over the files of a series; one that has died, or takes none, is told by its silence."""
    pipe.settimeout(seconds)
    with suppress(TimeoutError, ConnectionError):
        give(pipe, {name: parts})
        send(pipe, Order(number=1, weights_sha256=""))


def _said(pipe: socket.socket, plan: ChildPlan, deadline: float, seconds: float) -> bytes:
    """All that the process says before it ends."""
    content = b""
    while len(content) <= MOST_BYTES:
        if not has_said_something(pipe, max(0.0, deadline - time.monotonic())):
            raise DidNotComeBack(f"{plan.origin.target} did not come back in {seconds:g} s")
        try:
            part = pipe.recv(LONGEST, socket.MSG_DONTWAIT)
        except ConnectionError:
            part = b""
        if not part:
            return content
        content += part
    text = f"{plan.origin.target} describes itself in more than {MOST_BYTES} bytes"
    raise ConfigurationError(text)


def _judged(content: bytes, plan: ChildPlan) -> JsonValue:
    if not content:
        raise ConfigurationError(f"the process of {plan.origin.target} died before it had answered")
    try:
        told = SelfReport.model_validate_json(content)
    except ValidationError as error:
        text = f"{plan.origin.target} gave an answer that makes no sense"
        raise ConfigurationError(text) from error
    if told.problem:
        raise ConfigurationError(printable(told.problem))  # for terminals and the log
    return told.said
