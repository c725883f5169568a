"""A small convolutional network trained on MNIST by tinygrad with its default JIT: steps are captured and replayed as a
CUDA graph. Usage: mnist_tinygrad.py FOLDER_WITH_IDX_FILES"""
import gzip
import pathlib
import sys

import numpy as np
from tinygrad import Context, Device, Tensor, TinyJit, nn

BATCH, STEPS, TEST = 64, 40, 512


def idx(name, header):
    file = pathlib.Path(sys.argv[1]) / name
    data = file.read_bytes() if file.exists() else gzip.decompress(file.with_suffix(file.suffix + ".gz").read_bytes())
    return np.frombuffer(data, np.uint8, offset=header)


class Network:
    def __init__(self):
        self.first, self.second = nn.Conv2d(1, 8, 5, stride=2), nn.Conv2d(8, 16, 3, stride=2)
        self.last = nn.Linear(16 * 5 * 5, 10)

    def __call__(self, x):
        return self.last(self.second(self.first(x).relu()).relu().flatten(1))


def main():
    assert Device.DEFAULT == "CUDA", Device.DEFAULT
    images = Tensor(idx("train-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28)[:4096].astype(np.float32) / 255)
    labels = Tensor(idx("train-labels-idx1-ubyte", 8)[:4096].astype(np.int32))
    unseen = Tensor(idx("t10k-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28)[:TEST].astype(np.float32) / 255)
    truth = Tensor(idx("t10k-labels-idx1-ubyte", 8)[:TEST].astype(np.int32))
    Tensor.manual_seed(1)
    network = Network()
    optimizer = nn.optim.Adam(nn.state.get_parameters(network), lr=0.004)

    @TinyJit
    def step():
        optimizer.zero_grad()
        chosen = Tensor.randint(BATCH, high=images.shape[0])
        loss = network(images[chosen]).sparse_categorical_crossentropy(labels[chosen]).backward()
        return loss.realize(*optimizer.schedule_step())

    with Context(TRAINING=1):
        losses = [step().item() for _ in range(STEPS)]
    accuracy = (network(unseen).argmax(axis=1) == truth).mean().item()
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f}, accuracy {accuracy:.3f} of {TEST} unseen images")
    assert losses[-1] < losses[0] / 2 and accuracy > 0.7
    graphs = "with CUDA graphs" if "tinygrad.runtime.graph.cuda" in sys.modules else "without graphs"
    print(f"steps replayed {graphs}")


main()
