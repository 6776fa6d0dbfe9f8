"""The site that `make site` builds of docs/."""

from __future__ import annotations

import yaml

from tests.conftest import ROOT

SITE = yaml.safe_load((ROOT / ".github/site.yml").read_text(encoding="utf-8"))


def pages(entries: object) -> list[str]:
    if isinstance(entries, str):
        return [entries]
    assert isinstance(entries, dict | list)
    return [page for part in (entries.values() if isinstance(entries, dict) else entries) for page in pages(part)]


def test_every_document_has_its_place_on_the_site_and_no_other_has() -> None:
    folder = ROOT / ".github" / SITE["docs_dir"]
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.md")}
    assert sorted(pages(SITE["nav"])) == sorted(there)


def test_the_front_page_leads_to_every_other() -> None:
    front = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    assert [page for page in pages(SITE["nav"]) if page != "index.md" and f"]({page})" not in front] == []
