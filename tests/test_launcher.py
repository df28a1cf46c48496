"""`./hilum` of a new user: which Python it takes, what it shows of the set-up, what it says if a
step fails. Run with Debian's own Python where there is one, as the README promises.
"""

import os
import pty
import re
import runpy
import shutil
import subprocess
import sys
import textwrap
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DEBIAN = Path("/usr/bin/python3")
PYTHON = str(DEBIAN) if DEBIAN.exists() else sys.executable

# Builds the project from a file that lies there: no other package and no network are needed.
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "hilum"
version = "1"
"""
BACKEND = """
import shutil
def build_editable(folder, settings=None, metadata=None):
    return shutil.copy("wheels/hilum-1-py3-none-any.whl", folder).rpartition("/")[2]
"""
STARTED = "import sys; print('started', *sys.argv[1:])"


def wheel(folder: Path, name: str, content: str = "") -> str:
    """A package with one module in it, and its line of a lock file."""
    file = folder / f"{name}-1-py3-none-any.whl"
    information = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: x\nTag: py3-none-any\nRoot-Is-Purelib: true\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.py", content)
        for member, text in information.items():
            archive.writestr(f"{name}-1.dist-info/{member}", text)
    return f"{name}==1 --hash=sha256:{sha256(file.read_bytes()).hexdigest()}\n"


@pytest.fixture
def new_clone(tmp_path: Path) -> Path:
    """A clone of its own for one test."""
    return cloned(tmp_path)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose set-up ended after its first step, which takes longest: an empty `.venv`."""
    folder = cloned(tmp_path_factory.mktemp("begun"))
    subprocess.run([PYTHON, "-m", "venv", folder / ".venv"], check=True)
    return folder


@pytest.fixture
def clone(begun: Path, new_clone: Path) -> Path:
    """A clone of its own for one test, in which the set-up goes on after that first step."""
    shutil.copytree(begun / ".venv", new_clone / ".venv", symlinks=True)
    return new_clone


@pytest.fixture(scope="module")
def same_clone(tmp_path_factory: pytest.TempPathFactory, begun: Path) -> Path:
    """One for tests that may find it set up."""
    folder = cloned(tmp_path_factory.mktemp("clone"))
    shutil.copytree(begun / ".venv", folder / ".venv", symlinks=True)
    return folder


def cloned(folder: Path) -> Path:
    """A clone with two small packages in its lock file, and pip settings that make it complain."""
    shutil.copy(ROOT / "hilum", folder)
    (folder / "backend.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(PROJECT)
    wheels = folder / "wheels"
    wheels.mkdir()
    wheel(wheels, "hilum", STARTED)
    lock = wheel(wheels, "first") + wheel(wheels, "second")
    (folder / "requirements.lock").write_text(lock)
    return folder


def environment(clone: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(clone / "home"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": f"{clone / 'wheels'} {clone / 'absent'}",  # pip warns of the second
    }


def start(
    clone: Path, *words: str, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, clone / "hilum", *words],
        cwd=cwd,
        env={**environment(clone), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_clone_is_set_up_and_started_and_the_second_start_says_nothing(
    new_clone: Path,
) -> None:
    first = start(new_clone, "--version", "x")
    assert (first.returncode, first.stdout) == (0, "started --version x\n"), first.stderr
    said = first.stderr.splitlines()
    assert len(said) < 10, first.stderr
    assert all(line.startswith(("hilum: ", "  [")) for line in said), first.stderr
    assert list((new_clone / ".venv").glob("lib/*/site-packages/second.py"))
    again = start(new_clone)
    assert (again.returncode, again.stdout, again.stderr) == (0, "started\n", "")
    (strange := new_clone / "strange").mkdir()
    (strange / "hilum.py").write_text("print('whatever lies where it is called from')")
    assert start(new_clone, cwd=strange).stdout == "started\n"


def test_odd_input_gets_what_reads_it_independently(clone: Path) -> None:
    """The command says so where it is missing: "`./hilum odd-input` ... installs it"."""
    more = wheel(clone / "wheels", "simpleitk")
    (clone / "requirements-test.lock").write_text((clone / "requirements.lock").read_text() + more)
    assert start(clone, "serve").stdout == "started serve\n"
    assert not list((clone / ".venv").glob("lib/*/site-packages/simpleitk.py"))
    assert start(clone, "odd-input").stdout == "started odd-input\n"
    assert list((clone / ".venv").glob("lib/*/site-packages/simpleitk.py"))


def test_the_suite_keeps_what_is_compiled(same_clone: Path) -> None:
    launcher = same_clone / "hilum"
    no_system_packages = 'SYSTEM: dict = {"demo": {}, "test": {}}\n'
    launcher.write_text(re.sub(r"(?s)SYSTEM = .*?\n}\n", no_system_packages, launcher.read_text()))
    more = wheel(same_clone / "wheels", "pytest", "import sys; print(sys.dont_write_bytecode)")
    lock = (same_clone / "requirements.lock").read_text()
    (same_clone / "requirements-test.lock").write_text(lock + more)
    assert start(same_clone, "test", PYTHONDONTWRITEBYTECODE="1").stdout == "False\n"


def test_a_failed_step_says_why_and_the_same_command_goes_on_once_it_is_mended(clone: Path) -> None:
    lock = clone / "requirements.lock"
    good = lock.read_text()
    lock.write_text(good + f"third==1 --hash=sha256:{'0' * 64}\n")
    failed = start(clone)
    assert failed.returncode == 1
    assert "No matching distribution found for third==1" in failed.stderr
    assert "WARNING" not in failed.stderr
    assert "Traceback" not in failed.stderr
    log = clone / ".venv" / "set-up.log"
    assert str(log) in failed.stderr
    assert "absent" in log.read_text()  # pip's warning is kept, but not shown
    lock.write_text(good)
    assert start(clone).stdout == "started\n"


def test_a_package_that_is_not_the_pinned_one_is_refused(clone: Path) -> None:
    lock = clone / "requirements.lock"
    lock.write_text(re.sub(r"sha256:\w{4}", "sha256:0000", lock.read_text()))
    failed = start(clone)
    assert failed.returncode == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in failed.stderr


def test_on_a_terminal_a_bar_shows_that_the_set_up_is_alive(clone: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [PYTHON, clone / "hilum"], env=environment(clone), stderr=theirs, stdout=subprocess.DEVNULL
    ) as running:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:
            pass  # Linux says so when the other end has closed
        finally:
            os.close(ours)
            running.kill()
    assert re.search(rb"\[#* *\] \d of 2 fetched, \d installed, \d+ s", shown), shown
    assert b"still at it, 0 s" in shown
    assert not re.search(rb"\r  \d+ s", shown), "no step counts seconds without words"


def told_by(clone: Path, version: tuple[int, int, int], **environment: str) -> str:
    """What the launcher says where the Python that runs it is of this version."""
    program = f"""
        import runpy, sys
        sys.version_info, sys.version = {(*version, "final", 0)}, {".".join(map(str, version))!r}
        sys.argv = ["hilum", "demo", "--once"]
        print(runpy.run_path("hilum")["wrong_python"]())
    """
    finished = subprocess.run(
        [PYTHON, "-c", textwrap.dedent(program)],
        cwd=clone,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout.strip()


@pytest.mark.parametrize("version", [(3, 11, 2), (3, 13, 9)], ids=str)
def test_a_python_that_has_all_packages_is_taken(
    clone: Path, version: tuple[int, int, int]
) -> None:
    assert told_by(clone, version) == ""


@pytest.mark.parametrize("version", [(3, 8, 20), (3, 11, 1), (3, 14, 0)], ids=str)
def test_another_one_is_refused_and_what_is_printed_helps(
    same_clone: Path, version: tuple[int, int, int]
) -> None:
    told, _, cure = told_by(same_clone, version).partition(". Start it with another one: ")
    said = ".".join(map(str, version))
    assert told == f"Hilum runs on Python 3.11.2 to 3.13; this is {said}"
    cured = subprocess.run(
        cure.split(),
        cwd=same_clone,
        env=environment(same_clone),
        capture_output=True,
        text=True,
    )
    assert cured.stdout == "started demo --once\n", cured.stderr


def test_where_there_is_no_other_python_nothing_is_promised(clone: Path) -> None:
    launcher = clone / "hilum"
    launcher.write_text(launcher.read_text().replace("/usr/bin/python3", "no-such-python"))
    told = told_by(clone, (3, 14, 0), PATH="")
    assert told.endswith("Install one of them; none was found on this machine.")


def test_launcher_project_and_documentation_name_the_same_pythons() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = re.fullmatch(r">=([\d.]+),<3\.(\d+)", project["requires-python"])
    assert wanted
    oldest, newest = wanted[1], f"3.{int(wanted[2]) - 1}"
    launcher = runpy.run_path(str(ROOT / "hilum"))
    assert (launcher["OLDEST"], launcher["NEWEST"]) == tuple(
        tuple(map(int, version.split("."))) for version in (oldest, newest)
    )
    for page in ("README.md", "docs/tutorial/first-study.md"):
        assert f"Python {oldest} to {newest}" in (ROOT / page).read_text(), page


def test_the_whole_check_takes_the_python_of_debian() -> None:
    """The suite then proves that nothing in it needs a newer Python than Debian's."""
    assert "python=/usr/bin/python3\n" in (ROOT / ".ci" / "run").read_text()
    if os.environ.get("CI") and DEBIAN.exists():
        own = subprocess.run(
            [DEBIAN, "-c", "import sys; print(sys.version)"], capture_output=True, text=True
        )
        assert own.stdout.strip() == sys.version


def test_packages_start_no_services_and_a_policy_of_the_machine_stays(tmp_path: Path) -> None:
    no_service_starts = runpy.run_path(str(ROOT / "hilum"))["no_service_starts"]
    policy = tmp_path / "policy-rc.d"
    with pytest.raises(KeyboardInterrupt), no_service_starts(policy):
        assert subprocess.run([policy, "prometheus", "start"]).returncode == 101
        raise KeyboardInterrupt
    assert not policy.exists()
    policy.write_text("its own")
    with no_service_starts(policy):
        assert policy.read_text() == "its own"
    assert policy.read_text() == "its own"
