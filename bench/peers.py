#!/usr/bin/env python3
"""peers.py - the same steps and answers in other programs, for bench/run.sh.
SPDX-License-Identifier: MIT

    peers.py train NET HOW [STEPS [BATCH]]    10; 16. HOW: nchw or nhwc (PyTorch, channels_last),
                                              bf16 (PyTorch's autocast, channels_last), tf (TensorFlow)
    peers.py infer FILE ENGINE [RUNS]         an ONNX file with a fixed batch size; ENGINE: ort
                                              (ONNX Runtime), openvino, openvino-bf16
    peers.py have                             which peers are installed

Prints what bench_train and bench_infer print. The networks are torchvision's, and Keras's for
TensorFlow, changed where the original toolkit's differ, so that all sides do the same work: ResNets
have a projection in the first unit, and the bottleneck's stride is on its first convolution; VGG
has batch norm, and averages its last map in place of the three dense layers.
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

    if name == "vgg16":
        return vgg(torchvision.models.vgg16_bn())
    net = getattr(torchvision.models, name)(num_classes=1000)
    if name == "mobilenet_v2":
        net.classifier[0].p = 0.0
        return net
    return resnet(net)


def vgg(net):
    from torch import nn

    return nn.Sequential(net.features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


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


def train(name, how, steps=10, batch=16):
    if how == "tf":
        return train_tf(name, steps, batch)
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    form = torch.contiguous_format if how == "nchw" else torch.channels_last
    net = build(name).train().to(memory_format=form)
    x = torch.rand(batch, 3, 224, 224).to(memory_format=form)
    label = torch.arange(batch)
    optimizer = torch.optim.SGD(net.parameters(), 1e-3, 0.9)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=how == "bf16"):
            loss = torch.nn.functional.cross_entropy(net(x).float(), label)
        loss.backward()
        optimizer.step()

    report(f"train {name}", median_ms(step, 1, steps))


def keras_resnet18(keras):
    layers = keras.layers

    def conv(x, filters, size, stride=1, relu=True):
        x = layers.Conv2D(filters, size, stride, "same", use_bias=False)(x)
        x = layers.BatchNormalization(epsilon=1e-5, momentum=0.9)(x)
        return layers.ReLU()(x) if relu else x

    image = keras.Input((224, 224, 3))
    x = layers.MaxPooling2D(3, 2, "same")(conv(image, 64, 7, 2))
    for filters in (64, 128, 256, 512):
        for unit in range(2):
            stride = 2 if unit == 0 and filters > 64 else 1
            short = x if unit else conv(x, filters, 1, stride, False)
            x = conv(conv(x, filters, 3, stride), filters, 3, 1, False)
            x = layers.ReLU()(layers.Add()([x, short]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(1000)(x))


def keras_vgg16(keras):
    layers = keras.layers
    image = x = keras.Input((224, 224, 3))
    for filters, convs in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(convs):
            x = layers.Conv2D(filters, 3, 1, "same")(x)
            x = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5, momentum=0.9)(x))
        x = layers.MaxPooling2D(2)(x)
    return keras.Model(image, layers.Dense(1000)(layers.GlobalAveragePooling2D()(x)))


def build_tf(name, keras):
    own = {"resnet18": keras_resnet18, "vgg16": keras_vgg16}
    if name in own:
        return own[name](keras)
    nets = {"resnet50": "ResNet50", "mobilenet_v2": "MobileNetV2"}
    return getattr(keras.applications, nets[name])(weights=None, classifier_activation=None)


def train_tf(name, steps, batch):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    net = build_tf(name, tf.keras)
    x, label = tf.random.uniform((batch, 224, 224, 3)), tf.range(batch)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.SGD(1e-3, 0.9)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(label, net(x, training=True))
        optimizer.apply_gradients(zip(tape.gradient(value, net.trainable_variables), net.trainable_variables))
        return value

    report(f"train {name}", median_ms(lambda: step().numpy(), 1, steps))


def run_ort(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return session.get_inputs()[0].shape, lambda x: session.run(None, {name: x})


def run_openvino(path, precision):
    import openvino

    config = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    model = openvino.Core().compile_model(path, "CPU", config)
    return list(model.inputs[0].shape), lambda x: model(x)


def infer(path, engine, runs=20):
    import numpy as np

    shape, run = run_ort(path) if engine == "ort" else run_openvino(path, "bf16" if engine.endswith("bf16") else "f32")
    x = np.random.default_rng(1).random(shape, np.float32)
    report("infer", median_ms(lambda: run(x), 2, runs))


def have():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for modules in (("torch", "torchvision"), ("onnxruntime",), ("openvino",), ("tensorflow",)):
        try:
            print(*(f"{m} {__import__(m).__version__}" for m in modules))
        except ImportError:
            pass


if __name__ == "__main__":
    command, *args = sys.argv[1:] or ["have"]
    {"train": train, "infer": infer, "have": have}[command](*(int(a) if a.isdigit() else a for a in args))
