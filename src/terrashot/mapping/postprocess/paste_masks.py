"""Rule: external masks of a class are pasted into the map."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from terrashot.data.reading import image_size
from terrashot.errors import ConfigError, DataError
from terrashot.mapping.postprocess.block_map import NODATA, Block
from terrashot.mapping.postprocess.components import KEEP, SKIP, Areas, View
from terrashot.mapping.postprocess.rule import Draft, Size, class_ids
from terrashot.ranges import check_range
from terrashot.taxonomy import Taxonomy

SUFFIXES = (".png", ".tif", ".tiff")


class PasteMasks:
    """Paste the connected components of masks that another model has made.

    Results with it are of another kind than results without, and labelled so everywhere.

    Args:
        folder: Holds ``<tile or scene name>.png`` or ``.tif``: one band, on the grid of the image.
        class_name: The class that is pasted.
        value: Pixel value that marks it in the mask; None: everything but 0.
        agree_with: Classes of the map that count as agreement; None: ``class_name``.
        agreement_above: A component is pasted only where more than this share of it agrees (0:
            at least one pixel); None: in any case.
        except_on: Classes of the map that speak against it.
        except_from: A component with this share of ``except_on`` or more is not pasted; None: no
            share keeps it out.
        except_class: What such a component becomes instead; None: the map stays there.
        min_pixels: Smaller components are left out.
        max_pixels: Larger ones are; None: no limit.
        padded_side: Masks of this height and width are those of tiles whose longest side was
            resized to it and which were padded below and to the right: what is the tile is cut
            out, and scaled by OpenCV's nearest neighbour where the map has another size.
        diagonal: Whether pixels that share a corner alone are of one component.

    Raises:
        ConfigError: a share that is none, or one part of a setting without the other.
    """

    external_masks = True
    needs_scores = False

    def __init__(
        self,
        folder: str,
        class_name: str,
        value: int | None = None,
        agree_with: Sequence[str] | None = None,
        agreement_above: float | None = None,
        except_on: Sequence[str] = (),
        except_from: float | None = None,
        except_class: str | None = None,
        min_pixels: int = 1,
        max_pixels: int | None = None,
        padded_side: int | None = None,
        diagonal: bool = False,
    ) -> None:
        shares = {"agreement_above": agreement_above, "except_from": except_from}
        for setting, share in shares.items():
            if share is not None and not 0 <= share <= 1:
                raise ConfigError(
                    f"postprocess: paste_masks.{setting} is {share}, but it is a share from 0 to 1."
                )
        if bool(except_on) != (except_from is not None) or (except_class and not except_on):
            raise ConfigError(
                "postprocess: paste_masks needs except_on (classes) and except_from (a share) "
                f"together, and both for except_class; found {list(except_on)}, {except_from} "
                f"and {except_class}."
            )
        check_range("postprocess: paste_masks.min_pixels", min_pixels, whole=True, at_least=0)
        if max_pixels is not None:
            least = max(1, min_pixels)
            check_range("postprocess: paste_masks.max_pixels", max_pixels, at_least=least)
        if padded_side is not None:
            check_range("postprocess: paste_masks.padded_side", padded_side, whole=True, at_least=1)
        if value is not None:
            check_range("postprocess: paste_masks.value", value, whole=True)
        self.folder = Path(folder)
        self.class_name = class_name
        self.value = value
        self.agree_with = [class_name] if agree_with is None else agree_with
        self.agreement_above = agreement_above
        self.except_on = except_on
        self.except_from = except_from
        self.except_class = except_class
        self.min_pixels = min_pixels
        self.max_pixels = max_pixels
        self.padded_side = padded_side
        self.diagonal = diagonal

    def check(self, taxonomy: Taxonomy, tiles: Mapping[str, Sequence[Size]]) -> None:
        """See ``Rule.check``."""
        named = [self.class_name, *self.agree_with, *self.except_on]
        named += [] if self.except_class is None else [self.except_class]
        class_ids(named, taxonomy, "paste_masks")
        if not self.folder.is_dir():
            raise DataError(
                f"postprocess: paste_masks.folder is {self.folder}, which does not exist. It should"
                f" hold a mask of '{self.class_name}' for each tile: <tile name>.png or .tif."
            )
        missing = [name for name in tiles if self._find(name) is None]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise DataError(
                f"postprocess: paste_masks found no mask of '{self.class_name}' in {self.folder} "
                f"for {len(missing)} of {len(tiles)} tiles: {', '.join(missing[:5])}{more}. "
                "Expected is <tile name>.png or .tif for each; where nothing was found, a mask "
                "of zeros."
            )
        self._check_sizes(tiles)

    def _check_sizes(self, tiles: Mapping[str, Sequence[Size]]) -> None:
        side = self.padded_side
        wrong = []
        for name, sizes in tiles.items():
            path = self._find(name)
            assert path is not None
            found = image_size(path)
            if found not in sizes and found != (side, side):
                wrong.append(f"{path.name} is {_shown(found)}, the tile {_shown(sizes[0])}")
        if wrong:
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            padded = (
                f" or {side} x {side} (padded_side)"
                if side is not None
                else "; for masks of tiles that were padded to a square set "
                "paste_masks.padded_side to its side"
            )
            raise DataError(
                f"postprocess: {len(wrong)} of {len(tiles)} masks in {self.folder} are of another "
                f"size than their tile: {'; '.join(wrong[:5])}{more}. Write them on the grid of "
                f"the image{padded}."
            )

    def masks(self, tiles: Sequence[str]) -> list[Path]:
        """See ``ReadsMasks.masks``."""
        return [path for path in map(self._find, tiles) if path is not None]

    def apply(self, draft: Draft) -> None:
        """See ``Rule.apply``."""
        ids, taxonomy = draft.ids, draft.taxonomy
        self.check(taxonomy, {draft.name: [draft.size, ids.shape]})
        path = self._find(draft.name)
        assert path is not None
        mask = draft.read_mask(path, self.value, self.padded_side)

        def look(block: Block) -> View:
            marked = mask.read(block, halo=1) == 1
            inside = ids.read(block)
            # Nodata stays nodata: it is no part of a component.
            key = np.where(marked & (ids.read(block, halo=1) != NODATA), 0, SKIP)
            return View(key, inside=inside, diagonal=self.diagonal)

        def decide(areas: Areas) -> np.ndarray:
            return self._decide(areas, taxonomy)

        draft.ids = draft.changed(draft.decided(look, decide))

    def _decide(self, areas: Areas, taxonomy: Taxonomy) -> np.ndarray:
        def share(names: Sequence[str]) -> np.ndarray:
            return areas.inside[:, class_ids(names, taxonomy, "paste_masks")].sum(axis=1) / (
                np.maximum(areas.size, 1)
            )

        def value(name: str) -> int:
            return class_ids([name], taxonomy, "paste_masks")[0]

        new = np.full(len(areas.key), value(self.class_name))
        if self.agreement_above is not None:
            new[~(share(self.agree_with) > self.agreement_above)] = KEEP
        if self.except_from is not None:
            instead = KEEP if self.except_class is None else value(self.except_class)
            new[share(self.except_on) >= self.except_from] = instead
        new[areas.size < self.min_pixels] = KEEP
        if self.max_pixels is not None:
            new[areas.size > self.max_pixels] = KEEP
        return new.astype(np.uint8)

    def _find(self, name: str) -> Path | None:
        candidates = (self.folder / f"{name}{suffix}" for suffix in SUFFIXES)
        return next((path for path in candidates if path.is_file()), None)


def _shown(size: Size) -> str:
    return f"{size[1]} x {size[0]} pixels"
