#!/usr/bin/env python3
"""Compares a training step of BERT in isostar and in PyTorch with transformers, on the CPU.

    ISOSTAR_PYTHON=/path/to/python python3 scripts/step_beside_torch.py [--bench EXE] [--shapes 6x384:32x64 ...]

Both programs train a BertForSequenceClassification with random weights on random tokens without padding: forward, backward and
AdamW in f32, dropout on, one thread per core. They take turns step by step, so that other load affects both. A round is the
median of its steps. Prints the median round of each program, the median of the rounds' ratios, and the peak memory of both.

ISOSTAR_PYTHON names a Python that has torch and transformers (default: the running one). EXE is the executable of
isostar-train/benches/step.rs; without --bench, cargo builds it. The PyTorch program uses the attention that transformers chooses
and the fused AdamW that its Trainer chooses; --attention eager and --optimizer loop select the other forms.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

# Layers x width : sequences x tokens. MiniLM three times, and BERT-base.
SHAPES = ["6x384:32x64", "6x384:32x128", "6x384:8x256", "12x768:8x128"]
VOCABULARY = 30522
HEADS = 12


def serve_torch(shape, attention, optimizer):
    """Answers each line `plain` with the seconds of one step and `memory` with the peak memory in MiB."""
    import resource
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(1)
    torch.set_num_threads(os.cpu_count())
    (layers, width), (sequences, tokens) = (map(int, part.split("x")) for part in shape.split(":"))
    config = BertConfig(num_labels=2, vocab_size=VOCABULARY, hidden_size=width, num_hidden_layers=layers, num_attention_heads=HEADS, intermediate_size=4 * width)
    if attention != "default":
        config._attn_implementation = attention
    model = BertForSequenceClassification(config).train()
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=1e-5, eps=1e-8, fused=optimizer == "fused")
    for line in sys.stdin:
        if line.strip() == "memory":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, flush=True)
            continue
        ids = torch.randint(1, VOCABULARY, (sequences, tokens))
        mask = torch.ones_like(ids)
        labels = torch.randint(0, 2, (sequences,))
        start = time.perf_counter()
        model(ids, attention_mask=mask, labels=labels).loss.backward()
        adamw.step()
        adamw.zero_grad()
        print(f"{time.perf_counter() - start:.5f}", flush=True)


class Program:
    def __init__(self, command):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.process.args[0]} ended with status {self.process.wait()}")
        return float(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def build():
    command = ["cargo", "bench", "--workspace", "--bench", "step", "--profile", "dev", "--no-run", "--message-format", "json"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    return next(message["executable"] for message in messages if message.get("executable") and message["target"]["name"] == "step")


def measure(shape, arguments):
    model, batch = shape.split(":")
    python = os.environ.get("ISOSTAR_PYTHON", sys.executable)
    commands = {
        "isostar": [arguments.bench, "--serve", model, batch],
        "torch": [python, os.path.abspath(__file__), "--torch", shape, "--attention", arguments.attention, "--optimizer", arguments.optimizer],
    }
    programs = {name: Program(command) for name, command in commands.items()}
    for program in programs.values():
        for _ in range(2):  # warms the caches and the allocator
            program.ask("plain")
    rounds = []
    for _ in range(arguments.rounds):
        steps = [{name: program.ask("plain") for name, program in programs.items()} for _ in range(arguments.steps)]
        rounds.append({name: statistics.median(step[name] for step in steps) for name in programs})
    seconds = {name: statistics.median(figures[name] for figures in rounds) for name in programs}
    memory = {name: program.ask("memory") for name, program in programs.items()}
    for program in programs.values():
        program.close()
    ratios = sorted(figures["isostar"] / figures["torch"] for figures in rounds)
    print(
        f"{model:>8} {batch:>8} {seconds['isostar']:>8.3f} s {seconds['torch']:>8.3f} s {statistics.median(ratios):>7.3f}"
        f"  {ratios[0]:.3f}–{ratios[-1]:.3f} {memory['isostar']:>8.0f} {memory['torch']:>8.0f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", metavar="EXE")
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="steps of each program in a round")
    parser.add_argument("--attention", default="default", choices=["default", "eager", "sdpa"])
    parser.add_argument("--optimizer", default="fused", choices=["fused", "loop"])
    parser.add_argument("--torch", metavar="SHAPE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.torch:
        return serve_torch(arguments.torch, arguments.attention, arguments.optimizer)
    arguments.bench = os.path.abspath(arguments.bench) if arguments.bench else build()
    print(f"{'model':>8} {'batch':>8} {'isostar':>10} {'torch':>10} {'ratio':>7}  {'of rounds':<11} {'MiB':>8} {'MiB':>8}")
    for shape in arguments.shapes:
        measure(shape, arguments)


if __name__ == "__main__":
    main()
