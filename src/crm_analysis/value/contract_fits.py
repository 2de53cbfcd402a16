"""One sBG for each kind of contract, as far as contracts can bear it: their own, one for all of a length, or a share.

A group in which nobody has left yet is young or small, and not immortal: it is given the model of all contracts that
are renewed after the same time.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import EstimationWarning, SettingsError, listing, warn_of_doubt
from crm_analysis.messages import _, count, percent
from crm_analysis.models.sbg import SBGFit, fit_sbg
from crm_analysis.value.draws import drawn_fits

OWN, POOLED, GIVEN = "own", "renewal_period", "given"

# Two parameters ask for ten events each (Peduzzi et al. 1996, Journal of Clinical Epidemiology 49, 1373-1379).
LEAST = 20
# So certain a beta distribution is one chance for all; from so certain an estimate on members show no differences.
_CERTAIN, _ALIKE = 1e6, 1e4


def fit_groups(
    histories: pd.DataFrame, periods_of: Mapping[str, str], given: Mapping[str, SBGFit] | None = None
) -> tuple[dict[str, SBGFit], pd.DataFrame]:
    """Fit an sBG to each group of contracts that has enough of them.

    Parameters
    ----------
    histories : DataFrame, one row a contract
        group, renewal_period, periods and churned.
    periods_of : mapping of group to renewal period
        All groups wanted, those without a contract of their own included.
    given : mapping of group to SBGFit, optional
        In place of fits: one for each group.

    Returns
    -------
    fits : dict of group to SBGFit
    groups : DataFrame, indexed by group
        renewal_period; contracts, renewals_due, ended (counts); fitted_on: own, renewal_period for all contracts of
        that length, or given; source_due, source_ended: renewals that came up there, and those not made; one_chance:
        whether all leave alike; alpha, beta; words for the reader.

    Raises
    ------
    SettingsError
        When fits are given, and one lacks.

    Warns
    -----
    EstimationWarning
        When a fit that is used is doubtful.

    Notes
    -----
    A group has a fit of its own where at least 20 contracts ended, 20 renewals were made and 20 contracts came up for a
    second one: two parameters want ten events each, and before the second renewal they cannot be told apart. Otherwise
    the contracts of its length are taken together; where these are too few as well, or members show no differences (the
    estimate runs away), all are given one chance to leave, (ended + 1) / (renewals due + 2), the rule of succession
    (Laplace 1774).
    """
    absent = [] if given is None else [group for group in periods_of if group not in given]
    if absent:
        raise SettingsError(f"fits: there is none for {listing(absent)}; give one for each group of contracts.")
    fits: dict[str, SBGFit] = {}
    rows: dict[str, dict[str, Any]] = {}
    pools: dict[str, SBGFit] = {}
    for group, period in periods_of.items():
        own, pool = histories[histories["group"] == group], histories[histories["renewal_period"] == period]
        if given is not None:
            source, fits[group] = own, given[group]
        elif has_enough(own):
            source, fits[group] = own, _fitted(own)
        else:
            source, fits[group] = pool, pools[period] if period in pools else _fitted(pool)
            pools[period] = fits[group]
        fitted_on = GIVEN if given is not None else OWN if source is own else POOLED
        is_one = given is None and _is_one_chance(fits[group])
        rows[group] = {
            "renewal_period": period,
            "contracts": len(own),
            "renewals_due": _due(own),
            "ended": int(own["churned"].sum()),
            "fitted_on": fitted_on,
            "source_due": _due(source),
            "source_ended": int(source["churned"].sum()),
            "one_chance": is_one,
            "alpha": fits[group].params.alpha,
            "beta": fits[group].params.beta,
            "words": _words(fitted_on, is_one, own, source, period),
        }
    return fits, pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")


def has_enough(histories: pd.DataFrame) -> bool:
    """Whether both parameters of an sBG can be learnt from some contracts."""
    periods, churned = histories["periods"], histories["churned"].astype(bool)
    second = (periods >= 2) | ((periods == 1) & churned)
    return bool(min(churned.sum(), periods.sum(), second.sum()) >= LEAST)


def _fitted(histories: pd.DataFrame) -> SBGFit:
    alike = one_chance((float(histories["churned"].sum()) + 1) / (_due(histories) + 2))
    if not has_enough(histories):
        return alike
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        fit = fit_sbg(memberships=histories[["periods", "churned"]])
    if sum(fit.params) > _ALIKE:
        return alike
    for sentence in fit.advice:
        warn_of_doubt(sentence)
    return fit


def _is_one_chance(fit: SBGFit) -> bool:
    return sum(fit.params) > _ALIKE


def _due(histories: pd.DataFrame) -> int:
    """Renewals that came up: those made and those not."""
    return int(histories["periods"].sum() + histories["churned"].sum())


def one_chance(leaving: float) -> SBGFit:
    """Return the sBG in which everybody leaves with one chance."""
    return SBGFit.from_params((leaving * _CERTAIN, (1 - leaving) * _CERTAIN), time_unit="")


def drawn_groups(fits: Mapping[str, SBGFit], groups: pd.DataFrame, draws: int, seed: int) -> list[dict[str, SBGFit]]:
    """Return the fits under drawn parameters; groups that share a fit share its draws.

    Those of an sBG are drawn from the approximation to their sampling distribution, one chance for all from what is
    known of it, Beta(ended + 1, renewals made + 1).
    """
    by_source: dict[tuple[str, str], list[SBGFit]] = {}
    for place, (group, row) in enumerate(groups.iterrows()):
        key = _source(str(group), row)
        if key in by_source:
            continue
        if row["one_chance"]:
            ended, due = float(row["source_ended"]), float(row["source_due"])
            chances = np.random.default_rng([seed, place]).beta(ended + 1, due - ended + 1, size=draws)
            by_source[key] = [one_chance(float(chance)) for chance in chances]
        else:
            by_source[key] = drawn_fits(fits[str(group)], draws, seed + place)
    sources = {str(group): _source(str(group), row) for group, row in groups.iterrows()}
    return [{group: by_source[key][draw] for group, key in sources.items()} for draw in range(draws)]


def _source(group: str, row: pd.Series) -> tuple[str, str]:
    return (POOLED, str(row["renewal_period"])) if row["fitted_on"] == POOLED else (OWN, group)


def _words(fitted_on: str, is_one: bool, own: pd.DataFrame, source: pd.DataFrame, period: str) -> str:
    """Say for the reader what the chances of a group are learnt from."""
    if fitted_on == GIVEN:
        return _("The chances are given, not learnt from these contracts.")
    contracts, ended, lost, due = len(own), int(own["churned"].sum()), int(source["churned"].sum()), _due(source)
    if fitted_on == OWN:
        sentences = [
            _("Learnt from its own {contracts} contracts, of which {ended} ended.", contracts=count(contracts),
              ended=count(ended))
        ]  # fmt: skip
    else:
        few = (
            _("{ended} of its {contracts} contracts ended, too few to learn from.")
            if ended
            else _("None of its {contracts} contracts has ended yet, which does not make them last for ever.")
        )
        sentences = [
            few.format(ended=count(ended), contracts=count(contracts)),
            _("Learnt from all {contracts} contracts renewed after {period}.", contracts=count(len(source)),
              period=period),
        ]  # fmt: skip
    if is_one and due == 0:
        sentences.append(_("None of them has come up for renewal: nothing is known, and half are taken to renew."))
    elif is_one:
        sentences.append(
            _(
                "They do not tell members apart: {lost} of {due} renewals were not made, and all members are given one "
                "chance to leave, {share}, by the rule of succession.",
                lost=count(lost),
                due=count(due),
                share=percent((lost + 1) / (due + 2), 1),
            )
        )
    return " ".join(sentences)
