#!/usr/bin/env python3
"""Creates the test cases of the scores, with the results of the reference implementations.

    python scripts/golden_scores.py                  -> isostar-train/tests/fixtures/scores.json
    python scripts/golden_scores.py --marks          prints the table of score/word.rs

Accuracy, F1, Matthews correlation and confusion counts are computed by scikit-learn, Pearson and Spearman correlation by SciPy.

SQuAD's official evaluate-v1.1.py is not available as a package: normalize_answer, f1_score, exact_match_score and evaluate below
implement its published definition (Rajpurkar et al. 2016) without printing. transformers 4 contains evaluate-v2.0.py as
squad_evaluate. The examples of transformers are not a package either: n_best and answer_or_none implement
postprocess_qa_predictions (examples/pytorch/question-answering/utils_qa.py) without and with null answers. The only difference
is the order of equal logits, which np.argsort does not define: here the earlier token comes first.

Requires numpy, scipy, scikit-learn and transformers 4; transformers 5 has no squad_evaluate.
"""

import json
import re
import string
import sys
import unicodedata
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import scipy
import sklearn
import transformers
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score as sklearn_f1, matthews_corrcoef
from transformers.data.metrics.squad_metrics import squad_evaluate
from transformers.data.processors.squad import SquadExample

FILE = Path(__file__).parent.parent / "isostar-train" / "tests" / "fixtures" / "scores.json"
SEED = 20240611
# Logits are integer multiples of 1/SCALE, which are exact in single precision and in JSON.
SCALE = 4096


# Classification


def classification_case(name, labels, predictions, classes):
    labels, predictions = [int(y) for y in labels], [int(y) for y in predictions]
    every = list(range(classes))
    f1 = sklearn_f1(labels, predictions, labels=every, average=None, zero_division=0)
    if set(labels) | set(predictions) == {0, 1}:
        assert f1[1] == sklearn_f1(labels, predictions, zero_division=0)
    return dict(
        name=name,
        classes=classes,
        labels=labels,
        predictions=predictions,
        confusion=confusion_matrix(labels, predictions, labels=every).tolist(),
        accuracy=float(accuracy_score(labels, predictions)),
        f1=[float(value) for value in f1],
        macro_f1=float(sklearn_f1(labels, predictions, average="macro", zero_division=0)),
        matthews=float(matthews_corrcoef(labels, predictions)),
    )


def classification_cases(rng):
    named = [
        ("perfect", [0, 1, 1, 0], [0, 1, 1, 0], 2),
        ("inverted", [0, 1, 1, 0], [1, 0, 0, 1], 2),
        ("constant predictions, negative", [0, 1, 1, 0], [0, 0, 0, 0], 2),
        ("constant predictions, positive", [0, 1, 1, 0], [1, 1, 1, 1], 2),
        ("one-class split, right", [1, 1, 1], [1, 1, 1], 2),
        ("one-class split of negatives, right", [0, 0, 0], [0, 0, 0], 2),
        ("one-class split, wrong", [1, 1, 1], [0, 0, 0], 2),
        ("one-class split, mixed", [1, 1, 1], [0, 1, 0], 2),
        ("single row, right", [1], [1], 2),
        ("single row, wrong", [0], [1], 2),
        ("a class without rows", [0, 2, 2, 0], [0, 2, 0, 0], 4),
        ("a class that is only predicted", [0, 0, 1, 1], [0, 2, 1, 2], 3),
        ("a class that is never predicted", [0, 1, 2, 2], [0, 1, 0, 1], 3),
        ("three classes, perfect", [0, 1, 2], [0, 1, 2], 3),
        ("three classes, shifted", [0, 1, 2], [1, 2, 0], 3),
        ("uncorrelated", [0, 0, 1, 1], [0, 1, 0, 1], 2),
        ("rare positives", [1] + [0] * 199, [1] + [1] + [0] * 198, 2),
    ]
    cases = [classification_case(*case) for case in named]
    for at in range(50):
        classes = 2 if at % 2 == 0 else int(rng.integers(3, 7))
        rows = int(rng.integers(1, 50))
        labels = rng.choice(classes, rows, p=rng.dirichlet(np.ones(classes)))
        right = rng.random(rows) < rng.random()
        predictions = np.where(right, labels, rng.integers(0, classes, rows))
        cases.append(classification_case(f"random {at}", labels, predictions, classes))
    return cases


# Correlation


def correlation_case(name, x, y):
    x, y = [float(value) for value in x], [float(value) for value in y]

    def defined(function):
        if len(x) < 2:
            return None
        value = float(function(x, y)[0])
        return None if np.isnan(value) else value

    return dict(name=name, x=x, y=y, pearson=defined(pearsonr), spearman=defined(spearmanr))


def correlation_cases(rng):
    named = [
        ("no point", [], []),
        ("one point", [1.0], [2.0]),
        ("two points", [1.0, 2.0], [3.0, 5.0]),
        ("two points, falling", [1.0, 2.0], [3.0, -1.0]),
        ("two equal points", [1.0, 1.0], [1.0, 1.0]),
        ("constant x", [2.5, 2.5, 2.5], [1.0, 2.0, 3.0]),
        ("constant y", [1.0, 2.0, 3.0], [0.1, 0.1, 0.1]),
        ("constant predictions that no binary fraction equals", [0.1] * 10, list(range(10))),
        ("perfect", [0.0, 1.0, 2.5, 5.0], [0.0, 1.0, 2.5, 5.0]),
        ("inverted", [0.0, 1.0, 2.5, 5.0], [5.0, 4.0, 2.5, 0.0]),
        ("rising, not linear", [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 8.0, 27.0]),
        ("all but one tied", [0.0, 0.0, 0.0, 1.0], [3.0, 1.0, 2.0, 4.0]),
        ("ties in both", [1, 1, 2, 2, 3, 3], [1, 2, 1, 2, 3, 3]),
        ("zeros of both signs tie", [0.0, -0.0, 1.0], [1.0, 2.0, 3.0]),
        ("huge", [1e200, -2e200, 3e200, 4e199], [2.0, 1.0, 5.0, 3.0]),
        ("tiny", [1e-200, -2e-200, 3e-200, 4e-201], [2.0, 1.0, 5.0, 3.0]),
        ("far from zero", [1e8 + 1, 1e8 + 2, 1e8 + 4, 1e8 + 3], [2.0, 1.0, 5.0, 3.0]),
        ("uncorrelated", [-1.0, 0.0, 1.0], [1.0, 0.0, 1.0]),
    ]
    cases = [correlation_case(*case) for case in named]
    for at in range(50):
        rows = int(rng.integers(2, 40))
        x = rng.normal(size=rows)
        y = rng.uniform(-1, 1) * x + rng.uniform(0, 1) * rng.normal(size=rows)
        if at % 3 == 1:
            x, y = np.round(2 * x) / 2, np.round(2 * y) / 2
        elif at % 3 == 2:
            x = np.clip(np.round(2.5 + x, 1), 0, 5)
        cases.append(correlation_case(f"random {at}", np.round(x, 6), np.round(y, 6)))
    return cases


# SQuAD v1.1, after the official script


def normalize_answer(text):
    kept = "".join(character for character in text.lower() if character not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def f1_score(prediction, gold):
    predicted, right = normalize_answer(prediction).split(), normalize_answer(gold).split()
    same = sum((Counter(predicted) & Counter(right)).values())
    if same == 0:
        return 0
    precision, recall = 1.0 * same / len(predicted), 1.0 * same / len(right)
    return (2 * precision * recall) / (precision + recall)


def exact_match_score(prediction, gold):
    return normalize_answer(prediction) == normalize_answer(gold)


def evaluate(questions):
    f1 = exact_match = total = 0
    for question in questions:
        total += 1
        if question["prediction"] is None:
            continue
        exact_match += max(exact_match_score(question["prediction"], gold) for gold in question["answers"])
        f1 += max(f1_score(question["prediction"], gold) for gold in question["answers"])
    return dict(exact_match=100.0 * exact_match / total, f1=100.0 * f1 / total)


WORDS = (
    "a an the A An The THE river River town flood 1987 3.5 metres U.S. it's (the) the, \"a\" a's x-the-y the_end then another — … – "
    "café cafe\u0301 CAFÉ Σίσυφος ΟΔΟΣ ὈΔΥΣΣΕΎΣ Straße İstanbul ISTANBUL 東京 東京a the東京 a\u0301 a\u0345 the² ²the ⓐ aⓐ Ⓐn a\u093f an\u200d "
    "\u200ban a\u00a0the \x1cthe\x1f \u2003an\u3000 the\u0085 $ % - !! 🙂 the🙂 🙂an «the» ‘an’ “The” ０ a０ ª º the\u00ad ½a ⅷ a\u20dd "
).split(" ")


def answer_text(rng, longest=6):
    words = [WORDS[at] for at in rng.integers(0, len(WORDS), rng.integers(0, longest + 1))]
    return rng.choice([" ", " ", " ", "  ", "\t", "\u00a0"]).join(words)


def varied(rng, text):
    """The text with one word added, removed or replaced, or with different case."""
    words = text.split(" ")
    at = int(rng.integers(0, len(words)))
    word = WORDS[int(rng.integers(0, len(WORDS)))]
    change = int(rng.integers(0, 5))
    changed = [words[:at] + words[at + 1 :], words[:at] + [word] + words[at:], words[:at] + [word] + words[at + 1 :], words[::-1], words]
    return " ".join(changed[change]) if change != 4 else text.upper()


def span_pairs(rng):
    pairs = [
        ("", ""),
        ("", "river"),
        ("river", ""),
        ("the", "a"),
        ("An the a", ""),
        ("the", "river"),
        ("...", "!?"),
        ("the river", "The River!"),
        ("river river town", "river town town"),
        ("x", "x x x"),
        ("a" * 50, "a" * 49),
    ]
    pairs += [(word, word.upper()) for word in WORDS] + [(word, "") for word in WORDS]
    for _ in range(100):
        gold = answer_text(rng)
        pairs.append((varied(rng, gold) if rng.random() < 0.8 else answer_text(rng), gold))
    return [
        dict(
            prediction=prediction,
            gold=gold,
            normalized=[normalize_answer(prediction), normalize_answer(gold)],
            exact_match=exact_match_score(prediction, gold),
            f1=float(f1_score(prediction, gold)),
        )
        for prediction, gold in pairs
    ]


def span_splits(rng):
    def question(prediction, *answers):
        return dict(prediction=prediction, answers=list(answers))

    splits = [
        ("perfect", [question("the river", "river"), question("1987", "1987", "in 1987")]),
        ("all missing", [question(None, "river"), question(None, "the")]),
        ("one missing", [question("river", "the river"), question(None, "town"), question("town flood", "flood")]),
        ("empty predictions", [question("", "river"), question("", "town")]),
        ("articles only", [question("the", "a"), question("an", "river")]),
        ("single question, wrong", [question("river", "town")]),
        ("exact match and F1 of different answers", [question("a flood", "the", "flood in town", "flood river town")]),
    ]
    for at in range(15):
        questions = []
        for _ in range(int(rng.integers(1, 12))):
            answers = [answer_text(rng) for _ in range(int(rng.integers(1, 4)))]
            prediction = varied(rng, answers[int(rng.integers(0, len(answers)))]) if rng.random() < 0.9 else None
            questions.append(question(prediction, *answers))
        splits.append((f"random {at}", questions))
    return [dict(name=name, questions=questions, **evaluate(questions)) for name, questions in splits]


# SQuAD v2.0, by the official script as transformers has it


def squad2_split(name, questions):
    def example(at, question):
        answers = [dict(text=text, answer_start=0) for text in question["answers"]]
        return SquadExample(str(at), "", "", None, None, "", answers=answers, is_impossible=not answers)

    predictions = {str(at): question["prediction"] for at, question in enumerate(questions)}
    scores = squad_evaluate([example(at, question) for at, question in enumerate(questions)], predictions)

    def part(prefix):
        return [scores[prefix + "exact"], scores[prefix + "f1"]] if prefix + "exact" in scores else None

    return dict(name=name, questions=questions, all=part(""), has_answer=part("HasAns_"), no_answer=part("NoAns_"))


def squad2_splits(rng):
    def question(prediction, *answers):
        return dict(prediction=prediction, answers=list(answers))

    splits = [
        ("all right", [question("the river", "river"), question("")]),
        ("all wrong", [question("", "river"), question("town")]),
        ("answers only", [question("river", "river", "a river"), question("", "town")]),
        ("no answers only", [question(""), question("river"), question("the")]),
        ("articles are no answer", [question("a"), question("...")]),
        ("gold answers of which nothing is left", [question("", "the"), question("an", "the", "..."), question("river", "the")]),
        ("gold answers of which one is left", [question("", "the", "river"), question("river", "the", "river")]),
    ]
    for at in range(20):
        questions = []
        for _ in range(int(rng.integers(1, 15))):
            answers = [answer_text(rng) for _ in range(int(rng.integers(0, 3)))]
            close = varied(rng, answers[0]) if answers else answer_text(rng)
            questions.append(question("" if rng.random() < 0.4 else close, *answers))
        splits.append((f"random {at}", questions))
    return [squad2_split(*split) for split in splits]


# Best spans, after transformers' examples


def logits_of(window):
    return [np.array(window[end], dtype=np.float32) / np.float32(SCALE) for end in ["start", "end"]]


def n_best(context, windows, n_best_size, max_answer_length):
    found = []
    for at, window in enumerate(windows):
        start_logits, end_logits = logits_of(window)
        offsets = window["offsets"]
        starts = np.argsort(-start_logits, kind="stable")[:n_best_size].tolist()
        ends = np.argsort(-end_logits, kind="stable")[:n_best_size].tolist()
        for start in starts:
            for end in ends:
                if start >= len(offsets) or end >= len(offsets) or offsets[start] is None or offsets[end] is None:
                    continue
                if end < start or end - start + 1 > max_answer_length:
                    continue
                score = start_logits[start] + end_logits[end]
                found.append((float(score), at, start, end, context[offsets[start][0] : offsets[end][1]]))
    return sorted(found, key=lambda span: span[0], reverse=True)[:n_best_size]


def span_case(name, context, windows, n_best_size=20, max_answer_length=30):
    spans = n_best(context, windows, n_best_size, max_answer_length)
    # In this case transformers returns "empty", which is not part of the context.
    failed = not spans or (len(spans) == 1 and spans[0][4] == "")
    return dict(
        name=name,
        context=context,
        windows=windows,
        n_best=n_best_size,
        max_tokens=max_answer_length,
        spans=[list(span[:4]) for span in spans],
        best=None if failed else spans[0][4],
    )


def window(start, end, offsets, scale=SCALE):
    return dict(start=[int(x * scale) for x in start], end=[int(x * scale) for x in end], offsets=offsets)


def named_span_cases():
    context = "Zoë saw 東京 🙂 in 1987"
    tokens = [(match.start(), match.end()) for match in re.finditer(r"\S+", context)]
    question = [None, None, None]
    inside = question + tokens + [None]
    zero, size = [0.0] * len(inside), len(inside)

    def peak(at, height=5.0, base=0.0):
        return [height if index == at else base for index in range(size)]

    return [
        span_case("one clear answer after wide characters", context, [window(peak(5), peak(6), inside)]),
        span_case("the last token", context, [window(peak(8), peak(8), inside)]),
        span_case("the whole context", context, [window(peak(3), peak(8), inside)]),
        span_case("all logits equal", context, [window(zero, zero, inside)]),
        span_case("all logits equal in two windows", context, [window(zero, zero, inside), window(zero, zero, inside)]),
        span_case("no window", context, []),
        span_case("no token of the context", context, [window(zero, zero, [None] * size)]),
        span_case("the question takes all places", context, [window(peak(1), peak(1), inside)], n_best_size=1),
        span_case("end before start", context, [window(peak(7), peak(3), inside)], n_best_size=1),
        span_case("the answer is too long", context, [window(peak(3), peak(8), inside)], n_best_size=1, max_answer_length=5),
        span_case("the answer is just short enough", context, [window(peak(3), peak(8), inside)], n_best_size=1, max_answer_length=6),
        span_case("the second window is better", context, [window(peak(4), peak(4), inside), window(peak(5, 6.0), peak(5), inside)]),
        span_case("two windows tie", context, [window(peak(5), peak(5), inside), window(peak(4), peak(4), inside)]),
        span_case("two starts tie", context, [window(peak(4)[:6] + [5.0] + peak(4)[7:], peak(8), inside)]),
        span_case("offsets shorter than logits", context, [window(peak(8), peak(8), inside[:8])]),
        span_case("padding on the left", context, [window([9.0] * 4 + peak(4), [9.0] * 4 + peak(5), [None] * 4 + inside)]),
        span_case("one answer of no text", context, [window([1.0], [1.0], [(4, 4)])]),
        span_case("an answer of no text before others", context, [window([1.0, 0.0], [1.0, 0.0], [(4, 4), (4, 7)])]),
        span_case("empty context", "", [window([1.0, 0.0], [1.0, 0.0], [None, None])]),
        span_case("offsets past the end", context, [window([1.0, 0.0], [0.0, 1.0], [(18, 22), (22, 99)])]),
        span_case("room for none", context, [window(zero, zero, inside)], n_best_size=0),
    ]


def random_span_case(rng, name, tied):
    words = [WORDS[at] for at in rng.integers(0, len(WORDS), int(rng.integers(1, 60)))]
    context = " ".join(words)
    tokens = []
    for match in re.finditer(r"\S+", context):
        cut = int(rng.integers(match.start() + 1, match.end() + 1))
        tokens += [(match.start(), cut)] + ([(cut, match.end())] if cut < match.end() else [])
    asked = int(rng.integers(1, 6))
    room, stride = int(rng.integers(8, 40)), int(rng.integers(1, 6))
    windows, first = [], 0
    while True:
        part = tokens[first : first + room]
        offsets = [None] * (asked + 2) + part + [None] * (1 + room - len(part))
        scale = 1 if tied else SCALE
        start, end = rng.normal(0, 2, len(offsets)), rng.normal(0, 2, len(offsets))
        offsets = offsets[: len(offsets) - int(rng.integers(0, 2))]
        windows.append(dict(start=np.rint(start * scale).astype(int).tolist(), end=np.rint(end * scale).astype(int).tolist(), offsets=offsets))
        first += max(1, room - stride)
        if first >= len(tokens):
            break
    return span_case(name, context, windows, int(rng.choice([1, 3, 5, 20, 20])), int(rng.choice([1, 4, 30, 30])))


def span_cases(rng):
    randoms = [random_span_case(rng, f"random {at}", tied=False) for at in range(40)]
    return named_span_cases() + randoms + [random_span_case(rng, f"random with ties {at}", tied=True) for at in range(15)]


def answer_or_none(context, windows, n_best_size, max_answer_length):
    """The score of the null answer, and the text of the answer, which is empty for a null answer. There must be a span with text."""
    null_score = min(start_logits[0] + end_logits[0] for start_logits, end_logits in map(logits_of, windows))
    spans = [(score, text) for score, _, _, _, text in n_best(context, windows, n_best_size, max_answer_length)]
    predictions = sorted(spans + [(float(null_score), "")], key=lambda span: span[0], reverse=True)[:n_best_size]
    best_score, best_text = next(span for span in predictions if span[1] != "")
    return float(null_score), "" if float(null_score) - best_score > 0.0 else best_text


def no_answer_cases(rng):
    cases = []
    while len(cases) < 60:
        case = random_span_case(rng, f"random {len(cases)}", tied=len(cases) % 4 == 3)
        if not any(case["context"][slice(*offset)] for window in case["windows"] for offset in window["offsets"] if offset):
            continue
        for window in case["windows"]:
            # Raises the score of the null answer to the level of the spans.
            window["start"][0] += round(SCALE * rng.uniform(0, 7))
            window["end"][0] += round(SCALE * rng.uniform(0, 7))
        no_answer, answer = answer_or_none(case["context"], case["windows"], 20, 30)
        cases.append(dict(name=case["name"], context=case["context"], windows=case["windows"], no_answer=no_answer, answer=answer))
    none = sum(case["answer"] == "" for case in cases)
    assert 15 <= none <= 45, none
    return cases


# Characters


def ranges(belongs):
    """The ranges of code points for which `belongs` is true, including both ends."""
    found = []
    for point in range(sys.maxunicode + 1):
        if belongs(chr(point)):
            if found and found[-1][1] == point - 1:
                found[-1][1] = point
            else:
                found.append([point, point])
    return found


def is_mark(character):
    enclosed = "ⓐ" <= character <= "ⓩ" or "Ⓐ" <= character <= "Ⓩ" or any(
        low <= ord(character) <= low + 25 for low in (0x1F130, 0x1F150, 0x1F170)
    )
    return enclosed or unicodedata.category(character).startswith("M")


def marks():
    """The ranges of marks and of letters in circles or squares: the first code point of each range and the first one after it.

    Ranges are joined across code points that are not part of a word."""
    joined, word = [], -1
    for point in range(sys.maxunicode + 1):
        if chr(point).isalnum():
            word = point
        elif is_mark(chr(point)):
            if joined and word < joined[-1][1]:
                joined[-1][1] = point + 1
            else:
                joined.append([point, point + 1])
    return [end for pair in joined for end in pair]


def characters():
    assigned = lambda character: unicodedata.category(character) not in ("Cn", "Cs")
    return dict(
        word=ranges(lambda character: re.match(r"\w", character) and character != "_"),
        other=ranges(lambda character: assigned(character) and not re.match(r"\w", character)),
        space=ranges(str.isspace),
        lower=[[character, character.lower()] for character in "AÉÏİΣẞǅᾈⅧⒶ𐐀Ω"],
    )


def main():
    if "--marks" in sys.argv[1:]:
        print(", ".join(f"{point:#x}" for point in marks()))
        return
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(SEED)
    groups = dict(
        classification=classification_cases(rng),
        correlation=correlation_cases(rng),
        span_pairs=span_pairs(rng),
        span_splits=span_splits(rng),
        best_span=span_cases(rng),
        squad2_splits=squad2_splits(rng),
        no_answer=no_answer_cases(rng),
    )
    versions = {
        "python": sys.version.split()[0],
        "unicode": unicodedata.unidata_version,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "transformers": transformers.__version__,
    }

    def dump(value):
        return json.dumps(value, ensure_ascii=True, separators=(",", ":"))

    parts = [f'"versions":{dump(versions)}', f'"seed":{SEED}', f'"scale":{SCALE}', f'"characters":{dump(characters())}']
    parts += [f'"{name}":[\n' + ",\n".join(map(dump, cases)) + "\n]" for name, cases in groups.items()]
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    print(f"{FILE}: " + ", ".join(f"{len(cases)} {name}" for name, cases in groups.items()))


if __name__ == "__main__":
    main()
