#!/usr/bin/env python3
"""make_detect_golden.py - DetectNet_v2's targets and clusters, for test/test_raster.c and test/test_cluster.c.
SPDX-License-Identifier: MIT

    tools/make_detect_golden.py test/data/detect

Needs numpy and scikit-learn. Targets are drawn the plain way, every box on every cell of the whole grid; clusters are
those of scikit-learn's DBSCAN. Numbers are exact as text: boxes are multiples of 1/8, the rest is printed in full.

raster.txt: `case W H STRIDE CLASSES DEADZONE`; a `class` line each (center, radius, least radius); boxes, `box LABEL X1
Y1 X2 Y2`; of each covered cell `cell X Y LABEL COV NORM LEFT TOP RIGHT BOTTOM`; `end`.
cluster.txt: `case EPS MIN_SAMPLES`; `cell COV X1 Y1 X2 Y2`; the clusters by falling score, `found SCORE MEAN X1 Y1 X2
Y2`; `end`.
"""
import sys
from pathlib import Path

import numpy as np
from sklearn.cluster import DBSCAN

f = np.float32
SCALE, OFFSET = f(35), f(0.5)


def axis(lo, hi, center, radius):
    c = lo + center * (hi - lo)
    half = c - lo if center < f(0.5) else hi - c
    return c, half, max(radius * half, f(0.1))


def zones(box, spec, deadzone, stride):
    """Center, radius of the ellipse, radius of the dead zone; for x and for y, in cells."""
    x1, y1, x2, y2 = (v * f(1 / stride) for v in box)
    cx, hx, rx = axis(x1, x2, spec[0], spec[2])
    cy, hy, ry = axis(y1, y2, spec[1], spec[3])
    least = spec[4]
    if rx < least:
        rx, ry = least, least * ry / rx
    if ry < least:
        rx, ry = least * rx / ry, least
    keep = f(1 - float(deadzone))
    return (cx, rx, max(keep * rx + deadzone * hx, rx)), (cy, ry, max(keep * ry + deadzone * hy, ry))


def units(n, zone):
    """Squares of the sample points' coordinates, n x 4, where the dead zone and where the ellipse has radius 1."""
    center, cover, dead = zone
    at = np.arange(n, dtype=f)[:, None] + (f(0.125) + f(0.25) * np.arange(4, dtype=f))
    inverse = f(1) / dead
    u = at * inverse + -center * inverse
    v = u * (f(1) / (cover * inverse))
    return u * u, v * v


def share(ys, xs):
    return (ys[:, None, :, None] + xs[None, :, None, :] < f(1)).sum((2, 3)).astype(f) / f(16)


def distances(n, stride, lo, hi):
    at = np.arange(n, dtype=f) * f(stride) if hi != lo else np.full(n, lo, f)
    return (at + OFFSET - lo) / SCALE, (hi - at - OFFSET) / SCALE


def draw(w, h, stride, specs, deadzone, boxes):
    values = np.zeros((len(specs), 6, h, w), f)  # cov, cov_norm, left, top, right, bottom
    for label, box in sorted(boxes, key=lambda b: b[1][3]):
        to = values[label]
        x, y = zones(box, specs[label], deadzone, stride)
        (deadx, coverx), (deady, covery) = units(w, x), units(h, y)
        dead, cover = share(deady, deadx), share(covery, coverx)
        to[:, (dead > 0) & (dead >= to[0])] = 0
        take = (cover > 0) & (cover >= to[0])
        left, right = distances(w, stride, box[0], box[2])
        top, bottom = distances(h, stride, box[1], box[3])
        norm = cover * (f(1) / max(x[1] * y[1] * f(4), f(1)))
        grids = (cover, norm, left[None], top[:, None], right[None], bottom[:, None])
        for k, grid in enumerate(grids):
            to[k][take] = np.broadcast_to(grid, (h, w))[take]
    return values


def random_box(rng, width, height, least, most):
    w, h = rng.uniform(least, most, 2)
    x, y = rng.uniform(-w / 2, width - w / 2), rng.uniform(-h / 2, height - h / 2)
    return np.round(np.array([x, y, x + w, y + h]) * 8).astype(f) / f(8)


def text(values):
    return " ".join(f"{v:.9g}" for v in values)


def raster_cases():
    usual, wide = (0.5, 0.5, 0.4, 0.4, 1.0), (0.5, 0.5, 1.0, 0.7, 0.1)
    for seed, (w, h, stride, deadzone, specs, n, most) in enumerate([
            (12, 8, 16, 0.67, [usual], 6, 110), (12, 8, 16, 1.0, [usual, wide], 12, 90),
            (9, 11, 32, 0.0, [(0.3, 0.8, 0.6, 0.9, 0.5)], 8, 200), (10, 10, 16, 0.5, [usual, wide, usual], 20, 60),
            (7, 5, 16, 0.67, [usual], 4, 8)]):
        rng = np.random.default_rng(seed)
        specs = [tuple(f(v) for v in s) for s in specs]
        boxes = [(int(rng.integers(len(specs))), random_box(rng, w * stride, h * stride, 4, most)) for _ in range(n)]
        boxes[0][1][2] = boxes[0][1][0]  # one without width
        yield w, h, stride, specs, f(deadzone), boxes


def write_raster(out):
    for w, h, stride, specs, deadzone, boxes in raster_cases():
        print("case", w, h, stride, len(specs), text([deadzone]), file=out)
        for spec in specs:
            print("class", text(spec), file=out)
        for label, box in boxes:
            print("box", label, text(box), file=out)
        values = draw(w, h, stride, specs, deadzone, boxes)
        for label, y, x in zip(*np.nonzero(values[:, 0])):
            print("cell", x, y, label, text(values[label, :, y, x]), file=out)
        print("end", file=out)


def overlaps(b):
    low, high = np.maximum(b[:, None, :2], b[None, :, :2]), np.minimum(b[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(2)
    area = (b[:, 2:] - b[:, :2]).prod(1)
    return common / (area[:, None] + area[None] - common + 1e-5)


def write_clusters(out):
    for seed, (eps, least, objects, cells, spread) in enumerate([
            (0.3, 1, 3, 12, 3), (0.2, 1, 6, 10, 5), (0.5, 2, 8, 15, 12), (0.4, 4, 5, 20, 8), (0.15, 1, 10, 6, 6)]):
        rng = np.random.default_rng(100 + seed)
        middle = np.concatenate([random_box(rng, 400, 300, 40, 120)[None] for _ in range(objects)]).repeat(cells, 0)
        boxes = np.round((middle + rng.normal(0, spread, middle.shape)) * 8) / 8
        cov = rng.integers(1, 41, len(boxes)) / 64
        label = DBSCAN(eps=eps, min_samples=least, metric="precomputed").fit_predict(
            1 - overlaps(boxes), sample_weight=cov)
        print("case", eps, least, file=out)
        for c, b in zip(cov, boxes):
            print("cell", text([c, *b]), file=out)
        members = [label == k for k in range(label.max() + 1)]
        for m in sorted(members, key=lambda m: -cov[m].sum()):
            mean = (boxes[m] * cov[m, None]).sum(0) / cov[m].sum()
            print("found", text([cov[m].sum(), cov[m].mean(), *mean]), file=out)
        print("end", file=out)


folder = Path(sys.argv[1])
with open(folder / "raster.txt", "w") as out:
    write_raster(out)
with open(folder / "cluster.txt", "w") as out:
    write_clusters(out)
