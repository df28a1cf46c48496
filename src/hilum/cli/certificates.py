"""The command that makes certificates for a trial of TLS."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from hilum.cli.app import app, out, say
from hilum.errors import HilumError, MissingPartError
from hilum.privacy import make_private

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
DAYS = ("-days", "90")
CA = "ca"  # its own files are called so
HOST_NAME = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9._:-]*")


@app.command()
def certificates(
    folder: Annotated[Path, typer.Argument(help="Folder for the files; it must not exist yet.")],
    host: Annotated[
        list[str], typer.Option(help="Name or address of a machine; repeat it for several.")
    ],
) -> None:
    """Make a certificate authority and a certificate for each host, for a trial of TLS.

    For a trial only: whoever has `ca.key` can make further ones. In a hospital, its own authority
    signs them.
    """
    if not shutil.which("openssl"):
        raise MissingPartError("openssl is missing: sudo apt-get install openssl")
    if folder.exists():
        raise HilumError(f"{folder} is there already: name a folder that does not exist yet")
    if odd := [name for name in host if name == CA or not HOST_NAME.fullmatch(name)]:
        raise HilumError(f"{odd[0]!r} is no name or address of a machine: write another --host")
    make_private(folder)
    authority = ("-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    _openssl("req", "-x509", *KEY, *DAYS, "-subj", "/CN=Trial of Hilum", *authority)
    for name in host:
        _make(folder, name)
    for file in folder.glob("*.key"):
        file.chmod(0o600)
    out.print(_settings(folder, host), markup=False, highlight=False)
    say.print("for a trial only; they end in 90 days")


def _make(folder: Path, name: str) -> None:
    """The certificate and the key of one host, for a server and for a client."""
    is_address = name.replace(".", "").isdigit() or ":" in name
    request, names = folder / f"{name}.request", folder / f"{name}.names"
    names.write_text(f"subjectAltName={'IP' if is_address else 'DNS'}:{name}\n")
    made = ("-keyout", folder / f"{name}.key", "-out", request)
    _openssl("req", "-new", *KEY, "-subj", f"/CN={name}", *made)
    signer = ("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial")
    signed = ("-in", request, "-out", folder / f"{name}.pem", "-extfile", names)
    _openssl("x509", "-req", *DAYS, *signer, *signed)
    request.unlink()
    names.unlink()


def _openssl(*words: str | Path) -> None:
    finished = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    if finished.returncode:
        raise HilumError(f"openssl {words[0]}: {finished.stderr.strip()[-300:]}")


def _settings(folder: Path, hosts: list[str]) -> str:
    """What to write into hilum.toml."""
    ours = folder / hosts[0]
    lines = [
        f'ca_file = "{folder / "ca.pem"}"',
        f'certificate_file = "{ours}.pem"',
        f'key_file = "{ours}.key"',
    ]
    return "\n".join(
        [
            "# Once in the file, after the settings of [receiver]:",
            "[receiver.tls]",
            *lines,
            "",
            "# Right below each [[destination]] that is called by TLS, after its other settings,",
            "# and before whatever begins with a bracket next. [source.tls] goes in the same way.",
            "[destination.tls]",
            *lines,
        ]
    )
