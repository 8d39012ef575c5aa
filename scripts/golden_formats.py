#!/usr/bin/env python3
"""Writes the same points in every format that `isostar measure` reads, with measures computed by NumPy and scikit-dimension.

    python scripts/golden_formats.py                 -> isostar-measure/tests/fixtures/formats/

The points are multiples of 1/32, which are exact in half precision. One dimension has a large mean and one a large variance.
Every measure is computed from its definition: from all pairs of points and all eigenvectors, without streaming.

Requires numpy, scipy, pyarrow and scikit-dimension.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy
import skdim
from scipy.special import logsumexp

FOLDER = Path(__file__).parent.parent / "isostar-measure" / "tests" / "fixtures" / "formats"
SEED = 20261124
SEQUENCES, TOKENS, WIDTH = 9, 8, 12
NEIGHBOURS = 20


def points(rng):
    mixing = rng.normal(size=(WIDTH, WIDTH)) / 4
    x = rng.normal(size=(SEQUENCES * TOKENS, WIDTH)) @ mixing
    x[:, 3] += 25
    x[:, 7] *= 12
    return np.round(x * 32) / 32


def measures(x):
    n, d = x.shape
    eigenvalues = np.sort(np.linalg.eigvalsh(np.cov(x.T)))[::-1]
    shares = eigenvalues / eigenvalues.sum()
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = (unit @ unit.T).sum() - n

    # IsoScore by the published steps.
    normalised = np.sqrt(d) * eigenvalues / np.linalg.norm(eigenvalues)
    defect = np.linalg.norm(normalised - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    phi = (d - defect**2 * (d - np.sqrt(d))) ** 2 / d**2

    _, directions = np.linalg.eigh(x.T @ x)
    log_sums = logsumexp(np.concatenate([x @ directions, -x @ directions], axis=1), axis=0)

    distances = np.sort(np.linalg.norm(x[:, None] - x[None], axis=2), axis=1)[:, 1 : NEIGHBOURS + 1]
    logarithms = np.sort(np.log(distances[:, 1] / distances[:, 0]))
    kept = int(0.9 * n)
    likelihood = (kept - 1) / (logarithms[:kept].sum() + (n - kept) * logarithms[kept - 1])
    inverses = np.log(distances[:, -1:] / distances[:, :-1]).mean(axis=1)
    mle = 1 / inverses.mean()
    theirs = skdim.id.MLE(K=NEIGHBOURS).fit(x, comb="mle", n_neighbors=NEIGHBOURS).dimension_
    assert abs(theirs - mle) < 1e-9 * mle, (theirs, mle)

    mean, std = x.mean(axis=0), x.std(axis=0, ddof=1)
    outliers = (abs(mean) > 5 * abs(mean).mean()) | (std**2 > 5 * (std**2).mean())
    components = int(np.searchsorted(shares.cumsum(), 0.9)) + 1
    return dict(
        points=n,
        dimension=d,
        isoscore=float((d * phi - 1) / (d - 1)),
        mean_cosine=float(cosines / (n * (n - 1))),
        cosreg=float(cosines / n**2),
        partition=float(np.exp(log_sums.min() - log_sums.max())),
        log_partition=float(log_sums.min() - log_sums.max()),
        effective_rank=float(np.exp(-(shares * np.log(shares)).sum())),
        participation_ratio=float(1 / (shares**2).sum()),
        explained_variance=dict(components=components, share=float(shares[:components].sum())),
        twonn=float(skdim.id.TwoNN(discard_fraction=0.1).fit(x).dimension_),
        twonn_ml=float(likelihood),
        mle=float(mle),
        outlier_dimensions=[dict(dimension=int(j), mean=float(mean[j]), std=float(std[j])) for j in np.flatnonzero(outliers)],
    )


def parquet(name, x, kind, width=None, **options):
    """Writes columns of floats, integers, text and points, in row groups of 20 rows."""
    columns = dict(
        id=pa.array(range(len(x))),
        text=pa.array([f"row {i}" for i in range(len(x))]),
        norm=pa.array(np.linalg.norm(x, axis=1)),
        embedding=pa.array(list(x.astype(kind)), pa.list_(pa.from_numpy_dtype(kind), width or -1)),
    )
    pq.write_table(pa.table(columns), FOLDER / name, row_group_size=20, **options)


def table(x):
    """A table with one column of floats per dimension, in all three precisions, and other columns."""
    kinds = [np.float32, np.float64, np.float16]
    dimensions = {f"x{i}": pa.array(column.astype(kinds[i % 3])) for i, column in enumerate(x.T)}
    return pa.table(dict(id=pa.array(range(len(x)))) | dimensions | dict(text=pa.array([f"row {i}" for i in range(len(x))])))


def main():
    rng = np.random.default_rng(SEED)
    x = points(rng)
    FOLDER.mkdir(parents=True, exist_ok=True)
    single = x.astype(np.float32)
    states = single.reshape(SEQUENCES, TOKENS, WIDTH)
    mask = rng.random((SEQUENCES, TOKENS)) < 0.8

    np.savez(FOLDER / "stored.npz", points=single, more=np.asfortranarray(x), ids=np.arange(5))
    np.savez_compressed(FOLDER / "deflated.npz", points=single, more=np.asfortranarray(x), ids=np.arange(5))
    np.savez(FOLDER / "masked.npz", states=states, mask=mask)
    np.savez_compressed(FOLDER / "masked_fortran.npz", states=np.asfortranarray(states), mask=mask)
    np.save(FOLDER / "states.npy", states)
    np.save(FOLDER / "mask.npy", mask)
    parquet("half.parquet", x, np.float16, compression="none")
    parquet("single.parquet", x, np.float32, compression="snappy")
    parquet("fixed.parquet", x, np.float32, width=WIDTH, compression="zstd")
    parquet("double.parquet", x, np.float64, compression="lz4", data_page_version="2.0")
    parquet("gzip.parquet", x, np.float64, compression="gzip", use_dictionary=False)
    pq.write_table(table(x), FOLDER / "table.parquet", row_group_size=20)
    integers = pa.array(list((x * 32).astype(np.int16)), pa.list_(pa.int16()))
    pq.write_table(pa.table(dict(embedding=integers)), FOLDER / "integers.parquet", row_group_size=20)
    parquet("brotli.parquet", x, np.float32, compression="brotli")
    ragged = list(single)
    ragged[47] = ragged[47][:-1]
    null = [None if i == 33 else row for i, row in enumerate(single)]
    hole = [row.tolist() for row in single]
    hole[61][5] = None
    first = [None] + list(single[1:])
    for name, column in dict(ragged=ragged, null=null, hole=hole, first=first).items():
        pq.write_table(pa.table(dict(embedding=pa.array(column, pa.list_(pa.float32())))), FOLDER / f"{name}.parquet")

    made_by = dict(numpy=np.__version__, scipy=scipy.__version__, pyarrow=pa.__version__, scikit_dimension=skdim.__version__)
    expected = dict(made_by=made_by, seed=SEED, all=measures(x), masked=measures(x[mask.reshape(-1)]))
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
