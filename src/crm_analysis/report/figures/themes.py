"""What customers write about: the share of comments of each theme, with the words that mark it."""

import numpy as np
import pandas as pd

from crm_analysis.messages import _, number
from crm_analysis.report.figures.dots import interval_dots, shares
from crm_analysis.report.figures.labels import in_words
from crm_analysis.report.pieces import Drawing


def theme_dots(table: pd.DataFrame, *, name: str, label: str, axis: str = "") -> Drawing:
    """Draw the share of comments of each theme with its interval.

    Parameters
    ----------
    table : DataFrame, one row a theme, from the top
        label; words, which mark it (one text or a sequence of them); share, lower and upper (fractions); optionally
        satisfaction, the mean rating of those who wrote about it, missing where nobody rated.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    axis : str
        What the axis counts; by default the share of comments.

    Returns
    -------
    Drawing
    """
    ratings = table["satisfaction"] if "satisfaction" in table else [np.nan] * len(table)
    words = [
        _("{share}; mean rating {rating}", share=share, rating=number(float(rating), 1)) if pd.notna(rating) else share
        for share, rating in zip(in_words(table, "share", "lower", "upper", shares), ratings, strict=True)
    ]
    rows = table.assign(
        value=table["share"],
        small=[one if isinstance(one, str) else ", ".join(map(str, one)) for one in table["words"]],
        words=words,
    )
    return interval_dots(rows, name=name, label=label, axis=axis or _("share of comments"))
