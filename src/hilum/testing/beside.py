"""Modules that import `hilum_module`, tried without an environment of their own."""

import inspect
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

import hilum_module
from hilum.dicom.series import Series
from hilum.engine.theirs import TheirFindings
from hilum.errors import DicomError, UnreadableError
from hilum.findings import Finding
from hilum.hosts.given import GivenInputs, Inquiry
from hilum.hosts.shelf import Letter
from hilum.module import Module, needs_of, problem_of
from hilum.module.declared import DeclaredParameter, parameters_class
from hilum.module.description import Declared, Judge
from hilum_module import members
from hilum_module.serving import KINDS, NOT_TOLD, asked_of, described

MOST_BYTES = 1 << 32  # of the masks that one run may give
PARAMETERS = TypeAdapter(dict[str, DeclaredParameter])


def as_ours(module: type[Module]) -> type[Module]:
    """`module` as Hilum sees it; where it imports `hilum_module`, it runs in this process.

    `AssertionError` that says why it cannot be run.
    """
    needs = getattr(module, "needs", None)
    listed = needs.values() if isinstance(needs, Mapping) else (needs,)
    is_theirs = any(isinstance(one, KINDS) for one in listed)
    problem = members.problem_of(module, KINDS) if is_theirs else problem_of(module)
    assert not problem, f"{module!r} {problem}"
    if not is_theirs:
        return module
    about = described(module)
    told = Declared.model_validate({name: about[name] for name in Declared.model_fields})
    declared = told.with_judges(partial(_judge, module))
    ours: dict[str, Any] = {
        "__module__": module.__module__,
        "__init__": lambda self: setattr(self, "inner", module()),
        "name": declared.name,
        "version": declared.version,
        "title": declared.title,
        "needs": declared.all_needs,
        "parameters": parameters_class(PARAMETERS.validate_python(about["parameters"])),
        "resources": declared.resources,
        "weights": Path(inspect.getfile(module)),
        "run": _run,
    }
    return type(module.__name__, (), ours)


def _run(
    self: Any, *given: Any, parameters: BaseModel | None = None, **by_name: Any
) -> Iterable[Finding]:
    """What the module finds, through the same words as between two processes."""
    inputs = by_name or dict(zip(needs_of(self), given, strict=True))
    chosen = parameters.model_dump(mode="json") if parameters else {}
    items, arrays = _said(self.inner, inputs, {"parameters": chosen})
    return TheirFindings(items, arrays, MOST_BYTES)


def _judge(module: type[Module], name: str) -> Judge:
    """The function of its input called `name`, asked through the same words."""

    def objection(series: Series) -> str:
        [item], _ = _said(module(), {name: series}, {NOT_TOLD: name})
        return str(item[NOT_TOLD])

    return objection


def _said(module: Any, inputs: Mapping[str, Any], order: dict[str, Any]) -> tuple[Any, Any]:
    """What `module` says to `order`: JSON, and the arrays of it."""
    given = GivenInputs(inputs)

    def answer(inquiry: dict[str, Any]) -> tuple[Any, Any]:
        try:
            letter = given.answer(Inquiry.model_validate(inquiry))
        except DicomError as error:
            letter = Letter([{"problem": str(error)}])
        return letter.items, letter.arrays

    told = given.letter(order)
    try:
        return asked_of(module, told.items, told.arrays, answer)
    except hilum_module.errors.DicomError as error:
        raise UnreadableError(str(error)) from error
