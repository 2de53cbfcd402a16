"""Short comments, put together from a theme and praise or blame, in English and in Chinese."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from crm_analysis.company.drawing import pick, where_known, words
from crm_analysis.models.histories import Floats


class Theme(NamedTuple):
    """What a comment is about: its share, and how it is praised and blamed in each language."""

    name: str
    share: float
    english: tuple[tuple[str, ...], tuple[str, ...]]
    chinese: tuple[tuple[str, ...], tuple[str, ...]]


THEMES = (
    Theme(
        "delivery",
        0.32,
        (
            ("Delivery was quick.", "My parcel came a day early."),
            ("Delivery took far too long.", "My parcel came late and nobody told me."),
        ),
        (("送货很快。", "包裹提前一天就到了。"), ("送货太慢了。", "包裹晚到，也没有人通知。")),
    ),
    Theme(
        "quality",
        0.26,
        (
            ("The quality is excellent.", "Well made, I would buy it again."),
            ("The quality is poor.", "It broke after two weeks."),
        ),
        (("质量非常好。", "做工很好，还会再买。"), ("质量很差。", "用了两周就坏了。")),
    ),
    Theme(
        "price",
        0.20,
        (("Good value for money.", "Fair prices."), ("Too expensive.", "I found it cheaper elsewhere.")),
        (("性价比很高。", "价格公道。"), ("太贵了。", "别家更便宜。")),
    ),
    Theme(
        "staff",
        0.14,
        (
            ("Friendly and helpful staff.", "I was advised very well."),
            ("The staff were rude.", "Nobody could help me."),
        ),
        (("店员很热情。", "客服讲解得很清楚。"), ("店员态度不好。", "没有人能帮我。")),
    ),
    Theme(
        "website",
        0.08,
        (
            ("The website is easy to use.", "Ordering was simple."),
            ("The website keeps failing.", "Ordering was a maze."),
        ),
        (("网站很好用。", "下单很方便。"), ("网站总是出错。", "下单太麻烦。")),
    ),
)


@dataclass(frozen=True)
class CommentPlan:
    """Who writes what.

    Attributes
    ----------
    share : float
        Of respondents who leave a comment.
    chinese : float
        Share of the comments that are in Chinese.
    praise : float
        What one standard deviation of satisfaction multiplies the odds of praise by; even odds at the mean.
    themes : tuple of Theme
        What comments are about.
    """

    share: float = 0.35
    chinese: float = 0.25
    praise: float = 4.0
    themes: tuple[Theme, ...] = THEMES


def draw_comments(plan: CommentPlan, satisfaction: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Draw comment, theme, is_praise and language ("en", "zh") of each respondent, missing where nothing was said."""
    n = len(satisfaction)
    silent = rng.random(n) >= plan.share
    theme = pick(tuple((each.name, each.share) for each in plan.themes), n, rng)
    praise = rng.random(n) < expit(np.log(plan.praise) * satisfaction)
    chinese = rng.random(n) < plan.chinese
    luck = rng.random(n)
    texts = []
    for place, is_praise, is_chinese, chance in zip(theme, praise, chinese, luck, strict=True):
        each = plan.themes[place]
        choice = (each.chinese if is_chinese else each.english)[0 if is_praise else 1]
        texts.append(choice[int(chance * len(choice))])
    names = [each.name for each in plan.themes]
    return pd.DataFrame(
        {
            "comment": words(texts, np.where(silent, -1, np.arange(n))),
            "theme": words(names, np.where(silent, -1, theme)),
            "is_praise": where_known(praise, ~silent),
            "language": words(["en", "zh"], np.where(silent, -1, chinese.astype(int))),
        }
    )
