/* net.h - networks as composition: backbone x head. SPDX-License-Identifier: MIT */
#ifndef TL_NET_H
#define TL_NET_H
#include "data.h"
#include "graph.h"
#define TL_LEVELS 8

/* An activation and its attributes; op NULL: the family's own (ReLU where nothing else is said). */
typedef struct { const tl_op *op; union { tl_relu relu; } attr; } tl_activation;

/* What the spec lets a user choose about any backbone; builders ignore what does not concern them. */
typedef struct {
    bool    bn, bias;            /* batch norm after convolutions; a bias in them */
    bool    pooling;             /* max pooling instead of strides */
    bool    all_projections;     /* a 1x1 convolution on every shortcut */
    float   alpha;               /* width multiplier (0: 1) */
    float   bn_eps, bn_momentum; /* 0: the family's own */
    tl_activation act;           /* after convolutions */
    float   dropout;             /* in the heads that have one */
    bool    own_head;            /* the family's own head follows: some pool once more before their last layers */
    bool    stride16;            /* end where the map is a sixteenth of the picture, as the original's DetectNet_v2 has it: MobileNets
                                  * before their last stride; DarkNets have no such end */
    bool    whole;               /* with stride16: all layers all the same, whatever the stride */
} tl_backbone_conf;

/* Feature maps by how much smaller than the picture they are: at[3] has stride 8. */
typedef struct { tl_val at[TL_LEVELS]; int lo, hi; } tl_pyramid;

typedef struct tl_backbone {
    const char *arch;            /* as in specs: "resnet" */
    int         layers;          /* n_layers of the spec, 0 where the family has one size only */
    const char *brief;
    /* Add the layers to g; their names are those of the original, because they are the keys of published weights. Sets
     * g->block as it goes (freeze_blocks). */
    void (*build)(tl_graph *g, tl_val image, const struct tl_backbone *self, const tl_backbone_conf *c, tl_pyramid *out);
    /* The family's own classification head, from the last map to scores; NULL: average pooling and one dense layer. */
    tl_val (*head)(tl_graph *g, tl_val x, const tl_backbone_conf *c, int classes);
    int n[8];                    /* whatever the family needs: depths, widths */
} tl_backbone;

/* One word a file; a file may hold a whole family, ended by an empty row. */
#define TL_BACKBONES(X) X(resnet) X(mobilenet_v1) X(mobilenet_v2) X(squeezenet) \
    X(vgg) X(googlenet) X(darknet) X(efficientnet)
const tl_backbone *tl_backbone_at(int i);                        /* all rows in order; NULL after the last */
/* The row for arch and n_layers; TL_ESPEC names the nearest. */
tl_status tl_backbone_find(const char *arch, int layers, const tl_backbone **out);
const char *tl_backbone_name(const tl_backbone *b, char text[32]); /* "resnet18" */

/* ---- The vocabulary backbones are written in ---- */
typedef struct { int out, k, stride, groups; } tl_conv_spec;     /* padded by k/2, as the original pads */
/* conv, then batch norm when c->bn. */
tl_val tl_conv_bn(tl_graph *g, tl_val x, const tl_backbone_conf *c, const char *conv, const char *bn, tl_conv_spec s);
tl_val tl_activate(tl_graph *g, tl_val x, const char *name, tl_activation act);

/* ---- Models ---- */
/* What turns raw outputs into an answer and labels into targets, for one task. One file each, one row in TL_HEADS. */
typedef struct tl_head {
    const char *name, *brief;
    bool stride16;                /* which features it reads (tl_backbone_conf) */
    /* Raw predictions from the features. Where there are several, the first is returned and the others are g->more. */
    tl_val (*build)(tl_graph *g, const tl_pyramid *p, const tl_backbone *b, const tl_backbone_conf *c, bool own_head, int classes);
    /* The answer as the exported model gives it (probabilities), from what build returned. */
    tl_val (*answer)(tl_graph *g, tl_val raw);
    /* Append target inputs and loss: a graph fragment, so no hand-written gradient. */
    tl_val (*loss)(tl_graph *g, tl_val raw, tl_vals *target);
} tl_head;
#define TL_HEADS(X) X(classify) X(detectnet)
const tl_head *tl_head_at(int i);
const tl_head *tl_head_find(const char *name); /* NULL: there is none of this name */

typedef struct tl_model {
    tl_arena   *arena;
    tl_graph   *g;                  /* its outputs: answer, and what g->more names */
    const tl_head *head;            /* NULL: a trunk */
    tl_val      image, raw, answer;
    const char *arch;               /* "resnet18"; for people */
    tl_list     classes;            /* const char * */
    tl_norm     norm;               /* how pixels become input */
    tl_filter   filter;
    bool        center_crop;
    const char *mode;               /* preprocess_mode: caffe, torch, tf, unit */
    float       bbox_scale, bbox_offset; /* detectnet: distances are in units of so many pixels, from so far into a cell */
    const char *spec;               /* the experiment spec it was trained with, "" when unknown */
    const char *history;            /* one line per thing done to it */
} tl_model;
/* Published weights often come without a head: a model whose output is its features, good for transfer only. It has no classes. */
static inline bool tl_model_is_trunk(const tl_model *m) { return m->raw.i == m->answer.i; }

typedef struct {
    const tl_backbone *backbone;
    tl_backbone_conf   conf;
    const tl_head     *head;
    bool own_head;                  /* retain_head */
    int  c, h, w, classes;
    uint64_t seed;
} tl_model_conf;

tl_status tl_model_build(tl_arena *a, const tl_model_conf *c, tl_model **out);
tl_status tl_model_shape(tl_arena *a, const tl_model_conf *c, tl_model **out); /* the same without weights: cheap */
/* Append what the head needs to train. */
static inline tl_val tl_model_loss(const tl_model *m, tl_vals *target) { return m->head->loss(m->g, m->raw, target); }
/* A new model around another graph of the same inputs and outputs (pruned, folded). */
tl_status tl_model_with(const tl_model *m, tl_arena *a, tl_graph *g, tl_model **out);
tl_status tl_model_note(tl_model *m, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* add a line to history */

/* From now on m takes pictures prepared as `want` says and gives the same answers: its first convolution is changed. *done false:
 * that is not one, or its bias has no place to go, and nothing was changed. */
tl_status tl_model_absorb_norm(tl_model *m, const tl_norm *want, bool *done);

/* A model file is ONNX with tlc.* metadata, sealed when key is not NULL or empty. half: store weights in 16 bits. extra: NULL or
 * further metadata, key and value in turn, NULL at the end. append: NULL, or called with ctx to add to the graph what follows the network:
 * such a file is for other programs. */
typedef struct {
    const char *key;
    bool half;
    const char *const *extra;
    int static_batch;
    bool with_preprocessing;
    tl_status (*append)(const void *ctx, tl_onnx *o);
    const void *ctx;
} tl_save_opts;
tl_status tl_model_pack(const tl_model *m, tl_arena *a, const tl_save_opts *o, tl_bytes *out);
tl_status tl_model_save(const tl_model *m, const char *path, const tl_save_opts *o);
tl_status tl_model_load(tl_arena *a, const char *path, const char *key, tl_model **out);
tl_status tl_model_unpack(tl_arena *a, tl_bytes file, tl_model **out);
tl_status tl_model_from_onnx(tl_arena *a, const tl_onnx *o, tl_model **out);

/* ---- Pretrained weights ---- */
/* After the weights of `from` were taken over: where classes differ, those of the same name keep their channels of the layers that
 * predict. *text says which, "" when there was nothing to do. */
tl_status tl_model_keep_classes(tl_model *m, const tl_model *from, const char **text);
typedef struct { int matched, skipped, fresh; bool took_graph; const char *text; const struct tl_scheme *scheme; } tl_transfer; /* text: a report, a line a group; scheme: see import.h */
/* Give m the weights of `from`, layer by layer by name. What has another shape is skipped and said; when that happens before the
 * head, `from` is a pruned model and m takes its graph (the original's rule), with a fresh head if classes differ. Nothing matching
 * is TL_EDATA with the nearest names. keep_bn: do not take over batch norm's epsilon; keep_act: nor the activations. */
tl_status tl_model_transfer(tl_model *m, const tl_model *from, bool keep_bn, bool keep_act, uint64_t seed, tl_transfer *out);
#endif
