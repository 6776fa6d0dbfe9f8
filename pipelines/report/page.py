"""What the pages of all reports share: how they are written, and figures that take the page's colours.

Owns: the environment of the templates, and the way of a figure into a page.

Invariants
- A page is one file that fetches nothing. All text is escaped, whoever wrote it.
- Figures are drawn into the page, so that they follow its colours (light or dark) and its width.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from reasoning.files.durable import new_file
from reasoning.files.resources import resource

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#1d2530"
BLUE, ORANGE, GREY, GREEN, RED = "#2f6db5", "#d9822b", "#8a8f98", "#3a8f5c", "#b8433a"
VIOLET, TEAL = "#7a57a8", "#4c9aa8"
COLOURS = (BLUE, ORANGE, GREEN, RED, VIOLET, TEAL, GREY)
# Of a figure's colours, what they are called in the page's style sheet.
_NAMES = {
    INK: "currentColor",
    **{
        colour: f"var(--{name})"
        for colour, name in zip(COLOURS, ("blue", "orange", "green", "red", "violet", "teal", "grey"), strict=True)
    },
}
_SIZE = (4.8, 3.0)  # inches: as wide as a phone


def write_page(path: Path, template: str, **values: object) -> Path:
    """Writes the page that `template`, a file of `templates`, makes of `values`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("pipelines.report", "templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(**values)
    with new_file(path) as part:
        part.write_text(page, encoding="utf-8", errors="replace")
    return path


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure as a part of a page; the caption is also what screen readers call it by."""

    caption: str
    svg: str


def drawn(caption: str, draw: Callable[[Axes], None]) -> Plot:
    """What `draw` draws, with a legend below of what it labels."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": caption}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            columns = min(len(labels), 4 if max(map(len, labels)) < 12 else 2)
            figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return Plot(caption, _inline(buffer.getvalue(), caption))


def _inline(text: str, caption: str) -> str:
    """A file of SVG as a part of a page: without head and measures, its identifiers its own, its colours the page's."""
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\s(?:xmlns(?::xlink)?|version)="[^"]*"', "", text).replace("xlink:href", "href")
    mark = re.sub(r"\W+", "-", caption.lower())
    text = re.sub(r'(\sid="|url\(#|href="#)', rf"\g<1>{mark}-", text)
    for colour, name in _NAMES.items():
        text = text.replace(colour, name)
    head = re.search(r'viewBox="[^"]*"', text)
    box = head[0] if head else ""
    return re.sub(r"<svg[^>]*>", f'<svg role="img" aria-label="{escape(caption)}" {box}>', text, count=1)


_STYLE: Any = {  # Any: matplotlib types each key
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
