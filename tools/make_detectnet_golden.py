#!/usr/bin/env python3
"""make_detectnet_golden.py - DetectNet_v2's loss, its gradient and its autoweighting, for test/test_detect_loss.c.
SPDX-License-Identifier: MIT

    tools/make_detectnet_golden.py > test/data/detect/loss.txt

Needs PyTorch, which makes the gradients; all is computed in double. Written from the formulas of the original: the cost
of coverage is a binary cross entropy with 1e-5 inside the logarithms, in which covered cells (more than a half) weigh
`front` and others 1 - front, and the mean is taken over pictures and cells; that of the sides is the absolute
distance times the cell's norm, and the mean is taken over the four sides, too. The loss is the sum over classes of
class_weight / sum of class weights * sum over both of initial_weight / sum of initial weights * cost.

Lines are a word and numbers; grids are pictures, rows, columns, channels. `case`: pictures, rows, columns, classes.
`auto`: least, most weight; targets, sums of the costs over an epoch, weights before, weights after: coverage, sides.
"""
import torch

EPSILON = 1e-5


def show(word, values):
    print(word, *(f"{float(v):.9g}" for v in torch.as_tensor(values, dtype=torch.double).detach().flatten()))


def exact(t):
    """As a float will hold it, and as it is printed."""
    return t.float().double()


def case(n, h, w, front, class_weight, initial, spread):
    classes = len(front)
    raw = exact(torch.randn(n, h, w, classes) * spread).requires_grad_()
    sides = exact(torch.randn(n, h, w, classes, 4)).requires_grad_()
    cov = torch.randint(0, 17, (n, h, w, classes)).double() / 16 * (torch.rand(n, h, w, classes) < 0.6)
    bbox = exact(torch.randn(n, h, w, classes, 4)) * (cov > 0)[..., None]
    norm = exact(cov * torch.rand(n, h, w, classes))
    fronts = exact(torch.tensor(front))
    weight = torch.where(cov > 0.5, fronts, 1 - fronts)
    p = torch.sigmoid(raw)
    bce = -(cov * torch.log(p + EPSILON) + (1 - cov) * torch.log(1 - p + EPSILON)) * weight
    l1 = (sides - bbox).abs() * norm[..., None]
    costs = torch.stack([bce.mean((0, 1, 2)), l1.mean((0, 1, 2, 4))])
    share = torch.tensor(class_weight, dtype=torch.double)
    first = torch.tensor(initial, dtype=torch.double)
    loss = (share / share.sum() * (first / first.sum(0) * costs).sum(0)).sum()
    loss.backward()
    print("case", n, h, w, classes)
    for word, values in [("front", front), ("class_weight", class_weight), ("initial", initial), ("raw", raw), ("sides", sides),
                         ("cov", cov), ("bbox", bbox), ("norm", norm), ("costs", costs), ("loss", loss), ("raw_slope", raw.grad),
                         ("sides_slope", sides.grad)]:
        show(word, values)


def weigh(least, most, target, total, before):
    u = [t / s if s > 0 else 0.0 for t, s in zip(target, total)]
    after = [min(max(v / sum(u), least), most) for v in u] if sum(u) > 0 else before
    show("auto", [least, most, *target, *total, *before, *after])


torch.manual_seed(1)
case(2, 3, 4, [0.05, 0.25], [1.0, 3.0], [[1.0, 2.0], [10.0, 0.5]], 2)
case(1, 2, 5, [0.5], [4.0], [[1.0], [1.0]], 0.5)
case(3, 2, 2, [0.05, 0.5, 1.0], [1.0, 0.0, 0.25], [[0.0, 1.0, 1.0], [1.0, 10.0, 0.0]], 4)  # where 1e-5 matters
weigh(0.0001, 0.9999, [1, 10], [0.5, 2.5], [0.5, 0.5])
weigh(0.0001, 0.9999, [1, 10], [3.25, 0.0625], [0.25, 0.75])
weigh(0.0001, 0.9999, [1, 10], [1000, 0.0001], [0.25, 0.75])  # both beyond the limits
weigh(0.2, 0.6, [1, 1], [1, 9], [0.25, 0.75])
weigh(0.2, 0.6, [1, 1], [9, 1], [0.25, 0.75])
weigh(0.0001, 0.9999, [1, 10], [0, 2], [0.25, 0.75])  # no cost weighs nothing
weigh(0.0001, 0.9999, [1, 10], [2, 0], [0.25, 0.75])
weigh(0.0001, 0.9999, [1, 10], [0, 0], [0.25, 0.75])  # no costs: as it was
weigh(0.0001, 0.9999, [0, 0], [1, 2], [0.25, 0.75])
