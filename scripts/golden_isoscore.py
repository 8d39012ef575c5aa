#!/usr/bin/env python3
"""Writes golden values for the Rust tests, computed by the reference implementations in float64.

    ISOSTAR_REF=/path/to/I-STAR python scripts/golden_isoscore.py [OUTDIR]      # default isostar-core/tests/golden

Sources: IsoScore* and CosReg from regularizers.py at $ISOSTAR_REF (folder I-STAR of the GitHub
repository bcbi-edu/p_eickhoff_isoscore, commit 1edad0b); IsoScore from the PyPI package (2.x, rows are points)
and, where n >= d, from the first-paper file beside it (../IsoScore/IsoScore.py, columns are
points); cosine similarity from scikit-learn. The repository's partition_score cannot be imported
(syntax error in its file) and does not follow Mu & Viswanath, so that one is computed here.

Every input number is exactly representable in float32, so one file serves f32 and f64
backends.  Expected values come from float64 arithmetic with torch's default dtype set to
float64 (with the default float32 the reference rounds sqrt(d) to float32, error ~1e-8).
null marks a value that the reference does not produce (NaN or an exception).
"""
import hashlib, importlib.util, json, math, os, sys, warnings
import numpy as np
import torch

warnings.filterwarnings("ignore")
torch.set_default_dtype(torch.float64)
REF_DIR = os.environ["ISOSTAR_REF"]


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    mod = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mod)
    return mod


REF = load(os.path.join(REF_DIR, "regularizers.py"), "ref_regularizers")
V1 = load(os.path.join(REF_DIR, "..", "IsoScore", "IsoScore.py"), "ref_isoscore_v1")
ISTAR, COSREG = REF.istar(), REF.cosine_regularizer()


def f32(a):
    return np.asarray(a, dtype=np.float32).astype(np.float64)


def num(x):
    x = float(x)
    return x if math.isfinite(x) else None


def arr(a):
    a = np.asarray(a, dtype=np.float64)
    return a.tolist() if np.isfinite(a).all() else None


def rng(seed):
    return np.random.default_rng(seed)


def gaussian(n, d, seed, scale=None, offset=0.0):
    X = rng(seed).standard_normal((n, d))
    return f32(X * (1.0 if scale is None else np.asarray(scale)) + offset)


def mixed(n, d, seed):
    """Correlated columns with decaying scales and different means."""
    g = rng(seed)
    return f32(g.standard_normal((n, d)) @ (g.standard_normal((d, d)) / d ** 0.5 + np.diag(np.linspace(2, 0.2, d))) + g.standard_normal(d))


def whitened(n, d, seed):
    X = rng(seed).standard_normal((n, d))
    return f32(np.linalg.qr(X - X.mean(0))[0] * (n - 1) ** 0.5)


# ------------------------------------------------------------------ IsoScore, IsoScore*
def star(X, C0, zeta):
    x = torch.tensor(X)
    c0 = torch.eye(X.shape[1]) if C0 is None else torch.tensor(C0)
    try:
        v = ISTAR.isoscore_star(x, c0, zeta)
        (g,) = torch.autograd.grad(v, x)
        return num(v), arr(g)
    except Exception:
        return None, None


def isoscore_files():
    from IsoScore.IsoScore import IsoScore as pypi_isoscore

    out_dim = np.ones(6)
    out_dim[2] = 100.0
    C_small, C_n_lt_d = f32(np.cov(mixed(40, 4, 21).T)), f32(np.cov(mixed(40, 8, 22).T))
    C_out = f32(np.cov(gaussian(200, 6, 23, out_dim, 50.0).T))
    dead = mixed(20, 5, 5)
    dead[:, 3] = 0.25
    clouds = [
        ("gaussian_12x4", gaussian(12, 4, 1), None, [0.0, 0.2, 0.75, 1.0]),
        ("correlated_15x4_sample_c0", mixed(15, 4, 2), C_small, [0.0, 0.2, 0.75, 1.0]),
        ("two_dims_9x2", mixed(9, 2, 3), None, [0.0, 0.2]),
        ("outlier_dim_16x6_offset50", gaussian(16, 6, 4, out_dim, 50.0), None, [0.0, 0.2]),
        ("outlier_dim_16x6_sample_c0", gaussian(16, 6, 4, out_dim, 50.0), C_out, [0.2, 0.75]),
        ("fewer_points_than_dims_5x8", mixed(5, 8, 6), None, [0.0, 0.2]),
        ("fewer_points_sample_c0_5x8", mixed(5, 8, 6), C_n_lt_d, [0.2]),
        ("dead_dim_20x5", dead, None, [0.0, 0.2]),
        ("line_10x3", f32(np.outer(np.arange(10) - 4.5, [1.0, 2.0, -3.0])), None, [0.0, 0.2]),
        ("near_isotropic_32x4", whitened(32, 4, 7), None, [0.0, 0.2]),
        ("two_points_2x3", mixed(2, 3, 8), None, [0.0, 0.2]),
        ("tiny_scale_12x4", f32(gaussian(12, 4, 9) * 1e-3), None, [0.0, 0.2]),
        ("medium_48x24", mixed(48, 24, 10), None, [0.0, 0.2]),
        ("constant_points_6x3", np.full((6, 3), 1.5), None, [0.0, 0.2]),
        ("one_point_1x3", mixed(1, 3, 11), None, [0.2]),
        ("one_dim_8x1", gaussian(8, 1, 12), None, [0.2]),
    ]
    cases = []
    for name, X, C0, zetas in clouds:
        n, d = X.shape
        try:
            plain = num(pypi_isoscore(X))
        except Exception:
            plain = None
        try:
            v1 = num(V1.IsoScore(X.T)) if n >= d else None
        except Exception:
            v1 = None
        cov = np.cov(X.T) if n > 1 else np.full((d, d), np.nan)
        star_rows = []
        for z in zetas:
            v, g = star(X, C0, z)
            star_rows.append(dict(zeta=z, isoscore_star=v, grad_points=g))
        cases.append(dict(name=name, n=n, d=d, points=arr(X), c0="identity" if C0 is None else arr(C0),
                          covariance=arr(np.atleast_2d(cov)), isoscore=plain, isoscore_v1=v1, star=star_rows))
    covs = []
    for name, S in [("identity_5", np.eye(5)), ("diag_outlier", np.diag([1e4, 1.0, 2.0, 0.5])), ("k_of_n_dims", np.diag([1.0, 1, 1, 0, 0, 0])),
                    ("rank_one", np.outer([1.0, 2, 3], [1.0, 2, 3])), ("sample", f32(np.cov(mixed(30, 5, 31).T)))]:
        covs.append(dict(name=name, d=len(S), covariance=arr(S), isoscore_star=num(ISTAR.isoscore_cov(torch.tensor(S)))))
    return dict(description="IsoScore / IsoScore* of point clouds (rows are points) and of covariances. "
                            "grad_points is d isoscore_star / d points. The I-STAR loss term is lambda*(1-isoscore_star).",
                cases=cases, covariances=covs)


def layers_file():
    """Union over layers of hidden states, with and without padding rows."""
    g = rng(41)
    L, B, T, d = 3, 2, 4, 6
    H = f32(g.standard_normal((L + 1, B, T, d)) * np.linspace(0.5, 3, d) + g.standard_normal(d))
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=bool)
    C0 = f32(np.cov(mixed(60, d, 42).T))
    rows = []
    for sel, layers in [("all", list(range(1, L + 1)))] + [(str(k), [k]) for k in range(1, L + 1)]:
        for padding in ("included", "excluded"):
            m = np.ones_like(mask) if padding == "included" else mask
            X = np.concatenate([H[k][m] for k in layers])
            v, gr = star(X, C0, 0.2)
            full = np.zeros_like(H)
            at = 0
            for k in layers:
                full[k][m] = np.array(gr)[at:at + m.sum()]
                at += m.sum()
            rows.append(dict(layers=sel, padding=padding, n_points=len(X), isoscore_star=v, grad_hidden_states=arr(full)))
    return dict(description="hidden_states[0] is the embedding output and never used. 'included' is what the reference trains on.",
                hidden_states=arr(H), attention_mask=mask.astype(int).tolist(), c0=arr(C0), zeta=0.2, expected=rows)


def cosine_file():
    from sklearn.metrics.pairwise import cosine_similarity

    one_zero = gaussian(5, 3, 54)
    one_zero[2] = 0.0
    cases = []
    for name, X in [("gaussian_10x4", gaussian(10, 4, 51)), ("offset_20x5", gaussian(20, 5, 52, None, 3.0)),
                    ("outlier_16x6", gaussian(16, 6, 53, [1, 1, 100, 1, 1, 1], 50.0)), ("identical_rows_4x3", np.tile([[1.0, -2.0, 0.5]], (4, 1))),
                    ("opposite_2x2", np.array([[1.0, 2.0], [-1.0, -2.0]])), ("zero_row_5x3", one_zero), ("one_point_1x3", gaussian(1, 3, 55))]:
        n = len(X)
        x = torch.tensor(X, requires_grad=True)
        v = COSREG(x)
        (g,) = torch.autograd.grad(v, x)
        K = cosine_similarity(X)
        pairs = (K.sum() - np.trace(K)) / (n * (n - 1)) if n > 1 else np.nan
        cases.append(dict(name=name, n=n, d=X.shape[1], points=arr(X), cosreg=num(v), grad_points=arr(g),
                          mean_cosine_distinct_pairs=num(pairs), mean_cosine_all_pairs=num(K.mean())))
    return dict(description="cosreg = (sum of all pairwise cosines - n)/n^2 from the reference; mean_cosine_* from scikit-learn, whose cosine "
                            "with a zero row is 0 while the reference gives NaN (null).", cases=cases)


# ------------------------------------------------------------------ partition function
def partition_file():
    """Mu & Viswanath 2018: I = min_c Z(c) / max_c Z(c), Z(c) = sum_w exp(c.w), c over unit
    eigenvectors of V^T V (V not centred).  An eigenvector's sign is arbitrary and Z(c) != Z(-c)."""
    cases = []
    for name, X in [("gaussian_30x3", gaussian(30, 3, 71, [1.0, 1.5, 2.0])), ("offset_25x4", gaussian(25, 4, 72, [1, 2, 3, 4], 1.0)),
                    ("outlier_20x5", gaussian(20, 5, 73, [1, 1.5, 2, 2.5, 100], 5.0)), ("small_norm_40x6", f32(0.05 * mixed(40, 6, 74))),
                    ("overflow_10x2", gaussian(10, 2, 75, [300.0, 900.0]))]:
        w, E = np.linalg.eigh(X.T @ X)
        E = E * np.sign(E[np.abs(E).argmax(0), np.arange(E.shape[1])])  # largest component positive
        P = X @ E

        def lse(A):
            m = A.max(0)
            return m + np.log(np.exp(A - m).sum(0))

        pos, neg = lse(P), lse(-P)
        both = np.concatenate([pos, neg])
        n, s = len(X), np.linalg.norm(X.sum(0))
        cases.append(dict(name=name, n=n, d=X.shape[1], points=arr(X), eigenvalues=arr(w), eigenvectors_in_columns=arr(E),
                          log_z_positive=arr(pos), log_z_negative=arr(neg), score_both_signs=num(np.exp(both.min() - both.max())),
                          log_score_both_signs=num(both.min() - both.max()),
                          score_canonical_sign=num(np.exp(pos.min() - pos.max())), log_score_canonical_sign=num(pos.min() - pos.max()),
                          first_order=num((n - s) / (n + s)), second_order=num((n - s + w[0] / 2) / (n + s + w[-1] / 2))))
    return dict(description="Canonical sign: the component of largest magnitude is positive. first/second_order are the paper's approximations.", cases=cases)


# ------------------------------------------------------------------ pooled covariance
def covariance_file():
    X = mixed(37, 5, 81)
    X[:, 1] = f32(X[:, 1] * 100 + 50)
    cuts = [0, 1, 8, 8, 20, 37]
    parts = [X[a:b] for a, b in zip(cuts, cuts[1:])]
    return dict(description="np.cov over the concatenation, to be matched by streaming over the batches (one row, an empty one, uneven sizes).",
                batches=[p.tolist() for p in parts], mean=arr(X.mean(0)), covariance=arr(np.cov(X.T)),
                isoscore_star_of_covariance=num(ISTAR.isoscore_cov(torch.tensor(np.cov(X.T)))))


def main(out):
    os.makedirs(out, exist_ok=True)
    import importlib.metadata as md

    meta = dict(reference_sha256=hashlib.sha256(open(os.path.join(REF_DIR, "regularizers.py"), "rb").read()).hexdigest(),
                versions={p: md.version(p) for p in ["torch", "numpy", "IsoScore", "scikit-learn"]},
                generator="scripts/golden_isoscore.py", dtype="float64 results, float32-representable inputs")
    for name, make in [("isoscore", isoscore_files), ("layers", layers_file), ("cosine", cosine_file), ("partition", partition_file),
                       ("covariance", covariance_file)]:
        path = os.path.join(out, name + ".json")
        with open(path, "w") as f:
            json.dump(dict(meta=meta, **make()), f, allow_nan=False, indent=None, separators=(",", ":"))
            f.write("\n")
        print(path, os.path.getsize(path), "bytes", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "isostar-core", "tests", "golden"))
