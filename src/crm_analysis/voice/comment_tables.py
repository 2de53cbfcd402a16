"""Tables of themes: how many comments have each, in all and by group, and which ratings go with it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_
from crm_analysis.models.histories import Floats
from crm_analysis.models.shares import wilson_interval
from crm_analysis.voice.comment_texts import one_column
from crm_analysis.voice.language_themes import other_name
from crm_analysis.voice.measures import levels_of
from crm_analysis.voice.multiplicity import adjust_p_values
from crm_analysis.voice.responses import effective_n, take_responses

THEMES = "theme"
NO_CHANGE, TOO_FEW = N_("no real change"), N_("too few comments")
DIFFERS, RISES, FALLS = N_("differs"), N_("rises"), N_("falls")
LOWER, HIGHER, NO_DIFFERENCE = N_("lower"), N_("higher"), N_("no real difference")


def theme_shares(
    assignments: pd.DataFrame, weights: Floats, languages: Mapping[str, str], *, level: float
) -> pd.DataFrame:
    """Count the comments of each theme.

    Parameters
    ----------
    assignments : DataFrame
        language and theme of each comment, missing where there is none.
    weights : array, shape (n_comments,)
        What each comment counts.
    languages : mapping
        The language of each theme, themes in order.
    level : float
        Probability of the intervals.

    Returns
    -------
    DataFrame, index theme
        n (comments), base (comments in the language of the theme), share (of the base, weighted), lower and upper
        (Wilson on the Kish effective number of comments).
    """
    rows = []
    for name, code in languages.items():
        has, base = _is(assignments["theme"], name), _is(assignments["language"], code)
        total, worth = float(weights[base].sum()), effective_n(weights[base])
        share = float(weights[has].sum()) / total if total > 0 else np.nan
        lower, upper = wilson_interval(share * worth, worth, level=level)
        rows.append((int(has.sum()), int(base.sum()), share, float(lower), float(upper)))
    columns = ["n", "base", "share", "lower", "upper"]
    return pd.DataFrame(rows, index=pd.Index(list(languages), name=THEMES, dtype=object), columns=columns)


def theme_shares_by_group(
    assignments: pd.DataFrame, weights: Floats, groups: Any, *, test: str, level: float
) -> pd.DataFrame:
    """Count the comments of each theme in each group, and say whether its share differs between groups.

    Parameters
    ----------
    assignments, weights, level
        As in `theme_shares`.
    groups : Series or array
        The group of each comment; missing: the comment is left out.
    test : {"difference", "trend"}
        Pearson's chi-square, or the trend of shares over groups in order (Armitage 1955, Biometrics 11, 375-386) with
        evenly spaced scores.

    Returns
    -------
    DataFrame, index theme and group
        n, base (comments of the group in the language of the theme), share, lower, upper; and, the same in all rows of
        a theme: p_value, p_adjusted (Holm 1979, over the themes) and verdict: "differs", or "rises" or "falls", or "no
        real change" where p_adjusted is not below 1 - level; "too few comments" where fewer than 5 are expected in more
        than a fifth of the cells or fewer than 1 in any (Cochran 1954, Biometrics 10, 417-451). The tests take each
        group for its Kish effective number of comments, and comments as independent.
    """
    if test not in ("difference", "trend"):
        raise SettingsError(f"test is {test!r}; give 'difference' or 'trend'.")
    group = fitting(groups, assignments.index, "groups")
    labels = levels_of(group)
    languages = themes_in_order(assignments)
    names, frames = list(languages), []
    for label in labels:
        inside = _is(group, label)
        here = theme_shares(assignments[inside], weights[inside], languages, level=level)
        worth = {
            code: effective_n(weights[inside & _is(assignments["language"], code)]) for code in set(languages.values())
        }
        frames.append(here.assign(worth=[worth[code] for code in languages.values()]))
    if not names or not frames:
        raise SettingsError("there is no comment with a group; give groups as a Series with the index of the comments.")
    table = pd.concat(frames, keys=labels, names=["group", THEMES]).swaplevel()
    table = table.reindex(pd.MultiIndex.from_product([names, labels], names=[THEMES, "group"]))
    theme = table.index.get_level_values(THEMES)
    tests = {name: _test(table[theme == name], test) for name in names}
    p_values = pd.Series({name: p_value for name, (p_value, _direction) in tests.items()}, dtype=float)
    adjusted = pd.Series(adjust_p_values(p_values, "holm"), index=p_values.index)
    verdict = {name: _verdict(adjusted[name], tests[name][1], level) for name in names}
    return table.drop(columns="worth").assign(
        p_value=p_values[theme].to_numpy(), p_adjusted=adjusted[theme].to_numpy(), verdict=theme.map(verdict)
    )


def rating_by_theme(assignments: pd.DataFrame, weights: Floats, ratings: Any, *, level: float) -> pd.DataFrame:
    """Say which ratings go with each theme.

    Parameters
    ----------
    assignments, weights, level
        As in `theme_shares`.
    ratings : Series or array
        The rating that came with each comment; missing allowed.

    Returns
    -------
    DataFrame, index theme
        n (rated comments), mean with lower and upper (in points of the rating, Student's t with linearised standard
        errors), without (mean of the other comments in the language), difference (mean - without) with
        difference_lower, difference_upper and p_value (Welch 1947), p_adjusted (Holm, over the themes) and verdict:
        "lower", "higher", "no real difference" or "too few comments" (fewer than two on a side, or ratings that do not
        vary). What goes together
        need not be cause and effect.
    """
    series = fitting(ratings, assignments.index, "ratings")
    numbers = take_responses(pd.DataFrame({"rating": series}), ["rating"]).frame["rating"].to_numpy()
    rows: dict[str, list[float]] = {}
    counts = np.isfinite(numbers) & (weights > 0)
    for name, code in themes_in_order(assignments).items():
        has, language = _is(assignments["theme"], name), _is(assignments["language"], code)
        mean, error, freedom, n = _mean(numbers, weights, counts & has)
        others, other_error, other_freedom, _ = _mean(numbers, weights, counts & language & ~has)
        reach = stats.t.ppf((1 + level) / 2, freedom) * error
        variances = np.array([error, other_error]) ** 2
        difference, spread = mean - others, float(np.sqrt(variances.sum()))
        with np.errstate(divide="ignore", invalid="ignore"):
            both = variances.sum() ** 2 / np.sum(variances**2 / np.array([freedom, other_freedom]))
            p_value = 2 * stats.t.sf(np.divide(abs(difference), spread), both)
        span = stats.t.ppf((1 + level) / 2, both) * spread
        rows[name] = [n, mean, mean - reach, mean + reach, others]
        rows[name] += [difference, difference - span, difference + span, p_value]
    columns = [
        "n",
        "mean",
        "lower",
        "upper",
        "without",
        "difference",
        "difference_lower",
        "difference_upper",
        "p_value",
    ]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis(index=THEMES)
    table["p_adjusted"] = adjust_p_values(table["p_value"], "holm")
    real = table["p_adjusted"] < 1 - level
    verdict = np.where(real, np.where(table["difference"] < 0, LOWER, HIGHER), NO_DIFFERENCE)
    return table.assign(verdict=np.where(table["p_adjusted"].isna(), TOO_FEW, verdict))


def themes_in_order(assignments: pd.DataFrame) -> dict[str, str]:
    """Return the language of each theme that comments have, larger languages and themes first, "other" last."""
    sizes = assignments.dropna(subset=["theme"]).groupby(["language", "theme"]).size().rename("n").reset_index()
    sizes["of_language"] = sizes.groupby("language")["n"].transform("sum")
    sizes["is_other"] = sizes["theme"] == sizes["language"].map(other_name)
    order = sizes.sort_values(
        ["of_language", "language", "is_other", "n"], ascending=[False, True, True, False], kind="stable"
    )
    return dict(zip(order["theme"], order["language"], strict=True))


def _is(values: pd.Series, label: Any) -> NDArray[np.bool_]:
    return (values == label).fillna(False).to_numpy(dtype=bool)


def _verdict(p_value: float, direction: float, level: float) -> str:
    if np.isnan(p_value):
        return TOO_FEW
    if p_value >= 1 - level:
        return NO_CHANGE
    return DIFFERS if direction == 0 else RISES if direction > 0 else FALLS


def fitting(values: Any, index: pd.Index, name: str) -> pd.Series:
    """Return one value a comment: a Series by its index, anything else by position."""
    if isinstance(values, pd.Series):
        if values.index.equals(index):
            return values
        if not (values.index.is_unique and index.isin(values.index).all()):
            raise SettingsError(f"{name} do not have the index of the comments; give one a comment.")
        return values.reindex(index)
    series = one_column(values, name)
    if len(series) != len(index):
        raise SettingsError(f"there are {len(index):,} comments and {len(series):,} {name}; give one each.")
    return series.set_axis(index)


def _test(rows: pd.DataFrame, test: str) -> tuple[float, float]:
    """Return the p-value of a theme, missing where comments are too few, and the direction of a trend."""
    rows = rows[rows["worth"] > 0]
    worth, share = rows["worth"].to_numpy(dtype=float), rows["share"].to_numpy(dtype=float)
    overall = float(worth @ share / worth.sum()) if len(rows) else np.nan
    expected = np.concatenate([worth * overall, worth * (1 - overall)])
    if len(rows) < 2 or (expected < 1).any() or (expected < 5).mean() > 0.2:
        return np.nan, 0.0
    if test == "difference":
        observed = np.concatenate([worth * share, worth * (1 - share)])
        return float(stats.chi2.sf(np.sum((observed - expected) ** 2 / expected), len(rows) - 1)), 0.0
    score = np.arange(len(rows)) - worth @ np.arange(len(rows)) / worth.sum()
    z = float((worth * (share - overall)) @ score / np.sqrt(overall * (1 - overall) * (worth @ score**2)))
    return float(2 * stats.norm.sf(abs(z))), z


def _mean(values: Floats, weights: Floats, rows: Any) -> tuple[float, float, float, int]:
    """Return the weighted mean, its standard error by linearisation, degrees of freedom (Kish) and how many values."""
    x, w = values[rows], weights[rows]
    n = len(x)
    if n < 2:
        return float(x[0]) if n else np.nan, np.nan, 0, n
    mean = float(np.average(x, weights=w))
    error = float(np.sqrt(n / (n - 1) * np.sum((w * (x - mean)) ** 2)) / w.sum())
    return mean, error, effective_n(w) - 1, n
