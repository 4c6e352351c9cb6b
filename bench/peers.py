#!/usr/bin/env python3
"""peers.py - the same steps and answers in PyTorch and ONNX Runtime, for bench/run.sh.
SPDX-License-Identifier: MIT

    peers.py train NET LAYOUT [STEPS [BATCH]]    LAYOUT: nchw or nhwc (channels_last); 10; 16
    peers.py infer FILE [RUNS]                   an ONNX file with a fixed batch size
    peers.py have                                which peers are installed

Prints what bench_train and bench_infer print. The networks are torchvision's, changed where the
original toolkit's differ, so that both sides do the same work: ResNets have a projection in the
first unit, and the bottleneck's stride is on its first convolution.
"""

import os
import resource
import statistics
import sys
import time

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))


def resnet(net):
    from torch import nn

    first = net.layer1[0]
    if first.downsample is None:
        first.downsample = nn.Sequential(nn.Conv2d(64, 64, 1, bias=False), nn.BatchNorm2d(64))
    for stage in (net.layer2, net.layer3, net.layer4):
        if hasattr(stage[0], "conv3"):
            stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    return net


def build(name):
    import torchvision

    net = getattr(torchvision.models, name)(num_classes=1000)
    if name == "mobilenet_v2":
        net.classifier[0].p = 0.0
        return net
    return resnet(net)


def median_ms(run, warm, times):
    took = []
    for i in range(-warm, times):
        start = time.perf_counter()
        run()
        if i >= 0:
            took.append(1e3 * (time.perf_counter() - start))
    return statistics.median(took)


def report(what, ms):
    print(f"{what} ms {ms:.2f} MB {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")


def train(name, layout, steps=10, batch=16):
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    form = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    net = build(name).train().to(memory_format=form)
    x = torch.rand(batch, 3, 224, 224).to(memory_format=form)
    label = torch.arange(batch)
    optimizer = torch.optim.SGD(net.parameters(), 1e-3, 0.9)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), label).backward()
        optimizer.step()

    report(f"train {name}", median_ms(step, 1, steps))


def infer(path, runs=20):
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).random(session.get_inputs()[0].shape, np.float32)
    report("infer", median_ms(lambda: session.run(None, {session.get_inputs()[0].name: x}), 2, runs))


def have():
    for name, modules in (("train", ("torch", "torchvision")), ("infer", ("onnxruntime",))):
        try:
            print(name, *(f"{m} {__import__(m).__version__}" for m in modules))
        except ImportError:
            pass


if __name__ == "__main__":
    command, *args = sys.argv[1:] or ["have"]
    {"train": train, "infer": infer, "have": have}[command](*(int(a) if a.isdigit() else a for a in args))
