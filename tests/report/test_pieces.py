"""Pieces escape what they are told, refuse to be silent, and make pages that a browser opens without a word."""

import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from crm_analysis.errors import BookError
from crm_analysis.report.figures.purchase_tracking import purchase_tracking
from crm_analysis.report.figures.value_by_tenth import value_by_tenth
from crm_analysis.report.page import IndexContext, IndexEntry, IndexGroup, PageContext, render_index, render_page
from crm_analysis.report.pieces import (
    FRAGMENT,
    Alert,
    Alerts,
    Change,
    ChapterList,
    Drawing,
    Facts,
    Figure,
    Finding,
    Findings,
    Glossary,
    Headline,
    Note,
    Spark,
    Tile,
    Tiles,
)
from crm_analysis.report.tables import Column, Table

EVIL = "<script>alert(1)</script>\"'&{x}"
DRAWING = Drawing(Markup('<svg role="img" aria-label="finding"></svg>'))
CHANGE = Change("down", "bad", EVIL, EVIL)
SPARK = Spark((1.0, 2.0), EVIL)
FRAME = pd.DataFrame(
    {"customer": [EVIL, "c-2"], "value": [10.0, np.nan], "change": [CHANGE, None], "line": [SPARK, None]}
)
TABLE = Table(
    "top",
    1,
    EVIL,
    EVIL,
    FRAME,
    (
        Column("customer", EVIL, EVIL, kind="code"),
        Column("value", "Value", kind="money", currency="USD"),
        Column("change", "Change", kind="status"),
        Column("line", "13 months", kind="spark"),
    ),
    total={"customer": EVIL},
    downloads=('tables/"><script>.csv',),
)
PIECES = [
    Headline(EVIL, EVIL, EVIL, (EVIL, EVIL)),
    Alert("note", EVIL, EVIL, EVIL),
    Alerts((Alert("warning", EVIL, EVIL, EVIL), Alert("note", EVIL))),
    SPARK,
    CHANGE,
    Tile(EVIL, EVIL, EVIL, (CHANGE,), SPARK, EVIL),
    Tiles((Tile(EVIL, EVIL, EVIL, (CHANGE,), SPARK, EVIL),), EVIL),
    Finding(EVIL, EVIL, EVIL),
    Findings((Finding(EVIL, EVIL, EVIL),)),
    Figure("fig", 1, EVIL, EVIL, DRAWING, EVIL, TABLE),
    TABLE,
    Note(EVIL, (EVIL,)),
    Glossary((("term", EVIL, EVIL),)),
    Facts(EVIL, ((EVIL, EVIL),)),
    ChapterList(((EVIL, EVIL, EVIL),)),
]


class Elements(HTMLParser):
    """The tags and attributes of a page, and whether all that opens also closes."""

    VOID = frozenset({"meta", "br", "path", "circle", "line", "rect", "use"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def ids(piece) -> str:
    return type(piece).__name__


# Every piece


@pytest.mark.parametrize("piece", PIECES, ids=ids)
def test_what_looks_like_markup_stays_text(piece):
    html = piece.html()
    elements = Elements(html)
    assert "script" not in elements.tags
    assert "&lt;script&gt;" in html
    assert not [key for _tag, key, _value in elements.attributes if key.startswith("on") or key == "style"]


@pytest.mark.parametrize("piece", PIECES, ids=ids)
def test_what_opens_closes(piece):
    assert Elements(piece.html()).open == []


@pytest.mark.parametrize("piece", PIECES, ids=ids)
def test_a_notebook_gets_a_fragment_a_styled_version_and_plain_text(piece):
    bundle = piece._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {FRAGMENT, "text/html", "text/plain"}
    assert bundle[FRAGMENT] == str(piece.html())
    assert bundle["text/html"].startswith('<div class="crm-book"><style>.crm-book{')
    assert bundle["text/html"].endswith(f"</style>{bundle[FRAGMENT]}</div>")
    assert ":root" not in bundle["text/html"]
    assert bundle["text/plain"]
    assert all(type(value) is str for value in bundle.values())


# Single pieces


def test_no_alerts_make_no_box():
    assert Alerts(()).html() == ""


def test_only_the_first_entry_of_the_status_is_bold():
    html = Headline("Overview", "Equity holds", status=("Published", "Data to June")).html()
    assert re.findall(r"<b>([^<]*)</b>", html) == ["Published"]


def test_a_change_says_in_words_what_mark_and_colour_say():
    html = Change("down", "bad", "8.6% below May 1998", "worse").html()
    assert '<span class="bad" aria-hidden="true">▼</span>' in html
    assert '8.6% below May 1998, <span class="bad">worse</span>' in html


def test_a_small_line_marks_this_month_the_last_and_the_same_month_last_year():
    path = Spark(tuple(float(n) for n in range(13)), "rises").path(132, 40)
    assert path.then == ((5.0, 35.0), (116.8, 7.5))
    assert path.now == ((127.0, 5.0),)


def test_missing_months_leave_a_gap_in_a_small_line():
    values = (1.0, 2.0, float("nan"), 3.0, float("nan"))
    path = Spark(values, "with gaps").path(132, 40)
    assert path.line.count("M") == 2
    assert "nan" not in path.line
    assert path.now == ()


@pytest.mark.parametrize("values", [(), (float("nan"),) * 13, (5.0,), (0.0,) * 13])
def test_a_small_line_copes_with_little(values):
    assert "nan" not in Spark(values, "little").html()


def test_a_small_line_needs_a_text_alternative():
    with pytest.raises(BookError, match="label"):
        Spark((1.0,), "")


@pytest.mark.parametrize("empty", ["finding", "what", "note"])
def test_a_figure_must_say_what_it_shows(empty):
    words = {"finding": "f", "what": "w", "note": "n"} | {empty: " "}
    with pytest.raises(BookError, match=empty):
        Figure("fig", 1, words["finding"], words["what"], DRAWING, words["note"])


@pytest.mark.parametrize(
    "markup",
    [
        "<svg></svg>",
        '<svg role="img" aria-label=""></svg>',
        '<div role="list" aria-label=" "></div>',
        '<div role="list" aria-label="x"><svg></svg></div>',
        "",
    ],
)
def test_a_drawing_needs_a_text_alternative(markup):
    with pytest.raises(BookError, match="text alternative"):
        Drawing(Markup(markup))


def test_the_data_of_a_figure_is_folded_away_below_it():
    html = Figure("fig", 3, "f", "w", DRAWING, "n", TABLE).html()
    assert "<details><summary>Data behind figure 3</summary>" in html
    assert "<details" not in Figure("fig", 3, "f", "w", DRAWING, "n").html()


# Tables


def one_column(values: list, **options) -> str:
    frame = pd.DataFrame({"row": range(len(values)), "x": pd.Series(values, dtype=object)})
    columns = (Column("row", "Row", kind="count"), Column("x", "X", **options))
    return Table("t", 0, "finding", "", frame, columns).html()


def cells(html: str) -> list[str]:
    return re.findall(r"<td[^>]*>(.*?)</td>", html)


@pytest.mark.parametrize(
    ("options", "value", "text", "raw"),
    [
        ({"kind": "count"}, 23_570, "23,570", "23570"),
        ({"kind": "number"}, 0.8249, "0.82", "0.8249"),
        ({"kind": "number", "digits": 1}, 10.446, "10.4", "10.446"),
        ({"kind": "percent"}, 0.0717, "7.2%", "0.0717"),
        ({"kind": "percent", "unit": "%"}, 0.644, "64.4", "0.644"),
        ({"kind": "money", "currency": "USD"}, 38.926, "$38.93", "38.926"),
        ({"kind": "money", "currency": "USD"}, 418_711.4, "$418,711", "418711.4"),
        ({"kind": "money"}, -8.72, "−8.72", "-8.72"),
        ({"kind": "day"}, pd.Timestamp("1998-06-30"), "30 June 1998", "729570"),
        ({"kind": "number"}, float("inf"), "infinite", "Infinity"),
    ],
)
def test_a_cell_shows_the_words_and_keeps_the_raw_value(options, value, text, raw):
    html = one_column([value], **options)
    assert cells(html) == [text]
    assert f'data-v="{raw}"' in html


@pytest.mark.parametrize("kind", ["text", "count", "number", "percent", "money", "day", "code", "spark", "status"])
@pytest.mark.parametrize("missing", [None, float("nan"), pd.NaT, pd.NA])
def test_what_is_missing_is_a_dash(kind, missing):
    assert cells(one_column([missing], kind=kind)) == ["–"]


def test_amounts_of_one_column_have_equal_decimals():
    assert cells(one_column([5.0, 99.5, 12.346], kind="money", currency="USD")) == ["$5.00", "$99.50", "$12.35"]
    assert cells(one_column([5.0, 4_000.0], kind="money", currency="USD")) == ["$5", "$4,000"]


def test_words_stand_left_and_numbers_right():
    head = TABLE.html().partition("</thead>")[0]
    assert re.findall(r'<th scope="col"( class="l")? data-sort="(\w+)">', head) == [
        (' class="l"', "text"),
        ("", "number"),
        (' class="l"', "text"),
        ("", "no"),
    ]


def test_a_text_may_have_a_small_second_line():
    assert "Equity<small>24 &lt;months&gt;</small>" in one_column(["Equity\n24 <months>"], kind="text")


def test_a_text_among_numbers_stays_as_it_is():
    assert cells(one_column(["$418.7k", 3_301], kind="count")) == ["$418.7k", "3,301"]


def test_the_first_column_heads_the_rows_and_may_be_the_index():
    frame = pd.DataFrame({"n": [1, 2]}, index=pd.Index(["a", "b"], name="who"))
    html = Table(
        "t", 0, "finding", "", frame, (Column("who", "Who", kind="text"), Column("n", "N", kind="count"))
    ).html()
    assert re.findall(r'<th scope="row" class="l">(\w)</th>', html) == ["a", "b"]


def test_the_total_lines_up_with_the_column_and_stays_empty_where_nothing_adds_up():
    frame = pd.DataFrame({"who": ["a", "b"], "v": [1.5, 2_000.0], "s": [0.25, 0.75]})
    columns = (Column("who", "Who", kind="text"), Column("v", "V", kind="money", currency="USD"), Column("s", "S"))
    foot = Table("t", 0, "finding", "", frame, columns, total={"who": "All", "v": 50.0}).html().partition("<tfoot>")[2]
    assert cells(foot) == ["$50", ""]
    assert ">All</th>" in foot


def test_table_zero_has_no_number_and_others_have():
    assert "Table" not in one_column([1])
    assert TABLE.heading.startswith("Table 1. ")


def test_downloads_are_named_by_table_and_kind():
    frame = pd.DataFrame({"n": [1]})
    table = Table("t", 2, "finding", "", frame, (Column("n", "N"),), downloads=("tables/x.csv", "tables/x.xlsx"))
    assert '<a href="tables/x.csv" download>table 2 as CSV</a>' in table.html()
    assert '<a href="tables/x.xlsx" download>table 2 as XLSX</a>' in table.html()


@pytest.mark.parametrize("columns", [(), (Column("missing", "M"),)])
def test_a_table_without_its_columns_is_refused(columns):
    with pytest.raises(BookError, match="no column"):
        Table("t", 1, "finding", "", pd.DataFrame({"n": [1]}), columns)


@pytest.mark.parametrize("name", ["", "1st", "two words", 'x"y'])
def test_names_that_cannot_be_ids_are_refused(name):
    with pytest.raises(BookError, match="cannot be the id"):
        Figure(name, 1, "f", "w", DRAWING, "n")


def test_an_empty_table_is_a_table():
    assert "<tbody>" in Table("t", 1, "nobody", "", FRAME.head(0), TABLE.columns).html()


# Pages


def section(name: str, *pieces) -> Markup:
    inside = Markup("\n").join(piece.html() for piece in pieces)
    return Markup('<section aria-labelledby="{0}"><h2 id="{0}">{0}</h2>{1}</section>').format(name, inside)


def whole_page(layout: str = "chapter") -> str:
    weeks = pd.date_range("1997-01-07", periods=60, freq="7D")
    tracking = pd.DataFrame(
        {"actual": 900.0, "expected": 800.0, "lower": 700.0, "upper": 850.0, "held_out": True}, index=weeks
    )
    tenths = pd.DataFrame({"share": [0.64] + [0.04] * 9, "mean_value": [11_432.1] + [1.0] * 9}, index=range(1, 11))
    wide = pd.DataFrame({"who": ["b", "a", "c"], "n": [2.0, np.nan, 10.0]} | {f"c{i}": 123_456.0 for i in range(12)})
    columns = (
        Column("who", "Who", kind="text"),
        Column("n", "N", "each"),
        *(Column(f"c{i}", f"C{i}") for i in range(12)),
    )
    body = Markup("\n").join(
        [
            PIECES[0].html(),
            Alerts((Alert("warning", EVIL, "#fig", "See figure 1"),)).html(),
            Tiles((Tile("Equity", "$418.7k", "interval", (CHANGE,), SPARK, "#term"),) * 3, "Small lines").html(),
            section("findings", Findings((Finding("f", "#fig", "Figure 1"),) * 3)),
            section(
                "tracking-h", Figure("fig", 1, "f", "w", purchase_tracking(tracking, name="fig", label="f"), "n", TABLE)
            ),
            section(
                "tenths-h",
                Figure("tenths", 2, "f", "w", value_by_tenth(tenths, name="tenths", label="f", currency="USD"), "n"),
            ),
            section("wide-h", Table("wide", 3, "finding", "what", wide, columns, total={"who": "All", "n": 12})),
            section("rest", Note("Method", ("One.", "Two.")), Glossary((("term", "Term", "What it is"),))),
            section("chapters", ChapterList((("a.html", "A", "Which?"),))),
        ]
    )
    toc = (("tracking-h", "Tracking"), ("wide-h", "Wide")) if layout == "chapter" else ()
    return render_page(
        PageContext(
            title=EVIL,
            description=EVIL,
            brand='A "brand" </style>',
            report_name="June 1998",
            language="en",
            navigation=(("overview.html", "Overview", False), ("value.html", EVIL, True)),
            toc=toc,
            layout=layout,
            body=body,
            provenance=Facts("Where these numbers come from", (("SHA-256", "e" * 64),)),
            footer_text=EVIL,
        )
    )


def index_page() -> str:
    entries = (IndexEntry("June 1998", "1998-06/overview.html", EVIL, "Published", "2 July 1998"),) * 2
    groups = (IndexGroup("", "", entries), IndexGroup(EVIL, EVIL, (IndexEntry(EVIL, "", "", "Not published", EVIL),)))
    return render_index(IndexContext("All periods", "d", "Brand", "Report", "en", groups, (("../index.html", EVIL),)))


PAGES = {"chapter": whole_page, "overview": lambda: whole_page("overview"), "index": index_page}


@pytest.fixture(scope="module", params=PAGES)
def page(request) -> str:
    return PAGES[request.param]()


def test_a_page_has_one_style_one_script_and_nothing_inline(page):
    elements = Elements(page)
    assert elements.open == []
    assert (elements.tags.count("style"), elements.tags.count("script"), elements.tags.count("h1")) == (1, 1, 1)
    assert not [key for _tag, key, _value in elements.attributes if key == "style" or key.startswith("on")]


def test_a_page_points_to_nothing_outside(page):
    assert not re.search(r"(?:https?:)?//\w", page.replace("//www.w3.org/", ""))
    assert "www.w3.org" not in page
    assert "url(" not in page.partition("</style>")[0]


def test_the_policy_stands_before_the_style_and_its_hashes_match_the_bytes(page):
    policy, style = re.search(r'Content-Security-Policy" content="([^"]*)"', page), page.index("<style>")
    assert policy.start() < style

    def hashed(tag: str) -> str:
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S)[1]
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert policy[1] == (
        f"default-src 'none'; style-src '{hashed('style')}'; script-src '{hashed('script')}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert "\r" not in page


def test_ids_are_unique_and_every_link_inside_the_page_arrives(page):
    attributes = Elements(page).attributes
    names = [value for _tag, key, value in attributes if key == "id"]
    assert len(names) == len(set(names))
    targets = {value[1:] for tag, key, value in attributes if tag == "a" and key == "href" and value.startswith("#")}
    labels = {value for _tag, key, value in attributes if key == "aria-labelledby"}
    assert targets | labels <= set(names)


def test_the_current_chapter_is_marked():
    assert re.findall(r'<a href="([^"]*)" aria-current="page">', whole_page()) == ["value.html"]


def test_equal_pages_have_equal_bytes():
    assert whole_page() == whole_page()


# In a browser


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on the path")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Open a page from a folder; what the console said and what was asked for come with it."""
    contexts = []

    def opened(html: str, width: int = 1280, scheme: str = "light"):
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8", newline="\n")
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        tab = context.new_page()
        said, asked = [], []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(file.as_uri())
        return tab, said, asked, file.as_uri()

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [1280, 768, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_quietly_asks_for_nothing_and_does_not_scroll_sideways(visit, name, width):
    tab, said, asked, address = visit(PAGES[name](), width)
    assert said == []
    assert asked == [address]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    # The style sheet holds: without it a page has the browser's own margins.
    assert tab.evaluate("getComputedStyle(document.body).margin") == "0px"


@pytest.mark.parametrize(("width", "shown"), [(1280, "wide"), (390, "narrow")])
def test_the_drawing_that_fits_the_screen_is_shown(visit, width, shown):
    tab, *_rest = visit(whole_page(), width)
    visible = tab.evaluate(
        """() => [...document.querySelectorAll('#fig > svg.fig')]
          .filter(drawing => drawing.getBoundingClientRect().width).map(drawing => drawing.classList[1])"""
    )
    assert visible == [shown]


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_the_label_of_the_longest_bar_keeps_clear_of_the_number(visit, width):
    tab, *_rest = visit(whole_page(), width)
    gap = tab.evaluate(
        """() => {
          const box = name => document.querySelector('.rows > *').querySelector(name).getBoundingClientRect();
          return box('.number').left - box('text').right;
        }"""
    )
    assert gap >= 4


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_no_word_of_a_drawing_leaves_its_figure(visit, width):
    tab, *_rest = visit(whole_page(), width)
    outside = tab.evaluate(
        """() => [...document.querySelectorAll('figure svg text')].filter(text => {
          const word = text.getBoundingClientRect(), figure = text.closest('figure').getBoundingClientRect();
          return word.width && (word.left < figure.left || word.right > figure.right || word.bottom > figure.bottom);
        }).map(text => text.textContent)"""
    )
    assert outside == []


def test_dark_takes_the_dark_colours(visit):
    tab, *_rest = visit(whole_page(), scheme="dark")
    assert tab.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(20, 23, 27)"


def test_paper_is_light_and_leaves_out_what_only_a_screen_needs(visit):
    tab, *_rest = visit(whole_page(), scheme="dark")
    tab.emulate_media(media="print", color_scheme="dark")
    assert tab.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate("getComputedStyle(document.documentElement).fontSize") == "12.5px"
    assert not tab.locator("nav.toc").is_visible()


def column(tab, i: int) -> list[str]:
    return tab.evaluate(f"[...document.querySelectorAll('#wide tbody tr')].map(row => row.cells[{i}].textContent)")


def test_a_click_on_a_header_sorts_and_missing_values_stay_last(visit):
    tab, said, *_rest = visit(whole_page())
    header = tab.locator("#wide thead th").nth(1)
    header.locator("button").click()
    assert column(tab, 1) == ["10.00", "2.00", "–"]
    assert header.get_attribute("aria-sort") == "descending"
    header.locator("button").click()
    assert column(tab, 1) == ["2.00", "10.00", "–"]
    tab.locator("#wide thead th button").first.click()
    assert column(tab, 0) == ["a", "b", "c"]
    assert header.get_attribute("aria-sort") is None
    assert said == []


def test_the_styled_fragment_leaves_the_notebook_around_it_alone(visit):
    bundle = Note("Method", ("One.",))._repr_mimebundle_()
    tab, *_rest = visit(f'<!doctype html><p id="out">x</p>{bundle["text/html"]}')
    assert tab.evaluate("getComputedStyle(document.body).margin") == "8px"
    assert tab.evaluate("getComputedStyle(document.getElementById('out')).marginTop") == "16px"
    assert tab.evaluate("getComputedStyle(document.querySelector('.note p')).marginBottom") == "0px"
    assert tab.evaluate("getComputedStyle(document.querySelector('.crm-book')).backgroundColor") == "rgb(250, 249, 246)"
