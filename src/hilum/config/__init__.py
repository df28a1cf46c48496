"""One TOML file becomes one validated `Site`, or an error that names the setting and the cure."""

import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from hilum.config.ends import DicomNode, End
from hilum.config.fields import Settings
from hilum.config.kinds import SECTIONS_BY_KIND, UNUSABLE_KIND, settings_of
from hilum.config.site import Site
from hilum.errors import ConfigurationError
from hilum.privacy import denied
from hilum.wording import suggestion
from hilum.wrong_values import reason_of, wrong_values_in


def load(path: Path) -> Site:
    """Read `path`; raise `ConfigurationError` naming the key and what is expected."""
    text = text_of(path)
    try:
        return site_in(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def text_of(path: Path) -> str:
    """What stands in `path`, byte for byte; raises `ConfigurationError`."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8") from error
    except OSError as error:
        cure = " `hilum init` writes one." if isinstance(error, FileNotFoundError) else ""
        raise ConfigurationError(f"{path}: {denied(error, path)}.{cure}") from error


def site_in(text: str) -> Site:
    """The settings that `text` gives; raises `ConfigurationError`."""
    return parse(values_in(text))


def values_in(text: str) -> dict[str, Any]:
    """What `text` says as TOML, whatever it may mean; raises `ConfigurationError`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"this is not TOML: {error}") from error


def parse(values: dict[str, Any]) -> Site:
    """Validate `values`; raise `ConfigurationError` listing every problem."""
    try:
        site = Site.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(
            "; ".join(_explain(e, values) for e in wrong_values_in(error))
        ) from None
    if site.models and not site.models.is_dir():
        raise ConfigurationError(f"models: {site.models} is not a folder")
    _check_names(site)
    _check_rules(site)
    _check_priors(site)
    _check_worklists(site)
    return site


def _check_names(site: Site) -> None:
    for several, names in (
        ("destinations have the same name", [destination.name for destination in site.destination]),
        ("sources have the same name", [source.name for source in site.source]),
        ("rules have the same name", [rule.name for rule in site.rule if rule.name]),
        ("notifiers have the same name", [notifier.name for notifier in site.notify]),
        ("worklists have the same name", [worklist.name for worklist in site.worklist]),
        ("hosts are for the same module", [host.module for host in site.host]),
    ):
        if repeated := [name for name, count in Counter(names).items() if count > 1]:
            raise ConfigurationError(f"two {several}: {', '.join(repeated)}")


def _check_rules(site: Site) -> None:
    known = {destination.name for destination in site.destination}
    if len({rule.key for rule in site.rule}) < len(site.rule):
        raise ConfigurationError(
            "two rules give the same series to the same module: name every destination in one"
        )
    senders = [(f"rule for {rule.module}", rule.send_to) for rule in site.rule]
    senders += [("route", route.send_to) for route in site.route]
    senders.append(("priors", site.priors.ask))
    senders += [(f"worklist {one.name}", one.send_to) for one in site.worklist]
    for sender, names in senders:
        for name in names:
            if name not in known:
                raise ConfigurationError(
                    f"{sender}: destination {name!r} is not defined" + suggestion(name, known)
                )


def _check_priors(site: Site) -> None:
    asked: Iterable[End] = site.destinations(site.priors.ask)
    for destination in asked:
        if not isinstance(destination, DicomNode):
            raise ConfigurationError(
                f"priors: destination {destination.name!r} is {destination.kind}; only dimse ones"
                " can be asked for earlier results"
            )


def _check_worklists(site: Site) -> None:
    known = {end.name for end in (*site.source, *site.destination)}
    for one in site.worklist:
        if one.archive and one.archive not in known:
            raise ConfigurationError(
                f"worklist {one.name}: archive {one.archive!r} is neither a source nor a"
                f" destination{suggestion(one.archive, known)}"
            )


def _explain(error: Any, values: dict[str, Any]) -> str:
    location = error["loc"]
    entry, setting = _place(location, values)
    if error["type"] == "extra_forbidden":
        known = _section(location[:-1], values).model_fields
        return f"{entry}unknown setting {setting}{suggestion(str(location[-1]), known)}"
    if error["type"] == "missing":
        return f"{entry}{setting} is missing"
    where, message = entry + (f"{setting}: " if setting else ""), reason_of(error)
    if error["type"] == UNUSABLE_KIND or isinstance(error["input"], dict):
        return f"{where}{message}"
    return f"{where}{message} (got {error['input']!r})"


def _place(location: tuple[str | int, ...], values: Any) -> tuple[str, str]:
    """The entry of a list that is meant, as "destination pacs: ", and the setting within it.

    It is called by its name or module, or by its number, from 1. There may be no entry.
    """
    entry, setting = "", ""
    for part in location:
        values = values[part] if part != "[key]" and _has(values, part) else None
        if isinstance(part, int):
            called = values.get("name") or values.get("module") if _is_table(values) else None
            entry, setting = f"{entry}{setting} {called or part + 1}: ", ""
        elif part != "[key]":
            setting = f"{setting}.{part}" if setting else part
    return entry, setting


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _has(values: Any, part: str | int) -> bool:
    return part in values if _is_table(values) else isinstance(values, list | tuple)


def _section(location: tuple[str | int, ...], values: dict[str, Any]) -> type[Settings]:
    """The settings class of the section at `location`; of its kind, where it has one."""
    section: type[Settings] = Site
    for depth, part in enumerate(location):
        kinds = SECTIONS_BY_KIND.get(str(location[0])) if depth == 1 else None
        if kinds:
            section = settings_of(kinds, values[str(location[0])][part]["kind"])
        elif isinstance(part, str):
            annotation = section.model_fields[part].annotation
            section = (get_args(annotation) or (annotation,))[0]
    return section
