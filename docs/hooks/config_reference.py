"""The configuration reference: a page for ``run.yaml`` and one for each group, from the files.

An option is described by the first comment of its file, a key by the comment beside it. Options
of the papers' wings (``src/terrashot/papers/<wing>/configs``) stand with the core's, and say where
they come from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_COMMENT = re.compile(r"(?:^|\s)# ?(.*)$")


@dataclass(frozen=True)
class Option:
    """A config file: its group (empty for ``run.yaml``), name, wing (empty: the core) and text."""

    group: str
    name: str
    wing: str
    text: str


@dataclass(frozen=True)
class Key:
    """A setting: its dotted name, its value as written (empty for a section), its comment."""

    name: str
    value: str
    comment: str


def read_options(root: Path) -> dict[str, list[Option]]:
    """The options of each group by name; ``run.yaml`` is the one option of the group ``""``."""
    places = [(root / "configs", "")]
    wings = sorted((root / "src/terrashot/papers").glob("*/configs"))
    places += [(folder, folder.parent.name) for folder in wings]
    found: dict[str, list[Option]] = {}
    for folder, wing in places:
        for path in sorted(folder.rglob("*.yaml")):
            group = path.relative_to(folder).parent.as_posix().removeprefix(".")
            option = Option(group, path.stem, wing, path.read_text(encoding="utf-8"))
            found.setdefault(group, []).append(option)
    return {group: sorted(found[group], key=lambda o: (o.wing, o.name)) for group in sorted(found)}


def header(text: str) -> list[str]:
    """The comment lines that a file opens with, Hydra's own directives left out."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if "@package" not in line:
            lines.append(line.removeprefix("#").removeprefix(" ").rstrip())
    return lines


def keys(text: str) -> Iterator[Key]:
    """Every key of a file in its order; a section comes before the keys inside it."""
    node = yaml.compose(text)
    if isinstance(node, yaml.MappingNode):
        yield from _keys(node, text.splitlines(), text, "")


def _keys(node: yaml.MappingNode, lines: list[str], text: str, prefix: str) -> Iterator[Key]:
    for key, value in node.value:
        name = prefix + str(key.value)
        if name == "defaults":
            continue
        comment = _comment(lines[key.start_mark.line])
        block = isinstance(value, yaml.MappingNode) and not value.flow_style and value.value
        if block:
            yield Key(name, "", comment)
            assert isinstance(value, yaml.MappingNode)
            yield from _keys(value, lines, text, f"{name}.")
        else:
            yield Key(name, _written(value, text), comment)


def _written(node: yaml.Node, text: str) -> str:
    """A value as it stands in the file, a list of several lines brought into one."""
    raw = text[node.start_mark.index : node.end_mark.index]
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        items = [_written(item, text) for item in node.value]
        return "[" + ", ".join(items) + "]"
    return " ".join(raw.split())


def _comment(line: str) -> str:
    found = _COMMENT.search(line)
    return found[1].strip() if found else ""


def option_part(option: Option) -> str:
    """What a page says of an option: description, recipe, what it is composed of, its keys."""
    lines = header(option.text)
    parts = [f"## {option.name}", _cell(lines[0]) if lines else ""]
    if option.wing:
        parts.append(f"An option of the wing [{option.wing}](../papers/{option.wing}.md).")
    parts += _recipe(lines[1:])
    composed = (yaml.safe_load(option.text) or {}).get("defaults") or []
    chosen = [f"`{_default(entry)}`" for entry in composed if entry != "_self_"]
    if chosen:
        parts.append("Composed of " + ", ".join(chosen) + ".")
    rows = [_row(key) for key in keys(option.text) if key.value or key.comment]
    if rows:
        parts.append("\n".join(["| key | value | |", "|---|---|---|", *rows]))
    return "\n\n".join(part for part in parts if part)


def _recipe(lines: list[str]) -> Iterator[str]:
    """The rest of a header: indented lines are commands, the others text."""
    for kind, block in _blocks(lines):
        yield f"```text\n{block}\n```" if kind else _cell(block)


def _blocks(lines: list[str]) -> Iterator[tuple[bool, str]]:
    kind, block = False, list[str]()
    for line in [*lines, ""]:
        indented = line.startswith("  ")
        if block and (not line or indented != kind):
            yield kind, "\n".join(part[2:] if kind else part for part in block)
            block = []
        if line:
            kind = indented
            block.append(line)


def _default(entry: object) -> str:
    if isinstance(entry, dict):
        ((group, option),) = entry.items()
        group = str(group).removeprefix("override ").removeprefix("/")
        return f"{group}={'null' if option is None else option}"
    return str(entry)


def _row(key: Key) -> str:
    value = f"`{key.value}`" if key.value else ""
    return f"| `{key.name}` | {value.replace('|', chr(92) + '|')} | {_cell(key.comment)} |"


def _cell(text: str) -> str:
    """Plain words inside Markdown: nothing of them is markup."""
    return re.sub(r"([|*_<>\[\]])", r"\\\1", text)


def group_page(group: str, options: list[Option]) -> str:
    """The page of a group."""
    lines = [f"# {group}", f"Chosen with `{group}=OPTION`; a key with `{_prefix(group)}KEY=VALUE`."]
    lines += [option_part(option) for option in options]
    return "\n\n".join(lines) + "\n"


def _prefix(group: str) -> str:
    return "" if group == "experiment" else f"{group}."


def run_page(option: Option) -> str:
    """The page of ``run.yaml``: what every run is made of."""
    part = option_part(option).removeprefix("## run\n\n")
    intro = "Settings that belong to no group; an experiment and the command line override them."
    return f"# Every run\n\n{intro}\n\n{part}\n"


def pages(root: Path) -> dict[str, str]:
    """All pages by their address in the site."""
    options = read_options(root)
    (run,) = options.pop("")
    made = {
        f"configuration/{group}.md": group_page(group, found) for group, found in options.items()
    }
    return {"configuration/run.md": run_page(run), **made}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages into the navigation."""
    assert config.nav is not None
    for entry in config.nav:
        if isinstance(entry, dict) and "Configuration" in entry:
            entry["Configuration"].extend(pages(Path(config.docs_dir).parent))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for address, text in pages(Path(config.docs_dir).parent).items():
        files.append(File.generated(config, address, content=text))
    return files
