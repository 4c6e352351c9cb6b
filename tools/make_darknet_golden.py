#!/usr/bin/env python3
"""make_darknet_golden.py - a small darknet network, and what networks answer, for test_darknet.c.
SPDX-License-Identifier: MIT

    tools/make_darknet_golden.py OUT [WEIGHTS]        needs numpy and opencv-python-headless (4.x)

writes darknet_small.cfg, .weights and darknet_detector.cfg, .weights into OUT (test/data/import), and darknet_small.tsv, the answers
of OpenCV's dnn module to them. With the folder WEIGHTS of Yolo-Fastest's networks also darknet_trunks.tsv: what OpenCV has
at the last shortcut of each on the smallest maps.

A line is file, layer and values; of many values, those at equal steps. The input is the same as in make_tflite_golden.py. OpenCV adds
1e-6 to batch norm's variance, so the test does, too.
"""

import glob
import os
import sys
import cv2
import numpy as np
from make_tflite_golden import picture

SMALL = """# every layer that we read
[net]
batch=1
width=17
height = 17
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[convolutional]   ; depthwise
batch_normalize=1
filters=8
groups=8
size=3
stride=1
padding=1
activation=relu

[maxpool]
size=3
stride=1

[maxpool]
size=2
stride=1

[dropout]
probability=.2

[shortcut]
from=-4
activation=leaky

[route]
layers=-1,0

[route]
layers=-1

[convolutional]
filters=6
size=2
stride=2
activation=swish

[maxpool]
size=2
stride=2

[connected]
output=7
activation=logistic

[connected]
output=5
activation=linear

[softmax]
groups=1
"""

DETECTOR = """[net]
width=32
height=32

[convolutional]
batch_normalize=1
filters=4
size=3
stride=4
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=6
size=3
stride=2
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=6
size=1
activation=linear

[shortcut]
from=-2
activation=linear

[convolutional]
filters=5
size=1
activation=leaky

[convolutional]
filters=18
size=1
activation=linear

[yolo]
mask=0,1,2
anchors=1,2,3,4,5,6
classes=1
num=3
"""


def sections(text):
    for line in text.splitlines():
        line = line.split("#")[0].split(";")[0].replace(" ", "")
        if line.startswith("["):
            section = (line.strip("[]"), {})
            yield section
        elif line:
            key, value = line.split("=")
            section[1][key] = value


def weights(text, rng):
    """Random numbers in darknet's order, for layers without jumps in the width but those of SMALL and DETECTOR."""
    layers, out, c, size = list(sections(text)), [], 3, None
    size, channels = int(layers[0][1]["width"]), []
    for kind, o in layers[1:]:
        i = {k: int(v) for k, v in o.items() if k in ("filters", "size", "stride", "groups", "output", "pad", "padding")}
        if kind == "convolutional":
            n, k = i["filters"], i["size"]
            bn = "batch_normalize" in o
            out += [rng.normal(0, 0.3, n)] + ([rng.uniform(0.5, 1.5, n), rng.normal(0, 0.3, n), rng.uniform(0.1, 1, n)] if bn else [])
            out.append(rng.normal(0, 1.5 / np.sqrt(c // i.get("groups", 1) * k * k), n * c // i.get("groups", 1) * k * k))
            pad = k // 2 if "pad" in i else i.get("padding", 0)
            c, size = n, (size + 2 * pad - k) // i.get("stride", 1) + 1
        elif kind == "maxpool":
            size = (size + i["size"] - 1 - i["size"]) // i["stride"] + 1
        elif kind == "route" and "," in o["layers"]:
            c *= 2
        elif kind == "connected":
            n = i["output"]
            out += [rng.normal(0, 0.3, n), rng.normal(0, 1 / np.sqrt(c * size * size), n * c * size * size)]
            c, size = n, 1
    header = np.array([0, 2, 5], np.int32).tobytes() + np.int64(0).tobytes()
    return header + np.concatenate(out).astype(np.float32).tobytes()


def answer(path, layer):
    net = cv2.dnn.readNetFromDarknet(path, path[:-4] + ".weights")
    net.enableFusion(False)
    net.enableWinograd(False)
    with open(path) as f:
        head = list(sections(f.read()))[0][1]
    x = picture(1, int(head["height"]), int(head["width"]), int(head.get("channels", 3)))
    net.setInput(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    y = net.forward(layer)
    return y.transpose(0, 2, 3, 1) if y.ndim == 4 else y


def line(f, path, layer):
    y = answer(path, layer).ravel()
    print(os.path.basename(path), *(f"{v:.9g}" for v in y[:: max(1, y.size // 32)]), sep="\t", file=f)


def last_shortcut(path):
    """By its name in OpenCV: of the shortcuts with the smallest map before the first [yolo], the last."""
    with open(path) as f:
        kinds = [kind for kind, _ in sections(f.read())][1:]
    kinds = kinds[: kinds.index("yolo")]
    return f"shortcut_{len(kinds) - 1 - kinds[::-1].index('shortcut')}"


def main(out, folder=None):
    rng = np.random.default_rng(1)
    with open(os.path.join(out, "darknet_small.tsv"), "w") as f:
        for name, text, layer in (("darknet_small", SMALL, None), ("darknet_detector", DETECTOR, "shortcut_3")):
            path = os.path.join(out, name + ".cfg")
            with open(path, "w") as c:
                c.write(text)
            with open(path[:-4] + ".weights", "wb") as w:
                w.write(weights(text, rng))
            line(f, path, layer)
    if folder:
        with open(os.path.join(out, "darknet_trunks.tsv"), "w") as f:
            for path in sorted(glob.glob(os.path.join(folder, "*", "*.cfg"))):
                line(f, path, last_shortcut(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
