"""Asks a module that was just installed what it is, behind the walls that it will run behind."""

from pathlib import Path
from typing import Any

from pydantic import JsonValue

from hilum.errors import ConfigurationError
from hilum.hosts.beginning import Question
from hilum.hosts.elsewhere import in_environment
from hilum.hosts.planning import ChildPlan
from hilum.hosts.reader import ask
from hilum.hosts.scratch import make_scratch, remove
from hilum.hosts.walls import Reach, files
from hilum.installing.uv import InstallingError
from hilum.module.origin import CodeOrigin

SECONDS = 120.0  # in which it is to load, with its model
MEMORY_MB = 8192


def described(python: Path, folder: Path, target: str) -> dict[str, Any]:
    """What the module that `target` names says of itself; `InstallingError` if it does not load."""
    scratch = make_scratch()
    try:
        reach = Reach(scratch, memory_mb=MEMORY_MB)
        interpreter = in_environment(python, folder.resolve(), target, reach, needs_walls=False)
        plan = ChildPlan(target, CodeOrigin(target), 1, reach, False, files.NEWEST_ABI, interpreter)
        about = _asked(plan)
    finally:
        remove(scratch)
    if not isinstance(about, dict):
        raise InstallingError("the module says nothing of itself")
    return about


def _asked(plan: ChildPlan) -> JsonValue:
    try:
        return ask(plan, Question(), SECONDS)
    except ConfigurationError as error:
        raise InstallingError(f"the module does not load: {error}") from error
