"""The command that makes a backup."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, Config, app, out, say
from hilum.wording import counted

GIGABYTE = 1e9


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder, best on another disk.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Copy records, images, results and settings to a new folder, also while Hilum runs."""
    from hilum.backup import back_up, restoring
    from hilum.config import load

    site = load(config)
    with say.status("backup: files") as status:
        made = back_up(site, config, folder, lambda files: status.update(f"backup: {files} files"))
    size = f"{made.bytes / GIGABYTE:.1f} GB"
    out.print(f"made a backup in {escape(str(folder))}: {counted(made.files, 'file')}, {size}")
    if made.linked:
        out.print(
            "it lies on the same disk as the data, and takes no room there: copy it elsewhere"
        )
    out.print("to restore it, stop Hilum, then type:")
    for command in restoring(site, folder):
        out.print(f"  {escape(command)}")
