/* json_items.h - a large JSON file, an element at a time. SPDX-License-Identifier: MIT */
#ifndef TL_JSON_ITEMS_H
#define TL_JSON_ITEMS_H
#include "file.h"
#include <jansson.h>

/* Large files are an object of a few long arrays, or one long array. Call item for each element of such an array,
 * with the array's key ("" when the whole file is the array), and for members that are no arrays. v is borrowed,
 * line is where it begins. Memory is that of the largest element, of at most TL_JSON_ITEM bytes. TL_EFORMAT: with
 * file and line. */
#define TL_JSON_ITEM (4 << 20)
typedef tl_status (*tl_json_item)(void *ctx, const char *key, const json_t *v, int line);
tl_status tl_json_items(const char *path, tl_json_item item, void *ctx);
#endif
