#!/usr/bin/env python3
"""Writes isostar-core/tests/golden/twonn.json: estimates of the intrinsic dimension by scikit-dimension and DADApy.

    pip install numpy scipy scikit-dimension dadapy && python scripts/golden_twonn.py

Every coordinate is exactly representable in float32; distances are computed by SciPy in float64. null marks a value that
the package does not produce, or for which it treats duplicates differently (DADApy).
"""
import importlib.metadata, json, os, sys, warnings
import numpy as np

warnings.filterwarnings("ignore")


def f32(a):
    return np.asarray(a, dtype=np.float32).astype(np.float64)


def gaussian(n, d, seed, offset=0.0):
    return f32(np.random.default_rng(seed).standard_normal((n, d)) + offset)


def clouds():
    g = np.random.default_rng(61)
    sphere = g.standard_normal((150, 4))
    t = g.uniform(0, 3 * np.pi, 120)
    roll = np.stack([t * np.cos(t), 10 * g.uniform(size=120), t * np.sin(t)], 1)
    low = np.tanh(g.standard_normal((100, 3)) @ g.standard_normal((3, 30)))
    duplicates = gaussian(40, 3, 62)
    duplicates[5] = duplicates[4]
    duplicates[6] = duplicates[4]
    return [("gaussian_50x3", gaussian(50, 3, 63)), ("sphere_150x4", sphere / np.linalg.norm(sphere, axis=1, keepdims=True)),
            ("swiss_roll_120x3", roll), ("tanh_manifold_100x30", low), ("offset_1000_60x3", gaussian(60, 3, 64, 1000.0)),
            ("duplicates_40x3", duplicates), ("small_5x2", gaussian(5, 2, 65))]


def case(name, X):
    from dadapy import Data
    from scipy.spatial.distance import cdist
    from skdim.id import MLE, TwoNN

    X = f32(X)
    D = cdist(X, X)
    np.fill_diagonal(D, np.inf)
    r = np.sort(D, axis=1)
    apart = r[:, 0] > 0

    def dada(**settings):
        if not apart.all():
            return None
        data = Data(X, n_jobs=1)
        data.compute_distances(maxk=len(X) - 1)
        return float(data.compute_id_2NN(**settings)[0])

    def levina_bickel(k):
        if k >= len(X):
            return None
        nearest = r[apart, :k]
        return float(MLE().fit(X[apart], precomputed_knn_arrays=(nearest, None), n_neighbors=k, comb="mle").dimension_)

    def twonn(**settings):
        return float(TwoNN(**settings).fit(X).dimension_)

    return dict(name=name, n=len(X), d=X.shape[1], points=X.tolist(), r1=r[:, 0].tolist(), r2=r[:, 1].tolist(), kept_points=int(apart.sum()),
                skdim_linear_discard_0_1=twonn(), skdim_linear_discard_0_25=twonn(discard_fraction=0.25),
                skdim_mle_discard_0_1=twonn(method="mle"), skdim_mle_discard_0=twonn(method="mle", discard_fraction=0.0),
                dadapy_base=dada(), dadapy_ml=dada(algorithm="ml"),
                skdim_levina_bickel_k4=levina_bickel(4), skdim_levina_bickel_k20=levina_bickel(20))


def main(out):
    packages = ["numpy", "scipy", "scikit-learn", "scikit-dimension", "dadapy"]
    meta = dict(versions={package: importlib.metadata.version(package) for package in packages}, generator="scripts/golden_twonn.py",
                dtype="float64 results, float32-representable inputs")
    description = ("skdim_linear: drop rows with r1=0, N left, sort mu=r2/r1, keep k=int(N*(1-f)), F=(1..k)/N, slope through 0 of -ln(1-F) on ln(mu). "
                   "skdim_mle: (k-1)/(sum ln mu_i + (N-k) ln mu_k). skdim_levina_bickel_k: inverse of the mean of the inverse estimates from k neighbours, "
                   "without rows with r1=0. r1, r2 from scipy cdist.")
    path = os.path.join(out, "twonn.json")
    with open(path, "w") as file:
        json.dump(dict(meta=meta, description=description, cases=[case(*cloud) for cloud in clouds()]), file, allow_nan=False, separators=(",", ":"))
        file.write("\n")
    print(path, os.path.getsize(path), "bytes")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "isostar-core", "tests", "golden"))
