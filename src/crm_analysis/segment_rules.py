"""Where one segment of customers ends and the next begins: the rules behind `[segments]` of `crm.toml`.

Every number here is a convention that a company changes as it likes; none is estimated. Rules that contradict
themselves are refused where they are written, with all that is wrong at once.
"""

import math
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from crm_analysis.errors import SettingsError, listing
from crm_analysis.messages import N_

PYRAMID_NAMES = (N_("platinum"), N_("gold"), N_("iron"), N_("lead"))
# From the firmest down; "target" and "prospect" are no customers yet.
LIFECYCLE_STATES = (N_("active"), N_("new"), N_("won back"), N_("at risk"), N_("lost"))
PROSPECT_STATES = (N_("target"), N_("prospect"))
RELATIONSHIP_LEVELS = (N_("basic"), N_("reactive"), N_("accountable"), N_("proactive"), N_("partnership"))
NOT_KNOWN = N_("not known")
RFM_MEASURES = ("recency", "frequency", "monetary")

# One row a recency score, from 5 (bought lately) to 1; one column a value score, from 1 to 5.
RFM_NAMES: tuple[tuple[str, ...], ...] = (
    (N_("new"), N_("potential loyalist"), N_("potential loyalist"), N_("champions"), N_("champions")),
    (N_("promising"), N_("potential loyalist"), N_("potential loyalist"), N_("loyal"), N_("champions")),
    (N_("about to sleep"), N_("about to sleep"), N_("need attention"), N_("loyal"), N_("loyal")),
    (N_("hibernating"), N_("hibernating"), N_("at risk"), N_("at risk"), N_("cannot lose")),
    (N_("lost"), N_("lost"), N_("at risk"), N_("cannot lose"), N_("cannot lose")),
)
# Rows: many, medium, few customers; columns: high, medium, low margin. Of many and low the book says basic or reactive.
KOTLER_LEVELS: tuple[tuple[str, ...], ...] = (
    ("accountable", "reactive", "basic"),
    ("proactive", "accountable", "reactive"),
    ("partnership", "proactive", "accountable"),
)

PyramidScale = Literal["customers", "value", "money"]
Names = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class PyramidRules:
    """Tiers of customers by residual value.

    Attributes
    ----------
    cut_offs : tuple of float
        One fewer than names. Shares from the top, rising and inside (0, 1); with `by="money"` the lowest value of every
        tier but the last, falling.
    names : tuple of str
        From the most valuable tier down.
    by : {"customers", "value", "money"}
        Whether cut-offs are shares of customers, shares of the value these hold, or amounts of money.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    cut_offs: tuple[float, ...] = (0.04, 0.20, 0.50)
    names: tuple[str, ...] = PYRAMID_NAMES
    by: PyramidScale = "customers"

    def __post_init__(self) -> None:
        problems = [*_wrong_names("names", self.names, least=2), *self._wrong_cut_offs()]
        if not problems and len(self.cut_offs) != len(self.names) - 1:
            problems.append(
                f"there are {len(self.cut_offs)} cut_offs and {len(self.names)} names; give one cut-off fewer"
            )
        _refuse("pyramid", problems)
        _keep(self, cut_offs=tuple(self.cut_offs), names=tuple(self.names))

    def _wrong_cut_offs(self) -> list[str]:
        if self.by not in ("customers", "value", "money"):
            return [f"by is {self.by!r}; use 'customers', 'value' or 'money'"]
        if not _are_numbers(self.cut_offs):
            return [f"cut_offs is {self.cut_offs!r}; give a list of numbers"]
        cut_offs = list(self.cut_offs)
        if self.by == "money":
            return _out_of_order("cut_offs", cut_offs[::-1], shown=cut_offs, order="fall, the highest tier first")
        problems = _out_of_order("cut_offs", cut_offs, order="rise, the highest tier first")
        if any(not 0 < cut < 1 for cut in cut_offs):
            problems.append(f"cut_offs is {cut_offs}; give shares between 0 and 1")
        return problems


@dataclass(frozen=True)
class LifecycleRules:
    """Where a customer stands, by probability alive and by days since the last purchase.

    Attributes
    ----------
    new_days : float
        A customer is new for so many days after the first purchase, by model and by rule.
    active_from, lost_below : float
        By model: probability alive from which a customer is active, and below which one is lost; at risk between.
    active_days, lost_days : float or None
        By rule: active up to so many days without a purchase, lost after so many; at risk between. None: from the
        customers' own gaps.
    target_stages, closed_stages : tuple of str
        Stages of prospects who were chosen but not yet won over, and of those who are prospects no more. Any other
        stage makes a prospect. Capitals and blanks around a stage do not count.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    new_days: float = 90
    active_from: float = 0.5
    lost_below: float = 0.2
    active_days: float | None = None
    lost_days: float | None = None
    target_stages: tuple[str, ...] = ("target",)
    closed_stages: tuple[str, ...] = ("customer", "won", "lost")

    def __post_init__(self) -> None:
        problems = []
        for name in ("new_days", "active_days", "lost_days"):
            value = getattr(self, name)
            if not (value is None and name != "new_days") and not (is_number(value) and value > 0):
                problems.append(f"{name} is {value!r}; give a number of days above 0")
        for name in ("active_from", "lost_below"):
            value = getattr(self, name)
            if not (is_number(value) and 0 < value <= 1):
                problems.append(f"{name} is {value!r}; give a probability above 0 and at most 1")
        for name in ("target_stages", "closed_stages"):
            problems += _wrong_names(name, getattr(self, name), least=0)
        if not problems:
            problems = self._out_of_order()
        _refuse("lifecycle", problems)
        _keep(self, target_stages=tuple(self.target_stages), closed_stages=tuple(self.closed_stages))

    def _out_of_order(self) -> list[str]:
        problems = []
        if self.lost_below >= self.active_from:
            problems.append(
                f"lost_below is {self.lost_below} and active_from is {self.active_from}; lost_below must be less"
            )
        if self.active_days is not None and self.lost_days is not None and self.active_days >= self.lost_days:
            problems.append(
                f"active_days is {self.active_days} and lost_days is {self.lost_days}; active_days must be less"
            )
        both = {plain(stage) for stage in self.target_stages} & {plain(stage) for stage in self.closed_stages}
        if both:
            problems.append(f"{listing(sorted(both))}: in target_stages and in closed_stages; give each stage once")
        return problems


@dataclass(frozen=True)
class RfmRules:
    """Scores for recency, frequency and money, and the names of their combinations.

    Attributes
    ----------
    cuts : "quantiles" or mapping
        "quantiles": as many customers with each score as ties allow. Or the upper edges of the scores of "recency"
        (days), "frequency" (purchases) and "monetary" (money), rising, one fewer than levels; what is not named there
        is cut by quantiles.
    levels : int
        How many scores there are, 2 to 10.
    names : tuple of tuples of str, or None
        One row a recency score, from the highest to 1, one column a value score, from 1 to the highest. The value score
        is the mean of the scores of frequency and money, halves rounded up. None: `RFM_NAMES`, read at the nearest
        place where there are not five levels.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    cuts: Literal["quantiles"] | Mapping[str, tuple[float, ...]] = "quantiles"
    levels: int = 5
    names: Names | None = None

    def __post_init__(self) -> None:
        problems = []
        if not (is_number(self.levels) and self.levels % 1 == 0 and 2 <= self.levels <= 10):
            problems.append(f"levels is {self.levels!r}; give a whole number from 2 to 10")
        else:
            problems += [*self._wrong_cuts(), *self._wrong_names()]
        _refuse("rfm", problems)
        _keep(self, levels=int(self.levels))
        if self.names is not None:
            _keep(self, names=tuple(tuple(row) for row in self.names))
        if isinstance(self.cuts, Mapping):
            _keep(self, cuts={measure: tuple(edges) for measure, edges in self.cuts.items()})

    @property
    def grid(self) -> Names:
        """The names in use, as `names` has them."""
        if self.names is not None:
            return self.names
        steps, last = self.levels - 1, len(RFM_NAMES) - 1
        nearest = [(2 * place * last + steps) // (2 * steps) for place in range(self.levels)]
        return tuple(tuple(RFM_NAMES[row][column] for column in nearest) for row in nearest)

    def edges(self, measure: str) -> tuple[float, ...] | None:
        """Return the edges that were given for a measure; None where it is cut by quantiles."""
        return self.cuts.get(measure) if isinstance(self.cuts, Mapping) else None

    def _wrong_cuts(self) -> list[str]:
        cuts: Any = self.cuts
        if isinstance(cuts, str) and cuts == "quantiles":
            return []
        if not isinstance(cuts, Mapping):
            return [f"cuts is {cuts!r}; use 'quantiles', or edges for {listing(RFM_MEASURES)}"]
        problems = []
        for measure, edges in cuts.items():
            name = f"cuts.{measure}"
            if measure not in RFM_MEASURES:
                problems.append(f"cuts names {measure!r}; there are {listing(RFM_MEASURES)}")
            elif not _are_numbers(edges):
                problems.append(f"{name} is {edges!r}; give a list of numbers")
            elif len(edges) != self.levels - 1:
                problems.append(f"{name} has {len(edges)} edges; {self.levels} levels need {self.levels - 1}")
            else:
                problems += _out_of_order(name, list(edges), order="rise")
        return problems

    def _wrong_names(self) -> list[str]:
        if self.names is None:
            return []
        if not _is_grid(self.names, self.levels):
            return [f"names: give {self.levels} rows of {self.levels} names each, one row a recency score"]
        return []


@dataclass(frozen=True)
class RelationshipRules:
    """Which relationship a segment wants, by how many customers it has and what one of them brings.

    Attributes
    ----------
    customer_cuts, margin_cuts : (float, float) or None
        Customers from which a segment has a medium number and many; margin per customer from which it is medium and
        high. None: the segments in thirds.
    matrix : 3 x 3 names of levels
        Rows many, medium, few customers; columns high, medium, low margin.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    customer_cuts: tuple[float, float] | None = None
    margin_cuts: tuple[float, float] | None = None
    matrix: Names = KOTLER_LEVELS

    def __post_init__(self) -> None:
        problems = []
        for name in ("customer_cuts", "margin_cuts"):
            cuts = getattr(self, name)
            if cuts is None:
                continue
            if not (_are_numbers(cuts) and len(cuts) == 2):
                problems.append(f"{name} is {cuts!r}; give two numbers, or none for thirds")
            else:
                problems += _out_of_order(name, list(cuts), order="rise")
                _keep(self, **{name: tuple(cuts)})
        if not _is_grid(self.matrix, 3):
            problems.append(
                "matrix: give three rows (many, medium, few customers) of three levels (high to low margin)"
            )
        else:
            unknown = sorted({level for row in self.matrix for level in row} - set(RELATIONSHIP_LEVELS))
            if unknown:
                problems.append(f"matrix names {listing(unknown)}; the levels are {listing(RELATIONSHIP_LEVELS)}")
        _refuse("relationship", problems)
        _keep(self, matrix=tuple(tuple(row) for row in self.matrix))


@dataclass(frozen=True)
class Treatment:
    """What a segment is and what to do about it, in words for a reader; "" leaves what is said by default."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    meaning: str = ""
    action: str = ""


def unknown_segments(treatments: Iterable[str], segments: Iterable[str]) -> list[str]:
    """Return the keys that name no segment; one such as "region: North" speaks of an attribute, and may."""
    known = set(segments)
    return sorted(name for name in treatments if name not in known and not re.fullmatch(r"[^:]+: .+", name))


def plain(stage: object) -> str:
    """Return a stage without capitals and blanks around it, as stages are compared."""
    return str(stage).strip().casefold()


def as_tuple(values: Any) -> Any:
    """Return an array or list as a tuple; what is neither stays as it is, to be refused by name."""
    return tuple(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else values


def is_number(value: object) -> bool:
    """Whether a value is one finite number."""
    return not isinstance(value, bool) and isinstance(value, numbers.Real) and math.isfinite(value)


def _are_numbers(values: object) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str) and all(map(is_number, values))


def _is_grid(rows: object, size: int) -> bool:
    if not (isinstance(rows, Sequence) and not isinstance(rows, str) and len(rows) == size):
        return False
    lists = [row for row in rows if isinstance(row, Sequence) and not isinstance(row, str) and len(row) == size]
    return len(lists) == size and all(isinstance(name, str) and name.strip() for row in lists for name in row)


def _out_of_order(name: str, values: list[float], *, order: str, shown: list[float] | None = None) -> list[str]:
    """Say that values do not rise strictly, which `order` puts into words."""
    if all(low < high for low, high in pairwise(values)):
        return []
    return [f"{name} is {shown or values}, out of order; let them {order}"]


def _wrong_names(name: str, names: object, *, least: int) -> list[str]:
    if not isinstance(names, Sequence) or isinstance(names, str) or len(names) < least:
        return [f"{name} is {names!r}; give a list of {least or 'any number of'} names" + (" or more" if least else "")]
    if any(not isinstance(one, str) or not one.strip() for one in names):
        return [f"{name} is {list(names)}; give words, none of them blank"]
    twice = sorted({one for one in names if names.count(one) > 1})
    return [f"{name}: {listing(twice)} given twice; give different names"] if twice else []


def _refuse(what: str, problems: list[str]) -> None:
    if problems:
        raise SettingsError(f"{what}: {'; '.join(problems)}.")


def _keep(rules: Any, **values: object) -> None:
    """Put values into frozen rules while they are made: lists as tuples."""
    for name, value in values.items():
        object.__setattr__(rules, name, value)


# Three tiers with the edges of four: platinum and gold are high, iron is middle, lead is low.
HIGH_MIDDLE_LOW = PyramidRules((0.20, 0.50), (N_("high"), N_("middle"), N_("low")))
