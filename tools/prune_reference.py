#!/usr/bin/env python3
"""prune_reference.py - which channels the original toolkit's pruning keeps, computed with numpy.

    build/test/test_prune export DIR && tools/prune_reference.py DIR > test/data/prune.txt

Reads the ONNX models in DIR and follows the description of the original step by step: walk through the
layers in order; a layer that can be pruned gets the set of its own strongest channels; at an elementwise
sum, the layers that feed it are put into one equalization group and get one set; a depthwise convolution
and the layer before it get the set of their two merged statistics. Shares neither code nor structure with
lib/pass/prune.c, which finds the same by union-find over channels.

Output: a line for each model and each way to prune it, with a bit mask (hexadecimal, channel 0 is the
highest bit of the first digit) for each convolution and dense layer; "=" repeats the one before.
SPDX-License-Identifier: MIT
"""
import itertools
import pathlib
import sys

import numpy as np
import onnx
from onnx import numpy_helper

PASS = {"BatchNormalization", "Relu", "LeakyRelu", "Clip", "MaxPool", "AveragePool", "Dropout", "Softmax",
        "ReduceMean", "GlobalAveragePool"}
CRITERIA = ["union", "intersection", "arithmetic_mean", "geometric_mean"]
THRESHOLDS = {"max": [0.5, 0.8], "L2": [4.0, 9.0]}
SHAPES = [(3, 5), (8, 16)]  # granularity, minimum


class Network:
    def __init__(self, path):
        model = onnx.load(path)
        self.constant = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.maker = {}  # name of a value -> node
        self.nodes = list(model.graph.node)
        for node in self.nodes:
            self.maker[node.output[0]] = node
        meta = {p.key: p.value for p in model.metadata_props}
        self.excluded = set(filter(None, meta.get("exclude", "").split(",")))
        self.excluded |= {n.name for n in self.ancestors(model.graph.output[0].name)}

    def prunable(self, node):
        return node.op_type in ("Conv", "Gemm")

    def depthwise(self, node):
        group = next((a.i for a in node.attribute if a.name == "group"), 1)
        return node.op_type == "Conv" and group > 1

    def kernel(self, node):
        return self.constant[node.input[1]].astype(np.float64)

    def ancestors(self, value):
        """The nearest layers with weights of their own from which this value's channels come."""
        node = self.maker.get(value)
        if node is None:
            return []
        if self.prunable(node):
            return [node]
        if node.op_type in PASS:
            return self.ancestors(node.input[0])
        if node.op_type == "Add":
            return self.ancestors(node.input[0]) + self.ancestors(node.input[1])
        raise NotImplementedError(f"{node.op_type} in the way")


def statistics(kernel, normalizer):
    norm = np.sqrt((kernel ** 2).reshape(len(kernel), -1).sum(axis=1))
    return norm / norm.max() if normalizer == "max" else norm / np.sqrt((norm ** 2).sum()) * len(norm)


def merge(stats, criterion):
    stack = np.stack(stats)
    return {"union": lambda: stack.max(axis=0), "intersection": lambda: stack.min(axis=0),
            "arithmetic_mean": lambda: stack.mean(axis=0),
            "geometric_mean": lambda: np.exp(np.log(stack).mean(axis=0))}[criterion]()


def select(stat, threshold, granularity, minimum):
    keep = max(int((stat > threshold).sum()), min(minimum, len(stat)))
    keep = min(-(-keep // granularity) * granularity, len(stat))
    return np.sort(np.argsort(-stat, kind="stable")[:keep])


def explore(net, criterion, normalizer, threshold, granularity, minimum):
    """Name of a layer -> the channels it keeps."""
    stat, chosen, groups = {}, {}, []

    def agree(names, merged):
        whole = any(n in net.excluded for n in names)
        kept = np.arange(len(merged)) if whole else select(merged, threshold, granularity, minimum)
        for n in names:
            chosen[n] = kept

    for node in net.nodes:
        if net.prunable(node):
            stat[node.name] = statistics(net.kernel(node), normalizer)
            names = [node.name]
            if net.depthwise(node):
                names.append(net.ancestors(node.input[0])[0].name)
            agree(names, merge([stat[n] for n in names], criterion))
        elif node.op_type == "Add":
            group = {a.name for a in net.ancestors(node.output[0]) if len(stat[a.name]) > 1}
            for other in [g for g in groups if g & group]:
                group |= other
                groups.remove(other)
            groups.append(group)
            if len(group) > 1:
                agree(group, merge([stat[n] for n in sorted(group)], criterion))
    return chosen


def mask(kept, channels):
    bits = ["0"] * (-(-channels // 4) * 4)
    for c in kept:
        bits[c] = "1"
    return f"{int(''.join(bits), 2):0{len(bits) // 4}x}"


def main(folder):
    for path in sorted(pathlib.Path(folder).glob("*.onnx")):
        net = Network(path)
        for criterion, normalizer in itertools.product(CRITERIA, THRESHOLDS):
            for threshold, (granularity, minimum) in itertools.product(THRESHOLDS[normalizer], SHAPES):
                chosen = explore(net, criterion, normalizer, threshold, granularity, minimum)
                line, last = [path.stem, criterion, normalizer, f"{threshold:g}", f"{granularity}", f"{minimum}"], None
                for node in filter(net.prunable, net.nodes):
                    text = mask(chosen[node.name], len(net.kernel(node)))
                    line.append("=" if text == last else text)
                    last = text
                print(*line)


if __name__ == "__main__":
    main(sys.argv[1])
