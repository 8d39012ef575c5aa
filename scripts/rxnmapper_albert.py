#!/usr/bin/env python3
"""Converts the ALBERT model in the PyPI package rxnmapper to a transformers folder.

    python scripts/rxnmapper_albert.py SOURCE_FOLDER TARGET_FOLDER

SOURCE_FOLDER is rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k of the unpacked wheel (0.4.3, MIT). The script writes
config.json, model.safetensors, tokenizer.json and tokenizer_config.json. Texts are reactions in SMILES notation, with tokens
separated by spaces.

Requires only the standard library. A pickle can execute code, so it is read by an unpickler that accepts only f32 tensors.
"""

import json
import pickle
import shutil
import sys
from collections import OrderedDict
from math import prod
from pathlib import Path

import plain_safetensors

SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}


def tensor(storage, offset, shape, strides, *_):
    """torch._utils._rebuild_tensor_v2, for tensors that fill their storage in row-major order."""
    key, length = storage
    row_by_row = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if offset != 0 or prod(shape) != length or strides != row_by_row:
        raise pickle.UnpicklingError(f"refused: a view of storage {key}")
    return key, shape


class Reader(pickle.Unpickler):
    GLOBALS = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): tensor,
        ("torch", "FloatStorage"): "F32",
    }

    def find_class(self, module, name):
        if (module, name) not in self.GLOBALS:
            raise pickle.UnpicklingError(f"refused: {module}.{name}")
        return self.GLOBALS[module, name]

    def persistent_load(self, reference):
        match reference:
            case ("storage", "F32", key, _device, length, None):
                return key, length
        raise pickle.UnpicklingError(f"refused: {reference}")


def read_pickle(path):
    """Reads the format of torch before 1.6: five consecutive pickles, then each storage preceded by its length."""
    with open(path, "rb") as file:
        _magic, _protocol, _machine, state, keys = (Reader(file).load() for _ in range(5))
        storages = {key: file.read(4 * int.from_bytes(file.read(8), "little")) for key in keys}
    tensors = {}
    for name, (key, shape) in state.items():
        # As in transformers, a tied weight is stored once, under its first name.
        if key in storages:
            tensors[name] = ("F32", shape, storages.pop(key))
    return tensors


def tokenizer(vocabulary):
    first = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    second = [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]
    first.append({"SpecialToken": {"id": "[SEP]", "type_id": 0}})
    ends = {token: {"id": token, "ids": [vocabulary[token]], "tokens": [token]} for token in ("[CLS]", "[SEP]")}
    flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": vocabulary[token], "content": token, **flags} for token in SPECIAL.values()],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "TemplateProcessing", "single": first, "pair": first + second, "special_tokens": ends},
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }


def main(source, target):
    source, target = Path(source), Path(target)
    target.mkdir(parents=True, exist_ok=True)
    plain_safetensors.write(target / "model.safetensors", read_pickle(source / "pytorch_model.bin"))
    shutil.copyfile(source / "config.json", target / "config.json")
    tokens = (source / "vocab.txt").read_text(encoding="utf-8").splitlines()
    vocabulary = {token: id for id, token in enumerate(tokens)}
    (target / "tokenizer.json").write_text(json.dumps(tokenizer(vocabulary)), encoding="utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, **SPECIAL}
    (target / "tokenizer_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
