"""Running a checked run: seeds, the task, wandb's end."""

import logging
import os
import warnings

import torch
from lightning import seed_everything
from lightning.pytorch.utilities import rank_zero_only

from terrashot.app.kinds.registry import task_kind
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.callbacks.wandb_run import finish_wandb


def run_job(settings: Settings, folder: RunFolder) -> None:
    """Run the task of ``settings`` in ``folder``; wandb is finished however it ends."""
    _quiet_libraries()
    if not getattr(rank_zero_only, "rank", 0):
        # Times of parallel jobs mean little without these.
        folder.update_info(pid=os.getpid(), threads=torch.get_num_threads())
    seed_everything(settings.seed, workers=True, verbose=False)
    failed = True
    try:
        task_kind(settings).run(settings, folder)
        failed = False
    finally:
        finish_wandb(exit_code=int(failed))


def _quiet_libraries() -> None:
    """Leave out what Lightning says on every start and nobody can act on."""
    for name in ["lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"]:
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in [
        "Experiment logs directory",
        ".*LeafSpec.*",
        ".*in eval mode at the start of training.*",  # a frozen SimNet, on purpose
        ".*does not have many workers.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        "Dataset has no geotransform.*",  # a mapping run says so itself
        ".*IterableDataset. has .__len__. defined.*",
        ".*number of training batches.*smaller than the logging interval.*",
    ]:
        warnings.filterwarnings("ignore", message=message)
