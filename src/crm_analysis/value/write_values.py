"""From a company's log to a file with the value of every customer, whatever the size."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from crm_analysis.data.company_log import open_transactions
from crm_analysis.data.customer_table import Grid, check_grid
from crm_analysis.data.sources import Transactions
from crm_analysis.errors import SettingsError
from crm_analysis.messages import _, count
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.mbgnbd import MBGNBDFit
from crm_analysis.models.pareto_nbd import ParetoNBDFit
from crm_analysis.progress import Progress
from crm_analysis.settings import Settings
from crm_analysis.value.customer_base import value_customer_base
from crm_analysis.value.forecast import forecast_purchases
from crm_analysis.value.period import costs_of, value_period

# Models that live on frequency, recency and T alone, the preferred one first.
FOR_A_LARGE_BASE = (BGNBDFit.model_name, MBGNBDFit.model_name, ParetoNBDFit.model_name)
# Customers of the sample on which the model of a large base is chosen.
SAMPLE = 50_000


@dataclass(frozen=True)
class Written:
    """What was written where, and how it was made, in words."""

    path: Path
    customers: int
    residual_value: float
    method: str


def write_values(
    settings: Settings,
    *,
    as_of: date,
    out: str,
    transactions: Path | None = None,
    model: str | None = None,
    grid: str = "day",
    progress: Progress | None = None,
) -> Written:
    """Value every customer of a log and write the values.

    Parameters
    ----------
    settings : Settings
        Of the company.
    as_of : date
        Last day that is known.
    out : str
        A name that ends in .parquet, .csv or a slash (a folder of Parquet files).
    transactions : Path, optional
        Another file than the log of the settings.
    model : str, optional
        A purchase model to fit without a test of others.
    grid : {"day", "week", "month"}
        What histories are rounded to for the fit of a large base.
    progress : callable, optional
        Told in words what is being done.

    Returns
    -------
    Written

    Notes
    -----
    A log that was copied into the embedded engine is small: its model is chosen by the test of `forecast_purchases`,
    and every customer is held by this process. The customers of a log that is read in place never come here (see
    `value_customer_base`); its model is chosen by the same test, among those that live on frequency, recency and T,
    on the log of a random sample of customers, and then fitted to all of them. With a `model` there is nothing to
    choose, and a log of any size that can be read in place is.
    """
    tell = progress or (lambda _words: None)
    place = Path(out)
    is_folder = out.endswith("/")
    if not is_folder and place.suffix not in (".parquet", ".csv"):
        raise SettingsError(f"--out is {out}; give a name that ends in .parquet or .csv, or a folder that ends in /.")
    check_grid(grid)
    fold: Grid = grid  # type: ignore[assignment]  # checked
    tell(_("Reading the log"))
    if model is not None:
        # Read once, it need not be copied first.
        settings = settings.model_copy(update={"engine": settings.engine.model_copy(update={"copy_rows": 0})})
    log = open_transactions(settings, as_of=as_of, transactions=transactions, progress=tell)
    if log.is_copied and model is None:
        valuation = value_period(log, as_of=as_of, settings=settings, progress=tell)
        frame = valuation.values.frame
        _write_frame(frame, place, is_folder=is_folder)
        chosen = _("The log is small enough to be held by this process, so models were tested on the whole of it.")
        return Written(place, len(frame), valuation.values.total, f"{chosen} {valuation.forecast.method}")
    if place.suffix == ".csv":
        raise SettingsError(
            f"--out is {out}; values that come from the engine, of a log read in place or with --model, are written as "
            ".parquet or to a folder that ends in /."
        )
    words = ""
    if model is None:
        tell(_("Drawing a sample of customers to choose the model"))
        model, words = _chosen_on_a_sample(log, as_of, settings, tell)
    money = settings.money
    base = value_customer_base(
        log,
        as_of=as_of,
        horizon=money.horizon,
        annual_discount_rate=money.annual_discount_rate,
        margin=money.margin if money.line_margins is None else None,
        costs=costs_of(money),
        model=model,
        time_unit=settings.forecast.time_unit,
        grid=fold,
        progress=tell,
    )
    tell(_("Writing the values of {customers} customers", customers=count(base.number_of_customers)))
    base.write(place, folder=is_folder)
    return Written(place, base.number_of_customers, _total(place), f"{words} {base.method}".strip())


def _chosen_on_a_sample(log: Transactions, as_of: date, settings: Settings, tell: Progress) -> tuple[str, str]:
    """Name the model that the test on a random sample of customers speaks for, and say so."""
    sample = log.sample_of_customers(SAMPLE)
    forecast = forecast_purchases(
        sample,
        as_of=as_of,
        horizon=settings.money.horizon,
        holdout=settings.forecast.holdout,
        models=FOR_A_LARGE_BASE,
        time_unit=settings.forecast.time_unit,
        draws=settings.forecast.draws,
        seed=settings.forecast.seed,
        progress=tell,
    )
    proof = forecast.backtest
    words = _(
        "The log is read in place; the model was chosen on {customers} of its customers, drawn at random. {choice} "
        "{verdict}",
        customers=count(len(forecast.customers)),
        choice=proof.choice(),
        verdict=proof.verdict(),
    )
    return proof.model_name, words


def _write_frame(frame: pd.DataFrame, place: Path, *, is_folder: bool) -> None:
    target = place / "part-0.parquet" if is_folder else place
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    frame.to_csv(unfinished) if place.suffix == ".csv" else frame.to_parquet(unfinished)
    unfinished.replace(target)


def _total(place: Path) -> float:
    """Residual value of all that was written."""
    files = str(place / "*.parquet") if place.is_dir() else str(place)
    query = "SELECT sum(residual_value) FROM read_parquet($files)"
    [[total]] = duckdb.execute(query, {"files": files}).fetchall()
    return float(total)
