"""Figures within a page: its colours, its width, words that are text."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.report.page import BLUE, drawn, write_page


def test_a_figure_follows_the_page_and_names_itself() -> None:
    plots = [
        drawn("A & B", lambda axes: axes.plot([1, 2], [3, 4], "o-", color=BLUE, label="$x_1$ <i>")) for _ in range(2)
    ]
    svg = plots[0].svg
    assert svg.startswith('<svg role="img" aria-label="A &amp; B" viewBox="') and svg == plots[1].svg
    assert "var(--blue)" in svg and "currentColor" in svg and BLUE not in svg
    assert "$x_1$ &lt;i&gt;" in svg and "http" not in svg and "<metadata" not in svg
    assert not re.search(r"<svg[^>]*(?:width|height)=", svg)
    ids = set(re.findall(r'\sid="([^"]*)"', svg))
    assert ids and all(one.startswith("a-b-") for one in ids)
    assert set(re.findall(r'(?:url\(#|href="#)([^")]*)', svg)) <= ids


def test_two_figures_share_no_identifier() -> None:
    one, other = (drawn(caption, lambda axes: axes.plot([1, 2], [3, 4], "o-")).svg for caption in ("one", "other"))
    assert not set(re.findall(r'\sid="([^"]*)"', one)) & set(re.findall(r'\sid="([^"]*)"', other))


def test_what_is_no_text_of_any_encoding_is_written_all_the_same(tmp_path: Path) -> None:
    values = {"rows": [], "letters": [], "pairs": [], "differences": [], "plots": [], "galleries": []}
    page = write_page(tmp_path / "page.html", "comparison.html.jinja", questions_known=True, **values)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
