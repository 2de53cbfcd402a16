"""The published figures are complete, and each is read by a test."""

import re
import tomllib
from pathlib import Path

TESTS = Path(__file__).parent
FIGURES = {
    name for path in sorted((TESTS / "reference").glob("*.toml")) for name in tomllib.loads(path.read_text())
}  # fmt: skip
# Published figures by the letter of what they are of: CDNOW, discounting, spend, BG/BB, retention, hardly identified.
# A number that is missing here was a duplicate of another.
PUBLISHED = {
    "C": (1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13, 14, 18, 19, 20, 21, 23, 24, 25, 26, 27, 29, 31),
    "D": (1, 2, 4, 8, 10, 11),
    "S": (1, 3, 4),
    "B": (1, 3, 4, 6, 7),
    "R": (1, 4, 6),
    "G": (7, 12),
}
OF_OTHER_MODELS = {"C9": "Gamma-Gompertz/NBD", "G12": "Abe's Pareto/NBD"}


def test_every_published_figure_is_there_but_those_of_other_models():
    published = {f"{letter}{number}" for letter, numbers in PUBLISHED.items() for number in numbers}
    there = {name.split("-")[0] for name in FIGURES}
    assert published - there == set(OF_OTHER_MODELS)


def test_every_figure_is_read_by_a_test():
    source = "\n".join(path.read_text() for path in sorted(TESTS.rglob("test_*.py")))
    # By its name, or by a name made of its beginning and what stands in braces: f"shop-fit-{kind}".
    beginnings = tuple(re.findall(r'f"([\w-]+-)\{', source))
    unread = [name for name in sorted(FIGURES) if f'"{name}"' not in source and not name.startswith(beginnings)]
    assert unread == []
