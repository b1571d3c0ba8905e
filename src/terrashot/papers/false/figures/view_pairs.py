"""Pictures of contrastive pretraining: pairs of views, and what was taken for a false negative."""

from collections.abc import Iterator
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from terrashot.callbacks.media import log_picture
from terrashot.papers.false.evaluation.contrastive_probe import ProbeRound, ProbeScores
from terrashot.papers.false.figures.pair_picture import Pair, pair_picture
from terrashot.papers.false.windows.datamodule import WindowDataModule
from terrashot.papers.false.windows.probe_windows import ProbeWindows
from terrashot.reporting.panels import save_panel
from terrashot.taxonomy import Taxonomy


class ViewPairs(Callback):
    """Draw the probe after each validation; the newest pictures replace the ones before.

    ``figures/val/view_pairs.png`` shows two views of windows and their cosine,
    ``figures/val/false_negatives.png`` anchors beside the windows taken for false negatives, in a
    green frame where both are of one class and in a red one where they are not. wandb and
    TensorBoard get the same as ``val/view_pairs`` and ``val/false_negatives``.

    Args:
        folder: the run folder.
        taxonomy: names of the classes.
        count: pairs in a picture at most; 0 for no pictures.
    """

    def __init__(self, folder: Path, taxonomy: Taxonomy, count: int = 8) -> None:
        self.folder = Path(folder)
        self.taxonomy = taxonomy
        self.count = count

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, save and log; the module's ``scores`` are there by now."""
        data = getattr(trainer, "datamodule", None)
        scores = getattr(pl_module, "scores", None)
        assert isinstance(data, WindowDataModule)
        assert scores is None or isinstance(scores, ProbeScores)
        if not self.count or not trainer.is_global_zero or data.probe is None or scores is None:
            return
        pictures = {
            "view_pairs": (self._views(data.probe, scores.rounds), "Two views of each window"),
            "false_negatives": (
                self._false_negatives(data.probe, scores.rounds),
                "Taken for false negatives (green: same class, red: not)",
            ),
        }
        for name, (pairs, title) in pictures.items():
            if pairs:
                picture = pair_picture(pairs, f"{title}, step {trainer.global_step}")
                save_panel(picture, self.folder / "figures" / "val" / f"{name}.png")
                log_picture(trainer.loggers, f"val/{name}", picture, trainer.global_step)

    def _views(self, probe: ProbeWindows, rounds: list[ProbeRound]) -> list[Pair]:
        pairs = []
        for number in rounds[:1]:
            for row, index in enumerate(number.index[: self.count].tolist()):
                sample = probe[index]
                cosine = float(number.outcome.cosine[row, int(number.outcome.positive[row])])
                name = f"{self._label(probe, index)}, {sample['name']}"
                first, second = sample["views"]
                note = f"cosine {cosine:.3f}"
                pairs.append(Pair.from_tensors((first, second), probe.tiles.spec, name, note))
        return pairs

    def _false_negatives(self, probe: ProbeWindows, rounds: list[ProbeRound]) -> list[Pair]:
        pairs = []
        for first, second, cosine in _spread(rounds, self.count):
            one, other = (probe[index]["views"][view] for index, view in (first, second))
            names = [self._label(probe, index) for index, _ in (first, second)]
            right = names[0] == names[1]
            note = f"cosine {cosine:.3f}"
            name = " | ".join(names)
            pairs.append(Pair.from_tensors((one, other), probe.tiles.spec, name, note, right))
        return pairs

    def _label(self, probe: ProbeWindows, index: int) -> str:
        return self.taxonomy.names[probe.places[index][3]]


_Window = tuple[int, int]  # index in the probe, and which of its two views


def _spread(rounds: list[ProbeRound], count: int) -> Iterator[tuple[_Window, _Window, float]]:
    """At most ``count`` of the selected pairs, evenly over all of them."""
    cells = [
        (number, row, column)
        for number in rounds
        for row, column in number.outcome.selected.nonzero().tolist()
    ]
    for number, row, column in cells[:: max(1, -(-len(cells) // max(1, count)))]:
        size = len(number.index)
        windows = [(int(number.index[i % size]), i // size) for i in (row, column)]
        yield windows[0], windows[1], float(number.outcome.cosine[row, column])
