"""The adapted model as ONNX, on the card where ONNX Runtime can use one."""

import importlib.util
from typing import Any

import numpy as np

from benchmark_mapping import save_random_model
from gpu_check.hardware import check_device
from gpu_check.part import Place, SkippedError
from terrashot.model.adapted_file import load_adapted_model
from terrashot.model.agreement import compare
from terrashot.model.export import MapProgram, describe_export, export_program, save_onnx


def exported(place: Place) -> dict[str, Any]:
    """Share of pixels of a picture of noise that ONNX Runtime maps as the model does."""
    check_device(place.device)
    if importlib.util.find_spec("onnxruntime") is None:
        raise SkippedError("onnxruntime is not installed (extra export)")
    import onnxruntime

    provider = "CUDAExecutionProvider" if place.device == "cuda" else "CPUExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        raise SkippedError(f"this onnxruntime has no {provider}; onnxruntime-gpu has")
    checkpoint, file = place.folder / "adapted.ckpt", place.folder / "adapted.onnx"
    save_random_model(checkpoint)
    model = load_adapted_model(checkpoint)
    program = MapProgram(model)
    side = 64 if place.is_small else 512
    save_onnx(
        export_program(program, side, free_sides=False), file, describe_export(model, "plain")
    )
    session = onnxruntime.InferenceSession(file, providers=[provider])

    def run(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        classes, probabilities = session.run(None, {"image": image})
        return classes, probabilities

    picture = np.random.default_rng(0).integers(0, 256, (3, side, side)).astype(np.uint8)
    found = compare(program, run, picture, side)
    used = session.get_providers()[0]
    return {"provider": used, "agreement": found.share, "largest_difference": found.largest}
