#!/usr/bin/env python3
"""postprocess_check.py - what ONNX Runtime makes of a detector's outputs.

    postprocess_check.py MODEL.onnx NAME=FILE ... > OBJECTS

Each FILE holds an input as raw float32, N,C,H,W. Prints the objects, a line each: picture, class, score, box. Ends with 77 when
onnx or onnxruntime is not installed.
SPDX-License-Identifier: MIT
"""
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError:
    sys.exit(77)

onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 2
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
shapes = {i.name: i.shape for i in session.get_inputs()}
files = dict(a.split("=", 1) for a in sys.argv[2:])
feed = {name: np.fromfile(file, np.float32).reshape(-1, *shapes[name][1:]) for name, file in files.items()}
boxes, scores, classes, pictures = session.run(["boxes", "scores", "classes", "pictures"], feed)
assert boxes.shape == (len(scores), 4) and classes.dtype == pictures.dtype == np.int64
for p, k, s, b in zip(pictures, classes, scores, boxes):
    print(p, k, repr(float(s)), *(repr(float(v)) for v in b))
