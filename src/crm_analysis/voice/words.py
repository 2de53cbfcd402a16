"""Words of comments in English and Chinese, without a dictionary: the comments themselves say what is a word."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from crm_analysis.voice.chinese_words import HAN, find_chinese_words, longest_matches
from crm_analysis.voice.stop_words import CHINESE, CHINESE_CHARACTERS, CHINESE_NEGATIONS, ENGLISH, ENGLISH_NEGATIONS

# A run of Han characters, a word of letters (with apostrophes inside), or a mark that ends what a negation reaches.
_PIECE = re.compile(rf"(?P<han>{HAN}+)|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)|(?P<stop>[.,;:!?。、…\n])")
_HAN = re.compile(HAN)
_WORD = re.compile(r"[^\W\d_]+")
_NOT_PLURAL = frozenset({"news", "goods", "means", "customs", "thanks", "glasses"})
# A Chinese negation reaches over these, an English one over every stop word.
_DEGREES = frozenset("很太是")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_DIGITS = re.compile(r"\+?\d(?:[ ().\-]{0,2}\d){4,}")
_HIDDEN = "•••"


@dataclass(frozen=True)
class Lexicon:
    """What some comments tell about their words.

    Attributes
    ----------
    chinese : frozenset of str
        Words of two characters and more.
    singular : mapping
        The singular of each plural, where both occur.
    negated : frozenset of str
        Words with their negation that are said often enough to be words of their own, such as "not good".
    """

    chinese: frozenset[str]
    singular: Mapping[str, str]
    negated: frozenset[str]

    def tokens(self, text: str) -> list[str]:
        """Return the words of a comment in order, without stop words; a negated word is one word with its negation."""
        found = []
        for negation, word in _negations_and_words(text, self.chinese, self.singular):
            pair = _pair(negation, word)
            found.append(pair if pair in self.negated else word)
        return found


def find_words(texts: Iterable[str]) -> Lexicon:
    """Learn from comments what their words are.

    Parameters
    ----------
    texts : iterable of str
        The comments, in any mixture of languages; the order does not matter.

    Returns
    -------
    Lexicon
        A word of it, and a negation, is said at least three times, or once in 2,000 comments if that is more.

    Examples
    --------
    >>> find_words(["Not good", "The price isn't good", "No good prices"]).tokens("Good prices, not good!")
    ['good', 'price', 'good']
    >>> find_words(["Not good", "The price isn't good", "not a good one"]).tokens("Good? NOT good!")
    ['good', 'not good']
    """
    known = [normalised(text) for text in texts]
    least = max(3, len(known) // 2000)
    chinese = find_chinese_words(known, least=least)
    seen = {match["word"] for text in known for match in _PIECE.finditer(text) if match["word"]}
    singular = {word: one for word in sorted(seen) if (one := _singular(word)) != word and one in seen}
    pairs = Counter(
        _pair(negation, word)
        for text in known
        for negation, word in _negations_and_words(text, chinese, singular)
        if negation
    )
    return Lexicon(chinese, singular, frozenset(pair for pair, count in pairs.items() if count >= least))


def language_of(text: str) -> str:
    """Return "zh" where there are at least as many Han characters as words of other letters, else "en"; "" if no word.

    A word in another language written with letters counts as English.

    Examples
    --------
    >>> language_of("APP 很好用"), language_of("Very good 👍"), language_of("10/10 !!")
    ('zh', 'en', '')
    """
    han = len(_HAN.findall(text))
    others = len(_WORD.findall(_HAN.sub(" ", text)))
    return "" if han + others == 0 else "zh" if han >= others else "en"


def masked(text: str) -> str:
    """Return a comment without e-mail addresses and numbers of five digits and more, such as telephone numbers.

    Examples
    --------
    >>> masked("Call 138-1234 5678 or ann.lee@shop.example, order 77, table 5")
    'Call ••• or •••, order 77, table 5'
    """
    return _DIGITS.sub(_HIDDEN, _ADDRESS.sub(_HIDDEN, unicodedata.normalize("NFKC", text)))


def normalised(text: str) -> str:
    """Return text in small letters with full-width forms made plain, so that "ＯＫ！" and "ok!" are the same."""
    return unicodedata.normalize("NFKC", text).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def is_single_character(token: str) -> bool:
    """Whether a token is one Han character, which seldom says what a comment is about."""
    return len(token) == 1 and _HAN.match(token) is not None


def _negations_and_words(text: str, chinese: frozenset[str], singular: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each word that is no stop word, with the negation before it or ""."""
    negation = ""
    for match in _PIECE.finditer(normalised(text)):
        if match["stop"]:
            negation = ""
            continue
        for word in [match["word"]] if match["word"] else longest_matches(match["han"], chinese):
            if word in CHINESE_NEGATIONS:
                negation = word
            elif word in ENGLISH_NEGATIONS or word.endswith("n't"):
                negation = word if word in {"no", "never", "without"} else "not"
            elif not _is_stop_word(word):
                yield negation, singular.get(word, word)
                negation = ""
            elif _HAN.match(word) and word not in _DEGREES:
                negation = ""


def _is_stop_word(word: str) -> bool:
    if _HAN.match(word):
        return word in CHINESE or CHINESE_CHARACTERS.issuperset(word)
    return len(word) == 1 or word in ENGLISH


def _pair(negation: str, word: str) -> str:
    return negation + ("" if _HAN.match(negation) else " ") + word


def _singular(word: str) -> str:
    if len(word) < 4 or word in _NOT_PLURAL or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("xes", "zes", "ches", "shes", "sses")) else word[:-1]
