"""Churn on four bases: worked by hand, by what must always hold, and on CDNOW."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams, fit_bgnbd
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.value.churn import churn_rates
from crm_analysis.value.customer_churn import by_model
from crm_analysis.value.lifetime_value import lifetime_value
from crm_analysis.value.loss import annual_rate

START, END = "2024-03-31", "2024-06-30"
SPEND = GammaGammaFit.from_params((6.25, 3.74, 15.44), time_unit="")

LOG = pd.DataFrame(
    [
        ("gone", "2024-01-15", 100.0), ("less", "2024-02-01", 80.0), ("less", "2024-05-01", 50.0),
        ("more", "2024-03-31", 20.0), ("more", "2024-06-30", 60.0), ("old", "2023-11-01", 40.0),
        ("old", "2024-06-01", 40.0), ("new", "2024-04-01", 500.0),
    ],
    columns=["customer_id", "order_date", "amount"],
)  # fmt: skip
MEMBERSHIPS = pd.DataFrame(
    [
        ("stays", "2024-01-15", None), ("left", "2024-02-10", "2024-05-10"), ("came", "2024-05-01", None),
        ("went before", "2023-12-01", "2024-03-31"), ("on the last day", "2024-01-31", "2024-06-30"),
        ("back", "2024-01-01", "2024-04-30"), ("back", "2024-06-01", None),
    ],
    columns=["customer_id", "started_on", "ended_on"],
).assign(renewal_period="1 month")  # fmt: skip
MARKET = pd.DataFrame(
    {
        "period": pd.to_datetime(["2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01", "2024-07-01"]),
        "market_customers": [10, 10, 10, 8, 8],
        "market_revenue": [200.0, 1000.0, 500.0, 400.0, 400.0],
        "own_share_of_wallet": [0.5, None, None, 0.4, 0.4],
    }
)
EXITS = pd.DataFrame(
    [
        ("a", "2024-04-01", "price", "Rival", 0.2), ("b", "2024-06-30", "price", None, 0.4),
        ("c", "2024-05-01", None, " ", None), ("d", "2024-05-02", "moved", "Other", None),
        ("e", "2024-03-31", "price", "Rival", 0.9), ("f", "2024-07-01", "price", "Rival", 0.9),
    ],
    columns=["customer_id", "left_on", "reason", "went_to", "share_of_wallet"],
).assign(left_on=lambda frame: pd.to_datetime(frame["left_on"]))  # fmt: skip


def churn(log: pd.DataFrame = LOG, **changes: object):
    return churn_rates(log, **{"start": START, "end": END, "active_days": 91, **changes})


@pytest.fixture(scope="module")
def everything():
    return churn(memberships=MEMBERSHIPS, market=MARKET, exits=EXITS, margin=0.5)


# --- worked by hand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("basis", "measure", "start", "lost"),
    [
        pytest.param("customers", "by_rule", 3, 1, id="gone, of gone, less and more"),
        pytest.param("customers", "members", 4, 2, id="left and on the last day, of them, stays and back"),
        pytest.param("market", "share_of_customers", 0.1, 0.1 - 2 / 8, id="one of ten in March, two of eight in June"),
        pytest.param("market", "share_of_revenue", 0.1, 0.1 - 100 / 400, id="20 of 200, then 100 of 400"),
        pytest.param("money", "margin", 100, 50, id="half of 200, half of what the lost one spent"),
        pytest.param("money", "gross_revenue", 200, 130, id="100 lost, 30 less"),
        pytest.param("money", "net_revenue", 200, 90, id="the same less 40 more"),
        pytest.param("competition", "to_rival", 4, 2, id="a and d, of a to d"),
    ],
)
def test_what_was_lost_is_as_worked_by_hand(everything, basis, measure, start, lost):
    row = everything.rates.loc[(basis, measure)]
    assert (row["start"], row["lost"]) == pytest.approx((start, lost))


def test_renewals_are_counted_as_often_as_they_come_up(everything):
    # From April to June stays makes 3; left makes 1 and ends; on the last day makes 2 (30 April, 31 May) and ends; back
    # makes 1 and ends, and starts again; came makes 1.
    row = everything.rates.loc[("customers", "renewals")]
    assert (row["start"], row["lost"]) == (3 + 2 + 3 + 2 + 1, 3)


def test_the_retention_of_members_is_those_at_the_end_less_new_ones(everything):
    row = everything.rates.loc[("customers", "members")]
    assert row["note"] == "3 members at the end, 1 of them new."
    assert row["retention"] == (3 - 1) / row["start"]


def test_the_revenue_of_the_same_customers_is_told_apart(everything):
    bridge = everything.revenue
    assert (bridge.opening, bridge.lost, bridge.contraction, bridge.expansion, bridge.closing) == (
        200,
        100,
        30,
        40,
        110,
    )


def test_the_market_is_set_beside_what_the_company_grew(everything):
    june = everything.market.loc["2024-06"]
    assert (june["market_growth"], june["own_growth"], june["growth_gap"]) == pytest.approx((-0.2, 1.0, 1.2))


def test_a_period_that_is_not_over_is_left_out(everything):
    assert everything.market.index.astype(str).to_list() == ["2024-03", "2024-04", "2024-05", "2024-06"]


@pytest.mark.parametrize(
    "written", [["2024-03", "2024-06"], ["2024-03-05", "2024-06-30"], [date(2024, 3, 31), date(2024, 6, 1)]]
)
def test_a_month_may_be_written_as_one_of_its_days(written):
    market = pd.DataFrame({"period": written, "market_revenue": [200.0, 400.0]})
    assert churn(market=market).rates.loc[("market", "share_of_revenue"), "lost"] == pytest.approx(0.1 - 100 / 400)


def test_quarters_are_read_too():
    market = pd.DataFrame({"period": ["2024Q1", "2024Q2"], "market_revenue": [400.0, 1300.0]})
    assert churn(market=market).rates.loc[("market", "share_of_revenue"), "lost"] == pytest.approx(0.5 - 0.5)


def test_reasons_are_counted_within_the_time(everything):
    reasons = everything.exit_reasons
    assert reasons["customers"].to_dict() == {"price": 2, "": 1, "moved": 1}
    assert reasons.loc["price", ["to_rival", "share_of_wallet"]].to_list() == pytest.approx([1, 0.3])


def test_the_annual_rate_loses_the_same_share_again_and_again():
    assert annual_rate(0.1, 365.25 / 4) == pytest.approx(1 - 0.9**4)


def test_the_rate_of_a_renewal_is_annual_by_the_period_of_the_contract(everything):
    row = everything.rates.loc[("customers", "renewals")]
    assert row["annual_rate"] == pytest.approx(1 - (1 - row["rate"]) ** 12)


# --- what must always hold ----------------------------------------------------------------------------------------


def test_what_was_not_lost_was_kept(everything):
    rates = everything.rates
    pd.testing.assert_series_equal(rates["start"], rates["kept"] + rates["lost"], check_names=False)


def test_retention_is_one_less_churn_wherever_it_is_defined(everything):
    rates = everything.rates.drop(("competition", "to_rival")).dropna(subset="rate")
    pd.testing.assert_series_equal(rates["retention"], 1 - rates["rate"], check_names=False)


def test_who_left_to_a_rival_is_no_retention(everything):
    assert everything.rates.loc[("competition", "to_rival"), ["retention", "annual_rate"]].isna().all()


days = st.dates(date(2023, 10, 1), date(2024, 6, 30))
lines = st.tuples(st.sampled_from("abcdef"), days, st.integers(0, 9_999).map(lambda cents: cents / 100))


@settings(max_examples=8)
@given(st.lists(lines, min_size=1, max_size=20))
def test_net_retention_is_one_less_lost_and_contraction_plus_expansion(rows):
    log = pd.DataFrame(rows, columns=["customer_id", "order_date", "amount"])
    bridge = churn_rates(log, start=START, end="2024-06-30").revenue
    by_parts = bridge.opening - bridge.lost - bridge.contraction + bridge.expansion
    assert by_parts == pytest.approx(bridge.closing, abs=1e-6)
    if bridge.opening > 0:
        assert bridge.net_retention == pytest.approx(by_parts / bridge.opening)
        assert bridge.gross_retention <= 1 + 1e-12


def test_the_order_of_the_rows_does_not_matter(everything):
    tables = {"memberships": MEMBERSHIPS, "market": MARKET, "exits": EXITS}
    shuffled = {name: table.sample(frac=1, random_state=1) for name, table in tables.items()}
    again = churn(LOG.sample(frac=1, random_state=2), **shuffled, margin=0.5)
    pd.testing.assert_frame_equal(again.rates, everything.rates)


# --- what is not known --------------------------------------------------------------------------------------------


def test_what_cannot_be_told_is_missing_and_says_why():
    rates = churn().rates
    untold = rates[rates["start"].isna()]
    assert untold.index.get_level_values("measure").to_list() == [
        "by_model", "members", "renewals", "share_of_customers", "share_of_revenue", "margin", "to_rival"
    ]  # fmt: skip
    assert (untold["note"] != "").all()
    assert untold[["lost", "rate", "retention", "annual_rate"]].isna().all(axis=None)


def test_a_log_that_begins_inside_the_time_looked_back_on_is_said_to():
    short = LOG[LOG["order_date"] >= "2024-01-15"]
    assert "The log begins on 15 January 2024" in churn(short).rates.loc[("money", "net_revenue"), "note"]
    assert churn().rates.loc[("money", "net_revenue"), "note"] == ""


def test_contracts_of_different_lengths_have_no_annual_rate():
    mixed = MEMBERSHIPS.assign(renewal_period=["1 year", *["1 month"] * 6])
    row = churn(memberships=mixed).rates.loc[("customers", "renewals")]
    assert np.isnan(row["annual_rate"])
    assert row["rate"] > 0


def test_who_goes_on_with_another_term_is_neither_lost_nor_new():
    terms = pd.DataFrame(
        [
            ("stays", "2023-04-01", "2024-03-31", "small"), ("stays", "2024-04-01", "2025-03-31", "large"),
            ("leaves", "2023-04-01", "2024-03-31", "small"), ("due", "2023-07-01", "2024-06-30", "small"),
        ],
        columns=["customer_id", "started_on", "ended_on", "plan"],
    ).assign(renewal_period="1 year")  # fmt: skip
    rates = churn(memberships=terms).rates.loc["customers"]
    # All three are members on 31 March, whose renewal is due on the morrow; one term ends on 30 June, undecided.
    assert rates.loc["members", ["start", "lost"]].to_list() == [3, 1]
    assert rates.loc["members", "note"] == "2 members at the end, 0 of them new."
    assert rates.loc["renewals", ["start", "lost"]].to_list() == [2, 1]


def test_contracts_that_do_not_tell_when_they_are_renewed_are_left_out_of_renewals():
    some = MEMBERSHIPS.assign(renewal_period=["1 month", *[None] * 6])
    row = churn(memberships=some).rates.loc[("customers", "renewals")]
    assert (row["start"], row["lost"]) == (3, 0)
    assert row["note"] == "5 contracts that do not tell when are left out."


def test_a_market_without_two_periods_gives_no_change():
    row = churn(market=MARKET.iloc[1:]).rates.loc[("market", "share_of_revenue")]
    assert np.isnan(row["rate"])
    assert "no period that is over by the start" in row["note"]


def test_tables_without_a_row_in_the_time_give_no_rates():
    tables = {"exits": EXITS.iloc[:0], "market": MARKET.iloc[:0], "memberships": MEMBERSHIPS.iloc[:0]}
    found = churn(**tables)
    assert found.exit_reasons.empty
    assert found.market.empty
    untold = [("competition", "to_rival"), ("market", "share_of_revenue"), ("customers", "members")]
    assert found.rates.loc[untold, "rate"].isna().all()


def test_memberships_that_do_not_tell_when_they_end_give_no_rate():
    row = churn(memberships=MEMBERSHIPS.drop(columns="ended_on")).rates.loc[("customers", "members")]
    assert row["note"] == "The memberships do not tell when they end."


# --- CDNOW --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cdnow_churn(cdnow):
    dates = ("1997-12-31", "1998-06-30")
    customers = [summarize_customers(cdnow.until(day), as_of=day) for day in dates]
    before, now = (
        lifetime_value(
            fit_bgnbd(summary), SPEND, summary, horizon="1 year", annual_discount_rate=0.1, margin=0.3
        )
        for summary in customers
    )  # fmt: skip
    return churn_rates(
        cdnow, start=dates[0], end=dates[1], active_days=180, before=before, now=now, margin=0.3, draws=50
    )


def test_by_model_fewer_of_cdnow_leave_than_by_the_rule(cdnow_churn):
    rate = cdnow_churn.rates["rate"]
    assert 0 < rate["customers", "by_model"] < rate["customers", "by_rule"]


def test_the_interval_by_model_holds_the_rate(cdnow_churn):
    row = cdnow_churn.rates.loc[("customers", "by_model")]
    assert row["lower"] <= row["rate"] <= row["upper"]


def test_that_the_model_gives_up_nobody_after_one_purchase_is_said(cdnow_churn, cdnow):
    once = (summarize_customers(cdnow.until("1997-12-31"), as_of="1997-12-31").frame["frequency"] == 0).sum()
    assert f"{once:,} of them bought once" in cdnow_churn.rates.loc[("customers", "by_model"), "note"]


def test_a_model_that_gives_them_up_needs_no_such_note(cdnow_fits, sample_log):
    before, now = (
        lifetime_value(
            cdnow_fits["MBG/NBD"], SPEND, summarize_customers(sample_log, as_of=day),
            horizon="1 year", annual_discount_rate=0.1, margin=0.3,
        )
        for day in ("1997-12-31", "1998-06-30")
    )  # fmt: skip
    found = by_model(before, now, date(1997, 12, 31), date(1998, 6, 30), draws=10, seed=0)
    assert found.note == "The fit has no covariance, so there is no interval."


def test_by_model_those_alive_are_sums_of_probabilities(cdnow_churn, cdnow):
    now = summarize_customers(cdnow, as_of="1998-06-30")
    alive = fit_bgnbd(now).probability_alive(now).sum()
    assert cdnow_churn.rates.loc[("customers", "by_model"), "kept"] == pytest.approx(alive, rel=1e-6)


def test_of_simulated_customers_as_many_leave_by_the_model_as_in_truth():
    # Buyers as the BG/NBD sees them, who may leave after each repeat purchase; the moment they do is kept.
    rng, truth = np.random.default_rng(11), BGNBDParams(1.2, 8.0, 0.8, 2.5)
    rows: dict[float, list[tuple[int, float, float]]] = {52.0: [], 78.0: []}
    there = dict.fromkeys(rows, 0)
    for _ in range(3_000):
        rate, chance, time, times = rng.gamma(truth.r) / truth.alpha, rng.beta(truth.a, truth.b), 0.0, [0.0]
        while time < 78 and (len(times) == 1 or rng.random() > chance):
            time += rng.exponential() / rate
            times.append(time)
        left = time if time < 78 else np.inf
        for end, history in rows.items():
            seen = [moment for moment in times if moment <= end]
            history.append((len(seen) - 1, seen[-1], end))
            there[end] += left > end
    dates = (date(2023, 1, 1), date(2023, 7, 2))
    before, now = (
        lifetime_value(
            BGNBDFit.from_params(truth), SPEND,
            CustomerSummary(
                pd.DataFrame(history, columns=["frequency", "recency", "T"]).assign(monetary_value=np.nan), "week", day
            ),
            horizon="1 year", annual_discount_rate=0.1, margin=0.3,
        )
        for history, day in zip(rows.values(), dates, strict=True)
    )  # fmt: skip
    found = by_model(before, now, *dates, draws=10, seed=0)
    alive = now.frame["probability_alive"], before.frame["probability_alive"]
    error = np.sqrt(sum((chance * (1 - chance)).sum() for chance in alive))
    assert found.lost == pytest.approx(there[52.0] - there[78.0], abs=2.5 * error)
    assert there[52.0] - there[78.0] > 5 * error  # enough leave to tell


def test_values_of_another_day_are_refused(two_kinds):
    values = lifetime_value(
        two_kinds.fit, SPEND, two_kinds.customers, horizon="1 year", annual_discount_rate=0.1, margin=0.3
    )
    with pytest.raises(SettingsError, match="needs values as of these days; these are as of 1997-09-30"):
        churn(before=values, now=values)


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"start": END}, "start is 2024-06-30 and end is 2024-06-30"),
        ({"active_days": 0}, "active_days is 0"),
        ({"margin": 1.5}, "margin is 1.5"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(SettingsError, match=told):
        churn(**wrong)


def test_a_broken_market_is_refused_with_all_its_faults():
    broken = pd.DataFrame({"period": ["soon", "2024-03", "2024-03", None], "market_revenue": [1.0, -1.0, 2.0, 1.0]})
    with pytest.raises(DataError) as refused:
        churn(market=broken)
    message = str(refused.value)
    assert "column 'period': not a period in 2 row(s)" in message
    assert "column 'period': given more than once in 2 row(s)" in message
    assert "column 'market_revenue': not a number of 0 or more in 1 row(s)" in message


def test_broken_exits_are_refused_with_all_their_faults():
    broken = EXITS.assign(left_on=["soon", *EXITS["left_on"][1:]], share_of_wallet=40.0)
    with pytest.raises(DataError) as refused:
        churn(exits=broken)
    assert "column 'left_on': not a date in 1 row(s)" in str(refused.value)
    assert "column 'share_of_wallet': not a share from 0 to 1 in 6 row(s)" in str(refused.value)
