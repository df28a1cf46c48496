"""Commands that need no running Hilum: analyse a folder, send, echo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from hilum.cli.app import AsJson, Models, app, out, print_json, say
from hilum.config.fields import ae_title
from hilum.config.tls import Tls
from hilum.errors import HilumError
from hilum.terminal import progress_bar, progress_of_steps

if TYPE_CHECKING:
    from hilum.offline.report import StudyReport

TlsCa = Annotated[
    Path | None, typer.Option("--tls-ca", help="Speak TLS; who signed the peer's certificate.")
]
TlsCertificate = Annotated[
    Path | None, typer.Option("--tls-certificate", help="Our certificate, for mutual TLS.")
]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", help="The key of our certificate.")]
NOT_APPLICABLE = 3  # exit status; 2 is that of wrong words on the command line


def _pairs(option: str, given: list[str] | None, form: str) -> dict[str, str]:
    """What was given with `option`, each as NAME=VALUE; `form` says that, with an example."""
    pairs = given or []
    for pair in pairs:
        if "=" not in pair:
            raise HilumError(f"{option} {pair}: give {form}")
    return dict(pair.split("=", 1) for pair in pairs)


@app.command()
def run(
    module: Annotated[str, typer.Argument(help="Name, as `hilum modules` lists it.")],
    folder: Annotated[Path, typer.Argument(help="Folder of DICOM files.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    series: Annotated[
        list[str] | None,
        typer.Option(
            help="What the series is called: DICOM keyword=regular expression; "
            "input:keyword=... for a module with several inputs."
        ),
    ] = None,
    tilt: Annotated[
        str, typer.Option(help="Slices of a tilted gantry: refuse or resample.")
    ] = "refuse",
    parameter: Annotated[
        list[str] | None, typer.Option(help="A parameter of the module: name=value.")
    ] = None,
    viewer: Annotated[
        Literal["any", "ohif"],
        typer.Option(help="What shows the results: ohif gets segmentations that it shows right."),
    ] = "any",
    models: Models = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="Settings file whose models and [[host]] of the module are used."
        ),
    ] = None,
    traceback: Annotated[
        bool,
        typer.Option(
            "--traceback", help="Print the traceback of a module that fails; it may name a patient."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Analyse a folder without a network: choose the series, write results, print findings."""
    from hilum.config import load
    from hilum.hosts.scratch import TRACEBACK
    from hilum.offline import analyse_folder
    from hilum.offline.report import ReportState

    _require(folder)
    patterns = _pairs("--series", series, "KEYWORD=REGEX, such as SeriesDescription=T1")
    parameters = _pairs("--parameter", parameter, "NAME=VALUE, such as threshold=0.4")
    host = None
    if config:
        site = load(config)
        models = models or site.models
        host = site.host_for(module)
    with progress_of_steps(say) as progress:
        reports = analyse_folder(
            module,
            folder,
            output,
            patterns,
            models,
            progress,
            tilt,
            parameters,
            host=host,
            segmentation="ohif" if viewer == "ohif" else "binary",
        )
    if as_json:
        print_json(reports)
    else:
        for report in reports:
            _show_report(report, folder)
    for kept in sorted(output.glob(f"*/{TRACEBACK}")) if traceback else ():
        say.print(escape(kept.read_text()))
    if any(report.state is ReportState.FAILED for report in reports):
        raise typer.Exit(1)
    raise typer.Exit(0 if any(report.results for report in reports) else NOT_APPLICABLE)


@app.command()
def send(
    folder: Annotated[Path, typer.Argument(help="Folder (or file) to send.")],
    to: Annotated[str, typer.Option(help="AE@HOST:PORT of the receiver.")],
    calling: Annotated[str, typer.Option(help="Our AE title.")] = "SCANNER",
    tls_ca: TlsCa = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
) -> None:
    """Send DICOM files by C-STORE, as a scanner does."""
    from hilum.transport import sender

    tls = _tls(tls_ca, tls_certificate, tls_key)

    called, calling = address(to), _ae_title(calling)
    _require(folder)
    files = sender.dicom_files(folder)
    if not files:
        raise HilumError(f"{folder} holds no DICOM files")
    with progress_bar("sending", say) as progress:
        task = progress.add_task("sending", total=len(files))
        report = sender.send(
            files, called, calling, progress=lambda _sent: progress.advance(task), tls=tls
        )
    say.print(str(report))
    raise typer.Exit(1 if report.failed else 0)


@app.command()
def echo(
    to: Annotated[str, typer.Argument(help="AE@HOST:PORT of the peer.")],
    tls_ca: TlsCa = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
) -> None:
    """Ask a DICOM peer whether it answers us (C-ECHO)."""
    from hilum.transport import sender

    tls = _tls(tls_ca, tls_certificate, tls_key)
    out.print(f"{to} answers, {1000 * sender.echo(address(to), tls=tls):.0f} ms")


def _require(folder: Path) -> None:
    if not folder.exists():
        raise HilumError(f"{folder}: no such folder")


def address(text: str) -> tuple[str, str, int]:
    """`AE@HOST:PORT` as (AE title, host, port)."""
    title, at, rest = text.partition("@")
    host, colon, port = rest.rpartition(":")
    if not (title and at and host and colon and port.isdigit() and int(port) <= 65535):
        raise HilumError(f"{text!r} is not AE@HOST:PORT, such as ORTHANC@127.0.0.1:4242")
    return _ae_title(title), host, int(port)


def _ae_title(text: str) -> str:
    try:
        return ae_title(text)
    except ValueError as error:
        raise HilumError(f"{text!r}: {error}") from error


def _show_report(report: "StudyReport", folder: Path) -> None:
    from hilum.offline.reading import in_lines

    study = report.study_uid
    out.print(
        f"study {study}: {report.state}"
        if study
        else "these files belong to no study that can be analysed"
    )
    for line in in_lines(report.files, folder):
        out.print(f"  {escape(line)}")
    if study and not report.verdicts:
        out.print("  it holds no images that a module could take")
    for verdict in report.verdicts:
        out.print(f"  {escape(verdict)}")
    if report.caution:
        out.print(f"  [bold]{report.caution}[/]")
    if report.problem:
        out.print(f"  [bold red]{escape(report.problem)}[/]")
    for line in filter(None, (finding.in_words() for finding in report.findings)):
        out.print(f"  {escape(line)}")
    for result in report.results:
        out.print(f"  {result.kind}: {result.path}")


def _tls(ca: Path | None, certificate: Path | None, key: Path | None) -> Tls | None:
    """What the three options say; None without any of them."""
    if not (ca or certificate or key):
        return None
    if bool(certificate) != bool(key):
        raise HilumError("--tls-certificate and --tls-key belong together: give both or none")
    tls = Tls(ca_file=ca, certificate_file=certificate, key_file=key)
    tls.check()
    return tls
