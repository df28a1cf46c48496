"""Whether a class has what Hilum calls a module by, told in words before any study comes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Callable

MEMBERS = ("name", "version", "needs", "run")
ONE_INPUT = "series"  # what `run` may call the only input as it likes


class NotAModule(TypeError):  # noqa: N818
    """What an entry point names cannot be run as a module; the text says why."""


def problem_of(module: Any, kinds: tuple[type, ...]) -> str:
    """Why `module` cannot be run, "" if it can; `kinds` are the classes of inputs that there are.

    Only what it declares is looked at. Nothing of it is called.
    """
    if not isinstance(module, type):
        return f"is of the type {type(module).__name__}, and a module is a class"
    if missing := [member for member in MEMBERS if not hasattr(module, member)]:
        return f"has no {', '.join(missing)}"
    needs = getattr(module, "needs", None)
    if not isinstance(needs, Mapping):
        return _of_kind("", needs, kinds) or _calls(module, (None,), {}, f"self, {ONE_INPUT}")
    wrong = filter(None, (_of_kind(name, need, kinds) for name, need in needs.items()))
    words = ", ".join(("self", *needs))
    return next(wrong, "") or _calls(module, (), dict.fromkeys(needs), words)


def _of_kind(name: str, need: Any, kinds: tuple[type, ...]) -> str:
    """What is wrong with what is needed for the input called `name`, or for the only one."""
    if isinstance(need, kinds):
        return ""
    whose = f"whose input {name!r} is" if name else "that are"
    known = ", ".join(kind.__name__ for kind in kinds)
    return f"has `needs` {whose} of the type {type(need).__name__}, none of {known}"


def _calls(module: type, alone: tuple[Any, ...], named: dict[str, Any], words: str) -> str:
    """Why it cannot be made, or run on these inputs, which `words` name as the author would."""
    if getattr(module, "parameters", None) is not None:
        named, words = {**named, "parameters": None}, f"{words}, parameters"
    run: Callable[..., Any] = getattr(module, "run")  # noqa: B009 - no type has it
    is_bound = isinstance(inspect.getattr_static(module, "run"), (staticmethod, classmethod))
    if not _takes(run, *(() if is_bound else (None,)), *alone, **named):
        return f"has a `run` that does not take what it declares: def run({words})"
    if getattr(module, "host", "child") == "child" and not _takes(module):
        return "has an `__init__` with arguments, and it is made without any"
    return ""


def _takes(what: Callable[..., Any], *given: Any, **named: Any) -> bool:
    try:
        signature = inspect.signature(what)
    except (TypeError, ValueError):
        return True  # it does not say what it takes
    try:
        signature.bind(*given, **named)
    except TypeError:
        return False
    return True
