"""How a survey is read: questions found by the codebook, codes told from marks, all that is wrong refused at once."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis.backends import BaseBackend

from crm_analysis.codebook import Codebook, read_codebook
from crm_analysis.data import engines
from crm_analysis.data.broken_rules import ROW, absent_rule
from crm_analysis.data.casting import as_id, stripped
from crm_analysis.data.contracts import SURVEY_CONTRACT, Day, to_day
from crm_analysis.data.loading import RawTable, load_raw, no_rows
from crm_analysis.data.spss import NO_CODING, Coding, is_spss, read_spss
from crm_analysis.data.survey import Survey, cut_survey
from crm_analysis.data.survey_answers import (
    Delivered,
    listed_as_not_applicable,
    read_kano,
    read_marks,
    read_segments,
    turned,
    without_missing,
)
from crm_analysis.data.survey_rules import NOT_APPLICABLE, CheckedAnswers, straight_liners
from crm_analysis.errors import SettingsError, Violation, listing, refuse
from crm_analysis.settings import EngineSettings

_KNOWN = [column.name for column in SURVEY_CONTRACT]


def read_survey(
    source: Any,
    *,
    codebook: Codebook | Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    as_of: Day | None = None,
    connection: BaseBackend | None = None,
    wave: str | None = None,
    numbered: bool = False,
    engine: EngineSettings | None = None,
) -> Survey:
    """Read and check a survey: one row a respondent in one wave.

    Parameters
    ----------
    source : path, DataFrame, ibis Table, str or Survey
        A CSV (also gzipped), Parquet or SPSS file (.sav, .zsav), a folder of Parquet files, a DataFrame, an ibis table,
        or, with `connection`, the name of a table there. A Survey passes through, cut when `as_of` is given.
    codebook : Codebook or mapping, optional
        What the questions are, as `[survey]` in crm.toml says it. Roles that it leaves open are filled by columns of
        the dictionary's own names: overall_satisfaction, recommend, driver_<group>_<name> and their like.
    columns : mapping, optional
        From respondent_id, wave, customer_id, weight, comment and not_applicable to what the source calls them;
        default: their own names.
    as_of : date or str, optional
        A wave that is called by a month ("2024-06") or a day ("2024-06-15") and was not over then is not seen; its rows
        are counted. Waves of other names are not cut.
    connection : ibis backend, optional
        Where the named table lives.
    wave : str, optional
        The wave of all rows, of a source that has no column of it.
    numbered : bool
        Whether respondents are numbered as they come, "R001" and so on, of a source without their ids.
    engine : EngineSettings, optional
        Limits of the embedded DuckDB; default: theirs.

    Returns
    -------
    Survey
        By wave and respondent. Codes for "not applicable" and for no answer are missing marks, told apart in
        `not_applicable`; reversed items are turned; weights have a mean of 1 in each wave. What an SPSS file says of
        its codes is used where the codebook says nothing.

    Raises
    ------
    DataError
        When the source cannot be read or breaks rules (such as text or an impossible mark among ratings, a respondent
        twice in a wave, or a question that is not there): every rule at once, each with the column, the number of rows,
        the first five, and the way to fix it.
    SettingsError
        When a parameter or the codebook is wrong; every broken rule of the codebook is named with its key.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"id": [1, 2], "q1": ["9", "n/a"], "q2": [8, 99]})
    >>> rules = {
    ...     "overall_satisfaction": "q2",
    ...     "drivers": {"service": ["q1"]},
    ...     "missing": [99],
    ...     "not_applicable": ["n/a"],
    ... }
    >>> read_survey(answers, codebook=rules, columns={"respondent_id": "id"}, wave="2024-06").frame
                      wave   q2   q1
    respondent_id
    1              2024-06  8.0  9.0
    2              2024-06  NaN  NaN
    """
    day = None if as_of is None else to_day(as_of, "as_of")
    if isinstance(source, Survey):
        if any(given is not None for given in (codebook, columns, connection, wave)) or numbered:
            raise SettingsError("this survey is already read; all but as_of comes too late.")
        return source if day is None else source.until(day)
    book, asked = read_codebook(codebook), _asked(columns)
    _check_name(wave)
    coding = NO_CODING
    name = None
    if is_spss(source) and connection is None:
        name = Path(source).name
        source, coding = read_spss(Path(source))
    raw = load_raw(source, connection, engine or EngineSettings(), what="the answers of a survey")
    raw = replace(raw, source=name or raw.source)
    with engines.told_plainly(raw.source):
        try:
            return cut_survey(_check(raw, coding, book, asked, wave, numbered), day)
        finally:
            raw.drop()


def _check_name(wave: object) -> None:
    if wave is not None and not isinstance(wave, str):
        raise SettingsError(f'wave is {wave!r}; name the wave as text, such as "2024-06".')
    if isinstance(wave, str) and not wave.strip():
        raise SettingsError("wave is blank; name the wave, such as 2024-06.")


def _asked(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return the columns that were named, by their names here."""
    if not (columns is None or isinstance(columns, Mapping)):
        raise SettingsError(f'columns is {columns!r}; give a mapping, such as {{"respondent_id": "id"}}.')
    wrong = [name for name, called in (columns or {}).items() if name not in _KNOWN or not isinstance(called, str)]
    if wrong:
        raise SettingsError(
            f"columns: {listing([str(name) for name in wrong])} cannot be mapped to a column's name; those that are no "
            f"question are {listing(_KNOWN)}. Questions are named in the codebook."
        )
    return dict(columns or {})


def _check(
    raw: RawTable, coding: Coding, book: Codebook, asked: Mapping[str, str], wave: str | None, numbered: bool
) -> CheckedAnswers:
    called = {name: asked.get(name, name) for name in _KNOWN}
    there = {name: column for name, column in called.items() if column in raw.columns}
    book = book.completed([name for name in raw.columns if name not in there.values()])
    book = book.with_labels({name: coding.labels[name] for name in book.questions if name in coding.labels})
    source = f"survey ({raw.source})"
    known = {*there.values(), *book.questions}
    codes = {there.get(name) for name in ("respondent_id", "customer_id", "wave")} | {*book.segment_columns}
    delivered = Delivered(*_fetched(raw, known, codes), called["respondent_id"], source, coding)
    violations = delivered.violations
    violations += _absent(raw, source, book, called, asked, wave, numbered)

    text = delivered.text
    ids = _ids(delivered, there, numbered)
    waves = _waves(delivered, there, wave)
    frame = pd.DataFrame({"wave": waves}, index=text.index)
    if "customer_id" in there:
        frame["customer_id"] = without_missing(delivered, there["customer_id"]).astype("str")
    marks, reasons = read_marks(delivered, book)
    contradicted = pd.DataFrame(False, index=text.index, columns=marks.columns)
    if "not_applicable" in there:
        listed = listed_as_not_applicable(delivered, there["not_applicable"], tuple(marks.columns))
        contradicted = listed & marks.notna()
        reasons = reasons.mask(listed & marks.isna(), NOT_APPLICABLE)
    parts = [frame, read_segments(delivered, book), turned(marks, book), read_kano(delivered, book)]
    if "comment" in there:
        parts.append(text[[there["comment"]]].set_axis(["comment"], axis=1).astype("str"))
    weights = _weights(delivered, there, waves)
    _refuse_repeated(delivered, there, ids, waves)
    refuse(violations)

    order = pd.DataFrame({"wave": waves, "id": ids}).sort_values(["wave", "id"], kind="stable").index
    index = pd.Index(ids[order], name="respondent_id")

    def sorted_rows(table: Any) -> Any:
        return table.loc[order].set_axis(index, axis=0)

    return CheckedAnswers(
        frame=sorted_rows(pd.concat(parts, axis=1)),
        reasons=sorted_rows(reasons),
        contradicted=sorted_rows(contradicted),
        weights=sorted_rows(weights),
        is_straight=sorted_rows(straight_liners(marks, book)),
        codebook=book,
        source=raw.source,
        left_out=tuple(name for name in raw.columns if name not in known),
    )


def _fetched(raw: RawTable, known: Collection[str], codes: Collection[str | None]) -> tuple[pd.DataFrame, pd.Series]:
    """Bring the known columns over as text, rows as delivered, and the numbers of the rows.

    Of `codes`, numbers become their digits: 3.0 is what a column of whole numbers with a gap makes of the code 3.
    """
    texts = [_text(raw.table[name], is_code=name in codes).name(name) for name in raw.columns if name in known]
    fetched = engines.fetch_frame(raw.table.select([raw.row.name(ROW), *texts]))
    if fetched.empty:
        raise no_rows(raw.source)
    rows = fetched.sort_values(ROW, kind="stable").reset_index(drop=True)
    return rows.drop(columns=ROW).astype("str"), rows[ROW]


def _text(column: ir.Value, *, is_code: bool) -> ir.StringValue:
    kind = column.type()
    if kind.is_timestamp():
        column = column.cast("date")
    if kind.is_floating():
        column = column.isnan().fill_null(False).ifelse(ibis.null(kind), column)
    return stripped(cast("ir.Value", as_id(column).value if is_code else column).cast(str))


def _absent(
    raw: RawTable,
    source: str,
    book: Codebook,
    called: Mapping[str, str],
    asked: Mapping[str, str],
    wave: str | None,
    numbered: bool,
) -> Iterator[Violation]:
    """Yield what is not there, and what is there twice over."""
    given = {"wave": wave is not None, "respondent_id": numbered}
    instead = {
        "wave": 'give the wave of all rows: wave = "2024-06" under [sources.survey], or wave="2024-06"',
        "respondent_id": "let respondents be numbered: numbered = true under [sources.survey], or numbered=True",
    }
    for name, column in called.items():
        is_there = column in raw.columns
        where = (
            f'name the column that holds it: {name} = "..." under [sources.survey.columns] in crm.toml, or '
            f'columns={{"{name}": "..."}}'
        )
        if is_there and given.get(name):
            yield Violation(source, column, "there is such a column, and it is given for all rows too", 0, "give one.")
        elif not is_there and (name in asked or (name in instead and not given[name])):
            fix = f"{where}; or {instead[name]}." if name in instead else f"{where}."
            yield Violation(source, column, absent_rule(raw), 0, fix)
    for name in book.questions:
        if name not in raw.columns:
            fix = "correct the name under [survey] in crm.toml, or in the codebook; take it out where it was not asked."
            yield Violation(source, name, absent_rule(raw), 0, fix)
    for attribute, pair in book.gaps.items():
        expected, perceived = book.scale_of(pair.expectation), book.scale_of(pair.perception)
        if expected != perceived:
            rule = f"what is perceived of {attribute} is marked on another scale than what is expected of it"
            fix = f"bring marks of {pair.expectation} and {pair.perception} to one scale, or take the pair out of gaps."
            yield Violation(source, pair.perception, rule, 0, fix)
    for name in book.items:
        if name not in book.questions:
            fix = f"correct the name in [survey.items], or give {name} a role under [survey] in crm.toml."
            yield Violation(source, name, "the codebook describes it and gives it no role", 0, fix)
    if not book.questions and called["comment"] not in raw.columns:
        rule = "no question is known"
        fix = (
            "say under [survey] in crm.toml, or in the codebook, what columns are: overall_satisfaction, "
            "repurchase_intention, recommend, effort, index, drivers, gaps, kano, path_model or segments."
        )
        yield Violation(source, "", rule, 0, fix)


def _ids(delivered: Delivered, there: Mapping[str, str], numbered: bool) -> pd.Series:
    text = delivered.text
    if "respondent_id" in there:
        ids = text[there["respondent_id"]]
        fix = "fill them in, or leave these rows out of the export."
        delivered.refuse(there["respondent_id"], "nothing is given", fix, ids.isna())
        return ids
    digits = len(str(len(text)))
    return pd.Series([f"R{row + 1:0{digits}}" for row in range(len(text))], index=text.index, dtype="str")


def _waves(delivered: Delivered, there: Mapping[str, str], wave: str | None) -> pd.Series:
    text = delivered.text
    if "wave" not in there:
        return pd.Series((wave or "").strip(), index=text.index, dtype="str")
    given = text[there["wave"]]
    fix = "fill them in, or leave these rows out of the export."
    delivered.refuse(there["wave"], "nothing is given", fix, given.isna())
    return delivered.coding.in_words(there["wave"], given).astype("str")


def _refuse_repeated(delivered: Delivered, there: Mapping[str, str], ids: pd.Series, waves: pd.Series) -> None:
    if "respondent_id" not in there:
        return
    both = pd.DataFrame({"id": ids, "wave": waves})
    again = both.duplicated(keep=False) & both.notna().all(axis=1)
    fix = "keep one row of a respondent in a wave, the complete one."
    rule = "the respondent is there more than once in a wave"
    delivered.refuse(there["respondent_id"], rule, fix, again, *([there["wave"]] if "wave" in there else []))


def _weights(delivered: Delivered, there: Mapping[str, str], waves: pd.Series) -> pd.Series:
    if "weight" not in there:
        return pd.Series(1.0, index=delivered.text.index)
    column = there["weight"]
    given = delivered.text[column]
    weights = pd.to_numeric(given, errors="coerce").astype(float)
    wrong = ~weights.between(0, float("inf"), inclusive="left")
    fix = "give every respondent a weight of 0 or more; 0 leaves somebody out."
    delivered.refuse(column, "missing, no number or negative", fix, wrong)
    nobody = weights.groupby(waves.to_numpy()).transform("max") == 0
    delivered.refuse(column, "nobody in the wave has a weight above 0", fix, nobody)
    return weights
