"""Two open shops, a year of a UK gift shop and shops simulated with their truth known; and CDNOW, split and fitted."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.order_clock import OrderClock, order_clock, with_gaps
from crm_analysis.data.samples import load_cdnow_sample
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import (
    CalibrationHoldout,
    CustomerSummary,
    split_calibration_holdout,
    summarize_customers,
)
from crm_analysis.models.bgnbd import BGNBDFit, fit_bgnbd
from crm_analysis.models.cnbd import CNBDFit, CNBDParams
from crm_analysis.models.gamma_gamma import GammaGammaFit, GammaGammaParams
from crm_analysis.models.mbgnbd import MBGNBDFit
from crm_analysis.models.nbd import NBDFit
from crm_analysis.models.pareto_nbd import ParetoNBDFit
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.value.lifetime_value import CustomerValues, Fits, assume, lifetime_value

RETAIL = Path(__file__).parents[3] / "shared" / "data" / "online_retail_2009_2010.csv.gz"
RETAIL_AS_OF = date(2010, 11, 30)

YEAR = 365

CDNOW_ORIGIN, CDNOW_AS_OF = "1997-09-30", "1998-06-30"
CDNOW_FITS = {
    "BG/NBD": BGNBDFit.from_params((0.243, 4.414, 0.793, 2.426)),
    "MBG/NBD": MBGNBDFit.from_params((0.525, 6.183, 0.891, 1.614)),
    "BG/CNBD-k": CNBDFit.from_params(CNBDParams(2, 0.25, 2.2, 0.75, 2.2)),
    "Pareto/NBD": ParetoNBDFit.from_params((0.5534, 10.5802, 0.6061, 11.6562)),
    "NBD": NBDFit.from_params((0.385, 12.072)),
}


@pytest.fixture(scope="session")
def retail() -> Transactions:
    """Purchase days from December 2009 to November 2010, of customers who are known by name and paid for something."""
    if not RETAIL.is_file():
        pytest.skip(f"{RETAIL.name} is not beside the project")
    lines = pd.read_csv(
        RETAIL, usecols=["Customer ID", "InvoiceDate", "Quantity", "Price"], parse_dates=["InvoiceDate"]
    )
    sold = lines["Customer ID"].notna() & (lines["Quantity"] > 0) & (lines["Price"] > 0)
    lines = lines[sold & (lines["InvoiceDate"] < pd.Timestamp(RETAIL_AS_OF + timedelta(days=1)))]
    log = pd.DataFrame(
        {
            "customer_id": lines["Customer ID"].astype(int).astype(str),
            "order_date": lines["InvoiceDate"].dt.normalize(),
            "amount": lines["Quantity"] * lines["Price"],
        }
    )
    return read_transactions(log.groupby(["customer_id", "order_date"], as_index=False).sum(), as_of=RETAIL_AS_OF)


@pytest.fixture(scope="session")
def retail_clock(retail: Transactions) -> OrderClock:
    return order_clock(retail, as_of=RETAIL_AS_OF)


@pytest.fixture(scope="session")
def retail_customers(retail: Transactions, retail_clock: OrderClock) -> CustomerSummary:
    """Everybody at the end of the year, with the gaps by the clock of the shop."""
    return with_gaps(retail, summarize_customers(retail, as_of=RETAIL_AS_OF, annual_discount_rate=0.10), retail_clock)


@dataclass(frozen=True, eq=False)
class Shop:
    """A simulated shop that is older than its log.

    Attributes
    ----------
    log : DataFrame
        The first year that was written down.
    as_of : date
        Its last day.
    next_year : float
        Purchases its customers then made in the year after it: the truth.
    """

    log: pd.DataFrame
    as_of: date
    next_year: float


class SimulateShop:
    """Simulates shops; a class, so that a fixture can hand it to tests.

    Customers join over eight years, the seventh of which is the log; they buy at rates Gamma(0.9) of mean 1 in 83 days,
    with Erlang-k gaps in a clock that runs at 1 +- 0.45 with the season, and leave at a rate of their own.
    """

    def __call__(
        self,
        seed: int,
        *,
        k: int = 2,
        loss: float = 0.5,
        growth: float = 0.0,
        demand: float = 0.0,
        newcomers: int = 600,
    ) -> Shop:
        """Simulate one.

        Parameters
        ----------
        seed : int
        k : int
            Regularity of the gaps.
        loss : float
            Mean rate of leaving, a year; Gamma over customers, of shape 1.
        growth : float
            By how much more customers join in a year than in the year before.
        demand : float
            By how much more everybody buys, a year, from the beginning of the log on.
        newcomers : int
            Who join in the year of the log.
        """
        rng = np.random.default_rng(seed)
        calendar = np.arange(8 * YEAR + 1.0)
        season = 2 * np.pi * calendar / YEAR
        pace = (1 - 0.45 * np.sin(season)) * (1 + demand) ** np.maximum(calendar / YEAR - 6, 0)
        clock = np.concatenate([[0.0], np.cumsum((pace[1:] + pace[:-1]) / 2)])

        joining = pace * newcomers / YEAR * (1 + growth) ** (calendar / YEAR - 6.5)
        joins = np.repeat(calendar, rng.poisson(joining))
        time = np.interp(joins + rng.random(len(joins)), calendar, clock)
        rate = rng.gamma(0.9, 1 / 83 / 0.9, size=len(time))
        leaves = time + rng.exponential(size=len(time)) / rng.gamma(1.0, loss / YEAR, size=len(time))
        end = np.minimum(leaves, clock[-1])

        customer = np.arange(len(time))
        buyers, times = [customer], [time]
        while len(customer):
            time = time + rng.standard_gamma(k, size=len(time)) / (k * rate)
            bought = time < end
            customer, time, rate, end = customer[bought], time[bought], rate[bought], end[bought]
            buyers.append(customer)
            times.append(time)
        orders = pd.DataFrame(
            {"customer": np.concatenate(buyers), "day": np.interp(np.concatenate(times), clock, calendar)}
        )
        orders = orders.astype({"day": int}).drop_duplicates()
        seen = orders[orders["day"].between(6 * YEAR, 7 * YEAR - 1)]
        later = orders[orders["day"].ge(7 * YEAR) & orders["customer"].isin(seen["customer"])]
        first_day = pd.Timestamp(2022, 1, 1)
        log = pd.DataFrame(
            {
                "customer_id": "c" + seen["customer"].astype(str),
                "order_date": first_day + pd.to_timedelta(seen["day"] - 6 * YEAR, unit="D"),
                "amount": 10.0,
            }
        )
        return Shop(log, date(2022, 12, 31), float(len(later)))


@pytest.fixture(scope="session")
def simulate_shop() -> SimulateShop:
    return SimulateShop()


@pytest.fixture(scope="session")
def sample_log() -> Transactions:
    return read_transactions(load_cdnow_sample(), as_of=CDNOW_AS_OF)


@pytest.fixture(scope="session")
def sample_split(sample_log: Transactions) -> CalibrationHoldout:
    return split_calibration_holdout(sample_log, calibration_end=CDNOW_ORIGIN, as_of=CDNOW_AS_OF)


@pytest.fixture(scope="session")
def sample_fit(sample_split: CalibrationHoldout) -> BGNBDFit:
    return fit_bgnbd(sample_split.calibration)


@pytest.fixture(scope="session")
def cdnow_fits() -> dict[str, PurchaseFit]:
    """A fit of each purchase model with parameters for CDNOW, without a covariance."""
    return CDNOW_FITS


@pytest.fixture(params=CDNOW_FITS)
def every_fit(request: pytest.FixtureRequest) -> PurchaseFit:
    """One after the other of `cdnow_fits`."""
    return CDNOW_FITS[request.param]


@dataclass(frozen=True, eq=False)
class TwoKinds:
    """Customers of two kinds, one of which is keen, and a fit that knows it."""

    customers: CustomerSummary
    fit: BGNBDFit

    def of_kind(self, keen: float) -> CustomerSummary:
        frame = self.customers.frame
        return replace(self.customers, frame=frame[frame["keen"] == keen])

    def fit_of_kind(self, keen: float) -> BGNBDFit:
        """Give the fit without covariates that says of this kind what the fit says of it."""
        own = self.fit.params_of(self.of_kind(keen))
        return BGNBDFit.from_params(tuple(float(np.ravel(value)[0]) for value in own))


@pytest.fixture(scope="session")
def two_kinds(sample_split: CalibrationHoldout) -> TwoKinds:
    frame = sample_split.calibration.frame
    keen = (np.arange(len(frame)) % 2).astype(float)
    customers = replace(sample_split.calibration, frame=frame.assign(keen=keen))
    return TwoKinds(customers, fit_bgnbd(customers, purchase=["keen"]))


SPEND = GammaGammaFit.from_params(GammaGammaParams(6.25, 3.74, 15.44), time_unit="")
TERMS = {"horizon": "24 months", "annual_discount_rate": 0.10, "margin": 0.30}


class ValuesOf:
    """Makes customers with residual values that a test has chosen; a class, so that a fixture can hand it to tests."""

    def __call__(
        self,
        residual_value: list[float],
        *,
        alive: list[float] | float = 0.9,
        frequency: list[int] | int = 0,
        span: list[float] | float = 0.0,
        silence: list[float] | float = 10.0,
        stands_for: float = 1.0,
        as_of: str = "1998-06-30",
        **columns: object,
    ) -> CustomerValues:
        """Make them.

        Parameters
        ----------
        residual_value, alive : list of float
        frequency : list of int
            Repeat purchases.
        span, silence : list of float
            Days from the first to the last purchase, and since.
        stands_for : float
        as_of : str
        **columns
            Other columns of the summary.
        """
        ids = pd.Index([f"c{number:04}" for number in range(len(residual_value))], name="customer_id")
        frame = pd.DataFrame(index=ids).assign(frequency=frequency, recency=span, silence=silence, **columns)
        frame["T"] = frame["recency"] + frame.pop("silence")
        customers = CustomerSummary(frame, "day", date.fromisoformat(as_of), stands_for=stands_for)
        values = pd.DataFrame(index=ids).assign(probability_alive=alive, residual_value=residual_value)
        taken = assume("day", customers.as_of, costs=None, **TERMS)
        return CustomerValues(values, Fits(CDNOW_FITS["BG/NBD"], SPEND), customers, taken)


@pytest.fixture(scope="session")
def values_of() -> ValuesOf:
    return ValuesOf()


@pytest.fixture(scope="session")
def sample_values(sample_log: Transactions) -> CustomerValues:
    """The customers of the CDNOW sample at the end of its log, with published parameters."""
    customers = summarize_customers(sample_log, as_of=CDNOW_AS_OF, annual_discount_rate=0.10)
    return lifetime_value(CDNOW_FITS["BG/NBD"], SPEND, customers, **TERMS)


class Shuffled:
    """The same customers in another order, by `shuffled(values)`."""

    def __call__(self, values: CustomerValues) -> CustomerValues:
        order = np.random.default_rng(7).permutation(len(values.frame))
        customers = replace(values.customers, frame=values.customers.frame.iloc[order])
        return replace(values, frame=values.frame.iloc[order[::-1]], customers=customers)


@pytest.fixture(scope="session")
def shuffled() -> Shuffled:
    return Shuffled()
