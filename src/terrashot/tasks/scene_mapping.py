"""Scenes under Lightning, which brings devices, processes and precision."""

from lightning import LightningModule
from torch.utils.data import DataLoader

from terrashot.mapping.mapper import SceneMapper
from terrashot.mapping.stream import WindowBatch


class SceneMapping(LightningModule):
    """``Trainer.predict`` maps scenes; see ``SceneMapper``, which does the work.

    Args:
        mapper: maps.
    """

    def __init__(self, mapper: SceneMapper) -> None:
        super().__init__()
        self.mapper = mapper
        self.model = mapper.model  # so that it comes to the device

    def predict_dataloader(self) -> DataLoader[WindowBatch]:
        """This process's windows; read by a thread, so that no worker copies them."""
        stream = self.mapper.share(
            self.global_rank, self.trainer.world_size, self.trainer.strategy.barrier
        )
        return DataLoader(stream, batch_size=None)

    def predict_step(self, batch: WindowBatch, batch_index: int) -> int:
        """Map the windows of a batch; returns their number."""
        return self.mapper.step(batch)
