/* hdf5.h - reading the HDF5 files that Keras writes.
 * SPDX-License-Identifier: MIT
 *
 * A file is a tree: groups hold named objects, datasets hold numbers, both may carry attributes. Nothing is
 * copied but texts: an array points into the file. An object is the place of its header in the file; 0 is none.
 *
 * Why not the HDF5 library: weights come from strangers. With some bytes of a Keras file changed at random,
 * version 1.14 hung (25 of 30 runs) or crashed (5) before the 3000th file. What Keras (through h5py) writes is a
 * corner of the format: superblock 0, version 1 headers, symbol-table groups, contiguous floats. Left out: chunks
 * and filters, new-style groups, links to other objects or files, data in other files, committed types.
 * Format: "HDF5 File Format Specification Version 3.0", The HDF Group. */
#ifndef TL_HDF5_H
#define TL_HDF5_H
#include "elements.h"
#include "file.h"
#define TL_H5_RANK 8

typedef struct {
    tl_bytes file;
    uint64_t root;
    size_t   left;      /* bytes of text that may still be handed out: a small file can name the same text often */
} tl_h5;

typedef struct {
    int            rank;
    size_t         dim[TL_H5_RANK], n; /* n: their product */
    tl_element     type;               /* TL_EL_NONE: these are not floats */
    const uint8_t *at;                 /* n of them, row-major, unaligned */
} tl_h5_array;

bool      tl_h5_knows(tl_bytes file);
tl_status tl_h5_open(tl_bytes file, tl_h5 *out);
/* The object at a path of names below a group, "conv1/kernel:0"; *out 0 when there is none. */
tl_status tl_h5_child(const tl_h5 *h, uint64_t group, const char *path, uint64_t *out);
/* The strings of an attribute, const char *, in a; none when the object has no such attribute. */
tl_status tl_h5_texts(tl_arena *a, tl_h5 *h, uint64_t object, const char *name, tl_list *out);
tl_status tl_h5_dataset(const tl_h5 *h, uint64_t object, tl_h5_array *out);
float     tl_h5_float(const tl_h5_array *x, size_t i);
#endif
