/* network.h - what importers of whole networks share; private to import/. SPDX-License-Identifier: MIT */
#ifndef TL_NETWORK_H
#define TL_NETWORK_H
#include "import.h"
#define TL_NETWORK_NODES  4096              /* more than any network has; names are looked up one by one */
#define TL_NETWORK_VALUES ((size_t)1 << 27) /* in one picture's map: sizes stay far from overflow */

/* tl_put for graphs that strangers wrote: limits are checked, a name that is empty or taken gets a number. */
tl_status tl_network_put(tl_graph *g, const char *name, const tl_op *op, const tl_val *x, int nx, const void *attr,
                         tl_val *out);
#define PUT(g, out, name, op, in, ...) tl_network_put(g, name, &tl_op_##op, in, &(tl_##op){ __VA_ARGS__ }, out)

/* The value comes from a ReLU, if only through dropout or maximum pooling: the zeros that ours pads with never win
 * against it. */
bool tl_network_never_negative(const tl_graph *g, tl_val x);

/* A model around the graph, whose first node is the picture. Its answer is the last node when that is a softmax,
 * else the model is a trunk. Classes are numbered; pictures are prepared as the norm says, mode is its name for
 * people. */
tl_status tl_network_model(tl_graph *g, tl_val last, const tl_norm *norm, const char *mode, const char *arch,
                           tl_foreign *out);
#endif
