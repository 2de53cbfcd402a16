"""Turn a matplotlib figure into inline SVG that a strict Content-Security-Policy lets through.

matplotlib writes style="..." attributes and a <style> element. A page that allows styles by hash drops both, and the
figure goes black without a word. So every declaration becomes a presentation attribute, and the colours of `style`
become classes: light, dark and print then come from the page.
"""

import io
import re
import warnings
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from crm_analysis.errors import BookError
from crm_analysis.report.figures.style import ROLES

_KEPT = frozenset(
    {
        "fill",
        "stroke",
        "stroke-width",
        "stroke-linecap",
        "stroke-linejoin",
        "stroke-dasharray",
        "stroke-dashoffset",
        "opacity",
        "fill-opacity",
        "stroke-opacity",
        "text-anchor",
        "font-size",
        "font-weight",
    }
)
_DEFAULTS = frozenset({("stroke-linejoin", "miter"), ("stroke-linecap", "butt"), ("font-weight", "400")})
_DROPPED = frozenset({"metadata", "style", "title"})
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{3,}")
_NO_TURN = re.compile(r"\s*rotate\(-?0(\.0)?( [^)]*)?\)")


def inline_svg(figure: Figure, *, name: str, label: str, css_class: str) -> Markup:
    """Return `figure` as an SVG element: no style attribute, no date, the same bytes on each run.

    Parameters
    ----------
    figure : Figure
        Drawn with the colours of `style`.
    name : str
        Unique on the page; all ids begin with it.
    label : str
        Text alternative: the finding.
    css_class : str
        Classes of the element.

    Raises
    ------
    BookError
        When something is drawn in a colour that is not a role of `style`.
    """
    root = _tree(figure, name)
    _clean(root, _ids_in_use(root), name)
    view_box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"class": css_class, "viewBox": view_box, "role": "img", "aria-label": label})
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _tree(figure: Figure, name: str) -> ElementTree.Element:
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        # The browser sets the text in its own fonts; matplotlib's only measures it, and may lack Chinese.
        warnings.filterwarnings("ignore", r"(?s)Glyph .* missing from", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return ElementTree.fromstring(buffer.getvalue())


def _ids_in_use(root: ElementTree.Element) -> frozenset[str]:
    values = (value for element in root.iter() for value in element.attrib.values())
    return frozenset(found for value in values for found in re.findall(r"(?:^#|url\(#)([^)]+)", value))


def _clean(element: ElementTree.Element, ids: frozenset[str], name: str) -> None:
    """Rewrite an element and what it holds, in place; drop what draws nothing."""
    element.tag = _local(element.tag)
    element.attrib = _attributes(element, ids, name)
    element.text = element.text if element.tag == "text" else None
    element.tail = None
    children = []
    for child in element:
        if _local(child.tag) in _DROPPED:
            continue
        _clean(child, ids, name)
        if child.tag == "g" and not child.attrib:
            children += list(child)
        elif child.tag not in {"g", "defs"} or len(child):
            children.append(child)
    element[:] = children


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _attributes(element: ElementTree.Element, ids: frozenset[str], name: str) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for raw, value in element.attrib.items():
        key = _local(raw)
        if key == "style":
            attributes |= _from_style(value, is_text=element.tag == "text")
        elif key == "id":
            attributes |= {"id": f"{name}-{value}"} if value in ids else {}
        elif key == "transform":
            turned = _NO_TURN.sub("", value).strip()
            attributes |= {"transform": _short(turned)} if turned else {}
        else:
            attributes[key] = _short(re.sub(r"(^|url\()#", rf"\1#{name}-", " ".join(value.split())))
    return attributes


def _from_style(style: str, *, is_text: bool) -> dict[str, str]:
    """Return presentation attributes and classes for one list of declarations."""
    attributes: dict[str, str] = {}
    classes: list[str] = []
    for declaration in style.split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key == "font":
            attributes |= _from_font(value)
        elif value in ROLES and key in {"fill", "stroke"}:
            classes.append(f"{'t' if is_text else key[0]}-{ROLES[value]}")
        elif value.startswith("#"):
            raise BookError(f"figure: the colour {value} is none of the roles in figures/style.py.")
        elif key in _KEPT and (key, value) not in _DEFAULTS:
            attributes[key] = _short(value)
    if classes:
        attributes["class"] = " ".join(classes)
    return attributes


def _from_font(font: str) -> dict[str, str]:
    weight, size = re.search(r"\b(\d{3}) ", font), re.search(r"([\d.]+)px", font)
    found = {"font-weight": weight[1]} if weight else {}
    return found | ({"font-size": size[1]} if size else {})


def _short(text: str) -> str:
    """Return the text with two decimals at most: a hundredth of a unit is less than anyone sees."""
    return _LONG_DECIMAL.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), text)
