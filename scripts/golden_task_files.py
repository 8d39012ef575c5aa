#!/usr/bin/env python3
"""Writes the synthetic rows of tests/fixtures/tasks in the format of the hub, and invalid Parquet files.

    python scripts/golden_task_files.py              -> isostar/tests/fixtures/tasks/{hub, refused}

Rows are read from the official formats in the same folder with plain Python. GLUE tasks have an int64 column `label`, the index of
the class in the official order (float32 for STS-B), and an int32 column `idx`. SQuAD has a column `answers`, a struct of two
lists. Each file uses a different encoding.

Requires pyarrow.
"""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TASKS = Path(__file__).parent.parent / "isostar" / "tests" / "fixtures" / "tasks"
HUB, REFUSED = TASKS / "hub", TASKS / "refused"
# Labels that are words in the official files, in the order of their class indices.
ENTAILMENT = ["entailment", "not_entailment"]
LABELS = dict(rte=ENTAILMENT, qnli=ENTAILMENT, mnli=["entailment", "neutral", "contradiction"])

# The columns of the official file, and their names on the hub.
GLUE = dict(
    sst2=dict(sentence="sentence", label="label"),
    cola={"3": "sentence", "1": "label"},
    mrpc={"#1 String": "sentence1", "#2 String": "sentence2", "Quality": "label"},
    rte=dict(sentence1="sentence1", sentence2="sentence2", label="label"),
    qnli=dict(question="question", sentence="sentence", label="label"),
    qqp=dict(question1="question1", question2="question2", is_duplicate="label"),
    stsb=dict(sentence1="sentence1", sentence2="sentence2", score="label"),
    mnli=dict(sentence1="premise", sentence2="hypothesis", gold_label="label"),
    wnli=dict(sentence1="sentence1", sentence2="sentence2", label="label"),
)
OPTIONS = dict(
    sst2=dict(compression="snappy"),
    cola=dict(compression="zstd", use_dictionary=False),
    mrpc=dict(compression="gzip", row_group_size=1),
    rte=dict(compression="none"),
    qnli=dict(compression="lz4", data_page_version="2.0"),
    qqp=dict(compression="snappy", write_page_index=True),
    stsb=dict(compression="zstd", data_page_version="2.0", row_group_size=2),
    mnli=dict(compression="snappy", row_group_size=2),
    wnli=dict(compression="gzip"),
)


def tsv_rows(path, has_header):
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").split("\n") if line]
    header = lines.pop(0) if has_header else [str(column) for column in range(len(lines[0]))]
    return [dict(zip(header, line)) for line in lines if len(line) == len(header)]


def label(task, text):
    if task == "stsb":
        return float(text)
    return LABELS[task].index(text) if task in LABELS else int(text)


def glue(task, split):
    rows = tsv_rows(TASKS / task / f"{split}.tsv", task != "cola")
    columns = {new: [row[old] for row in rows] for old, new in GLUE[task].items()}
    text = pa.large_string() if task == "qqp" else pa.string()
    table = {name: pa.array(values, text) for name, values in columns.items() if name != "label"}
    table["label"] = pa.array([label(task, value) for value in columns["label"]], pa.float32() if task == "stsb" else pa.int64())
    table["idx"] = pa.array(range(len(rows)), pa.int32())
    return pa.table(table)


def squad(split, folder="squad", version="1.1"):
    articles = json.loads((TASKS / folder / f"{split}-v{version}.json").read_text())["data"]
    rows = [
        dict(
            id=entry["id"],
            title=article["title"],
            context=paragraph["context"],
            question=entry["question"],
            answers=dict(
                text=[answer["text"] for answer in entry["answers"]],
                answer_start=[answer["answer_start"] for answer in entry["answers"]],
            ),
        )
        for article in articles
        for paragraph in article["paragraphs"]
        for entry in paragraph["qas"]
    ]
    answers = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])
    names = ["id", "title", "context", "question"]
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in names] + [("answers", answers)]))


def leaves(tree):
    words = re.findall(r"\([0-4] ([^()]+)\)", tree)
    plain = {"-LRB-": "(", "-RRB-": ")"}
    return " ".join(plain.get(word, word).replace("\\/", "/").replace("\\*", "*") for word in words)


def sst5(split):
    trees = (TASKS / "sst5" / f"{split}.txt").read_text().splitlines()
    return [dict(text=leaves(tree), label=int(tree[1]), label_text="some words") for tree in trees]


def write(path, table, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)


def hub():
    for task, options in OPTIONS.items():
        train = glue(task, "train")
        if task == "rte":
            for shard in range(len(train)):
                write(HUB / task / f"train-{shard:05}-of-{len(train):05}.parquet", train.slice(shard, 1), **options)
        else:
            write(HUB / task / "train-00000-of-00001.parquet", train, **options)
        for dev in ["dev_matched", "dev_mismatched"] if task == "mnli" else ["dev"]:
            name = dev.replace("dev", "validation")
            write(HUB / task / f"{name}-00000-of-00001.parquet", glue(task, dev), **options)
    unknown = pa.table(dict(sentence=["nobody knows this"], label=pa.array([-1], pa.int64()), idx=pa.array([0], pa.int32())))
    write(HUB / "sst2" / "test-00000-of-00001.parquet", unknown)
    for split, name in [("train", "train"), ("dev", "validation")]:
        write(HUB / "plain_text" / f"{name}-00000-of-00001.parquet", squad(split), compression="snappy")
        write(HUB / "squad_v2" / f"{name}-00000-of-00001.parquet", squad(split, "squad2", "2.0"), compression="snappy")
        lines = (json.dumps(row, ensure_ascii=False) for row in squad(split).to_pylist())
        (HUB / "lines").mkdir(exist_ok=True)
        (HUB / "lines" / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines))
    for split in ["train", "dev"]:
        write(HUB / "sst5" / f"{split}.parquet", pa.Table.from_pylist(sst5(split)))
        (HUB / "sst5" / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in sst5(split)))


def refused():
    texts, labels = ["one", "two", "three"], [0, 1, 0]

    def table(name, sentence=texts, label=labels, **more):
        write(REFUSED / f"{name}.parquet", pa.table(dict(sentence=sentence, label=label, **more)))

    table("null_text", sentence=["one", None, "three"])
    table("null_label", label=[0, 1, None])
    table("text_integers", sentence=[1, 2, 3])
    table("text_lists", sentence=[["one"], ["two"], ["three"]])
    table("label_dates", label=pa.array([1, 2, 3], pa.date32()))
    table("label_struct", label=[dict(value=0)] * 3)
    table("not_utf8", sentence=[b"one", b"two", b"thr\xff"])
    table("no_label", label=[-1, 0, 1])
    table("other_columns")
    write(REFUSED / "other_columns.parquet", pa.table(dict(document_id=[1], body_of_text=["one"], stars=[3])))
    write(REFUSED / "empty.parquet", pa.table(dict(sentence=pa.array([], pa.string()), label=pa.array([], pa.int64()))))

    texts_, starts = pa.list_(pa.string()), pa.list_(pa.int32())

    def questions(name, answers, fields=(("text", texts_), ("answer_start", starts))):
        rows = [dict(text=["it"], answer_start=[3]), answers]
        columns = dict(id=["q1", "q2"], context=["so it was"] * 2, question=["?"] * 2, answers=pa.array(rows, pa.struct(fields)))
        write(REFUSED / f"{name}.parquet", pa.table(columns))

    questions("squad_lengths", dict(text=["it", "was"], answer_start=[3]))
    questions("squad_empty", dict(text=[], answer_start=[]))
    questions("squad_null_list", dict(text=None, answer_start=None))
    questions("squad_null", dict(text=["it", None], answer_start=[3, 6]))
    questions("squad_negative", dict(text=["it"], answer_start=[-3]))
    questions("squad_elsewhere", dict(text=["it"], answer_start=[4]))
    write(REFUSED / "squad_flat.parquet", pa.table(dict(id=["q1"], context=["so it was"], question=["?"], answers=["it"])))


if __name__ == "__main__":
    hub()
    refused()
