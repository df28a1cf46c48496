"""Inference servers that tests run: each answers as its specification says, on a free port."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from pydicom.dataset import Dataset
from starlette.datastructures import UploadFile

from hilum_lab.network.processes import available_port
from patience import until


@contextmanager
def running(app: FastAPI, **tls: Any) -> Iterator[str]:
    """`app` answers until this ends; its address."""
    port = available_port()
    config = uvicorn.Config(app, port=port, log_level="error", lifespan="off", **tls)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started, "the inference server")
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


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
