#!/usr/bin/env python3
"""check_coco.py - COCO's twelve figures of a results file, by pycocotools.

    check_coco.py ANNOTATIONS.json RESULTS.json

Prints them on one line, with 10 digits, in pycocotools' order. Ends with 77 when pycocotools is not installed.
SPDX-License-Identifier: MIT
"""
import contextlib
import sys

try:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
except ImportError:
    sys.exit(77)

with contextlib.redirect_stdout(sys.stderr):
    truth = COCO(sys.argv[1])
    e = COCOeval(truth, truth.loadRes(sys.argv[2]), "bbox")
    e.evaluate()
    e.accumulate()
    e.summarize()
print(*(f"{v:.10f}" for v in e.stats))
