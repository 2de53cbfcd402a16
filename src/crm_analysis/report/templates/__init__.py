"""The form of a page: Jinja templates, one style sheet and one script.

Every value is escaped where it enters a template; only fragments made here are `Markup`.
"""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from crm_analysis.messages import _

FOLDER = Path(__file__).parent


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["_"] = _
    return environment


def fill(template: str, **values: Any) -> Markup:
    """Return a template, named by its path in this folder, filled with values."""
    return Markup(_environment().get_template(template).render(**values).strip())


@cache
def style_sheet() -> str:
    """Return `book.css`, the look of every page."""
    return (FOLDER / "book.css").read_text(encoding="utf-8")


@cache
def script() -> str:
    """Return `book.js`, which sorts tables."""
    return (FOLDER / "book.js").read_text(encoding="utf-8")


@cache
def scoped_style_sheet() -> str:
    """Return the style sheet for one fragment inside a foreign page such as JupyterLab, which it leaves alone.

    Nested below the class of the fragment, each rule outranks the page's own rules for tables and headings.
    """
    return ".crm-book{\n" + style_sheet().replace(":root", "&") + "}"
