"""The loop of a module's process: load it, describe it, then run what Hilum asks for."""

from __future__ import annotations

import importlib
import json
import mmap
import os
import socket
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional, Union

import numpy as np

from hilum_module import letters, parameters
from hilum_module.asking import Ask, Images
from hilum_module.errors import DicomError
from hilum_module.film import Film
from hilum_module.findings import Finding, FindingError, Findings
from hilum_module.inputs import EarlierExams, Films, FindingsOf, Input
from hilum_module.members import NotAModule, problem_of
from hilum_module.places import chain_of, line_of, line_of_run, readable, where
from hilum_module.series import Series
from hilum_module.storing import as_item, from_items
from hilum_module.volume import Volume

LONGEST = 64 << 10  # bytes of a message
LONGEST_TEXT = 400  # characters
LONGEST_OBJECTION = 200  # characters
PLACE = "place"  # of an item: the line of the module that gave the finding
KINDS = (Input, Films, FindingsOf, EarlierExams)
NOT_TOLD = "objection"  # the field of an `Input` that is code; Hilum asks it by the input's name

Answer = Mapping[str, Any]
Items = list[dict[str, Any]]
Arrays = Mapping[str, np.ndarray]
Shape = Optional["tuple[int, ...]"]
Given = Union[Series, "tuple[Film, ...]", Findings, None]  # for one input


def serve(
    target: str,
    packages: str,
    makes: bool,
    pipe: socket.socket,
    given: mmap.mmap,
    found: mmap.mmap,
) -> None:
    """Load the class that `target` names (module:Class), then run one job after the other.

    One with `with_model` gets the folder that `packages` lies in, which holds its model. Unless it
    `makes` an instance, which may load a model, only the functions of the inputs can be asked.
    `given` is the memory in which Hilum leaves what the module gets, `found` takes what it found or
    asks.
    """
    package = target.partition(":")[0].partition(".")[0]
    try:
        module = _loaded(target, Path(packages).parent, makes)
        length = letters.put(found, [described(module)])
    except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit too
        _send(pipe, _failed(0, _why_not(error, package), error, found))
        return
    _send(pipe, {"number": 0, "ended": "well", "length": length})
    line = _Line(pipe, given, found)
    while line.next_run():
        _send(pipe, _run(module, line, package, found))


def _why_not(error: BaseException, package: str) -> str:
    """Why the module does not load: the whole reason, because no patient's data are here yet."""
    if isinstance(error, NotAModule):
        return str(error)
    place = line_of(error, package)
    return f"{type(error).__name__}: {error}" + (f" ({place})" if place else "")


def _loaded(target: str, folder: Path, makes: bool) -> Any:
    name, _, attribute = target.partition(":")
    module: Any = getattr(importlib.import_module(name), attribute)
    if hasattr(module, "with_model"):
        module = module.with_model(folder)
    if problem := problem_of(module, KINDS):
        raise NotAModule(f"{target} {problem}")
    return module() if makes else module


class _Line:
    """What passes between Hilum and the module."""

    def __init__(self, pipe: socket.socket, given: mmap.mmap, found: mmap.mmap) -> None:
        self.number = 0
        self.told: tuple[Items, dict[str, np.ndarray]] = ([], {})
        self._pipe = pipe
        self._given = given
        self._found = found

    def next_run(self) -> bool:
        """Wait for the next run, which is `told` then; False once Hilum is gone."""
        packet = self._pipe.recv(LONGEST)
        if not packet:
            return False
        order = json.loads(packet)
        self.number = order["number"]
        self.told = letters.take(self._given, order["length"])
        return True

    def ask(self, inquiry: dict[str, Any]) -> tuple[Items, dict[str, np.ndarray]]:
        """What Hilum answers to an inquiry, in the middle of a run."""
        length = letters.put(self._found, [inquiry])
        _send(self._pipe, {"number": self.number, "ended": "asks", "length": length})
        if not self.next_run():
            os._exit(1)
        return self.told


def described(module: Any) -> dict[str, Any]:
    """What Hilum has to know of a module before it runs."""
    needs = _needs(module)
    card = getattr(module, "card", None)
    resources = getattr(module, "resources", None)
    return {
        "name": module.name,
        "version": str(module.version),
        "title": getattr(module, "title", module.name),
        "by_name": _by_name(module),
        "needs": _of_kind(needs, Input, Films),
        "objecting": [name for name, one in needs.items() if getattr(one, NOT_TOLD, None)],
        "findings": _of_kind(needs, FindingsOf),
        "earlier": _of_kind(needs, EarlierExams),
        "parameters": parameters.described(getattr(module, "parameters", None)),
        "resources": asdict(resources) if resources else {},
        "processes": bool(getattr(module, "processes", False)),
        "about": str(card) if card else "",
    }


def _needs(module: Any) -> dict[str, Any]:
    return dict(module.needs) if _by_name(module) else {"series": module.needs}


def _of_kind(needs: Mapping[str, Any], *kinds: Any) -> dict[str, dict[str, Any]]:
    return {name: _told(one) for name, one in needs.items() if isinstance(one, kinds)}


def _told(need: Any) -> dict[str, Any]:
    return {f.name: getattr(need, f.name) for f in fields(need) if f.name != NOT_TOLD}


def _run(module: Any, line: _Line, package: str, found: mmap.mmap) -> Answer:
    number = line.number
    try:
        items, arrays = asked_of(module, *line.told, line.ask)
        return {"number": number, "ended": "well", "length": letters.put(found, items, arrays)}
    except BaseException as error:  # noqa: BLE001 - around one run: a module may raise anything
        return _failed(number, where(error, package), error, found)


def asked_of(
    module: Any, given: Sequence[Mapping[str, Any]], arrays: Arrays, ask: Ask
) -> tuple[Items, dict[str, np.ndarray]]:
    """What `module` says of what is `given`, whose first item says what it is asked: JSON, arrays.

    `ask` gives what it asks for while it runs.
    """
    order, *told = given
    if NOT_TOLD in order:
        [series] = (_input(item, arrays, ask) for item in told)
        said = _needs(module)[order[NOT_TOLD]].objection(series)
        return [{NOT_TOLD: str(said or "")[:LONGEST_OBJECTION]}], {}
    return _found(module, order["parameters"], told, arrays, ask)


def _found(
    module: Any,
    chosen: Mapping[str, Any],
    given: Sequence[Mapping[str, Any]],
    arrays: Arrays,
    ask: Ask,
) -> tuple[Items, dict[str, np.ndarray]]:
    """What `module` finds in what is `given`, with the parameters that are `chosen`."""
    inputs = {i["input"]: _input(i, arrays, ask) for i in given}
    declared = getattr(module, "parameters", None)
    more = {} if declared is None else {"parameters": parameters.made(declared, chosen)}
    shape = next((each.shape for each in inputs.values() if isinstance(each, Series)), None)
    if _by_name(module):
        named = {name: _named(name, need, inputs) for name, need in module.needs.items()}
        run = partial(module.run, **named, **more)
    else:
        run = partial(module.run, *(inputs.values() or [None]), **more)
    return _items(run, shape, type(module).__module__.partition(".")[0])


def _named(name: str, need: Any, inputs: Mapping[str, Given]) -> Any:
    """What `run` gets for the input called `name`; None where it is not there."""
    if not isinstance(need, EarlierExams):
        return inputs.get(name)
    exams = (f"{name}/{number}" for number in range(need.most))
    return tuple(inputs[exam] for exam in exams if exam in inputs)


def _by_name(module: Any) -> bool:
    """Whether `run` takes its inputs by their names."""
    return isinstance(module.needs, Mapping)


def _input(item: Mapping[str, Any], arrays: Arrays, ask: Ask) -> Given:
    """What `run` gets for one input, of what Hilum has told of it."""
    name = item["input"]
    images = Images(name, ask)
    if "films" in item:
        return tuple(Film(about, images, n) for n, about in enumerate(item["films"]))
    if "series" in item:
        return Series(item["series"], images)
    held = {key[len(name) + 1 :]: a for key, a in arrays.items() if key.startswith(f"{name}.")}
    return Findings(from_items(item["findings"], held))


def _items(
    run: Callable[[], Any], shape: Shape, package: str
) -> tuple[Items, dict[str, np.ndarray]]:
    """Each finding as it comes, with its line: Hilum judges it again, and may find it wrong."""
    before: list[Finding] = []
    items: Items = []
    arrays: dict[str, np.ndarray] = {}
    given: Any = None
    try:
        given = run()
        if not isinstance(given, Iterable):
            raise FindingError(f"run gives {type(given).__name__}; it must yield findings")
        for finding in given:
            item = _checked(finding, before, shape, arrays)
            items.append({**item, PLACE: line_of_run(given)})
            before.append(finding)
    except FindingError as error:
        place = line_of(error, package) or line_of_run(given)
        told = f"finding {len(before) + 1}: {error}" + (f" ({place})" if place else "")
        raise FindingError(told) from error
    return items, arrays


def _checked(
    finding: Any, before: list[Finding], shape: Shape, arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    """The item of a finding, whose volumes have the `shape` of the first series."""
    if not isinstance(finding, Finding):
        raise FindingError(f"{type(finding).__name__} is no finding")
    for name, value in vars(finding).items():
        if isinstance(value, Volume) and shape and value.array.shape != shape:
            raise FindingError(f"the {name} has the shape {value.array.shape}, the series {shape}")
    item = as_item(finding, before, arrays)
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        told = "holds half of a character, or what is neither a text nor a number"
        raise FindingError(f"a field of this {type(finding).__name__} {told}") from error
    return item


def _failed(number: int, text: str, error: BaseException, found: mmap.mmap) -> Answer:
    whole = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    ended = "exhausted" if isinstance(error, MemoryError) else "failed"
    length = letters.put(found, traceback=readable(whole))
    told = readable(text)[:LONGEST_TEXT]
    answer = {"number": number, "ended": ended, "text": told, "length": length}
    is_of_images = isinstance(error, DicomError)
    return {**answer, "errno": _number(error), "is_of_images": is_of_images}


def _number(error: BaseException) -> int:
    """The number of the operating system's error on the way to `error`, 0 if there is none."""
    errors = (each for each in chain_of(error) if isinstance(each, OSError))
    return next((each.errno for each in errors if each.errno), 0)


def _send(pipe: socket.socket, answer: Answer) -> None:
    pipe.send(json.dumps(answer).encode())
