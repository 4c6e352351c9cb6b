#!/usr/bin/env python3
"""make_keras_golden.py - small Keras files, and what must be read from them, for test_keras.c.
SPDX-License-Identifier: MIT

    tools/make_keras_golden.py OUT

writes into OUT (test/data/import), under Keras 2 (tensorflow-cpu 2.15)

  keras_ngc.h5      a whole model as NGC's files are: channels first, batch norm, depthwise, SGD's momentum
  keras_last.h5     a whole model, channels last, with Flatten before Dense, and a model inside it
  keras_weights.h5  the weights of the first alone

and under Keras 3 (any backend)

  keras_3.h5        the first model, as Keras 3 writes HDF5
  keras_3.weights.h5   the weights of a single layer in Keras 3's own form, which is refused

Beside each .h5 of them lies a .tsv: layer, role, four dimensions, epsilon, values. The numbers come from the model in
memory, put into our order here with numpy, so they do not depend on how the file is read.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
from keras import layers as L

ROLES = {
    "kernel": "kernel",
    "depthwise_kernel": "kernel",
    "bias": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "moving_mean": "mean",
    "moving_variance": "var",
}
KERAS_3 = keras.__version__.startswith("3")


def ngc():
    x = y = keras.Input((3, 8, 8), name="input_1")
    first = dict(data_format="channels_first", padding="same")
    y = L.Conv2D(4, 3, strides=2, use_bias=False, name="conv1", **first)(y)
    y = L.BatchNormalization(axis=1, epsilon=1e-5, name="bn_conv1")(y)
    y = L.Activation("relu", name="activation_1")(y)
    y = L.DepthwiseConv2D(3, name="conv_dw_1", **first)(y)
    y = L.BatchNormalization(axis=1, name="conv_dw_1_bn", scale=False)(y)
    y = L.Conv2D(5, (1, 3), name="block_1a_conv_1", **first)(y)
    y = L.GlobalAveragePooling2D(data_format="channels_first", name="avg_pool")(y)
    y = L.Dense(3, activation="softmax", name="predictions")(y)
    model = keras.Model(x, y, name="resnet")
    model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
    model.optimizer.build(model.trainable_variables)
    return model


def last():
    a = b = keras.Input((4, 4, 2), name="inner_input")
    b = L.Conv2D(3, 3, padding="same", name="inner_conv")(b)
    b = L.BatchNormalization(epsilon=0.002, name="inner_bn")(b)
    inner = keras.Model(a, b, name="inner")
    x = y = keras.Input((4, 6, 2), name="input_1")
    y = L.Conv2D(2, 3, strides=(1, 1), padding="same", name="conv")(y)
    y = L.MaxPooling2D((2, 3), name="pool")(y)
    z = L.Flatten(name="flatten")(y)
    z = L.Dropout(0.5, name="dropout")(z)
    z = L.Dense(4, name="fc")(z)
    z = L.Dense(2, name="predictions")(z)
    w = L.GlobalAveragePooling2D(name="gap")(inner(L.Cropping2D(((0, 0), (1, 1)), name="crop")(x)))
    return keras.Model(x, [z, w], name="last")


def ours(array, layer, name, pixels):
    """Numbers in our order and four dimensions; pixels: h, w of the map that was flattened before a dense layer."""
    if "kernel" in name and isinstance(layer, L.DepthwiseConv2D):
        array = array.transpose(2, 3, 0, 1)
        array = array.reshape(-1, 1, *array.shape[2:])
    elif name == "kernel" and array.ndim == 4:
        array = array.transpose(3, 2, 0, 1)
    elif name == "kernel":
        i, o = array.shape
        if pixels:
            array = array.reshape(*pixels, i // (pixels[0] * pixels[1]), o).transpose(2, 0, 1, 3).reshape(i, o)
        array = array.T
    return array.ravel(), list(array.shape) + [1] * (4 - array.ndim)


def flat_layers(model):
    for layer in model.layers:
        yield from flat_layers(layer) if hasattr(layer, "layers") else [layer]


def tell(model, path, epsilon, pixels=None):
    with open(path, "w") as f:
        for layer in flat_layers(model):
            for v in layer.weights:
                name = v.name.split("/")[-1].split(":")[0]
                values, dims = ours(np.asarray(v), layer, name, pixels if layer.name == "fc" else None)
                eps = layer.epsilon if epsilon and hasattr(layer, "epsilon") else 0
                row = [layer.name, ROLES[name], *dims, f"{eps:.9g}", *(f"{x:.9g}" for x in values)]
                print(*row, sep="\t", file=f)


def randomize(model):
    rng = np.random.default_rng(1)
    for layer in flat_layers(model):
        layer.set_weights([rng.uniform(0.1, 1, w.shape).astype(np.float32) for w in layer.get_weights()])
    return model


def main(out):
    model = randomize(ngc())
    at = lambda name: os.path.join(out, name)
    if KERAS_3:
        model.save(at("keras_3.h5"))
        keras.Sequential([keras.Input((1,)), L.Dense(1)]).save_weights(at("keras_3.weights.h5"))
        tell(model, at("keras_3.tsv"), True)
        return
    model.save(at("keras_ngc.h5"), save_format="h5")
    tell(model, at("keras_ngc.tsv"), True)
    model.save_weights(at("keras_weights.h5"), save_format="h5")
    tell(model, at("keras_weights.tsv"), False)
    model = randomize(last())
    model.save(at("keras_last.h5"), save_format="h5")
    tell(model, at("keras_last.tsv"), True, (2, 2))


if __name__ == "__main__":
    main(sys.argv[1])
