"""The loop of a module's process: load it, describe it, then run what Hilum asks for."""

from __future__ import annotations

import importlib
import json
import mmap
import os
import socket
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from hilum_module import letters, parameters
from hilum_module.asking import Ask, Images
from hilum_module.errors import DicomError
from hilum_module.film import Film
from hilum_module.findings import Finding, FindingError, Findings
from hilum_module.inputs import EarlierExams, Films, FindingsOf, Input
from hilum_module.series import Series
from hilum_module.storing import as_item, from_items
from hilum_module.volume import Volume

LONGEST = 64 << 10  # bytes of a message
LONGEST_TEXT = 400  # characters
LONGEST_OBJECTION = 200  # characters
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
    name, _, attribute = target.partition(":")
    try:
        cls = getattr(importlib.import_module(name), attribute)
        if hasattr(cls, "with_model"):
            cls = cls.with_model(Path(packages).parent)
        module = cls() if makes else cls
        length = letters.put(found, [described(module)])
    except Exception as error:  # noqa: BLE001 - a module may raise anything while it loads
        _send(pipe, _failed(0, f"{type(error).__name__}: {error}", error, found))
        return
    _send(pipe, {"number": 0, "ended": "well", "length": length})
    line = _Line(pipe, given, found)
    package = name.partition(".")[0]
    while line.next_run():
        _send(pipe, _run(module, line, package, found))


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
    except Exception as error:  # noqa: BLE001 - around one run: a module may raise anything
        return _failed(number, _where(error, package), error, found)


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
        return _items(module.run(**named, **more), shape)
    return _items(module.run(*(inputs.values() or [None]), **more), shape)


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


def _items(run: Any, shape: Shape) -> tuple[Items, dict[str, np.ndarray]]:
    """Each finding as it comes, so that its line is still known where it is wrong."""
    before: list[Finding] = []
    items: Items = []
    arrays: dict[str, np.ndarray] = {}
    for finding in run:
        try:
            items.append(_checked(finding, before, shape, arrays))
        except FindingError as error:
            frame = getattr(run, "gi_frame", None)
            place = f", line {frame.f_lineno}" if frame else ""
            raise FindingError(f"finding {len(before) + 1}{place}: {error}") from error
        before.append(finding)
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
    return as_item(finding, before, arrays)


def _failed(number: int, text: str, error: BaseException, found: mmap.mmap) -> Answer:
    whole = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    ended = "exhausted" if isinstance(error, MemoryError) else "failed"
    length = letters.put(found, traceback=whole)
    answer = {"number": number, "ended": ended, "text": text[:LONGEST_TEXT], "length": length}
    is_of_images = isinstance(error, DicomError)
    return {**answer, "errno": _number(error), "is_of_images": is_of_images}


def _number(error: BaseException | None) -> int:
    """The number of the operating system's error on the way to `error`, 0 if there is none."""
    for _ in range(20):
        if isinstance(error, OSError) and error.errno:
            return error.errno
        error = error and (error.__cause__ or error.__context__)
    return 0


def _where(error: BaseException, package: str) -> str:
    """Type and place of an error. Its own text may hold patient data; that of a finding is ours."""
    line = _line(error, package)
    if isinstance(error, FindingError):
        return f"FindingError: {error}" + (f" ({line})" if line else "")
    return type(error).__name__ + (f" in {line}" if line else "")


def _line(error: BaseException, package: str) -> str:
    """File and line of the last frame on the way to `error` that belongs to the module."""
    lines = [
        f"{Path(frame.f_code.co_filename).name}, line {number}"
        for frame, number in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == package
    ]
    return lines[-1] if lines else ""


def _send(pipe: socket.socket, answer: Answer) -> None:
    pipe.send(json.dumps(answer).encode())
