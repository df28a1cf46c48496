"""Inference servers that tests run: each answers as its specification says, on a free port."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydicom.dataset import Dataset
from starlette.datastructures import UploadFile

from answering import app_answering
from hilum_lab.network.processes import available_port


@contextmanager
def running(app: FastAPI, port: int = 0, **tls: Any) -> Iterator[str]:
    """`app` answers until this ends; its address."""
    port = port or available_port()
    config = uvicorn.Config(app, port=port, log_level="error", lifespan="off", **tls)
    with app_answering(config, "the inference server"):
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"


@dataclass
class Behaviour:
    """How a server is to behave, and what it has been given; made anew it does nothing special."""

    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # of the next requests
    token: str = ""
    change: dict[str, Any] = field(default_factory=dict)  # of the answer
    received: list[bytes] = field(default_factory=list)  # bodies
    studies: list[list[Dataset]] = field(default_factory=list)

    def take(self, request: Request, body: bytes) -> None:
        self.received.append(body)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            raise HTTPException(401, "who are you?")
        if self.failures:
            status, headers = self.failures.pop(0)
            raise HTTPException(status, "injected failure", headers)


def router_model(behaviour: Behaviour) -> FastAPI:
    """A model as dicom-ai-router asks it (its mock_ai/app.py): the brightest spot of the study."""
    app = FastAPI()

    @app.post("/infer/bright")
    async def bright(request: Request) -> dict[str, Any]:
        behaviour.take(request, await request.body())
        async with request.form() as form:
            parts = [part for part in form.getlist("files") if isinstance(part, UploadFile)]
            assert all(part.content_type == "application/dicom" for part in parts)
            slices = [pydicom.dcmread(BytesIO(await part.read())) for part in parts]
        behaviour.studies.append(slices)
        if not slices:
            raise HTTPException(422, "no images with pixel data")
        key = max(slices, key=lambda each: int(each.pixel_array.max()))
        row, column = np.unravel_index(int(key.pixel_array.argmax()), key.pixel_array.shape)
        answer = {
            "model": "bright-spot",
            "model_version": "0.2.0-demo",
            "study_instance_uid": str(key.StudyInstanceUID),
            "n_images": len(slices),
            "result": "POSITIVE",
            "summary_lines": [("Finding 1", "bright spot"), ("Finding 1 size", "6.0 mm")],
            "key_sop_instance_uid": str(key.SOPInstanceUID),
            "overlays": [{"cx": int(column), "cy": int(row), "r": 3.5, "label": ""}],
            "display_window": [600, 1200],
            "findings": [{"diameter_mm": 6.0, "confidence": 0.83}],
            "processing_ms": 1.5,
        }
        return answer | behaviour.change

    return app


FLOATS = {"FP32": "<f4", "FP16": "<f2"}
JSON_LENGTH = "Inference-Header-Content-Length"


def kserve(
    behaviour: Behaviour, datatype: str = "FP32", is_binary: bool = True, not_ready: int = 0
) -> FastAPI:
    """A server of KServe's protocol, version 2 (inference_rest.md), and of its binary extension.

    Its model `bright` says of each voxel that it is background (channel 0), or above 500.
    """
    app = FastAPI()
    waiting = [not_ready]

    @app.exception_handler(HTTPException)
    async def told(_request: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.get("/v2")
    async def server() -> dict[str, Any]:
        extensions = ["classification", *(["binary_tensor_data"] if is_binary else [])]
        return {"name": "triton", "version": "2.60.0", "extensions": extensions}

    @app.get("/v2/models/{model}/versions/3/ready")
    @app.get("/v2/models/{model}/ready")
    async def ready(model: str) -> Response:
        waiting[0] -= 1
        return Response(status_code=200 if waiting[0] < 0 else 400)

    @app.get("/v2/models/{model}/versions/3")
    @app.get("/v2/models/{model}")
    async def facts(model: str) -> dict[str, Any]:
        if model != "bright":
            raise HTTPException(404, f"Request for unknown model: '{model}' is not found")
        sides = [-1, -1, -1]
        tensors = {
            "inputs": [{"name": "voxels", "datatype": datatype, "shape": [1, 1, *sides]}],
            "outputs": [{"name": "said", "datatype": datatype, "shape": [1, 2, *sides]}],
        }
        return {"name": model, "versions": ["3"], "platform": "onnxruntime_onnx", **tensors}

    @app.post("/v2/models/bright/versions/3/infer")
    @app.post("/v2/models/bright/infer")
    async def infer(request: Request) -> Response:
        body = await request.body()
        behaviour.take(request, body)
        length = int(request.headers.get(JSON_LENGTH, len(body)))
        asked = json.loads(body[:length])
        (tensor,), (wanted,) = asked["inputs"], asked["outputs"]
        assert (tensor["name"], wanted["name"]) == ("voxels", "said")
        if "data" in tensor:
            values = np.array(tensor["data"], np.float32)
        else:
            assert is_binary and tensor["parameters"]["binary_data_size"] == len(body) - length
            values = np.frombuffer(body[length:], FLOATS[tensor["datatype"]]).astype(np.float32)
        above = values.reshape(tensor["shape"]) - 500
        said = np.concatenate([-above, above], axis=1).astype(FLOATS[datatype])
        output: dict[str, Any] = {"name": "said", "datatype": datatype, "shape": list(said.shape)}
        content = b""
        if wanted.get("parameters", {}).get("binary_data"):
            output["parameters"] = {"binary_data_size": said.nbytes}
            content = said.tobytes()
        else:
            output["data"] = said.ravel().tolist()
        answer = {"model_name": "bright", "model_version": "3", "outputs": [output]}
        head = json.dumps(answer | behaviour.change).encode()
        headers = {JSON_LENGTH: str(len(head))} if content else {}
        return Response(head + content, headers=headers)

    return app
