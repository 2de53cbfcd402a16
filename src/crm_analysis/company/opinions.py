"""What customers think: their views of what drives satisfaction, and the satisfaction that follows.

Views of the drivers are standard normal and equally correlated. Satisfaction is their weighted sum and a rest, standard
normal too. A customer has a lasting opinion and, each time somebody asks, one that is partly of that day.

What is planted holds of the marks that a survey shows. Rounding to marks takes from every correlation, so the opinions
behind them are a little closer to each other.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from crm_analysis.company.drawing import faithfulness
from crm_analysis.models.histories import Floats, Integers


class Driver(NamedTuple):
    """What is rated in the survey, the group it belongs to, and its weight relative to the others."""

    name: str
    group: str
    weight: float
    not_applicable: float = 0.0


@dataclass(frozen=True)
class OpinionPlan:
    """How satisfaction comes about.

    Attributes
    ----------
    drivers : tuple of Driver
        One of them has no weight.
    correlation : float
        Between the marks of any two drivers.
    r_squared : float
        Share of the variance of the marks of satisfaction that those of the drivers explain.
    lasting : float
        Correlation of a customer's opinion at two times: the reliability of one answer.
    mean, spread : float
        Of the marks for satisfaction and drivers (1 to 10) before they are cut to the scale. All have the same spread,
        so that a slope in marks is one in standard deviations.
    """

    drivers: tuple[Driver, ...] = (
        Driver("product_quality", "product", 0.46),
        Driver("product_range", "product", 0.07),
        Driver("service_delivery", "service", 0.26),
        Driver("service_returns", "service", 0.04, not_applicable=0.20),
        Driver("personnel_advice", "personnel", 0.14, not_applicable=0.10),
        Driver("personnel_friendliness", "personnel", 0.03),
        Driver("image_trust", "image", 0.09),
        Driver("image_modernity", "image", 0.0),
    )
    correlation: float = 0.6
    r_squared: float = 0.5
    lasting: float = 0.8
    mean: float = 7.0
    spread: float = 1.6

    def slopes(self) -> pd.DataFrame:
        """Return `group` and `slope` of each driver: marks of satisfaction for one mark of the driver."""
        weights = np.array([driver.weight for driver in self.drivers])
        explained = (1 - self.correlation) * weights @ weights + self.correlation * weights.sum() ** 2
        return pd.DataFrame(
            {
                "group": [driver.group for driver in self.drivers],
                "slope": weights * np.sqrt(self.r_squared / explained),
            },
            index=pd.Index([driver.name for driver in self.drivers], name="driver"),
        )

    def behind_the_marks(self) -> tuple[float, Floats]:
        """Return the correlation of the views, and the slopes of satisfaction on them, that marks show as planted.

        With faithfulness f the correlations of marks are f times those of opinions, and so are their covariances with
        satisfaction: the slopes on marks solve R(marks) slope = f R(views) slope(views).
        """
        kept = faithfulness(self.mean, self.spread, 1, 10)
        slope = self.slopes()["slope"].to_numpy()
        seen, behind = (_equally_correlated(rho, len(slope)) for rho in (self.correlation, self.correlation / kept))
        return self.correlation / kept, np.linalg.solve(behind, seen @ slope) / kept


def _equally_correlated(correlation: float, n: int) -> Floats:
    return np.full((n, n), correlation) + (1 - correlation) * np.eye(n)


class Opinions(NamedTuple):
    """Views of the drivers, shape (n_customers, n_drivers), and satisfaction, shape (n_customers,); standard normal."""

    drivers: Floats
    satisfaction: Floats

    def of(self, customers: Integers) -> "Opinions":
        """Return those of some customers."""
        return Opinions(self.drivers[customers], self.satisfaction[customers])


def draw_opinions(plan: OpinionPlan, n: int, rng: np.random.Generator) -> Opinions:
    """Draw the lasting opinions of `n` customers."""
    correlation, slopes = plan.behind_the_marks()
    common, own = rng.standard_normal((n, 1)), rng.standard_normal((n, len(plan.drivers)))
    views = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    unexplained = 1 - slopes @ _equally_correlated(correlation, len(slopes)) @ slopes
    return Opinions(views, views @ slopes + np.sqrt(unexplained) * rng.standard_normal(n))


def opinions_of_the_day(plan: OpinionPlan, lasting: Opinions, rng: np.random.Generator) -> Opinions:
    """Draw what the same customers think when asked: the slopes and all variances are those of the lasting opinion."""
    today = draw_opinions(plan, len(lasting.satisfaction), rng)
    kept, fresh = np.sqrt(plan.lasting), np.sqrt(1 - plan.lasting)
    return Opinions(
        kept * lasting.drivers + fresh * today.drivers, kept * lasting.satisfaction + fresh * today.satisfaction
    )
