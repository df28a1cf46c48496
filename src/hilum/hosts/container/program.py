"""The command line of podman or docker: a container is started, walled in, and ends for certain."""

import json
import math
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import IO

from hilum.errors import MachineError, MissingPartError, ModuleError
from hilum.hosts.scratch import remove
from hilum.processes.process import is_alive, own_start_time

PROGRAMS = ("podman", "docker")
LABEL = "hilum.worker"
ANSWER_SECONDS = 120.0  # longest wait for an answer of podman
MOST_PROCESSES = 512
MOST_FILES_OPEN = 4096
LONGEST_FILE = 1 << 20  # bytes of a description that is read out of an image
TEMPORARY = "/tmp"
NOBODY = 65534  # where Hilum itself is root
KEEPER = (sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py")))
_NUMBERS = count(1)


@dataclass(frozen=True)
class ContainerOrder:
    """What is to run, and what it gets.

    `command` replaces the image's own, if it is not empty. `folders` are those of this machine by
    their paths inside; the container writes into them. `as_image_says`: it runs as the user of the
    image, not as ours.
    """

    image: str
    environment: Mapping[str, str]
    folders: Mapping[str, Path]
    command: Sequence[str] = ()
    workdir: str = ""
    as_image_says: bool = False


@dataclass(frozen=True)
class ContainerBounds:
    """What a container may take: MiB of memory, cores, seconds, bytes of a file that it writes."""

    memory_mb: int
    threads: int
    seconds: float
    file_bytes: int
    options: tuple[str, ...] = field(default=())


class Containers:
    """Starts and ends containers by the program that the site has, podman or docker."""

    def __init__(self, program: str = "") -> None:
        """`program`: its name or path; empty means whichever is found.

        Raises
        ------
        MissingPartError
            There is none.
        """
        wanted = (program,) if program else PROGRAMS
        found = next(filter(None, map(shutil.which, wanted)), None)
        if found is None:
            raise MissingPartError(
                f"{' or '.join(wanted)} is not on this machine; on Debian: "
                f"apt-get install --no-install-recommends podman runc uidmap"
            )
        self._program = found
        self.name = Path(found).name
        self._is_podman = self.name.startswith("podman")

    def require(self, image: str) -> None:
        """Raise `ModuleError` where `image` is not on this machine; no run fetches one.

        `MachineError` where no image can be asked for.
        """
        if not self._ask("image", "inspect", "--format", "{{.Id}}", image).returncode:
            return
        if self._ask("images", "--quiet").returncode:
            raise MachineError(
                f"{self.name} does not work on this machine: what `{self.name} images` says, to the"
                " user that Hilum runs as, is to be mended"
            )
        raise ModuleError(
            f"the image {image} is not on this machine: `{self.name} pull` or `{self.name} load`"
            " it, as the user that Hilum runs as"
        )

    def read(self, image: str, path: str) -> bytes | None:
        """A small file out of `image`, which is not started; None where it has none there."""
        name = self._name()
        made = self._ask("create", *self._identity(name), "--pull=never", image, "nothing")
        if made.returncode:
            raise MachineError("no container can be made of the image")
        try:
            copied = self._ask("cp", f"{name}:{path}", "-")
        finally:
            self.remove(name)
        return None if copied.returncode else _only_file(copied.stdout)

    def start(
        self, order: ContainerOrder, bounds: ContainerBounds, output: IO[bytes] | None
    ) -> "Running":
        """Start a container; what it prints goes to `output`, None is where Hilum prints."""
        name = self._name()
        words = [self._program, "run", *self._identity(name), *self._walls(bounds)]
        words += self._user(order)
        words += [f"--env={key}={value}" for key, value in order.environment.items()]
        words += [f"--volume={folder}:{inside}:rw" for inside, folder in order.folders.items()]
        if order.workdir:
            words.append(f"--workdir={order.workdir}")
        if order.command:
            words.append(f"--entrypoint={order.command[0]}")
        words += [*bounds.options, order.image, *order.command[1:]]
        worker, tie = os.pipe()
        removing = json.dumps([self._program, *self._removing(name)])
        try:
            keeper = subprocess.Popen(
                [*KEEPER, str(worker), removing, json.dumps(words)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                pass_fds=(worker,),
                start_new_session=True,  # it hears no Ctrl-C: the worker decides
            )
        except BaseException:
            os.close(tie)
            raise
        finally:
            os.close(worker)
        return Running(self, name, keeper, tie)

    def remove(self, name: str) -> None:
        """End and remove a container, whatever it is doing; nothing if there is none."""
        self._ask(*self._removing(name))

    def _removing(self, name: str) -> list[str]:
        return ["rm", "-f", *(("-t", "0") if self._is_podman else ()), name]

    def sweep(self) -> None:
        """Remove the containers that killed workers have left."""
        listed = self._ask("ps", "-a", f"--filter=label={LABEL}", "--format={{.Names}}")
        for name in listed.stdout.decode(errors="replace").split():
            _, pid, started, *_ = [*name.split("-"), "", "", ""]
            if pid.isdigit() and not is_alive(int(pid), started):
                self.remove(name)

    def give_back(self, folder: Path) -> None:
        """Remove a folder that the users of a container wrote to."""
        remove(folder)
        if folder.exists() and self._is_podman:  # files of other users, of our own user namespace
            self._ask("unshare", "rm", "-rf", str(folder))

    def _walls(self, bounds: ContainerBounds) -> list[str]:
        memory = f"{bounds.memory_mb}m"
        walls = [
            "--pull=never",
            "--network=none",
            "--read-only",
            "--cap-drop=all",
            "--security-opt=no-new-privileges",
            f"--pids-limit={MOST_PROCESSES}",
            f"--memory={memory}",
            f"--memory-swap={memory}",
            f"--cpus={bounds.threads}",
            f"--ulimit=nofile={MOST_FILES_OPEN}:{MOST_FILES_OPEN}",
            f"--ulimit=nproc={MOST_FILES_OPEN}:{MOST_FILES_OPEN}",
            f"--ulimit=fsize={bounds.file_bytes}:{bounds.file_bytes}",
            "--ulimit=core=0:0",
            "--log-driver=none",
        ]
        if not self._is_podman:
            return [*walls, f"--tmpfs={TEMPORARY}:rw,mode=1777,size={memory}"]
        walls += ["--read-only-tmpfs=false", f"--tmpfs={TEMPORARY}:rw,size={memory},U"]
        if math.isfinite(bounds.seconds):
            walls.append(f"--timeout={int(bounds.seconds) + 60}")  # if nobody is left to end it
        if os.geteuid():  # the memory limit of a user's own containers does not always count
            walls.append(f"--ulimit=data={bounds.memory_mb << 20}:{bounds.memory_mb << 20}")
        if not shutil.which("crun") and shutil.which("runc"):
            walls.append("--runtime=runc")
        return walls

    def _user(self, order: ContainerOrder) -> list[str]:
        if order.as_image_says:
            return []
        user = f"--user={os.geteuid() or NOBODY}:{os.getegid() or NOBODY}"
        return [user, "--userns=keep-id"] if self._is_podman and os.geteuid() else [user]

    def _identity(self, name: str) -> list[str]:
        return [f"--name={name}", f"--label={LABEL}={name}"]

    def _name(self) -> str:
        return f"hilum-{os.getpid()}-{own_start_time()}-{next(_NUMBERS)}"

    def _ask(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                [self._program, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=ANSWER_SECONDS,
                cwd="/",
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"{self.name} does not answer") from error
        except OSError as error:
            raise MachineError(f"{self.name} cannot be started: {error.strerror}") from error


@dataclass(frozen=True)
class Running:
    """A container that was started, with its keeper and the pipe that the keeper looks at."""

    containers: Containers
    name: str
    keeper: "subprocess.Popen[bytes]"
    tie: int

    def ended(self, seconds: float) -> int | None:
        """Its exit status; None where it still runs after `seconds`."""
        try:
            return self.keeper.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End it, and leave nothing of it."""
        os.close(self.tie)
        try:
            self.keeper.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            self.keeper.kill()
        if self.keeper.wait() < 0:  # it was killed, and has left the container
            self.containers.remove(self.name)


def _only_file(archive: bytes) -> bytes | None:
    """The file in what `podman cp` gives, a tar archive."""
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        for member in files:
            if member.isreg() and member.size <= LONGEST_FILE:
                opened = files.extractfile(member)
                return opened.read() if opened else None
    return None


def as_json(content: bytes) -> object:
    """What JSON says; None where it is none, or is nested too deeply."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
