#!/usr/bin/env python3
"""make_events_golden.py - test/data/events.golden, written by TensorBoard's own writer.
SPDX-License-Identifier: MIT
"""
import glob
import os
import sys
import tempfile
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

with tempfile.TemporaryDirectory() as folder:
    writer = EventFileWriter(folder)
    for step, loss in enumerate([0.5, 0.25]):
        value = Summary.Value(tag="loss", simple_value=loss)
        writer.add_event(Event(wall_time=1600000000.5 + step, step=step, summary=Summary(value=[value])))
    writer.add_event(Event(wall_time=1600000002.5, step=1 << 40,
                           summary=Summary(value=[Summary.Value(tag="val/accuracy", simple_value=-1e-3)])))
    writer.close()
    data = open(glob.glob(os.path.join(folder, "events*"))[0], "rb").read()
open(sys.argv[1] if len(sys.argv) > 1 else "test/data/events.golden", "wb").write(data)
