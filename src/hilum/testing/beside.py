"""Modules that import `hilum_module`, tried without an environment of their own."""

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import hilum_module
from hilum.engine import exchange
from hilum.environments import Given
from hilum.findings import Finding
from hilum.hosts.elsewhere import as_letter
from hilum.module import FindingsOf, Input, Module, Needs, needs_of
from hilum_module.serving import described, run_on

MOST_BYTES = 1 << 32  # of the masks that one run may give


def as_ours(module: type[Module]) -> type[Module]:
    """`module` as Hilum sees it; where it imports `hilum_module`, it runs in this process."""
    declared = module.needs
    first = next(iter(declared.values())) if isinstance(declared, Mapping) else declared
    if not isinstance(first, hilum_module.Input):
        return module
    about = described(module)
    inputs = {name: Input(**values) for name, values in about["needs"].items()}
    named = {name: FindingsOf(**values) for name, values in about["findings"].items()}
    needs: Needs = {**inputs, **named} if about["by_name"] else next(iter(inputs.values()))
    members: dict[str, Any] = {
        "__module__": module.__module__,
        "__init__": lambda self: setattr(self, "inner", module()),
        "name": about["name"],
        "version": about["version"],
        "title": about["title"],
        "needs": needs,
        "weights": Path(inspect.getfile(module)),
        "run": _run,
    }
    return type(module.__name__, (), members)


def _run(self: Any, *given: Given, **by_name: Given) -> Iterable[Finding]:
    """What the module finds, through the same words as between two processes."""
    needs = needs_of(self)
    with_files = [name for name, need in needs.items() if isinstance(need, Input) and need.files]
    letter = as_letter(by_name or dict(zip(needs, given, strict=True)), with_files)
    return exchange.judged(*run_on(self.inner, *letter), MOST_BYTES).items
