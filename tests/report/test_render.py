"""From an executed notebook to a page that may be published."""

import nbformat
import pytest

from crm_analysis.errors import BookError, SettingsError
from crm_analysis.report.pieces import FRAGMENT, Note
from crm_analysis.report.pseudonyms import KEY_VARIABLE, company_key, pseudonyms
from crm_analysis.report.render import check_page, render_body

GOOD = (
    "<!doctype html><html><head><style>a{}</style></head><body><main><h1>T</h1>"
    '<svg role="img" aria-label="what it shows"></svg></main><script>1</script></body></html>'
)


def executed(*cells) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = list(cells)
    return notebook


def code(source: str = "x", **data: str) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(source, execution_count=1)
    cell.outputs = [nbformat.v4.new_output("display_data", data=data)] if data else []
    return cell


def test_only_pieces_reach_the_page():
    shown = Note("Shown", ("text",))._repr_mimebundle_()
    body = render_body(executed(code("secret_code()", **shown), code("x", **{"text/plain": "a stray number 42"})))
    assert "Shown" in body.html
    assert "secret_code" not in body.html
    assert "42" not in body.html


def test_streams_are_kept_for_the_log_and_off_the_page():
    cell = code()
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text="a warning from a library")]
    body = render_body(executed(cell))
    assert "a warning" not in body.html
    assert body.remarks == "a warning from a library"


def test_headings_become_sections_with_contents():
    body = render_body(
        executed(
            nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_markdown_cell("## Who & what\n\nA sentence.")
        )
    )
    assert body.contents == (("s-who-what", "Who & what"),)
    assert '<section aria-labelledby="s-who-what"><h2 id="s-who-what">Who &amp; what</h2>' in body.html
    assert "<p>A sentence.</p>" in body.html
    assert "Title" not in body.html


def test_an_error_in_a_cell_is_never_rendered():
    cell = code()
    cell.outputs = [nbformat.v4.new_output("error", ename="E", evalue="v", traceback=[])]
    with pytest.raises(BookError, match="1 failed"):
        render_body(executed(cell))


def test_a_fragment_is_told_by_its_own_type():
    assert FRAGMENT.startswith("application/vnd.crm-analysis")


def test_a_good_page_passes():
    check_page("good.html", GOOD)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ('<script src="https://example.org/x.js"></script>', "fetched from a network"),
        ('<p style="color:red">', "an inline style"),
        ('<p onclick="x()">', "an inline handler"),
        ("Traceback (most recent call last)", "the trace of an error"),
        ('<img src="data:image/png;base64,AA">', "an image without a text alternative"),
        ("<svg viewBox='0 0 1 1'></svg>", "a drawing without a text alternative"),
        ("see /home/ann/data.csv", "a path of the machine"),
        ("<h1>another</h1>", "2 <h1> elements instead of 1"),
        ("<style>b{}</style>", "2 <style> elements instead of 1"),
    ],
)
def test_a_page_that_breaks_a_promise_is_refused(bad, words):
    with pytest.raises(BookError, match="not fit to publish") as refused:
        check_page("bad.html", GOOD.replace("</main>", bad + "</main>"))
    assert words in str(refused.value)


# --- codes of customers -----------------------------------------------------------------------------------------


def test_a_customer_has_the_same_code_with_the_same_key_only():
    one, again, other = (pseudonyms(["K1"], key)[0] for key in (b"a", b"a", b"b"))
    assert one == again != other


def test_codes_of_many_customers_differ():
    assert len(set(pseudonyms((str(i) for i in range(20_000)), b"key"))) == 20_000


def test_the_key_is_made_once_and_readable_by_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    key = company_key(tmp_path)
    assert len(key) == 64
    assert company_key(tmp_path) == key
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_a_damaged_key_is_refused_and_not_used(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    (tmp_path / ".pseudonym-key").write_text("")
    with pytest.raises(SettingsError, match="damaged"):
        company_key(tmp_path)


def test_a_key_of_the_environment_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "given")
    assert company_key(tmp_path) == b"given"
    assert list(tmp_path.iterdir()) == []
