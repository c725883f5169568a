#!/usr/bin/env python3
"""One VGG19 training step on a GPU: PyTorch as its users run it, for a figure beside `warp19 profile --device cuda`.

    python3 benches/peers/pytorch_gpu.py [--batch 64 128] [--precision f32 tf32 bf16 f16] [--steps 50]

Forward, backward and fused Adam, channels_last, recorded once as a CUDA graph and replayed, timed by events after 300 ms of
work. f32 keeps TF32 off; bf16 and f16 are autocast with float32 masters, f16 with a scaled loss. The moving average of the
weights and the deformation of the images, which are in warp19's step, are not in this one.

It runs with the Python that starts it, which must have a PyTorch that knows the card. `--device cpu` runs the same code
without graphs and events, to see that it works; its times are no GPU's. The authors have had no GPU to run it on.
"""

import argparse
import contextlib
import statistics
import sys
import time

try:
    import torch
    from torch import nn
    from vgg19 import network
except ImportError:
    sys.exit("error: this Python has no PyTorch; install one for your card as pytorch.org says, and start this again")

PRECISIONS = {"f32": None, "tf32": None, "bf16": torch.bfloat16, "f16": torch.float16}


def step_of(device, precision, batch):
    """A function that does one training step on batches that stay where they are."""
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True
    net = network().to(device=device, memory_format=torch.channels_last)
    graphs = device == "cuda"
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-4, fused=True, capturable=graphs)
    scaler = torch.amp.GradScaler(device, enabled=precision == "f16")
    x = torch.rand(batch, 1, 28, 28, device=device).contiguous(memory_format=torch.channels_last)
    y = torch.arange(batch, device=device) % 10
    half = PRECISIONS[precision]

    def step():
        optimizer.zero_grad(set_to_none=True)
        # Casts of the weights are not kept between steps, as a recorded step would keep those of its first run.
        cast = torch.autocast(device, half, cache_enabled=False) if half else contextlib.nullcontext()
        with cast:
            loss = nn.functional.cross_entropy(net(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    if not graphs:
        return step
    # The recipe of PyTorch's "CUDA graphs" note: a few steps on another stream, then the recording.
    other = torch.cuda.Stream()
    other.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(other):
        for _ in range(5):
            step()
    torch.cuda.current_stream().wait_stream(other)
    optimizer.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def seconds(device, step, steps):
    """The times of so many steps, one by one."""
    times = []
    began = time.perf_counter()
    while time.perf_counter() - began < 0.3:
        step()
        if device == "cuda":
            torch.cuda.synchronize()
    for _ in range(steps):
        if device == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            step()
            end.record()
            end.synchronize()
            times.append(start.elapsed_time(end) / 1e3)
        else:
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit(
            f"error: PyTorch {torch.__version__} finds no CUDA GPU, and this measures one; "
            "--device cpu shows that the script runs"
        )
    name = torch.cuda.get_device_name() if args.device == "cuda" else "CPU: no GPU's times"
    print(f"PyTorch {torch.__version__}, {name}")
    for batch in args.batch:
        for precision in args.precision:
            times = sorted(seconds(args.device, step_of(args.device, precision, batch), args.steps))
            median = statistics.median(times)
            spread = f"{1e3 * times[0]:.3f} to {1e3 * times[-1]:.3f}"
            print(f"step, batch {batch}, {precision}: {1e3 * median:.3f} ms ({spread})", flush=True)


main()
