/* match_names.c - other programs' names for the layers of the networks we have. SPDX-License-Identifier: MIT
 *
 * A rule is a pattern there and a pattern here: # stands for a number, @ for a small letter (a is 0). In a plain rule what the
 * pattern there caught goes into the pattern here, in order. In an NTH rule only the order counts: the first layer there is the
 * first here. Conv rules and batch norm rules do not mix: what a rule means is seen from our layer.
 *
 * Edits are settings in which the other program's network differs from ours: of all nodes of an operation, or of nodes by name. */
#include "field.h"
#include "match.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tl_rule { const char *there, *here; bool nth; } tl_rule;
typedef struct tl_edit { const tl_op *op; const char *node, *set; } tl_edit;
#define NTH true

/* ---- ResNet: torchvision and timm alike. The bottleneck's stride is in its 3x3 (known as version 1.5). ---- */
static const tl_rule resnet_names[] = {
    { "conv1", "conv1", 0 },
    { "bn1", "bn_conv1", 0 },
    { "layer#.#.conv#", "block_#@_conv_#", 0 },
    { "layer#.#.bn#", "block_#@_bn_#", 0 },
    { "layer#.#.downsample.0", "block_#@_conv_shortcut", 0 },
    { "layer#.#.downsample.1", "block_#@_bn_shortcut", 0 },
    { "fc", "predictions", 0 },
    { 0 },
};
static const tl_edit torch_bn[] = { { &tl_op_bn, NULL, "eps=1e-5" }, { 0 } };
static const tl_edit resnet_late_stride[] = {
    { &tl_op_bn, NULL, "eps=1e-5" },
    { NULL, "block_2a_conv_1", "stride=1" }, { NULL, "block_2a_conv_2", "stride=2" },
    { NULL, "block_3a_conv_1", "stride=1" }, { NULL, "block_3a_conv_2", "stride=2" },
    { NULL, "block_4a_conv_1", "stride=1" }, { NULL, "block_4a_conv_2", "stride=2" },
    { 0 },
};

/* ---- VGG ---- */
static const tl_rule vgg_names[] = {
    { "features.#", "block_#@_conv_1", NTH }, { "features.#", "block_#@_bn_1", NTH },
    { "classifier.0", "fc1", 0 },             { "classifier.3", "fc2", 0 },
    { "classifier.6", "output_fc", 0 },       { "pre_logits.fc1", "fc1", 0 },
    { "pre_logits.fc2", "fc2", 0 },           { "head.fc", "output_fc", 0 },
    { 0 },
};

/* ---- GoogLeNet. torchvision's "5x5" branch is a 3x3 convolution, which is a 5x5 with zeros around it. ---- */
static const tl_rule googlenet_names[] = {
    { "conv1.conv", "conv1", 0 },          { "conv1.bn", "bn_conv1", 0 },
    { "conv2.conv", "conv2_reduce", 0 },   { "conv2.bn", "bn_conv2_reduce", 0 },
    { "conv3.conv", "conv2", 0 },          { "conv3.bn", "bn_conv2", 0 },
    { "inception#@.branch1.conv", "inception_#@_1x1", 0 },
    { "inception#@.branch1.bn", "inception_#@_1x1_bn", 0 },
    { "inception#@.branch2.0.conv", "inception_#@_3x3_reduce", 0 },
    { "inception#@.branch2.0.bn", "inception_#@_3x3_reduce_bn", 0 },
    { "inception#@.branch2.1.conv", "inception_#@_3x3", 0 },
    { "inception#@.branch2.1.bn", "inception_#@_3x3_bn", 0 },
    { "inception#@.branch3.0.conv", "inception_#@_5x5_reduce", 0 },
    { "inception#@.branch3.0.bn", "inception_#@_5x5_reduce_bn", 0 },
    { "inception#@.branch3.1.conv", "inception_#@_5x5", 0 },
    { "inception#@.branch3.1.bn", "inception_#@_5x5_bn", 0 },
    { "inception#@.branch4.1.conv", "inception_#@_pool_proj", 0 },
    { "inception#@.branch4.1.bn", "inception_#@_pool_proj_bn", 0 },
    { "fc", "predictions", 0 },
    { "aux#.conv.conv", NULL, 0 },         { "aux#.conv.bn", NULL, 0 },
    { "aux#.fc#", NULL, 0 },
    { 0 },
};

/* ---- MobileNet v2 ---- */
static const tl_rule mobilenet_v2_names[] = {
    { "features.0.0", "conv1", 0 },
    { "features.0.1", "bn_conv1", 0 },
    { "features.1.conv.0.0", "expanded_conv_depthwise", 0 },
    { "features.1.conv.0.1", "expanded_conv_depthwise_bn", 0 },
    { "features.1.conv.1", "expanded_conv_project", 0 },
    { "features.1.conv.2", "expanded_conv_project_bn", 0 },
    { "features.#.conv.0.0", "block_#_expand", NTH },
    { "features.#.conv.0.1", "block_#_expand_bn", NTH },
    { "features.#.conv.1.0", "block_#_depthwise", NTH },
    { "features.#.conv.1.1", "block_#_depthwise_bn", NTH },
    { "features.#.conv.2", "block_#_project", NTH },
    { "features.#.conv.3", "block_#_project_bn", NTH },
    { "features.18.0", "conv_1", 0 },
    { "features.18.1", "conv_1_bn", 0 },
    { "classifier.1", "predictions", 0 },
    { 0 },
};
static const tl_rule old_mobilenet_v2_names[] = { /* torchvision before 0.4, and what was written after it */
    { "features.0.0", "conv1", 0 },
    { "features.0.1", "bn_conv1", 0 },
    { "features.1.conv.0", "expanded_conv_depthwise", 0 },
    { "features.1.conv.1", "expanded_conv_depthwise_bn", 0 },
    { "features.1.conv.3", "expanded_conv_project", 0 },
    { "features.1.conv.4", "expanded_conv_project_bn", 0 },
    { "features.#.conv.0", "block_#_expand", NTH },
    { "features.#.conv.1", "block_#_expand_bn", NTH },
    { "features.#.conv.3", "block_#_depthwise", NTH },
    { "features.#.conv.4", "block_#_depthwise_bn", NTH },
    { "features.#.conv.6", "block_#_project", NTH },
    { "features.#.conv.7", "block_#_project_bn", NTH },
    { "features.18.0", "conv_1", 0 },
    { "features.18.1", "conv_1_bn", 0 },
    { "classifier.1", "predictions", 0 },
    { 0 },
};
static const tl_rule timm_mobilenet_v2_names[] = {
    { "conv_stem", "conv1", 0 },
    { "bn1", "bn_conv1", 0 },
    { "blocks.0.0.conv_dw", "expanded_conv_depthwise", 0 },
    { "blocks.0.0.bn1", "expanded_conv_depthwise_bn", 0 },
    { "blocks.0.0.conv_pw", "expanded_conv_project", 0 },
    { "blocks.0.0.bn2", "expanded_conv_project_bn", 0 },
    { "blocks.#.#.conv_pw", "block_#_expand", NTH },
    { "blocks.#.#.bn1", "block_#_expand_bn", NTH },
    { "blocks.#.#.conv_dw", "block_#_depthwise", NTH },
    { "blocks.#.#.bn2", "block_#_depthwise_bn", NTH },
    { "blocks.#.#.conv_pwl", "block_#_project", NTH },
    { "blocks.#.#.bn3", "block_#_project_bn", NTH },
    { "conv_head", "conv_1", 0 },
    { "bn2", "conv_1_bn", 0 },
    { "classifier", "predictions", 0 },
    { 0 },
};
static const tl_edit relu6_bn[] = { { &tl_op_bn, NULL, "eps=1e-5" }, { &tl_op_relu, NULL, "max=6" }, { 0 } };

/* ---- MobileNet v1 ---- */
static const tl_rule timm_mobilenet_v1_names[] = {
    { "conv_stem", "conv1", 0 },
    { "bn1", "conv1_bn", 0 },
    { "blocks.#.#.conv_dw", "conv_dw_#", NTH },
    { "blocks.#.#.bn1", "conv_dw_#_bn", NTH },
    { "blocks.#.#.conv_pw", "conv_pw_#", NTH },
    { "blocks.#.#.bn2", "conv_pw_#_bn", NTH },
    { "classifier", "predictions", 0 },
    { 0 },
};

/* ---- SqueezeNet 1.0: no padding at its first convolution; pools round up, which is one more row and column at the end ---- */
static const tl_rule squeezenet_names[] = {
    { "features.0", "conv1", 0 },
    { "features.#.squeeze", "fire#_squeeze_conv", NTH },
    { "features.#.expand1x1", "fire#_expand_conv1x1", NTH },
    { "features.#.expand3x3", "fire#_expand_conv3x3", NTH },
    { "classifier.1", "conv10", 0 },
    { 0 },
};
static const tl_edit squeezenet_pads[] = {
    { NULL, "conv1", "pad=0" },
    { &tl_op_maxpool, NULL, "pad=0" },
    { &tl_op_maxpool, NULL, "extra=1" },
    { 0 },
};

static const tl_scheme schemes[] = {
    { "torchvision and timm", "resnet", resnet_names, resnet_late_stride, { .bn = true, .pooling = true }, false, "imagenet", true, "block_1a_conv_3" },
    { "torchvision and timm", "resnet", resnet_names, torch_bn, { .bn = true, .pooling = true }, false, "imagenet", true, NULL },
    { "torchvision and timm", "vgg", vgg_names, torch_bn, { .bn = true, .bias = true, .pooling = true }, true, "imagenet", true, NULL },
    { "torchvision and timm, without batch norm", "vgg", vgg_names, NULL, { .bias = true, .pooling = true }, true, "imagenet", true, NULL },
    { "torchvision", "googlenet", googlenet_names, NULL, { .bn = true }, false, "tf", true, NULL },
    { "torchvision", "mobilenet_v2", mobilenet_v2_names, relu6_bn, { .bn = true }, false, "imagenet", true, NULL },
    { "early torchvision", "mobilenet_v2", old_mobilenet_v2_names, relu6_bn, { .bn = true }, false, "imagenet", true, NULL },
    { "timm", "mobilenet_v2", timm_mobilenet_v2_names, relu6_bn, { .bn = true }, false, "imagenet", true, NULL },
    { "timm", "mobilenet_v1", timm_mobilenet_v1_names, relu6_bn, { .bn = true }, false, "tf", true, NULL },
    { "torchvision", "squeezenet", squeezenet_names, squeezenet_pads, { 0 }, true, "imagenet", true, NULL },
};

const tl_scheme *tl_scheme_at(int i) { return i < TL_LEN(schemes) ? schemes + i : NULL; }

/* ---- Patterns ---- */

enum { CATCHES = 4 };

/* Does name fit the pattern? Its numbers and letters go to caught. */
static bool fits(const char *p, const char *name, int caught[CATCHES])
{
    int n = 0;
    for (; *p; p++) {
        if (*p == '#' && n < CATCHES && isdigit((unsigned char)*name)) {
            char *end;
            long v = strtol(name, &end, 10);
            if (v > 1 << 20) return false;
            caught[n++] = (int)v;
            name = end;
        } else if (*p == '@' && n < CATCHES && islower((unsigned char)*name)) {
            caught[n++] = *name++ - 'a';
        } else if (*p == *name) {
            name++;
        } else {
            return false;
        }
    }
    for (; n < CATCHES; n++) caught[n] = -1;
    return !*name;
}

/* The pattern with what was caught put in; false: it does not fit in. */
static bool put_in(const char *p, const int caught[CATCHES], char *out, size_t size)
{
    size_t n = 0;
    for (int k = 0; *p; p++) {
        if (n + 16 > size) return false;
        if (*p == '#') n += (size_t)snprintf(out + n, size - n, "%d", caught[k++]);
        else if (*p == '@' && (unsigned)caught[k] < 26) out[n++] = (char)('a' + caught[k++]);
        else if (*p == '@') return false;
        else out[n++] = *p;
    }
    out[n] = 0;
    return true;
}

/* ---- Pairing ---- */

static bool is_norm(const tl_layer *l) { return l->t[TL_ROLE_MEAN] || l->t[TL_ROLE_GAMMA]; }

static bool same_kind(const tl_node *d, const tl_layer *l)
{
    return tl_has_params(d) && (d->op->is_scale != NULL) == is_norm(l) && (is_norm(l) || l->t[TL_ROLE_KERNEL]);
}

static int pair(const tl_graph *g, int i, int l, tl_pairs *p)
{
    if (i < 0 || p->of[i] >= 0 || !same_kind(&g->node[i], &p->layer[l])) return 0;
    p->of[i] = l;
    p->layer[l].used = true;
    return 1;
}

/* The free layer that fits the pattern there with the smallest numbers above `after`, of the kind of d. */
static int next_there(const tl_pairs *p, const char *pattern, const tl_node *d, int after[CATCHES])
{
    int best = -1, at[CATCHES], lowest[CATCHES];
    for (int l = 0; l < p->n; l++) {
        if (p->layer[l].used || !same_kind(d, &p->layer[l]) || !fits(pattern, p->layer[l].name, at)) continue;
        int k = 0;
        while (best >= 0 && k < CATCHES - 1 && at[k] == lowest[k]) k++;
        if (best >= 0 && at[k] >= lowest[k]) continue;
        best = l;
        memcpy(lowest, at, sizeof at);
    }
    if (best >= 0) memcpy(after, lowest, sizeof lowest);
    return best;
}

static int by_order(const tl_graph *g, const tl_rule *r, tl_pairs *p)
{
    int n = 0, caught[CATCHES];
    for (int i = 0; i < g->n; i++) {
        if (p->of[i] >= 0 || !tl_has_params(&g->node[i]) || !fits(r->here, g->node[i].name, caught)) continue;
        int l = next_there(p, r->there, &g->node[i], caught);
        if (l < 0) break;
        n += pair(g, i, l, p);
    }
    return n;
}

static int by_pattern(const tl_graph *g, const tl_rule *r, tl_pairs *p)
{
    int n = 0, caught[CATCHES];
    char name[64];
    for (int l = 0; l < p->n; l++) {
        if (p->layer[l].used || !fits(r->there, p->layer[l].name, caught)) continue;
        if (!r->here) p->layer[l].idle = true;
        else if (put_in(r->here, caught, name, sizeof name)) n += pair(g, tl_graph_find(g, name), l, p);
    }
    return n;
}

int tl_match_by_name(const tl_graph *g, const tl_scheme *s, tl_pairs *p)
{
    int n = 0;
    for (int i = 0; i < g->n; i++) p->of[i] = -1;
    for (int l = 0; l < p->n; l++) p->layer[l].used = p->layer[l].idle = false;
    if (s && s->sign && tl_graph_find(g, s->sign) < 0) return 0;
    for (int l = 0; !s && l < p->n; l++) n += pair(g, tl_graph_find(g, p->layer[l].name), l, p);
    for (const tl_rule *r = s ? s->rule : NULL; r && r->there; r++) n += r->nth ? by_order(g, r, p) : by_pattern(g, r, p);
    return n;
}

/* ---- Settings ---- */

static tl_status set(tl_arena *a, const tl_op *op, const char *text, void *attr)
{
    char name[32];
    size_t n = strcspn(text, "=");
    snprintf(name, sizeof name, "%.*s", (int)n, text);
    return tl_field_set(a, tl_field_find(op->field, name), attr, text + n + 1);
}

static tl_status own_copy(const tl_graph *g, const tl_node *d, void **out)
{
    if (*out) return TL_OK;
    TL_NEW(*out = tl_alloc(g->arena, d->op->attr_size));
    memcpy(*out, d->attr, d->op->attr_size);
    return TL_OK;
}

/* All settings of the other node, save those that say which parameters there are. */
static tl_status take_settings(const tl_node *d, const tl_node *from, void *attr)
{
    static const char *const own[] = { "nobias", "out" };
    for (const tl_field *f = d->op->field; f && f->name; f++) {
        bool keep = false;
        for (int i = 0; i < TL_LEN(own); i++) keep |= !strcmp(f->name, own[i]);
        if (!keep) memcpy((char *)attr + f->off, (const char *)from->attr + f->off, tl_value_size(f));
    }
    return TL_OK;
}

tl_status tl_match_attr(const tl_graph *g, const tl_pairs *p, const tl_scheme *s, int i, void **out)
{
    const tl_node *d = &g->node[i], *from = NULL;
    const tl_layer *l = p->of[i] >= 0 ? &p->layer[p->of[i]] : NULL;
    *out = NULL;
    for (const tl_edit *e = s ? s->edit : NULL; e && e->set; e++) {
        if ((e->op && e->op != d->op) || (e->node && strcmp(e->node, d->name))) continue;
        TL_TRY(own_copy(g, d, out));
        TL_TRY(set(g->arena, d->op, e->set, *out));
    }
    if (l && l->t[TL_ROLE_GAMMA] && l->t[TL_ROLE_GAMMA]->eps > 0 && d->op == &tl_op_bn) {
        TL_TRY(own_copy(g, d, out));
        ((tl_bn *)*out)->eps = l->t[TL_ROLE_GAMMA]->eps;
    }
    if (l) from = l->node;
    if (!from || from->op != d->op) return TL_OK;
    TL_TRY(own_copy(g, d, out));
    return take_settings(d, from, *out);
}
