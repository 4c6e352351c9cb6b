#!/usr/bin/env python3
"""make_onnx_goldens.py - the files in test/data/onnx, written by the onnx package (pip install onnx).
SPDX-License-Identifier: MIT

typed.onnx     every way in which a constant can be stored, attributes of every kind, dynamic and
               fixed dimensions, metadata, an operator of another domain
external.onnx  a constant whose data lies in another file
"""
import sys
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper

out = sys.argv[1] if len(sys.argv) > 1 else "test/data/onnx"

half = np.array([1.5, -2, 0.25], np.float16)
consts = [
    numpy_helper.from_array(np.array([[1, -2.5, 3], [4, 5, 6.25]], np.float32), "f32_raw"),
    h.make_tensor("f32_list", T.FLOAT, [2, 3], [1, -2.5, 3, 4, 5, 6.25]),
    numpy_helper.from_array(half, "f16_raw"),
    h.make_tensor("f16_list", T.FLOAT16, [3], half),
    h.make_tensor("i64_list", T.INT64, [2], [-1, 1 << 40]),
    h.make_tensor("i32_list", T.INT32, [2], [-7, 1 << 30]),
    h.make_tensor("i8_list", T.INT8, [2, 2], [-128, 127, 0, -1]),
    h.make_tensor("u8_list", T.UINT8, [2], [0, 255]),
    numpy_helper.from_array(np.array(8.5, np.float32), "scalar"),
    numpy_helper.from_array(np.zeros((0, 3), np.float32), "empty"),
    numpy_helper.from_array(np.array([1.0], np.float64), "f64"),
]
nodes = [
    h.make_node("Conv", ["x", "w", ""], ["y"], "conv", kernel_shape=[3, 3], pads=[1, 0, 1, 0],
                auto_pad="NOTSET", group=1),
    h.make_node("LeakyRelu", ["y"], ["z"], "act", alpha=0.125),
    h.make_node("Conv", ["z"], ["out"], "foreign", domain="com.example", scales=[0.5, 2.0]),
    h.make_node("Constant", [], ["c"], "const", value=consts[0]),
]
graph = h.make_graph(
    nodes, "golden",
    [h.make_tensor_value_info("x", T.FLOAT, ["batch", 3, None, 224])],
    [h.make_tensor_value_info("out", T.FLOAT16, [1, 10])],
    consts, doc_string="skipped by the reader")
model = h.make_model(graph, producer_name="golden", ir_version=8, opset_imports=[
    h.make_opsetid("com.example", 3), h.make_opsetid("", 17)])
h.set_model_props(model, {"tlc.classes": "Katze\nHündin", "empty": ""})
onnx.save(model, f"{out}/typed.onnx")

far = h.make_tensor("far", T.FLOAT, [1], [1.0])
far.ClearField("float_data")
far.data_location = T.EXTERNAL
far.external_data.add(key="location", value="weights.bin")
onnx.save(h.make_model(h.make_graph([], "g", [], [], [far])), f"{out}/external.onnx")
