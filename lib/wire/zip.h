/* zip.h - what lies in a zip file, stored or not. SPDX-License-Identifier: MIT */
#ifndef TL_ZIP_H
#define TL_ZIP_H
#include "file.h"

typedef struct {
    const char *name;
    tl_bytes    data;   /* inside the file; only of stored entries */
    bool        stored; /* not compressed, not encrypted */
} tl_zip_entry;

bool      tl_is_zip(tl_bytes file);
/* Reads the central directory, zip64 included. out: tl_zip_entry. */
tl_status tl_zip_parse(tl_arena *a, tl_bytes file, tl_list *out);
#endif
