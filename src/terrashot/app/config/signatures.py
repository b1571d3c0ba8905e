"""Signed addresses: cut in all that is written, handed on whole to the processes of a run."""

import json
import os
from typing import Any

from terrashot.data.remote.address import without_secrets
from terrashot.errors import ConfigError

_VARIABLE = "TERRASHOT_ADDRESSES"


def without_signatures(value: Any) -> Any:  # noqa: ANN401 - plain values
    """Plain values whose addresses have lost passwords and signatures."""
    if isinstance(value, dict):
        return {key: without_signatures(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_signatures(inner) for inner in value]
    return without_secrets(value) if isinstance(value, str) else value


def hand_on(value: Any) -> None:  # noqa: ANN401 - plain values
    """Let this process, and those that it starts, find the addresses of a file that has them cut.

    Raises:
        ConfigError: two addresses that are one when they are cut.
    """
    found: dict[str, str] = {}
    for whole in _texts(value):
        cut = without_secrets(whole)
        if cut != whole and found.setdefault(cut, whole) != whole:
            raise ConfigError(
                f"{cut} stands for two addresses that differ behind the question mark alone. Files "
                "of a run keep nothing of that, so use the one in a command of its own."
            )
    if found:
        os.environ[_VARIABLE] = json.dumps(_known() | found)


def with_signatures(value: Any) -> Any:  # noqa: ANN401 - plain values
    """The same values with the addresses that were handed on."""
    known = _known()

    def restored(value: Any) -> Any:  # noqa: ANN401 - plain values
        if isinstance(value, dict):
            return {key: restored(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [restored(inner) for inner in value]
        return known.get(value, value) if isinstance(value, str) else value

    return restored(value)


def _known() -> dict[str, str]:
    found = json.loads(os.environ.get(_VARIABLE, "{}"))
    return found if isinstance(found, dict) else {}


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - plain values
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []
