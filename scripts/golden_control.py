#!/usr/bin/env python3
"""Writes golden values of the estimators of isostar-core that group states by sequence, of the
shrinkage weights estimated from a batch, and of VICReg's and SIGReg's terms, in float64.

    python scripts/golden_control.py [OUTDIR]      # default isostar-core/tests/golden

The values come from the definitions, by loops over tuples of different sequences, and from covariances
without one of the sequences; the gradients from torch's autograd. Every input number is exactly representable in
float32, so one file serves f32 and f64 backends. null marks a value that does not exist.
"""
import importlib.metadata as md, itertools, json, os, sys
import numpy as np
import torch

torch.set_default_dtype(torch.float64)


def f32(a):
    return np.asarray(a, dtype=np.float32).astype(np.float64)


def clustered(sequences, tokens, layers, d, seed, within=0.5, offset=0.0, scale=1.0):
    """Hidden states [layers, sequences, tokens, d] whose states of one sequence are correlated."""
    g = np.random.default_rng(seed)
    widths = np.linspace(2.0, 0.3, d)
    common = g.standard_normal((1, sequences, 1, d))
    own = g.standard_normal((layers, sequences, tokens, d))
    shift = g.standard_normal((layers, 1, 1, d)) * 0.3
    return f32(((within ** 0.5 * common + (1 - within) ** 0.5 * own) * widths + shift + offset) * scale)


def rows_of(H, mask):
    """The rows of each sequence that has any: [tensor [n_k, d]]."""
    layers, sequences, _, _ = H.shape
    rows = [torch.cat([H[layer, k][mask[k]] for layer in range(layers)]) for k in range(sequences)]
    return [r for r in rows if len(r)]


def distinct(sequences, order):
    return itertools.permutations(range(sequences), order)


def disjoint(H, mask):
    """(score, tr Sigma^2, (tr Sigma)^2), from averages over tuples of rows of different sequences."""
    rows = rows_of(H, mask)
    K = len(rows)
    if K < 4:
        return None
    everything = torch.cat(rows)
    d = everything.shape[1]
    rows = [r - everything.mean(0) for r in rows]
    n = [len(r) for r in rows]
    S = [r.T @ r for r in rows]
    s = [r.sum(0) for r in rows]
    t = [torch.trace(m) for m in S]
    N2 = sum(n[k] * n[l] for k, l in distinct(K, 2))
    N3 = sum(n[k] * n[l] * n[m] for k, l, m in distinct(K, 3))
    N4 = sum(n[k] * n[l] * n[m] * n[o] for k, l, m, o in distinct(K, 4))
    fourth = sum((s[k] @ s[l]) * (s[m] @ s[o]) for k, l, m, o in distinct(K, 4)) / N4
    F = sum((S[k] * S[l]).sum() for k, l in distinct(K, 2)) / N2 - 2 * sum(s[k] @ S[l] @ s[m] for k, l, m in distinct(K, 3)) / N3 + fourth
    T = sum(t[k] * t[l] for k, l in distinct(K, 2)) / N2 - 2 * sum(t[l] * (s[k] @ s[m]) for k, l, m in distinct(K, 3)) / N3 + fourth
    return (T / F - 1) / (d - 1), F, T


def iso(Sigma):
    return (torch.trace(Sigma) ** 2 / (Sigma * Sigma).sum() - 1) / (len(Sigma) - 1)


def ledoit_wolf(H, mask, target):
    """The jackknife variance of the covariance over sequences, over its squared distance to the target."""
    rows = [r.detach().numpy() for r in rows_of(H, mask)]
    K = len(rows)
    if K < 2:
        return 1.0
    S = np.cov(np.concatenate(rows).T)
    without = [np.cov(np.concatenate(rows[:k] + rows[k + 1:]).T) for k in range(K)]
    variance = (K - 1) / K * sum(((other - S) ** 2).sum() for other in without)
    return float(np.clip(variance / ((S - target.numpy()) ** 2).sum(), 0.0, 1.0))


def oas(H, mask):
    rows = torch.cat([r.detach() for r in rows_of(H, mask)])
    n, d = rows.shape
    S = torch.from_numpy(np.cov(rows.numpy().T, bias=True))
    squares, square = torch.trace(S @ S), torch.trace(S) ** 2
    weight = ((1 - 2 / d) * squares + square) / ((n + 1 - 2 / d) * (squares - square / d))
    return float(min(weight, torch.tensor(1.0)))


def shrunk(H, mask, target, zeta):
    rows = torch.cat(rows_of(H, mask))
    centred = rows - rows.mean(0)
    Sigma = centred.T @ centred / (len(rows) - 1)
    T = torch.trace(Sigma) / len(Sigma) * torch.eye(len(Sigma)) if target is None else target
    return iso((1 - zeta) * Sigma + zeta * T)


# ------------------------------------------------------------------ VICReg, SIGReg
def vicreg(H, mask, mu=25.0, nu=1.0, gamma=1.0, epsilon=1e-4):
    """arXiv 2105.04906, equations 1 to 4, without the invariance term."""
    z = torch.cat(rows_of(H, mask))
    d = z.shape[1]
    variance = torch.relu(gamma - torch.sqrt(z.var(dim=0) + epsilon)).sum() / d
    C = torch.cov(z.T)
    covariance = (C ** 2).sum() / d - (torch.diagonal(C) ** 2).sum() / d
    return mu * variance + nu * covariance


MASK64 = 2 ** 64 - 1


def mix(state):
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK64
    return state ^ (state >> 31)


def normals(seed, step, purpose, count):
    """Standard normal numbers of a stream, by SplitMix64 and Box-Muller, rounded to float32."""
    increment, key = 0x9E3779B97F4A7C15, 0
    for part in (seed, step, purpose):
        key = mix(((key + increment) & MASK64) ^ mix((part + increment) & MASK64))
    uniform = lambda index: ((mix((key + (index + 1) * increment) & MASK64) >> 11) + 0.5) / 2 ** 53
    numbers = []
    for pair in range((count + 1) // 2):
        radius, angle = np.sqrt(-2 * np.log(uniform(2 * pair))), 2 * np.pi * uniform(2 * pair + 1)
        numbers += [radius * np.cos(angle), radius * np.sin(angle)]
    return f32(numbers[:count])


def sigreg(H, mask, t, weights, slices, seed, step):
    """arXiv 2511.08544, Algorithm 1: Epps-Pulley statistics of random projections, and their mean."""
    x = torch.cat(rows_of(H, mask))
    A = torch.tensor(normals(seed, step, 1, x.shape[1] * slices).reshape(x.shape[1], slices))
    A = A / A.norm(dim=0)
    angles = (x @ A).unsqueeze(2) * t
    characteristic = torch.exp(1j * angles).mean(0)
    normal = torch.exp(-t ** 2 / 2)
    error = (characteristic - normal).abs() ** 2 * normal
    return ((error * weights).sum(1) * len(x)).mean()


def sigreg_paper(H, mask, slices, seed, step):
    t = torch.linspace(-5, 5, 17)
    weights = torch.full((17,), 10 / 16)
    weights[[0, -1]] /= 2
    return sigreg(H, mask, t, weights, slices, seed, step)


def sigreg_minimal(H, mask, slices, seed, step):
    t = torch.linspace(0, 3, 17)
    weights = torch.full((17,), 2 * 3 / 16)
    weights[[0, -1]] = 3 / 16
    return sigreg(H, mask, t, weights, slices, seed, step)


def with_gradient(f, H):
    x = torch.tensor(H, requires_grad=True)
    value = f(x)
    if value is None:
        return None, None
    (gradient,) = torch.autograd.grad(value, x)
    return float(value.detach()), gradient.tolist()


def case(name, H, lengths):
    _, sequences, tokens, d = H.shape
    mask = torch.tensor([[t < length for t in range(tokens)] for length in lengths])
    rows = np.concatenate([r.numpy() for r in rows_of(torch.tensor(clustered(9, tokens, H.shape[0], d, 99)), torch.ones(9, tokens, dtype=bool))])
    reference = f32(np.cov(rows.T) * np.var(H))
    target = torch.tensor(reference)
    sums = disjoint(torch.tensor(H), mask)
    score, gradient = with_gradient(lambda x: None if sums is None else disjoint(x, mask)[0], H)
    zeta, identity = ledoit_wolf(torch.tensor(H), mask, target), oas(torch.tensor(H), mask)
    auto, auto_gradient = with_gradient(lambda x: shrunk(x, mask, target, zeta), H)
    scaled, scaled_gradient = with_gradient(lambda x: shrunk(x, mask, None, identity), H)
    other = {}
    for key, f in [("vicreg", vicreg), ("sigreg_paper", lambda x, m: sigreg_paper(x, m, 7, 5, 12)),
                   ("sigreg_minimal", lambda x, m: sigreg_minimal(x, m, 7, 5, 12))]:
        value, by_states = with_gradient(lambda x: f(x, mask), H)
        other[key] = dict(value=value, gradient=by_states)
    # Penalties that depend on scale are compared for states of the size of 1.
    other = other if 1e-3 < np.std(H) < 1e3 else {}
    return dict(name=name, **other, layers=H.tolist(), mask=mask.int().tolist(), reference=reference.tolist(),
                disjoint=dict(score=score, gradient=gradient, trace_of_square=sums and float(sums[1]), square_of_trace=sums and float(sums[2])),
                ledoit_wolf=dict(zeta=zeta, score=auto, gradient=auto_gradient),
                oas=dict(zeta=identity, score=scaled, gradient=scaled_gradient))


def cases():
    single = clustered(12, 1, 1, 5, 1, within=0.0)
    return [
        case("one_row_a_sequence_12x1x1x5", single, [1] * 12),
        case("equal_lengths_6x3x1x4", clustered(6, 3, 1, 4, 2), [3] * 6),
        case("unequal_lengths_7x5x2x6", clustered(7, 5, 2, 6, 13), [5, 1, 3, 4, 2, 5, 3]),
        case("more_rows_than_dimensions_5x4x3x4", clustered(5, 4, 3, 4, 4), [4, 4, 2, 3, 4]),
        case("an_empty_sequence_6x3x1x8", clustered(6, 3, 1, 8, 12), [3, 0, 2, 3, 2, 3]),
        case("four_sequences_4x6x2x5", clustered(4, 6, 2, 5, 16, within=0.2), [6, 6, 6, 6]),
        case("correlated_8x4x2x6", clustered(8, 4, 2, 6, 7, within=0.9), [4, 4, 3, 4, 2, 4, 4, 1]),
        case("offset_8x3x1x5", clustered(8, 3, 1, 5, 8, offset=30.0), [3] * 8),
        case("tiny_8x3x1x5", clustered(8, 3, 1, 5, 9, scale=2.0 ** -40), [3, 3, 2, 3, 3, 3, 1, 3]),
        case("huge_8x3x1x5", clustered(8, 3, 1, 5, 9, scale=2.0 ** 40), [3, 3, 2, 3, 3, 3, 1, 3]),
        case("three_sequences_3x4x1x4", clustered(3, 4, 1, 4, 10), [4, 3, 4]),
    ]


def main(out):
    path = os.path.join(out, "control.json")
    meta = dict(generator="scripts/golden_control.py", versions={p: md.version(p) for p in ["torch", "numpy"]},
                dtype="float64 results, float32-representable inputs")
    with open(path, "w") as f:
        json.dump(dict(meta=meta, description="layers is [layers][sequences][tokens][d]; gradients have its shape.", cases=cases()), f,
                  allow_nan=False, separators=(",", ":"))
        f.write("\n")
    print(path, os.path.getsize(path), "bytes")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "isostar-core", "tests", "golden"))
