#!/usr/bin/env python3
"""Checks that transformers reads the model folders that isostar writes.

    ISOSTAR_OUT=FOLDER cargo test --workspace --test models_tests -- --ignored folders::
    python scripts/transformers_round_trip.py FOLDER

FOLDER contains models at any depth, each with a logits.safetensors that contains the batch and isostar's logits. Fails if for any
model transformers loads another class, misses a weight or has an unexpected one, pads with a different token than the model
expects, or computes different logits.
"""

import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForQuestionAnswering, AutoModelForSequenceClassification, AutoTokenizer

TOLERANCE = 1e-5


def check(folder):
    stored = load_file(folder / "logits.safetensors")
    names = [name for name in stored if name.endswith("logits")]
    kind = AutoModelForSequenceClassification if names == ["logits"] else AutoModelForQuestionAnswering
    model, report = kind.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
    problems = {name: keys for name, keys in report.items() if keys}
    if problems:
        sys.exit(f"{folder} does not contain the complete model: {problems}")
    if model.config.architectures != [type(model).__name__]:
        sys.exit(f"{folder} contains a {type(model).__name__}, but its configuration names {model.config.architectures}")

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer(["w7 w8 w9", "w7"], padding=True)
    if tokenizer.pad_token_id != model.config.pad_token_id and names == ["logits"]:
        sys.exit(f"{folder}: the tokenizer pads with {tokenizer.pad_token_id}, but the model expects {model.config.pad_token_id}")

    types = dict(token_type_ids=stored["type_ids"]) if hasattr(model.config, "type_vocab_size") else {}
    with torch.no_grad():
        output = model.eval()(stored["ids"], attention_mask=stored["mask"], **types)
    differences = []
    for name in names:
        found, expected = output[name], stored[name]
        if found.shape != expected.shape:
            sys.exit(f"{folder}: {name} of shape {list(found.shape)}, isostar has {list(expected.shape)}")
        differences.append((found - expected).abs().max().item() / expected.abs().max().item())
    print(f"{folder}: {type(model).__name__}, {', '.join(names)} differ by {max(differences):.1e} of the largest")
    return max(differences)


def main(folder):
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    folders = sorted(path.parent for path in Path(folder).rglob("logits.safetensors"))
    if not folders:
        sys.exit(f"{folder} contains no logits.safetensors")
    largest = max(map(check, folders))
    print(f"{len(folders)} models, largest difference {largest:.1e}")
    if not largest <= TOLERANCE:
        sys.exit(f"above the tolerance of {TOLERANCE:g}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
