/* match.h - which of our layers is which of another program's; for the files match*.c. SPDX-License-Identifier: MIT */
#ifndef TL_MATCH_H
#define TL_MATCH_H
#include "import.h"

/* A layer of the other side: what it has of each role. */
typedef struct {
    const char              *name;
    const tl_foreign_tensor *t[TL_ROLE_OTHER]; /* NULL: not there */
    const tl_node           *node;             /* in a network; NULL in a list */
    bool                     used, idle;       /* idle: known to be of no use here (auxiliary classifiers) */
} tl_layer;

typedef struct {
    tl_layer *layer;
    int       n;
    int      *of;   /* per node of ours: its layer, -1: none */
    int      *fold; /* per node of ours: a batch norm to be folded into it, -1: none */
    int      *line; /* networks only: per node of ours, the other side's node of the same value, -1: none */
    const tl_node **twin; /* networks only: per node of ours, the other side's node in its place; NULL: none */
} tl_pairs;

typedef struct tl_rule { const char *there, *here; bool nth; } tl_rule;        /* see schemes.c */
typedef struct tl_edit { const tl_op *op; const char *node, *set; } tl_edit;

/* How one program names and sets up one family. */
typedef struct tl_scheme {
    const char *origin;          /* "torchvision" */
    const char *arch;            /* of tl_backbone */
    const tl_rule *rule;  /* names, NULL: the names are ours */
    const tl_edit *edit;  /* attributes that differ from ours; NULL: none */
    tl_backbone_conf conf;       /* what makes our network theirs */
    bool own_head;
    const char *mode;            /* how pictures were prepared; "imagenet": PyTorch's own mean and deviation */
    bool center_crop;
    const char *sign;            /* only for our networks that have this layer; NULL: all of the family */
} tl_scheme;
const tl_scheme *tl_scheme_at(int i);      /* NULL after the last */
tl_status tl_layers_of(tl_arena *a, const tl_graph *g, const tl_foreign *f, tl_pairs *out);
/* Fill of[] by the scheme's names; how many of ours got one. */
int       tl_match_by_name(const tl_graph *g, const tl_scheme *s, tl_pairs *p);
/* Fill of[], fold[] and line[] by walking both networks from the picture on. */
tl_status tl_match_by_place(tl_arena *a, const tl_graph *g, int image, const tl_model *other, tl_pairs *p);
/* The attributes of node i when it is what its partner is; NULL: as they are. */
tl_status tl_match_attr(const tl_graph *g, const tl_pairs *p, const tl_scheme *s, int i, void **out);

bool tl_has_params(const tl_node *d);
bool tl_is_matrix(const tl_op *op);         /* its first parameter has an input axis: convolutions, dense layers */
bool tl_is_projection(const tl_graph *g,
                      int i); /* a 1x1 convolution that could be the identity, on its way into a sum */
int  tl_only_reader(const tl_graph *g, int i);   /* -1: none or several */
typedef enum { TL_FITS_NOT, TL_FITS, TL_FITS_RESHAPED } tl_fit;
tl_fit tl_kernel_fit(tl_dims ours, tl_dims theirs);
#endif
