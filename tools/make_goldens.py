#!/usr/bin/env python3
"""make_goldens.py - ten training steps of two networks in PyTorch, for test/test_golden.c.
SPDX-License-Identifier: MIT

    tools/make_goldens.py [test/data/golden]

Needs numpy, torch, torchvision, onnx. The networks are written here a second time, from the original's
layer lists and in our layer names, so that a mistake in lib/net/backbone is not repeated. Nothing random:
`noise` below and in the test give the same numbers from a name and an index, so no weights are kept.

NETWORK.tsv holds, from a run in double precision: `loss` per step; `grad`, the gradient's norm and four of
its entries, of every parameter in step 0 and of a selection afterwards (left out are those that are zero
because another batch norm follows); `stat`, norm and entries of batch norm's running statistics at the
end. Training multiplies rounding errors, so each step also has `float`, how far PyTorch's own float32 runs
(two memory layouts, with and without oneDNN) were from it up to that step: what the test may demand.

trunk.tsv holds the features torchvision gives, in double precision, with the weights in
models/mobilenet_v2_imagenet.onnx.
"""

import os
import sys
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from make_models import torch_features

BATCH, SIZE, CLASSES, STEPS, MOMENTUM = 8, 64, 5, 10, 0.9
ZERO = 1e-6


def noise(name, n):
    """n numbers in [-1, 1): SplitMix64's finalizer over the FNV-1a hash of the name and a counter."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    x = np.uint64(h) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)


class Layers:
    """Makes each layer's parameters when it is first called."""

    def __init__(self, dtype):
        self.dtype, self.param, self.stat = dtype, {}, {}

    def get(self, name, shape, scale, offset=0.0):
        if name not in self.param:
            v = noise(name, int(np.prod(shape))) * np.float32(scale) + np.float32(offset)
            self.param[name] = torch.tensor(v.reshape(shape), dtype=self.dtype, requires_grad=True)
        return self.param[name]

    def matrix(self, name, shape):
        return self.get(name + ".weight", shape, np.sqrt(6 / np.prod(shape[1:])))

    def conv(self, x, name, out, k=1, stride=1, groups=1):
        return F.conv2d(x, self.matrix(name, (out, x.shape[1] // groups, k, k)), None, stride, k // 2, 1, groups)

    def bn(self, x, name):
        c = x.shape[1]
        gamma, beta = self.get(name + ".gamma", (c,), 0.1, 1), self.get(name + ".beta", (c,), 0.1)
        mean = self.stat.setdefault(name + ".mean", torch.zeros(c, dtype=self.dtype))
        var = self.stat.setdefault(name + ".var", torch.ones(c, dtype=self.dtype))
        return F.batch_norm(x, mean, var, gamma, beta, True, 0.1, 1e-5)

    def dense(self, x, name, out):
        return F.linear(x, self.matrix(name, (out, x.shape[1])), self.get(name + ".bias", (out,), 0.1))


def resnet18(l, x):
    """With max pooling, projections only where the size or stage changes."""
    x = F.relu(l.bn(l.conv(x, "conv1", 64, 7, 2), "bn_conv1"))
    x = F.max_pool2d(x, 3, 2, 1)
    for stage in (1, 2, 3, 4):
        for unit in "ab":
            at, width = f"block_{stage}{unit}", 32 << stage
            stride = 2 if unit == "a" and stage > 1 else 1
            y = F.relu(l.bn(l.conv(x, f"{at}_conv_1", width, 3, stride), f"{at}_bn_1"))
            y = l.bn(l.conv(y, f"{at}_conv_2", width, 3), f"{at}_bn_2")
            if unit == "a":
                x = l.bn(l.conv(x, f"{at}_conv_shortcut", width, 1, stride), f"{at}_bn_shortcut")
            x = F.relu(x + y)
    return l.dense(x.mean((2, 3)), "predictions", CLASSES)


def mobilenet_v2(l, x):
    rows = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    x = F.relu6(l.bn(l.conv(x, "conv1", 32, 3, 2), "bn_conv1"))
    b = 0
    for expand, out, n, first in rows:
        for i in range(n):
            at, mid, y = f"block_{b}" if b else "expanded_conv", x.shape[1] * expand, x
            if b:
                y = F.relu6(l.bn(l.conv(y, f"{at}_expand", mid), f"{at}_expand_bn"))
            y = F.relu6(l.bn(l.conv(y, f"{at}_depthwise", mid, 3, 1 if i else first, mid), f"{at}_depthwise_bn"))
            y = l.bn(l.conv(y, f"{at}_project", out), f"{at}_project_bn")
            x = x + y if i else y
            b += 1
    x = F.relu6(l.bn(l.conv(x, "conv_1", 1280), "conv_1_bn"))
    return l.dense(x.mean((2, 3)), "predictions", CLASSES)


# Learning rates are low, and the batch is 8: with noise for pictures and two by two pixels left at the end, batch norm
# makes MobileNetV2 chaotic. At a rate of 1e-3 even PyTorch's float32 and double lose each other after two steps.
NETS = {
    "resnet18": (
        resnet18,
        1e-4,
        "conv1 bn_conv1 block_1a_conv_1 block_2a_conv_shortcut block_2a_bn_shortcut block_3b_conv_2 "
        "block_4b_conv_2 block_4b_bn_2 predictions",
    ),
    "mobilenet_v2": (
        mobilenet_v2,
        1e-5,
        "conv1 bn_conv1 expanded_conv_depthwise block_3_expand block_6_depthwise block_6_depthwise_bn "
        "block_13_project block_16_depthwise conv_1 conv_1_bn predictions",
    ),
}


def entries(t):
    """What is kept of a tensor: its norm, and four entries evenly spread."""
    v = t.detach().double().flatten().numpy()
    return np.array([np.linalg.norm(v)] + [v[(len(v) - 1) * i // 3] for i in range(4)])


def train(net, rate, dtype, channels_last=False):
    """[loss], [{parameter: entries of its gradient}] per step, {statistic: entries} at the end."""
    l, velocity, losses, grads = Layers(dtype), {}, [], []
    x = torch.tensor(noise("input", BATCH * SIZE * SIZE * 3).reshape(BATCH, SIZE, SIZE, 3), dtype=dtype).permute(
        0, 3, 1, 2
    )
    x = x.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    label = torch.arange(BATCH) % CLASSES
    for _ in range(STEPS):
        loss = F.cross_entropy(net(l, x), label)
        grad = dict(zip(l.param, torch.autograd.grad(loss, list(l.param.values()))))
        losses.append(loss.item())
        grads.append({k: entries(g) for k, g in grad.items()})
        with torch.no_grad():
            for k, g in grad.items():
                velocity[k] = MOMENTUM * velocity.get(k, 0) - rate * g
                l.param[k] += velocity[k]
    return losses, grads, {k: entries(s) for k, s in l.stat.items()}, {k: p.numel() for k, p in l.param.items()}


def difference(a, b, n):
    """Of two sets of entries: the norm's, relative, and the largest entry's, in units of the root mean square."""
    return np.array([abs(a[0] - b[0]) / b[0], np.abs(a[1:] - b[1:]).max() / (b[0] / np.sqrt(n))])


def floats(net, rate):
    yield train(net, rate, torch.float32)
    yield train(net, rate, torch.float32, True)
    with torch.backends.mkldnn.flags(enabled=False):
        yield train(net, rate, torch.float32)


def write_net(path, net, rate, selection):
    losses, grads, stats, sizes = train(net, rate, torch.float64)
    runs = list(floats(net, rate))
    worst = np.zeros(3)
    number = lambda v: "\t".join(f"{x:.9g}" for x in v)
    with open(path, "w") as f:
        for step in range(STEPS):
            dloss = max(abs(r[0][step] - losses[step]) for r in runs)
            kept = {
                k: g for k, g in grads[step].items() if g[0] > ZERO and (step == 0 or k.rpartition(".")[0] in selection)
            }
            norm, entry = np.max([difference(r[1][step][k], g, sizes[k]) for r in runs for k, g in kept.items()], 0)
            worst = np.maximum(worst, [dloss, norm, entry])
            f.write(f"loss\t{step}\t-\t{losses[step]:.12g}\nfloat\t{step}\t-\t{number(worst)}\n")
            print(
                f"  step {step}: loss {losses[step]:.6f}; float32 is off by {dloss:.1e} in loss, "
                f"{norm:.1e} in norms, {entry:.1e} in entries"
            )
            for k, g in kept.items():
                f.write(f"grad\t{step}\t{k}\t{number(g)}\n")
        kept = {k: s for k, s in stats.items() if k.rpartition(".")[0] in selection}
        norm, entry = np.max(
            [difference(r[2][k], s, sizes[k.rpartition(".")[0] + ".gamma"]) for r in runs for k, s in kept.items()], 0
        )
        f.write(f"float\t{STEPS}\t-\t{number([0, norm, entry])}\n")
        print(f"  statistics: float32 is off by {norm:.1e} in norms, {entry:.1e} in entries")
        for k, s in kept.items():
            f.write(f"stat\t{STEPS}\t{k}\t{number(s)}\n")


def write_trunk(path, model):
    x = noise("input", 2 * SIZE * SIZE * 3).reshape(2, SIZE, SIZE, 3).transpose(0, 3, 1, 2)
    y = torch_features(onnx.load(model), np.ascontiguousarray(x))
    with open(path, "w") as f:
        for n, c in ((n, c) for n in range(2) for c in range(0, y.shape[1], 40)):
            f.write(f"{n}\t{c}\t{y[n, c]:.9g}\n")


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else "test/data/golden"
    os.makedirs(out, exist_ok=True)
    torch.set_num_threads(1)
    for name, (net, rate, selection) in NETS.items():
        print(name)
        write_net(os.path.join(out, name + ".tsv"), net, rate, selection.split())
    write_trunk(
        os.path.join(out, "trunk.tsv"), os.path.join(os.path.dirname(__file__), "../models/mobilenet_v2_imagenet.onnx")
    )


if __name__ == "__main__":
    main()
