"""A side of ``benchmark_peers.py``: segmentation_models_pytorch in a loop written by hand."""

from typing import Any

import segmentation_models_pytorch as smp
import torch
from torch.nn.functional import cross_entropy

from benchmarking.peer_tiles import IGNORE, endless, parameters_of, share_head
from benchmarking.turns import Turns, run_side


def train(job: dict[str, Any], turns: Turns) -> None:
    """Train until the turns end."""
    torch.set_num_threads(job["threads"])
    device = torch.device(job["device"])
    layout = torch.channels_last if job["channels_last"] else torch.contiguous_format
    network = smp.Unet(f"tu-{job['backbone']}", encoder_weights=None, classes=job["classes"])
    share_head(network, job["channels"], job["classes"])
    network = network.to(device, memory_format=layout).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=job["lr"])
    half = job["precision"] == "bf16-mixed"
    facts = {"parameters": parameters_of(network)}
    for batch in endless(job):
        turns.tick(**facts)
        image = batch["image"].to(device, memory_format=layout)
        mask = batch["mask"].to(device)
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits = network(image)
        cross_entropy(logits.float(), mask, ignore_index=IGNORE).backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()


if __name__ == "__main__":
    run_side(train)
