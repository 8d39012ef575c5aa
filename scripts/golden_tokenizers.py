#!/usr/bin/env python3
"""Creates three small tokenizers, and the encodings of texts by transformers' PreTrainedTokenizerFast.

    python scripts/golden_tokenizers.py                  -> isostar-models/tests/fixtures/tokenizers/

bert.json is a WordPiece tokenizer with bert-base's template. roberta.json and gpt2.json are byte-level BPE tokenizers like those of
the models after which they are named; gpt2.json has no padding token. expected.json contains the inputs, the encodings or the
error, with offsets in characters, and the versions of the packages. Requires transformers and tokenizers.
"""

import json
from pathlib import Path

import tokenizers
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

FOLDER = Path(__file__).parent.parent / "isostar-models" / "tests" / "fixtures" / "tokenizers"

SENTENCES = [
    "The cat sat on the mat and watched the rain.",
    "Who watched the cat? The dog did, of course.",
    "Rain falls gently on the houses of the town.",
    "It's a small town, isn't it? Don't say it's large!",
    "In 1987 the river rose by 3.5 metres in one night.",
    "The café on the corner serves a naïve sort of soup.",
    "Nobody in the town remembers the night of the flood.",
    'She said: "the houses were small, and the river was large".',
    "A hidden state is a vector; a vector has a direction.",
    "Few directions of the hidden states carry most of the variance.",
    "Models remember what they were trained on, more or less.",
    "The dog sat in the rain, remembered the mat, and left.",
]

# Texts, optional second texts, and the settings of truncation and padding.
CASES = [
    dict(texts=["The cat sat in the rain."]),
    dict(texts=[""]),
    dict(texts=["  Two  spaces,\ta tab\nand a line  "]),
    dict(texts=["DON'T shout: it's 3.14!"]),
    dict(texts=["Na\u00efve CAF\u00c9, cafe\u0301 \u2014 \u6771\u4eac \U0001f642 done\u2026"]),
    dict(texts=["\U0001f469\u200d\U0001f680\u00a0\u0417\u0434\u0440\u0430\u0432\u043e"]),
    dict(texts=["Who sat?"], pairs=["The cat sat on the mat."]),
    dict(texts=["Who sat?"], pairs=[""]),
    dict(texts=[""], pairs=["The mat."]),
    dict(texts=[""], pairs=[""]),
    dict(texts=["The cat sat on the mat."], max_length=5, truncation="longest_first"),
    dict(texts=["The cat sat on the mat."], max_length=5),
    dict(texts=["Rain."], max_length=64, truncation="longest_first"),
    dict(texts=["The dog remembered?"], pairs=["The cat sat on the mat and watched."], max_length=11, truncation="longest_first"),
    dict(texts=["The dog remembered?"], pairs=["The cat sat on the mat and watched."], max_length=15, truncation="only_second"),
    dict(texts=["The dog remembered the rain and the cat."], pairs=["A cat."], max_length=8, truncation="only_second"),
    dict(texts=["The dog remembered the rain?"], pairs=["A cat."], max_length=10, truncation="longest_first"),
    dict(texts=["Rain falls gently.", "The mat"], padding="right"),
    dict(texts=["Rain falls gently.", "The mat"], padding="left"),
    dict(texts=["", "The caf\u00e9 \U0001f642"], padding="right"),
    dict(texts=["", "The caf\u00e9 \U0001f642"], padding="left"),
    dict(texts=["The", "Rain falls on the town."], max_length=6, truncation="longest_first", padding="right"),
    dict(
        texts=["Who sat?", "What?"],
        pairs=["The cat sat on the mat.", "Rain falls gently."],
        max_length=14,
        truncation="only_second",
        padding="right",
    ),
    dict(texts=["Who?", "Who left the town?"], pairs=["The dog.", "A dog did."], max_length=8, truncation="longest_first", padding="left"),
]


def word_piece(model):
    """A tokenizer with BERT's lower-casing and splitting before a model."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def bert():
    learner = word_piece(models.WordPiece(unk_token="[UNK]"))
    texts = [learner.normalizer.normalize_str(text) for text in SENTENCES]
    words = [word for text in texts for word, _ in learner.pre_tokenizer.pre_tokenize_str(text)]
    # The trainer numbers characters in a random order, which affects the merges. Special tokens keep their order.
    characters = sorted({word[0] for word in words}) + sorted({f"##{character}" for word in words for character in word[1:]})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special + characters, show_progress=False)
    learner.train_from_iterator(SENTENCES, trainer)

    tokenizer = word_piece(models.WordPiece(learner.get_vocab(), unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer, "[PAD]"


def byte_level(special):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def roberta():
    tokenizer = byte_level(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    return tokenizer, "<pad>"


def gpt2():
    tokenizer = byte_level([])
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer, None


def encode(tokenizer, texts, pairs=None, max_length=None, truncation="none", padding=None):
    if padding:
        tokenizer.padding_side = padding
    given = dict(texts=texts, pairs=pairs, max_length=max_length, truncation=truncation, padding=padding)
    try:
        encoded = tokenizer(
            texts,
            pairs,
            padding=padding is not None,
            truncation="do_not_truncate" if truncation == "none" else truncation,
            max_length=max_length,
            return_token_type_ids=True,
            return_attention_mask=True,
            return_offsets_mapping=True,
        )
    except Exception as error:
        return given | dict(error=str(error))
    names = dict(ids="input_ids", type_ids="token_type_ids", attention_mask="attention_mask", offsets="offset_mapping")
    return given | {name: encoded[theirs] for name, theirs in names.items()}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    versions = {package.__name__: package.__version__ for package in (transformers, tokenizers)}
    sections = []
    for make in (bert, roberta, gpt2):
        path = FOLDER / f"{make.__name__}.json"
        tokenizer, pad = make()
        tokenizer.save(str(path), pretty=False)
        # GPT-2 has no padding token; its only special token is used instead.
        pad = pad or "<|endoftext|>"
        fast = PreTrainedTokenizerFast(tokenizer_file=str(path), pad_token=pad)
        rows = ",\n".join(json.dumps(encode(fast, **case)) for case in CASES)
        sections.append(f'"{make.__name__}": {{"pad_token": "{pad}", "cases": [\n{rows}\n]}}')
    text = "{\n" + ",\n".join([f'"versions": {json.dumps(versions)}', *sections]) + "\n}\n"
    (FOLDER / "expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    main()
