#!/usr/bin/env python3
"""Converts a pretrained BERT to an equivalent DistilBERT and an equivalent RoBERTa.

    python scripts/fold_minilm.py BERT_FOLDER OUT           writes OUT/distilbert and OUT/roberta

DistilBERT has no token types and no pooler, so the embedding of token type 0 is added to the position table. RoBERTa has one
token type and numbers positions from pad_token_id + 1, so the position table is shifted by that number of rows. The vocabulary
and the padding id 0 of BERT are kept. For tokens of type 0, both models compute the hidden states of the BERT, up to rounding.
The tokenizers are changed to assign type 0 to the second text of a pair.

Requires only the standard library.
"""

import json
import sys
from array import array
from pathlib import Path

import plain_safetensors

LAYER = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
WORDS = "embeddings.word_embeddings.weight"
POSITIONS = "embeddings.position_embeddings.weight"
TYPES = "embeddings.token_type_embeddings.weight"
NORM = ("embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias")


def positions_of_type_0(bert):
    """The position table with the row of token type 0 added to each of its rows."""
    dtype, shape, table = bert[POSITIONS]
    width = shape[1]
    row, sums = array("f", bytes(bert[TYPES][2][: 4 * width])), array("f", bytes(table))
    for index in range(len(sums)):
        sums[index] += row[index % width]
    return dtype, shape, sums.tobytes()


def distilbert(bert, config, positions):
    tensors = {name: bert[name] for name in (WORDS, *NORM)} | {POSITIONS: positions}
    for layer in range(config["num_hidden_layers"]):
        for theirs, ours in LAYER.items():
            for part in ("weight", "bias"):
                tensors[f"transformer.layer.{layer}.{ours}.{part}"] = bert[f"encoder.layer.{layer}.{theirs}.{part}"]
    settings = dict(
        architectures=["DistilBertModel"],
        model_type="distilbert",
        vocab_size=config["vocab_size"],
        max_position_embeddings=config["max_position_embeddings"],
        dim=config["hidden_size"],
        hidden_dim=config["intermediate_size"],
        n_layers=config["num_hidden_layers"],
        n_heads=config["num_attention_heads"],
        activation=config["hidden_act"],
        pad_token_id=config["pad_token_id"],
    )
    return tensors, settings


def roberta(bert, config, positions):
    tensors = {name: bert[name] for name in bert if name.startswith(("encoder.", "pooler.")) or name in (WORDS, *NORM)}
    dtype, (rows, width), table = positions
    unused = config["pad_token_id"] + 1
    tensors[POSITIONS] = (dtype, [unused + rows, width], bytes(4 * unused * width) + table)
    tensors[TYPES] = (dtype, [1, width], bytes(4 * width))
    settings = config | dict(
        architectures=["RobertaModel"],
        model_type="roberta",
        max_position_embeddings=unused + rows,
        type_vocab_size=1,
        bos_token_id=101,
        eos_token_id=102,
    )
    return tensors, settings


def write(folder, tensors, settings, tokenizer):
    folder.mkdir(parents=True, exist_ok=True)
    plain_safetensors.write(folder / "model.safetensors", tensors)
    special = {f"{name.lower()}_token": f"[{name}]" for name in ("PAD", "UNK", "CLS", "SEP", "MASK")}
    inputs = ["input_ids", "attention_mask"]
    tokenizer_settings = dict(tokenizer_class="PreTrainedTokenizerFast", model_max_length=512, model_input_names=inputs)
    files = {"config": settings, "tokenizer": tokenizer, "tokenizer_config": tokenizer_settings | special}
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def main(source, out):
    source, out = Path(source), Path(out)
    bert = plain_safetensors.read(source / "model.safetensors")
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    for piece in tokenizer["post_processor"]["pair"]:
        for settings in piece.values():
            settings["type_id"] = 0

    positions = positions_of_type_0(bert)
    write(out / "distilbert", *distilbert(bert, config, positions), tokenizer)
    write(out / "roberta", *roberta(bert, config, positions), tokenizer)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
