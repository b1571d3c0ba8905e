import io
import re
import sys

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader

from terrashot.callbacks.console_progress import LiveBar, console_progress
from terrashot.callbacks.epoch_lines import EpochLines


class _Net(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        loss = self.layer(batch).square().mean()
        self.log("train/loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val/base_miou", 0.25 * (self.current_epoch + 1), prog_bar=True)

    def test_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class _Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


def _run(monkeypatch, tmp_path, terminal):
    stream = _Stream(terminal)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    bar = console_progress()
    data = DataLoader(torch.ones(40, 1))
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=3,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[bar],
        default_root_dir=tmp_path,
    )
    trainer.fit(_Net(), data, data)
    trainer.test(_Net(), data, verbose=False)
    return bar, stream.getvalue()


@pytest.mark.filterwarnings("ignore")
def test_a_log_file_gets_one_line_an_epoch(monkeypatch, tmp_path):
    bar, shown = _run(monkeypatch, tmp_path, terminal=False)
    assert isinstance(bar, EpochLines)
    lines = shown.splitlines()
    assert len(lines) == 4, shown
    for number, line in enumerate(lines[:3], start=1):
        pattern = rf"epoch {number}/3  train/loss -?\d+\.\d+  val/base_miou {number / 4:.4f}"
        assert re.fullmatch(pattern + r"  \d+\.\d s", line)
    assert re.fullmatch(r"test 40/40 batches  \d+\.\d s", lines[3])


@pytest.mark.filterwarnings("ignore")
def test_a_terminal_gets_the_live_bar(monkeypatch, tmp_path):
    bar, shown = _run(monkeypatch, tmp_path, terminal=True)
    assert isinstance(bar, LiveBar)
    assert "\x1b[" in shown
    plain = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "\n", shown)
    live = re.findall(r"Epoch 3/3.*", shown)
    assert any("loss:" in line and "mIoU: 0.750" in line for line in live)
    # One line stays for each epoch that is over.
    for number in (1, 2, 3):
        assert len(re.findall(rf"epoch {number}/3  train.*{number / 4:.4f}  \d", plain)) == 1


def test_other_processes_are_silent(capsys):
    lines = EpochLines()
    lines.disable()
    lines.print("hidden")
    lines.enable()
    lines.print("shown")
    assert capsys.readouterr().out == "shown\n"
