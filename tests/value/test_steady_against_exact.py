"""Why the shop's forecast is the steady one: with the same fit it comes closer than the exact future of Erlang gaps."""

from dataclasses import fields
from datetime import date, timedelta
from typing import ClassVar, cast

import pytest

from crm_analysis.data.order_clock import with_gaps
from crm_analysis.data.summaries import split_calibration_holdout
from crm_analysis.models import cnbd
from crm_analysis.models.clocked import ClockedFit, fit_clocked
from crm_analysis.models.purchase_fit import PurchaseModel

# The data hold a and b of some of these fits back so little that the search says so; that is no news here.
pytestmark = pytest.mark.filterwarnings("ignore::crm_analysis.errors.EstimationWarning")


class Exact(ClockedFit):
    """The same past, with the future in which the silence also tells when the next purchase is due."""

    model: ClassVar[PurchaseModel] = cast(PurchaseModel, cnbd)


# Errors of the total and mean absolute errors as in docs/decisions/0010: exact, steady.
@pytest.mark.parametrize(
    ("origin", "days", "errors", "misses"),
    [
        (date(2010, 5, 31), 91, (0.144, 0.053), (0.849, 0.820)),
        (date(2010, 5, 31), 183, (0.227, 0.122), (1.643, 1.574)),
        (date(2010, 8, 31), 91, (0.218, 0.122), (1.023, 0.992)),
    ],
)
def test_the_steady_forecast_of_the_shop_comes_closer(retail, retail_clock, origin, days, errors, misses):
    split = split_calibration_holdout(retail, calibration_end=origin, as_of=origin + timedelta(days=days))
    steady = fit_clocked(with_gaps(split.known, split.calibration, retail_clock), retail_clock)
    exact = Exact(**{field.name: getattr(steady, field.name) for field in fields(steady)})
    bought = split.holdout["purchases"]
    for fit, error, miss in zip((exact, steady), errors, misses, strict=True):
        expected = fit.expected_purchases(split.calibration, horizon=days / 7)
        assert expected.sum() / bought.sum() - 1 == pytest.approx(error, abs=0.002)
        assert (expected - bought).abs().mean() == pytest.approx(miss, abs=0.002)
