#!/usr/bin/env python3
"""Compares TwoNN in isostar with scikit-dimension and a chunked brute-force search in torch, on the CPU.

    python scripts/twonn_speed.py BENCH [NxD …]      # 10000x768 50000x384

BENCH is the executable of isostar-core/benches/twonn.rs, built with `cargo bench --workspace --bench twonn --profile dev --no-run`.
The points are a 10-dimensional Gaussian mapped by a random tanh layer, in float32. All programs read them from the same file and
run in turns. Every measurement runs in a separate process with two threads, after a warm-up on 400 points. Memory is the peak of
the process minus its memory before the measurement. Prints seconds, dimension and memory of each, and the ratios of each turn.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

TURNS = {"10000x768": 5, "50000x384": 2}
DISCARDED = 0.1
LATENT = 10


def write_points(path, n, d):
    import numpy as np

    generator = np.random.default_rng(0)
    latent = generator.standard_normal((n, LATENT)).astype("f4")
    np.tanh(latent @ generator.standard_normal((LATENT, d)).astype("f4") / LATENT**0.5).astype("<f4").tofile(path)


def scikit_dimension(points):
    from skdim.id import TwoNN

    return TwoNN().fit(points).dimension_


def chunked_torch(points, chunk=1024):
    """Finds four candidates per row with products of centred points, and computes their distances from differences in float64."""
    import numpy as np
    import torch

    torch.set_num_threads(2)
    points = torch.from_numpy(points)
    centred = points - points.mean(0)
    norms = centred.square().sum(1)
    n = len(points)
    nearest = torch.empty(n, 2, dtype=torch.float64)
    for start in range(0, n, chunk):
        rows = centred[start : start + chunk]
        squared = torch.addmm(norms[None, :].expand(len(rows), n), rows, centred.T, alpha=-2)
        squared[torch.arange(len(rows)), torch.arange(start, start + len(rows))] = float("inf")
        candidates = squared.topk(4, dim=1, largest=False).indices
        distances = (points[start : start + chunk, None].double() - points[candidates].double()).norm(dim=2)
        nearest[start : start + chunk] = distances.sort(1).values[:, :2]
    ratios = (nearest[:, 1] / nearest[:, 0]).numpy()
    ratios = np.sort(ratios[np.isfinite(ratios)])
    n, kept = len(ratios), int(len(ratios) * (1 - DISCARDED))
    x, y = np.log(ratios[:kept]), -np.log(1 - np.arange(1, kept + 1) / n)
    return float(x @ y / (x @ x))


PYTHON = {"scikit-dimension": scikit_dimension, "chunked torch": chunked_torch}


def measure(variant, path, n, d):
    import numpy as np

    points = np.fromfile(path, "<f4").reshape(n, d)
    PYTHON[variant](points[:400])
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    before, start = peak(), time.perf_counter()
    dimension = PYTHON[variant](points)
    seconds = time.perf_counter() - start
    print(json.dumps(dict(seconds=seconds, dimension=dimension, peak_mib=peak(), delta_mib=peak() - before)))


def run(command):
    environment = os.environ | {name: "2" for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def compare(bench, size, path):
    n, d = size.split("x")
    write_points(path, int(n), int(d))
    turns = []
    for turn in range(TURNS.get(size, 3)):
        results = {"isostar": run([bench, path, n, d])}
        results |= {variant: run([sys.executable, __file__, "--child", variant, path, n, d]) for variant in PYTHON}
        turns.append(results)
        for variant, result in results.items():
            ratio = result["seconds"] / results["isostar"]["seconds"]
            off = abs(result["dimension"] / results["isostar"]["dimension"] - 1)
            print(f"{size} turn {turn + 1}: {variant:<17}{result['seconds']:8.2f} s  {ratio:5.2f}×"
                  f"  dimension {result['dimension']:.6f} (off by {off:.0e})"
                  f"  peak {result['peak_mib']:6.0f} MiB, beyond before {result['delta_mib']:6.0f}", flush=True)
    for variant in PYTHON:
        ratios = [results[variant]["seconds"] / results["isostar"]["seconds"] for results in turns]
        median = statistics.median(ratios)
        print(f"{size}: {variant} takes {median:.2f}× isostar's time, {min(ratios):.2f} to {max(ratios):.2f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        measure(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    elif len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as folder:
            for size in sys.argv[2:] or TURNS:
                compare(sys.argv[1], size, os.path.join(folder, "points.bin"))
    else:
        sys.exit(__doc__)
