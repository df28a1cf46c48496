"""Commands against loss: make a backup, and make lost records again."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, Config, app, out, say
from hilum.terminal import progress_of_steps
from hilum.wording import counted

GIGABYTE = 1e9


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder, best on another disk.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Copy records, images, results and settings to a new folder, also while Hilum runs."""
    from hilum.audit import AuditedAct, AuditedObject, ObjectType
    from hilum.cli.audited import audited
    from hilum.config import load
    from hilum.housekeeping.backup import back_up, restoring

    site = load(config)
    about = AuditedObject(ObjectType.BACKUP, str(folder))
    with audited(site, AuditedAct.EXPORTED, about), say.status("backup: files") as status:

        def progress(files: int) -> None:
            status.update(f"backup: {counted(files, 'file')}")

        made = back_up(site, config, folder, progress)
    size = f"{made.bytes / GIGABYTE:.1f} GB"
    out.print(f"made a backup in {escape(str(folder))}: {counted(made.files, 'file')}, {size}")
    if made.linked:
        out.print(
            "it lies on the same disk as the data, and takes no room there: copy it elsewhere"
        )
    out.print("to restore it, stop Hilum, then type:")
    for command in restoring(site, folder):
        out.print(f"  {escape(command)}")


@app.command()
def recover(config: Config = DEFAULT_CONFIG) -> None:
    """Make the records again from what lies on disk; the service must not run meanwhile."""
    from hilum.audit import AuditedAct, AuditedObject, ObjectType
    from hilum.cli.audited import audited
    from hilum.config import load
    from hilum.housekeeping.recovering import recover as make_again
    from hilum.service.preflight import alone_in
    from hilum.service.roles import Role

    site = load(config)
    act = audited(site, AuditedAct.RECOVERED, AuditedObject(ObjectType.RECORDS))
    with alone_in(site.data, tuple(Role)), act, progress_of_steps(say) as progress:
        found = make_again(site, progress)
    for file in found.set_aside:
        out.print(f"put aside: {escape(str(file))}; delete it when all is well")
    for file in found.unreadable:
        out.print(f"not understood: {escape(str(file))}; its study is decided on anew")
    lines = [
        f"{counted(found.put_back, 'study')} put back",
        f"{counted(found.as_new, 'study')} on record already",
        f"{counted(found.without_records, 'study')} to be decided on anew",
        f"{counted(found.arrived, 'delivery')} known to have arrived",
        f"{counted(found.owed, 'delivery')} to be asked for before anything is sent",
    ]
    for line in lines:
        out.print(line)
    out.print("`hilum serve` goes on from here")
