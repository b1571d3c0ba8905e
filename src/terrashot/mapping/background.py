"""Reading ahead and writing behind, each in one thread."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
_END = object()


class ReadAhead(Generic[Item]):
    """Iterates over what another thread produces, some items ahead.

    GDAL and torch release Python's lock while they work, so that a thread is enough and no pixel
    crosses a process.

    Args:
        make: called in the thread; what it returns is iterated over there.
        ahead: items that may wait.
    """

    def __init__(self, make: Callable[[], Iterable[Item]], ahead: int) -> None:
        self._make = make
        self._ahead = ahead

    def __iter__(self) -> Iterator[Item]:
        """The items, in order; what goes wrong in the thread is raised here."""
        waiting: queue.Queue[Any] = queue.Queue(self._ahead)
        stopped = threading.Event()

        def put(item: object) -> bool:
            while not stopped.is_set():
                try:
                    waiting.put(item, timeout=0.2)
                except queue.Full:
                    continue
                return True
            return False

        def work() -> None:
            try:
                for item in self._make():
                    if not put(item):
                        return
                put(_END)
            except BaseException as error:  # whatever it is, it belongs to the one who waits
                put(error)

        thread = threading.Thread(target=work, name="read ahead", daemon=True)
        thread.start()
        try:
            while (item := waiting.get()) is not _END:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            thread.join()


class WriteBehind:
    """Runs calls one after the other in another thread; at most ``waiting`` wait.

    An error of a call is raised by the next ``submit`` or ``drain``; later calls are not run.
    """

    def __init__(self, waiting: int = 2) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(waiting)
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def submit(self, call: Callable[[], None]) -> None:
        """Run ``call`` after those before it; waits while too many do."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="write behind", daemon=True)
            self._thread.start()
        self._raise()
        self._queue.put(call)

    def drain(self) -> None:
        """Wait until all is done."""
        self._queue.join()
        self._raise()

    def stop(self) -> None:
        """End the thread after what was submitted; the next ``submit`` starts another one."""
        if self._thread is not None:
            self._queue.put(_END)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while True:
            call = self._queue.get()
            try:
                if call is _END:
                    return
                if self._error is None:
                    call()
            except BaseException as error:  # raised where it can be seen
                self._error = error
            finally:
                del call  # it holds pixels
                self._queue.task_done()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
