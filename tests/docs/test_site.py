"""The site as `make docs` builds it."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml

pytest.importorskip("mkdocs", reason="the site needs the extra: terrashot[docs]")

FOREIGN = [
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=[\"']?(?:https?:)?//",
    r"<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|preload|preconnect|icon))[^>]*href=[\"']?(?:https?:)?//",
    r"@import\s+(?:url\()?[\"']?(?:https?:)?//",
    r"url\(\s*[\"']?(?:https?:)?//",
]
"""What makes a browser ask another host while it shows a page; a link that is clicked does not."""


def hook(repository: Path, name: str):
    spec = importlib.util.spec_from_file_location(name, repository / f"docs/hooks/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference(repository):
    return hook(repository, "config_reference")


def leaves(value, prefix=""):
    """Dotted names of everything in a config, sections included."""
    for key, inner in value.items():
        yield prefix + str(key)
        if isinstance(inner, dict):
            yield from leaves(inner, f"{prefix}{key}.")


def test_every_option_and_every_key_is_in_the_reference(repository, reference):
    files = list((repository / "configs").rglob("*.yaml"))
    files += (repository / "src/terrashot/papers").glob("*/configs/**/*.yaml")
    options = [o for found in reference.read_options(repository).values() for o in found]
    assert len(options) == len(files) > 100
    for option in options:
        content = yaml.safe_load(option.text) or {}
        content.pop("defaults", None)
        named = [key.name for key in reference.keys(option.text)]
        flow = {n for n in leaves(content) if any(n.startswith(f"{k}.") for k in named)}
        assert set(named) <= set(leaves(content))
        assert set(leaves(content)) - set(named) <= flow
        assert reference.header(option.text), f"{option.group}/{option.name}: what is it?"


def test_a_key_has_its_value_and_the_comment_beside_it(reference):
    text = "# what\nlr: 1.0e-3   # of the decoder\nnames: [a, '#b']\npart:   # inside\n  on: true\n"
    assert [(k.name, k.value, k.comment) for k in reference.keys(text)] == [
        ("lr", "1.0e-3", "of the decoder"),
        ("names", "[a, '#b']", ""),
        ("part", "", "inside"),
        ("part.on", "true", ""),
    ]


@pytest.mark.parametrize(
    ("target", "page", "expected"),
    [
        ("../src/terrashot/papers/false/README.md", "speed.md", "papers/false.md"),
        ("../../../../docs/protocol.md", "papers/sg_one.md", "../protocol.md"),
        ("../CONTRIBUTING.md", "index.md", "contributing.md"),
        ("../configs/data", "data.md", "configuration/data.md"),
        ("../configs/run.yaml", "configuration.md", "configuration/run.md"),
        ("notebooks/map_a_scene.ipynb", "api.md", "notebooks/map_a_scene.md"),
        ("map_a_scene.ipynb", "notebooks/map_a_scene.md", "map_a_scene.ipynb"),
        ("https://arxiv.org", "index.md", "https://arxiv.org"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(repository, target, page, expected):
    pages = hook(repository, "repository_pages")
    assert pages.site_link(target, "", page, repository) == expected


def test_a_notebook_is_a_page_of_its_text_and_code(repository, tmp_path):
    cells = [{"cell_type": "markdown", "source": ["# A\n"]}, {"cell_type": "code", "source": "x"}]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    page = hook(repository, "notebook_pages").notebook_page(tmp_path / "a.ipynb")
    assert page.startswith("# A\n")
    assert "[a.ipynb](a.ipynb)" in page
    assert page.endswith("```python\nx\n```\n")


@pytest.mark.slow
def test_the_site_builds_strictly_and_asks_no_other_host(repository, tmp_path):
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    build(load_config(str(repository / "mkdocs.yml"), site_dir=str(tmp_path), strict=True))
    files = [p for p in tmp_path.rglob("*") if p.suffix in (".html", ".css")]
    assert {"index.html", "sg_one.html", "run.html", "first_adaptation.html"} <= {
        p.name for p in files
    }
    index, page = tmp_path / "search/search_index.js", (tmp_path / "index.html").read_text("utf-8")
    assert index.is_file()  # without it the search finds nothing where a page is opened from a disk
    assert page.index("assets/iframe-worker.js") < page.index("assets/javascripts/bundle")
    for path in files:
        text = path.read_text(encoding="utf-8")
        for pattern in FOREIGN:
            found = re.search(pattern, text)
            assert found is None, f"{path.name}: {found[0]}"
