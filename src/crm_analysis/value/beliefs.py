"""What a model believes, of whom: of each history, of one customer day by day, of those who come, of all.

One function a frame. Each takes a fit of any purchase model and draws nothing: the figures are in `report.plots`. What
happened against what was expected is in `evidence`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betainc, gammainc, gammaincinv

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_table import customer_days
from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.bgbb import BGBBFit
from crm_analysis.models.fit import Params
from crm_analysis.models.histories import Floats, distinct_rows
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import DAYS_PER_UNIT, Horizon, horizon_in_units
from crm_analysis.value.draws import drawn_fits, knows_its_doubt
from crm_analysis.value.frames import named, of_fit

_RATE_CLASSES, _RATES_SHOWN = 25, 0.99


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
    return named(matrix, quantity="expected_purchases", horizon=length)


def probability_alive_matrix(
    fit: PurchaseFit, *, T: Horizon, most: int = 20, like: CustomerSummary | None = None
) -> pd.DataFrame:
    """Probability to be a customer still, by frequency and recency; all else as in `expected_purchases_matrix`."""
    return named(_matrix(fit, T, most, like, fit.probability_alive), quantity="probability_alive")


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
    return of_fit(fit, frame, T=observed)


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
    bought = engines.fetch_frame(days.filter(days.customer_id == customer_id).select("order_date"))["order_date"]
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
    return of_fit(fit, frame, customer_id=customer_id)


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
    return of_fit(fit, frame)


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
        spend = like.frame.columns.intersection(["monetary_value", "monetary_count"])  # of that one's own history
        own = like.frame.drop(columns=spend).iloc[np.zeros(len(frame), dtype=int)].set_axis(frame.index)
        frame = own.assign(frequency=frame["frequency"], recency=frame["recency"], T=frame["T"])
    return CustomerSummary(frame, fit.time_unit)


def _limits(fit: PurchaseFit, function: Callable[[PurchaseFit], Floats], draws: int, seed: int) -> tuple[Any, Any]:
    """95% limits of a function of the fit over draws of its parameters; missing where there is nothing to draw from."""
    if draws == 0 or not knows_its_doubt(fit):
        return np.nan, np.nan
    lower, upper = np.quantile([function(one) for one in drawn_fits(fit, draws, seed)], [0.025, 0.975], axis=0)
    return lower, upper


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
    return of_fit(fit, frame, T=observed)


def _two_digits(width: float) -> float:
    """Round a width up to two digits, so that ends of classes can be read."""
    size = 10 ** np.floor(np.log10(width) - 1)
    return float(np.ceil(width / size - 1e-9) * size)


def _kinds(fit: PurchaseFit, customers: CustomerSummary) -> tuple[Params, Floats]:
    """Fold customers who are alike: parameters of each kind, and how many customers it stands for."""
    params = fit.params_of(customers)
    moved = [name for name in params._fields if np.ndim(getattr(params, name))]
    # The zeros tell how many customers there are where no parameter moves.
    rows = distinct_rows(*(getattr(params, name) for name in moved), np.zeros(len(customers)))
    own = dict(zip(moved, rows.columns[:-1], strict=True))
    return params._replace(**own), rows.counts


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
            params, counts = _kinds(one, customers)
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
    return of_fit(fit, frame, quantity=quantity, mean=float(weight @ mean))
