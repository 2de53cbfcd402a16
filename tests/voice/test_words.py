from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from crm_analysis.voice.chinese_words import find_chinese_words, longest_matches
from crm_analysis.voice.words import find_words, language_of, masked, normalised

REVIEWS = Path(__file__).parents[3] / "shared" / "data" / "waimai_10k_reviews_zh.csv"
# Each of the two words has neighbours that change; characters beside them do not come together again.
SAID = ["送餐很快", "送餐太慢", "又是送餐晚", "味道不错", "喜欢这味道", "味道太咸了", "面条凉", "下午没有人接电话呢"]


@pytest.fixture(scope="module")
def reviews() -> pd.DataFrame:
    if not REVIEWS.exists():
        pytest.skip("the public reviews are not here")
    return pd.read_csv(REVIEWS).sample(3000, random_state=0, ignore_index=True)


def test_words_are_characters_that_keep_together_among_neighbours_that_change():
    assert find_chinese_words(SAID, least=3, cohesion=2.0) == {"送餐", "味道"}


def test_part_of_a_longer_word_is_no_word_where_its_neighbour_never_changes():
    words = find_chinese_words(["好卷饼的", "卷饼们凉", "要卷饼吗", "面条下午没有人接电话呢"], least=3, cohesion=1.0)
    assert words == {"卷饼"}
    longer = find_chinese_words(
        ["好煎饼果的", "煎饼果们凉", "要煎饼果吗", "面条下午没有人接电话呢"], least=3, cohesion=1.0
    )
    assert longer == {"煎饼果"}


def test_cohesion_is_the_least_mutual_information_of_the_parts():
    # 20 characters; the pair is said 4 times and so is each of its characters: log(4 * 20 / (4 * 4)) nats.
    texts = ["甲乙丙", "丁甲乙", "戊甲乙己", "甲乙", "庚辛壬癸子丑寅卯"]
    exact = np.log(4 * 20 / 16)
    assert find_chinese_words(texts, least=4, cohesion=exact - 1e-9) == {"甲乙"}
    assert find_chinese_words(texts, least=4, cohesion=exact + 1e-9) == frozenset()


def test_freedom_is_the_entropy_of_the_neighbours_and_ends_all_differ():
    # Before the pair: 丁, 丁, and two ends: probabilities 1/2, 1/4, 1/4. After it: four ends.
    texts = ["丁甲乙", "丁甲乙", "甲乙", "甲乙", "庚辛壬癸子丑寅卯"]
    exact = 1.5 * np.log(2)
    assert find_chinese_words(texts, least=4, cohesion=1.0, freedom=exact - 1e-9) == {"甲乙"}
    assert find_chinese_words(texts, least=4, cohesion=1.0, freedom=exact + 1e-9) == frozenset()


def test_longest_words_are_taken_first_from_the_left():
    assert longest_matches("送餐员送餐", frozenset({"送餐", "餐员", "送餐员"})) == ["送餐员", "送餐"]


def test_nothing_written_has_no_words():
    assert find_chinese_words([], least=3) == frozenset()
    assert find_words([]).tokens("") == []


def test_order_of_comments_does_not_matter():
    assert find_words(SAID) == find_words(SAID[::-1])


def test_a_frequent_negation_is_one_word_with_what_it_negates():
    lexicon = find_words(["It was not good", "isn’t good!", "not a good one", "good"])
    assert lexicon.tokens("Not very good, but good value") == ["not good", "good", "value"]


def test_a_rare_negation_leaves_the_word_as_it_is():
    assert find_words(["good", "not good", "good"]).tokens("not good") == ["good"]


def test_a_chinese_negation_joins_the_next_word_without_a_blank():
    lexicon = find_words(["不好", "不太好", "不好!", "不,好"])
    assert lexicon.tokens("不很好。") == ["不好"]
    assert lexicon.tokens("不。好") == ["好"]


def test_plurals_become_singulars_where_both_are_written():
    lexicon = find_words(["price and delivery", "Prices, deliveries, goods, a good box, boxes, process"])
    assert lexicon.tokens("prices deliveries boxes goods process") == ["price", "delivery", "box", "goods", "process"]
    assert find_words(["prices"]).tokens("prices") == ["prices"]


def test_full_width_forms_and_capitals_are_the_same_words():
    assert normalised("ＶＥＲＹ　ＧＯＯＤ！") == "very good!"


def test_traditional_characters_make_words_too():
    # In so short a text only a filler of other characters makes two that keep together stand out (3 nats).
    filler = "下午沒有人接電話呢麵條涼了點兒包裝盒子破損湯也灑出來過後再聯繫客服處理退款"
    filler += "到帳慢得讓顧生氣無語一二三四五六七八九十"
    assert find_words(["訂單很快", "我訂單呢", "這訂單錯", filler]).chinese == {"訂單"}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param("送货很快", "zh", id="chinese"),
        pytest.param("Delivery was quick", "en", id="english"),
        pytest.param("iPhone 送货慢", "zh", id="english-word-in-chinese"),
        pytest.param("the dish 卷饼 was cold", "en", id="chinese-word-in-english"),
        pytest.param("送貨很快", "zh", id="traditional"),
        pytest.param("👍 10/10 !!!", "", id="no-word"),
    ],
)
def test_language_is_that_of_most_words(text, language):
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("write to a.b+c@d-e.co.uk, please", "write to •••, please"),
        ("电话13812345678找我", "电话•••找我"),
        ("+44 (0)20 7946 0958", "•••"),
        ("１３８１２３４５６７８", "•••"),
        ("order 1234, 5 pieces", "order 1234, 5 pieces"),
    ],
)
def test_addresses_and_long_numbers_are_masked(text, shown):
    assert masked(text) == shown


@settings(max_examples=60)
@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_text_has_words_that_are_written_in_it(texts):
    lexicon = find_words(texts)
    for text in texts:
        assert all(token and token == token.strip() for token in lexicon.tokens(text))
        assert language_of(text) in ("", "en", "zh")
        masked(text)


def test_words_tell_good_reviews_from_bad_as_well_as_pairs_of_characters_do(reviews):
    words = find_words(reviews["review"])
    pairs = [[text[i : i + 2] for i in range(len(text) - 1)] for text in reviews["review"].map(normalised)]
    accuracy = {}
    for name, documents in {"words": [words.tokens(text) for text in reviews["review"]], "pairs": pairs}.items():
        model = make_pipeline(
            TfidfVectorizer(analyzer=lambda document: document, min_df=2, sublinear_tf=True),
            LogisticRegression(C=5, max_iter=500),
        )
        accuracy[name] = cross_val_score(model, documents, reviews["label"], cv=3).mean()
    assert accuracy["words"] > max(accuracy["pairs"] - 0.015, 0.82)


def test_words_of_reviews_are_those_a_reader_would_name(reviews):
    found = find_words(reviews["review"]).chinese
    assert {"送餐", "味道", "服务", "态度", "米饭", "好吃", "难吃", "小时", "电话", "包装"} <= found
    assert not found & {"的味", "餐员", "道不", "了一", "的送"}
