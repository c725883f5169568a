"""VGG19 for 28x28 grey images and ten classes in PyTorch, as warp19 has it, for the scripts beside this one."""

from torch import nn


def network():
    layers, channels = [], 1
    for out, count in [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)]:
        for _ in range(count):
            conv = nn.Conv2d(channels, out, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight)
            nn.init.zeros_(conv.bias)
            layers += [conv, nn.ReLU(inplace=True)]
            channels = out
        layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
    layers.append(nn.Flatten())
    for inputs, out in [(512, 4096), (4096, 4096), (4096, 1000)]:
        layers += [nn.Linear(inputs, out), nn.ReLU(inplace=True)]
        if out == 4096:
            layers.append(nn.Dropout(0.5))
    return nn.Sequential(*layers, nn.Linear(1000, 10))
