/* safetensors.h - Hugging Face's safetensors files. SPDX-License-Identifier: MIT
 *
 * Eight bytes of length, a JSON object {"name": {"dtype", "shape", "data_offsets": [from, to]}, ...}, then the data. */
#ifndef TL_SAFETENSORS_H
#define TL_SAFETENSORS_H
#include "elements.h"
#include "file.h"

bool      tl_is_safetensors(tl_bytes file);
/* Hostile files are expected: what is returned lies inside the file. out: tl_array, in the order of the header. */
tl_status tl_safetensors_parse(tl_arena *a, tl_bytes file, tl_list *out);
#endif
