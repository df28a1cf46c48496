"""The command line: a command reads its arguments, calls one function, shows the result."""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hilum.errors import HilumError
from hilum.terminal import in_words, progress_bar

app = typer.Typer(
    help="The AI gateway for the hospital imaging network. Research use only, not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
say = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, soft_wrap=True)

Config = Annotated[Path, typer.Option("--config", "-c", help="Settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Networks = Annotated[
    Path | None,
    typer.Option(
        "--networks", help="Folder of networks of your own.", file_okay=False, exists=True
    ),
]
Workitem = Annotated[str, typer.Argument(help="The end of its id, as `hilum status` shows it.")]
DEFAULT_CONFIG = Path("hilum.toml")


@app.command()
def demo(
    once: Annotated[bool, typer.Option(help="Stop after the result is verified.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Last line is one JSON object.")] = False,
    exam: Annotated[Path | None, typer.Option(help="Send this folder of DICOM files.")] = None,
) -> None:
    """Start a clinical network, put a brain MR exam and a chest film through it."""
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
    from hilum.serve import serve_until_stopped

    site = load(config)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    serve_until_stopped(site)


@app.command()
def init(config: Config = DEFAULT_CONFIG) -> None:
    """Write a commented hilum.toml to start from."""
    from hilum.settings import example

    if config.exists():
        raise HilumError(f"{config} exists; it is not overwritten. Choose another with --config.")
    config.write_text(example())
    say.print(f"wrote {config}; edit it, then run: hilum serve")


@app.command()
def run(
    module: Annotated[str, typer.Argument(help="Name, as `hilum modules` lists it.")],
    folder: Annotated[Path, typer.Argument(help="Folder of DICOM files.", exists=True)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    series: Annotated[
        list[str] | None,
        typer.Option(help="What the series is called: DICOM keyword=regular expression."),
    ] = None,
    networks: Networks = None,
    as_json: AsJson = False,
) -> None:
    """Analyse a folder without a network: choose the series, write results, print findings."""
    from hilum.offline import analyse_folder

    for pair in series or []:
        if "=" not in pair:
            raise HilumError(f"--series {pair}: give KEYWORD=REGEX, such as SeriesDescription=T1")
    patterns = dict(pair.split("=", 1) for pair in series or [])
    reports = analyse_folder(module, folder, output, patterns, networks)
    if as_json:
        _print_json(reports)
    else:
        for report in reports:
            _show_report(report)
    raise typer.Exit(0 if any(report["results"] for report in reports) else 2)


@app.command()
def send(
    folder: Annotated[Path, typer.Argument(help="Folder (or file) to send.", exists=True)],
    to: Annotated[str, typer.Option(help="AE@HOST:PORT of the receiver.")],
    calling: Annotated[str, typer.Option(help="Our AE title.")] = "SCANNER",
) -> None:
    """Send DICOM files by C-STORE, as a scanner does."""
    from hilum.network import scanner

    called = address(to)
    files = scanner.dicom_files(folder)
    if not files:
        raise HilumError(f"{folder} holds no DICOM files")
    with progress_bar("sending", say) as progress:
        task = progress.add_task("sending", total=len(files))
        report = scanner.send(files, called, calling, progress=lambda _sent: progress.advance(task))
    say.print(str(report))
    raise typer.Exit(1 if report.failed else 0)


@app.command()
def echo(to: Annotated[str, typer.Argument(help="AE@HOST:PORT of the peer.")]) -> None:
    """Ask a DICOM peer whether it hears us (C-ECHO)."""
    from hilum.network import scanner

    out.print(f"{to} answers, {1000 * scanner.echo(address(to)):.0f} ms")


@app.command()
def modules(networks: Networks = None, as_json: AsJson = False) -> None:
    """List the installed modules, their versions and the hashes of their weights."""
    from hilum.module import discover, facts_of, installed_modules

    found, problems = discover(networks)
    for name in found.keys() - installed_modules().keys():
        try:
            found[name]()  # the card alone does not say whether its network is what it describes
        except HilumError as error:
            problems[name] = str(error)
            del found[name]
    facts = [vars(facts_of(module)) for module in found.values()]
    if as_json:
        _print_json(facts)
        return
    table = Table("module", "version", "title", "weights SHA-256", box=None)
    for fact in facts:
        table.add_row(fact["name"], fact["version"], fact["title"], fact["weights_sha256"][:16])
    out.print(table)
    for name, problem in problems.items():
        say.print(f"[bold red]{name}[/]: {problem}")


@app.command()
def status(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show the studies that came in and where their results are."""
    from hilum import views

    site, records = _site_and_records(config)
    studies = views.studies(records)
    if as_json:
        _print_json(studies)
        return
    for alarm in views.alarms(site, records):
        since = f" since {_when(alarm['since'])}" if alarm["since"] else ""
        out.print(f"[bold red]alarm{since}[/]: {escape(alarm['text'])}")
    for source in views.sources(site, records):
        out.print(_source_line(source))
    for destination in views.destinations(site, records):
        out.print(_destination_line(destination))
    for study in studies:
        when = _when(study["last_at"])
        waiting = "no rule applies" if study["settled"] else "receiving"
        for item in study["workitems"] or [{"module": "", "state": waiting, "reason": ""}]:
            number = item.get("id", "")[-8:]
            what = f"[bold]{item['state']}[/]  {item['module']} {number}  {escape(item['reason'])}"
            if removed := study["removed"]:
                what += f"  (files removed {_when(removed['at'])}: {escape(removed['reason'])})"
            out.print(f"{when}  {study['study_uid']}  {study['images']} images  {what}")
            for delivery in item.get("deliveries", []):
                if delivery["state"] in ("delayed", "refused"):
                    out.print(f"    {_delivery_line(delivery)}")
    _show_quarantine(views.quarantine(site, newest=10))


@app.command()
def sources(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Ask every archive that is watched whether it answers, and show how far the watch is."""
    from hilum import views
    from hilum.config import load
    from hilum.records import Records
    from hilum.serve import records_url
    from hilum.sources import answer_of

    site = load(config)
    if not site.source:
        raise HilumError(f"{config} defines no [[source]]")
    records = Records(records_url(site)) if _recorded(site) else Records("sqlite://")
    shown = views.sources(site, records)
    for view, source in zip(shown, site.source, strict=True):
        view["answers"], view["answer"] = answer_of(source)
        if not as_json:
            out.print(_source_line(view))
            out.print(f"  {escape(view['answer'])}", style=None if view["answers"] else "bold red")
    if as_json:
        _print_json(shown)
    raise typer.Exit(0 if all(view["answers"] for view in shown) else 1)


@app.command()
def destinations(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Ask every destination whether it answers, and show what it still has to take."""
    from hilum import views
    from hilum.config import load
    from hilum.destinations import open_destination
    from hilum.records import Records
    from hilum.serve import records_url

    site = load(config)
    records = Records(records_url(site)) if _recorded(site) else Records("sqlite://")
    shown = views.destinations(site, records)
    for view, settings in zip(shown, site.destination, strict=True):
        view["answers"] = open_destination(settings).answers()
        if not as_json:
            out.print(_destination_line(view))
            out.print("  answers" if view["answers"] else "  [bold red]does not answer[/]")
    if as_json:
        _print_json(shown)
    raise typer.Exit(0 if all(view["answers"] for view in shown) else 1)


@app.command()
def trace(study: str, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show every event of one study in order, with times and reasons."""
    from hilum import views

    lines = views.trace(_site_and_records(config)[1], study)
    if not lines:
        raise HilumError(f"no study {study} was received; `hilum status` lists those that were")
    if as_json:
        _print_json(lines)
        return
    for line in lines:
        clock = time.strftime("%T", time.localtime(line["at"]))
        out.print(
            f"{clock}  +{line['at'] - lines[0]['at']:8.2f} s  {line['kind']:<14} {line['text']}"
        )


@app.command()
def release(
    workitem: Annotated[str | None, typer.Argument(help="One only: the end of its id.")] = None,
    destination: Annotated[str, typer.Option(help="Only what this destination refused.")] = "",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Deliver what was parked, once the cause is cured; everything, or one workitem."""
    from hilum.asking import parked, workitem_called

    records = _site_and_records(config)[1]
    ids = [workitem_called(records, workitem)] if workitem else parked(records, destination)
    if not ids:
        say.print("nothing is parked")
    _request("release", ids, config)


@app.command()
def retry(workitem: Workitem, config: Config = DEFAULT_CONFIG) -> None:
    """Analyse again what failed, or send again now what waits for its next attempt."""
    _request("retry", [workitem], config)


@app.command()
def cancel(workitem: Workitem, config: Config = DEFAULT_CONFIG) -> None:
    """Stop an analysis that waits or runs, or a delivery that was not made yet."""
    _request("cancel", [workitem], config)


@app.command()
def withdraw(
    workitem: Workitem,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads the note in the archive.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Take a delivered result back: a rejection note goes wherever the result went."""
    _request("withdraw", [workitem], config, reason)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(context: typer.Context) -> None:
    """Run the test suite (arguments go to pytest). `./hilum test` installs what it needs first."""
    import subprocess

    root = Path(__file__).parents[2]
    if not (root / "tests").is_dir():
        raise HilumError("the tests are in the source tree: clone it and run ./hilum test there")
    command = [sys.executable, "-m", "pytest", *context.args]
    raise typer.Exit(subprocess.run(command, cwd=root, check=False).returncode)


def address(text: str) -> tuple[str, str, int]:
    """`AE@HOST:PORT` as (AE title, host, port)."""
    title, at, rest = text.partition("@")
    host, colon, port = rest.rpartition(":")
    if not (title and at and host and colon and port.isdigit()):
        raise HilumError(f"{text!r} is not AE@HOST:PORT, such as ORTHANC@127.0.0.1:4242")
    return title, host, int(port)


def main() -> None:
    """Run the command line; errors we can explain are one line, not a traceback."""
    try:
        app(prog_name="hilum")
    except HilumError as error:
        say.print(f"[bold red]error:[/] {error}")
        sys.exit(1)


def _request(action: str, workitems: list[str], config: Path, reason: str = "") -> None:
    from hilum.asking import ask, workitem_called

    site, records = _site_and_records(config)
    all_done = True
    for workitem in workitems:
        workitem_id = workitem_called(records, workitem)
        done, answer = ask(records, site.data, action, workitem_id, reason)
        say.print(f"{workitem_id[-8:]}: {escape(answer)}")
        all_done = all_done and done
    raise typer.Exit(0 if all_done else 1)


def _site_and_records(config: Path) -> Any:
    from hilum.config import load
    from hilum.records import Records
    from hilum.serve import records_url

    site = load(config)
    if not _recorded(site):
        raise HilumError(f"nothing recorded in {site.data} yet; `hilum serve` makes it")
    return site, Records(records_url(site))


def _recorded(site: Any) -> bool:
    return bool(site.database) or (site.data / "hilum.db").exists()


def _when(at: float) -> str:
    return time.strftime("%F %T", time.localtime(at))


def _source_line(source: dict[str, Any]) -> str:
    parts = [f"source {source['name']} ({source['kind']})  [bold]{source['state']}[/]"]
    if "since" in source:
        parts.append(f"since {_when(source['since'])}")
        parts.append(f"{source['fetched']} images fetched, {source['behind']} changes behind")
    if source.get("problem"):
        parts.append(f"last problem {_when(source['problem_at'])}: {escape(source['problem'])}")
    return "  ".join(parts)


def _show_quarantine(quarantine: dict[str, Any]) -> None:
    if not quarantine["total"]:
        return
    out.print(f"[bold]{quarantine['total']} objects not taken in[/], in {quarantine['folder']}:")
    for item in quarantine["objects"]:
        when = time.strftime("%F %T", time.localtime(item["at"]))
        about = f"study {item['study_uid']}" if item["study_uid"] else "study unknown"
        sender = escape(item["sender"] or "unknown sender")
        out.print(f"{when}  {about}  from {sender}  {escape(item['reason'])}")
    if more := quarantine["total"] - len(quarantine["objects"]):
        out.print(f"and {more} older ones")


def _destination_line(destination: dict[str, Any]) -> str:
    parts = [f"destination {destination['name']} ({destination['kind']})"]
    if destination["state"] == "silent":
        since = time.strftime("%F %T", time.localtime(destination["since"]))
        parts.append(f"[bold red]silent since {since}[/], called every few seconds")
        parts.append(escape(destination["problem"]))
    counts = destination["deliveries"]
    parts += [f"{counts[state]} {state}" for state in sorted(counts)]
    return "  ".join(parts)


def _delivery_line(delivery: dict[str, Any]) -> str:
    parts = [f"{delivery['destination']}: [bold]{delivery['state']}[/]"]
    if delivery["state"] == "delayed":
        when = time.strftime("%F %T", time.localtime(delivery["next_attempt"]))
        parts.append(f"attempt {delivery['attempts'] + 1} at {when}")
    return "  ".join([*parts, escape(delivery["reason"])])


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def _show_report(report: dict[str, Any]) -> None:
    out.print(f"study {report['study_uid']}: {report['state']}")
    for verdict in report["verdicts"]:
        out.print(f"  {verdict}")
    for line in filter(None, map(in_words, report["findings"])):
        out.print(f"  {line}")
    for result in report["results"]:
        out.print(f"  {result['kind']}: {result['path']}")
