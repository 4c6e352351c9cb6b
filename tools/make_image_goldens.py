#!/usr/bin/env python3
"""Write test/data/images (small pictures of every kind) and test/data/resize.txt, with what PIL makes of them.

    python3 tools/make_image_goldens.py        needs pillow >= 11 and < 13, numpy

PIL 13 chooses the order of a resize's two passes by cost; the goldens are for the order that all before it have.
test/data/images/expected.txt has a line per picture: name, at_least (0: full size), width and height of the upright
picture, hash of its RGB bytes, hash of its gray bytes. test/data/resize.txt has a line per case: width, height and
channels of the input (see noise), box x y w h, output width and height, filter, hash. Hashes are 64-bit FNV-1a.
"""
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageOps

assert 11 <= int(PIL.__version__.split(".")[0]) < 13, PIL.__version__
DATA = Path(__file__).parent.parent / "test" / "data"
W, H = 23, 17


def fnv(b):
    h = 0xCBF29CE484222325
    for v in b:
        h = ((h ^ v) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def noise(w, h, c):
    """Bytes of a 32-bit linear congruential generator, as test_resize.c has it."""
    s, out = 1, bytearray()
    for _ in range(w * h * c):
        s = (s * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(s >> 24)
    return np.frombuffer(bytes(out), np.uint8).reshape(h, w, c)


def scene(w=W, h=H, c=3, top=255):
    """Gradients with a bright, lopsided corner, so that every turn and mirror image differs."""
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([x * top // (w - 1), y * top // (h - 1), (x * y * 3 + x) % (top + 1), (x + y) * top // (w + h - 2)], -1)
    a[: h // 3, : w // 4, :2] = top
    return a[..., :c]


def jpeg(array, **options):
    b = io.BytesIO()
    array = array.astype(np.uint8)
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[array.shape[2]]
    data = array[..., 0] if mode == "L" else array
    (Image.fromarray(data) if mode != "CMYK" else Image.frombytes("CMYK", data.shape[1::-1], data.tobytes())).save(
        b, "JPEG", **{"quality": 85, **options})
    return b.getvalue()


def exif(orientation, big):
    order = ">" if big else "<"
    entry = struct.pack(order + "HHIHH", 0x112, 3, 1, orientation, 0)
    return (b"MM\0*" if big else b"II*\0") + struct.pack(order + "IH", 8, 1) + entry + b"\0\0\0\0"


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_rows(a, bits):
    """Rows with filter 0 (top half) and 1, samples packed to `bits`."""
    h, w, c = a.shape
    out = b""
    for y in range(h):
        if bits == 16:
            row = a[y].astype(">u2").tobytes()
        elif bits == 8:
            row = a[y].astype(np.uint8).tobytes()
        else:
            row = np.packbits(((a[y].reshape(-1, 1) >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8)).tobytes()
        if y < h // 2:
            out += b"\0" + row
            continue
        n = max(1, c * bits // 8)
        out += b"\1" + bytes((v - (row[i - n] if i >= n else 0)) & 255 for i, v in enumerate(row))
    return out


def png(a, color, bits, interlaced=False, extra=()):
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    parts = [a[y::dy, x::dx] for x, y, dx, dy in passes] if interlaced else [a]
    data = b"".join(png_rows(p, bits) for p in parts if p.size)
    head = struct.pack(">IIBBBBB", a.shape[1], a.shape[0], bits, color, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunk(*e) for e in extra)
            + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b""))


def pictures():
    for name, options in {"baseline": {}, "444": {"subsampling": 0}, "422": {"subsampling": 1},
                          "progressive": {"progressive": True}, "optimized": {"optimize": True},
                          "restarts": {"restart_marker_blocks": 1}, "rgb": {"keep_rgb": True}}.items():
        yield f"{name}.jpg", jpeg(scene(), **options)
    yield "gray.jpg", jpeg(scene(c=1))
    yield "gray_progressive.jpg", jpeg(scene(c=1), progressive=True)
    cmyk = jpeg(scene(c=4))
    yield "cmyk.jpg", cmyk
    adobe = cmyk.index(b"Adobe") + 11  # the transform byte: 0 CMYK, 2 YCCK
    yield "ycck.jpg", cmyk[:adobe] + b"\2" + cmyk[adobe + 1:]
    for i in range(1, 9):
        yield f"exif{i}.jpg", jpeg(scene(), exif=b"Exif\0\0" + exif(i, i % 2 == 0))
    yield "one_pixel.jpg", jpeg(scene(8, 8)[:1, :1])
    yield "large.jpg", jpeg(scene(67, 50))
    yield "large_turned.jpg", jpeg(scene(67, 50), exif=b"Exif\0\0" + exif(6, False), progressive=True)

    palette = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)
    for bits in (1, 2, 4, 8, 16):
        top = (1 << bits) - 1
        for name, color, c in (("gray", 0, 1), ("rgb", 2, 3), ("palette", 3, 1), ("gray_alpha", 4, 2), ("rgba", 6, 4)):
            if (color in (2, 4, 6) and bits < 8) or (color == 3 and bits > 8):
                continue
            extra = [(b"PLTE", palette[: top + 1].tobytes())] if color == 3 else []
            yield f"{name}{bits}.png", png(scene(c=c, top=top), color, bits, extra=extra)
            if bits in (4, 8, 16):
                yield f"{name}{bits}_interlaced.png", png(scene(c=c, top=top), color, bits, True, extra)
    yield "gray8_trns.png", png(scene(c=1), 0, 8, extra=[(b"tRNS", b"\0\7")])
    yield "rgb8_trns.png", png(scene(), 2, 8, extra=[(b"tRNS", b"\0\xff\0\xff\0\0")])
    yield "palette8_trns.png", png(scene(c=1), 3, 8, extra=[(b"PLTE", palette.tobytes()), (b"tRNS", bytes(range(200)))])
    yield "rgb8_exif8.png", png(scene(), 2, 8, extra=[(b"eXIf", exif(8, True))])
    yield "one_pixel.png", png(scene(8, 8)[:1, :1], 2, 8)


def expected(name, data, at_least):
    im = Image.open(io.BytesIO(data))
    if at_least:
        by = next(b for b in (8, 4, 2, 1) if min(im.size) // b >= at_least)
        im.draft("RGB", (im.width // by, im.height // by))
    if im.mode.startswith("I;16"):  # PIL would clip at 255
        im = Image.fromarray((np.array(im) >> 8).astype(np.uint8))
    im = ImageOps.exif_transpose(im)
    return f"{name} {at_least} {im.width} {im.height} {fnv(im.convert('RGB').tobytes())} {fnv(im.convert('L').tobytes())}"


def resize_cases():
    r = np.random.default_rng(2)
    for filt in (0, 1):
        for c in (1, 3):
            yield 50, 37, c, (0, 0, 50, 37), 22, 22, filt
            yield 22, 17, c, (0, 0, 22, 17), 45, 60, filt  # enlarge
            yield 40, 40, c, (0, 0, 40, 40), 40, 11, filt  # one axis only
            yield 40, 40, c, (0, 0, 40, 40), 11, 40, filt
            yield 31, 29, c, (0, 0, 31, 29), 31, 29, filt  # nothing to do
            yield 31, 29, c, (3, 5, 20, 20), 20, 20, filt  # a plain cut
            yield 1, 1, c, (0, 0, 1, 1), 7, 5, filt
            yield 3, 2, c, (0, 0, 3, 2), 1, 1, filt
            yield 200, 3, c, (0, 0, 200, 3), 4, 4, filt
        for _ in range(12):
            w, h, ow, oh = (int(v) for v in r.integers(2, 70, 4))
            x, y = (np.floor(r.uniform(0, v - 1) * 64) / 64 for v in (w, h))
            bw, bh = (np.floor(r.uniform(0.5, v) * 64) / 64 for v in (w - x, h - y))
            yield w, h, int(r.choice([1, 3])), (x, y, bw, bh), ow, oh, filt


def main():
    folder = DATA / "images"
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, data in pictures():
        (folder / name).write_bytes(data)
        lines += [expected(name, data, n) for n in ([0, 25, 12, 6] if name.startswith("large") else [0])]
    (folder / "expected.txt").write_text("\n".join(lines) + "\n")

    lines = []
    for w, h, c, box, ow, oh, filt in resize_cases():
        a = noise(w, h, c)
        im = Image.fromarray(a if c == 3 else a[..., 0])
        corners = (box[0], box[1], box[0] + box[2], box[1] + box[3])
        out = im.resize((ow, oh), (Image.BILINEAR, Image.BICUBIC)[filt], corners)
        lines.append(f"{w} {h} {c} {' '.join(f'{v:.9g}' for v in box)} {ow} {oh} {filt} {fnv(out.tobytes())}")
    (DATA / "resize.txt").write_text("\n".join(lines) + "\n")


main()
