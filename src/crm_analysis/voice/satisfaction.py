"""How satisfied and loyal customers say they are: mean rating, top boxes, net promoter score, effort, grades."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, refuse, warn_of_doubt
from crm_analysis.messages import N_
from crm_analysis.models.checks import check_level, is_number
from crm_analysis.models.interval import RESPONDENTS, Interval
from crm_analysis.voice.estimate import SMALL_BASE, Estimate
from crm_analysis.voice.means import mean_estimate, normal_reach, share_estimate
from crm_analysis.voice.measures import Question, question, take_columns
from crm_analysis.voice.rating_scale import Scale, check_scale, off_scale

GRADES = (N_("satisfied"), N_("satisfied and will return"), N_("will return and recommend"))


@dataclass(frozen=True)
class NetPromoterScore(Estimate):
    """A net promoter score in points from -100 to 100, and the shares it is made of.

    Attributes
    ----------
    promoters, passives, detractors : float
        Weighted shares of answers of 9 or 10, of 7 or 8, and of 0 to 6; they add up to 1.
    """

    promoters: float
    passives: float
    detractors: float


@dataclass(frozen=True)
class EffortScore(Estimate):
    """A mean effort score.

    Attributes
    ----------
    easy : Estimate
        Share of answers above the middle of the scale.
    """

    easy: Estimate


def mean_rating(ratings: Any, *, weights: Any = None, level: float = 0.95) -> Estimate:
    """Mean of ratings, in rating points.

    Parameters
    ----------
    ratings : Series or array, shape (n_respondents,)
        Numbers on any scale; who did not answer is missing and left out.
    weights : Series, array or None
        Survey weights >= 0, one a respondent.
    level : float
        Probability of the interval.

    Returns
    -------
    Estimate
        With the t interval. The standard error is linearised, sqrt(n / (n - 1) sum of w^2 (x - mean)^2) / sum of w,
        which without weights is the usual one; degrees of freedom are the Kish effective n less one.

    Raises
    ------
    DataError
        When ratings are no numbers.
    SettingsError
        When weights do not fit or the level is no probability.

    References
    ----------
    Cochran (1977), Sampling Techniques, chapter 6.

    Examples
    --------
    >>> mean_rating([8, 9, 7, 10, None]).value
    8.5
    """
    check_level(level)
    frame, used = take_columns({"ratings": ratings}, weights)
    found = mean_estimate(frame["ratings"].to_numpy(), used, level=level)
    if found.n > 1 and found.standard_error == 0:
        warn_of_doubt(
            f"All {found.n:,} ratings are {found.value:g}: the interval has no width, though other customers may well "
            "answer otherwise. Ask more of them, or check how the answers were coded."
        )
    return found


def top_box(
    ratings: Any, *, top: int = 2, scale: Scale = (1, 10), weights: Any = None, level: float = 0.95
) -> Estimate:
    """Share of ratings in the highest points of the scale.

    Parameters
    ----------
    ratings : Series or array, shape (n_respondents,)
        Whole numbers on `scale`; who did not answer is missing and left out.
    top : int
        How many points count as the top.
    scale : tuple of two numbers
        Least and highest answer.
    weights, level
        As for `mean_rating`.

    Returns
    -------
    Estimate
        A share between 0 and 1 with the interval of Wilson, on the Kish effective n where weights differ.

    Raises
    ------
    DataError
        When a rating is not a whole number on the scale.
    SettingsError
        When an argument is out of range.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22, 209-212; Kish (1965), section 11.7.

    Examples
    --------
    >>> top_box([10, 9, 8, 3]).value
    0.5
    """
    check_level(level)
    asked = question("top_box", top, scale)
    frame, used = take_columns({"ratings": ratings}, weights)
    refuse(asked.off_scale(frame))
    return asked.estimate(asked.score(frame["ratings"].to_numpy()), used, level=level)


def net_promoter_score(
    scores: Any, *, weights: Any = None, level: float = 0.95, method: str = "adjusted"
) -> NetPromoterScore:
    """Share of promoters less share of detractors, in points.

    Parameters
    ----------
    scores : Series or array, shape (n_respondents,)
        Answers from 0 to 10 to how likely one is to recommend; who did not answer is missing and left out.
    weights, level
        As for `mean_rating`.
    method : "adjusted" or "wald"
        How the interval is made. "adjusted" adds three answers, 3/4 of them promoters and 3/4 detractors, before it
        takes the variance p + d - (p - d)^2 over n; n is the Kish effective n, p and d are the weighted shares, and the
        interval ends at -100 and 100. "wald" puts the linearised standard error around the score; it is too narrow for
        few answers and has no width where all are of one kind, which is warned of.

    Returns
    -------
    NetPromoterScore
        `standard_error` is the linearised one, sqrt(sum of w^2 (x - score)^2) / sum of w with x of -100, 0 or 100;
        without weights it is sqrt((p + d - (p - d)^2) / n), in points.

    Raises
    ------
    DataError
        When an answer is not a whole number from 0 to 10.
    SettingsError
        When an argument is out of range.

    References
    ----------
    Reichheld (2003), The one number you need to grow, Harvard Business Review 81(12); Rocks (2016), Interval estimation
    for the "net promoter score", The American Statistician 70(4), 365-372.

    Examples
    --------
    >>> net_promoter_score([10, 9, 8, 3]).value
    25.0
    """
    check_level(level)
    if method not in ("adjusted", "wald"):
        raise SettingsError(f"method is {method!r}; give 'adjusted' or 'wald'.")
    asked = Question("nps")
    frame, used = take_columns({"scores": scores}, weights)
    refuse(asked.off_scale(frame))
    points = asked.score(frame["scores"].to_numpy())
    found = asked.estimate(points, used, level=level)
    parts = dict(vars(found))
    if method == "wald":
        reach = normal_reach(found.standard_error, level)
        parts |= {
            "interval": Interval(found.value - reach, found.value + reach, level, (RESPONDENTS,)),
            "method": "Wald",
        }
        _warn_of_wald(found)
    promoters, passives, detractors = (_share(points == kind, points, used) for kind in (100, 0, -100))
    return NetPromoterScore(**parts, promoters=promoters, passives=passives, detractors=detractors)


def effort_score(ratings: Any, *, scale: Scale = (1, 7), weights: Any = None, level: float = 0.95) -> EffortScore:
    """Mean of how easy customers found it, and the share of those to whom it was easy.

    Parameters
    ----------
    ratings : Series or array, shape (n_respondents,)
        How far one agrees that it was made easy: a high answer means little effort. Turn answers round that were asked
        for the effort itself. Who did not answer is missing and left out.
    scale : tuple of two numbers
        Least and highest answer; easy is what lies above its middle, 5 to 7 on the usual scale of 1 to 7.
    weights, level
        As for `mean_rating`.

    Returns
    -------
    EffortScore
        The mean with its t interval as of `mean_rating`, `easy` with the interval of Wilson as of `top_box`.

    Raises
    ------
    DataError
        When a rating is outside the scale.
    SettingsError
        When an argument is out of range.

    References
    ----------
    Dixon, Toman & DeLisi (2013), The Effortless Experience, chapter 6.

    Examples
    --------
    >>> effort_score([7, 5, 4, 2]).easy.value
    0.5
    """
    check_level(level)
    lower, upper = check_scale(scale)
    frame, used = take_columns({"ratings": ratings}, weights)
    refuse(off_scale(frame, lower, upper))
    answers = frame["ratings"].to_numpy()
    is_easy = np.where(np.isnan(answers), np.nan, answers > (lower + upper) / 2)
    easy = share_estimate(is_easy, used, level=level)
    return EffortScore(**vars(mean_estimate(answers, used, level=level)), easy=easy)


def satisfaction_grades(
    satisfaction: Any,
    repurchase: Any,
    recommend: Any,
    *,
    satisfied: float = 8,
    returning: float = 8,
    recommending: float = 9,
    weights: Any = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of customers who are satisfied; who will also return; who will also recommend.

    Parameters
    ----------
    satisfaction, repurchase, recommend : Series or array, shape (n_respondents,)
        Answers of the same respondents: how satisfied, how likely to buy again and to recommend.
    satisfied, returning, recommending : float
        The least answer that counts as a yes.
    weights, level
        As for `mean_rating`.

    Returns
    -------
    DataFrame, index grade
        "satisfied", "satisfied and will return", "will return and recommend": each nested in the one before, so that
        the last are satisfied, will return and will recommend. n (respondents in the grade), share (weighted), lower,
        upper (Wilson on the Kish effective n), base, effective_n. The base is who answered all three questions, alike
        for the three grades: whoever left one out is in none of them.

    Raises
    ------
    DataError
        When answers are no numbers.
    SettingsError
        When the answers are not of the same respondents, or an argument is out of range.

    Examples
    --------
    >>> satisfaction_grades([9, 9, 8, 4], [9, 8, 2, 9], [10, 5, 9, 9])["n"].tolist()
    [3, 2, 1]
    """
    check_level(level)
    least = {"satisfied": satisfied, "returning": returning, "recommending": recommending}
    for name, value in least.items():
        if not is_number(value):
            raise SettingsError(f"{name} is {value!r}; give the least answer that counts as a yes.")
    columns = {"satisfaction": satisfaction, "repurchase": repurchase, "recommend": recommend}
    frame, used = take_columns(columns, weights)
    in_base = frame.notna().all(axis=1).to_numpy() & (used > 0)
    says_yes = frame.ge(list(least.values()))[in_base].cummin(axis=1)
    used = used[in_base]
    rows = []
    for place, grade in enumerate(GRADES):
        is_in = says_yes.iloc[:, place].to_numpy(float)
        found = share_estimate(is_in, used, level=level)
        interval = found.interval
        rows.append((grade, int(is_in.sum()), found.value, interval.lower, interval.upper, found.n, found.effective_n))
    names = ["grade", "n", "share", "lower", "upper", "base", "effective_n"]
    return pd.DataFrame(rows, columns=names).set_index("grade")


def _share(is_part: Any, answered: Any, weights: Any) -> float:
    total = weights[~np.isnan(answered)].sum()
    return float(weights[is_part].sum() / total) if total > 0 else float("nan")


def _warn_of_wald(found: Estimate) -> None:
    if found.n and found.standard_error == 0:
        reason = "all answers are of one kind, so that its width is 0"
    elif 0 < found.effective_n < SMALL_BASE:
        reason = f"there are {found.effective_n:,.0f} answers, for which it is too narrow"
    else:
        return
    warn_of_doubt(f"The Wald interval of the net promoter score misleads here: {reason}. Use method='adjusted'.")
