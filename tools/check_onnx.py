#!/usr/bin/env python3
"""check_onnx.py MODEL... - is each file a valid ONNX model, and what does ONNX Runtime make of it?
SPDX-License-Identifier: MIT

Runs the onnx package's checker with shape inference, then ONNX Runtime on inputs that count 0, 1,
2, ... (dynamic dimensions are 1), and prints the outputs' values, one output a line. Exit code 3:
the packages are not installed (pip install onnx onnxruntime).
"""
import sys
try:
    import numpy as np
    import onnx
    import onnxruntime as ort
except ImportError as e:
    print(e)
    sys.exit(3)

for path in sys.argv[1:]:
    onnx.checker.check_model(path, full_check=True)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}
    feed = {}
    for x in session.get_inputs():
        shape = [d if isinstance(d, int) else 1 for d in x.shape]
        feed[x.name] = np.arange(np.prod(shape)).reshape(shape).astype(kinds[x.type])
    for y in session.run(None, feed):
        print(*(f"{v:g}" for v in np.asarray(y).ravel()))
