"""Pages of the site that lie elsewhere in the repository, and links between the two.

Every wing's README becomes ``papers/<wing>.md``; CONTRIBUTING.md and CHANGELOG.md come in as they
are. A link is written so that it works in the repository; here it becomes one that works in the
site: to another page, or to the file on the project's host.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HOST = "https://github.com/terrashot/terrashot/blob/main/"
_CONFIGS = re.compile(r"(?:src/terrashot/papers/\w+/)?configs/(\w+)(?:\.yaml|/\w+\.yaml)?")
_LINK = re.compile(r"(?<=\]\()([^)\s#]*)(#[^)\s]*)?(?=\))")


def repository_pages(root: Path) -> dict[str, str]:
    """Where each page of the site comes from: its address to a path in the repository."""
    wings = sorted((root / "src/terrashot/papers").glob("*/README.md"))
    pages = {f"papers/{p.parent.name}.md": p.relative_to(root).as_posix() for p in wings}
    return {**pages, "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def site_link(target: str, anchor: str, page: str, root: Path) -> str:
    """The link of ``page`` (its address in the site) to ``target``, as the site needs it."""
    if not target or re.match(r"[a-z]+:", target):
        return target + anchor
    pages = repository_pages(root)
    source = pages.get(page, f"docs/{page}")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    address = {origin: name for name, origin in pages.items()}.get(path)
    if address is None and path.startswith("docs/"):
        address = path.removeprefix("docs/")
        if address.endswith(".ipynb") and address.replace(".ipynb", ".md") != page:
            address = address.replace(".ipynb", ".md")
    config = _CONFIGS.fullmatch(path)
    if config is not None and (root / path).exists():
        address = f"configuration/{config[1]}.md"
    if address is not None:
        return posixpath.relpath(address, posixpath.dirname(page) or ".") + anchor
    if (root / path).exists():
        return HOST + path
    return target + anchor  # a page that another hook makes, or a dead link, which is reported


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the wings into the navigation."""
    wings = [page for page in repository_pages(_root(config)) if page.startswith("papers/")]
    assert config.nav is not None
    for entry in config.nav:
        if isinstance(entry, dict) and "Papers" in entry:
            entry["Papers"].extend(wings)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for page, origin in repository_pages(_root(config)).items():
        text = (_root(config) / origin).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links of the repository into links of the site."""
    address, root = page.file.src_uri, _root(config)
    return _LINK.sub(lambda m: site_link(m[1], m[2] or "", address, root), markdown)


def _root(config: MkDocsConfig) -> Path:
    return Path(config.docs_dir).parent
