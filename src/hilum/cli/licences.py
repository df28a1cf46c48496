"""Commands that say what Hilum is made of: licences, and the software bill of materials."""

import json
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table

from hilum.cli.app import AsJson, app, out, print_json
from hilum.cli.tables import add_row, print_table

if TYPE_CHECKING:
    from hilum.inventory import Component, Copyleft

SHOWN = ("kind", "name", "version", "licence")


def _table(title: str, parts: "Iterable[Component]") -> Table:
    table = Table(title, "version", "licence", box=None)
    for part in parts:
        version = part.version or ("" if part.file else "not installed")
        add_row(table, part.name, version, part.licence)
    return table


def _names_under(family: "Copyleft", parts: "Iterable[Component]") -> str:
    return ", ".join(part.name for part in parts if part.copyleft is family)


@app.command()
def licences(as_json: AsJson = False) -> None:
    """List every part of the default installation with its version and licence."""
    from hilum.inventory import ComponentKind, Copyleft, components

    parts = components()
    if as_json:
        print_json([{key: str(getattr(part, key)) for key in SHOWN} for part in parts])
        return
    by_kind = {kind: [part for part in parts if part.kind is kind] for kind in ComponentKind}
    for kind, some in by_kind.items():
        print_table(_table(f"{kind}", some))
    for family in sorted(Copyleft, reverse=True)[:-1]:
        names = _names_under(family, by_kind[ComponentKind.PYTHON])
        out.print(f"Python packages under the {family.name}: {names or 'none'}")


@app.command()
def sbom() -> None:
    """Print the software bill of materials (CycloneDX 1.6, JSON)."""
    from hilum.inventory import components, hilum_itself
    from hilum.sbom import sbom as bill

    whole = bill(hilum_itself(), components(), time.time())
    sys.stdout.write(json.dumps(whole, indent=2) + "\n")
