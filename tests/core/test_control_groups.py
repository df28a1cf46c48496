"""Control groups: what is written where, and that what is in one ends with it."""

import os
import subprocess
from pathlib import Path

import pytest

from hilum import control_groups
from hilum.control_groups import FIRST, SECOND, MemoryGroup


@pytest.fixture
def delegated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of a group of version 2 that systemd has delegated to us.

    No kernel stands behind them: most machines that run these tests have version 1.
    """
    (tmp_path / "cgroup.subtree_control").write_text("")
    monkeypatch.setattr(control_groups, "_own", lambda version: {SECOND: tmp_path}.get(version))
    monkeypatch.setattr(control_groups, "_is_delegated", lambda _group: True)
    return tmp_path


def test_a_group_is_made_beside_that_of_the_service(
    delegated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MemoryGroup.make(1000) is None, "the service stands where only groups may stand"
    control_groups.stand_aside()
    assert (delegated / "hilum" / "cgroup.procs").read_text() == "0"
    assert (delegated / "cgroup.subtree_control").read_text() == "+memory"
    (delegated / "cgroup.subtree_control").write_text("memory")  # as the kernel then says
    own = {SECOND: delegated / "hilum"}
    monkeypatch.setattr(control_groups, "_own", own.get)
    group = MemoryGroup.make(1000)
    assert group is not None
    assert group.folder.parent == delegated
    limits = {path.name: path.read_text() for path in group.folder.iterdir()}
    assert limits == {"memory.max": "1000", "memory.swap.max": "0"}
    assert not group.was_exceeded()
    (group.folder / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 0\n")
    assert not group.was_exceeded()
    (group.folder / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n")
    assert group.was_exceeded()


def test_what_another_namespace_of_processes_has_made_is_left_alone(
    delegated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service in a container may share our group; its process IDs are not those that we see."""
    (delegated / "cgroup.subtree_control").write_text("memory")
    monkeypatch.setattr(control_groups, "_own", {SECOND: delegated / "hilum"}.get)
    group = MemoryGroup.make(1000)
    assert group is not None
    _, _, ours, _pid, *rest = group.folder.name.split("-")
    left, theirs = (
        delegated / "-".join(("hilum-module", space, "999999999", *rest)) for space in (ours, "1")
    )
    left.mkdir()
    theirs.mkdir()
    assert MemoryGroup.make(1000) is not None
    assert (left.exists(), theirs.exists()) == (False, True)


def test_a_process_that_is_hidden_from_us_is_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel lists one of another namespace as 0, which would be our own group (kill(2))."""
    ended: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _number: ended.append(pid))
    monkeypatch.setattr(control_groups, "_REMOVING_SECONDS", 0.05)
    (tmp_path / "cgroup.procs").write_text("0\n999999999\n")
    MemoryGroup(tmp_path, SECOND).close()
    assert set(ended) == {999999999}


def test_a_group_that_nobody_has_given_us_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_groups, "_own", lambda version: {SECOND: tmp_path}.get(version))
    monkeypatch.setattr(os, "geteuid", lambda: 0)  # who may write everywhere
    control_groups.stand_aside()
    assert list(tmp_path.iterdir()) == []
    assert MemoryGroup.make(1000) is None


def test_what_killed_workers_have_left_is_ended_and_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(os, "getpid", lambda: 999999999)
        group = MemoryGroup.make(1 << 30)
    if group is None:
        pytest.skip("this system lets us make no control group")
    assert group.version is FIRST or group.version is SECOND
    gone = group.folder
    left = subprocess.Popen(["sleep", "3600"])
    (gone / "cgroup.procs").write_text(str(left.pid))
    another = MemoryGroup.make(1 << 30)
    assert another is not None
    assert left.wait(30) == -9
    assert not gone.exists()
    another.close()
    assert not another.folder.exists()
