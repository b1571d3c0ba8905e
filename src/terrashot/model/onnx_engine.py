"""An adapted model that ONNX Runtime computes on the processor."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from terrashot.errors import ConfigError, one_line
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.export import check_onnx


class OnnxModel(nn.Module):
    """The same probabilities in float32 from ONNX Runtime, which fuses more layers than torch.

    The network is captured when the first images of a size come, which takes as long as some ten
    windows: it pays for scenes, not for tiles.

    Args:
        model: Prepared; its layers are not to be changed afterwards.

    Raises:
        ConfigError: the packages of the extra ``export`` are missing.
    """

    def __init__(self, model: AdaptedModel) -> None:
        super().__init__()
        check_onnx("mapping.engine=onnxruntime")
        self.model = model.eval()
        self._sessions: dict[tuple[int, ...], Any] = {}

    def forward(self, image: Tensor) -> Tensor:
        """Probabilities ``[B, K, H, W]``, float32, of images ``[B, C, H, W]`` in 0..1.

        Raises:
            ConfigError: the network has something that ONNX does not know.
        """
        shape = tuple(image.shape)
        self.capture(shape)
        (found,) = self._sessions[shape].run(None, {"image": image.numpy()})
        return torch.from_numpy(found)

    def capture(self, shape: tuple[int, ...]) -> None:
        """Capture the network for images of a shape ``[B, C, H, W]``, unless it has been.

        Raises:
            ConfigError: the network has something that ONNX does not know.
        """
        if shape not in self._sessions:
            self._sessions[shape] = _session(self.model, shape)


def _session(model: AdaptedModel, shape: tuple[int, ...]) -> Any:  # noqa: ANN401 - untyped
    """The model for images of one shape."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # As with those of torch: threads that wait leave their cores to the others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        with torch.no_grad():
            captured = torch.export.export(model, (torch.zeros(shape),), strict=False)
            program = torch.onnx.export(
                captured, dynamo=True, input_names=["image"], output_names=["map"], verbose=False
            )
        assert program is not None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.onnx"
            program.save(file, external_data=False)
            return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # either library raises whatever it stumbles over
        raise ConfigError(
            f"ONNX Runtime can't compute this network ({one_line(error)}). PyTorch can: set "
            "mapping.engine=torch."
        ) from error
