"""What is true of a simulated company, and what nobody who sees its tables can know."""

from dataclasses import dataclass

import pandas as pd

from crm_analysis.company.plan import Plan
from crm_analysis.errors import SettingsError
from crm_analysis.models.checks import check_whole
from crm_analysis.periods import Month


@dataclass(frozen=True, eq=False)
class Truth:
    """All that was planted in a company, and what comes after its tables end.

    Attributes
    ----------
    plan : Plan
        Every planted number: parameters of purchase, dropout and spend, margins, acquisition, seasons, effects.
    customers : DataFrame, index customer_id
        purchase_rate (a week; of the clock of the seasons), dropout (chance to leave after a repeat purchase),
        mean_spend (of an order), satisfaction (standard deviations), died_on (day of the purchase after which the
        customer left; missing for who has not by the end of the horizon) and is_alive (on the as-of date).
    newcomers : DataFrame, index period
        expected and actual number of each month, those of the horizon included.
    odd_rows : DataFrame, index name
        `rows` and `money` of what the door should find in the log: outcomes of its reconciliation and its counters.
    future_purchases : DataFrame
        Every purchase of the customers in the `horizon_months` after the as-of date, counted as the door counts them:
        customer_id, order_date, amount, margin; one row a customer and day. Orders without a customer id and those
        given back in full do not count, here as there. No campaign runs then.
    drivers : DataFrame, index driver
        group, and slope: marks of satisfaction for one mark of the driver.
    attributes : DataFrame, index attribute
        Mean perception, expectation and gap, in marks.
    respondents : DataFrame, index respondent_id
        customer_id of all of them, satisfaction that day, straight_liner; theme, is_praise and language of the comment.
    campaigns : DataFrame, index campaign_id
        treated, control (customers), extra_orders, extra_revenue.
    last_month : Month
        The last one that the tables hold.
    """

    plan: Plan
    customers: pd.DataFrame
    newcomers: pd.DataFrame
    odd_rows: pd.DataFrame
    future_purchases: pd.DataFrame
    drivers: pd.DataFrame
    attributes: pd.DataFrame
    respondents: pd.DataFrame
    campaigns: pd.DataFrame
    last_month: Month

    def future(self, months: int | None = None) -> pd.DataFrame:
        """Return what every customer buys in the months after the as-of date.

        Parameters
        ----------
        months : int, optional
            How many; at most and by default the plan's `horizon_months`.

        Returns
        -------
        DataFrame, index customer_id
            purchases, spend, margin: of all customers, zeros included.

        Raises
        ------
        SettingsError
            For a number of months that was not simulated.
        """
        longest = self.plan.horizon_months
        months = longest if months is None else months
        check_whole("months", months, least=1)
        if months > longest:
            raise SettingsError(f"months is {months}; this company was simulated for {longest} months after its last.")
        end = pd.Timestamp(self.last_month.shift(months).last_day)
        bought = self.future_purchases[self.future_purchases["order_date"] <= end]
        sums = bought.groupby("customer_id").agg(
            purchases=("amount", "size"), spend=("amount", "sum"), margin=("margin", "sum")
        )
        return sums.reindex(self.customers.index, fill_value=0).round({"spend": 2, "margin": 2})
