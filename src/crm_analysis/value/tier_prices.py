"""What each tier of customers pays for the same things, beside what the tier is worth."""

import numpy as np
import pandas as pd

from crm_analysis.errors import Violation, refuse
from crm_analysis.models.shares import ratio_interval

_TABLE = "lines"
_NEEDED = ("customer_id", "product", "quantity", "amount")


def price_by_tier(lines: pd.DataFrame, tier: pd.Series, *, value: pd.Series | None = None) -> pd.DataFrame:
    """Compare the unit prices that tiers of customers pay, with the mix of products taken out.

    Parameters
    ----------
    lines : DataFrame, one row an order line
        customer_id, product, quantity, amount (money). Lines with a quantity or an amount that is missing or not above
        zero say no price and are left out; so are those of customers without a tier.
    tier : Series, indexed by customer_id
        Such as platinum, gold, iron, lead.
    value : Series, indexed by customer_id, optional
        What each customer is worth.

    Returns
    -------
    DataFrame, indexed by tier (in the order of its categories, else of their names)
        - customers (of the tier, with a line), units, amount;
        - unit_price: amount / units, of whatever the tier buys: tiers that buy other things differ in it;
        - relative_price: what the tier paid for the products it shares with another tier, over what these units would
          have cost at each product's mean price; 1 is the mean of all tiers. With its 95% interval (lower, upper; its
          source are the customers of the tier, the mean prices held). Missing where nothing is shared;
        - comparable: share of the tier's amount that is such products;
        - mean_value: per customer of the tier (missing without `value`).

        `attrs["left_out"]` counts the lines left out. A higher price beside a higher value is an association: the tier
        is made of what customers spend, and a higher price is more spent.

    Raises
    ------
    DataError
        When columns are missing.
    """
    refuse(
        Violation(_TABLE, name, "there is no such column", 0, "give order lines with customer, product and quantity.")
        for name in _NEEDED
        if name not in lines.columns
    )
    frame = pd.DataFrame({name: lines[name] for name in _NEEDED}).reset_index(drop=True)
    frame["tier"] = frame["customer_id"].map(tier)
    for name in ("quantity", "amount"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype("float64")
    priced = (frame["quantity"] > 0) & (frame["amount"] > 0) & frame["product"].notna() & frame["tier"].notna()
    frame = frame[priced]
    products = frame.groupby("product")
    mean_price = products["amount"].sum() / products["quantity"].sum()
    tiers_of = products["tier"].nunique()
    shared = frame[frame["product"].map(tiers_of) > 1]
    at_mean = shared.assign(at_mean=shared["quantity"] * shared["product"].map(mean_price).astype("float64"))
    groups = frame.groupby("tier", observed=True)
    table = pd.DataFrame(
        {
            "customers": groups["customer_id"].nunique(),
            "units": groups["quantity"].sum(),
            "amount": groups["amount"].sum(),
        }
    )
    table["unit_price"] = table["amount"] / table["units"]
    sums = at_mean.groupby(["tier", "customer_id"], observed=True)[["amount", "at_mean"]].sum()
    for name in table.index:
        own = sums.loc[name] if name in sums.index.get_level_values("tier") else sums.iloc[:0]
        paid, expected = own["amount"].to_numpy(), own["at_mean"].to_numpy()
        ratio = paid.sum() / expected.sum() if len(own) else np.nan
        table.loc[name, ["relative_price", "lower", "upper"]] = [ratio, *ratio_interval(paid, expected)]
        table.loc[name, "comparable"] = paid.sum() / table.loc[name, "amount"]
    worth = tier.map(lambda _: np.nan) if value is None else value.reindex(tier.index)
    table["mean_value"] = worth.astype("float64").groupby(tier, observed=True).mean()
    table.attrs["left_out"] = int((~priced).sum())
    return table
