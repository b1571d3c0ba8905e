"""What nobody waits for: done piece by piece while nobody uses the network."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from terrashot.annotation.turns import Rank, Turns
from terrashot.errors import TerrashotError


@dataclass(frozen=True)
class Piece:
    """Something to do.

    Args:
        work: Does it.
        quiet: Seconds for which nobody has to have used the network before.
        failed: Called where it can't be done, with the reason.
    """

    work: Callable[[], None]
    quiet: float
    failed: Callable[[str], None]


class Background:
    """Does pieces one after the other, in turn with others.

    Args:
        turns: Who may use the network.
        piece: Says what is next; None: nothing until ``wake``.
    """

    def __init__(self, turns: Turns, piece: Callable[[], Piece | None]) -> None:
        self._turns = turns
        self._piece = piece
        self._stopped = False
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="background", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something else to do."""
        self._woken.set()

    def stop(self) -> None:
        """End after the piece that is being done."""
        self._stopped = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)

    def _serve(self) -> None:
        while True:
            self._woken.clear()
            if self._stopped:  # looked at after clearing, or the call to stop might be cleared too
                return
            piece = self._piece()
            left = None if piece is None else piece.quiet - self._turns.quiet
            if piece is None or left is None or left > 0:
                self._woken.wait(left)
                continue
            try:
                self._turns.run(Rank.BACKGROUND, piece.work)
            except TerrashotError as error:
                piece.failed(str(error))
