"""Errors that a user can mend: one paragraph each, shown without a traceback by ``run.py``."""


class TerrashotError(Exception):
    """A problem outside the code.

    The message is one paragraph: the file or key, what was found, what was expected and how to
    mend it.
    """


class ConfigError(TerrashotError):
    """A setting is unknown, of the wrong type, or does not go with another one."""


class DataError(TerrashotError):
    """A tile, a label or a list of the dataset is missing or not what it should be."""


class CheckpointError(TerrashotError):
    """A checkpoint or a weight file is missing, unreadable, or made for something else."""


class FullDiskError(TerrashotError, OSError):
    """A disk, or a user's share of it, takes no more.

    Also an ``OSError`` with its number, for those who go on without the file.

    Args:
        number: ``errno``.
        message: what is shown.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(number, message)

    def __str__(self) -> str:
        """The message alone."""
        return str(self.strerror)


class StoppedError(TerrashotError):
    """Someone stopped the run; what comes after it in a sweep should not start either."""


def one_line(error: BaseException, limit: int = 160) -> str:
    """What an error says, in one line, for a message of one paragraph."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 3] + "..."
