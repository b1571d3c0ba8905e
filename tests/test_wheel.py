"""The wheel in an environment of its own, outside the checkout."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from tests.fixtures.runs import STAGE1, small

import terrashot

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

SNIPPET = """
import sys, numpy as np, rasterio, terrashot
assert "site-packages" in terrashot.__file__, terrashot.__file__
base = terrashot.load("logs/stage1/latest")
print(base)
with rasterio.open(sys.argv[1]) as source:
    image = source.read().transpose(1, 2, 0)
mask = np.zeros(image.shape[:2], bool)
mask[16:48, 16:48] = True
model = base.adapt({"water": [(image, mask)]}, method="terrashot")
ids = model.predict(image)
assert ids.shape == image.shape[:2] and ids.dtype == np.uint8
terrashot.map_scene(model, sys.argv[1], "maps/")
model.save("adapted.ckpt")
assert (terrashot.load("adapted.ckpt").predict(image) == ids).all()
"""


def call(*command, cwd):
    """Run a command; the checkout and its settings are out of its sight."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    environment |= {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline", "COLUMNS": "200"}
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "uv", "build", "--out-dir", folder, repository, cwd=folder)
    assert len(list(folder.glob("terrashot-*.tar.gz"))) == 1
    (built,) = folder.glob("terrashot-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A fresh environment: terrashot from the wheel, its dependencies from this one."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    call(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    site = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
    # A folder on a .pth line is searched last, and its own .pth files, such as that of an editable
    # terrashot, are not followed.
    (Path(site.strip()) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", python, "--no-deps", wheel]
    call(*uv, cwd=folder.parent)
    return folder / "bin"


def test_the_wheel_holds_the_configs_and_says_its_version(wheel, repository):
    names = zipfile.ZipFile(wheel).namelist()
    ours = {str(p.relative_to(repository)) for p in (repository / "configs").rglob("*.yaml")}
    assert {f"terrashot/{name}" for name in ours} <= set(names)
    assert {"terrashot/py.typed", "terrashot/reporting/html/templates/run.html"} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "scripts/"))]
    assert wheel.name.startswith(f"terrashot-{terrashot.__version__}-")
    assert wheel.stat().st_size < 2_000_000


def test_command_training_and_python_run_from_the_wheel_alone(environment, tiny_root, tmp_path):
    command = environment / "terrashot"
    assert call(command, "--version", cwd=tmp_path) == f"terrashot {terrashot.__version__}\n"
    listed = call(command, cwd=tmp_path)
    assert "experiment=stage1" in listed
    assert "terrashot check-data" in listed
    call(command, "check-data", tiny_root, "--config", "demo", cwd=tmp_path)
    options = [*STAGE1, *small(tiny_root, STAGE1), "logger=csv", "trainer.max_epochs=2"]
    call(command, *options, cwd=tmp_path)
    assert (tmp_path / "logs/stage1/latest/checkpoints/best.ckpt").is_file()
    image = tiny_root / "testset/images/query_0.tif"
    said = call(environment / "python", "-c", SNIPPET, image, cwd=tmp_path)
    assert "stage-1 network: mobilenetv2_050 + fpn" in said
    given = ["experiment=predict", "ckpt=adapted.ckpt", f"input={image}", "output=again"]
    call(command, *given, "trainer.accelerator=cpu", cwd=tmp_path)
    areas = "query_0_areas.csv"
    assert (tmp_path / "again" / areas).read_bytes() == (tmp_path / "maps" / areas).read_bytes()
