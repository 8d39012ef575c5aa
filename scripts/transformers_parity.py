#!/usr/bin/env python3
"""Checks that transformers computes the same logits from a model folder as isostar.

    python scripts/transformers_parity.py MODEL_FOLDER TEXTS LOGITS.jsonl

MODEL_FOLDER was written by isostar. TEXTS contains one text per line; the first ten are used. LOGITS.jsonl contains isostar's raw
logits, one line {"index": i, "scores": [...]} per text. The texts are processed as one padded batch. Prints the largest
difference. Fails if it is above 1e-4, or if transformers newly initialized a weight.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

TOLERANCE = 1e-4
TEXTS = 10


def main(folder, texts, logits):
    texts = Path(texts).read_text(encoding="utf-8").splitlines()[:TEXTS]
    rows = [json.loads(line) for line in Path(logits).read_text(encoding="utf-8").splitlines() if line.strip()]
    scores = {row["index"]: row["scores"] for row in rows}
    absent = [index for index in range(len(texts)) if index not in scores]
    if not texts or absent:
        sys.exit(f"{logits} has no scores for the texts {absent} of {len(texts)}")

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, report = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    problems = {name: keys for name, keys in report.items() if keys}
    if problems:
        sys.exit(f"{folder} does not contain the complete model: {problems}")

    batch = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        found = model.eval()(**batch).logits
    expected = torch.tensor([scores[index] for index in range(len(texts))])
    if found.shape != expected.shape:
        sys.exit(f"transformers gives logits of shape {list(found.shape)}, isostar {list(expected.shape)}")
    difference = (found - expected).abs().max().item()
    print(f"largest difference of {found.numel()} logits: {difference:.2e}")
    if not difference <= TOLERANCE:
        sys.exit(f"above the tolerance of {TOLERANCE:g}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
