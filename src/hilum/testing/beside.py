"""Modules that import `hilum_module`, tried without an environment of their own."""

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

import hilum_module
from hilum.engine import exchange
from hilum.errors import DicomError, UnreadableError
from hilum.findings import Finding
from hilum.hosts.given import GivenInputs, Inquiry
from hilum.hosts.shelf import Letter
from hilum.module import Module, needs_of
from hilum.module.declared import DeclaredParameter, parameters_class
from hilum.module.description import Declared
from hilum_module.serving import described, run_on

MOST_BYTES = 1 << 32  # of the masks that one run may give
PARAMETERS = TypeAdapter(dict[str, DeclaredParameter])
KINDS = (hilum_module.Input, hilum_module.Films)  # what only such a module can name


def as_ours(module: type[Module]) -> type[Module]:
    """`module` as Hilum sees it; where it imports `hilum_module`, it runs in this process."""
    if not any(isinstance(one, KINDS) for one in needs_of(module).values()):
        return module
    about = described(module)
    declared = Declared.model_validate({name: about[name] for name in Declared.model_fields})
    members: dict[str, Any] = {
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
    return type(module.__name__, (), members)


def _run(
    self: Any, *given: Any, parameters: BaseModel | None = None, **by_name: Any
) -> Iterable[Finding]:
    """What the module finds, through the same words as between two processes."""
    inputs = GivenInputs(by_name or dict(zip(needs_of(self), given, strict=True)))

    def answer(inquiry: dict[str, Any]) -> tuple[Any, Any]:
        try:
            letter = inputs.answer(Inquiry.model_validate(inquiry))
        except DicomError as error:
            letter = Letter([{"problem": str(error)}])
        return letter.items, letter.arrays

    told = inputs.letter(parameters.model_dump(mode="json") if parameters else {})
    try:
        found = run_on(self.inner, told.items, told.arrays, answer)
    except hilum_module.errors.DicomError as error:
        raise UnreadableError(str(error)) from error
    return exchange.judged(*found, MOST_BYTES).items
