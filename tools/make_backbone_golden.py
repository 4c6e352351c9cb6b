#!/usr/bin/env python3
"""make_backbone_golden.py - the original's layer lists, as short as they can be. SPDX-License-Identifier: MIT

    tools/make_backbone_golden.py backbone_layers.tsv > test/data/backbones.txt

A network is a line `= NAME VARIANT PARAMETERS MACS`, then a line per layer: name, type, what its type has, and
`< INPUTS` where it does not read just the line before. Types and what they have:
    conv, dw  kernel stride pad+extra cin cout size bias parameters     bn  momentum
    max       kernel stride size                                        drop  rate
    act       name of the activation                                    add, concat, mul, gap

Padding layers are the padding of the convolution after them; the average pool at the end of pooled ResNets is left out
(see lib/net/backbone/resnet.c). The list was made by a tool that could not see through a Reshape: where the squeezing
convolution of a squeeze-and-excite has no input channels and no parameters, they are put in, and its activations,
which the original hides inside the convolutions, become lines of their own. With them EfficientNet-B0 has Keras's
4,049,564 parameters.
"""
import ast
import csv
import sys

# CSPDarknet is not built.
VARIANTS = [(f"resnet{n}", v) for n in (10, 18, 34, 50, 101) for v in ("det", "pool_noproj")]
VARIANTS += [(f"vgg{n}", v) for n in (16, 19) for v in ("det", "pool")]
VARIANTS += [("googlenet", "det"), ("mobilenet_v1", "stride32"), ("mobilenet_v1", "det"), ("mobilenet_v2", "stride32"),
             ("mobilenet_v2", "det"), ("mobilenet_v2", "stride16_allproj"), ("squeezenet", "det"), ("darknet19", "det"),
             ("darknet53", "det"), ("efficientnet_b0", "det")]
INSIDE = {"se_reduce": "swish", "se_expand": "sigmoid"}
SHORT = {"Add": "add", "Concatenate": "concat", "Multiply": "mul", "GlobalAveragePooling2D": "gap"}


class Net:
    def __init__(self):
        self.lines, self.params, self.macs, self.last = [], 0, 0, ""
        self.alias, self.pad, self.channels = {}, {}, {}

    def put(self, name, inputs, *what):
        reads = "" if inputs == [self.last] else " < " + ",".join(inputs)
        self.lines.append(" ".join(map(str, (name, *what))) + reads)
        self.last = name

    def conv(self, row, inputs):
        k, stride = int(row["kernel"].split("x")[0]), int(row["stride"])
        cin, cout, size = int(row["cin"]), int(row["cout"]), int(row["HxW_at_224"].split("x")[0])
        bias, params, depthwise = row["attr"].endswith("1"), int(row["params"]), row["type"] != "Conv2D"
        before, after = self.pad.get(row["inputs"], (k // 2, k // 2))
        if cin < 0:
            cin = self.channels[inputs[0]]
            params = cin * cout * k * k + cout * bias
        self.params += params
        self.macs += k * k * (1 if depthwise else cin) * cout * size * size
        self.put(row["layer"], inputs, "dw" if depthwise else "conv", k, stride, f"{before}+{after - before}", cin,
                 cout, size, int(bias), params)
        inside = next((a for end, a in INSIDE.items() if row["layer"].endswith(end)), None)
        if inside:
            self.alias[row["layer"]] = "activation_in_" + row["layer"]
            self.put("activation_in_" + row["layer"], [row["layer"]], "act", inside)

    def layer(self, row):
        name, kind = row["layer"], row["type"]
        inputs = [self.alias.get(i, i) for i in row["inputs"].split(",")] if row["inputs"] else []
        self.channels[name] = int(row["cout"])
        if kind in ("ZeroPadding2D", "Reshape", "AveragePooling2D"):
            self.alias[name] = inputs[0]
            if kind == "ZeroPadding2D":
                pad = ast.literal_eval(row["attr"][4:])
                self.pad[name] = pad if isinstance(pad[0], int) else pad[0]
            if kind == "Reshape":
                self.channels[inputs[0]] = self.channels[row["inputs"]]
        elif kind in ("Conv2D", "DepthwiseConv2D"):
            self.conv(row, inputs)
        elif kind == "BatchNormalization":
            self.params += int(row["params"])
            self.put(name, inputs, "bn", row["attr"].split("mom=")[1])
        elif kind == "MaxPooling2D":
            self.put(name, inputs, "max", row["kernel"].split("x")[0], row["stride"], row["HxW_at_224"].split("x")[0])
        elif kind == "Dropout":
            self.put(name, inputs, "drop", row["attr"][5:])
        elif kind in ("Activation", "ReLU", "LeakyReLU"):
            self.put(name, inputs, "act", {"ReLU": "relu", "LeakyReLU": "leaky"}.get(kind, row["attr"]))
        elif kind in SHORT:
            self.put(name, inputs, SHORT[kind])
        elif kind == "InputLayer":
            self.last = name
        else:
            sys.exit(f"a layer type that is not known here: {kind}")


rows = list(csv.DictReader(open(sys.argv[1]), delimiter="\t"))
for backbone, variant in VARIANTS:
    net = Net()
    for row in rows:
        if (row["backbone"], row["variant"]) == (backbone, variant):
            net.layer(row)
    print("=", backbone, variant, net.params, net.macs)
    print("\n".join(net.lines))
