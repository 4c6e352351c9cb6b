/* darknet_files.h - darknet's two files: the network as text, the weights as numbers. SPDX-License-Identifier: MIT */
#ifndef TL_DARKNET_FILES_H
#define TL_DARKNET_FILES_H
#include "file.h"

/* .cfg: sections of key=value, in order; blanks mean nothing; # and ; begin comments. */
typedef struct { const char *key, *value; } tl_cfg_pair;
typedef struct { const char *name; int line, n; const tl_cfg_pair *pair; } tl_cfg_section; /* name without brackets */

bool      tl_cfg_knows(tl_bytes file);                           /* it begins with [net] or [network] */
tl_status tl_cfg_parse(tl_arena *a, tl_bytes file, tl_list *out); /* tl_cfg_section */
const char *tl_cfg_text(const tl_cfg_section *s, const char *key, const char *otherwise);
tl_status tl_cfg_int(const tl_cfg_section *s, const char *key, int otherwise, int lo, int hi, int *out);
tl_status tl_cfg_float(const tl_cfg_section *s, const char *key, float otherwise, float *out);
/* The integers of "a,b,c"; TL_EUNSUP above max. */
tl_status tl_cfg_ints(const tl_cfg_section *s, const char *key, int max, int *out, int *n);

/* .weights: a header (major, minor, revision, pictures seen in training), then floats in the order of the layers. */
typedef struct { const uint8_t *at; size_t left; bool transposed; } tl_darknet_weights; /* left: floats */
bool      tl_darknet_weights_knows(tl_bytes file);
tl_status tl_darknet_weights_open(tl_bytes file, tl_darknet_weights *out);
/* The next n floats, into a; TL_EUNSUP when all have been taken before, TL_EFORMAT when some are left, but fewer. */
tl_status tl_darknet_take(tl_darknet_weights *w, tl_arena *a, size_t n, float **out);
#endif
