"""Findings and pictures on disk: so they pass from a module to the writers and survive restarts."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hilum.engine.storing import Arrays, as_json, from_json
from hilum.findings import Finding, Findings
from hilum.inbox import write_durably
from hilum.summary import Summary

FINDINGS = "findings.json"
ARRAYS = "arrays.npz"
PICTURES = "pictures.npz"


def save(findings: Findings, folder: Path) -> None:
    """Write `findings` to `folder`, arrays first, so that a readable JSON means all is there."""
    arrays: Arrays = {}
    given = findings.items
    items = [as_json(finding, given[:index], arrays) for index, finding in enumerate(given)]
    buffer = io.BytesIO()
    # Not compressed: that took longer for the heat map of one film than the network itself.
    np.savez(buffer, allow_pickle=False, **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / ARRAYS, buffer.getvalue())
    write_durably(folder / FINDINGS, json.dumps(items, indent=1).encode())


def load(folder: Path) -> Findings:
    """Read what `save` wrote."""
    items: list[Finding] = []
    with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
        for item in json.loads((folder / FINDINGS).read_text()):
            items.append(from_json(item, items, arrays))
    return Findings(tuple(items))


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


def summary(findings: Findings) -> tuple[Summary, ...]:
    """The findings without arrays, for records, traces and `--json`."""
    return tuple(finding.summary() for finding in findings.items)
