"""The software bill of materials: CycloneDX 1.6 as JSON, for the inventory of a hospital."""

import hashlib
import time
import uuid
from collections.abc import Sequence
from urllib.parse import quote

from hilum.inventory import Component, ComponentKind

Json = dict[str, "str | int | Json | list[Json] | list[str]"]

TYPES = {
    ComponentKind.PYTHON: "library",
    ComponentKind.PROGRAM: "application",
    ComponentKind.FILE: "file",
}


def sbom(product: Component, parts: Sequence[Component], at: float) -> Json:
    """The bill of `product`, which consists of `parts`, written at `at` (seconds since 1970).

    The serial number depends on the parts alone: the same installation has the same one.
    """
    parts = [part for part in parts if _is_here(part)]
    references = "\n".join(map(_reference, [product, *parts]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, references).urn,
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
            "component": _component(product) | {"type": "application"},
        },
        "components": [_component(part) for part in parts],
        "dependencies": _dependencies([product, *parts]),
    }


def _is_here(component: Component) -> bool:
    """Whether it is installed; Debian's programs are needed by the demo only."""
    return component.kind is not ComponentKind.PROGRAM or bool(component.version)


def _component(component: Component) -> Json:
    licence: Json = (
        {"expression": component.licence}
        if component.is_expression
        else {"license": {"name": component.licence}}
    )
    shown: Json = {
        "type": TYPES[component.kind],
        "bom-ref": _reference(component),
        "name": component.name,
        "licenses": [licence],
    }
    if component.version:
        shown |= {"version": component.version, "purl": _reference(component)}
    if component.kind is ComponentKind.PROGRAM:
        shown["scope"] = "optional"
    if component.file:
        digest = hashlib.sha256(component.file.read_bytes()).hexdigest()
        hashes: list[Json] = [{"alg": "SHA-256", "content": digest}]
        shown["hashes"] = hashes
    return shown


def _reference(component: Component) -> str:
    match component.kind:
        case ComponentKind.PYTHON:
            return f"pkg:pypi/{component.name}@{quote(component.version, safe='')}"
        case ComponentKind.PROGRAM:
            return f"pkg:deb/debian/{component.name}@{quote(component.version, safe='')}"
        case ComponentKind.FILE:
            return f"file:{component.name}"


def _dependencies(components: Sequence[Component]) -> list[Json]:
    """What needs what, of the Python packages."""
    packages = {c.name: c for c in components if c.kind is ComponentKind.PYTHON}
    return [
        {
            "ref": _reference(package),
            "dependsOn": sorted(_reference(packages[name]) for name in package.needs),
        }
        for package in packages.values()
    ]
