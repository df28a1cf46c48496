"""A watch on a real Orthanc, driven turn by turn in the test's own process."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from hilum.config import parse
from hilum.config.site import Site
from hilum.inbox import Inbox
from hilum.processes.hints import Hint, HintReceiver, HintSender
from hilum.records import Records
from hilum.records.models.standings import SourceStanding
from hilum.watching import USUAL_PACE, Watch
from hilum.watching.fetching import Pace
from tests.archives import Orthanc
from tests.patience import until
from tests.synthetic import uid

H = TypeVar("H")


class Watching:
    """A source of a site below `folder`; `restart` is what a kill and a new process do."""

    def __init__(
        self,
        folder: Path,
        url: str,
        records: type[Records] = Records,
        pace: Pace = USUAL_PACE,
        **values: Any,
    ) -> None:
        self.pace = pace
        receiver = {"low_water_mb": values.pop("low_water_mb", 0)}
        receiver["memory_mb"] = values.pop("memory_mb", 2048)
        source = {"name": "pacs", "kind": "orthanc", "url": url, **values}
        self.site: Site = parse({"data": folder, "receiver": receiver, "source": [source]})
        folder.mkdir(parents=True, exist_ok=True)
        self.records = records(f"sqlite:///{folder}/hilum.db")
        self.inbox = Inbox(folder)
        self.hints: list[Hint] = []
        self._before: set[str] = set()
        self._receiver = HintReceiver(folder / "hints")
        self._sender = HintSender(folder / "hints")
        self._watch: Watch | None = None

    @property
    def watch(self) -> Watch:
        if self._watch is None:
            self._watch = Watch(
                self.site, self.site.source[0], self.records, self._sender, self.pace
            )
        return self._watch

    def restart(self, **values: Any) -> None:
        self.close_watch()
        source = self.site.source[0].model_copy(update=values)
        self.site = self.site.model_copy(update={"source": (source,)})

    def close_watch(self) -> None:
        if self._watch:
            self._watch.source.close()
            self._watch = None

    def close(self) -> None:
        self.close_watch()
        self.records.close()
        self._sender.close()
        self._receiver.close()

    def turn(self) -> float:
        pause = self.watch.turn()
        while more := self._receiver.receive(0.01):
            self.hints += more
        return pause

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Take turns, with their pauses, until `condition()`."""

        def holds() -> Any:
            if not (value := condition()):
                time.sleep(min(self.turn(), 0.25))
            return value

        until(holds, lambda: f"{what}: {self.row}", pause=0.0)

    def begin(self) -> None:
        """Forget what has come: Orthanc counts whole seconds, the last one belongs to the start."""
        self._before = uids(self._files())
        self.hints.clear()

    def settle(self) -> None:
        """Take turns until nothing is under way any more."""
        self.until(lambda: self.row.state == "reachable", "the archive")
        self.turn()
        while self.turn() == 0.0:
            pass

    @property
    def row(self) -> SourceStanding:
        name = self.watch.settings.name  # first: it makes the watch
        return self.records.sources.all()[name]

    def received(self) -> set[str]:
        """The SOP Instance UIDs that have come into the inbox."""
        return uids(self._files()) - self._before

    def _files(self) -> Iterator[Path]:
        return self.inbox.incoming.rglob("*.dcm")

    def told(self, kind: type[H]) -> list[H]:
        return [hint for hint in self.hints if isinstance(hint, kind)]


@contextmanager
def watching(folder: Path, orthanc: Orthanc, **values: Any) -> Iterator[Watching]:
    """A watch on `orthanc` that has been used for the first time."""
    watching = Watching(folder, orthanc.url, **values)
    try:
        watching.settle()
        watching.begin()
        yield watching
    finally:
        watching.close()


def upload(orthanc: Orthanc, files: Sequence[Path]) -> list[str]:
    """Store `files` by the REST API; Orthanc's names for the instances."""
    with httpx.Client(base_url=orthanc.url) as client:
        answers = [client.post("/instances", content=path.read_bytes()) for path in files]
    return [answer.raise_for_status().json()["ID"] for answer in answers]


def uids(files: Iterable[Path]) -> set[str]:
    return {uid(path) for path in files}
