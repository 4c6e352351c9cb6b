#!/usr/bin/env python3
"""make_metric_golden.py - classification metrics as scikit-learn has them, for test/test_metric.c.
SPDX-License-Identifier: MIT

    tools/make_metric_golden.py > test/data/metric.txt

Needs numpy and scikit-learn. A block per case: `case NAME TOP_K`, `classes` with their names, a line
`LABEL P0 P1 ...` per sample, then, after `report`, the text that is printed, ended by `end`.
"""
import numpy as np
from sklearn.metrics import classification_report, confusion_matrix, log_loss, top_k_accuracy_score

rng = np.random.default_rng(3)


def drawn(n, classes, sharpness, absent=()):
    """n samples; labels avoid the absent classes; rows of whole 4096ths that sum to 1: exact as text."""
    present = [k for k in range(classes) if k not in absent]
    label = rng.choice(present, n)
    score = rng.normal(size=(n, classes))
    score[np.arange(n), label] += sharpness
    p = np.floor(4096 * np.exp(score) / np.exp(score).sum(1, keepdims=True))
    p[np.arange(n), p.argmax(1)] += 4096 - p.sum(1)
    return label, p / 4096


CASES = [  # name, top k, class names, labels and probabilities
    ("good", 1, ["cat", "dog"], drawn(20, 2, 3)),
    ("five", 2, ["ambulance", "bus", "car", "motorcycle", "truck"], drawn(60, 5, 1)),
    ("long-names", 3, ["a very long name of a class", "b", "c d", "e"], drawn(30, 4, 0.5)),
    ("no-support", 1, ["a", "b", "never-there", "d"], drawn(24, 4, 1, absent=(2,))),
    ("collapsed", 1, ["a", "b", "c"], (np.arange(9) % 3, np.tile([0.25, 0.5, 0.25], (9, 1)))),
    ("utf8", 1, ["chien", "\u00e9t\u00e9", "stra\u00dfenbahnhaltestelle", "\u732b"], drawn(12, 4, 1)),
    ("many", 5, [f"class{k}" for k in range(12)], drawn(120, 12, 1.5)),
]


def report(k, classes, label, p):
    every = np.arange(len(classes))
    said = p.argmax(1)
    loss = log_loss(label, p, labels=every)
    # A tie with the label's probability counts for the label, as in TensorFlow's in_top_k.
    hits = sum((row > row[t]).sum() < k for row, t in zip(p, label))
    if all(len(set(row)) == len(row) for row in p) and len(classes) > 2:
        assert hits == top_k_accuracy_score(label, p, k=k, labels=every, normalize=False)
    matrix = np.array2string(confusion_matrix(label, said, labels=every), max_line_width=10**6, threshold=10**6)
    table = classification_report(label, said, labels=every, target_names=classes, zero_division=0)
    return (f"Evaluation Loss: {loss:.6f}\nEvaluation Top {k} accuracy: {hits / len(label):.6f}\n"
            f"Confusion Matrix\n{matrix}\nClassification Report\n{table}")


for name, k, classes, (label, p) in CASES:
    print(f"case {name} {k}\nclasses\t" + "\t".join(classes))
    for t, row in zip(label, p):
        print(t, *row)
    print("report\n" + report(k, classes, label, p) + "end")
