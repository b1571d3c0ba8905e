import pytest

from terrashot.errors import ConfigError
from terrashot.mapping.request import WindowOptions, check_engine


def test_an_unknown_engine_is_refused():
    with pytest.raises(ConfigError, match=r"mapping\.engine is 'tensorflow'; choose torch, onnx"):
        WindowOptions(engine="tensorflow")


def test_torch_computes_anywhere():
    check_engine("torch", "bf16-mixed", "cuda")


@pytest.mark.parametrize(
    ("precision", "accelerator", "remedy"),
    [
        ("32-true", "cuda", r"trainer\.accelerator=cpu"),
        ("bf16-mixed", "cpu", r"trainer\.precision=32-true"),
    ],
)
def test_onnx_runtime_computes_in_full_on_the_processor(precision, accelerator, remedy):
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    with pytest.raises(ConfigError, match=rf"{remedy}, or mapping\.engine=torch"):
        check_engine("onnxruntime", precision, accelerator)
