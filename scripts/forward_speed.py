#!/usr/bin/env python3
"""Compares the time of a forward pass of BERT in isostar and in transformers with eager attention, on the CPU.

    python scripts/forward_speed.py BENCH FOLDER

BENCH is the executable of isostar/benches/forward.rs, built with `cargo bench --workspace --bench forward --profile dev
--no-run`. FOLDER is the model folder. Both programs process 32 sequences of 128 tokens in f32 with one thread per core and
keep every hidden state. They run in turns. Prints the seconds of each turn and the ratio of the medians.
"""

import os
import statistics
import subprocess
import sys
import time

TURNS = 5
PASSES = 7


def isostar(bench, folder):
    output = subprocess.run([bench, folder], check=True, capture_output=True, text=True).stdout
    return [float(line) for line in output.split()]


def transformers_eager(folder):
    import torch
    from transformers import BertModel

    torch.set_num_threads(os.cpu_count())
    model = BertModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    ids = torch.randint(1, model.config.vocab_size, (32, 128))
    mask = torch.ones_like(ids)
    with torch.no_grad():
        for turn in range(PASSES + 2):
            start = time.perf_counter()
            model(ids, attention_mask=mask, output_hidden_states=True)
            if turn >= 2:
                print(f"{time.perf_counter() - start:.4f}")


def main(bench, folder):
    times = {"isostar": [], "transformers": []}
    for turn in range(TURNS):
        here = isostar(bench, folder)
        # Each program runs in a separate process, so that threads and memory of one do not affect the other.
        command = [sys.executable, __file__, "--transformers", folder]
        there = [float(line) for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]
        for name, seconds in (("isostar", here), ("transformers", there)):
            times[name] += seconds
            print(f"turn {turn + 1}: {name:<13} {' '.join(f'{second:.3f}' for second in seconds)}")
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    print(f"medians: isostar {medians['isostar']:.3f} s, transformers {medians['transformers']:.3f} s, ratio {medians['isostar'] / medians['transformers']:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--transformers"]:
        transformers_eager(sys.argv[2])
    elif len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        sys.exit(__doc__)
