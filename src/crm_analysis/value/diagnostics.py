"""The frames behind the figures a data scientist looks at: does the model fit, and what does it say of whom.

One function a frame. Each takes a fit of any purchase model, customers, a log or a backtest, and draws nothing: the
figures are in `report.plots`. Every frame says in its `attrs` what it is of, so that axes can be named: `model` (name)
and `time_unit`, where there is one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtrik, betainc, gammainc, gammaincinv, stdtrit

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import CalibrationHoldout, CustomerSummary, customer_days
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.bgbb import BGBBFit
from crm_analysis.models.clocked import ClockedFit
from crm_analysis.models.fit import Params
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.models.histories import Floats, Integers, distinct_rows
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import DAYS_PER_UNIT, Horizon, horizon_in_units
from crm_analysis.value.backtest import Backtest

_CHANCE = (0.025, 0.975)
_RATE_CLASSES, _RATES_SHOWN = 25, 0.99
_RECENCY_CLASSES = 7


# --- what happened against what was expected --------------------------------------------------------------------


def weekly_tracking(backtest: Backtest) -> pd.DataFrame:
    """Actual and expected repeat purchases, week by week: `Backtest.tracking`, with the name of its model."""
    return _named(backtest.tracking.copy(), model=backtest.model_name)


def cumulative_tracking(backtest: Backtest) -> pd.DataFrame:
    """Actual and expected repeat purchases, summed from the first week on.

    Parameters
    ----------
    backtest : Backtest
        Of one model at one origin.

    Returns
    -------
    DataFrame, indexed by the last day of each week
        actual and expected repeat purchases so far; lower and upper 95% limits, given for the last week where the
        held-out time ends with it, else missing; held_out. Up to the origin `expected` is that of the curve for new
        customers; after it the forecast is added to what had happened by then.
    """
    weekly = backtest.tracking
    held_out = weekly["held_out"].to_numpy(dtype=bool)
    actual = weekly["actual"].cumsum()
    at_origin = float(weekly["actual"][~held_out].sum())
    forecast = at_origin + weekly["expected"].where(held_out, 0.0).cumsum()
    last_day = backtest.origin + timedelta(days=round(backtest.horizon * DAYS_PER_UNIT[backtest.time_unit]))
    ends_with_week = (weekly.index == pd.Timestamp(last_day)) & held_out
    cumulative = pd.DataFrame(
        {
            "actual": actual,
            "expected": weekly["expected"].cumsum().where(~held_out, forecast),
            "lower": np.where(ends_with_week, at_origin + backtest.interval.lower, np.nan),
            "upper": np.where(ends_with_week, at_origin + backtest.interval.upper, np.nan),
            "held_out": held_out,
        }
    )
    return _named(cumulative, model=backtest.model_name)


def frequency_distribution(fit: PurchaseFit, customers: CustomerSummary, *, most: int = 7) -> pd.DataFrame:
    """Customers by number of repeat purchases: counted, and expected of as many new customers observed as long.

    Parameters
    ----------
    fit : PurchaseFit
        Any purchase model.
    customers : CustomerSummary
        With the covariates of the fit, if it has any.
    most : int
        Last class, which holds all who bought as often or more, >= 1.

    Returns
    -------
    DataFrame, indexed by repeat purchases ("0", "1", ... "7+")
        actual and expected customers; lower and upper limits of chance, between which 95% of counts fall if the model
        holds (binomial with the mean probability, never too narrow).

    References
    ----------
    Fader, Hardie & Lee (2005), Marketing Science 24(2), eq. 8 for the BG/NBD; the same for every model.
    """
    kinds, rows = fit.distinct(customers)
    T, counts = fit.data(kinds)[0][2], rows.counts  # by the clock of the fit
    table = fit.model.probability_of_purchases(fit.params_of(kinds), np.arange(float(most))[:, None], T)
    share = table @ counts / counts.sum()
    # A sum of rounded probabilities can pass 1 by a rounding error.
    share = np.append(share, max(0.0, 1.0 - share.sum()))
    lower, upper = (np.ceil(bdtrik(level, counts.sum(), share)) for level in _CHANCE)
    frame = pd.DataFrame(
        {
            "actual": np.bincount(np.minimum(customers.frame["frequency"], most), minlength=most + 1),
            "expected": share * counts.sum(),
            "lower": lower,
            "upper": upper,
        },
        index=pd.Index(_frequency_names(most), name="repeat_purchases"),
    )
    return _of(fit, frame)


def holdout_by_frequency(fit: PurchaseFit, split: CalibrationHoldout, *, most: int = 7) -> pd.DataFrame:
    """Held-out purchases by how often customers had bought before: made, and expected given each history.

    Parameters
    ----------
    fit : PurchaseFit
        Fitted to the calibration part.
    split : CalibrationHoldout
        The log in two parts.
    most : int
        Last class, which holds all who bought as often or more.

    Returns
    -------
    DataFrame, indexed by repeat purchases before ("0" to "7+")
        customers; actual and expected purchases, means a customer; lower and upper 95% limits of the actual mean. Of
        the form of `Backtest.by_frequency`.
    """
    names = _frequency_names(most)
    codes = np.minimum(split.calibration.frame["frequency"].to_numpy(), most)
    return _holdout_by(fit, split, codes, names, "repeat_purchases")


def holdout_by_recency(fit: PurchaseFit, split: CalibrationHoldout, *, width: float | None = None) -> pd.DataFrame:
    """Held-out purchases by the time from first to last purchase before: made, and expected given each history.

    Parameters
    ----------
    fit : PurchaseFit
        Fitted to the calibration part.
    split : CalibrationHoldout
        The log in two parts.
    width : float, optional
        Of a class, in the time unit, > 0; when not given, the whole number of units that makes about seven classes.

    Returns
    -------
    DataFrame, indexed by recency ("0", "0–6", "6–12", ...; the right end belongs to the class)
        As `holdout_by_frequency`; "0" holds those without a repeat purchase.
    """
    recency = split.calibration.frame["recency"].to_numpy(dtype=float)
    if width is None:
        width = max(1.0, np.ceil(recency.max() / _RECENCY_CLASSES))
    codes = np.ceil(recency / width).astype(int)
    ends = width * np.arange(codes.max() + 1)
    names = ["0", *(f"{start:g}–{end:g}" for start, end in pairwise(ends))]
    return _holdout_by(fit, split, codes, names, "recency")


def spend_distribution(fit: GammaGammaFit, customers: CustomerSummary, *, edges: Floats | None = None) -> pd.DataFrame:
    """Customers by mean value of a repeat purchase: as seen, and as the Gamma-Gamma expects.

    Parameters
    ----------
    fit : GammaGammaFit
        The spend model.
    customers : CustomerSummary
        Those with an observed repeat spend are compared.
    edges : array, shape (n_classes + 1,), optional
        Ends of the classes in currency, the first 0, the last infinite; `spend_classes` when not given.

    Returns
    -------
    DataFrame, one row a class
        left, right (currency); observed, expected (shares of customers).
    """
    if edges is None:
        edges = spend_classes(customers.frame["monetary_value"].dropna())
    return _named(fit.spend_distribution(customers, edges), model=fit.model_name)


def spend_classes(spend: pd.Series) -> Floats:
    """Round class ends at even shares of the customers: two digits each, 0 first, infinity last."""
    ends = np.quantile(spend, [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.92, 0.97, 0.99])
    size = 10 ** np.floor(np.log10(ends) - 1)
    return np.array([0.0, *np.unique(np.round(ends / size) * size), np.inf])


def purchase_gaps(
    transactions: Any,
    customers: CustomerSummary,
    *,
    fit: PurchaseFit | None = None,
    classes: int = 26,
    draws: int = 40,
    seed: int = 0,
) -> pd.DataFrame:
    """Time between one purchase and the next: as seen, and as the model would have it seen.

    Only gaps that ended by the as-of date are seen, so short ones are seen too often. The model's are therefore counted
    in simulated logs of the same customers, cut on the same day and to whole days.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    customers : CustomerSummary
        Of the log on the as-of date meant; its time unit is that of the gaps.
    fit : PurchaseFit, optional
        Any purchase model, in the same time unit; without it the expectation is missing.
    classes : int
        How many, of equal width: the whole number of units with which they reach nineteen of twenty gaps.
    draws, seed : int
        Simulated logs behind the expectation; each with its own draw of the parameters, where the fit has a covariance.

    Returns
    -------
    DataFrame, indexed by interval of time (left end inside)
        observed and expected share of all gaps; lower and upper limits of 95% of simulated logs.
    """
    day = _as_of(customers)
    seen = read_transactions(transactions, as_of=day)
    days = customer_days(seen)
    previous = days.order_date.lag().over(group_by=days.customer_id, order_by=days.order_date)
    gaps = days.mutate(days=days.order_date.delta(previous, unit="day"))
    counted = gaps.group_by("days").agg(gaps=lambda table: table.count()).to_pandas().dropna()
    if counted.empty:
        raise DataError(
            f"{seen.source}: nobody has bought twice by {day}, so there is no time between purchases.\n"
            "To fix: give a longer log."
        )
    length, number = counted["days"].to_numpy(np.int64), counted["gaps"].to_numpy(np.float64)

    unit = DAYS_PER_UNIT[customers.time_unit]
    order = np.argsort(length)
    nineteen_of_twenty = length[order][np.searchsorted(number[order].cumsum(), 0.95 * number.sum())]
    width = np.floor(nineteen_of_twenty / unit / classes) + 1.0
    edges = width * np.arange(classes + 1)

    def shares(lengths: Integers, weights: Floats | None = None) -> Floats:
        total = len(lengths) if weights is None else weights.sum()
        code = np.minimum(lengths / unit // width, classes).astype(int)
        return np.bincount(code, weights=weights, minlength=classes + 1)[:classes] / max(total, 1)

    frame = pd.DataFrame(
        {"observed": shares(length, number), "expected": np.nan, "lower": np.nan, "upper": np.nan},
        index=pd.IntervalIndex.from_breaks(edges, closed="left", name="gap"),
    )
    if fit is None:
        return _named(frame, time_unit=customers.time_unit)
    rng = np.random.default_rng(seed + 1)
    simulated = np.array([shares(_simulated_gaps(one, customers, rng)) for one in _drawn(fit, draws, seed)])
    # Few draws tell a standard deviation better than the ends of a distribution.
    reach = 1.96 * simulated.std(axis=0, ddof=1)
    frame["expected"] = simulated.mean(axis=0)
    frame["lower"], frame["upper"] = (frame["expected"] - reach).clip(lower=0), frame["expected"] + reach
    return _of(fit, frame)


def timing_patterns(
    transactions: Any, *, as_of: Day, customers: int = 40, repeat_buyers_only: bool = True, seed: int = 0
) -> pd.DataFrame:
    """Purchase days of a random sample of customers, to see whether they buy at random, regularly or in clumps.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    as_of : date or str
        End of observation.
    customers : int
        Size of the sample; all of them where there are fewer.
    repeat_buyers_only : bool
        Leave out who bought once, who have no pattern to see.
    seed : int
        The same seed gives the same sample.

    Returns
    -------
    DataFrame, one row a purchase
        customer_id; row (0 first bought last, so that customers stand in order of their first purchase from the top);
        order_date. `attrs` holds `as_of`.
    """
    day = to_day(as_of, "as_of")
    days = customer_days(read_transactions(transactions, as_of=day))
    counts = days.group_by("customer_id").agg(purchases=days.count()).to_pandas()
    ids = np.sort(counts.loc[counts["purchases"] > int(repeat_buyers_only), "customer_id"].to_numpy(dtype=object))
    chosen = np.random.default_rng(seed).choice(ids, size=min(customers, len(ids)), replace=False)
    bought = days.filter(days.customer_id.isin(chosen.tolist())).select("customer_id", "order_date").to_pandas()
    bought["order_date"] = pd.to_datetime(bought["order_date"])
    first = bought.groupby("customer_id")["order_date"].min().reset_index()
    first = first.sort_values(["order_date", "customer_id"], ascending=False)
    row = pd.Series(np.arange(len(first)), index=first["customer_id"])
    frame = bought.assign(row=bought["customer_id"].map(row))[["customer_id", "row", "order_date"]]
    return _named(frame.sort_values(["row", "order_date"], ignore_index=True), as_of=day)


# --- what the model says of whom --------------------------------------------------------------------------------


def expected_purchases_matrix(
    fit: PurchaseFit, *, T: Horizon, horizon: Horizon, most: int = 20, like: CustomerSummary | None = None
) -> pd.DataFrame:
    """Expected purchases by frequency and recency, of customers observed for `T`.

    Parameters
    ----------
    fit : PurchaseFit
        Any purchase model.
    T : float or str
        First purchase to the end of observation: a number in the time unit of the fit, or text.
    horizon : float or str
        Forecast window.
    most : int
        Most repeat purchases shown.
    like : CustomerSummary, optional
        One customer whose covariates are meant; needed where the fit has covariates.

    Returns
    -------
    DataFrame, indexed by frequency (0 to `most`), one column a recency (whole time units up to `T`)
        Purchases a customer; missing where nobody can be: no repeat purchase but a recency, the reverse, or more
        purchases than days. `attrs` holds `T` and `horizon` in the time unit.
    """
    length = horizon_in_units(horizon, fit.time_unit)
    matrix = _matrix(fit, T, most, like, lambda cells: fit.expected_purchases(cells, horizon=length))
    return _named(matrix, quantity="expected_purchases", horizon=length)


def probability_alive_matrix(
    fit: PurchaseFit, *, T: Horizon, most: int = 20, like: CustomerSummary | None = None
) -> pd.DataFrame:
    """Probability to be a customer still, by frequency and recency; all else as in `expected_purchases_matrix`."""
    return _named(_matrix(fit, T, most, like, fit.probability_alive), quantity="probability_alive")


def residual_by_frequency(
    fit: PurchaseFit,
    *,
    T: Horizon,
    recencies: Sequence[float],
    annual_discount_rate: float,
    horizon: Horizon | None = None,
    most: int = 20,
    like: CustomerSummary | None = None,
) -> pd.DataFrame:
    """Discounted residual purchases by frequency, for several recencies: where more purchases mean a lower value.

    Who bought often and then fell silent has more surely left than who always bought seldom: at an early last purchase
    the curve rises and falls again, the increasing-frequency paradox.

    Parameters
    ----------
    fit : PurchaseFit
        Any purchase model.
    T : float or str
        First purchase to the end of observation: a number in the time unit of the fit, or text.
    recencies : sequence of float
        First to last purchase, same unit, > 0 and at most `T`.
    annual_discount_rate : float
        A fraction a year, > 0 unless there is a horizon.
    horizon : float or str, optional
        Purchases after it are left out; None for all of the future.
    most : int
        Most repeat purchases shown, from 1 on.
    like : CustomerSummary, optional
        One customer whose covariates are meant; needed where the fit has covariates.

    Returns
    -------
    DataFrame, indexed by frequency (1 to `most`), one column a recency
        Purchases in today's worth. `attrs` holds `T` in the time unit.

    References
    ----------
    Fader, Hardie & Lee (2005), RFM and CLV: Using Iso-Value Curves, Journal of Marketing Research 42(4), figure 4.
    """
    observed = horizon_in_units(T, fit.time_unit)
    t_x = np.asarray(recencies, dtype=np.float64)
    if not ((t_x > 0) & (t_x <= observed)).all():
        raise SettingsError(f"recencies are {list(recencies)}; give times above 0 and up to T, which is {observed:g}.")
    x = np.arange(1, most + 1)
    frequency, recency = (np.ravel(grid) for grid in np.meshgrid(x, t_x, indexing="ij"))
    values = fit.discounted_residual_purchases(
        _customers_like(fit, like, frequency, recency, observed),
        annual_discount_rate=annual_discount_rate,
        horizon=horizon,
    )
    frame = pd.DataFrame(
        values.to_numpy().reshape(len(x), len(t_x)),
        index=pd.Index(x, name="frequency"),
        columns=pd.Index(t_x, name="recency"),
    )
    return _of(fit, frame, T=observed)


def alive_history(
    fit: PurchaseFit,
    transactions: Any,
    customer_id: str,
    *,
    as_of: Day,
    customers: CustomerSummary | None = None,
    draws: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Probability that one customer was a customer still, as it would have been judged on each day.

    Parameters
    ----------
    fit : PurchaseFit
        Any purchase model.
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    customer_id : str
        Whose history.
    as_of : date or str
        Last day.
    customers : CustomerSummary, optional
        With the covariates of this customer; needed where the fit has covariates.
    draws, seed : int
        Draws of the parameters behind the limits; 0 for none.

    Returns
    -------
    DataFrame, indexed by day, from the first purchase to `as_of`
        purchase (bool); probability_alive at the end of the day; lower and upper 95% limits for the doubt about the
        parameters, missing for a fit without covariance. `attrs` holds `customer_id`.

    Raises
    ------
    DataError
        When this customer has not bought by `as_of`.
    """
    last = to_day(as_of, "as_of")
    days = customer_days(read_transactions(transactions, as_of=last))
    bought = days.filter(days.customer_id == customer_id).select("order_date").to_pandas()["order_date"]
    if bought.empty:
        raise DataError(f"customer {customer_id!r} has not bought by {last}; check the id, which is text.")
    purchases = pd.DatetimeIndex(bought).sort_values()
    calendar = pd.date_range(purchases[0], last, name="date")
    so_far = purchases.searchsorted(calendar, side="right")
    unit = DAYS_PER_UNIT[fit.time_unit]
    t_x = (purchases[so_far - 1] - purchases[0]).days.to_numpy(np.float64) / unit
    T = (calendar - purchases[0]).days.to_numpy(np.float64) / unit
    own = None if customers is None else _one(customers, customer_id)
    as_seen = _customers_like(fit, own, so_far - 1, t_x, T)

    def judged(one: PurchaseFit) -> Floats:
        return one.probability_alive(as_seen).to_numpy()

    lower, upper = _limits(fit, judged, draws, seed)
    frame = pd.DataFrame(
        {"purchase": calendar.isin(purchases), "probability_alive": judged(fit), "lower": lower, "upper": upper},
        index=calendar,
    )
    return _of(fit, frame, customer_id=customer_id)


def new_customer_purchases(
    fit: PurchaseFit, *, horizon: Horizon, like: CustomerSummary | None = None, draws: int = 100, seed: int = 0
) -> pd.DataFrame:
    """Expected repeat purchases of a new customer, summed from the first purchase on.

    Parameters
    ----------
    fit : PurchaseFit
        Any purchase model.
    horizon : float or str
        How far to look.
    like : CustomerSummary, optional
        One customer whose covariates are meant; needed where the fit has covariates.
    draws, seed : int
        Draws of the parameters behind the limits; 0 for none.

    Returns
    -------
    DataFrame, indexed by time since the first purchase (whole time units up to the horizon)
        expected purchases; lower and upper 95% limits for the doubt about the parameters, missing for a fit without
        covariance.
    """
    if fit.effects:
        _require_one(like)
    time = np.arange(np.floor(horizon_in_units(horizon, fit.time_unit)) + 1)

    def curve(one: PurchaseFit) -> Floats:
        return one.expected_purchases_new_customer(time, covariates=like)

    lower, upper = _limits(fit, curve, draws, seed)
    frame = pd.DataFrame(
        {"expected": curve(fit), "lower": lower, "upper": upper}, index=pd.Index(time, name="time_since_first_purchase")
    )
    return _of(fit, frame)


def rate_heterogeneity(
    fit: PurchaseFit, customers: CustomerSummary | None = None, *, draws: int = 100, seed: int = 0
) -> pd.DataFrame:
    """How purchase rates differ among customers while they are customers: shares of customers by rate.

    Classes, not a density: with r < 1, as nearly always, the density has no bound at zero.

    Parameters
    ----------
    fit : PurchaseFit
        Any purchase model: Gamma(r, alpha) rates, or Beta(alpha, beta) chances to buy at an opportunity (BG/BB).
    customers : CustomerSummary, optional
        Whose mix of covariates is meant; needed where the fit has covariates.
    draws, seed : int
        Draws of the parameters behind the limits; 0 for none.

    Returns
    -------
    DataFrame, indexed by interval of purchases a time unit; together they hold about 99% of the customers
        share of customers; lower and upper 95% limits for the doubt about the parameters, missing for a fit without
        covariance. `attrs` holds `mean` and `quantity`: "purchase_rate", or "purchase_at_opportunity", whose classes go
        from 0 to 1.
    """
    if "gamma" in fit.params._fields:  # type: ignore[attr-defined]  # a NamedTuple
        return _heterogeneity(fit, customers, "purchase_at_opportunity", ("alpha", "beta"), draws, seed)
    return _heterogeneity(fit, customers, "purchase_rate", ("r", "alpha"), draws, seed)


def dropout_heterogeneity(
    fit: PurchaseFit, customers: CustomerSummary | None = None, *, draws: int = 100, seed: int = 0
) -> pd.DataFrame:
    """How dropout differs among customers: shares of customers by their chance, or their rate, to leave.

    Parameters
    ----------
    fit : PurchaseFit
        A model with dropout: Beta(a, b) chances to leave at a purchase, Gamma(s, beta) rates of leaving, or
        Beta(gamma, delta) chances to leave before an opportunity.
    customers, draws, seed
        As in `rate_heterogeneity`.

    Returns
    -------
    DataFrame
        As `rate_heterogeneity`; `quantity` is "dropout_rate" (a time unit), or "dropout_at_purchase" or
        "dropout_at_opportunity", whose classes go from 0 to 1.

    Raises
    ------
    SettingsError
        When nobody leaves in this model.
    """
    kinds = {
        "dropout_at_purchase": ("a", "b"),
        "dropout_rate": ("s", "beta"),
        "dropout_at_opportunity": ("gamma", "delta"),
    }
    for quantity, names in kinds.items():
        if set(names) <= set(fit.params._fields):  # type: ignore[attr-defined]  # a NamedTuple
            return _heterogeneity(fit, customers, quantity, names, draws, seed)
    raise SettingsError(f"nobody leaves in the {fit.model_name}: there is no dropout to differ.")


# --- workings ---------------------------------------------------------------------------------------------------


def _named(frame: pd.DataFrame, **what: object) -> pd.DataFrame:
    frame.attrs.update(what)
    return frame


def _of(fit: PurchaseFit, frame: pd.DataFrame, **what: object) -> pd.DataFrame:
    return _named(frame, model=fit.model_name, time_unit=fit.time_unit, **what)


def _as_of(customers: CustomerSummary) -> Day:
    if customers.as_of is None:
        raise SettingsError("this customer summary does not tell its as-of date; make it with summarize_customers.")
    return customers.as_of


def _one(customers: CustomerSummary, customer_id: str) -> CustomerSummary:
    if customer_id not in customers.frame.index:
        raise DataError(f"customer {customer_id!r} is not in the customer summary; check the id, which is text.")
    return replace(customers, frame=customers.frame.loc[[customer_id]])


def _require_one(like: CustomerSummary | None) -> None:
    if like is None or len(like) != 1:
        raise SettingsError("this fit has covariates: give the summary of one customer whose covariates are meant.")


def _customers_like(
    fit: PurchaseFit, like: CustomerSummary | None, frequency: Any, recency: Any, T: Any
) -> CustomerSummary:
    """Make customers with these histories, and with the covariates of one customer where the fit has some."""
    frame = pd.DataFrame({"frequency": frequency, "recency": recency, "T": T}, dtype=float)
    if fit.effects:
        _require_one(like)
        assert like is not None
        own = like.frame.iloc[np.zeros(len(frame), dtype=int)].set_axis(frame.index)
        frame = own.assign(frequency=frame["frequency"], recency=frame["recency"], T=frame["T"])
    return CustomerSummary(frame, fit.time_unit)


def _kinds(fit: PurchaseFit, customers: CustomerSummary, *columns: str) -> tuple[Params, tuple[Floats, ...], Floats]:
    """Fold customers who are alike: parameters, the columns asked for, and how many customers each row stands for."""
    params = fit.params_of(customers)
    moved = [name for name in params._fields if np.ndim(getattr(params, name))]
    asked = [customers.frame[name].to_numpy(dtype=np.float64) for name in columns]
    rows = distinct_rows(*asked, *(getattr(params, name) for name in moved), np.zeros(len(customers)))
    own = dict(zip(moved, rows.columns[len(asked) : -1], strict=True))
    return params._replace(**own), rows.columns[: len(asked)], rows.counts


def _drawn(fit: PurchaseFit, draws: int, seed: int) -> list[PurchaseFit]:
    """Return the fit with as many draws of its parameters; the fit itself each time where it has no covariance."""
    if fit.covariance.isna().to_numpy().any():
        return [fit] * draws
    return [fit.with_coefficients(values) for values in fit.draws(draws, seed).itertuples(index=False)]


def _limits(fit: PurchaseFit, function: Callable[[PurchaseFit], Floats], draws: int, seed: int) -> tuple[Any, Any]:
    """95% limits of a function of the fit over draws of its parameters; missing where there is nothing to draw from."""
    if draws == 0 or fit.covariance.isna().to_numpy().any():
        return np.nan, np.nan
    values = np.array([function(one) for one in _drawn(fit, draws, seed)])
    lower, upper = np.quantile(values, _CHANCE, axis=0)
    return lower, upper


def _frequency_names(most: int) -> list[str]:
    return [*(str(n) for n in range(most)), f"{most}+"]


def _holdout_by(
    fit: PurchaseFit, split: CalibrationHoldout, codes: Integers, names: Sequence[str], index: str
) -> pd.DataFrame:
    """Mean held-out purchases by class; classes without customers are left out."""
    expected = fit.expected_purchases(split.calibration, horizon=split.holdout_length)
    table = pd.DataFrame({"actual": split.holdout["purchases"], "expected": expected})
    classes = pd.Categorical.from_codes(codes, categories=pd.Index(names), ordered=True)
    groups = table.groupby(pd.Series(classes, index=table.index, name=index), observed=True)
    size, means = groups.size(), groups.mean()
    # The mean of a count needs no normal customers, only enough of them; small classes get a wide interval.
    half = stdtrit(np.maximum(size - 1, 1), _CHANCE[1]) * groups["actual"].std() / np.sqrt(size)
    frame = means.assign(customers=size, lower=(means["actual"] - half).clip(lower=0), upper=means["actual"] + half)
    frame.index = pd.Index(frame.index.astype(str), name=index)
    return _of(fit, frame[["customers", "actual", "lower", "upper", "expected"]])


def _simulated_gaps(fit: PurchaseFit, customers: CustomerSummary, rng: np.random.Generator) -> Integers:
    """Days between the purchases of one simulated log of these customers."""
    if isinstance(fit, ClockedFit):
        raise SettingsError("gaps are simulated by the calendar; give a fit by the calendar, such as fit_cnbd's.")
    T = customers.frame["T"].to_numpy(dtype=np.float64)
    events = fit.model.simulate(fit.params_of(customers), T, rng)
    # A log counts days, and what a customer buys on one day is one purchase.
    day = np.ceil(events["time"].to_numpy() * DAYS_PER_UNIT[customers.time_unit]).astype(np.int64)
    customer = events["customer"].to_numpy(dtype=np.int64)
    first = np.arange(len(T))
    customer, day = np.concatenate([first, customer]), np.concatenate([np.zeros(len(T), np.int64), day])
    order = np.lexsort((day, customer))
    gaps = np.diff(day[order])
    return gaps[(np.diff(customer[order]) == 0) & (gaps > 0)]


def _matrix(
    fit: PurchaseFit,
    T: Horizon,
    most: int,
    like: CustomerSummary | None,
    function: Callable[[CustomerSummary], pd.Series],
) -> pd.DataFrame:
    observed = horizon_in_units(T, fit.time_unit)
    x, t_x = np.arange(most + 1), np.arange(int(observed) + 1)
    frequency, recency = np.meshgrid(x, t_x, indexing="ij")
    # What is bought on one day is one purchase, and so is what is bought at one opportunity.
    most_a_unit = 1.0 if isinstance(fit, BGBBFit) else DAYS_PER_UNIT[fit.time_unit]
    possible = ((frequency > 0) == (recency > 0)) & (frequency <= recency * most_a_unit)
    values = np.full(frequency.shape, np.nan)
    values[possible] = function(_customers_like(fit, like, frequency[possible], recency[possible], observed))
    frame = pd.DataFrame(values, index=pd.Index(x, name="frequency"), columns=pd.Index(t_x, name="recency"))
    return _of(fit, frame, T=observed)


def _two_digits(width: float) -> float:
    """Round a width up to two digits, so that ends of classes can be read."""
    size = 10 ** np.floor(np.log10(width) - 1)
    return float(np.ceil(width / size - 1e-9) * size)


def _heterogeneity(
    fit: PurchaseFit,
    customers: CustomerSummary | None,
    quantity: str,
    names: tuple[str, str],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Shares of customers in classes of a mixture of gammas, or of betas where the quantity is a chance."""
    is_beta = not quantity.endswith("_rate")

    def shape_and_scale(one: PurchaseFit) -> tuple[Floats, Floats, Floats]:
        if not one.effects:
            params, counts = one.params, np.ones(1)
        elif customers is None:
            raise SettingsError("this fit has covariates: give the customers whose mix of them is meant.")
        else:
            params, _columns, counts = _kinds(one, customers)
        first, second = (np.broadcast_to(np.asarray(getattr(params, name), float), counts.shape) for name in names)
        # Regular buyers pass k stages from one purchase to the next, and alpha is that of the stages.
        stages = getattr(params, "k", 1) if quantity == "purchase_rate" else 1
        return first, second * stages, counts / counts.sum()

    first, second, weight = shape_and_scale(fit)
    top = 1.0 if is_beta else float(weight @ (gammaincinv(first, _RATES_SHOWN) / second))
    edges = _two_digits(top / _RATE_CLASSES) * np.arange(_RATE_CLASSES + 1.0)

    def shares(one: PurchaseFit) -> Floats:
        first, second, weight = (array[:, None] for array in shape_and_scale(one))
        below = betainc(first, second, edges) if is_beta else gammainc(first, second * edges)
        return np.diff((weight * below).sum(axis=0))

    lower, upper = _limits(fit, shares, draws, seed)
    frame = pd.DataFrame(
        {"share": shares(fit), "lower": lower, "upper": upper},
        index=pd.IntervalIndex.from_breaks(edges, closed="left", name=quantity),
    )
    mean = first / (first + second) if is_beta else first / second
    return _of(fit, frame, quantity=quantity, mean=float(weight @ mean))
