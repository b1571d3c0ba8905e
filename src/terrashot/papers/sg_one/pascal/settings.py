"""Settings of a run on a fold of PASCAL-5i."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrashot.papers.sg_one.settings import EpisodeTraining, EpisodicSettings
from terrashot.tasks.settings.data import CropData
from terrashot.tasks.settings.field import setting

if TYPE_CHECKING:
    from terrashot.data.layout import FewShotLayout
    from terrashot.taxonomy import Taxonomy

FOLDS = 4


@dataclass
class FoldData(CropData):
    """``configs/data/pascal5i``: the classes in the order of VOC, a quarter of them novel."""

    fold: int = setting(0, at_least=0, at_most=FOLDS - 1)
    sbd: str | None = setting(None, path=True)

    def classes(self) -> dict[str, Any]:
        """The classes of the fold are novel, all others base."""
        listed = [*(self.taxonomy.get("base") or []), *(self.taxonomy.get("novel") or [])]
        count = len(listed) // FOLDS
        novel = listed[self.fold * count : (self.fold + 1) * count]
        base = [row for row in listed if row not in novel]
        return {"name": self.name, **self.taxonomy, "base": base, "novel": novel}

    def open_layout(self, taxonomy: "Taxonomy | None" = None) -> "FewShotLayout":
        """See ``DataSettings``."""
        from terrashot.papers.sg_one.pascal.layout import PascalLayout
        from terrashot.taxonomy import Taxonomy

        classes = taxonomy or Taxonomy.from_dict(self.classes())
        sbd = None if self.sbd is None else Path(self.sbd)
        return PascalLayout(Path(self.root), classes, self.fold, sbd)


@dataclass
class FoldEpisodes(EpisodeTraining):
    """``configs/episodes/pascal5i``."""

    shots: list[int] = field(default_factory=lambda: [1, 5])


@dataclass
class FoldSettings(EpisodicSettings):
    """Settings of SG-One on a fold."""

    data: FoldData = field(default_factory=FoldData)
    episodes: FoldEpisodes = field(default_factory=FoldEpisodes)
