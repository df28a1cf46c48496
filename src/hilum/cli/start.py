"""Commands that start something: the service, its settings, the tests."""

import json
import logging
import sys
from pathlib import Path
from textwrap import indent
from typing import Annotated

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, Config, app, say
from hilum.control_groups import stand_aside
from hilum.errors import HilumError
from hilum.logs import hear_ourselves
from hilum.process import fork_server, lasting
from hilum.service.roles import PROCESSES, Role


@app.command()
def serve(
    config: Config = DEFAULT_CONFIG,
    role: Annotated[Role | None, typer.Option(help="Only the processes of this role.")] = None,
) -> None:
    """Run Hilum with your PACS and your rules, from hilum.toml."""
    from hilum.config.file import SettingsFile

    stand_aside()
    fork_server(PROCESSES)  # it imports beside us
    with lasting():
        from hilum.service.supervisor import EVERY_ROLE, serve_until_stopped

    logging.basicConfig(format="%(asctime)s %(message)s")
    hear_ourselves()
    serve_until_stopped(SettingsFile(config.absolute()), [role] if role else EVERY_ROLE)


ROUTING = """\
To have an Orthanc send a copy of everything here, add the lines below to its configuration.
AE title and port are those of [receiver]. The address {host} is right if Orthanc runs on this
machine. If it does not, write the address at which Orthanc's machine reaches this one, and copy
the script to that machine; the path below is the one on this machine. The script sends to the
name "{name}". Under another name, nothing would arrive.

{lines}
"""


@app.command()
def init(config: Config = DEFAULT_CONFIG) -> None:
    """Write a commented hilum.toml to start from, with a rule for each installed module."""
    from hilum.config.kinds import SECTIONS_BY_KIND
    from hilum.config.receiver import Receiver
    from hilum.config.reference import example
    from hilum.hosts.discovery import discover
    from hilum.sources import autoroute

    if config.exists():
        raise HilumError(f"{config} exists; it is not overwritten. Choose another with --config.")
    modules, problems = discover()
    receiver = Receiver()
    listener = autoroute.Listener(receiver.ae_title, receiver.host, receiver.port)
    fragment = json.dumps(autoroute.routing(listener), indent=2)
    note = ROUTING.format(host=receiver.host, name=autoroute.MODALITY, lines=indent(fragment, "  "))
    config.write_text(example(sorted(modules), note))
    say.print(
        f"wrote {config}, with a rule for each module: {', '.join(sorted(modules)) or 'none'}"
    )
    for name, problem in problems.items():
        say.print(f"[bold red]{name}[/] got no rule: {escape(problem)}")
    for kind in (kind for kinds in SECTIONS_BY_KIND.values() for kind in kinds.each()):
        if kind.problem:
            say.print(f"[bold red]{kind.name}[/] is left out: {escape(kind.problem)}")
    say.print(f"\n{escape(note)}\nEdit {config}, then run: hilum serve")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(context: typer.Context) -> None:
    """Run the test suite (arguments go to pytest). `./hilum test` installs what it needs first."""
    import subprocess

    root = Path(__file__).parents[3]
    if not (root / "tests").is_dir():
        raise HilumError("the tests are in the source tree: clone it and run ./hilum test there")
    command = [sys.executable, "-m", "pytest", *context.args]
    raise typer.Exit(subprocess.run(command, cwd=root, check=False).returncode)
