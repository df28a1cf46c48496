"""Nothing here calls home: the telemetry of the inference libraries is off before they are loaded.

OpenVINO reports every import to Google Analytics, ONNX Runtime every session to Microsoft, unless
told otherwise. In a hospital's network only what `hilum.toml` names is called.
"""

import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # its users then do without
