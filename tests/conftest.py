"""Fixtures and options shared by all tests."""

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import certifi
import pytest
from argon2 import PasswordHasher
from httpx import Timeout
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import settings

from hilum.people import passwords
from hilum_lab import disk
from hilum_lab.network import chest_exam, exam, head
from tests import leftovers, samples, statements  # noqa: F401 - the last shares what is compiled
from tests.drawn import WHOLE
from tests.examples.package import example_package, installed_example  # noqa: F401 - fixtures
from tests.patience import PATIENCE
from tests.postgres import Postgres
from tests.postgres import server as postgres_server

# What is imported and collected lasts: to look through it for garbage again and again is in vain.
gc.disable()
# A test makes little garbage that only a search finds; to search as often as Python does took a
# tenth of the time of some tests.
SELDOM = (10_000, 10, 10)

ROOT = Path(__file__).parents[1]
USUAL_UMASK = 0o022

# How long an example takes says how busy the machine is.
settings.register_profile("suite", deadline=None)
settings.register_profile(WHOLE, deadline=None)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos", action="store_true", help="inject every fault, for half an hour")
    parser.addoption("--whole", action="store_true", help="take all cases, where a sample is usual")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--whole"):
        settings.load_profile(WHOLE)


ONLY_ASKED_FOR = ("chaos", WHOLE)  # markers, and the options that ask for what has them


# Folders and files that take long are begun first, and the many short ones of the core last: or one
# process works alone at the end. What is not named stands between them.
LONGEST = (
    *("faults", "system", "test_quality.py", "test_launcher.py", "lab", "hosts", "records"),
    *("sources", "objects", "modules", "console"),
)
SHORTEST = "core"


@cache
def _place(path: Path) -> int:
    names = (path.parent.name, path.name)
    if SHORTEST in names:
        return len(LONGEST) + 1
    return min((LONGEST.index(name) for name in names if name in LONGEST), default=len(LONGEST))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Of several processes each imports a share of the files first, and so compiles it for all.

    After a new checkout all of them would compile all files, in the same order at the same time.
    """
    about: dict[str, Any] = getattr(session.config, "workerinput", {})
    if not about:
        return
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    for file in files[int(about["workerid"].removeprefix("gw")) :: about["workercount"]]:
        with suppress(Exception, pytest.skip.Exception):  # collecting it says why
            import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest first, leave out what only `--chaos` or `--whole` runs."""
    items.sort(key=lambda item: _place(item.path))
    unasked = [name for name in ONLY_ASKED_FOR if not config.getoption(f"--{name}")]
    left_out = {item for item in items for name in unasked if item.get_closest_marker(name)}
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=[*left_out])


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(*SELDOM)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the tests have started has ended when they have, whether they passed or failed.

    Where the tests themselves are killed, it is ended then.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.SIGTERM not in blocked, "what is started inherits that, and cannot be stopped"
    with leftovers.guarded(tmp_path_factory.getbasetemp()):
        yield
        left = leftovers.left_over()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert not left, f"these processes were left behind, and are killed now: {left}"


@pytest.fixture(scope="session", autouse=True)
def _patient_requests() -> None:
    """A request that names no limit has that of the tests, not five seconds."""
    vars(DEFAULT_TIMEOUT_CONFIG).update(Timeout(PATIENCE).as_dict())


@pytest.fixture(scope="session", autouse=True)
def _few_authorities(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One authority is trusted, not 150, here and in all that is started: none of them is ours.

    To read all of them takes every `httpx.get` 0.02 s, and there are hundreds that only ask whether
    a server of ours has started.
    """
    end = "-----END CERTIFICATE-----\n"
    first = Path(certifi.where()).read_text().partition(end)[0] + end
    file = tmp_path_factory.mktemp("authorities") / "one.pem"
    file.write_text(first)
    os.environ["SSL_CERT_FILE"] = str(file)


@pytest.fixture(scope="session", autouse=True)
def _light_passwords() -> Iterator[None]:
    """A hash takes a thousandth of its usual work, which is to slow those down who guess."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64))
        yield


@pytest.fixture
def small_disk(tmp_path: Path) -> disk.Mount:
    """Gives a disk of so many MiB that can be filled; skips where none can be mounted."""
    if reason := disk.why_not():
        pytest.skip(reason)
    return partial(disk.mounted, tmp_path / "disk")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real studies and training data beside the repository; tests that need them skip without."""
    folder = Path(os.environ.get("HILUM_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("the shared data are not there")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; every test asks it for a database of its own."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: the test runs with each of both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hilum.db"
    return str(request.getfixturevalue("postgres").database())


@pytest.fixture(scope="session")
def sample_exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The brain exam of the demo, a folder per series; to be read only."""
    if not head.TEMPLATES.is_dir():
        pytest.skip("mricron-data is not installed")
    return samples.made_once(tmp_path_factory, "exam", exam.make_exam)


@pytest.fixture(scope="session")
def sample_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chest films of the demo, a folder per film; to be read only."""
    return samples.made_once(tmp_path_factory, "film", chest_exam.make_chest_exam)


@pytest.fixture(autouse=True)
def _umask_as_it_was() -> Iterator[None]:
    """What a test or a fixture runs in this process may make all that follows private, too."""
    os.umask(USUAL_UMASK)
    yield
    os.umask(USUAL_UMASK)
