"""The types of single settings (AE titles, addresses, patterns), and the base of all sections."""

import ipaddress
import json
import re
import tomllib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WrapValidator,
)

from hilum.config.patterns import compiled

STUDY = "{study_uid}"  # stands for the Study Instance UID in an address of a viewer
LONGEST_VALUES = 8000  # characters of values that a module is given


def ae_title(value: str) -> str:
    """`value` without padding; `ValueError` if it is no AE title."""
    if not value.strip() or len(value) > 16 or not value.isascii() or "\\" in value:
        raise ValueError("an AE title has 1 to 16 ASCII characters and no backslash (PS3.5 6.2)")
    return value.strip()


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", value):
        raise ValueError("a name has 1 to 32 letters (a to z), digits, hyphens and underscores")
    return value


def _regex(value: str) -> str:
    compiled(value)
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise ValueError("an IP address or network such as 10.1.2.0/24, not a name") from error
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address such as http://pacs:8042")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "only scheme, host, port and path; username and password_file are settings of their own"
        )
    return parts.geturl().rstrip("/")  # with the scheme in small letters


def _study_address(value: str) -> str:
    if STUDY not in value or urlsplit(value).scheme not in ("http", "https"):
        raise ValueError(f"an address such as http://viewer/viewer?StudyInstanceUIDs={STUDY}")
    return value


@cache
def keywords() -> frozenset[str]:
    """All keywords of the data dictionary (PS3.6).

    Only that file of pydicom is read: the whole of it takes as long to import as a command may
    take, and each command reads the settings.
    """
    package = find_spec("pydicom")
    assert package is not None and package.origin is not None
    file = Path(package.origin).with_name("_dicom_dict.py")
    found = spec_from_file_location("_dicom_dict", file)
    assert found is not None and found.loader is not None
    dictionary = module_from_spec(found)
    found.loader.exec_module(dictionary)
    return frozenset(entry[4] for entry in dictionary.DicomDictionary.values()) - {""}


def _keyword(value: str) -> str:
    if value not in keywords():
        raise ValueError("not a DICOM keyword, such as SeriesDescription")
    return value


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, by name or address: nobody else hears what it is sent."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _short_json(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if (length := len(json.dumps(value))) > LONGEST_VALUES:
        raise ValueError(f"{length} characters as JSON; {LONGEST_VALUES} are allowed")
    return value


def _unless_empty(value: object, judge: Callable[[object], object]) -> object:
    return value if value == "" else judge(value)


def toml_value(text: str) -> object:
    """`text` as a settings file has it; what is no TOML is a text without its quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _file(value: object) -> object:
    return value or None  # "" stands for none, as `hilum init` writes it


StudyAddress = Annotated[str, AfterValidator(_study_address)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
FileIfAny = Annotated[Path | None, BeforeValidator(_file)]
OrEmpty = WrapValidator(_unless_empty)  # of a text that may be left out
Name = Annotated[str, AfterValidator(_name)]
Keyword = Annotated[str, AfterValidator(_keyword)]
AETitle = Annotated[str, AfterValidator(ae_title)]
Regex = Annotated[str, AfterValidator(_regex)]
Network = Annotated[str, AfterValidator(_network)]
FileMode = Annotated[str, Field(pattern=r"^0?6[0-7]{2}$")]  # its owner, who checks it, reads it
JSONValues = Annotated[dict[str, JsonValue], AfterValidator(_short_json)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseModel):
    """The base of all sections. It is frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def code_of_scheme(value: str) -> str:
    """A code as a setting names it: its value, a caret and its scheme."""
    code, _, scheme = value.partition("^")
    if not code.strip() or not scheme.strip() or "^" in scheme:
        raise ValueError("a code value and its scheme, such as HIPPOCAMPUS^99HOSPITAL")
    return value
