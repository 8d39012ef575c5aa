#!/usr/bin/env python3
"""The PyTorch side of the GPU measurements: a BERT training step in every precision, what the penalty adds, and TwoNN. JSON lines.

    python3 torch_side.py step [32x128] [compile]      # eager: f32, tf32, bf16; compile: bf16 and tf32 under torch.compile
    python3 torch_side.py penalty [32x128]             # authors' singular values (f64 as get_ci makes them, f32), closed form
    python3 torch_side.py twonn [20000x768]
    python3 torch_side.py table OUT                    # the findings in OUT, shortened
"""
import json, pathlib, statistics, sys, time

ZETA, LAMBDA = 0.2, -0.1


def emit(**kw):
    print(json.dumps(kw), flush=True)


def setup():
    import torch
    from transformers import BertConfig, BertForSequenceClassification
    torch.manual_seed(0)
    return torch, lambda **kw: BertForSequenceClassification(BertConfig(num_labels=2, **kw)).cuda().train()


def batch(torch, b, t):
    ids = torch.randint(1000, 30000, (b, t), device="cuda")
    lens = torch.randint(t // 3, t + 1, (b,), device="cuda"); lens[0] = t
    mask = (torch.arange(t, device="cuda")[None] < lens[:, None]).long()
    return dict(input_ids=ids * mask, attention_mask=mask, labels=torch.randint(0, 2, (b,), device="cuda"))


def timed(torch, fn, warm=3, turns=3, steps=20):
    """First call, host and whole milliseconds a call, in runs of calls without a sync."""
    t = time.perf_counter(); fn(); torch.cuda.synchronize(); first = time.perf_counter() - t
    for _ in range(warm): fn()
    torch.cuda.synchronize()
    host, whole = [], []
    for _ in range(turns):
        t = time.perf_counter()
        for _ in range(steps): fn()
        host.append((time.perf_counter() - t) / steps * 1e3); torch.cuda.synchronize(); whole.append((time.perf_counter() - t) / steps * 1e3)
    return dict(first_s=round(first, 3), host_ms=round(statistics.median(host), 3), ms=round(statistics.median(whole), 3))


def svd_score(torch, x, target):
    """Algorithm 1 as published: the singular values of the shrunk covariance."""
    d = x.shape[1]
    s = torch.linalg.svdvals((1 - ZETA) * torch.cov(x.T) + ZETA * target)
    unit = s * d ** 0.5 / torch.linalg.vector_norm(s)
    defect = torch.linalg.vector_norm(unit - torch.ones_like(unit)) / (2 * (d - d ** 0.5)) ** 0.5
    return ((d - defect ** 2 * (d - d ** 0.5)) ** 2 / d - 1) / (d - 1)


def closed_score(torch, x, target):
    s = (1 - ZETA) * torch.cov(x.T) + ZETA * target
    return (s.diagonal().sum() ** 2 / s.square().sum() - 1) / (x.shape[1] - 1)


def per_layer(torch):
    """The closed form layer by layer with its gradient written out: two products, as isostar."""
    class Score(torch.autograd.Function):
        @staticmethod
        def forward(ctx, target, keep, *layers):
            d = layers[0].shape[-1]; n = keep.sum() * len(layers)
            rows = [h.reshape(-1, d).float() for h in layers]
            mu = sum((h * keep).sum(0) for h in rows) / n
            s = ZETA * target
            for h in rows:
                hc = (h - mu) * keep
                s = s + (1 - ZETA) / (n - 1) * (hc.T @ hc)
            tr, f2 = s.diagonal().sum(), s.square().sum()
            ctx.save_for_backward(s, tr, f2, mu, n, keep, *layers)
            return (tr * tr / f2 - 1) / (d - 1)

        @staticmethod
        def backward(ctx, grad):
            s, tr, f2, mu, n, keep, *layers = ctx.saved_tensors
            d = s.shape[0]
            a = grad * 4 * (1 - ZETA) * tr / (f2 * (d - 1) * (n - 1))
            m = a * (torch.eye(d, device=s.device) - tr / f2 * s)
            return (None, None, *[(((h.reshape(-1, d).float() - mu) * keep) @ m).view_as(h).to(h.dtype) for h in layers])
    return Score


def make_step(torch, model, b, t, precision, fused=True, penalty=None, compiled=False):
    torch.backends.cuda.matmul.allow_tf32 = precision != "f32"
    opt = torch.optim.AdamW(model.parameters(), lr=1e-5, eps=1e-8, weight_decay=0.01, fused=fused)
    batches = [batch(torch, b, t) for _ in range(4)]
    d, count = model.config.hidden_size, [0]
    run = torch.compile(model) if compiled else model
    target = torch.eye(d, device="cuda"); target64 = target.double()
    score_fn = per_layer(torch)

    def one():
        x = batches[count[0] % 4]; count[0] += 1
        opt.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
            out = run(**x, output_hidden_states=penalty is not None)
        loss = out.loss
        if penalty in ("svd_f64", "svd_f32", "closed"):
            points = torch.stack(out.hidden_states)[1:].reshape(-1, d).float()
            score = (closed_score if penalty == "closed" else svd_score)(torch, points, target64 if penalty == "svd_f64" else target)
            loss = loss + LAMBDA * (1 - score)
        elif penalty == "per_layer":
            keep = x["attention_mask"].reshape(-1, 1).float()
            loss = loss + LAMBDA * (1 - score_fn.apply(target, keep, *out.hidden_states[1:]))
        loss.backward(); opt.step()
    return one


def table(out):
    """Prints the findings that decide, without those of single steps."""
    def lines(name):
        path = out / name
        return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")] if path.exists() else []
    dropped = {"memory", "turns", "settings", "gpu"}
    for finding in lines("findings.jsonl"):
        if not (finding["stage"] in ("parity", "lengths") and "step" in finding):
            print({key: value for key, value in finding.items() if key not in dropped})
    for finding in lines("torch.jsonl"):
        print({key: value for key, value in finding.items() if key not in dropped})


def main():
    command, args = sys.argv[1], sys.argv[2:]
    if command == "table":
        return table(pathlib.Path(args[0]))
    torch, bert = setup()
    name = torch.cuda.get_device_name()
    if command == "twonn":
        n, d = map(int, (args[0] if args else "20000x768").split("x"))
        torch.backends.cuda.matmul.allow_tf32 = False
        x = torch.tanh(torch.randn(n, 10, device="cuda") @ (torch.randn(10, d, device="cuda") * 0.3)) + 0.3
        def search():
            c = x - x.mean(0); norms = c.square().sum(1); near = torch.empty(n, 2, dtype=torch.float64, device="cuda")
            for s in range(0, n, 4096):
                q = torch.addmm(norms[None].expand(len(c[s:s + 4096]), n), c[s:s + 4096], c.T, alpha=-2)
                k = torch.arange(len(q), device="cuda"); q[k, k + s] = float("inf")
                i = q.topk(4, dim=1, largest=False).indices
                near[s:s + 4096] = (x[s:s + 4096, None].double() - x[i].double()).norm(dim=2).sort(1).values[:, :2]
            return near
        emit(stage="torch_twonn", gpu=name, n=n, d=d, **timed(torch, search, warm=1, turns=2, steps=2)); return
    b, t = map(int, (args[0] if args else "32x128").split("x"))
    if command == "step":
        compiled = "compile" in args
        for precision in (["bf16", "tf32"] if compiled else ["tf32", "bf16", "f32"]):
            torch.cuda.reset_peak_memory_stats()
            r = timed(torch, make_step(torch, bert(), b, t, precision, compiled=compiled))
            emit(stage="torch_step", gpu=name, shape=f"12x768 {b}x{t}", precision=precision, compiled=compiled, peak_mib=torch.cuda.max_memory_allocated() >> 20, **r)
            torch.cuda.empty_cache()
    if command == "penalty":
        for precision in ("tf32", "bf16"):
            for penalty in (None, "per_layer", "closed", "svd_f32", "svd_f64"):
                torch.cuda.reset_peak_memory_stats()
                r = timed(torch, make_step(torch, bert(), b, t, precision, penalty=penalty), steps=5 if penalty and "svd" in penalty else 20)
                emit(stage="torch_penalty", gpu=name, shape=f"12x768 {b}x{t}", precision=precision, penalty=penalty, peak_mib=torch.cuda.max_memory_allocated() >> 20, **r)
                torch.cuda.empty_cache()


main()
