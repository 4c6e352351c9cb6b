#!/usr/bin/env python3
"""check_events.py DIR - print the curves TensorBoard finds in a folder, one point a line.
SPDX-License-Identifier: MIT

Exit code 3: TensorBoard is not installed (pip install tensorboard).
"""
import sys
try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError as e:
    print(e)
    sys.exit(3)

events = EventAccumulator(sys.argv[1])
events.Reload()
for tag in sorted(events.Tags()["scalars"]):
    for point in events.Scalars(tag):
        print(tag, point.step, f"{point.value:g}", f"{point.wall_time:.3f}")
