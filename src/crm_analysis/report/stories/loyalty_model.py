"""The path model of satisfaction and loyalty: constructs, what leads to what, indices, and what to look at first."""

import warnings
from dataclasses import dataclass

import pandas as pd

from crm_analysis.errors import DataError, EstimationWarning
from crm_analysis.messages import _, count, number
from crm_analysis.report.figures.maps import priority_map
from crm_analysis.report.figures.path_diagram import path_diagram
from crm_analysis.report.pieces import Figure, Note, Nothing
from crm_analysis.report.stories.heard import Heard, capital
from crm_analysis.report.stories.wording import why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.path_fit import PathModelFit
from crm_analysis.voice.path_model import path_model


@dataclass(frozen=True, eq=False)
class Modelled:
    """The path model.

    Attributes
    ----------
    heard : Heard
    fit : PathModelFit or None
        None where the codebook describes none, or the answers do not carry one.
    refused : str
        Why the answers do not carry one; "" where none is described.
    """

    heard: Heard
    fit: PathModelFit | None
    refused: str = ""

    @property
    def target(self) -> str:
        """The construct at the end of most paths: the one with causes and no effects, the last named of several."""
        assert self.fit is not None
        causes = set(self.fit.paths.index.get_level_values("from"))
        ends = [name for name in self.fit.r_squared.index if name not in causes]
        return str((ends or list(self.fit.r_squared.index))[-1])


def model_loyalty(heard: Heard) -> Modelled:
    """Fit the path model of the codebook to the answers of a year."""
    model = heard.codebook.path_model
    if model is None:
        return Modelled(heard, None)
    settings = heard.chapter.settings.forecast
    items = [item for columns in model.constructs.values() for item in columns]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)  # the notes of the fit say it on the page
        try:
            fit = path_model(
                heard.recent,
                constructs=model.constructs,
                paths=model.paths,
                modes=model.modes or None,
                scheme=model.scheme,
                scale={item: heard.codebook.scale_of(item) for item in items},
                draws=min(settings.draws, 500),
                seed=settings.seed,
            )
        except DataError as error:
            return Modelled(heard, None, why_refused(error))
    heard.chapter.write("paths", fit.paths.reset_index())
    return Modelled(heard, fit)


def paths_figure(modelled: Modelled) -> Figure | Note | Nothing:
    """Draw constructs and paths."""
    fit = modelled.fit
    if fit is None:
        return Note(_("No path model"), (modelled.refused,)) if modelled.refused else Nothing()
    named = fit.paths.reset_index()
    strongest = named.sort_values("coefficient", key=abs, kind="stable").iloc[-1]
    open_ = fit.paths[(fit.paths["lower"] <= 0) & (fit.paths["upper"] >= 0)]
    finding = _(
        "The largest coefficient is from {cause} to {effect} ({lower} to {upper}); {open} of {all} are not told from "
        "none",
        cause=_words(str(strongest["from"])),
        effect=_words(str(strongest["to"])),
        lower=number(float(strongest["lower"]), 2),
        upper=number(float(strongest["upper"]), 2),
        open=count(len(open_)),
        all=count(len(fit.paths)),
    )
    return Figure(
        name="paths",
        number=0,
        finding=finding,
        what=_(
            "Standardised path coefficients between constructs (partial least squares); the share of differences "
            "explained, and the index from 0 to 100, in each box. Dashed: the 95% interval holds zero."
        ),
        drawing=path_diagram(
            _boxes(fit),
            named,
            name="paths",
            label=finding,
        ),
        note=" ".join(
            [
                _(
                    "{n} respondents; {draws} samples behind the intervals. The arrows are those of the theory; that "
                    "the data fit them does not prove their direction.",
                    n=count(fit.n),
                    draws=count(fit.draws - fit.failed_draws),
                ),
                *(modelled.heard.in_words(note) for note in fit.notes),
            ]
        ),
        data=_paths_data(fit),
    )


def indices_table(modelled: Modelled) -> Table | Nothing:
    """List the constructs with their indices, and how well their items hang together."""
    fit = modelled.fit
    if fit is None:
        return Nothing()
    frame = fit.indices.join(fit.quality).join(fit.r_squared[["r_squared"]])
    frame.insert(0, "label", [_words(str(name)) for name in frame.index])
    lowest = frame.sort_values("index", kind="stable").iloc[0]
    return Table(
        name="indices",
        number=0,
        finding=_(
            "{construct} has the lowest index, {index} of 100 ({lower} to {upper})",
            construct=capital(lowest["label"]),
            index=number(lowest["index"], 1),
            lower=number(lowest["lower"], 1),
            upper=number(lowest["upper"], 1),
        ),
        what=_(
            "Index from 0 to 100 with limits at 95%; Cronbach's alpha, composite reliability, and the share of the "
            "items' differences that the construct holds (AVE, 50% or more is usual)."
        ),
        frame=frame,
        columns=(
            Column("label", _("Construct"), kind="text", sortable=False),
            Column("index", _("Index"), digits=1),
            Column("lower", _("from"), digits=1, sortable=False),
            Column("upper", _("to"), digits=1, sortable=False),
            Column("r_squared", _("Explained"), "%", kind="percent", digits=0),
            Column("alpha", _("Alpha"), digits=2),
            Column("composite_reliability", _("Reliability"), digits=2),
            Column("average_variance_extracted", _("AVE"), "%", kind="percent", digits=0),
        ),
        downloads=modelled.heard.chapter.download("indices", frame.drop(columns="label")),
    )


def effects_figure(modelled: Modelled) -> Figure | Nothing:
    """Draw importance for the last construct against performance."""
    fit = modelled.fit
    if fit is None:
        return Nothing()
    target = modelled.target
    table = fit.importance_performance(target)
    table.insert(0, "label", [_words(str(name)) for name in table.index])
    lines = (float(table["importance"].mean()), float(table["performance"].mean()))
    first = table.sort_values("importance", ascending=False).iloc[0]
    finding = _(
        "{name} counts most for {target}: one point of its index goes with {effect} points ({lower} to {upper})",
        name=capital(first["label"]),
        target=_words(target),
        effect=number(first["importance"], 2),
        lower=number(first["lower"], 2),
        upper=number(first["upper"], 2),
    )
    return Figure(
        name="effects",
        number=0,
        finding=finding,
        what=_(
            "Points of the index of {target} that go with one point of a construct's index, by all paths together, "
            "against that index; 95% intervals, lines at the means.",
            target=_words(target),
        ),
        drawing=priority_map(
            table.rename(columns={"lower": "importance_lower", "upper": "importance_upper"}),
            lines=lines,
            name="effects",
            label=finding,
            words=(_("total effect, points of the index for one point"), _("index, 0 to 100")),
            ticks=(lambda value: number(value, 1), lambda value: number(value, 0)),
        ),
        note=_("Total effects are associations along the arrows of the model, in points of indices from 0 to 100."),
    )


def items_table(modelled: Modelled) -> Table | Nothing:
    """List the items that count for the last construct, with their means."""
    fit = modelled.fit
    if fit is None:
        return Nothing()
    table = fit.importance_performance(modelled.target, level="item").sort_values("importance", ascending=False)
    table = table.join(fit.loadings.reset_index("construct", drop=True)[["loading"]])
    table.insert(
        0,
        "label",
        [
            f"{modelled.heard.label(str(name))}\n{_words(str(construct))}"
            for name, construct in zip(table.index, table["construct"], strict=True)
        ],
    )
    first = modelled.heard.label(str(table.index[0]))
    return Table(
        name="items",
        number=0,
        finding=_("{item} counts most among the questions", item=capital(first)),
        what=_(
            "Points of the index of {target} that go with one point of the question, 0 to 100; limits at 95%.",
            target=_words(modelled.target),
        ),
        frame=table,
        columns=(
            Column("label", _("Question"), kind="text", sortable=False),
            Column("importance", _("Effect"), digits=3),
            Column("lower", _("from"), digits=3, sortable=False),
            Column("upper", _("to"), digits=3, sortable=False),
            Column("performance", _("Mean, 0 to 100"), digits=1),
            Column("loading", _("Loading"), digits=2),
        ),
        downloads=modelled.heard.chapter.download("path-items", table.drop(columns="label")),
        long=True,
    )


def _boxes(fit: PathModelFit) -> pd.DataFrame:
    boxes = fit.indices[["index"]].join(fit.r_squared[["r_squared"]])
    boxes.insert(0, "label", [_words(str(name)) for name in boxes.index])
    return boxes


def _paths_data(fit: PathModelFit) -> Table:
    frame = fit.paths.reset_index()
    frame["label"] = [f"{_words(str(a))} → {_words(str(b))}" for a, b in zip(frame["from"], frame["to"], strict=True)]
    return Table(
        name="paths-data",
        number=0,
        finding=_("The numbers drawn"),
        what="",
        frame=frame,
        columns=(
            Column("label", _("Path"), kind="text"),
            Column("coefficient", _("Coefficient"), digits=3),
            Column("lower", _("from"), digits=3),
            Column("upper", _("to"), digits=3),
        ),
    )


def _words(construct: str) -> str:
    return construct.replace("_", " ")
