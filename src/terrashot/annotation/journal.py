"""Edits of a GeoPackage that can be taken back: whole rows before and after, in transactions."""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from terrashot.annotation.errors import RefusedError, StaleError, UnsavedError
from terrashot.annotation.geopackage import HISTORY, quoted
from terrashot.errors import one_line

Row = dict[str, Any]
"""Values by column, the key's left out."""
_KEPT = 200
"""Edits that can be taken back."""


@dataclass(frozen=True)
class Change:
    """A row before and after an edit.

    Args:
        table: The table.
        key: Its key; None: a new row, whose number SQLite gives.
        before: The row; None: it is new.
        after: The row; None: it is taken out.
    """

    table: str
    key: int | None
    before: Row | None
    after: Row | None


class Journal:
    """Writes edits, each in one transaction with what takes it back.

    Args:
        connection: The GeoPackage.
        keys: The column of the key of each table.

    Attributes:
        lock: Held by whoever uses the connection.
    """

    def __init__(self, connection: sqlite3.Connection, keys: dict[str, str]) -> None:
        self.connection = connection
        self.lock = threading.RLock()
        self._keys = keys
        self._seen = self._data_version()

    def rows(self, table: str) -> dict[int, Row]:
        """All rows of a table by their keys."""
        key = self._keys[table]
        found = self.connection.execute(f"SELECT * FROM {quoted(table)} ORDER BY {quoted(key)}")
        return {int(row[key]): _values(row, key) for row in found}

    def changed_elsewhere(self) -> bool:
        """Whether another program has written since this was last asked, or since an edit."""
        with self.lock:
            now = self._data_version()
            changed, self._seen = now != self._seen, now
        return changed

    def write(self, name: str | None, changes: Sequence[Change]) -> list[Change]:
        """Write an edit; what had been taken back before it is forgotten.

        Args:
            name: In a word or two; None: it can't be taken back.
            changes: The rows.

        Returns:
            The changes with the keys of new rows.

        Raises:
            StaleError: another program has written in the meantime.
            UnsavedError: the disk is full, or the file is held by another program.
        """

        def work() -> list[Change]:
            done = [self._apply(change) for change in changes]
            if name is None:
                return done
            self.connection.execute(f"DELETE FROM {HISTORY} WHERE undone = 1")
            self.connection.execute(
                f"INSERT INTO {HISTORY} (name, changes) VALUES (?, ?)", (name, _packed(done))
            )
            self.connection.execute(
                f"DELETE FROM {HISTORY} WHERE id <= (SELECT MAX(id) FROM {HISTORY}) - {_KEPT}"
            )
            return done

        return self._transaction(work)

    def undo(self) -> tuple[str, list[Change]]:
        """Take the last edit back; its name, and the changes that this made.

        Raises:
            RefusedError: there is none, or another program has changed its rows since.
            StaleError: see ``write``.
            UnsavedError: see ``write``.
        """
        return self._again("undone = 0 ORDER BY id DESC", 1, "undo")

    def redo(self) -> tuple[str, list[Change]]:
        """Do again what was taken back last; see ``undo``."""
        return self._again("undone = 1 ORDER BY id", 0, "redo")

    def can(self) -> tuple[str | None, str | None]:
        """Names of the edits that undo and redo would be about."""
        found = []
        for which in ("undone = 0 ORDER BY id DESC", "undone = 1 ORDER BY id"):
            row = self.connection.execute(
                f"SELECT name FROM {HISTORY} WHERE {which} LIMIT 1"
            ).fetchone()
            found.append(None if row is None else str(row["name"]))
        return found[0], found[1]

    def close(self) -> None:
        """Leave one whole file behind, without a log beside it."""
        with self.lock:
            # Where another program has it open, whoever closes it last tidies up.
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self.connection.execute("PRAGMA journal_mode=DELETE")
            self.connection.close()

    def _again(self, which: str, undone: int, word: str) -> tuple[str, list[Change]]:
        def work() -> tuple[str, list[Change]]:
            row = self.connection.execute(
                f"SELECT id, name, changes FROM {HISTORY} WHERE {which} LIMIT 1"
            ).fetchone()
            if row is None:
                raise RefusedError(f"There is nothing to {word}.")
            changes = _unpacked(row["changes"])
            if undone:
                changes = [Change(c.table, c.key, c.after, c.before) for c in reversed(changes)]
            for change in changes:
                self._check_unchanged(change, word)
                self._apply(change)
            self.connection.execute(
                f"UPDATE {HISTORY} SET undone = ? WHERE id = ?", (undone, row["id"])
            )
            return str(row["name"]), changes

        return self._transaction(work)

    def _check_unchanged(self, change: Change, word: str) -> None:
        assert change.key is not None
        key = self._keys[change.table]
        row = self.connection.execute(
            f"SELECT * FROM {quoted(change.table)} WHERE {quoted(key)} = ?", (change.key,)
        ).fetchone()
        found = None if row is None else _values(row, key)
        if found != change.before:
            raise RefusedError(
                f"Another program has changed what you want to {word}, so it stays as it is."
            )

    def _apply(self, change: Change) -> Change:
        # An extent that is not there is computed by whoever asks, from the spatial index.
        self.connection.execute(
            "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), "
            "min_x = NULL, min_y = NULL, max_x = NULL, max_y = NULL WHERE table_name = ?",
            (change.table,),
        )
        table, key = quoted(change.table), quoted(self._keys[change.table])
        if change.after is None:
            self.connection.execute(f"DELETE FROM {table} WHERE {key} = ?", (change.key,))
            return change
        columns = [quoted(column) for column in change.after]
        values = list(change.after.values())
        if change.before is None:
            names, number = [key, *columns], change.key
            marks = ", ".join("?" * len(names))
            cursor = self.connection.execute(
                f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", (number, *values)
            )
            # As it stands there now, with the defaults of other columns.
            key_now = int(cursor.lastrowid or 0)
            row = self.connection.execute(
                f"SELECT * FROM {table} WHERE {key} = ?", (key_now,)
            ).fetchone()
            after = _values(row, self._keys[change.table])
            return Change(change.table, key_now, None, after)
        pairs = ", ".join(f"{column} = ?" for column in columns)
        self.connection.execute(
            f"UPDATE {table} SET {pairs} WHERE {key} = ?", (*values, change.key)
        )
        return change

    def _transaction(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - what work returns
        with self.lock, self._errors():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                if self._data_version() != self._seen:
                    raise StaleError(
                        "Another program has changed the labels. They were loaded again; draw this "
                        "once more."
                    )
                done = work()
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # a full disk rolls back by itself
                    self.connection.execute("ROLLBACK")
                raise
            self._tidy()
            return done

    def _tidy(self) -> None:
        """Bring what is committed from the log into the file, so that a copy of it is whole."""
        # Where it can't be, it is committed all the same: the next edit brings it over.
        with contextlib.suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            full = "full" in str(error)
            held = "locked" in str(error)
            what = (
                "there is no space left on the disk. Free some"
                if full
                else "another program holds the file. Let it finish"
                if held
                else f"{one_line(error)}. Look at the file's rights and at its disk"
            )
            raise UnsavedError(
                f"This could not be saved: {what}, then do it once more. What was saved before is "
                "untouched."
            ) from error

    def _data_version(self) -> int:
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])


def _values(row: sqlite3.Row, key: str) -> Row:
    """A row without its key."""
    values = dict(zip(row.keys(), row, strict=True))
    del values[key]
    return values


def _packed(changes: Sequence[Change]) -> str:
    def plain(row: Row | None) -> Row | None:
        if row is None:
            return None
        return {k: {"hex": v.hex()} if isinstance(v, bytes) else v for k, v in row.items()}

    return json.dumps([[c.table, c.key, plain(c.before), plain(c.after)] for c in changes])


def _unpacked(text: str) -> list[Change]:
    def row(value: Row | None) -> Row | None:
        if value is None:
            return None
        return {k: bytes.fromhex(v["hex"]) if isinstance(v, dict) else v for k, v in value.items()}

    return [Change(table, key, row(a), row(b)) for table, key, a, b in json.loads(text)]
