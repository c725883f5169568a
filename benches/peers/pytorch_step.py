#!/usr/bin/env python3
"""One VGG19 training step (forward, backward, Adam) or forward pass, float32: warp19's CPU backend beside PyTorch.

    python3 benches/peers/pytorch_step.py [--forward] [--batch 64 128] [--steps 15] [--threads 2]

Makes its own virtual environment in .cache/peers and installs PyTorch there. Both do one step in turn, in one run; the
table has the medians and the median of the ratios pair by pair. PyTorch runs channels_last with fused Adam.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME = ROOT / ".cache" / "peers"


def own_environment():
    """Runs this script again inside its own environment."""
    python = HOME / "bin" / "python"
    if not python.exists():
        venv.create(HOME, with_pip=True)
    probe = subprocess.run([python, "-c", "import torch"], capture_output=True)
    if probe.returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "numpy"], check=True)
    if pathlib.Path(sys.prefix) != HOME:
        sys.exit(subprocess.run([python, *sys.argv]).returncode)


def pytorch(batch, threads, forward):
    import torch
    from torch import nn
    from vgg19 import network

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    net = network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-4, fused=True)
    x = torch.rand(batch, 1, 28, 28).contiguous(memory_format=torch.channels_last)
    y = torch.arange(batch) % 10

    def step():
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        return time.perf_counter() - start

    def inference():
        start = time.perf_counter()
        with torch.inference_mode():
            net(x)
        return time.perf_counter() - start

    net.train(not forward)
    return inference if forward else step, torch.__version__


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--forward", action="store_true", help="evaluation's forward pass instead of a step")
    args = parser.parse_args()
    build = ["cargo", "bench", "--quiet", "--bench", "step", "--no-run"]
    subprocess.run(build, cwd=ROOT, check=True)
    for batch in args.batch:
        step, version = pytorch(batch, args.threads, args.forward)
        what = "forward" if args.forward else "step"
        serve = ["cargo", "bench", "--quiet", "--bench", "step", "--", "--serve", what, str(batch)]
        ours = subprocess.Popen(serve, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def warp19():
            ours.stdin.write("\n")
            ours.stdin.flush()
            return float(ours.stdout.readline())

        for _ in range(2):
            step(), warp19()
        pairs = [(warp19(), step()) for _ in range(args.steps)]
        ours.stdin.close()
        ours.wait()
        a, b = (statistics.median(column) for column in zip(*pairs))
        ratio = statistics.median(w / p for w, p in pairs)
        print(f"{what}, batch {batch}: warp19 {a:.3f} s, PyTorch {version} {b:.3f} s, ratio {ratio:.2f}", flush=True)


own_environment()
main()
