from tests.fixtures.documents import anchors, documents, links


def test_every_relative_link_leads_to_a_file_and_a_heading(repository):
    dead = []
    for page in documents(repository):
        for link in links(page):
            if link.startswith(("https:", "mailto:")):
                continue
            path, _, anchor = link.partition("#")
            target = page if not path else (page.parent / path).resolve()
            if not target.exists() or (anchor and anchor not in anchors(target)):
                dead.append(f"{page.relative_to(repository)}: {link}")
    assert dead == []


def test_links_are_told_from_code_and_headings_become_anchors(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A *page*: 1\n\n`[a](x.md)` [b](y.md#z)\n\n```text\n# no\n[c](w)\n```\n")
    assert links(page) == ["y.md#z"]
    assert anchors(page) == {"a-page-1"}


def test_the_readme_is_short(repository):
    lines = (repository / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
