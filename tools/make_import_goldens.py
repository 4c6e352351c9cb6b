#!/usr/bin/env python3
"""make_import_goldens.py - what PyTorch's networks are called and answer, and small files of weights, for test_match.c and
test_import.c. SPDX-License-Identifier: MIT

    tools/make_import_goldens.py OUT        OUT is test/data/import; needs torch, torchvision, timm, onnx, safetensors, numpy, pillow

  state_dicts.tsv      a line a network: origin.name, then NAME:DIM,DIM,... of every tensor of its state dict
  state_dicts_run.tsv  what it answers (of many values those at equal steps, in the order N,H,W,C) on a real picture, with weights
                       that are a formula of name and index: draw() here, in the test again
  outside.onnx, outside.bin        external data
  torch_*.pth, types.safetensors   every element type, strides, shared storages, nesting, and what must be refused

VGG's are the convolutions alone: its dense layers have 100 million weights."""

import argparse
import os
import sys
import zipfile
import numpy as np
import onnx
import timm
import torch
import torchvision
from PIL import Image
from safetensors.numpy import save_file as save_safetensors

PICTURE = "examples/vehicles/test/ambulance/75738d3d8b999eb0_1.jpg"
NETWORKS = [
    ("torchvision", "resnet18"), ("torchvision", "resnet34"), ("torchvision", "resnet50"), ("torchvision", "resnet101"),
    ("torchvision", "vgg16"), ("torchvision", "vgg19"), ("torchvision", "vgg16_bn"), ("torchvision", "googlenet"),
    ("torchvision", "mobilenet_v2"), ("torchvision", "squeezenet1_0"), ("torchvision", "efficientnet_b0"),
    ("timm", "mobilenetv1_100"), ("timm", "mobilenetv2_100"), ("timm", "efficientnet_b0"), ("timm", "efficientnet_lite0"),
]


def uniform(name, n):
    """n numbers of [0, 1) that follow from the name: a 32-bit hash of the position, seeded by one of the name."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 & 0xFFFFFFFF
    h = (np.arange(n, dtype=np.uint32) + np.uint32(seed)) * np.uint32(0x9E3779B1)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x85EBCA77)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE3D)
    h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(2.0 ** -24)


def draw(name, shape):
    n = int(np.prod(shape))
    u = uniform(name, n)
    if len(shape) > 1:  # signals neither vanish nor explode
        size = np.float32((6 / (n / shape[0])) ** 0.5)
        low, high = -size, size
    elif name.endswith(("weight", "var")):
        low, high = np.float32(0.5), np.float32(1.25)
    else:
        low, high = np.float32(-0.25), np.float32(0.25)
    return torch.from_numpy((low + (high - low) * u).reshape(shape))


def network(origin, name):
    if origin == "timm":
        m = timm.create_model(name, num_classes=10)
    elif name == "googlenet":
        m = torchvision.models.googlenet(num_classes=10, init_weights=False, transform_input=False)
    elif name.startswith("vgg"):
        m = torch.nn.Sequential()
        m.features = getattr(torchvision.models, name)(init_weights=False).features[:-1]
    else:
        m = getattr(torchvision.models, name)(num_classes=10)
    return m.eval()


def networks(out):
    picture = np.asarray(Image.open(PICTURE).convert("RGB"))[:224, :224].astype(np.float32)
    x = torch.from_numpy((picture - 127.5) / 63.75).permute(2, 0, 1)[None].contiguous()
    with open(os.path.join(out, "state_dicts.tsv"), "w") as names, open(os.path.join(out, "state_dicts_run.tsv"), "w") as run:
        for origin, name in NETWORKS:
            m = network(origin, name)
            state = {k: draw(k, tuple(v.shape)) for k, v in m.state_dict().items() if v.dim()}
            m.load_state_dict(state, strict=False)
            with torch.no_grad():
                y = m(x)
            y = y.permute(0, 2, 3, 1) if y.dim() == 4 else y
            y = y.flatten().numpy()
            title = f"{origin}.{name}"
            names.write("\t".join([title] + [f"{k}:{','.join(map(str, v.shape))}" for k, v in state.items()]) + "\n")
            run.write("\t".join([title] + [f"{v:.7g}" for v in y[:: max(1, len(y) // 32)]]) + "\n")


def ramp(*shape):
    """Numbers that every element type holds exactly."""
    return (torch.arange(int(np.prod(shape))) % 100).reshape(shape)


def files(out):
    def save(x, name, **kw):
        torch.save(x, os.path.join(out, name), **kw)

    whole = ramp(4, 6).float()
    types = {f"{str(t).split('.')[1]}.weight": ramp(2, 3).to(t)
             for t in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
                       torch.uint8, torch.bool)}
    strided = {"turned.weight": whole.t(), "part.weight": whole[1:3, ::2], "same.weight": whole, "scalar.weight": torch.tensor(3.0),
               "empty.weight": torch.zeros(0, 3), "parameter.bias": torch.nn.Parameter(ramp(5).float())}
    norm = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    save(types, "torch_types.pth")
    save(strided, "torch_strides.pth")
    save({"epoch": 3, "lr": 0.5, "note": "ä", "done": [True, None, (1, 2)],
          "state_dict": {"module." + k: v for k, v in norm.state_dict().items()}}, "torch_nested.pth")
    save(norm, "torch_whole.pth")
    save(types, "torch_legacy.pth", _use_new_zipfile_serialization=False)
    save([1, 2], "torch_list.pth")
    with zipfile.ZipFile(os.path.join(out, "torch_types.pth")) as old, \
            zipfile.ZipFile(os.path.join(out, "torch_packed.pth"), "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))
    save_safetensors({"f64.weight": ramp(2, 3).double().numpy(), "f32.weight": ramp(2, 3).float().numpy(), "f16.weight": ramp(2, 3).half().numpy(),
                      "i64.weight": ramp(2, 3).numpy(), "u8.weight": ramp(2, 3).byte().numpy(), "bn.weight": ramp(3).float().numpy(),
                      "bn.bias": ramp(3).float().numpy(), "bn.running_mean": ramp(3).float().numpy()},
                     os.path.join(out, "types.safetensors"), metadata={"made by": "make_import_goldens.py"})


def outside(out):
    """A network whose weights are in another file."""
    weights = [onnx.numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3, 1, 1), "w"),
               onnx.numpy_helper.from_array(np.arange(4, dtype=np.float32), "b")]
    for t, offset in zip(weights, (0, 48)):
        onnx.external_data_helper.set_external_data(t, "outside.bin", offset=offset, length=len(t.raw_data))
    with open(os.path.join(out, "outside.bin"), "wb") as f:
        f.write(b"".join(t.raw_data for t in weights))
    for t in weights:
        t.ClearField("raw_data")
    value = onnx.helper.make_tensor_value_info
    nodes = [onnx.helper.make_node("Conv", ["x", "w", "b"], ["c"]), onnx.helper.make_node("GlobalAveragePool", ["c"], ["g"]),
             onnx.helper.make_node("Flatten", ["g"], ["y"])]
    graph = onnx.helper.make_graph(nodes, "outside", [value("x", 1, [1, 3, 8, 8])], [value("y", 1, [1, 4])], weights)
    with open(os.path.join(out, "outside.onnx"), "wb") as f:
        f.write(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8).SerializeToString())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    out = parser.parse_args().out
    torch.manual_seed(1)
    torch.set_num_threads(2)
    files(out)
    outside(out)
    networks(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
