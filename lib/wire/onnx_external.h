/* onnx_external.h - weights that an ONNX file keeps in files beside it. SPDX-License-Identifier: MIT */
#ifndef TL_ONNX_EXTERNAL_H
#define TL_ONNX_EXTERNAL_H
#include "file.h"

/* Where such files may lie, and what was read of each: no more than its size in all, so that memory follows what is
 * there. */
typedef struct { const char *folder; tl_list seen; } tl_onnx_beside;

/* `length` bytes (0: up to the end) from `offset` of the file `location` in the folder. The location is a relative
 * path without ".."; no part of it may be a link. TL_EFORMAT, TL_EIO. */
tl_status tl_onnx_external(tl_arena *a, tl_onnx_beside *b, const char *location, size_t offset, size_t length,
                           tl_bytes *out);
#endif
