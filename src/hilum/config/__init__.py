"""One TOML file becomes one validated `Site`, or an error that names the setting and the cure."""

import difflib
import tomllib
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hilum.config.site import Site
from hilum.errors import ConfigurationError


def load(path: Path) -> Site:
    """Read `path`; raise `ConfigurationError` naming the key and what is expected."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8") from error
    except OSError as error:
        cure = " `hilum init` writes one." if isinstance(error, FileNotFoundError) else ""
        raise ConfigurationError(f"{path}: {error.strerror}.{cure}") from error
    try:
        return parse(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def parse(values: dict[str, Any]) -> Site:
    """Validate `values`; raise `ConfigurationError` listing every problem."""
    try:
        site = Site.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_explain(e) for e in error.errors())) from None
    if site.networks and not site.networks.is_dir():
        raise ConfigurationError(f"networks: {site.networks} is not a folder")
    _check_archives(site)
    _check_rules(site)
    _check_priors(site)
    return site


def _check_archives(site: Site) -> None:
    for kind, parts in (("destinations", site.destination), ("sources", site.source)):
        if repeated := [name for name, n in Counter(p.name for p in parts).items() if n > 1]:
            raise ConfigurationError(f"two {kind} have the same name: {', '.join(repeated)}")
    for destination in site.destination:
        needed = {"dicomweb": "url", "folder": "folder"}.get(destination.kind)
        if needed and not getattr(destination, needed):
            raise ConfigurationError(f"destination {destination.name!r}: {needed} is missing")
        if destination.regions == "segments" and "seg" not in destination.objects:
            raise ConfigurationError(
                f'destination {destination.name!r}: regions = "segments" refers to the'
                ' segmentation: add "seg" to objects'
            )


def _check_rules(site: Site) -> None:
    known = {destination.name for destination in site.destination}
    if len({rule.key for rule in site.rule}) < len(site.rule):
        raise ConfigurationError(
            "two rules give the same series to the same module: name every destination in one"
        )
    senders = [(f"rule for {rule.module}", rule.send_to) for rule in site.rule]
    senders += [("route", route.send_to) for route in site.route]
    senders.append(("priors", site.priors.ask))
    for sender, names in senders:
        for name in names:
            if name not in known:
                raise ConfigurationError(
                    f"{sender}: destination {name!r} is not defined" + suggestion(name, known)
                )


def _check_priors(site: Site) -> None:
    for destination in site.destinations(site.priors.ask):
        if destination.kind != "dimse":
            raise ConfigurationError(
                f"priors: destination {destination.name!r} is {destination.kind}; only dimse ones"
                " can be asked for earlier results"
            )


def _explain(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return f"unknown setting {where}" + suggestion(str(error["loc"][-1]), _keys(error["loc"]))
    if error["type"] == "missing":
        return f"{where} is missing"
    message = error["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    return f"{where}: {message} (got {error['input']!r})"


def _keys(location: tuple[str | int, ...]) -> set[str]:
    model: Any = Site
    for part in location[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            arguments = getattr(annotation, "__args__", ())
            model = arguments[0] if arguments else annotation
    return set(model.model_fields)


def suggestion(name: str, known: Collection[str]) -> str:
    """The end of a sentence about an unknown `name`: the nearest known one, else all."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known)) or '-'}"
