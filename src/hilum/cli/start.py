"""Commands that start something: the demo, the service, the faults, the tests."""

import json
import logging
import sys
from pathlib import Path
from textwrap import indent
from typing import Annotated

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, AsJson, Config, app, say
from hilum.errors import HilumError
from hilum.process import fork_server


@app.command()
def demo(
    once: Annotated[bool, typer.Option(help="Stop after the result is verified.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Last line is one JSON object.")] = False,
    exam: Annotated[Path | None, typer.Option(help="Send this folder of DICOM files.")] = None,
) -> None:
    """Start a clinical network, put a brain MR exam and a chest film through it."""
    fork_server(preload="hilum.serve")  # it imports beside us
    from hilum.demo import Demo

    raise typer.Exit(Demo(exam=exam, once=once, as_json=as_json).run())


@app.command()
def chaos(
    faults: Annotated[list[str] | None, typer.Argument(help="Words in their names.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Those of the test suite.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="Send every series of a study.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Name every fault; inject none.")] = False,
    exam: Annotated[list[Path] | None, typer.Option(help="Copy the study in this folder.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table here, too.")] = None,
    logs: Annotated[Path | None, typer.Option(help="Keep logs and traces here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Break a clinical network in many ways; count what is lost or sent twice."""
    from hilum.chaos import command

    if listed:
        command.list_faults()
        return
    wanted = command.chosen(faults or [], quick)
    raise typer.Exit(command.chaos(wanted, exam or [], whole, as_json, markdown, logs))


@app.command()
def serve(config: Config = DEFAULT_CONFIG) -> None:
    """Run in production: your PACS, your rules, from hilum.toml."""
    from hilum.config import load

    site = load(config)
    fork_server(preload="hilum.serve")  # it imports beside us
    from hilum.serve import serve_until_stopped

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    serve_until_stopped(site)


ROUTING = """\
To have an Orthanc send a copy of everything here, add this to its configuration. AE title and
port are those of [receiver]; the address is the one that this machine has for Orthanc, and the
script must lie on Orthanc's machine. The script sends to the name "{name}": under another name
nothing would arrive.

{lines}
"""


@app.command()
def init(config: Config = DEFAULT_CONFIG) -> None:
    """Write a commented hilum.toml to start from, with a rule for each installed module."""
    from hilum.config.reference import example
    from hilum.config.site import Receiver
    from hilum.module import discover
    from hilum.network import orthanc

    if config.exists():
        raise HilumError(f"{config} exists; it is not overwritten. Choose another with --config.")
    modules, problems = discover()
    receiver = Receiver()
    listener = orthanc.Modality(receiver.ae_title, receiver.host, receiver.port)
    fragment = json.dumps(orthanc.routing(listener), indent=2)
    note = ROUTING.format(name=orthanc.MODALITY, lines=indent(fragment, "  "))
    config.write_text(example(sorted(modules), note))
    say.print(
        f"wrote {config}, with a rule for each module: {', '.join(sorted(modules)) or 'none'}"
    )
    for name, problem in problems.items():
        say.print(f"[bold red]{name}[/] got no rule: {escape(problem)}")
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
