#!/usr/bin/env python3
"""make_keras_runs.py - what Keras makes of a picture, for test_match.c. SPDX-License-Identifier: MIT

    tools/make_keras_runs.py OUT

needs keras 3 (any backend), numpy and pillow, and writes into OUT (test/data/import)

  keras_nets.tsv       a line a network: name, then each tensor as NAME:SHAPE, in our order of dimensions and with
                       PyTorch's words for what it is (weight, bias, running_mean, running_var)
  keras_nets_run.tsv   what the network gives for the picture, at equal steps

Two kinds of networks: keras.* are those of keras.applications; original.* are built here, layer by layer, from the
original's lists in test/data/backbones.txt, with average pooling and a dense layer at the end, as its classifier has
them. Their names are those of the .hdf5 files that the original's maker publishes. Weights follow from the names, by
the formula of make_import_goldens.py. VGG's dense layers have 100 million weights and are left out.
"""

import os
import sys

import keras
import numpy as np
from keras import layers as L
from make_import_goldens import draw
from PIL import Image

PICTURE = "examples/vehicles/test/ambulance/75738d3d8b999eb0_1.jpg"
LISTS = "test/data/backbones.txt"
APPLICATIONS = ("MobileNet", "MobileNetV2", "ResNet50", "VGG16")
ORIGINALS = ("resnet18 det", "resnet50 det", "vgg16 det", "googlenet det", "mobilenet_v1 stride32",
             "mobilenet_v2 stride32", "squeezenet det", "darknet19 det", "efficientnet_b0 det")
ACTIVATIONS = {"relu": L.ReLU, "leaky": lambda name: L.LeakyReLU(negative_slope=0.1, name=name),
               "swish": lambda name: L.Activation("silu", name=name),
               "sigmoid": lambda name: L.Activation("sigmoid", name=name)}
ROLES = {"kernel": "weight", "gamma": "weight", "bias": "bias", "beta": "bias", "moving_mean": "running_mean",
         "moving_variance": "running_var"}


def conv(x, name, kind, kernel, stride, pad, cout, bias):
    before, extra = map(int, pad.split("+"))
    x = L.ZeroPadding2D(((before, before + extra),) * 2)(x)
    same = dict(strides=int(stride), padding="valid", use_bias=bias == "1", name=name)
    return L.DepthwiseConv2D(int(kernel), **same)(x) if kind == "dw" else L.Conv2D(int(cout), int(kernel), **same)(x)


def pool(x, name, kernel, stride):
    edge = (int(kernel) - 1) // 2
    return L.MaxPooling2D(int(kernel), int(stride), name=name)(L.ZeroPadding2D(edge)(x))


def layer(name, kind, what, x):
    """One line of the list; x: the maps that it reads."""
    if kind in ("conv", "dw"):
        kernel, stride, pad, _, cout, _, bias, _ = what
        return conv(x[0], name, kind, kernel, stride, pad, cout, bias)
    if kind == "bn":
        return L.BatchNormalization(epsilon=1e-3, name=name)(x[0])
    if kind == "act":
        return ACTIVATIONS[what[0]](name=name)(x[0])
    if kind == "max":
        return pool(x[0], name, *what[:2])
    if kind == "gap":
        return L.GlobalAveragePooling2D(keepdims=True, name=name)(x[0])
    if kind == "drop":
        return x[0]
    return {"add": L.Add, "concat": L.Concatenate, "mul": L.Multiply}[kind](name=name)(x)


def original(title):
    """The network of that name and variant in the lists."""
    with open(LISTS) as f:
        lines = f.read().split("= " + title + " ")[1].split("\n= ")[0].splitlines()[1:]
    image = last = keras.Input((224, 224, 3))
    at = {}
    for line in lines:
        words, _, inputs = line.partition(" < ")
        name, kind, *what = words.split()
        last = at[name] = layer(name, kind, what, [at.get(i, image) for i in inputs.split(",")] if inputs else [last])
    return keras.Model(image, L.Dense(10, name="predictions")(L.GlobalAveragePooling2D()(last)))


def application(name):
    make = getattr(keras.applications, name)
    if name == "VGG16":
        return make(weights=None, include_top=False, input_shape=(224, 224, 3)), -2
    return make(weights=None, classes=10, classifier_activation=None), -1


def fill(model):
    """Give the model its weights; their names and shapes here."""
    words = []
    for x in model.layers:
        values = []
        for v in x.weights:
            depthwise = isinstance(x, L.DepthwiseConv2D) and len(v.shape) == 4
            order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1) if len(v.shape) == 4 else tuple(range(len(v.shape)))[::-1]
            shape = tuple(v.shape[i] for i in order)
            name = f"{x.name}.{ROLES[v.name]}"
            values.append(np.asarray(draw(name, shape)).transpose(np.argsort(order)))
            words.append(f"{name}:{','.join(map(str, shape))}")
        x.set_weights(values)
    return words


def main(out):
    picture = np.asarray(Image.open(PICTURE).convert("RGB"))[:224, :224].astype(np.float32)
    x = (picture[None] - 127.5) / 63.75
    with open(os.path.join(out, "keras_nets.tsv"), "w") as nets, open(os.path.join(out, "keras_nets_run.tsv"), "w") as run:
        for name in APPLICATIONS + ORIGINALS:
            model, end = application(name) if name in APPLICATIONS else (original(name), -1)
            title = ("keras." if name in APPLICATIONS else "original.") + name.split()[0]
            nets.write("\t".join([title] + fill(model)) + "\n")
            y = np.asarray(keras.Model(model.input, model.layers[end].output).predict(x, verbose=0)).ravel()
            run.write("\t".join([title] + [f"{v:.7g}" for v in y[:: max(1, len(y) // 32)]]) + "\n")
            print(title, len(model.layers), "layers, up to", np.abs(y).max())


if __name__ == "__main__":
    main(sys.argv[1])
