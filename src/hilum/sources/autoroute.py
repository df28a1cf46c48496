"""What an Orthanc needs to send every image here: an entry, and the script `autoroute.lua`."""

from pathlib import Path
from typing import NamedTuple

SCRIPT = Path(__file__).with_name("autoroute.lua")
MODALITY = "listener"  # the script sends to what has this name in DicomModalities


class Listener(NamedTuple):
    """Where Hilum receives images."""

    ae_title: str
    host: str
    port: int


def routing(listener: Listener) -> dict[str, object]:
    """What an Orthanc needs in its configuration to send every stored instance to `listener`."""
    return {
        "DicomModalities": {MODALITY: list(listener)},
        "LuaScripts": [str(SCRIPT)],
    }
