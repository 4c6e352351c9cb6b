#!/usr/bin/env python3
"""make_tflite_golden.py - small TFLite files, and what networks answer, for test_tflite.c.
SPDX-License-Identifier: MIT

    tools/make_tflite_golden.py small OUT             needs tensorflow-cpu 2.15 and ai-edge-litert
    tools/make_tflite_golden.py coral OUT WEIGHTS     needs what make_models.py needs

OUT is test/data/import. `small` writes tflite_*.tflite, made by TensorFlow's converter from random networks with all the
operations that we read, and tflite_small.tsv: the answers of LiteRT. `coral` writes tflite_coral.tsv: the answers that ONNX Runtime
gives for what make_models.py makes of the networks in WEIGHTS/tflite-coral.

A line is file and values; of many values, those at equal steps. Inputs are the numbers of picture() in N,H,W,C order.
"""

import os
import sys
import numpy as np


def picture(*shape):
    i = np.arange(np.prod(shape), dtype=np.int64)
    return ((i * 37 + 11) % 101 / np.float32(50) - np.float32(1)).astype(np.float32).reshape(shape)


def line(f, name, y):
    y = np.asarray(y, np.float32).ravel()
    print(name, *(f"{v:.9g}" for v in y[:: max(1, y.size // 32)]), sep="\t", file=f)


def flat_net():
    import keras
    from keras import layers as L

    x = y = keras.Input((16, 16, 3), batch_size=1, name="picture")
    y = L.ReLU(6)(L.Conv2D(8, 3, 2, "same")(y))
    z = L.ReLU(6)(L.DepthwiseConv2D(3, padding="same")(y))
    y = L.Add()([y, L.Conv2D(8, 1)(z)])
    y = L.Concatenate()([y, L.Conv2D(4, 5, padding="same", dilation_rate=2, activation="relu")(y)])
    y = L.MaxPooling2D(2)(y)
    y = L.Conv2D(6, 3, 2, "valid", activation="relu")(L.ZeroPadding2D(((0, 1), (0, 1)))(y))
    y = L.Dense(5, activation="relu")(L.Flatten()(y))
    return keras.Model(x, L.Softmax()(L.Dense(4)(y)))


def mean_net():
    import keras
    from keras import layers as L

    x = y = keras.Input((9, 9, 1), batch_size=1, name="picture")
    y = L.Conv2D(6, 3, 2, "same", use_bias=False, activation="relu")(y)
    y = L.MaxPooling2D(2, 2, "same")(L.MaxPooling2D(3, 1, "same")(y))
    z = L.GlobalAveragePooling2D(keepdims=True)(y)
    y = L.Multiply()([y, L.Conv2D(6, 1, activation="sigmoid")(z)])
    y = L.LeakyReLU(0.25)(L.DepthwiseConv2D(2, depth_multiplier=2)(y))
    y = L.AveragePooling2D(2, 2)(y)
    return keras.Model(x, L.GlobalAveragePooling2D()(y))


def convert(model, how):
    import tensorflow as tf

    c = tf.lite.TFLiteConverter.from_keras_model(model)
    if how != "float":
        c.optimizations = [tf.lite.Optimize.DEFAULT]
    if how == "half":
        c.target_spec.supported_types = [tf.float16]
    if how in ("int8", "uint8"):
        rng = np.random.default_rng(3)
        shape = model.input_shape
        c.representative_dataset = lambda: ([rng.uniform(-1, 1, shape).astype(np.float32)] for _ in range(50))
        c.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        c.inference_input_type = c.inference_output_type = getattr(tf, how)
    return c.convert()


def answer(path):
    from ai_edge_litert.interpreter import Interpreter

    net = Interpreter(path, num_threads=1)
    net.allocate_tensors()
    i, o = net.get_input_details()[0], net.get_output_details()[0]
    x = picture(*i["shape"])
    if i["dtype"] != np.float32:
        scale, zero = i["quantization"]
        x = np.clip(np.round(x / scale + zero), np.iinfo(i["dtype"]).min, np.iinfo(i["dtype"]).max).astype(i["dtype"])
    net.set_tensor(i["index"], x)
    net.invoke()
    y = net.get_tensor(o["index"])
    scale, zero = o["quantization"]
    return (y.astype(np.float32) - zero) * scale if o["dtype"] != np.float32 else y


def small(out):
    import keras

    keras.utils.set_random_seed(1)
    flat, mean = flat_net(), mean_net()
    rng = np.random.default_rng(2)
    for model in (flat, mean):
        for v in model.weights:
            v.assign(rng.normal(0, 0.5 if "bias" in v.name else 1.2 / np.sqrt(np.prod(v.shape[:3])), v.shape))
    nets = [(flat, how) for how in ("float", "half", "int8", "uint8")] + [(mean, "float"), (mean, "int8")]
    with open(os.path.join(out, "tflite_small.tsv"), "w") as f:
        for model, how in nets:
            name = f"tflite_{'flat' if model is flat else 'mean'}_{how}.tflite"
            path = os.path.join(out, name)
            with open(path, "wb") as t:
                t.write(convert(model, how))
            line(f, name, answer(path))


CORAL = {
    "mobilenet_v1_0.25_128_quant.tflite": "mobilenet_v1_0.25_128",
    "mobilenet_v1_0.5_160_quant.tflite": "mobilenet_v1_0.5_160",
    "mobilenet_v1_0.75_192_quant.tflite": "mobilenet_v1_0.75_192",
    "mobilenet_v2_1.0_224_quant.tflite": "mobilenet_v2_tf",
    "tf2_mobilenet_v2_1.0_224_ptq.tflite": "mobilenet_v2_tf2",
}


def coral(out, weights):
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import make_models
    import onnxruntime

    with open(os.path.join(out, "tflite_coral.tsv"), "w") as f:
        for name, converted in CORAL.items():
            model = make_models.convert(weights, converted, False)
            del model.graph.output[:]
            logits = make_models.h.make_tensor_value_info("predictions", make_models.T.FLOAT, ["N", 1001])
            model.graph.output.append(logits)
            session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
            x = np.ascontiguousarray(picture(1, size, size, 3).transpose(0, 3, 1, 2))
            line(f, name, session.run(["predictions"], {"input_1": x})[0])


if __name__ == "__main__":
    {"small": small, "coral": coral}[sys.argv[1]](*sys.argv[2:])
