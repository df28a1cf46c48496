"""Findings and pictures on disk: so they pass from a module to the writers and survive restarts."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hilum.dicom.uids import is_uid
from hilum.engine.storing import Arrays, as_json, from_json, unpacked_bytes
from hilum.errors import FindingError, ModuleError
from hilum.findings import Finding, Findings, with_parts
from hilum.inbox import write_durably
from hilum.summary import Summary

FINDINGS = "findings.json"
ARRAYS = "arrays.npz"
PICTURES = "pictures.npz"
WIDEST_PICTURE = 4096  # pixels
NOT_FINDINGS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


def save(findings: Findings, folder: Path) -> None:
    """Write `findings` to `folder`, arrays first, so that a readable JSON means all is there."""
    items, arrays = as_items(findings)
    buffer = io.BytesIO()
    # Not compressed: that took longer for the heat map of one film than the network itself.
    np.savez(buffer, allow_pickle=False, **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / ARRAYS, buffer.getvalue())
    write_durably(folder / FINDINGS, json.dumps(items, indent=1).encode())


def load(folder: Path) -> Findings:
    """Read what `save` wrote."""
    return read(folder / FINDINGS, folder / ARRAYS)


def read(items: Path, arrays: Path) -> Findings:
    """Read both files that `save` wrote."""
    listed = json.loads(items.read_bytes())
    with arrays.open("rb") as file, np.load(file, allow_pickle=False) as held:
        return from_items(listed, held)


def as_items(findings: Findings) -> tuple[list[dict[str, Any]], Arrays]:
    """Each finding as JSON, and the arrays of all by the names that the JSON knows them by."""
    arrays: Arrays = {}
    given = findings.items
    items = [as_json(finding, given[:index], arrays) for index, finding in enumerate(given)]
    return items, arrays


def from_items(items: Iterable[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]) -> Findings:
    """What `as_items` was given; raises as `hilum.engine.storing.from_json`."""
    found: list[Finding] = []
    for item in items:
        found.append(from_json(item, found, arrays))
    return Findings(tuple(found))


def judged(
    items: Iterable[Mapping[str, Any]], arrays: Mapping[str, np.ndarray], most_bytes: int
) -> Findings:
    """The findings that another process says it has, whoever wrote it.

    Raises
    ------
    ModuleError
        They are none, or their masks take more than `most_bytes` of memory.
    """
    return Findings(tuple(each_judged(items, arrays, most_bytes)))


def each_judged(
    items: Iterable[Mapping[str, Any]], arrays: Mapping[str, np.ndarray], most_bytes: int
) -> Iterator[Finding]:
    """As `judged`, one after the other, so that it is known which one is wrong."""
    found: list[Finding] = []
    try:
        if (size := unpacked_bytes(arrays)) > most_bytes:
            lengths = f"{size >> 20} MiB of memory; {most_bytes >> 20} MiB are allowed"
            raise ModuleError(f"the masks of its findings take {lengths}")
        for item in items:
            found.append(from_json(item, found, arrays))
            yield found[-1]
    except FindingError:
        raise
    except NOT_FINDINGS as error:
        kind = type(error).__name__
        raise ModuleError(
            f"the module's process gave something that is no findings ({kind})"
        ) from error


def save_pictures(pictures: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write the pictures of films, by SOP Instance UID, to `folder`."""
    buffer = io.BytesIO()
    arrays = {str(number): picture for number, picture in enumerate(pictures.values())}
    np.savez(buffer, allow_pickle=False, uids=np.array(list(pictures), str), **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / PICTURES, buffer.getvalue())


def load_pictures(folder: Path) -> dict[str, np.ndarray]:
    """Read what `save_pictures` wrote; nothing if the run ended before."""
    if not (folder / PICTURES).exists():
        return {}
    with np.load(folder / PICTURES, allow_pickle=False) as arrays:
        return {str(uid): arrays[str(number)] for number, uid in enumerate(arrays["uids"])}


def judged_pictures(pictures: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The pictures that another process says it has; `ModuleError` where they are none."""
    for uid, picture in pictures.items():
        grey = picture.dtype == np.uint8 and picture.ndim == 2 and picture.size
        if not grey or max(picture.shape) > WIDEST_PICTURE or not is_uid(uid):
            raise ModuleError("the module's process gave something that is no picture")
    return pictures


def summary(findings: Findings) -> tuple[Summary, ...]:
    """The findings without arrays, for records, traces and `--json`."""
    return tuple(finding.summary() for finding in with_parts(findings.items))
