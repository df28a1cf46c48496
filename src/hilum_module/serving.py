"""The loop of a module's process: load it, describe it, then run what Hilum asks for."""

from __future__ import annotations

import importlib
import json
import mmap
import socket
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hilum_module import letters
from hilum_module.findings import Finding, FindingError, Findings
from hilum_module.inputs import FindingsOf, Input
from hilum_module.series import Series, Volume
from hilum_module.storing import as_item, from_items

LONGEST = 64 << 10  # bytes of a message
LONGEST_TEXT = 400  # characters

Answer = Mapping[str, Any]


def serve(
    target: str, packages: str, pipe: socket.socket, given: mmap.mmap, found: mmap.mmap
) -> None:
    """Load the class that `target` names (module:Class), then run one job after the other.

    One with `with_model` gets the folder that `packages` lies in, which holds its model. `given` is
    the memory in which Hilum leaves the images, `found` takes what was found.
    """
    name, _, attribute = target.partition(":")
    try:
        cls = getattr(importlib.import_module(name), attribute)
        if hasattr(cls, "with_model"):
            cls = cls.with_model(Path(packages).parent)
        module = cls()
        length = letters.put(found, [described(module)])
    except Exception as error:  # noqa: BLE001 - a module may raise anything while it loads
        _send(pipe, _failed(0, f"{type(error).__name__}: {error}", error, found))
        return
    _send(pipe, {"number": 0, "ended": "well", "length": length})
    package = name.partition(".")[0]
    while True:
        packet = pipe.recv(LONGEST)
        if not packet:
            return
        order = json.loads(packet)
        _send(pipe, _run(module, order, package, given, found))


def described(module: Any) -> dict[str, Any]:
    """What Hilum has to know of a module before it runs."""
    needs = dict(module.needs) if _by_name(module) else {"series": module.needs}
    return {
        "name": module.name,
        "version": str(module.version),
        "title": getattr(module, "title", module.name),
        "by_name": _by_name(module),
        "needs": {n: asdict(need) for n, need in needs.items() if isinstance(need, Input)},
        "findings": {n: asdict(need) for n, need in needs.items() if isinstance(need, FindingsOf)},
        "processes": bool(getattr(module, "processes", False)),
    }


def _run(
    module: Any, order: Mapping[str, int], package: str, given: mmap.mmap, found: mmap.mmap
) -> Answer:
    number = order["number"]
    try:
        items, arrays = run_on(module, *letters.take(given, order["length"]))
        return {"number": number, "ended": "well", "length": letters.put(found, items, arrays)}
    except Exception as error:  # noqa: BLE001 - around one run: a module may raise anything
        return _failed(number, _where(error, package), error, found)


def run_on(
    module: Any, given: list[dict[str, Any]], voxels: Mapping[str, np.ndarray]
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """What `module` finds in the series that are `given`: JSON, and the arrays of it."""
    inputs = dict(_inputs(given, voxels))
    grid = next(one.voxels for one in inputs.values() if isinstance(one, Series))
    if _by_name(module):
        absent = dict.fromkeys(module.needs)
        return _items(module.run(**{**absent, **inputs}), grid)
    return _items(module.run(*inputs.values()), grid)


def _by_name(module: Any) -> bool:
    """Whether `run` takes its inputs by their names."""
    return isinstance(module.needs, Mapping)


def _inputs(
    items: list[dict[str, Any]], arrays: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, Series | Findings]]:
    for item in items:
        name = item["input"]
        if "findings" in item:
            held = {
                key[len(name) + 1 :]: a for key, a in arrays.items() if key.startswith(f"{name}.")
            }
            yield name, Findings(from_items(item["findings"], held))
            continue
        frame = item["frame_of_reference_uid"]
        volume = Volume(arrays[f"{name}.voxels"], arrays[f"{name}.affine"], frame)
        count = item["files"]
        files = None if count is None else tuple(arrays[f"{name}.file.{n}"] for n in range(count))
        about = item["modality"], item["description"], item["uid"]
        yield name, Series(*about, volume, tuple(item["images"]), files)


def _items(run: Any, grid: Volume) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Each finding as it comes, so that its line is still known where it is wrong."""
    before: list[Finding] = []
    items: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for finding in run:
        try:
            items.append(_checked(finding, before, grid, arrays))
        except FindingError as error:
            frame = getattr(run, "gi_frame", None)
            place = f", line {frame.f_lineno}" if frame else ""
            raise FindingError(f"finding {len(before) + 1}{place}: {error}") from error
        before.append(finding)
    return items, arrays


def _checked(
    finding: Any, before: list[Finding], grid: Volume, arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    if not isinstance(finding, Finding):
        raise FindingError(f"{type(finding).__name__} is no finding")
    for name, value in vars(finding).items():
        if isinstance(value, Volume) and value.array.shape != grid.array.shape:
            shape = value.array.shape
            raise FindingError(f"the {name} has the shape {shape}, the series {grid.array.shape}")
    return as_item(finding, before, arrays)


def _failed(number: int, text: str, error: BaseException, found: mmap.mmap) -> Answer:
    whole = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    ended = "exhausted" if isinstance(error, MemoryError) else "failed"
    length = letters.put(found, traceback=whole)
    answer = {"number": number, "ended": ended, "text": text[:LONGEST_TEXT], "length": length}
    return {**answer, "errno": _number(error)}


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
