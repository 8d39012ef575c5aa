#!/usr/bin/env python3
"""Creates the analysis that the tests of the report read, from the models of two runs.

    report_fixture.py OUT/analysis.json ROWS DATA.tsv MODEL [MODEL]

The values are computed with NumPy from transformers' hidden states of a few rows, using textbook formulas: the tests of the report
need values of real hidden states and do not check the measures. The file records the versions of the packages.
isostar/tests/fixtures/report/analysis was created by
`report_fixture.py analysis.json 200 data/dev.tsv sweep/lambdanone-seed1/model sweep/lambda0.02-seed1/model`. The runs are those of
fixtures/report/sweep: `isostar train --epochs 3 --limit 1500 --seed S` with `--regularizer none` or `--weight W`.
"""

import json
import pathlib
import sys
import time

import numpy as np
import torch
import transformers
from transformers import AutoModel, AutoTokenizer

SAMPLE = 800
NEIGHBOURS = 20
RESAMPLES = 40


def isoscore(covariance):
    d = len(covariance)
    return (np.trace(covariance) ** 2 / (covariance**2).sum() - 1) / (d - 1)


def unbiased(points):
    """Himeno and Yamada's estimates of (tr Σ)² and tr Σ², up to a common factor."""
    n, d = points.shape
    covariance = np.cov(points.T)
    trace, square = np.trace(covariance), (covariance**2).sum()
    fourth = (((points - points.mean(0)) ** 2).sum(1) ** 2).sum() / (n - 1)
    trace_squared = 2 * square + (n * n - 3 * n + 1) * trace**2 - n * fourth
    squared_trace = (n - 1) * (n - 2) * square + trace**2 - n * fourth
    return float((trace_squared / squared_trace - 1) / (d - 1))


def interval(points, generator):
    """The score plus and minus twice its standard deviation over resamples.

    Resampling lowers the score, so percentiles of the resampled scores would not contain it."""
    scores = [isoscore(np.cov(points[generator.integers(0, len(points), len(points))].T)) for _ in range(RESAMPLES)]
    reach = 1.96 * np.std(scores)
    return [unbiased(points) - reach, unbiased(points) + reach]


def intrinsic_dimensions(points, generator):
    """TwoNN with a tenth of the points discarded, TwoNN by maximum likelihood, and Levina and Bickel's estimate."""
    some = np.unique(points[generator.permutation(len(points))[:SAMPLE]].astype(np.float64), axis=0)
    squares = (some**2).sum(1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * some @ some.T, 0))
    np.fill_diagonal(distances, np.inf)
    nearest = np.sort(distances, 1)[:, :NEIGHBOURS]
    nearest = nearest[nearest[:, 0] > 1e-6]
    ratios = np.log(np.sort(nearest[:, 1] / nearest[:, 0]))
    kept = int(0.9 * len(ratios))
    cumulative = -np.log(1 - np.arange(1, kept + 1) / len(ratios))
    twonn = float(ratios[:kept] @ cumulative / (ratios[:kept] @ ratios[:kept]))
    mle = 1 / np.log(nearest[:, -1:] / nearest[:, :-1]).mean()
    return twonn, float(len(ratios) / ratios.sum()), float(mle)


def geometry(points):
    generator = np.random.default_rng(1)
    n, d = points.shape
    mean, std, covariance = points.mean(0), points.std(0), np.cov(points.T)
    spectrum = np.linalg.eigvalsh(covariance)[::-1].clip(0)
    shares = spectrum / spectrum.sum()
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    pairs = float((unit.sum(0) ** 2).sum() - n)
    components = int((np.cumsum(shares) < 0.9).sum()) + 1
    twonn, twonn_ml, mle = intrinsic_dimensions(points, generator)
    far = np.flatnonzero(np.abs(mean - mean.mean()) > 3 * mean.std())
    short = lambda values: [float(f"{value:.4g}") for value in values]
    return {
        "points": n, "dimension": d, "isoscore": float(isoscore(covariance)), "isoscore_unbiased": unbiased(points.astype(np.float64)),
        "isoscore_interval": interval(points, generator), "mean_cosine": pairs / (n * (n - 1)), "cosreg": pairs / n**2, "partition": None,
        "effective_rank": float(np.exp(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())),
        "participation_ratio": float(1 / (shares**2).sum()),
        "explained_variance": {"components": components, "share": float(shares[:components].sum())},
        "twonn": twonn, "twonn_ml": twonn_ml, "mle": mle,
        "outlier_dimensions": [{"dimension": int(at), "mean": float(mean[at]), "std": float(std[at])} for at in far],
        "spectrum": short(spectrum), "mean": short(mean), "std": short(std),
    }


def analyse(path, texts, task):
    began = time.time()
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path).eval()
    tokens, sentences = {}, {}
    for start in range(0, len(texts), 32):
        batch = tokenizer(texts[start:start + 32], return_tensors="pt", padding=True, truncation=True, max_length=64)
        mask = batch.attention_mask
        with torch.no_grad():
            states = model(input_ids=batch.input_ids, attention_mask=mask, output_hidden_states=True).hidden_states
        for layer, state in enumerate(states):
            tokens.setdefault(layer, []).append(state[mask.bool()].numpy())
            sentences.setdefault(layer, []).append(((state * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)).numpy())
    layers = [{"layer": at, "tokens": geometry(np.concatenate(tokens[at])), "sentences": geometry(np.concatenate(sentences[at]))} for at in tokens]
    rows = {"model": path, "task": task, "split": "dev", "rows": len(texts), "tokens": sum(map(len, tokens[0]))}
    return rows | {"seed": 1, "sample": SAMPLE, "device": "cpu", "seconds": round(time.time() - began, 1), "layers": layers}


def main():
    out, rows, data, *models = sys.argv[1:]
    texts = [line.split("\t")[0] for line in pathlib.Path(data).read_text().splitlines()[1:]][:int(rows)]
    analyses = [analyse(model, texts, "headlines") for model in models]
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__}
    whole = analyses[0] | {"against": analyses[1] if len(analyses) > 1 else None, "differences": None, "versions": versions}
    pathlib.Path(out).write_text(json.dumps(whole, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
