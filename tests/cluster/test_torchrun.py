"""Two nodes of torchrun on this machine, one process each."""

import json
import os
import subprocess

import pytest
from tests.cluster.slurm import free_ports

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

NODE = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-id=stage1"]


def test_two_nodes_train_one_run(tmp_path, training):
    options = ("strategy=ddp", "trainer.num_nodes=2", "trainer.max_epochs=2")
    python, *command = training(tmp_path, *options).split()
    (port,) = free_ports(1)
    meeting = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}"]
    nodes = [
        subprocess.Popen(
            [python, *NODE, *meeting, *command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
            env=os.environ | {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"},
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        said = [node.communicate(timeout=1200)[0] for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    assert [node.returncode for node in nodes] == [0, 0], said
    assert sum(text.count("epoch 2/2") for text in said) == 1  # the first process speaks for all
    (file,) = [f for f in tmp_path.glob("logs/stage1/*/run.json") if not f.parent.is_symlink()]
    info = json.loads(file.read_text())
    assert info["status"] == "finished"
    assert info["launch"].startswith("torchrun")
    assert (file.parent / "checkpoints" / "best.ckpt").is_file()
