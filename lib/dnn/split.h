/* split.h - weight gradients that do not depend on the number of threads. SPDX-License-Identifier: MIT
 * Private to dnn/. */
#ifndef TL_DNN_SPLIT_H
#define TL_DNN_SPLIT_H
#include "dnn.h"

typedef struct tl_split tl_split;
/* scratch: bytes that tl_split_run needs. */
tl_status tl_split_new(tl_arena *a, tl_shape x, tl_shape y, tl_conv_geom g, tl_conv_conf c, tl_split **out, size_t *scratch);
/* db NULL without bias. */
tl_status tl_split_run(const tl_split *s, const void *x, const void *dy, float *dw, float *db, char *scratch);
const char *tl_split_impl(const tl_split *s);
#endif
