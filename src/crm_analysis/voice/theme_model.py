"""Themes of comments in one language: words that are written in the same company, found by clustering words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from crm_analysis.models.histories import Floats, Integers

MOST_THEMES = 12
FEWEST_THEMES = 3
# As many comments and words are behind each theme, on average, where the number of themes is chosen.
COMMENTS_PER_THEME, WORDS_PER_THEME = 10, 2
# Jaccard index from which a theme counts as found again. Themes that have nothing to do with each other would have one
# of 1 / (2 n_themes - 1); clusters of points keep 0.6 or more (Hennig), but a comment may well belong to two themes.
FOUND_AGAIN = 0.4
# More themes say more, and are taken for it if they are found again nearly as well as fewer.
_NEARLY = 0.85
# The number of themes is chosen on so many comments, the most frequent words are clustered, in so many dimensions.
_CHOSEN_ON, _MOST_WORDS, _DIMENSIONS = 5_000, 1_500, 50
_SUBSAMPLES, _PART = 5, 0.8


@dataclass(frozen=True, eq=False)
class ThemeModel:
    """Themes, and how much of each is in each comment.

    Attributes
    ----------
    words : list of str
        The vocabulary.
    theme_of : array, shape (n_words,)
        The theme that each word belongs to.
    weight : array, shape (n_words,)
        How telling each word is of its theme: comments with it, times the cosine of word and theme.
    parts : array, shape (n_comments, n_themes)
        Share of each theme in the words of a comment, rare words counting more; 0 for a comment without such words.
    likeness : array, shape (n_comments, n_themes)
        Cosine of comment and theme.
    agreement : array, shape (n_themes,)
        How far a theme has the same comments (mean Jaccard index) when it is found in random parts of them.
    """

    words: list[str]
    theme_of: Integers
    weight: Floats
    parts: Floats
    likeness: Floats
    agreement: Floats

    @property
    def leading(self) -> Integers:
        """The theme with the largest part in each comment; of equal parts, the one that the comment is more like."""
        return np.argmax(np.round(self.parts, 9) + 1e-6 * self.likeness, axis=1)

    def telling_words(self, count: int) -> list[list[str]]:
        """Return the words of each theme, the most telling first."""
        order = np.argsort(-self.weight, kind="stable")
        return [
            [self.words[j] for j in order[self.theme_of[order] == theme]][:count]
            for theme in range(self.parts.shape[1])
        ]


def find_themes(documents: Sequence[Sequence[str]], *, n_themes: int | None, seed: int) -> ThemeModel | None:
    """Find themes.

    Parameters
    ----------
    documents : sequence of sequences of str
        The words of each comment, in any order.
    n_themes : int or None
        None: of 3 to 12, and at most one for ten comments and two words, the number whose themes are found again best
        in random parts of the comments (mean Jaccard index), or a larger one that comes within 15% of it and to 0.4.
    seed : int
        Of these parts.

    Returns
    -------
    ThemeModel or None
        None where fewer than two words are said often enough: by three comments, or one in 400.

    Notes
    -----
    A word is described by the words it shares comments with (positive pointwise mutual information, cut to 50
    dimensions: Levy, Goldberg & Dagan 2015, Transactions of the ACL 3, section 3), so that two words for one thing come
    close though nobody writes both. Clusters of words are the themes (Sia, Dalmia & Mielke 2020, EMNLP). How far they
    are found again: Hennig (2007), Computational Statistics & Data Analysis 52, 258-271.
    """
    tfidf = TfidfVectorizer(
        analyzer=_as_it_is, min_df=max(3, len(documents) // 400), max_df=0.5, max_features=_MOST_WORDS, norm="l1"
    )
    try:
        matrix = csr_matrix(tfidf.fit_transform(documents))
    except ValueError:  # no word is said by enough comments, or only by too many
        return None
    if matrix.shape[1] < 2:
        return None
    # The matrices are small: threads would wait for one another longer than they work.
    with threadpool_limits(limits=1):
        return _themes_of(matrix, list(tfidf.get_feature_names_out()), n_themes, seed)


def _themes_of(matrix: csr_matrix, vocabulary: list[str], n_themes: int | None, seed: int) -> ThemeModel:
    rng = np.random.default_rng(seed)
    told = np.flatnonzero(matrix.getnnz(axis=1))
    chosen_on = matrix[told if len(told) <= _CHOSEN_ON else rng.choice(told, _CHOSEN_ON, replace=False)]
    places = np.arange(chosen_on.shape[0])
    parts = [rng.choice(places, round(_PART * len(places)), replace=False) for _ in range(_SUBSAMPLES)]
    vectors = [_vectors(chosen_on[part]) for part in parts]
    if n_themes is None:
        most = min(MOST_THEMES, len(told) // COMMENTS_PER_THEME, len(vocabulary) // WORDS_PER_THEME)
        n_themes = _found_again_best(chosen_on, max(most, 1), parts, vectors)
    themes = _cluster(_vectors(matrix), min(n_themes, len(vocabulary)))
    unit, theme_of, centres = themes
    comment = matrix @ unit
    return ThemeModel(
        words=vocabulary,
        theme_of=theme_of,
        weight=matrix.getnnz(axis=0) * np.einsum("ij,ij->i", unit, centres[theme_of]),
        parts=_parts(matrix, theme_of, len(centres)),
        likeness=_unit_rows(comment) @ centres.T,
        agreement=_agreement(chosen_on, themes, parts, vectors),
    )


def _found_again_best(matrix: csr_matrix, most: int, parts: Any, vectors: Any) -> int:
    whole = _vectors(matrix)
    means = {
        count: float(np.mean(_agreement(matrix, _cluster(whole, count), parts, vectors)))
        for count in range(min(FEWEST_THEMES, most), most + 1)
    }
    best = max(means.values())
    return max(count for count, mean in means.items() if mean == best or mean >= max(_NEARLY * best, FOUND_AGAIN))


def _as_it_is(words: Sequence[str]) -> Sequence[str]:
    return words


def _vectors(matrix: csr_matrix) -> tuple[Floats, Floats]:
    """Return words as unit vectors, by the words they share comments with, and in how many comments each is."""
    said = csr_matrix((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    together = (said.T @ said).toarray()
    count = np.diag(together).copy()
    np.fill_diagonal(together, 0.0)
    # Contexts to the power of 3/4, so that rare ones do not look more telling than they are (Levy et al., section 3.2).
    row, context = together.sum(axis=1), together.sum(axis=0) ** 0.75
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(together * context.sum() / np.outer(row, context))
    # A word is in its own company, too; with that alone, words that are said by themselves are themes of their own.
    positive = np.where(information > 0, information, 0.0)
    np.fill_diagonal(positive, np.maximum(positive.max(axis=1), 1.0))
    left, size, _ = randomized_svd(positive, min(_DIMENSIONS, len(positive) - 1), random_state=0)
    return _unit_rows(left * np.sqrt(size)), count


def _cluster(vectors: tuple[Floats, Floats], count: int) -> tuple[Floats, Integers, Floats]:
    """Return words as vectors, the theme of each, and the themes as unit vectors."""
    unit, weight = vectors
    different = len(np.unique(np.round(unit, 6), axis=0))
    means = KMeans(min(count, different), n_init=4, random_state=0).fit(unit, sample_weight=weight)
    return unit, means.labels_.astype(np.int64), _unit_rows(means.cluster_centers_)


def _parts(matrix: csr_matrix, theme_of: Integers, count: int) -> Floats:
    return np.asarray(matrix @ np.eye(count)[theme_of])


def _agreement(matrix: csr_matrix, themes: tuple[Floats, Integers, Floats], parts: Any, vectors: Any) -> Floats:
    """Mean Jaccard index of the comments of each theme and those of the theme most like it in a random part."""
    _, theme_of, centres = themes
    found = np.zeros(len(centres))
    for rows, words in zip(parts, vectors, strict=True):
        _, other_of, other_centres = _cluster(words, len(centres))
        both = np.zeros((len(centres), len(other_centres)))
        ours = _parts(matrix[rows], theme_of, both.shape[0]).argmax(axis=1)
        theirs = _parts(matrix[rows], other_of, both.shape[1]).argmax(axis=1)
        np.add.at(both, (ours, theirs), 1.0)
        either = both.sum(axis=1)[:, None] + both.sum(axis=0) - both
        found += np.max(np.divide(both, either, out=np.zeros_like(both), where=either > 0), axis=1)
    return found / len(parts)


def _unit_rows(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
