"""The commands as one types them: what they print, how they exit, what they leave behind."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, NamedTuple

import httpx
import pytest
from pytest import MonkeyPatch

from factory import a_result, a_study, a_workitem, mr_slices, put, write
from hilum.cli import main
from hilum.config import load
from hilum.errors import HilumError
from hilum.processes.process import descendants
from hilum.records import Records, views
from hilum.records.states import WorkitemState
from hilum.summary.remarks import NoteSummary
from hilum.terminal import outcome_lines
from hilum_lab.demo.exams import exams_in
from hilum_lab.network import head
from hilum_lab.network.exam import make_exam
from hilum_lab.network.processes import available_port
from patience import PATIENCE, until
from plugin import BRIGHT, install_plugin

pytestmark = pytest.mark.slow


class Typed(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


@pytest.fixture
def hilum(
    tmp_path: Path, monkeypatch: MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Typed]:
    """Types a command, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def typed(*words: str | Path) -> Typed:
        monkeypatch.setattr(sys, "argv", ["hilum", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Typed(int(ended.value.code or 0), *capsys.readouterr())

    return typed


@pytest.fixture(scope="module")
def crop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not head.TEMPLATES.is_dir():
        pytest.skip("mricron-data is not installed")
    return make_exam(tmp_path_factory.mktemp("exam"), series=["HippoCrop"])


# The demo -------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """What runs in the background of a shell ignores it, and hands that on to what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


DEMO = [sys.executable, "-m", "hilum", "demo", "--json"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """A demo in a folder deeper than a socket's path may be; its console's usual port is taken."""
    folder = tmp_path_factory.mktemp("demo") / ("a long name " * 10).strip()
    folder.mkdir()
    with (
        socket.socket() as taken,
        (folder / "stderr").open("w") as stderr,
    ):
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # somebody else has taken it
            taken.bind(("127.0.0.1", 8040))
            taken.listen()
        with subprocess.Popen(
            DEMO,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        ) as running:
            yield running
            running.kill()


def test_the_demo_from_scanner_to_viewer_and_nothing_is_left_of_it(
    demo: subprocess.Popen[str],
) -> None:
    assert demo.stdout
    report = json.loads(demo.stdout.readline())
    assert report["verified"]
    brain, film = report, *report["further"]
    assert {phase.partition(":")[0] for phase in report["seconds"]} >= {"start", "brain MR"}
    for study, module in ((brain, "hippocampal-volume"), (film, "chest-radiograph")):
        # where sending stalls, a run on fewer images comes first and is replaced
        [*replaced, item] = (item for item in study["workitems"] if item["module"] == module)
        assert all(item["superseded_by"] for item in replaced)
        assert item["state"] == "completed"
        assert len(item["weights_sha256"]) == 64
        assert all(series["reasons"] for series in item["chosen_series"])
        assert item["findings"]
        assert all(result["verified"] for result in item["results"])
    for address in brain["addresses"].values():
        assert httpx.get(address, follow_redirects=True).is_success, address
    assert ":8040/" not in brain["addresses"]["hilum"]

    said = (Path(f"/proc/{demo.pid}/cwd").readlink() / "stderr").read_text()
    assert "port 8040 (Hilum's console) is taken, using" in said
    done = [i for study in (brain, film) for i in study["workitems"] if i["state"] == "completed"]
    assert said.count("verified in pacs") == len(done), said  # the last line of each
    assert re.search(r"PACS, DICOM, ORTHANC +port \d+ on all interfaces: whoever", said)
    assert re.search(r"PACS, HTTP +port \d+ on all interfaces: it answers this machine only", said)
    assert re.search(r"Hilum, DICOM, HIPPOAI +port \d+ on 127\.0\.0\.1\n", said)
    assert "chosen HippoCrop (35 images)" in said
    assert "\x1b" not in said  # no colours where nobody sees them
    (link,) = re.findall(r"^(http://127\.0\.0\.1:\d+/enter#[\w-]{40,})$", said, re.MULTILINE)
    (words,) = re.findall(r"`hilum (console -c .+)` prints another one", said)
    folder = Path(f"/proc/{demo.pid}/cwd").readlink()
    command = [sys.executable, "-m", "hilum", *shlex.split(words)]
    other = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    address, _, key = other.stdout.strip().partition("#")
    assert link.partition("#")[0] == address
    with httpx.Client() as signed_in:
        assert signed_in.post(address, data={"key": key}).status_code == 303
        for study in (brain, film):
            page = signed_in.get(study["addresses"]["hilum"])
            assert page.is_success
            assert study["study_uid"] in page.text

    assert any("Orthanc" in name for name in descendants(demo.pid).values())
    assert "Traceback" not in ended_by_ctrl_c(demo)
    assert [path.name for path in folder.iterdir()] == ["stderr"], "it leaves nothing behind"


def test_the_demo_says_nothing_of_a_run_that_was_replaced() -> None:
    def told(*items: tuple[str, str | None, str]) -> list[str]:
        """What is said of workitems with a reason, what superseded them, and a finding."""
        with closing(Records("sqlite://")) as records:
            put(records, a_study())
            for number, (reason, superseded_by, found) in enumerate(items):
                about = {"state": WorkitemState.CANCELLED, "reason": reason, "created": number}
                about |= {"findings": (NoteSummary(found),), "superseded_by": superseded_by}
                put(records, a_workitem(id=str(number), **about))
                if found:
                    put(records, a_result(str(number), identity=str(number)))
            return outcome_lines(views.study(records, "1.2"))

    assert told(("", "b", "2.0 mL"), ("", None, "3.1 mL"), ("no film", None, "")) == ["3.1 mL"]
    gaps = ["no result of m: cancelled, gaps"]
    assert told(("more images", "b", "2.0 mL"), ("gaps", None, "")) == gaps


def test_a_demo_that_is_just_starting_ends_at_ctrl_c(tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("w") as stderr:
        starting = subprocess.Popen(DEMO, cwd=tmp_path, stderr=stderr, start_new_session=True)
    try:

        def has_begun() -> bool:
            assert starting.poll() is None, (tmp_path / "stderr").read_text()
            # tracker and fork server, then the first of ours
            return len(descendants(starting.pid)) >= 3

        until(has_begun, (tmp_path / "stderr").read_text, pause=0.01)
        assert "Traceback" not in ended_by_ctrl_c(starting)
    finally:
        starting.kill()


def ended_by_ctrl_c(demo: subprocess.Popen[Any]) -> str:
    """What the demo said until it, and all that it started, had ended."""
    said = Path(f"/proc/{demo.pid}/cwd").readlink() / "stderr"
    below = descendants(demo.pid)
    os.killpg(demo.pid, signal.SIGINT)  # a terminal sends it to all of them
    assert demo.wait(PATIENCE) == 130
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), below)
    return said.read_text()


def test_results_and_copies_in_a_folder_are_not_sent(
    hilum: Callable[..., Typed], crop: Path, tmp_path: Path
) -> None:
    shutil.copytree(crop, tmp_path / "exam")
    shutil.copytree(crop, tmp_path / "exam" / "copy")
    assert hilum("run", "hippocampal-volume", crop, "-o", "exam/results").status == 0
    (exam,) = exams_in(tmp_path / "exam")
    assert len(exam.files) == 35
    assert exam.has_series("HippoCrop")
    with pytest.raises(HilumError, match="no DICOM images"):
        list(exams_in(tmp_path / "exam" / "results"))


def test_the_demo_says_what_is_wrong_with_an_exam(
    hilum: Callable[..., Typed], tmp_path: Path
) -> None:
    for folder, problem in ((tmp_path / "none", "no such folder"), (tmp_path, "no DICOM images")):
        ended = hilum("demo", "--once", "--exam", folder)
        assert ended.status == 1
        assert problem in ended.err


# Analysing a folder ---------------------------------------------------------------------------


def test_nothing_calls_home(crop: Path, tmp_path: Path) -> None:
    """What the telemetry of the inference libraries keeps for its next call lies in the home."""
    home = tmp_path / "home"
    home.mkdir()
    quiet = ("ORT_DISABLE_TELEMETRY", "CI", "TF_BUILD", "JENKINS_URL", "XDG_CACHE_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in quiet}
    environment = {**kept, "HOME": str(home)}
    run = ["-m", "hilum", "run", "hippocampal-volume", str(crop), "-o", str(tmp_path / "out")]
    for words in (run, ["-c", "import hilum, openvino, onnxruntime"]):
        subprocess.run([sys.executable, *words], env=environment, check=True, stdout=DEVNULL)
    assert [str(path) for path in home.rglob("*")] == []


def test_results_of_two_runs_do_not_lie_side_by_side(
    hilum: Callable[..., Typed], crop: Path, tmp_path: Path
) -> None:
    first = hilum("run", "hippocampal-volume", crop, "-o", "out", "--json")
    (report,) = json.loads(first.out)
    assert report["state"] == "analysed"
    written = sorted(path.name for path in (tmp_path / "out" / "study-1").iterdir())
    assert written == ["pdf.dcm", "sc.dcm", "seg.dcm", "sr.dcm"]
    again = hilum("run", "hippocampal-volume", crop, "-o", "out")
    assert again.status == 1
    assert "is not empty" in again.err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["run", "hippocampal-volume", "nowhere", "-o", "out"], "nowhere: no such folder"),
        (["run", "hippocampal-volumes", ".", "-o", "out"], "no module 'hippocampal-volumes'"),
        (["run", "hippocampal-volume", ".", "-o", "out"], "holds no DICOM images"),
        (["run", "hippocampal-volume", "exam", "-o", "/proc/none"], "/proc/none"),
        (["run", "hippocampal-volume", "exam", "-o", "out", "--series", "Foo=1"], "--series Foo"),
        (["run", "hippocampal-volume", "exam", "-o", "out", "--series", "t1:SOPClassUID=1"], "t1"),
        (["send", "exam", "--to", "PACS@127.0.0.1:1", "--calling", "A" * 17], "16 ASCII"),
        (["send", "exam", "--to", "PACS@127.0.0.1:99999"], "is not AE@HOST:PORT"),
        (["echo", "PACS@127.0.0.1:1"], "127.0.0.1:1"),
        (["serve"], "`hilum init` writes one"),
        (["serve", "-c", "exam"], "exam: Is a directory"),
        (["status", "-c", "bad.toml"], "unknown setting receiver.prot, did you mean 'port'?"),
        (["serve", "-c", "mysql.toml"], "database: "),
        (["serve", "-c", "port.toml"], "database: "),
        (["serve", "-c", "latin.toml"], "latin.toml is not UTF-8"),
        (["serve", "-c", "nowhere.toml"], "data: /proc/nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    hilum: Callable[..., Typed], crop: Path, tmp_path: Path, words: list[str], problem: str
) -> None:
    if "exam" in words:
        (tmp_path / "exam").symlink_to(crop)
    (tmp_path / "bad.toml").write_text("[receiver]\nprot = 1\n")
    (tmp_path / "latin.toml").write_bytes(b'data = "\xe4"\n')
    settings_file(tmp_path / "mysql.toml", database="mysql://u@h/d")
    settings_file(tmp_path / "port.toml", database="postgresql+psycopg://u@h:port/d")
    settings_file(tmp_path / "nowhere.toml", data="/proc/nowhere")
    ended = hilum(*words)
    assert ended.status == 1, ended.err
    assert problem in ended.err
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1, ended.err


def test_a_module_that_fails_costs_its_study_only(
    hilum: Callable[..., Typed], tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    doomed = BRIGHT.replace(
        "        volume = ",
        "        if len(series.instances) < 20:\n            import os\n            os._exit(3)\n"
        "        if len(series.instances) < 25:\n            raise ValueError('a reason')\n"
        "        volume = ",
    )
    install_plugin(tmp_path / "plugin", monkeypatch, doomed, "bright-volume", "BrightVolume")
    for number in (16, 24, 30):
        write(mr_slices(study=f"study {number}", count=number), tmp_path / "exams" / str(number))
    ended = hilum("run", "bright-volume", "exams", "-o", "out", "--json", "--traceback")
    reports = json.loads(ended.out)
    assert "raise ValueError('a reason')" in ended.err, "the author's line"
    by_images = sorted((int(r["verdicts"][0].split("(")[1].split()[0]), r) for r in reports)
    states = {images: report["state"] for images, report in by_images}
    assert states == {16: "failed", 24: "failed", 30: "analysed"}
    problems = [report.get("problem", "") for _, report in by_images]
    assert "died (exit code 3)" in problems[0]
    assert "ValueError" in problems[1]
    assert "a reason" in "".join(p.read_text() for p in tmp_path.rglob("traceback.txt"))
    assert ended.status == 1


def test_run_says_what_became_of_every_file(
    hilum: Callable[..., Typed], tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    slices = mr_slices(count=18)
    paths = write(slices, tmp_path / "exam")
    shutil.copy(paths[0], tmp_path / "exam" / "copy.dcm")
    slices[1].SeriesDescription = "another"
    slices[1].save_as(tmp_path / "exam" / "other.dcm", enforce_file_format=True)
    paths[2].write_bytes(paths[2].read_bytes()[132:])
    (tmp_path / "exam" / "notes.txt").write_text("not an image")
    told = [
        "left out: 1 file, the same object is here already (copy.dcm)",
        "passed over: 1 file, SOP Instance UID received again with other content (other.dcm)",
        f"put right: 1 file, it has no preamble ({paths[2].name})",
        "passed over: 1 file, not a DICOM file: no prefix or no file meta group (notes.txt)",
    ]
    ended = hilum("run", "bright-volume", "exam", "-o", "out")
    assert ended.status == 0, ended.err
    assert "chosen HippoCrop (18 images)" in ended.out
    assert [line for line in told if line not in ended.out] == []
    shutil.copytree(tmp_path / "out", tmp_path / "exam" / "results")
    again = hilum("run", "bright-volume", "exam", "-o", "again")
    assert "left out: 4 files, a result of Hilum, it is not analysed" in again.out
    shutil.rmtree(tmp_path / "exam" / "results")
    others, report = json.loads(hilum("run", "bright-volume", "exam", "-o", "two", "--json").out)
    assert [Path(file["path"]).name for file in others["files"]] == ["notes.txt"]
    assert (others["state"], report["state"]) == ("passed over", "analysed")
    assert sorted(file["fate"] for file in report["files"]) == [
        "left out",
        "passed over",
        "put right",
    ]
    for path in tmp_path.glob("exam/*.dcm"):
        path.unlink()
    empty = hilum("run", "bright-volume", "exam", "-o", "three")
    assert empty.status == 1
    assert "exam holds no DICOM images; passed over: 1 file, not a DICOM file" in empty.err


def test_run_holds_what_serve_would_hold(
    hilum: Callable[..., Typed], tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    slices = mr_slices(count=18)
    write([s for number, s in enumerate(slices) if number != 9], tmp_path / "exam")
    ended = hilum("run", "bright-volume", "exam", "-o", "out", "--json")
    (report,) = json.loads(ended.out)
    assert ended.status == 3
    assert report["state"] == "held"
    assert "1 slice missing" in report["problem"]
    assert "inf" not in report["problem"]


def test_run_applies_the_cure_of_a_tilt_that_it_prints(
    hilum: Callable[..., Typed], tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    slices = mr_slices(count=18)
    for number, ds in enumerate(slices):
        ds.ImagePositionPatient = [0, 0.0875 * number, number]  # 5 degrees
    write(slices, tmp_path / "exam")
    ended = hilum("run", "bright-volume", "exam", "-o", "out", "--json")
    (report,) = json.loads(ended.out)
    assert (ended.status, report["state"]) == (3, "not applicable")
    assert "gantry tilt of 5.0°" in report["reason"]
    (cure,) = re.findall(r"for `hilum run`, use (--tilt \w+)", report["reason"])
    ended = hilum("run", "bright-volume", "exam", "-o", "again", "--json", *cure.split())
    (report,) = json.loads(ended.out)
    assert (ended.status, report["state"]) == (0, "analysed")
    assert any("resampled" in f.get("text", "") for f in report["findings"])
    wrong = hilum("run", "bright-volume", "exam", "-o", "wrong", "--tilt", "bend")
    assert (wrong.status, "--tilt" in wrong.err) == (1, True)


# The service ----------------------------------------------------------------------------------


@contextmanager
def serving(folder: Path, **settings: object) -> Iterator[subprocess.Popen[bytes]]:
    """`hilum serve` on free ports, its data below `folder`; what it says is in `folder`/said."""
    config = settings_file(folder / "serving.toml", **settings)
    command = [sys.executable, "-m", "hilum", "serve", "-c", str(config)]
    with (folder / "said").open("w") as said:
        service = subprocess.Popen(command, stderr=said, start_new_session=True)
    try:
        yield service
    finally:
        service.kill()
        service.wait()


def settings_file(file: Path, **settings: object) -> Path:
    settings = {"data": str(file.parent / "data"), **settings}
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    lines += [f"receiver.port = {available_port()}", f"console.port = {available_port()}"]
    file.write_text("\n".join(lines))
    return file


def wait_until_said(folder: Path, words: str) -> None:
    said = folder / "said"
    until(lambda: words in said.read_text(), said.read_text)


def test_the_settings_of_init_are_valid_and_never_overwritten(
    hilum: Callable[..., Typed], tmp_path: Path
) -> None:
    first = hilum("init")
    assert first.status == 0
    said = " ".join(first.err.split())
    assert "The address 127.0.0.1 is right if Orthanc runs on this machine" in said
    assert load(tmp_path / "hilum.toml").destination
    assert "is not overwritten" in hilum("init").err


def test_two_services_do_not_share_a_folder(hilum: Callable[..., Typed], tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        wait_until_said(tmp_path, "listening as HIPPOAI")
        second = hilum("serve", "-c", settings_file(tmp_path / "second.toml"))
        assert second.status == 1
        assert "another `hilum serve` works in" in second.err
        os.killpg(first.pid, signal.SIGTERM)  # as systemd does: every process is told to end
        assert first.wait(PATIENCE) == 0
        assert "died" not in (tmp_path / "said").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_that_waits_for_its_database_can_be_stopped(
    tmp_path: Path, number: signal.Signals
) -> None:
    with serving(tmp_path, database="postgresql+psycopg://u:p@127.0.0.1:1/none") as waiting:
        wait_until_said(tmp_path, "do not answer")
        waiting.send_signal(number)
        assert waiting.wait(PATIENCE) in (-signal.SIGTERM, 130)
