"""Customers who are expected to cost more than they bring, and by which costs."""

from dataclasses import dataclass

from crm_analysis.value.lifetime_value import CustomerValues


@dataclass(frozen=True)
class UnprofitableCustomers:
    """Those whose residual value is below zero, together.

    Attributes
    ----------
    customers : int
        How many of the base, those a sample stands for included.
    value : float
        Their residual value, in currency, below zero: margin - orders - service + tax.
    margin, orders, service : float
        Discounted margin to come, cost of orders to come, cost to serve to come.
    tax : float
        Tax saved on the loss.
    """

    customers: int
    value: float
    margin: float
    orders: float
    service: float
    tax: float


def unprofitable_customers(values: CustomerValues) -> UnprofitableCustomers:
    """Add up the customers who are worth less than nothing.

    Parameters
    ----------
    values : CustomerValues
        From `lifetime_value`.

    Returns
    -------
    UnprofitableCustomers
    """
    given, scale = values.assumptions, values.customers.stands_for
    lost = values.frame[values.frame["residual_value"] < 0]
    value = float(lost["residual_value"].sum()) * scale
    spend = lost["discounted_purchases"] * lost["expected_spend"] * values.relative_margin[lost.index]
    margin = float(spend.sum()) * given.margin * scale
    orders = float(lost["discounted_purchases"].sum()) * given.costs.cost_per_order * scale
    before_tax = value / given.costs.kept
    return UnprofitableCustomers(
        customers=round(len(lost) * scale),
        value=value,
        margin=margin,
        orders=orders,
        service=margin - orders - before_tax,
        tax=value - before_tax,
    )
