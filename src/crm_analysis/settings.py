"""`crm.toml`, the one settings file of a company, read into frozen `Settings`.

Every rate says its unit in its name, every unknown key is refused, every problem is reported at once.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from crm_analysis.codebook import Codebook
from crm_analysis.errors import SettingsError, listing, problem_lines
from crm_analysis.periods import TimeUnit, horizon_in_units, horizon_text
from crm_analysis.segment_rules import (
    LifecycleRules,
    PyramidRules,
    RelationshipRules,
    RfmRules,
    Treatment,
    unknown_segments,
)
from crm_analysis.segment_treatments import DEFAULT_TREATMENTS, MEMBER_TREATMENTS
from crm_analysis.side_sources import (
    CustomerSource,
    ExitSource,
    MarketSource,
    MembershipSource,
    ProspectSource,
    SideSource,
    SurveySource,
)

_DEFAULT_LOG = "data/raw/transactions.csv"
Fraction = Annotated[float, Field(ge=0, le=1)]
Money = Annotated[float, Field(ge=0)]


def _readable_horizon(text: str) -> str:
    try:
        horizon_in_units(text, "day")  # refuses a length of zero
        return horizon_text(text)
    except SettingsError as error:
        raise ValueError(str(error)) from None


HorizonText = Annotated[str, AfterValidator(_readable_horizon)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("unknown time zone; use a name such as 'Europe/Berlin' or 'UTC'") from None
    return name


def _known_language(code: str) -> str:
    try:
        Locale.parse(code.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise ValueError("unknown language; use a code such as 'en' or 'zh-CN'") from None
    return code


class Company(_Part):
    """Whose customers these are."""

    name: str = "Company"
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    timezone: Annotated[str, AfterValidator(_known_timezone)] = "UTC"
    language: Annotated[str, AfterValidator(_known_language)] = "en"


class TransactionColumns(_Part):
    """Names of the source's columns. The three required ones default to their own names.

    An optional column that is not named is looked for under its own name and left out where absent.
    """

    customer_id: str = "customer_id"
    order_date: str = "order_date"
    amount: str = "amount"
    order_id: str | None = None
    product: str | None = None
    category: str | None = None
    quantity: str | None = None
    cost: str | None = None
    margin: str | None = None
    channel: str | None = None
    is_refund: str | None = None
    currency: str | None = None


class DoorRules(_Part):
    """What the door does with odd rows; each default is the rule of the design.

    Attributes
    ----------
    zero_amount : {"timing", "set_aside"}
        "timing": counts as a purchase, stays out of spend.
    order_line_key : tuple of str
        Columns of the table that identify one order line. Empty: exact duplicates are kept and counted. Given:
        an exact duplicate (every column equal) of a line with the same key is set aside.
    refunds : {"net", "set_aside"}
        "net": netted on the order it cancels where that can be found, else set aside with its money.
    date_format : str or None
        A strptime pattern for text dates ("%Y%m%d", "%d/%m/%Y"). Without it ISO dates and times are read.
    exchange_rates : dict
        Units of the company's currency per unit of another, for a log in several currencies.
    """

    zero_amount: Literal["timing", "set_aside"] = "timing"
    order_line_key: tuple[str, ...] = ()
    refunds: Literal["net", "set_aside"] = "net"
    date_format: str | None = None
    exchange_rates: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)


MarginRate = Annotated[float, Field(ge=-100, le=1)]
NamedRates = dict[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)], MarginRate]


class LineMargins(_Part):
    """Where the margin of each line of the log comes from, where it is not one rate of all spend.

    Attributes
    ----------
    told_by : {"lines", "product", "category"}
        "lines": the margin column of the line in money, else its amount less its cost. The others: its name in `rates`.
    rate : float
        Share of the amount, of lines that do not tell and of names without a rate of their own.
    rates : dict
        Share of the amount by product or category, at most 1; below zero where they are sold under their cost.
    """

    told_by: Literal["lines", "product", "category"]
    rate: Annotated[float, Field(gt=0, le=1)] = 0.30
    rates: NamedRates = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_rates(self) -> "LineMargins":
        if (self.told_by != "lines") != bool(self.rates):
            raise ValueError('give rates by name with told_by = "product" or "category", and none with "lines"')
        return self


class TransactionSource(_Part):
    """Where the purchase log is: a file below the project, or a table an ibis URL can name; one of the two.

    `only` keeps the rows with one value in a column as delivered: {"region": "North"}; "" for the rows without one.
    With `deliveries` the path is a folder to which files are added: each is checked once and kept below
    `report.processed`.
    """

    path: str | None = None
    connection: str | None = None
    table: str | None = None
    columns: TransactionColumns = TransactionColumns()
    rules: DoorRules = DoorRules()
    only: dict[str, str] = Field(default_factory=dict)
    deliveries: bool = False

    @model_validator(mode="before")
    @classmethod
    def _one_place(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if given.get("path") and given.get("connection"):
            raise ValueError("give a path or a connection, not both")
        if given.get("deliveries") and not given.get("path"):
            raise ValueError("deliveries come in a folder: give its path")
        return given if given.get("connection") else {"path": _DEFAULT_LOG, **given}


class Sources(_Part):
    """The tables that come in; all but the purchase log may be left out.

    A company of contracts has memberships and no purchase log, and who only asks has a survey alone: where either is
    named and transactions are not, `transactions` is None.
    """

    transactions: TransactionSource | None = Field(default_factory=TransactionSource)
    customers: CustomerSource | None = None
    memberships: MembershipSource | None = None
    prospects: ProspectSource | None = None
    market: MarketSource | None = None
    exits: ExitSource | None = None
    survey: SurveySource | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_log_beside_others(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "transactions" in given:
            return given
        others = [given.get("memberships"), given.get("survey")]
        return given if others == [None, None] else {**given, "transactions": None}

    @model_validator(mode="after")
    def _has_a_table(self) -> "Sources":
        if self.transactions is None and self.memberships is None and self.survey is None:
            raise ValueError("name a purchase log (transactions), a table of contracts (memberships) or a survey")
        return self

    @property
    def purchase_log(self) -> TransactionSource:
        """Where the purchase log is.

        Raises
        ------
        SettingsError
            For a company that has none, because it lives on contracts or only asks.
        """
        if self.transactions is None:
            raise SettingsError(
                "this needs a purchase log, and crm.toml names none: with [sources.memberships] alone a company lives "
                "on contracts, with [sources.survey] alone it only asks. Name the log under [sources.transactions]; "
                "the book of contracts or of the survey is made by `crm-analysis report`."
            )
        return self.transactions

    def beside_the_log(self) -> dict[str, SideSource]:
        """Return the other tables that there are, by name."""
        others = {name: getattr(self, name) for name in type(self).model_fields if name != "transactions"}
        return {name: source for name, source in others.items() if source is not None}


class MoneySettings(_Part):
    """Money, all rates a year, all costs in the company's currency.

    `margin_from` says what margin is reckoned from: "rate" takes `margin` of all spend; "lines" the margin or cost of
    each line of the log; "product" and "category" the rates in `margins` by name. What none of these tells takes
    `margin`. `fee` is what every contract pays when it starts and at each renewal; `fees` says it plan by plan. They
    are for contracts whose table does not tell, and one of the two is given at most.
    """

    margin: Annotated[float, Field(gt=0, le=1)] = 0.30
    margin_from: Literal["rate", "lines", "product", "category"] = "rate"
    margins: NamedRates = Field(default_factory=dict)
    annual_discount_rate: Annotated[float, Field(ge=0, lt=10)] = 0.10
    horizon: HorizonText = "24 months"
    cost_to_serve_per_year: Money = 0.0
    cost_per_order: Money = 0.0
    acquisition_cost: Money = 0.0
    tax_rate: Annotated[float, Field(ge=0, lt=1)] = 0.0
    win_back_cost: Money = 0.0
    receivable_loss_rates: dict[str, Fraction | dict[str, Fraction]] | None = None
    fee: Money | None = None
    fees: dict[str, Money] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_margins(self) -> "MoneySettings":
        if (self.margin_from in ("product", "category")) != bool(self.margins):
            raise ValueError('give rates in [money.margins] and margin_from = "product" or "category" together')
        return self

    @model_validator(mode="after")
    def _one_kind_of_fee(self) -> "MoneySettings":
        if self.fee is not None and self.fees:
            raise ValueError("give fee, the same for every plan, or fees by plan; one of the two")
        return self

    @property
    def line_margins(self) -> LineMargins | None:
        """Where the margin of each line comes from; None where one rate of all spend is taken."""
        if self.margin_from == "rate":
            return None
        return LineMargins(told_by=self.margin_from, rate=self.margin, rates=self.margins)


class AcquisitionSettings(_Part):
    """Where the number of customers who will join comes from.

    Attributes
    ----------
    source : {"history", "pipeline", "plan", "none"}
        "history" forecasts it from those who joined so far (of a log that nobody joins any more, none are expected),
        "pipeline" from the prospects, "plan" takes `plan`, "none" leaves future customers unvalued.
    plan : float or dict
        New customers a month, or a number for each month ("2011-01" = 120).
    plan_error : float
        Standard deviation of the log of the planned total: 0.1 is about ten percent.
    """

    source: Literal["history", "pipeline", "plan", "none"] = "history"
    plan: Money | dict[Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")], Money] | None = None
    plan_error: Fraction = 0.1

    @model_validator(mode="after")
    def _has_a_plan(self) -> "AcquisitionSettings":
        if (self.source == "plan") != (self.plan is not None):
            raise ValueError('give plan and source = "plan" together, or neither')
        return self


RelativeChange = Annotated[float, Field(gt=-1)]


class ScenarioSettings(_Part):
    """A future to be valued beside the expected one; shares are relative changes, 0.1 for ten percent more."""

    leaving: RelativeChange = 0.0
    purchase_rate: RelativeChange = 0.0
    spend: RelativeChange = 0.0
    newcomers: RelativeChange = 0.0
    acquisition_cost: RelativeChange = 0.0
    cost_per_order: RelativeChange = 0.0
    cost_to_serve: RelativeChange = 0.0
    margin: Annotated[float, Field(gt=0, le=1)] | None = None
    annual_discount_rate: Annotated[float, Field(ge=0, lt=10)] | None = None
    horizon: HorizonText | None = None


class ForecastSettings(_Part):
    """How the forecast is made and proven."""

    time_unit: TimeUnit = "week"
    holdout: HorizonText = "39 weeks"
    growth: Annotated[float, Field(gt=-1, lt=10)] = 0.0
    purchase_fit: str | None = None
    draws: Annotated[int, Field(ge=100, le=100_000)] = 1000
    seed: Annotated[int, Field(ge=0)] = 0
    interval: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    active_days: Annotated[int, Field(ge=1)] = 90


_BYTES = {"MB": 1e6, "GB": 1e9, "TB": 1e12, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def _readable_memory(text: str) -> str:
    if not re.fullmatch(rf"[1-9]\d*(\.\d+)? ?({'|'.join(_BYTES)})", text):
        raise ValueError("give an amount of memory such as '2 GB' or '500 MB'")
    return text.replace(" ", "")


def _bytes(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([A-Za-z]+)", text).groups()  # type: ignore[union-attr]  # checked
    return float(number) * _BYTES[unit]


class EngineSettings(_Part):
    """The embedded DuckDB, and what is copied into it.

    Attributes
    ----------
    memory : str or None
        How much memory it may take, such as "2 GB"; what does not fit goes to disk. None: four fifths of the machine's.
    threads : int or None
        How many threads it may use; None: all.
    spill_folder : str or None
        Where what does not fit into the memory goes; None: the system's folder for temporary files.
    copy_rows : int
        A table of up to so many rows is copied into it. A larger Parquet file is read in place, a larger table of
        another engine is left there and that engine does the work.
    """

    memory: Annotated[str, AfterValidator(_readable_memory)] | None = "1500MB"
    threads: Annotated[int, Field(ge=1)] | None = None
    spill_folder: str | None = None
    copy_rows: Annotated[int, Field(ge=0)] = 5_000_000

    @property
    def memory_bytes(self) -> float:
        """The memory it may take, in bytes; infinite where no limit is set."""
        return float("inf") if self.memory is None else _bytes(self.memory)


class ReportSettings(_Part):
    """Where books go and what they show.

    Attributes
    ----------
    customers : int
        A book values about so many customers at most; of a larger base a random sample, scaled up to all of them.
    memory : str or None
        How much memory books that are built at the same time may take together, such as "6 GB"; None: a share of what
        is free.
    """

    reports: str = "reports"
    processed: str = "data/processed"
    notebooks: str = "notebooks"
    pseudonymise: bool = True
    targets: dict[str, float] = Field(default_factory=dict)
    customers: Annotated[int, Field(ge=1_000)] = 200_000
    memory: Annotated[str, AfterValidator(_readable_memory)] | None = None

    @property
    def memory_bytes(self) -> float | None:
        """The memory they may take together, in bytes; None where no limit is set."""
        return None if self.memory is None else _bytes(self.memory)


def _with_its_key(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Let rules that contradict themselves be one problem among others, named with its key."""
    try:
        return read(given)
    except SettingsError as error:
        raise ValueError(str(error).removesuffix(".")) from None


_READ = WrapValidator(_with_its_key)


class SegmentSettings(_Part):
    """How customers are divided, and what is done with each segment.

    Attributes
    ----------
    pyramid, lifecycle, rfm, relationship : PyramidRules, LifecycleRules, RfmRules, RelationshipRules
        The fields of the first, third and fourth are the arguments of `customer_pyramid`, `rfm_segments` and
        `relationship_levels`.
    treatments : dict of Treatment
        What a company says of a segment in place of `segment_treatments.DEFAULT_TREATMENTS`: by its name, or by
        "attribute: level" ("region: North").
    """

    pyramid: Annotated[PyramidRules, _READ] = PyramidRules()
    lifecycle: Annotated[LifecycleRules, _READ] = LifecycleRules()
    rfm: Annotated[RfmRules, _READ] = RfmRules()
    relationship: Annotated[RelationshipRules, _READ] = RelationshipRules()
    treatments: dict[str, Treatment] = Field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that a segment can have under these rules, attributes of customers aside."""
        return _segment_names(self.pyramid, self.rfm)

    @field_validator("treatments", mode="after")
    @classmethod
    def _name_segments(cls, treatments: dict[str, Treatment], others: ValidationInfo) -> dict[str, Treatment]:
        if "pyramid" not in others.data or "rfm" not in others.data:
            return treatments  # what names there are is not known before these are right
        names = _segment_names(others.data["pyramid"], others.data["rfm"])
        unknown = unknown_segments(treatments, names)
        if unknown:
            raise ValueError(
                f"treatments names {listing([repr(name) for name in unknown])}; the segments are {listing(names)}, "
                "and a level of an attribute is written 'region: North'"
            )
        return treatments


def _segment_names(pyramid: PyramidRules, rfm: RfmRules) -> tuple[str, ...]:
    own = [*pyramid.names, *(name for row in rfm.grid for name in row), *DEFAULT_TREATMENTS, *MEMBER_TREATMENTS]
    return tuple(dict.fromkeys(own))


class Settings(_Part):
    """All settings of a company. `root` is the folder of the settings `file`; relative paths start there."""

    root: Path = Path()
    file: str = "crm.toml"
    company: Company = Company()
    sources: Sources = Sources()
    money: MoneySettings = MoneySettings()
    forecast: ForecastSettings = ForecastSettings()
    acquisition: AcquisitionSettings = AcquisitionSettings()
    scenarios: dict[str, ScenarioSettings] = Field(default_factory=dict)
    engine: EngineSettings = EngineSettings()
    segments: SegmentSettings = SegmentSettings()
    survey: Codebook = Codebook()
    report: ReportSettings = ReportSettings()

    @field_validator("acquisition", mode="after")
    @classmethod
    def _has_a_pipeline(cls, acquisition: AcquisitionSettings, others: ValidationInfo) -> AcquisitionSettings:
        sources = others.data.get("sources")
        if acquisition.source == "pipeline" and sources is not None and sources.prospects is None:
            raise ValueError('source = "pipeline" needs the history of prospects: name it as [sources.prospects]')
        return acquisition

    @property
    def kind(self) -> Literal["shop", "contracts", "survey"]:
        """What the book stands on: a purchase log, without one contracts, without either a survey."""
        if self.sources.transactions is not None:
            return "shop"
        return "contracts" if self.sources.memberships is not None else "survey"

    def path(self, relative: str) -> Path:
        """Return `relative` as a path below `root` (an absolute one stays as it is)."""
        return self.root / relative


def load_settings(path: str | Path = "crm.toml") -> Settings:
    """Read `crm.toml`.

    Parameters
    ----------
    path : str or Path
        The settings file. One that names another as `base` holds only what differs from it, key by key; relative paths
        start at the folder of the base.

    Raises
    ------
    SettingsError
        When the file is missing, is not TOML, or breaks rules; every broken rule is named with its key.
    """
    path = Path(path)
    content, root = _content(path, ())
    unknown = sorted({"root", "file"} & set(content))
    if unknown:
        raise SettingsError(f"{path}: unknown key {unknown[0]!r}.")
    try:
        return Settings(root=root, file=os.path.relpath(path.resolve(), root), **content)
    except ValidationError as error:
        lines = [f"{path}: {error.error_count()} problem(s).", *problem_lines(error.errors())]
        raise SettingsError("\n".join(lines)) from None


def _content(path: Path, builds_on_this: tuple[Path, ...]) -> tuple[dict[str, Any], Path]:
    """Return what a settings file and its bases say, and the folder that relative paths start at."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path} is not there. Run from the project's folder, or give --settings.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}") from None
    found = path.resolve()
    base = content.pop("base", None)
    if base is None:
        return content, found.parent
    if not isinstance(base, str) or found in builds_on_this:
        raise SettingsError(f"{path}: base must name another settings file, which does not build on this one.")
    below, root = _content(found.parent / base, (*builds_on_this, found))
    return _merged(below, content), root


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return `below` with what `above` says in its place, table by table."""
    merged = below | above
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            merged[key] = _merged(below[key], above[key])
    return merged
