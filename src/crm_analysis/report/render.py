"""An executed notebook becomes the body of a page: its headings, its sentences, and the pieces its cells show."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.preprocessors import Preprocessor

from crm_analysis.errors import BookError
from crm_analysis.messages import _
from crm_analysis.report.pieces import FRAGMENT

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Body:
    """What a chapter puts on its page.

    Attributes
    ----------
    html : Markup
        Sections with their headings.
    contents : tuple of (id, title)
        The headings, for the list at the side.
    remarks : str
        What the cells wrote to their streams; for the log of the run, never for the page.
    """

    html: Markup
    contents: tuple[tuple[str, str], ...]
    remarks: str


class _Sections(Preprocessor):
    """Turn `## Heading` into sections and look every sentence up in the message catalogue."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Prepare the cells; the headings go to `resources`."""
        sections: list[tuple[str, str]] = []
        for cell in nb.cells:
            if cell.cell_type != "markdown":
                continue
            heading, prose = split_markdown(cell.source)
            cell.source = "\n\n".join(_(paragraph) for paragraph in prose)
            if heading:
                anchor = "s-" + re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
                cell.metadata["section"] = {"id": anchor, "title": _(heading), "follows": bool(sections)}
                sections.append((anchor, _(heading)))
        resources["sections"] = sections
        resources["fragment"] = FRAGMENT
        return nb, resources


def render_body(notebook: nbformat.NotebookNode) -> Body:
    """Render an executed notebook.

    Parameters
    ----------
    notebook : NotebookNode
        As papermill left it.

    Returns
    -------
    Body

    Raises
    ------
    BookError
        When a code cell was not run to its end, whatever the file says of itself.
    """
    unfinished = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count is None]
    failed = [cell for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    if unfinished or failed:
        raise BookError(f"{len(unfinished)} cell(s) did not run and {len(failed)} failed; nothing is published.")
    exporter = HTMLExporter(template_name="book", extra_template_basedirs=[str(TEMPLATES)])  # type: ignore[no-untyped-call]
    exporter.register_preprocessor(_Sections, enabled=True)  # type: ignore[no-untyped-call]
    html, resources = exporter.from_notebook_node(notebook)
    streams = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.text.strip()
    ]
    return Body(Markup(html), tuple(resources["sections"]), "".join(streams))


def split_markdown(source: str) -> tuple[str, list[str]]:
    """Return the second-level heading of a markdown cell and its paragraphs; the title of the notebook is left out."""
    paragraphs = [paragraph.strip() for paragraph in re.split(r"\n\s*\n", source) if paragraph.strip()]
    headings = [p.removeprefix("## ") for p in paragraphs if p.startswith("## ")]
    prose = [p for p in paragraphs if not p.startswith("#")]
    return headings[0] if headings else "", prose


# What must never reach a reader; each pattern with the words that say what it is.
_FORBIDDEN = {
    r"<(?:script|link|img|iframe|source)[^>]*\b(?:src|href)=[\"'](?:https?:)?//": "something fetched from a network",
    r"\sstyle=": "an inline style, which the page's own policy would drop",
    r"\son[a-z]+=[\"']": "an inline handler, which the page's own policy would drop",
    r"Traceback \(most recent call last\)": "the trace of an error",
    r"<img(?![^>]*\balt=\"[^\"]+\")": "an image without a text alternative",
    r"<svg(?![^>]*(?:aria-label=\"[^\"]+\"|aria-hidden=\"true\"))": "a drawing without a text alternative",
    r"(?:^|[\s\"'>(])/(?:home|root|tmp|Users|var|mnt|work)/": "a path of the machine",
    r"[A-Z]:\\\\Users": "a path of the machine",
}


def check_page(name: str, html: str) -> None:
    """Refuse a page that would not hold what every page promises.

    Raises
    ------
    BookError
        Naming all that is wrong with the page.
    """
    wrong = [what for pattern, what in _FORBIDDEN.items() if re.search(pattern, html)]
    for tag, wanted in (("h1", 1), ("style", 1), ("script", 1), ("main", 1)):
        found = len(re.findall(rf"<{tag}[\s>]", html))
        if found != wanted:
            wrong.append(f"{found} <{tag}> elements instead of {wanted}")
    if wrong:
        raise BookError(f"page {name} is not fit to publish: it holds {'; '.join(wrong)}.")
