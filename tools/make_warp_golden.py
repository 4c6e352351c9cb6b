#!/usr/bin/env python3
"""make_warp_golden.py - pictures seen through maps of the plane, as PyTorch's grid_sample sees them, for test/test_warp.c.
SPDX-License-Identifier: MIT

    tools/make_warp_golden.py > test/data/warp.txt

Needs torch and numpy; computes in double precision. Pictures are noise, as the test makes it. A case is `case W H
CHANNELS OUT_W OUT_H M00 M01 M10 M11 M20 M21` (the map's rows) and a line with the result's numbers, 0..255.
"""
import math

import numpy as np
import torch


def noise(w, h, c):
    s, out = 1, []
    for _ in range(w * h * c):
        s = (s * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(s >> 24)
    return np.array(out, np.float64).reshape(h, w, c)


def warp(picture, m, w, h):
    x, y = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
    at = np.stack([x, y, np.ones_like(x)], -1) @ m
    at = at / [picture.shape[1], picture.shape[0]] * 2 - 1
    p = torch.tensor(picture).permute(2, 0, 1)[None]
    out = torch.nn.functional.grid_sample(p, torch.tensor(at)[None], "bilinear", "zeros", align_corners=False)
    return out[0].permute(1, 2, 0).numpy()


def turn(a, by, x, y):
    return np.array([[by * math.cos(a), by * math.sin(a)], [-by * math.sin(a), by * math.cos(a)], [x, y]])


CASES = [
    (9, 7, 3, 8, 6, np.array([[1.0, 0], [0, 1], [0, 0]])),
    (9, 7, 3, 8, 6, np.array([[-1.0, 0], [0, 1], [9, 0.25]])),
    (9, 7, 3, 8, 6, np.array([[1.3, 0], [0, 1.7], [-1.1, -2.3]])),
    (9, 7, 1, 8, 6, turn(0.5, 0.8, 2, -1)),
    (100, 40, 3, 90, 3, turn(0.1, 1.1, 1.5, 4)),
    (100, 40, 1, 90, 3, turn(-0.1, 1.05, 3, 20)),
    (1, 5, 3, 4, 6, turn(0.2, 0.5, 0.1, 0.2)),
    (2, 1, 1, 6, 3, turn(0, 0.4, -0.1, -0.2)),
]

if __name__ == "__main__":
    for w, h, c, ow, oh, m in CASES:
        print("case", w, h, c, ow, oh, *(repr(float(v)) for v in m.ravel()))
        print(*(f"{v:.3f}".rstrip("0").rstrip(".") for v in warp(noise(w, h, c), m, ow, oh).ravel()))
