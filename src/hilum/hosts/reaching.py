"""What a module may reach: its own files, and what the site gives it."""

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

import hilum
from hilum.kinds import OURS
from hilum.module import Module


def is_ours(module: type[Module]) -> bool:
    """Whether `module` comes with Hilum, or is one of its with another model."""
    return module.__module__.partition(".")[0] == OURS


def files_of(
    package: str, weights: Iterable[Path], models: Path | None, data: Path | None
) -> list[Path]:
    """What a module of `package` reads to load: code, libraries and its `weights`.

    Never what lies in `data`.
    """
    places = [*weights, *folders_of_python(), *_of_package(package)]
    if models:
        places.append(models)
    found = (path for place in places for path in _around(place.resolve(), data))
    return list(dict.fromkeys(found))


def folders_of_python() -> Iterator[Path]:
    """Where Python finds what is imported. The folder that Hilum was started in is none of them."""
    paths = sysconfig.get_paths()
    yield from (Path(paths[key]) for key in ("stdlib", "platstdlib", "purelib", "platlib"))
    yield Path(hilum.__file__).parent
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    here = Path.cwd()
    for entry in sys.path:
        if entry and (entry in named or Path(entry).resolve() != here):
            yield Path(entry)


def _of_package(package: str) -> Iterator[Path]:
    """Its folder, or the one that its only file lies in."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return
    folders = spec.submodule_search_locations
    if folders is not None:
        yield from map(Path, folders)
    elif spec.origin:
        yield Path(spec.origin).parent


def _around(place: Path, kept_out: Path | None) -> Iterable[Path]:
    """`place`, or all that it holds but `kept_out` where it holds that.

    A link beside what is kept out is left out, too, if it leads there or to what holds it.
    """
    if kept_out is None or not kept_out.is_relative_to(place):
        return (place,)
    if kept_out == place or not place.is_dir():
        return ()
    held = [path for path in place.iterdir() if not _leads_to(path, kept_out)]
    return [path for each in held for path in _around(each, kept_out)]


def _leads_to(path: Path, kept_out: Path) -> bool:
    """Whether `path` is a link by which `kept_out`, or a part of it, can be reached."""
    whole = path.resolve()
    reaches = whole.is_relative_to(kept_out) or kept_out.is_relative_to(whole)
    return path.is_symlink() and reaches
