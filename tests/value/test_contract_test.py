"""Renewals foretold on an earlier day, against those made since."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis import check_renewals, contract_values
from crm_analysis.errors import SettingsError

from .clubs import seen, simulated_club

# Whether an estimate on a few hundred contracts is doubtful is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore::crm_analysis.errors.EstimationWarning")

TERMS = {"fee": 20.0, "annual_discount_rate": 0.1, "horizon": "24 months", "margin": 0.5}
ORIGIN, END = "2022-12-31", "2023-09-30"
DATES = [day.date() for day in pd.date_range(ORIGIN, END, freq="ME")[1:]]


def held_out(club: pd.DataFrame, **options: int):
    values = contract_values(seen(club, ORIGIN), as_of=ORIGIN, **TERMS)
    return values, check_renewals(values, seen(club, END), dates=DATES, draws=100, **options)


@pytest.fixture(scope="module")
def club() -> pd.DataFrame:
    return simulated_club(3, 1_200, since="2020-01-01", until=END)


def test_on_the_origin_all_contracts_run_and_all_are_expected_to(club):
    values, test = held_out(club)
    first = test.tracking.iloc[0]
    assert first["actual"] == first["expected"] == first["lower"] == values.contracts["running"].sum()


def test_what_is_expected_is_the_sum_of_conditional_survivals(club):
    values, test = held_out(club)
    running = values.contracts[values.contracts["running"]]
    expected = 0.0
    for row in running.itertuples():
        step = pd.DateOffset(months=12 if row.renewal_period == "1 year" else 1)
        due, day = 0, row.started_on
        for _renewal in range(60):
            day += step
            due += pd.Timestamp(ORIGIN) < day <= pd.Timestamp(END)
        expected += float(values.fits[row.group].conditional_survival(due, given=row.periods))
    assert test.tracking["expected"].iloc[-1] == pytest.approx(expected, rel=0.005)


def test_those_who_stayed_are_counted_in_the_later_table(club):
    values, test = held_out(club)
    later = seen(club, END).set_index("customer_id")["ended_on"]
    running = values.contracts.loc[values.contracts["running"], "customer_id"]
    assert test.tracking["actual"].iloc[-1] == later[running].isna().sum()


def test_groups_add_up_to_the_whole(club):
    _values, test = held_out(club)
    last = test.tracking.iloc[-1]
    assert test.groups["actual"].sum() == last["actual"]
    assert test.groups["expected"].sum() == pytest.approx(last["expected"])


def test_the_band_holds_what_simulated_clubs_do():
    held = 0
    for seed in range(12):
        _values, test = held_out(simulated_club(seed, 800, since="2020-01-01", until=END), seed=seed)
        held += test.holds
    assert held >= 10  # 95% of 12 is 11.4; fewer than 10 has a chance of 2%


def test_who_went_on_under_another_length_has_stayed():
    club = simulated_club(3, 400, since="2020-01-01", until=END)
    known = seen(club, ORIGIN)
    monthly = known[known["ended_on"].isna() & (known["plan"] == "month")].iloc[0]
    values = contract_values(known, as_of=ORIGIN, **TERMS)
    later = known.copy()
    row = later["customer_id"] == monthly["customer_id"]
    change = pd.Timestamp("2023-02-01")
    later.loc[row, "ended_on"] = change
    more = monthly.to_frame().T.assign(started_on=change, plan="year", renewal_period="1 year")
    later = pd.concat([later, more], ignore_index=True).astype(known.dtypes.to_dict())
    before = check_renewals(values, known, dates=["2023-02-28"], draws=100).tracking["actual"].iloc[-1]
    assert check_renewals(values, later, dates=["2023-02-28"], draws=100).tracking["actual"].iloc[-1] == before


@pytest.mark.parametrize("dates", [[], [ORIGIN], ["2023-02-28", "2023-01-31"]])
def test_dates_that_are_not_later_are_refused(club, dates):
    values = contract_values(seen(club, ORIGIN), as_of=ORIGIN, **TERMS)
    with pytest.raises(SettingsError, match="after the origin"):
        check_renewals(values, club, dates=dates)


def test_limits_are_in_order(club):
    _values, test = held_out(club)
    assert (np.diff(test.tracking[["lower", "expected", "upper"]].to_numpy(), axis=1) >= 0).all()
