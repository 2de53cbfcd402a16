"""The survey: waves of marks on scales, with a planted structure and the flaws of real answers."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from crm_analysis.company.comments import CommentPlan, draw_comments
from crm_analysis.company.drawing import Span, mean_on_scale, numbered, on_scale, words
from crm_analysis.company.kano import KanoPlan, draw_kano
from crm_analysis.company.opinions import OpinionPlan, Opinions, opinions_of_the_day
from crm_analysis.models.histories import Floats, Integers


class Attribute(NamedTuple):
    """What is expected and perceived: mean marks before they are cut to the scale."""

    name: str
    expectation: float
    perception: float


@dataclass(frozen=True)
class SurveyPlan:
    """Who answers, and how.

    Attributes
    ----------
    every : int
        Months between waves; a wave is on the last day of a month.
    response_rate : tuple of (region, rate)
        Of customers who bought in the year before the wave; others are not asked. Weights undo the differences.
    named : float
        Share of respondents whose customer id is known.
    attributes : tuple of Attribute
        Each with an expectation and a perception, 1 to 10.
    spread : float
        Of these marks, before they are cut to the scale. Mean and spread of the others are in `OpinionPlan`.
    recommend_mean, recommend_spread : float
        Of the recommendation (0 to 10), before it is cut to the scale.
    trend : float
        What satisfaction gains from wave to wave, in marks.
    repurchase, recommend : float
        Correlation of each with satisfaction, before rounding.
    skipped : float
        Share of marks that are missing for no reason; other than not applicable, which `not_applicable` lists.
    straight_liners : float
        Share of respondents who give one mark to everything.
    """

    every: int = 6
    response_rate: tuple[tuple[str, float], ...] = (("North", 0.22), ("South", 0.18), ("East", 0.14), ("West", 0.26))
    named: float = 0.80
    attributes: tuple[Attribute, ...] = (
        Attribute("quality", 8.0, 7.6),
        Attribute("range", 7.0, 7.2),
        Attribute("price", 7.8, 6.6),
        Attribute("delivery", 8.2, 6.8),
        Attribute("advice", 6.8, 7.3),
        Attribute("website", 7.2, 7.0),
    )
    spread: float = 1.6
    recommend_mean: float = 7.2
    recommend_spread: float = 2.2
    trend: float = 0.05
    repurchase: float = 0.75
    recommend: float = 0.70
    skipped: float = 0.02
    straight_liners: float = 0.04

    def expected_marks(self) -> pd.DataFrame:
        """Return the mean `expectation` and `perception` of each attribute on the scale, and the `gap`."""
        means = {
            each.name: [mean_on_scale(mean, self.spread, 1, 10) for mean in (each.perception, each.expectation)]
            for each in self.attributes
        }
        frame = pd.DataFrame.from_dict(means, orient="index", columns=["perception", "expectation"])
        return frame.assign(gap=frame["perception"] - frame["expectation"]).rename_axis(index="attribute")


class Survey(NamedTuple):
    """The answers, and what is true of each respondent.

    Attributes
    ----------
    table : DataFrame
        respondent_id, wave ("YYYY-MM"), customer_id, weight, overall_satisfaction, repurchase_intention (1-10),
        recommend (0-10), expectation_<attribute>, perception_<attribute>, driver_<driver> (1-10), not_applicable
        (drivers that were not met with, parted by blanks), kano_<feature>_functional,
        kano_<feature>_dysfunctional, comment.
    respondents : DataFrame, index respondent_id
        customer_id (of all), satisfaction (that day, in standard deviations), straight_liner, theme, is_praise and
        language of the comment.
    """

    table: pd.DataFrame
    respondents: pd.DataFrame


def draw_survey(
    plan: SurveyPlan,
    opinion_plan: OpinionPlan,
    kano_plan: KanoPlan,
    comment_plan: CommentPlan,
    people: pd.DataFrame,
    opinions: Opinions,
    orders: pd.DataFrame,
    span: Span,
    rng: np.random.Generator,
) -> Survey:
    """Draw the respondents of all waves and what they say."""
    customer, wave, weight = _respondents(plan, people, orders, span, rng)
    n = len(customer)
    today = opinions_of_the_day(opinion_plan, opinions.of(customer), rng)
    marks = _marks(plan, opinion_plan, today, wave, rng)
    straight = rng.random(n) < plan.straight_liners
    marks.loc[straight, :] = marks["overall_satisfaction"].to_numpy()[straight, None]
    # Who gives one mark to everything does not stop to think whether it applies.
    applies = pd.DataFrame(
        {f"driver_{each.name}": straight | (rng.random(n) >= each.not_applicable) for each in opinion_plan.drivers}
    )
    marks = marks.mask(rng.random(marks.shape) < plan.skipped)
    marks[applies.columns] = marks[applies.columns].where(applies)
    comments = draw_comments(comment_plan, today.satisfaction, rng)
    ids, customer_id = numbered("R", n), people["customer_id"].to_numpy()[customer]
    table = pd.DataFrame(
        {
            "respondent_id": ids,
            "wave": words(
                [span.period(plan.every * place - 1) for place in range(1, span.months // plan.every + 1)], wave
            ),
            "customer_id": words(list(customer_id), np.where(rng.random(n) < plan.named, np.arange(n), -1)),
            "weight": weight,
        }
    )
    table = pd.concat([table, marks], axis=1)
    table["not_applicable"] = _listed(applies)
    table = pd.concat([table, draw_kano(kano_plan, n, rng)], axis=1)
    table["comment"] = comments.pop("comment")
    respondents = pd.DataFrame(
        {"customer_id": customer_id, "satisfaction": today.satisfaction, "straight_liner": straight}
    )
    respondents = pd.concat([respondents, comments], axis=1).set_index(pd.Index(ids, name="respondent_id"))
    return Survey(table, respondents)


def _respondents(
    plan: SurveyPlan, people: pd.DataFrame, orders: pd.DataFrame, span: Span, rng: np.random.Generator
) -> tuple[Integers, Integers, Floats]:
    """Draw the position of each respondent's customer, the number of the wave from 0, and the weight, of mean 1."""
    rates = people["region"].map(dict(plan.response_rate)).to_numpy(float)
    customers, waves, weights = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0)]
    for place in range(span.months // plan.every):
        day = int(span.month_starts[plan.every * (place + 1)])
        recent = orders[(orders["day"] < day) & (orders["day"] >= day - 365)]["customer"].unique()
        asked = np.sort(recent)
        answer = asked[rng.random(len(asked)) < rates[asked]]
        customers.append(answer)
        waves.append(np.full(len(answer), place))
        weight = 1 / rates[answer]
        weights.append(weight * len(weight) / weight.sum())
    return np.concatenate(customers), np.concatenate(waves), np.concatenate(weights).round(4)


def _marks(
    plan: SurveyPlan, opinion_plan: OpinionPlan, today: Opinions, wave: Integers, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw all marks, shape (n_respondents, n_items)."""
    s, n = today.satisfaction, len(wave)

    def with_rest(correlation: float) -> Floats:
        return correlation * s + np.sqrt(1 - correlation**2) * rng.standard_normal(n)

    mean, spread = opinion_plan.mean, opinion_plan.spread
    better = plan.trend * wave / spread
    marks = {
        "overall_satisfaction": on_scale(s + better, mean, spread, 1, 10),
        "repurchase_intention": on_scale(with_rest(plan.repurchase) + better, mean, spread, 1, 10),
        "recommend": on_scale(with_rest(plan.recommend), plan.recommend_mean, plan.recommend_spread, 0, 10),
    }
    demanding = rng.standard_normal(n)
    for each in plan.attributes:
        expected = np.sqrt(0.5) * demanding + np.sqrt(0.5) * rng.standard_normal(n)
        marks[f"expectation_{each.name}"] = on_scale(expected, each.expectation, plan.spread, 1, 10)
    for each in plan.attributes:
        marks[f"perception_{each.name}"] = on_scale(with_rest(0.7), each.perception, plan.spread, 1, 10)
    for place, driver in enumerate(opinion_plan.drivers):
        marks[f"driver_{driver.name}"] = on_scale(today.drivers[:, place], mean, spread, 1, 10)
    return pd.DataFrame(marks)


def _listed(applies: pd.DataFrame) -> pd.Series:
    """Name the drivers that do not apply, parted by blanks; missing where all do."""
    listed = pd.Series("", index=applies.index, dtype=object)
    for name in applies.columns:
        listed = listed + np.where(applies[name], "", name.removeprefix("driver_") + " ")
    listed = listed.str.strip()
    return listed.where(listed != "", None)
