"""How far forecasts of single customers were from what these then did."""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from crm_analysis.models.histories import Floats

_PIT_CLASSES = 10


def point_scores(actual: pd.Series, expected: pd.Series) -> dict[str, float]:
    """Score expected purchases against actual ones, customer by customer.

    Parameters
    ----------
    actual, expected : Series, indexed alike
        Purchases of each customer.

    Returns
    -------
    dict
        customers; actual and expected totals; error (expected / actual - 1); mae, rmse, and mae_at_total, the mae of
        the forecast scaled to the true total, because low forecasts have a low mae (purchases per customer); gini
        (normalised: 1 ranks customers perfectly, 0 by chance); top_tenth (share of the actual purchases made by the
        tenth ranked highest); lift (their mean over that of all); decile_mape (mean over tenths of the absolute error
        of the total). Missing where nobody bought.
    """
    miss = expected - actual
    total, forecast = float(actual.sum()), float(expected.sum())
    scaled = expected * (total / forecast) - actual if forecast else miss
    ranked = actual[expected.sort_values(ascending=False, kind="stable").index].to_numpy(float)
    top = ranked[: max(1, round(len(ranked) / 10))]
    tenths = by_decile(actual, expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        decile_mape = float((tenths["expected"] / tenths["actual"] - 1).abs().mean())
    return {
        "customers": len(actual),
        "actual": total,
        "expected": forecast,
        "error": forecast / total - 1 if total else float("nan"),
        "mae": float(miss.abs().mean()),
        "mae_at_total": float(scaled.abs().mean()),
        "rmse": float(np.sqrt((miss**2).mean())),
        "gini": normalized_gini(actual, expected),
        "top_tenth": float(top.sum()) / total if total else float("nan"),
        "lift": float(top.mean()) / (total / len(ranked)) if total else float("nan"),
        "decile_mape": decile_mape,
    }


def normalized_gini(actual: pd.Series, expected: pd.Series) -> float:
    """Gini of what happened, customers ranked by expectation, over the Gini of a perfect ranking.

    Customers of one expectation share what they did, so their order does not matter. Missing where nobody bought or all
    bought alike.
    """
    perfect = _gini(actual, actual)
    return _gini(actual, expected) / perfect if perfect > 0 else float("nan")


def _gini(amount: pd.Series, rank: pd.Series) -> float:
    """Twice the area between the diagonal and the curve of cumulated shares, lowest rank first."""
    groups = pd.DataFrame({"amount": amount, "rank": rank}).groupby("rank")["amount"].agg(["sum", "size"])
    total = float(groups["sum"].sum())
    if total == 0:
        return float("nan")
    people = np.concatenate([[0.0], groups["size"].cumsum() / len(amount)])
    shares = np.concatenate([[0.0], groups["sum"].cumsum() / total])
    return 1 - 2 * float(np.trapezoid(shares, people))


def by_decile(actual: pd.Series, expected: pd.Series) -> pd.DataFrame:
    """Mean actual and expected purchases by tenth of customers, those expected to buy most first."""
    ranked = expected.sort_index().sort_values(ascending=False, kind="stable").index
    decile = pd.Series(np.arange(len(ranked)) * 10 // len(ranked) + 1, index=ranked, name="decile")
    table = pd.DataFrame({"actual": actual, "expected": expected, "decile": decile}).groupby("decile")
    return table.mean().assign(customers=table.size())[["customers", "actual", "expected"]]


def by_class(actual: pd.Series, expected: pd.Series, classes: pd.Series) -> pd.DataFrame:
    """Mean actual and expected purchases by class of customers, and how sure the actual means are.

    Parameters
    ----------
    actual, expected : Series, indexed alike
        Purchases of each customer.
    classes : Series of an ordered categorical, indexed alike
        Class of each customer.

    Returns
    -------
    DataFrame, indexed by class; those without customers are left out
        customers; mean actual and expected purchases; lower and upper 95% limits of the actual mean, missing for a
        class of one.
    """
    groups = pd.DataFrame({"actual": actual, "expected": expected}).groupby(classes, observed=True)
    size, means = groups.size(), groups.mean()
    # The mean of a count needs no normal customers, only enough of them; small classes get a wide interval.
    half = stdtrit(np.maximum(size - 1, 1), 0.975) * groups["actual"].std() / np.sqrt(size)
    table = means.assign(customers=size, lower=(means["actual"] - half).clip(lower=0), upper=means["actual"] + half)
    return table[["customers", "actual", "lower", "upper", "expected"]]


def frequency_classes(frequency: pd.Series, *, most: int = 7) -> pd.Series:
    """Class of each customer by repeat purchases: "0", "1", ... and "7+" of all who bought as often or more."""
    names = [*(str(n) for n in range(most)), f"{most}+"]
    classes = pd.Categorical.from_codes(np.minimum(frequency, most), categories=pd.Index(names), ordered=True)
    return pd.Series(classes, index=frequency.index, name="repeat_purchases")


def log_scores(probabilities: pd.DataFrame) -> pd.Series:
    """Log of the probability a model gave to what each customer then did; higher is better, 0 is certainty.

    Parameters
    ----------
    probabilities : DataFrame, indexed by customer_id
        `below` and `equal`: probability of fewer and of exactly as many purchases as were made.
    """
    return np.log(probabilities["equal"].clip(lower=1e-300))


def coverage(probabilities: pd.DataFrame, *, level: float = 0.9) -> float:
    """Share of customers whose purchases fell into the central `level` of what was forecast for each of them.

    Counts are whole, so each customer is spread evenly over the probability of the count made; if the model holds, the
    result is `level`.
    """
    edge = (1 - level) / 2
    return float(np.diff(_spread(probabilities, np.array([edge, 1 - edge])))[0])


def probability_transform(probabilities: pd.DataFrame) -> pd.DataFrame:
    """Where in its forecast distribution each customer ended up: flat if the model holds.

    Returns
    -------
    DataFrame, one row a class
        left, right (from 0 to 1); share of customers. High at both ends: futures differ more than the model thinks;
        high at the right: customers bought more than expected.

    References
    ----------
    Czado, Gneiting & Held (2009), Predictive model assessment for count data, Biometrics 65(4), 1254-1261.
    """
    edges = np.linspace(0, 1, _PIT_CLASSES + 1)
    share = np.diff(_spread(probabilities, edges))
    return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "share": share})


def _spread(probabilities: pd.DataFrame, at: Floats) -> Floats:
    """Mean over customers of the distribution that spreads each evenly from `below` to `below + equal`."""
    below, equal = probabilities["below"].to_numpy(), np.maximum(probabilities["equal"].to_numpy(), 1e-300)
    return np.array([np.clip((value - below) / equal, 0, 1).mean() for value in at])
