#!/usr/bin/env python3
"""Writes the windows that transformers creates for questions whose paragraphs are too long for one window.

    python scripts/golden_windows.py                  -> isostar/tests/fixtures/windows.json

The tokenizers are the three small ones of scripts/golden_tokenizers.py, called as in transformers' run_qa.py. The tokens of an
answer are determined with char_to_token. If the answer is not within the window, or the question has no answer, run_qa.py uses
the token that represents the sequence: the tokenizer's cls_token, else its bos_token, else token 0. Requires transformers.
"""

import json
from pathlib import Path

import tokenizers
import transformers
from transformers import PreTrainedTokenizerFast

ROOT = Path(__file__).parent.parent
TOKENIZERS = ROOT / "isostar-models" / "tests" / "fixtures" / "tokenizers"
OUT = ROOT / "isostar" / "tests" / "fixtures" / "windows.json"

PARAGRAPH = (
    "In 1987 the river rose by 3.5 metres in one night. Nobody in the town remembers the flood, but the café on the corner — it's small — "
    "keeps a picture: houses, a dog and \u6771\u4eac 🙂 on the wall. Rain falls gently."
)
CASES = [
    dict(question="Who remembers the flood?", paragraph=PARAGRAPH, answer="Nobody", max_length=32, stride=8),
    dict(question="By how much did the river rise?", paragraph=PARAGRAPH, answer="3.5 metres", max_length=40, stride=16),
    dict(question="What falls?", paragraph=PARAGRAPH, answer="Rain", max_length=24, stride=4),
    dict(question="What does the picture show?", paragraph=PARAGRAPH, answer="houses, a dog and \u6771\u4eac 🙂", max_length=48, stride=20),
    dict(question="Where?", paragraph=PARAGRAPH, answer="café on the corner", max_length=200, stride=64),
    dict(question="Where?", paragraph="In the town.", answer="town", max_length=24, stride=4),
    dict(question="Who painted the picture?", paragraph=PARAGRAPH, answer=None, max_length=32, stride=8),
    dict(question="Where?", paragraph="In the town.", answer=None, max_length=24, stride=4),
    dict(question="What falls?", paragraph=PARAGRAPH, answer="Rain", max_length=24, stride=4, side="left"),
    dict(question="By how much did the river rise?", paragraph=PARAGRAPH, answer="3.5 metres", max_length=40, stride=16, side="left"),
]
# The special tokens in the settings of the tokenizers.
SPECIAL = dict(bert=dict(cls_token="[CLS]"), roberta=dict(cls_token="<s>", bos_token="<s>"), gpt2=dict(bos_token="<|endoftext|>"))


def windows(tokenizer, case):
    tokenizer.truncation_side = case.get("side", "right")
    encoded = tokenizer(
        case["question"],
        case["paragraph"],
        truncation="only_second",
        max_length=case["max_length"],
        stride=case["stride"],
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
    )
    start, end = 0, 0
    if case["answer"] is not None:
        start = case["paragraph"].index(case["answer"])
        end = start + len(case["answer"])
    found = []
    for at, offsets in enumerate(encoded["offset_mapping"]):
        sequences = encoded.sequence_ids(at)
        places = [list(offset) if sequence == 1 else None for offset, sequence in zip(offsets, sequences)]
        inside = [place for place in places if place is not None]
        ids = encoded["input_ids"][at]
        specials = [tokenizer.cls_token_id, tokenizer.bos_token_id]
        answer = [next((ids.index(special) for special in specials if special is not None and special in ids), 0)] * 2
        if case["answer"] is not None and inside[0][0] <= start and inside[-1][1] >= end:
            answer = [encoded.char_to_token(at, start, 1), encoded.char_to_token(at, end - 1, 1)]
        found.append(dict(ids=ids, type_ids=encoded["token_type_ids"][at], places=places, answer=answer))
    return found


def main():
    cases = []
    for name in ["bert", "roberta", "gpt2"]:
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZERS / f"{name}.json"), **SPECIAL[name])
        for case in CASES:
            start = None if case["answer"] is None else case["paragraph"].index(case["answer"])
            cases.append(dict(tokenizer=name, start=start, **case, windows=windows(tokenizer, case)))
    versions = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}
    OUT.write_text(json.dumps({"versions": versions, "cases": cases}, ensure_ascii=False, indent=None) + "\n")
    print(OUT, len(cases), "cases,", sum(len(case["windows"]) for case in cases), "windows")


main()
