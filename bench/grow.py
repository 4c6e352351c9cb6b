#!/usr/bin/env python3
"""grow.py - how the cost of a training step grows with batch, picture size, threads and pictures.
SPDX-License-Identifier: MIT

    bench/grow.py BUILD [PLOT.svg]

Prints a Markdown table for each, and draws the pictures per second over them.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile

NETS = (("resnet 18", ["--arch", "resnet", "--n_layers", "18"]), ("mobilenet_v2", ["--arch", "mobilenet_v2"]))
BATCHES, SIZES, THREADS, LISTS = (1, 2, 4, 8, 16, 32, 64), (128, 192, 224, 320, 448, 512), (1, 2), (1000, 10000, 100000, 1000000)
BASE = {}  # pictures per second
COLORS = ("#1f5fa8", "#c0562b")


def once(build, net, batch=16, size=224, threads=2):
    """Pictures per second of a training step, and the plan's megabytes."""
    with tempfile.NamedTemporaryFile() as values:
        subprocess.run([f"{build}/tlc", "bench", "layers", "--train", "--runs", "2", "--batch_size", str(batch), "--size", str(size),
                        "--threads", str(threads), "--values", values.name, *net], check=True, stdout=subprocess.DEVNULL)
        found = dict(line.split("=", 1) for line in open(values.name).read().split())
    return 1e3 * batch / float(found["ms"]), int(found["bytes"]) / 1e6


def rate(build, net, **what):
    """The same, the median of three, each as a share of 16 pictures of 224 pixels just before, times the best of these: clocks of
    shared machines change within minutes."""
    base = BASE.setdefault(net[-1], max(once(build, net)[0] for _ in range(3)))
    shares = []
    for _ in range(3):
        beside = once(build, net)[0]
        pictures, megabytes = once(build, net, **what)
        shares.append(pictures / beside)
    return base * statistics.median(shares), megabytes


def table(title, values, measure, unit):
    print(f"| {title} | " + " | ".join(f"{name}, pictures/s | MB" for name, _ in NETS) + " |")
    print("|---:|" + "---:|---:|" * len(NETS))
    curves = [[] for _ in NETS]
    for value in values:
        cells = []
        for i, (_, net) in enumerate(NETS):
            pictures, megabytes = measure(net, value)
            curves[i].append((value, pictures))
            cells.append(f"{pictures:.1f} | {megabytes:.0f}")
        print(f"| {value}{unit} | " + " | ".join(cells) + " |", flush=True)
    print()
    return curves


def lists(build):
    print("| pictures in the list | bytes a picture | seconds to find them | seconds to begin an epoch |\n|---:|---:|---:|---:|")
    for n in LISTS:
        with tempfile.TemporaryDirectory() as folder:
            for k in ("a", "b"):
                os.mkdir(f"{folder}/{k}")
                for i in range(n // 2):
                    open(f"{folder}/{k}/picture_{i:07d}.jpg", "w").close()
            out = subprocess.run([f"{build}/bench/bench_list", folder], check=True, capture_output=True, text=True).stdout
        found = dict(re.findall(r"(\w+) ([\d.]+)", out))
        print(f"| {n} | {found['bytes']} | {found['seconds']} | {found['epoch']} |", flush=True)


def plot(path, panels):
    """One panel per table: pictures per second over the value, a line per net."""
    width, height, pad = 300, 220, 45
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * len(panels)}" height="{height + 20}" font-family="sans-serif" font-size="11">']
    for p, (title, curves) in enumerate(panels):
        top = 1.1 * max(y for c in curves for _, y in c)
        xs = [x for x, _ in curves[0]]
        at = lambda i, y: (p * width + pad + i * (width - pad - 15) / max(1, len(xs) - 1), height - pad + 10 - y / top * (height - pad - 20))
        out.append(f'<text x="{p * width + width / 2}" y="{height + 5}" text-anchor="middle">{title}</text>')
        for i, x in enumerate(xs):
            out.append(f'<text x="{at(i, 0)[0]:.0f}" y="{height - pad + 25}" text-anchor="middle">{x}</text>')
        for y in (0, top / 2.2, top / 1.1):
            px, py = at(0, y)
            out.append(f'<path d="M{px:.0f} {py:.0f}H{(p + 1) * width - 15}" stroke="#ddd"/><text x="{px - 8:.0f}" y="{py + 4:.0f}" text-anchor="end">{y:.0f}</text>')
        for c, curve in enumerate(curves):
            points = " ".join("{:.1f},{:.1f}".format(*at(i, y)) for i, (_, y) in enumerate(curve))
            out.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[c]}" stroke-width="2"/>')
            out.append(f'<text x="{p * width + pad + 5}" y="{20 + 14 * c}" fill="{COLORS[c]}">{NETS[c][0]}</text>')
    open(path, "w").write("\n".join(out + ["</svg>\n"]))


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    panels = [
        ("pictures in a batch", table("batch", BATCHES, lambda net, v: rate(build, net, batch=v), "")),
        ("side of a picture", table("pixels", SIZES, lambda net, v: rate(build, net, size=v), "")),
        ("threads", table("threads", THREADS, lambda net, v: rate(build, net, threads=v), "")),
    ]
    lists(build)
    if len(sys.argv) > 2:
        plot(sys.argv[2], panels)


main()
