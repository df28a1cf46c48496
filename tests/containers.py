"""Images of containers, made from Debian's packages without any registry; kept for later runs."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "python3-pydicom"),
    *("libc6", "libexpat1", "zlib1g", "libbz2-1.0", "liblzma5", "libffi8", "libssl3", "libuuid1"),
)
PYTHON, PROGRAM = "/usr/bin/python3.11", "/app/module.py"

# Half a mercure module, half a MAP: what it does is told to it by the variable DEED.
MODULE = """
import json, os, socket, sys, time
from pathlib import Path

given, left = Path(os.environ["HOLOSCAN_INPUT_PATH"]), Path(os.environ["HOLOSCAN_OUTPUT_PATH"])
said = {}


def image(**changes):
    import pydicom
    from pydicom.uid import generate_uid
    first = pydicom.dcmread(sorted(given.glob("*.dcm"))[0])
    first.SOPInstanceUID, first.SeriesInstanceUID = generate_uid(), generate_uid()
    first.PatientName, first.PatientID = "Someone^Else", "other"
    first.ImageType, first.SeriesDescription = ["DERIVED", "SECONDARY"], "Inverted"
    for keyword, value in changes.items():
        setattr(first, keyword, value)
    first.save_as(left / "result.dcm")


def well():
    image()
    said["volume"] = {"ml": 12.5}


def tells():
    well()
    task = json.loads((given / "task.json").read_text())
    told = [os.getuid(), os.environ.get("MERCURE_IN_DIR"), task["process"]["settings"]]
    said["__mercure_notification"] = {"text": json.dumps(told)}
    said["__mercure_routing"] = {"target": "elsewhere"}


def discards():
    well()
    said["__mercure_routing"] = {"discard": True}


def lacks():
    image(PhotometricInterpretation="")


def refers():
    import pydicom
    item = pydicom.Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.2.3"
    image(SourceImageSequence=[item])


def gives_back():
    for path in given.glob("*.dcm"):
        (left / path.name).write_bytes(path.read_bytes())
    said["volume"] = {"ml": 1}


def nothing():
    sys.exit(0)


def fails():
    print("no such weights")
    sys.exit(3)


def network():
    try:
        socket.create_connection(("192.0.2.1", 80), 3)
    except OSError as error:
        interfaces = sorted(name for _, name in socket.if_nameindex())
        said["__mercure_notification"] = {"text": f"{error.strerror} {interfaces}"}


def writes():
    told = []
    for path in ("/app/x", "/etc/x", "/usr/x"):
        try:
            open(path, "w")
        except OSError as error:
            told.append(error.strerror)
    said["__mercure_notification"] = {"text": json.dumps(told)}


def memory():
    held = bytearray(1 << 30)
    held[::4096] = b"x" * len(held[::4096])


def fork_bomb():
    made = 0
    try:
        while made < 5000:
            if os.fork() == 0:
                time.sleep(600)
            made += 1
    except OSError:
        said["__mercure_notification"] = {"text": f"{made}"}
        (left / "result.json").write_text(json.dumps(said))
        os._exit(0)


def huge():
    with open(left / "huge", "wb") as file:
        file.truncate(1 << 40)
    time.sleep(600)


def many():
    for number in range(64):
        (left / str(number)).write_bytes(bytes(1 << 20))
    time.sleep(600)


def floods():
    while True:
        print("x" * 100_000)


def hangs():
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(6000)


def link():
    (left / "result.json").symlink_to("/etc/passwd")


def folder_link():
    (left / "more").symlink_to("/etc")


def deep():
    os.chdir(left)
    for _ in range(1500):
        os.mkdir("d" * 100)
        os.chdir("d" * 100)
    time.sleep(600)


def fifo():
    os.mkfifo(left / "result.dcm")


globals()[os.environ.get("DEED", "well")]()
if said:
    (left / "result.json").write_text(json.dumps(said))
"""
MANIFEST = {
    "command": json.dumps([PYTHON, PROGRAM]),
    "environment": {"HOLOSCAN_INPUT_PATH": "overwritten"},
    "workingDirectory": "/var/holoscan/",
    "input": {"path": "input"},
    "output": {"path": "/var/holoscan/output"},
    "version": 1.0,
    "timeout": 0,
}


def podman(*words: str | Path, **options: object) -> str:
    """What `podman` prints."""
    done = subprocess.run(["podman", *map(str, words)], capture_output=True, check=True, **options)
    return done.stdout.decode().strip()


def image(folder: Path) -> str:
    """The id of the image for tests, made below `folder` if this machine has it not."""
    if not shutil.which("podman"):
        pytest.skip("podman is not on this machine: apt-get install podman runc uidmap")
    name = f"hilum-test:{hashlib.sha256(repr((PACKAGES, MODULE, MANIFEST)).encode()).hexdigest()}"
    if subprocess.run(["podman", "image", "exists", name], check=False).returncode:
        _make(name, folder)
    return f"sha256:{podman('image', 'inspect', '--format', '{{.Id}}', name)}"


def _make(name: str, folder: Path) -> None:
    packages, root = folder / "packages", folder / "root"
    packages.mkdir(parents=True)
    packages.chmod(0o777)  # apt downloads as a user of its own
    loaded = subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=packages, check=False)
    if loaded.returncode:
        pytest.skip("Debian's packages cannot be had for the image of the tests")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    for place in ("app", "tmp", "proc", "sys", "dev", "var/holoscan", "etc/holoscan"):
        (root / place).mkdir(parents=True, exist_ok=True)
    (root / PROGRAM.lstrip("/")).write_text(MODULE)
    (root / "etc/holoscan/app.json").write_text(json.dumps(MANIFEST))
    shutil.rmtree(root / "usr/share", ignore_errors=True)
    archive = folder / "image.tar"
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    podman("import", "--change", f'CMD ["{PYTHON}", "{PROGRAM}"]', archive, name)
