"""Commands that say what Hilum is made of: licences, and the software bill of materials."""

import json
import sys
import time

from rich.markup import escape
from rich.table import Column, Table

from hilum.cli.app import AsJson, app, out, print_json

SHOWN = ("kind", "name", "version", "licence")


@app.command()
def licences(as_json: AsJson = False) -> None:
    """List every part of the default installation with its version and licence."""
    from hilum.inventory import ComponentKind, Copyleft, components

    parts = components()
    if as_json:
        print_json([{key: str(getattr(part, key)) for key in SHOWN} for part in parts])
        return
    for kind in ComponentKind:
        table = Table(Column(f"{kind}", no_wrap=True), "version", "licence", box=None)
        for part in parts:
            if part.kind is kind:
                version = part.version or ("" if part.file else "not installed")
                table.add_row(escape(part.name), version, escape(part.licence))
        out.print(table)
    packages = [part for part in parts if part.kind is ComponentKind.PYTHON]
    for family in sorted(Copyleft, reverse=True)[:-1]:
        names = [part.name for part in packages if part.copyleft is family]
        out.print(f"Python packages under the {family.name}: {', '.join(names) or 'none'}")


@app.command()
def sbom() -> None:
    """Print the software bill of materials (CycloneDX 1.6, JSON)."""
    from hilum.inventory import components, hilum_itself
    from hilum.sbom import sbom as bill

    whole = bill(hilum_itself(), components(), time.time())
    sys.stdout.write(json.dumps(whole, indent=2) + "\n")
