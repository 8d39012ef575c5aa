#!/usr/bin/env python3
"""Creates small tokenizers whose files contradict each other, with the ids of 200 rows by transformers' AutoTokenizer.

    python scripts/tokenizer_table.py                  -> isostar-models/tests/fixtures/tokenizer_table/
    ISOSTAR_OUT=FOLDER cargo test --workspace --test command_tests -- --ignored tokenizers::
    python scripts/tokenizer_table.py FOLDER           -> checks the folders that isostar wrote after training

Each folder of the table has a config.json, a tokenizer.json and files that override it. Its expected.json contains the ids of
every row, complete and truncated to CUT tokens, and the number of tokens of the complete row in the second segment. rows.json
contains the rows: a text or a pair of texts. The check fails if AutoTokenizer returns other ids for a folder that isostar wrote.
Requires transformers and tokenizers.
"""

import json
import random
import shutil
import sys
from pathlib import Path

import tokenizers
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

from golden_tokenizers import SENTENCES, byte_level

FOLDER = Path(__file__).parent.parent / "isostar-models" / "tests" / "fixtures" / "tokenizer_table"
CUT = 10
ROWS = 200

TRICKY = [
    "",
    " ",
    "  leading and trailing spaces  ",
    "tab\tline\nreturn\r\nend",
    "UPPER lower MiXeD",
    "The CAFÉ's naïve façade, crème brûlée",
    "cafe\u0301 nai\u0308ve \u00c5ngstro\u0308m",
    "\u0130stanbul \u0131\u015f\u0131k stra\u00dfe \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
    "\u6771\u4eac\u306b\u4f4f\u3080 Tokyo\u6771\u4eac city",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01",
    "\ud55c\uad6d\uc5b4 \u0e44\u0e17\u0e22 \u0417\u0434\u0440\u0430\u0432\u043e",
    "smile \U0001f642 rocket \U0001f469\u200d\U0001f680 flag \U0001f1eb\U0001f1f7",
    "zero\u200bwidth soft\u00adhyphen no\u00a0break \ufeffmark",
    "control\x07bell \x00null \ufffdreplacement",
    "``quoted'' \u201ccurly\u201d don't 'single'",
    "3.14 1,000,000 50% $5 a@b.c http://a.b/c?d=e",
    "\u2460 \u00bd \ufb01ne \uff21\uff22 x\u00b2",
    "a" * 120 + " end",
    "[CLS] in the [SEP] text [MASK] and [UNK] [PAD]",
    "<s>in the</s> text <mask>, <pad> and<unk>.",
    "end<|endoftext|>of <|endoftext|> text",
    "[cls] <MASK> <|ENDOFTEXT|>",
    "<user> likes <url>here",
    "the<user>, <url> and <URL>.",
    "café cafés CAFÉ xcafé",
    "  <user>   <url>  ",
    "<mask> the  <mask>  town",
    "Town town TOWN towns",
    "<|pad|> padded<|pad|>",
    "new_word new_words a new_word.",
]


def rows():
    """Difficult texts, alone and in pairs, followed by random sequences of words."""
    chance = random.Random(43)
    words = [word for text in SENTENCES for word in text.split()] + [word for text in TRICKY[4:] for word in text.split(" ") if len(word) < 30]

    def text(longest):
        return " ".join(chance.choices(words, k=chance.randint(1, longest)))

    found = [[tricky] for tricky in TRICKY]
    found += [[tricky, SENTENCES[at % len(SENTENCES)]] for at, tricky in enumerate(TRICKY) if tricky.strip()]
    # For single texts, transformers treats an empty second text as absent; in batches it is a pair.
    found += [["", "The town."], ["The town?", ""]]
    while len(found) < ROWS:
        found.append([text(4), text(7)] if chance.random() < 0.3 else [text(9)])
    return found


def words():
    return sorted({word.strip(".,?!:;\"") for text in SENTENCES for word in text.split()} | {"café", "CAFÉ", "cafe", "TOWN", "東京", "new", "word"})


def characters():
    text = "".join(SENTENCES) + "".join(TRICKY)
    return sorted({character for character in text if character.isprintable() and not character.isspace()})


def word_piece(lowercase, added, strip_accents=None):
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters(), *(f"##{character}" for character in characters()), "##ing", "##s", "##er"]
    pieces = list(dict.fromkeys(pieces + words() + [word.lower() for word in words()]))
    tokenizer = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(added)
    return tokenizer


def roberta(added=("<mask>",)):
    tokenizer = byte_level(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.add_special_tokens(list(added))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    return tokenizer


def gpt2():
    tokenizer = byte_level([])
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def unigram(prepend):
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    whole = [f"\u2581{word}" for word in words()] + [f"\u2581{word.lower()}" for word in words()]
    parts = ["\u2581", "ing", "ed", "er", "the", "town", *(character for character in characters() if len(character) == 1)]
    pieces = list(dict.fromkeys(whole + parts))
    # Long pieces have higher scores than the characters that they consist of.
    vocabulary = [(piece, 0.0) for piece in special] + [(piece, -4.0 - 3.0 / len(piece) - 0.001 * at) for at, piece in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=1, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(tokenizers.Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme=prepend)
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme=prepend)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(special)
    return tokenizer


def token(content, **options):
    return dict(content=content, lstrip=False, rstrip=False, normalized=False, single_word=False, special=True) | options


def decoder(tokens):
    """An added_tokens_decoder. Tokens without an id are new; their ids follow the gap left by deleted tokens."""
    return {str(at): token for at, token in tokens.items()}


BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def table():
    """The folders: model type, tokenizer.json and the other files of each."""
    lower, cased = word_piece(True, BERT_SPECIAL), word_piece(False, BERT_SPECIAL)
    bare = word_piece(True, [])
    end = bare.get_vocab_size()
    special = {at: token(content) for at, content in enumerate(BERT_SPECIAL)}
    left = gpt2()
    left.add_tokens([AddedToken("<user>", lstrip=True), AddedToken("new_word", single_word=True, normalized=False)])
    left.enable_truncation(20, direction="left")
    plain = roberta(added=())
    size = plain.get_vocab_size()
    return {
        # Options of the slow tokenizer that differ from those of the fast one in tokenizer.json.
        "bert_cased": ("bert", lower, {
            "tokenizer_config": dict(tokenizer_class="BertTokenizer", do_lower_case=False, do_basic_tokenize=False, never_split=None),
        }),
        "bert_accents": ("bert", lower, {
            "tokenizer_config": dict(
                tokenizer_class="BertTokenizerFast", do_lower_case=True, strip_accents=False, tokenize_chinese_chars=False, truncation_side="left",
                added_tokens_decoder=decoder(special | {
                    end + 7: token("<user>", lstrip=True),
                    end + 3: token("new_word", single_word=True, special=False),
                    end + 9: token("CAFÉ", normalized=True, special=False),
                }),
            ),
        }),
        # Added tokens for a tokenizer.json without any, with a class that uses tokenizer.json unchanged.
        "bert_generic": ("bert", bare, {
            "tokenizer_config": dict(
                tokenizer_class="PreTrainedTokenizerFast", do_lower_case=False, unk_token="[UNK]", pad_token="[PAD]",
                added_tokens_decoder=decoder({end: token("<user>"), end + 1: token("<url>", rstrip=True)}),
            ),
        }),
        "roberta_prefix": ("roberta", roberta(), {
            "tokenizer_config": dict(tokenizer_class="RobertaTokenizer", add_prefix_space=True, mask_token=token("<mask>", lstrip=True) | {"__type": "AddedToken"}),
        }),
        # The files of old tokenizers: added_tokens.json and special_tokens_map.json.
        "roberta_legacy": ("roberta", plain, {
            "tokenizer_config": dict(truncation_side="left", model_max_length=64),
            "added_tokens": {"<mask>": size, "new_word": size + 1, "<user>": size + 2},
            "special_tokens_map": dict(
                bos_token="<s>", eos_token="</s>", unk_token="<unk>",
                mask_token=dict(content="<mask>", lstrip=True, rstrip=False, normalized=False, single_word=False),
                additional_special_tokens=["<url>", "<user>"],
            ),
        }),
        # Without settings, transformers uses those of the model's class, which converts to lower case.
        "distilbert_bare": ("distilbert", cased, {}),
        "distilbert_left": ("distilbert", word_piece(True, BERT_SPECIAL, strip_accents=False), {
            "tokenizer_config": dict(
                tokenizer_class="DistilBertTokenizer", do_lower_case=False, strip_accents=True, truncation_side="left", url_token="<url>",
                additional_special_tokens=["<user>", "[CLS]"],
            ),
        }),
        "albert_cased": ("albert", unigram("first"), {
            "tokenizer_config": dict(tokenizer_class="AlbertTokenizer", do_lower_case=False, keep_accents=True),
        }),
        "albert_left": ("albert", unigram("always"), {
            "tokenizer_config": dict(
                tokenizer_class="AlbertTokenizerFast", truncation_side="left", add_prefix_space=False, extra_special_tokens=["<user>"],
            ),
        }),
        "gpt2_prefix": ("gpt2", gpt2(), {
            "tokenizer_config": dict(tokenizer_class="GPT2Tokenizer", add_prefix_space=True, add_bos_token=True, pad_token="<|pad|>"),
        }),
        "gpt2_left": ("gpt2", left, {
            "tokenizer_config": dict(split_special_tokens=True),
        }),
        "gpt2_right": ("gpt2", left, {
            "tokenizer_config": dict(tokenizer_class="GPT2TokenizerFast", truncation_side="right"),
        }),
    }


def config(model_type, vocabulary):
    """The configuration of a minimal model, for AutoTokenizer and for training."""
    sizes = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, max_position_embeddings=66)
    if model_type == "distilbert":
        sizes = dict(dim=8, n_layers=1, n_heads=2, hidden_dim=8, max_position_embeddings=66)
    if model_type == "gpt2":
        sizes = dict(n_embd=8, n_layer=1, n_head=2, n_positions=66)
    if model_type == "albert":
        sizes |= dict(embedding_size=8)
    padding = dict(roberta=1, gpt2=None).get(model_type, 0)
    types = {} if model_type in ("distilbert", "gpt2") else dict(type_vocab_size=1 if model_type == "roberta" else 2)
    return dict(model_type=model_type, vocab_size=vocabulary, pad_token_id=padding) | sizes | types


def encode(tokenizer, pairs):
    """Encodes the single texts and the pairs as one batch each: complete and truncated ids, and the tokens of the second segment."""
    found = dict(whole=[None] * len(pairs), cut=[None] * len(pairs), second=[None] * len(pairs))
    for number in (1, 2):
        places = [at for at, row in enumerate(pairs) if len(row) == number]
        columns = [[pairs[at][column] for at in places] for column in range(number)]
        whole = tokenizer(*columns, return_token_type_ids=True)
        cut = tokenizer(*columns, truncation="longest_first", max_length=CUT)
        for at, ids, types, short in zip(places, whole["input_ids"], whole["token_type_ids"], cut["input_ids"]):
            found["whole"][at], found["cut"][at], found["second"][at] = ids, short, sum(types)
    return found


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def make():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    texts = rows()
    versions = {package.__name__: package.__version__ for package in (transformers, tokenizers)}
    listed = ",\n".join(compact(row) for row in texts)
    (FOLDER / "rows.json").write_text(f'{{"versions": {json.dumps(versions)}, "cut": {CUT}, "rows": [\n{listed}\n]}}\n', encoding="utf-8")
    for name, (model_type, tokenizer, files) in table().items():
        folder = FOLDER / name
        folder.mkdir()
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        for file, content in files.items():
            (folder / f"{file}.json").write_text(compact(content) + "\n", encoding="utf-8")
        (folder / "config.json").write_text(compact(config(model_type, 9999)) + "\n", encoding="utf-8")
        found = AutoTokenizer.from_pretrained(folder)
        (folder / "config.json").write_text(compact(config(model_type, len(found))) + "\n", encoding="utf-8")
        expected = encode(found, texts)
        (folder / "expected.json").write_text("{" + ",\n".join(f'"{key}":{compact(value)}' for key, value in expected.items()) + "}\n")
        # A folder is useful only if the ids differ from those of tokenizer.json alone.
        alone = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        ids = encode(alone, texts)
        differing = {key: sum(a != b for a, b in zip(ids[key], expected[key])) for key in expected}
        print(f"{name}: {type(found).__name__}, {len(found)} tokens; tokenizer.json alone differs in {differing}")


def check(out):
    texts = json.loads((FOLDER / "rows.json").read_text(encoding="utf-8"))["rows"]
    for folder in sorted(path for path in FOLDER.iterdir() if path.is_dir()):
        expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        found = encode(AutoTokenizer.from_pretrained(out / folder.name), texts)
        for key in expected:
            for row, (ids, others) in enumerate(zip(found[key], expected[key])):
                if ids != others:
                    sys.exit(f"{out / folder.name}: {key} of row {row}, {texts[row]}: {ids}, before writing {others}")
        print(f"{folder.name}: {len(texts)} rows as before")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    make() if len(sys.argv) == 1 else check(Path(sys.argv[1]))
