"""The road from transactions to value as a scikit-learn estimator, and cross-validation by time.

scikit-learn takes a row of X for a case. Here a row is an order, and the case is the customer: `predict` answers with
one number a customer, and a log is split by date, never at random, because orders of one customer fall on both sides of
any other split.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_table import customer_days
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.models.registry import fitter
from crm_analysis.periods import DAYS_PER_UNIT, Horizon, TimeUnit, horizon_in_units
from crm_analysis.settings import LineMargins
from crm_analysis.value.lifetime_value import Costs, CustomerValues, Fits, lifetime_value
from crm_analysis.value.margin_shares import MarginShares, margin_shares
from crm_analysis.value.scores import normalized_gini

Target = Literal["value", "purchases"]
Metric = Literal["rmse", "gini"]


class CustomerValueRegressor(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Value every customer of a transactions table: a purchase model and Gamma-Gamma behind fit and predict.

    Parameters
    ----------
    model : str
        Name of the purchase model, such as "BG/NBD" or "Pareto/NBD".
    target : {"value", "purchases"}
        What `predict` returns: the residual value within the horizon, in currency, or the expected purchases.
    horizon : float, str or None
        How far to look: a number in `time_unit`, text such as "24 months", or None for all of the future.
    annual_discount_rate : float
        Effective rate a year, as a fraction.
    margin : float
        Share of spend left after the cost of what was sold, above 0 and at most 1.
    margins : LineMargins, optional
        Where the margin of each line comes from, in place of one `margin` of all spend. How far one customer is
        believed is learnt in `fit`.
    acquisition_cost, cost_per_order, cost_to_serve_per_year, tax_rate : float
        As in `Costs`.
    time_unit : {"day", "week", "month"}
        Unit the model counts in.
    as_of : date or str, optional
        Last day that is known of every table; later rows are not seen. When not given, the last day of the table fitted
        to, and for `predict` that of its own table where it goes further. Leave it out in cross-validation, where every
        split has a day of its own.
    metric : {"rmse", "gini"}
        What `score` returns, see there.

    Attributes
    ----------
    values_ : CustomerValues
        The valuation of the customers fitted to, with the fits and the assumptions behind it.
    as_of_ : date
        Last day that was known.

    Notes
    -----
    `fit` and `predict` take whatever `read_transactions` reads; the tools of scikit-learn that split rows need a
    DataFrame with customer_id, order_date and amount. Rows without an effect on the summary, such as a second order
    on the same day, change nothing. Results are by customer and not by row, so the estimator has no `n_features_in_`
    and is no part of a stack or behind a transformer of columns.

    Examples
    --------
    >>> from crm_analysis import load_cdnow_sample
    >>> from sklearn.model_selection import cross_val_score
    >>> splits = TimeOrigins(["1997-09-30"], horizon="39 weeks")
    >>> regressor = CustomerValueRegressor(target="purchases")
    >>> cross_val_score(regressor, load_cdnow_sample(), cv=splits).round(2)
    array([-1.61])
    """

    values_: CustomerValues
    as_of_: date

    def __init__(
        self,
        *,
        model: str = "BG/NBD",
        target: Target = "value",
        horizon: Horizon | None = "24 months",
        annual_discount_rate: float = 0.10,
        margin: float = 0.30,
        margins: LineMargins | None = None,
        acquisition_cost: float = 0.0,
        cost_per_order: float = 0.0,
        cost_to_serve_per_year: float = 0.0,
        tax_rate: float = 0.0,
        time_unit: TimeUnit = "week",
        as_of: Day | None = None,
        metric: Metric = "rmse",
    ) -> None:
        self.model = model
        self.target = target
        self.horizon = horizon
        self.annual_discount_rate = annual_discount_rate
        self.margin = margin
        self.margins = margins
        self.acquisition_cost = acquisition_cost
        self.cost_per_order = cost_per_order
        self.cost_to_serve_per_year = cost_to_serve_per_year
        self.tax_rate = tax_rate
        self.time_unit = time_unit
        self.as_of = as_of
        self.metric = metric

    def fit(self, X: Any, y: object = None) -> Self:
        """Summarise the customers of a transactions table, fit both models, and value the customers.

        Parameters
        ----------
        X : DataFrame or anything `read_transactions` accepts
            One row an order.
        y : object
            Not used; here because scikit-learn passes it.

        Raises
        ------
        DataError
            When the table is refused, or holds too few repeat purchases to learn from.
        SettingsError
            When a parameter is wrong or X is no table.
        """
        self._check_parameters()
        log = self._read(X)
        as_of = self._day_to_read_at(_last_day(log))
        customers = self._customers(log, as_of)
        margin = self.margin if self.margins is None else margin_shares(customers)
        self.values_ = self._valued(Fits(fitter(self.model)(customers), fit_gamma_gamma(customers)), customers, margin)
        self.as_of_ = as_of
        return self

    def predict(self, X: Any) -> Floats:
        """Predict the target of every customer of a transactions table.

        Parameters
        ----------
        X : DataFrame or anything `read_transactions` accepts
            The orders so far of the customers to value, whether seen in `fit` or not.

        Returns
        -------
        array, shape (n_customers,)
            Sorted by customer_id; `predict_frame` has the ids.
        """
        column = "residual_value" if self.target == "value" else "expected_purchases"
        return self.predict_frame(X)[column].to_numpy()

    def predict_frame(self, X: Any) -> pd.DataFrame:
        """Return all that is predicted of the customers of a transactions table: `CustomerValues.frame`.

        Returns
        -------
        DataFrame, indexed by customer_id
            probability_alive, expected_purchases, discounted_purchases, expected_spend, margin, residual_value,
            earned_value, lifetime_value.
        """
        check_is_fitted(self)
        self._check_parameters()
        log = self._read(X)
        # A few customers of a log may all have been silent at its end, which is known all the same.
        as_of = self._day_to_read_at(max(_last_day(log), self.as_of_))
        learnt = None if self.margins is None else self.values_.assumptions.own_margins
        return self._valued(self.values_.fits, self._customers(log, as_of), learnt or self.margin).frame

    def compare(self, X: Any) -> pd.DataFrame:
        """Hold the forecast against what the customers fitted to did afterwards.

        Parameters
        ----------
        X : DataFrame or anything `read_transactions` accepts
            Orders after `as_of_`; the comparison ends on the last day of the table (or where it was cut). Earlier
            orders, and customers who came later, are left out; who is missing bought nothing.

        Returns
        -------
        DataFrame, indexed by customer_id
            actual_purchases, expected_purchases; actual_spend, expected_spend, in currency, undiscounted.

        Raises
        ------
        DataError
            When the table holds nothing after `as_of_`.
        """
        check_is_fitted(self)
        later = read_transactions(X)
        end = _last_day(later)
        if end <= self.as_of_:
            raise DataError(
                f"{later.source}: the last day is {end}, and all up to {self.as_of_} is known to the model; nothing is "
                "left to compare its forecast with.\n"
                "To fix: give the orders of later days; with TimeOrigins, leave as_of to its default."
            )
        purchases, spend = self.values_.fits
        customers = self.values_.customers
        length = (end - self.as_of_).days / DAYS_PER_UNIT[customers.time_unit]
        expected = purchases.expected_purchases(customers, horizon=length)
        actual = _bought_after(later, self.as_of_).reindex(expected.index, fill_value=0)
        return pd.DataFrame(
            {
                "actual_purchases": actual["purchases"],
                "expected_purchases": expected,
                "actual_spend": actual["spend"],
                "expected_spend": expected * spend.expected_spend(customers),
            }
        )

    def score(self, X: Any, y: object = None) -> float:
        """Score the forecast of the customers fitted to against the later orders of a table; higher is better.

        Parameters
        ----------
        X : DataFrame or anything `read_transactions` accepts
            Orders after `as_of_`, see `compare`: the test rows of `TimeOrigins`.
        y : object
            Not used; here because scikit-learn passes it.

        Returns
        -------
        float
            Of purchases when the target is "purchases", of spend when it is "value". With the metric "rmse" the root
            mean squared error per customer, its sign turned; with "gini" how well the forecast ranks the customers: 1
            in the right order, 0 at random, missing when there is no difference to rank. Customers whom the forecast
            holds equal share their rank, so that their order in the table does not matter.

        References
        ----------
        Wang, Liu & Miao (2019), "A Deep Probabilistic Model for Customer Lifetime Value Prediction", section 4, for the
        normalised Gini coefficient.
        """
        self._check_parameters()
        frame = self.compare(X)
        kind = "spend" if self.target == "value" else "purchases"
        actual, expected = frame[f"actual_{kind}"], frame[f"expected_{kind}"]
        return normalized_gini(actual, expected) if self.metric == "gini" else -_rmse(actual, expected)

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that X is a table of orders, not an array of numbers, and that y is not needed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.required = False
        return tags

    def _check_parameters(self) -> None:
        for name, known in {"target": get_args(Target), "metric": get_args(Metric)}.items():
            if getattr(self, name) not in known:
                raise SettingsError(f"{name} is {getattr(self, name)!r}; use one of {', '.join(known)}.")
        # What the valuation would refuse at the end is refused before anything is read.
        fitter(self.model)
        self._costs()
        if self.horizon is not None:
            horizon_in_units(self.horizon, self.time_unit)

    def _day_to_read_at(self, last_day: date) -> date:
        return last_day if self.as_of is None else to_day(self.as_of, "as_of")

    def _customers(self, log: Transactions, as_of: date) -> CustomerSummary:
        return summarize_customers(
            log,
            as_of=as_of,
            time_unit=self.time_unit,
            annual_discount_rate=self.annual_discount_rate,
            gaps="CNBD" in self.model,
        )

    def _read(self, X: Any) -> Transactions:
        if self.margins is None or isinstance(X, Transactions):  # whoever read them has said what margins are
            return read_transactions(X)
        return read_transactions(X, margins=self.margins)

    def _valued(self, fits: Fits, customers: CustomerSummary, margin: float | MarginShares) -> CustomerValues:
        return lifetime_value(
            *fits,
            customers,
            horizon=self.horizon,
            annual_discount_rate=self.annual_discount_rate,
            margin=margin,
            costs=self._costs(),
        )

    def _costs(self) -> Costs:
        return Costs(self.acquisition_cost, self.cost_per_order, self.cost_to_serve_per_year, self.tax_rate)


@dataclass(frozen=True)
class TimeOrigins:
    """Split a transactions table at dates: fit to the rows up to an origin, test on those of the time after it.

    A splitter for `cv=` of `cross_val_score`, `cross_validate` and `GridSearchCV`, around a `CustomerValueRegressor`.

    Parameters
    ----------
    origins : sequence of date or str
        Last days of the training rows, one split each, in the order of the calendar.
    horizon : float or str
        Length of the test time: a number in `time_unit`, or text such as "39 weeks".
    time_unit : {"day", "week", "month"}
        Unit of a horizon given as a number.

    Notes
    -----
    The estimator sees rows, not the split: it takes the last day among the training rows for the origin, and the last
    day among the test rows for the end. Where a shop sells every day these are the dates meant.
    """

    origins: Sequence[Day]
    horizon: Horizon
    time_unit: TimeUnit = "week"

    def split(self, X: pd.DataFrame, y: object = None, groups: object = None) -> Iterator[tuple[Integers, Integers]]:
        """Yield the positions of the training rows and of the test rows of each origin.

        Parameters
        ----------
        X : DataFrame
            With a column order_date.
        y, groups : object
            Not used; here because scikit-learn passes them.

        Raises
        ------
        DataError
            When order_date is missing or cannot be read, the table ends before a test time does, or one of the two
            parts has no rows.
        SettingsError
            When X is no DataFrame, or an origin or the horizon is wrong.
        """
        days = _order_days(X)
        for origin in sorted(to_day(origin, "origin") for origin in self.origins):
            length = horizon_in_units(self.horizon, self.time_unit, origin) * DAYS_PER_UNIT[self.time_unit]
            end = origin + timedelta(days=round(length))
            train = days <= np.datetime64(origin)
            test = ~train & (days <= np.datetime64(end))
            if not (train.any() and test.any()) or np.datetime64(end) > days.max():
                raise DataError(
                    f"transactions from {days.min()} to {days.max()} cannot be split at {origin} for a test to {end}.\n"
                    "To fix: choose an origin and a horizon inside the table."
                )
            yield np.flatnonzero(train), np.flatnonzero(test)

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of origins."""
        return len(self.origins)


def _order_days(X: pd.DataFrame) -> NDArray[np.datetime64]:
    """Return the day of each row as the door reads it: a time with a zone is converted to UTC and cut."""
    if not isinstance(X, pd.DataFrame):
        raise SettingsError(f"a split by time needs a DataFrame of transactions, not a {type(X).__name__}.")
    if "order_date" not in X:
        raise DataError(
            "transactions, column 'order_date': there is no such column.\nTo fix: rename the column of dates."
        )
    moments = pd.to_datetime(X["order_date"], errors="coerce", utc=True)
    if moments.isna().any():
        first = X.loc[moments.isna(), "order_date"].head(5).to_string()
        raise DataError(
            f"transactions, column 'order_date': no date in {int(moments.isna().sum()):,} row(s).\n{first}\n"
            "To fix: give every order its date, such as 1998-06-30."
        )
    return moments.dt.tz_localize(None).to_numpy().astype("datetime64[D]")


def _last_day(log: Transactions) -> date:
    day = log.as_of or log.last_date
    if day is None:
        raise DataError(
            f"{log.source}: no row can be used.\nTo fix: see what the reconciliation says became of the rows."
        )
    return day


def _bought_after(log: Transactions, day: date) -> pd.DataFrame:
    days = customer_days(log)
    later = days.filter(days.order_date > day)
    bought = later.group_by("customer_id").agg(purchases=later.count(), spend=later.amount.sum().cast(float))
    return engines.fetch_frame(bought).set_index("customer_id")


def _rmse(actual: pd.Series, expected: pd.Series) -> float:
    return float(np.sqrt(((expected - actual) ** 2).mean()))
