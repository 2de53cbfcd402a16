"""The colours of the book keep their contrast, in light and in dark, and every class a drawing uses has a rule."""

import re

import pytest

from crm_analysis.report.figures.style import ROLES
from crm_analysis.report.templates import style_sheet

TEXT, GRAPHIC = 4.5, 3.0
PAIRS = [
    *[(text, ground, TEXT) for text in ("ink", "soft", "data", "model", "good", "bad") for ground in ("card", "paper")],
    *[(text, "wash", TEXT) for text in ("ink", "soft", "model", "data")],
    ("warn", "warn-wash", TEXT),
    ("ink", "warn-wash", TEXT),
    ("soft", "warn-wash", TEXT),
    ("data", "warn-wash", TEXT),
    *[("on-light", f"h{level}", TEXT) for level in (1, 2, 3, 4)],
    *[("on-dark", f"h{level}", TEXT) for level in (5, 6)],
    *[("on-dark", bar, TEXT) for bar in ("data", "model")],
    ("ink", "model-wash", TEXT),
    *[(mark, "card", GRAPHIC) for mark in ("data", "data-2", "model", "rule")],
]


def tokens(theme: str) -> dict[str, str]:
    light, dark, *_print = re.findall(r":root\{([^}]*)\}", style_sheet())
    found = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})\b", light))
    return found | (dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})\b", dark)) if theme == "dark" else {})


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "ground", "least"), PAIRS)
def test_a_colour_stands_out_from_its_ground(theme, front, ground, least):
    colours = tokens(theme)
    assert contrast(colours[front], colours[ground]) >= least


def test_dark_replaces_every_colour_and_adds_none():
    _light, dark, *_print = re.findall(r":root\{([^}]*)\}", style_sheet())
    replaced = set(re.findall(r"--([\w-]+):#", dark))
    assert replaced == set(tokens("light"))


def test_every_token_in_use_is_defined():
    used = set(re.findall(r"var\(--([\w-]+)\)", style_sheet()))
    defined = set(re.findall(r"--([\w-]+):", style_sheet()))
    assert used == defined


@pytest.mark.parametrize("role", ROLES.values())
def test_every_role_of_a_drawing_has_a_rule(role):
    assert re.search(rf"svg \.[fst]-{role}\{{|svg text\{{[^}}]*--{role}\b", style_sheet())
