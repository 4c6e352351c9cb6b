#!/usr/bin/env python3
"""make_tfrecord_golden.py - test/data/tfrecord: a small data set, and the records that dataset_convert makes of it.
SPDX-License-Identifier: MIT

Records are built here byte by byte, without TensorFlow or protobuf; what decides which picture goes where is Python's
own random. Features are in the order in which TLC writes them, so that files can be compared as they are.
"""
import json
import random
import struct
import sys

OUT = sys.argv[1] if len(sys.argv) > 1 else "test/data/tfrecord"
SIZES = {True: (1, 1), False: (23, 17)}  # of one_pixel.png and gray8.png, which tests use as pictures

# ---- The data set: frames with lines of KITTI's labels ----
FRAMES = {f"{sequence}_{i:02}": [] for sequence, n in (("a", 5), ("b", 3), ("c", 5), ("d", 4)) for i in range(n)}
CLASSES = ["Car", "Pedestrian", "CAR", "DontCare", "Traffic_Light"]
pick = random.Random(7)
for k, frame in enumerate(FRAMES):
    for j in range(k % 5):
        x, y = pick.uniform(0, 15), pick.uniform(0, 9)
        w, h = pick.choice([0.4, 3.25, 7.5]), pick.choice([5.0, 6.75])
        name = CLASSES[(k * 3 + j * 2) % len(CLASSES)]
        numbers = [-1, -1, -10] if name == "DontCare" else [round(pick.random(), 2), j % 4, round(pick.uniform(-3, 3), 2)]
        numbers += [round(v, 2) for v in (x, y, x + w, y + h)]
        numbers += [round(pick.uniform(-5, 40), 2) for _ in range(7)]
        FRAMES[frame].append((name, numbers))
SEQUENCES = {}
for frame in FRAMES:
    SEQUENCES.setdefault(frame[0], []).append(frame)


def size_of(frame):
    return SIZES[frame == "b_01"]


# ---- Protocol buffers and records ----
def varint(v):
    v &= (1 << 64) - 1
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def strings(values):
    return field(1, b"".join(field(1, v.encode()) for v in values))


def floats(values):
    packed = struct.pack(f"<{len(values)}f", *values)
    return field(2, field(1, packed) if values else b"")


def integers(values):
    packed = b"".join(varint(v) for v in values)
    return field(3, field(1, packed) if values else b"")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def record(features):
    entries = b"".join(field(1, field(1, name.encode()) + field(2, value)) for name, value in features)
    data = field(1, entries)
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", crc32c(head)) + data + struct.pack("<I", crc32c(data))


def example(frame, size, objects):
    """objects: (class, truncation, occlusion, alpha, box, world)"""
    kept = [o for o in objects if int(o[4][0]) < int(o[4][2]) and int(o[4][1]) < int(o[4][3])]
    column = lambda of: floats([of(o) for o in kept])
    features = [("frame/id", strings([frame])), ("frame/height", integers([size[1]])),
                ("frame/width", integers([size[0]])), ("target/object_class", strings([o[0] for o in kept])),
                ("target/occlusion", integers([o[2] for o in kept])), ("target/truncation", column(lambda o: o[1]))]
    features += [(f"target/coordinates_{n}", column(lambda o, i=i: o[4][i])) for i, n in enumerate(("x1", "y1", "x2", "y2"))]
    features.append(("target/observation_angle", column(lambda o: o[3])))
    features += [(f"target/world_bbox_{n}", column(lambda o, i=i: o[5][i]))
                 for i, n in enumerate(("h", "w", "l", "x", "y", "z", "rot_y"))]
    return record(features), [o[0] for o in kept]


def kitti_example(frame):
    return example("images/" + frame, size_of(frame),
                   [(name.lower(), v[0], v[1], v[2], v[3:7], v[7:]) for name, v in FRAMES[frame]])


# ---- The conversions ----
def write(name, of, partitions, shards, make, modify=lambda names, fold: 1):
    for p, frames in enumerate(part for part in partitions if part):
        each = len(frames) // max(shards, 1)
        for s in range(max(shards, 1)):
            path = f"{OUT}/{name}-fold-{p:03}-of-{of:03}" + (f"-shard-{s:05}-of-{shards:05}" if shards else "")
            with open(path, "wb") as f:
                for frame in frames[s * each:(s + 1) * each if s + 1 < shards else None]:
                    data, names = make(frame)
                    f.write(data * modify(names, p))


def by_name(percent):
    random.seed(42)
    frames = sorted(FRAMES)
    n = int(percent / 100.0 * len(frames))
    parts = [frames[:n], frames[n:]]
    for _ in range(2):
        for part in parts:
            random.shuffle(part)
    return parts


def by_sequence(n):
    random.seed(42)
    parts = [[] for _ in range(n)]
    for i, (_, frames) in enumerate(sorted(SEQUENCES.items(), key=lambda e: (-len(e[1]), e[0]))):
        parts[i % n] += frames
    parts.reverse()
    for part in parts:
        random.shuffle(part)
    return parts


def modified(names, fold):
    """Fold 0 validates. Only cars: left out; more people than half the cars: twice as often; at most 9 records."""
    if fold == 0:
        return 1
    known = [{"car": "car", "pedestrian": "person"}[n] for n in names if n in ("car", "pedestrian")]
    copies = 0 if set(known) == {"car"} else 1
    if copies and known.count("person") > known.count("car") * 0.5:
        copies += 2
    copies = min(copies, 9 - modified.taken)
    modified.taken += copies
    return copies


modified.taken = 0

for frame, lines in FRAMES.items():
    with open(f"{OUT}/labels/{frame}.txt", "w") as f:
        for name, v in lines:
            f.write(" ".join([name] + [f"{x:g}" for x in v]) + "\n")
json.dump(SEQUENCES, open(f"{OUT}/sequences.json", "w"), indent=1)
write("random", 2, by_name(30), 2, kitti_example)
write("whole", 2, by_name(0), 0, kitti_example)
write("sequence", 3, by_sequence(3), 0, kitti_example)
write("modified", 2, by_name(30), 0, kitti_example, modified)

# COCO: a file for each fold, category names with blanks, pictures by name.
for fold, frames in enumerate((["a_00", "a_01", "b_01"], ["c_00", "c_01", "c_02", "c_03"])):
    data = {"images": [], "categories": [{"id": 3, "name": "Traffic Light"}, {"id": 1, "name": "car"}], "annotations": []}
    for i, frame in enumerate(frames):
        w, h = size_of(frame)
        data["images"].append({"id": 10 + i, "file_name": frame + ".png", "width": w, "height": h})
        for j in range(i + fold):
            data["annotations"].append({"id": len(data["annotations"]), "image_id": 10 + i, "category_id": (1, 3)[j % 2],
                                        "bbox": [1.5 * j, 2, 4.25 if j != 2 else 0.25, 5], "iscrowd": 0})
    json.dump(data, open(f"{OUT}/coco_{fold}.json", "w"), indent=1)


def coco_example(fold):
    data = json.load(open(f"{OUT}/coco_{fold}.json"))
    names = {c["id"]: c["name"].replace(" ", "").lower() for c in data["categories"]}

    def make(frame):
        image = next(i for i in data["images"] if i["file_name"] == frame + ".png")
        objects = [(names[n["category_id"]], 0, 0, 0,
                    [n["bbox"][0], n["bbox"][1], n["bbox"][0] + n["bbox"][2], n["bbox"][1] + n["bbox"][3]], [0] * 7)
                   for n in data["annotations"] if n["image_id"] == image["id"]]
        return example("images/" + frame, (image["width"], image["height"]), objects)
    return make


for fold in (0, 1):
    frames = sorted(i["file_name"][:-4] for i in json.load(open(f"{OUT}/coco_{fold}.json"))["images"])
    with open(f"{OUT}/coco-fold-{fold:03}-of-002", "wb") as f:
        for frame in frames:
            f.write(coco_example(fold)(frame)[0])
