"""Paths on the command line: whatever signs they are made of, they are taken as they are.

To Hydra ``=``, ``(``, ``,``, ``${x}``, quotes and spaces are syntax. A setting that says beside its
definition that it is a path (``setting(path=True)``) is written in quotes for it.
"""

import glob
import os
import re
from dataclasses import fields
from fnmatch import fnmatchcase
from functools import cache

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from terrashot.app.config.fields import field_types, group_type
from terrashot.app.tasks.registry import all_tasks

# Short names of settings, as people write them: `input=scenes input.scale=[0,3000]`.
SHORT = {
    "ckpt": "checkpoint",
    "input": "input.path",
    "output": "output.path",
    "labels": "labels.path",
}


def as_grammar(override: str, several: bool = False) -> str:
    """An override as Hydra's grammar takes it: the full key, and a path as it is.

    A value that is there (a file, a folder, a pattern that files fit) is one path. One in quotes is
    what stands between them. Otherwise a comma parts the values of a multirun where one of them is
    there: ``checkpoint=RUN1,RUN2`` is two runs, ``paths.logs=a,b`` one folder that is still to be
    made. ``${paths.data}`` and ``${oc.env:HOME}`` are replaced, as everywhere; ``${x}`` is a name,
    and a backslash before ``$`` makes any of them one.

    Args:
        override: As typed.
        several: Whether the values of a multirun may be meant.
    """
    typed, equals, value = override.partition("=")
    name = typed.lstrip("+~")
    key = SHORT.get(name, name)
    whole_group = key != name and value.startswith("{") and not _is_there(value)
    if not equals or typed.startswith("~") or (whole_group and key.startswith(f"{name}.")):
        return override
    start = typed.removesuffix(name) + key
    paths, others = _path_keys()
    is_path = key in paths
    if value in ("", "null") or not (is_path or any(fnmatchcase(key, o) for o in others)):
        return f"{start}={value}"
    if _is_there(value):
        return f"{start}={literal(value)}"
    parsed = _parsed(value)
    if _is_quoted(value, parsed) or (parsed is not None and not is_path):
        return f"{start}={value}"  # of a dictionary: a tag, true, or values of a multirun
    if several and parsed is not None and parsed.is_sweep_override() and _is_explicit(value):
        return f"{start}={value}"
    parts = value.split(",")
    if several and any(map(_is_there, parts)):
        return f"{start}={','.join(_written(part) for part in parts)}"
    return f"{start}={_written(value)}"


def literal(value: str) -> str:
    """A text in Hydra's grammar, nothing in which is syntax."""
    return _quoted(without_references(value))


def without_references(text: str) -> str:
    """A text in OmegaConf's grammar in which ``${`` means these two signs."""
    return re.sub(r"(\\*)\$\{", lambda found: rf"{found[1] * 2}\${{", text)


def _written(value: str) -> str:
    """The same where ``${...}`` may refer to a setting or a resolver; others are part of a name."""

    def keep(found: re.Match[str]) -> str:
        return found[0] if _is_reference(found[1]) else rf"\{found[0]}"

    return _quoted(re.sub(r"(?<!\\)\$\{([^{}]*)", keep, value))


def _quoted(text: str) -> str:
    """Plain where the grammar reads the very same text, so that tables show what was typed."""
    parsed = None if "${" in text else _parsed(text)
    if parsed is not None and not parsed.is_sweep_override() and parsed.value() == text:
        return text
    return QuotedString(text, Quote.single).with_quotes()


def _is_there(value: str) -> bool:
    try:
        return os.path.lexists(value) or (
            glob.has_magic(value) and any(True for _ in glob.iglob(value, recursive=True))
        )
    except (OSError, ValueError, re.error):  # no name that a file can have
        return False


def _parsed(value: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(f"key={value}")
    except (HydraException, OmegaConfBaseException):
        return None


def _is_quoted(value: str, parsed: Override | None) -> bool:
    return value[:1] in ("'", '"') and parsed is not None and not parsed.is_sweep_override()


def _is_explicit(value: str) -> bool:
    """Whether values of a multirun are written as such: ``choice(a,b)``, ``'a','b'``."""
    return re.match(r"\w+\(.*\)$|['\"].*['\"]$", value) is not None


def _is_reference(content: str) -> bool:
    """Whether ``${content`` names a resolver or a setting."""
    resolver, colon, _ = content.partition(":")
    if colon:
        return OmegaConf.has_resolver(resolver)
    tops = {name for task in all_tasks().values() for name in field_types(task.settings)}
    return content.partition(".")[0] in {*tops, "hydra"}


@cache
def _path_keys() -> tuple[frozenset[str], frozenset[str]]:
    """The keys of all tasks that are paths, and patterns of those that may be one."""
    found: tuple[set[str], set[str]] = (set(), set())

    def collect(kind: type, prefix: str) -> None:
        for item in fields(kind):
            path, key = item.metadata.get("path", False), prefix + item.name
            if path is True:
                found[0].add(key)
            else:
                found[1].update(f"{key}.{inner}" if inner else key for inner in path or ())
            group = group_type(field_types(kind)[item.name])
            if group is not None:
                collect(group, f"{key}.")

    for task in all_tasks().values():
        collect(task.settings, "")
    return frozenset(found[0]), frozenset(found[1])
