#!/usr/bin/env python3
"""Write isostar-core/tests/golden/measures.json: every measure of the table on clouds of points, from its definition.

    pip install numpy && python scripts/golden_measures.py

NumPy in float64, on the whole matrix of points: singular values where isostar takes eigenvalues of moments, all pairs where it
takes closed forms. Every coordinate is exactly representable in float32.
"""
import itertools, json, os, sys
import numpy as np


def f32(a):
    return np.asarray(a, dtype=np.float32).astype(np.float64)


def clouds():
    g = np.random.default_rng(91)
    decaying = g.standard_normal((40, 6)) * np.linspace(3, 0.5, 6) + np.linspace(1, -1, 6)
    power_law = g.standard_normal((60, 12)) * np.arange(1, 13) ** -0.75
    wide = g.standard_normal((9, 14)) + 0.5
    outlier = g.standard_normal((50, 8))
    outlier[:, 3] = 20 * outlier[:, 3] + 30
    return [("decaying_40x6", f32(decaying)), ("power_law_60x12", f32(power_law)), ("fewer_points_than_dimensions_9x14", f32(wide)),
            ("outlier_dimension_50x8", f32(outlier))]


def isoscore(covariance):
    """The seven steps of Rudman and Eickhoff's Algorithm 1 without shrinkage."""
    values = np.clip(np.linalg.eigvalsh(covariance), 0, None)
    d = len(values)
    normalized = np.sqrt(d) * values / np.linalg.norm(values)
    defect = np.linalg.norm(normalized - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    phi = (d - defect**2 * (d - np.sqrt(d))) ** 2 / d**2
    return (d * phi - 1) / (d - 1)


def isoscore_unbiased(X):
    """The U-statistic of tr Σ² of Chen, Zhang and Zhong, over distinct rows of points that are not centred."""
    n, d = X.shape
    G = X @ X.T
    off = G - np.diag(np.diag(G))
    A, r = (off**2).sum(), off.sum(1)
    B = (r**2).sum() - A
    C = r.sum() ** 2 - 2 * A - 4 * B
    squares = A / (n * (n - 1)) - 2 * B / (n * (n - 1) * (n - 2)) + C / (n * (n - 1) * (n - 2) * (n - 3))
    trace = np.trace(np.cov(X.T))
    return (trace**2 / squares - 1) / (d - 1)


def cosines(X):
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    return sum(U[i] @ U[j] for i, j in itertools.permutations(range(len(X)), 2))


def partition(X):
    _, vectors = np.linalg.eigh(X.T @ X)
    sums = np.exp(X @ np.concatenate([vectors, -vectors], axis=1)).sum(0)
    return sums.min() / sums.max()


def entropy_rank(weights):
    shares = weights[weights > 0] / weights.sum()
    return np.exp(-(shares * np.log(shares)).sum())


def alpha_req(values):
    kept = values[values > 2.0**-23 * values[0]]
    slope, _ = np.polyfit(np.log(np.arange(1, len(kept) + 1)), np.log(kept), 1)
    return -slope


def neighbours(X):
    distances = np.sort(np.linalg.norm(X[:, None] - X[None], axis=-1), axis=1)[:, 1:]
    return distances[:, : min(20, len(X) - 1)]


def twonn(T):
    """Facco's line through the origin, and the likelihood of the ratios below the 90th percentile."""
    x = np.sort(np.log(T[:, 1] / T[:, 0]))
    n, k = len(x), int(len(x) * 0.9)
    at = np.arange(1, min(k, n - 1) + 1)
    y = -np.log(1 - at / n)
    return (x[: len(at)] @ y) / (x[: len(at)] @ x[: len(at)]), (k - 1) / (x[:k].sum() + (n - k) * x[k - 1])


def mle(T):
    inverse = np.log(T[:, -1:] / T[:, :-1]).mean(1)
    return 1 / inverse.mean()


def case(name, X):
    n, d = X.shape
    covariance = np.cov(X.T)
    values = np.zeros(d)
    singular = np.linalg.svd(X - X.mean(0), compute_uv=False)[: min(n - 1, d)]
    values[: len(singular)] = singular**2 / (n - 1)
    shares = values / values.sum()
    first = max(1, int(0.3 * d))
    T = neighbours(X)
    linear, likelihood = twonn(T)
    mean, variance = np.abs(X.mean(0)), X.var(0)
    measures = dict(
        isoscore=isoscore(covariance),
        isoscore_unbiased=isoscore_unbiased(X),
        mean_cosine=cosines(X) / (n * (n - 1)),
        cosreg=cosines(X) / n**2,
        partition=partition(X),
        effective_rank=entropy_rank(values),
        participation_ratio=values.sum() ** 2 / (values**2).sum(),
        explained_variance=int(np.argmax(np.cumsum(shares) >= 0.9)) + 1,
        varex=first / d / shares[:first].sum(),
        stable_rank=np.linalg.norm(covariance, "fro") ** 2 / np.linalg.norm(covariance, 2) ** 2,
        alpha_req=alpha_req(values),
        rankme=entropy_rank(np.linalg.svd(X, compute_uv=False)),
        nesum=np.trace(covariance) / np.linalg.norm(covariance, 2),
        twonn=linear,
        twonn_ml=likelihood,
        mle=mle(T),
        outlier_dimensions=int(((mean > 5 * mean.mean()) | (variance > 5 * variance.mean())).sum()),
    )
    return dict(name=name, points=X.tolist(), measures={key: float(value) for key, value in measures.items()})


def main(path):
    meta = dict(generator="scripts/golden_measures.py", versions=dict(numpy=np.__version__), dtype="float64 results, float32-representable inputs")
    with open(path, "w") as file:
        json.dump(dict(meta=meta, cases=[case(*cloud) for cloud in clouds()]), file, allow_nan=False, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "isostar-core", "tests", "golden", "measures.json"))
