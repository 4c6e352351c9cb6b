#!/usr/bin/env python3
"""onnxrt_check.py - does ONNX Runtime compute what we did?

    onnxrt_check.py DIR

For each DIR/NAME.onnx there are DIR/NAME.x and DIR/NAME.y: raw float32 input (N,H,W,C) and outputs, one after the
other, as our own plan read and made them; NAME.x is raw bytes where the model takes 8-bit pictures. Prints the largest
difference of each output, relative to its largest value, and ends with 1 when one is above 1e-4, with 77 when
onnxruntime is not installed.
SPDX-License-Identifier: MIT
"""
import pathlib
import sys

try:
    import numpy as np
    import onnxruntime
except ImportError:
    sys.exit(77)


def check(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    info = session.get_inputs()[0]
    if info.type == "tensor(uint8)":
        x = np.fromfile(path.with_suffix(".x"), np.uint8).reshape(-1, *info.shape[1:])
    else:
        channels, height, width = info.shape[1:]
        x = np.fromfile(path.with_suffix(".x"), np.float32).reshape(-1, height, width, channels)
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    want = np.fromfile(path.with_suffix(".y"), np.float32)
    worst, at = 0.0, 0
    for got, output in zip(session.run(None, {info.name: x}), session.get_outputs()):
        part = want[at:at + got.size]
        at += got.size
        if got.ndim != len(output.shape) or part.size != got.size:
            return float("inf")
        if got.ndim == 4:
            got = got.transpose(0, 2, 3, 1)
        worst = max(worst, float(np.abs(got.ravel() - part).max() / np.abs(part).max()))
    return worst if at == want.size else float("inf")


def main(folder):
    worst = 0.0
    for path in sorted(pathlib.Path(folder).glob("*.onnx")):
        difference = check(path)
        print(f"{path.stem}: {difference:.2g}")
        worst = max(worst, difference)
    return 0 if worst < 1e-4 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
