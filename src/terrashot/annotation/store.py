"""The labels of a page, every stroke of them in the GeoPackage as soon as it is drawn."""

import getpass
import secrets
from collections.abc import Sequence
from pathlib import Path

from rasterio.crs import CRS
from shapely.geometry.base import BaseGeometry

from terrashot.annotation.classes import PageClass, check_color, clean_name, free_color
from terrashot.annotation.edited import Edited
from terrashot.annotation.errors import RefusedError, StaleError
from terrashot.annotation.geopackage import open_layer
from terrashot.annotation.journal import Change, Journal, Row
from terrashot.annotation.label_rows import Label, LabelRows, polygons
from terrashot.data.labels.colors import CLASSES
from terrashot.taxonomy import PALETTE, LandClass


class LabelStore:
    """Labels and classes in a GeoPackage.

    What is drawn later lies on top: an older label of another class loses the ground that a new
    one takes, so that no pixel is claimed twice. Each edit is one transaction, on the disk when the
    method returns, and can be taken back, after a restart too. Other programs may read and write
    the file at the same time.

    Args:
        path: The GeoPackage; it is made where there is none.
        base: The classes of the network, the background first.
        crs: Reference system of a new layer as WKT; None: pixels of the one image.
        layer: Name of the layer, where the file has several.
        attribute: Column of the class.
        author: Who draws; None: the user of this machine.

    Raises:
        ConfigError: not the name of a GeoPackage.
        DataError: it can't be read or written, or has no such layer of polygons.
    """

    def __init__(
        self,
        path: Path,
        base: Sequence[LandClass],
        crs: str | None,
        layer: str | None = None,
        attribute: str = "class",
        author: str | None = None,
    ) -> None:
        self._layer, connection = open_layer(path, layer, attribute, crs)
        self._base = list(base)
        self._author = author or _user()
        keys = {self._layer.table: self._layer.key, CLASSES: "id"}
        self._journal = Journal(connection, keys)
        self._session, self._count = secrets.token_hex(4), 0
        self._load()

    @property
    def path(self) -> Path:
        """The GeoPackage."""
        return self._layer.path

    @property
    def layer(self) -> str:
        """Name of the layer."""
        return self._layer.table

    @property
    def attribute(self) -> str:
        """Column of the class."""
        return self._layer.attribute

    @property
    def crs(self) -> CRS | None:
        """Reference system of the layer; None: pixels of the one image."""
        return self._layer.crs

    @property
    def version(self) -> str:
        """Another one after every edit, of other programs too."""
        with self._journal.lock:
            if self._journal.changed_elsewhere():
                self._load()
            return f"{self._session}.{self._count}"

    @property
    def labels(self) -> list[Label]:
        """All labels, the oldest first."""
        with self._journal.lock:
            return list(self._drawn.labels.values())

    @property
    def classes(self) -> list[PageClass]:
        """Those of the network, then the drawn ones in the order in which they were made."""
        known = [PageClass(c.name, c.color, True) for c in self._base]
        return [*known, *(PageClass(r["name"], r["color"], False) for r in self._rows.values())]

    @property
    def undoable(self) -> tuple[str | None, str | None]:
        """Names of the edits that can be undone and redone next."""
        with self._journal.lock:
            return self._journal.can()

    def draw(self, version: str, name: str, shape: BaseGeometry, tool: str) -> Edited:
        """Add a label, on top of all others.

        Args:
            version: What the page has seen.
            name: A class.
            shape: A polygon, or several, in the coordinates of the layer.
            tool: What it was drawn with.

        Raises:
            RefusedError: no such class, or no area.
            StaleError: the page has seen an older version.
            UnsavedError: the disk is full, or another program holds the file.
        """
        with self._journal.lock:
            self._check(version)
            self._find(name)
            parts = polygons(shape)
            if not parts:
                raise RefusedError("What was drawn covers no area.")
            below = [label for label in self._drawn.under(shape) if label.name != name]
            changes = self._drawn.cut(below, shape)
            changes += [self._drawn.add(part, name, self._author, tool) for part in parts]
            return self._write(f"draw {name}", changes)

    def erase(self, version: str, shape: BaseGeometry) -> Edited:
        """Take an area out of all labels; see ``draw``."""
        with self._journal.lock:
            self._check(version)
            changes = self._drawn.cut(self._drawn.under(shape), shape)
            if not changes:
                raise RefusedError("There is no label to erase here.")
            return self._write("erase", changes)

    def remove(self, version: str, keys: Sequence[int]) -> Edited:
        """Take whole labels out; see ``draw``."""
        with self._journal.lock:
            self._check(version)
            found = self._drawn.remove(keys)
            if not found:
                raise RefusedError("This label is no more.")
            return self._write("remove a label", found)

    def add_class(self, version: str, name: object, color: object = None) -> Edited:
        """Make a class; without a colour it gets one that no other has.

        Raises:
            RefusedError: a name or colour that can't be, or that another class has.
            StaleError: see ``draw``.
            UnsavedError: see ``draw``.
        """
        with self._journal.lock:
            self._check(version)
            own = self._free_name(name)
            taken = [c.color for c in self.classes]
            shade = check_color(color) if color else free_color(PALETTE, taken)
            row = {"name": own, "color": shade}
            return self._write(f"add class {own}", [Change(CLASSES, None, None, row)])

    def rename_class(self, version: str, name: str, new: object) -> Edited:
        """Give a drawn class another name; see ``add_class``."""
        with self._journal.lock:
            self._check(version)
            key = self._own(name)
            own = self._free_name(new)
            changes = [self._class_change(key, {"name": own}), *self._drawn.move(name, own)]
            return self._write(f"rename {name}", changes)

    def recolor_class(self, version: str, name: str, color: object) -> Edited:
        """Give a drawn class another colour; see ``add_class``."""
        with self._journal.lock:
            self._check(version)
            change = self._class_change(self._own(name), {"color": check_color(color)})
            return self._write(f"recolour {name}", [change])

    def merge_class(self, version: str, name: str, into: str) -> Edited:
        """Give all labels of a drawn class to another class, and take it out; see ``add_class``."""
        with self._journal.lock:
            self._check(version)
            key = self._own(name)
            self._find(into)
            if name == into:
                raise RefusedError("A class is merged with another one.")
            gone = Change(CLASSES, key, self._rows[key], None)
            return self._write(f"merge {name} into {into}", [gone, *self._drawn.move(name, into)])

    def remove_class(self, version: str, name: str) -> Edited:
        """Take a drawn class out, with its labels; see ``add_class``."""
        with self._journal.lock:
            self._check(version)
            key = self._own(name)
            gone = [Change(CLASSES, key, self._rows[key], None)]
            gone += self._drawn.remove(self._drawn.of_class(name))
            return self._write(f"remove class {name}", gone)

    def undo(self, version: str) -> Edited:
        """Take the last edit back.

        Raises:
            RefusedError: there is none.
            StaleError: see ``draw``.
            UnsavedError: see ``draw``.
        """
        with self._journal.lock:
            self._check(version)
            name, changes = self._journal.undo()
            return self._took(f"undo: {name}", changes)

    def redo(self, version: str) -> Edited:
        """Do again what was taken back last; see ``undo``."""
        with self._journal.lock:
            self._check(version)
            name, changes = self._journal.redo()
            return self._took(f"redo: {name}", changes)

    def close(self) -> None:
        """Close the file; nothing is left beside it."""
        self._journal.close()

    def _load(self) -> None:
        """Read everything; classes of the layer that nobody has made yet become ones."""
        self._count += 1
        self._drawn = LabelRows(self._layer, self._journal.rows(self.layer))
        self._rows = self._journal.rows(CLASSES)
        known = {c.name for c in self.classes}
        fresh = sorted({label.name for label in self._drawn.labels.values()} - known)
        if fresh:
            taken = [c.color for c in self.classes]
            changes = []
            for name in fresh:
                taken.append(free_color(PALETTE, taken))
                changes.append(Change(CLASSES, None, None, {"name": name, "color": taken[-1]}))
            self._journal.write(None, changes)
            self._rows = self._journal.rows(CLASSES)

    def _check(self, version: str) -> None:
        if version != self.version:
            raise StaleError(
                "The labels have been changed on another page or by another program. They were "
                "loaded again; do this once more."
            )

    def _write(self, name: str, changes: Sequence[Change]) -> Edited:
        return self._took(name, self._journal.write(name, changes))

    def _took(self, name: str, changes: Sequence[Change]) -> Edited:
        """Bring what is in memory to what was written."""
        self._count += 1
        gone, labels = [], []
        for change in changes:
            assert change.key is not None
            if change.table == self.layer:
                label = self._drawn.take(change)
                if label is None:
                    gone.append(change.key)
                else:
                    labels.append(label)
            elif change.after is None:
                self._rows.pop(change.key, None)
            else:
                self._rows[change.key] = change.after
        self._rows = dict(sorted(self._rows.items()))
        return Edited(name, gone, labels)

    def _class_change(self, key: int, values: Row) -> Change:
        return Change(CLASSES, key, self._rows[key], {**self._rows[key], **values})

    def _find(self, name: str) -> PageClass:
        found = next((c for c in self.classes if c.name == name), None)
        if found is None:
            raise RefusedError(f"There is no class '{name}'.")
        return found

    def _own(self, name: str) -> int:
        if self._find(name).is_base:
            raise RefusedError(
                f"'{name}' is a class of the network, which keeps its name and colour."
            )
        return next(key for key, row in self._rows.items() if row["name"] == name)

    def _free_name(self, name: object) -> str:
        own = clean_name(name)
        if any(c.name.casefold() == own.casefold() for c in self.classes):
            raise RefusedError(f"There is a class '{own}' already.")
        return own


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user in a container
        return "unknown"
