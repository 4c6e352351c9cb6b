/* test_backbone.c - backbones against the original's layer lists. SPDX-License-Identifier: MIT
 *
 * test/data/backbones.txt holds those lists (tools/make_backbone_golden.py says how they are written). Every layer is
 * compared: name, type, kernel, stride, padding, channels, size, bias, parameters, and which layers it reads. Layers
 * that the original leaves to Keras to name (activation_7, add_3) have names of our own and are found by what they
 * read. The pretrained trunk in models/ is here too, because its keys are those names. */
#include "field.h"
#include "support.h"
#include <stdio.h>

#define GOLDEN "test/data/backbones.txt"

/* The original's networks, at 3x224x224, with batch norm, without biases: which options make its variant. */
typedef struct { const char *name, *variant, *arch; int layers; bool pooling, all_projections, stride16; } net_row;
static const net_row nets[] = {
    { "resnet10", "det", "resnet", 10, false, true, false },   { "resnet10", "pool_noproj", "resnet", 10, true, false, false },
    { "resnet18", "det", "resnet", 18, false, true, false },   { "resnet18", "pool_noproj", "resnet", 18, true, false, false },
    { "resnet34", "det", "resnet", 34, false, true, false },   { "resnet34", "pool_noproj", "resnet", 34, true, false, false },
    { "resnet50", "det", "resnet", 50, false, true, false },   { "resnet50", "pool_noproj", "resnet", 50, true, false, false },
    { "resnet101", "det", "resnet", 101, false, true, false }, { "resnet101", "pool_noproj", "resnet", 101, true, false, false },
    { "vgg16", "det", "vgg", 16, false, false, false },        { "vgg16", "pool", "vgg", 16, true, false, false },
    { "vgg19", "det", "vgg", 19, false, false, false },        { "vgg19", "pool", "vgg", 19, true, false, false },
    { "googlenet", "det", "googlenet", 0, false, false, false },
    { "mobilenet_v1", "stride32", "mobilenet_v1", 0, false, false, false },
    { "mobilenet_v1", "det", "mobilenet_v1", 0, false, false, true },
    { "mobilenet_v2", "stride32", "mobilenet_v2", 0, false, false, false },
    { "mobilenet_v2", "det", "mobilenet_v2", 0, false, false, true },
    { "mobilenet_v2", "stride16_allproj", "mobilenet_v2", 0, false, true, true },
    { "squeezenet", "det", "squeezenet", 0, false, false, false },
    { "darknet19", "det", "darknet", 19, false, false, false },
    { "darknet53", "det", "darknet", 53, false, false, false },
    { "efficientnet_b0", "det", "efficientnet_b0", 0, false, false, false },
};

/* The backbone alone, without weights. */
static tl_graph *build(tl_arena *a, const tl_backbone *b, const tl_backbone_conf *c, int channels, int size,
                       tl_pyramid *p)
{
    tl_graph *g = tl_graph_new(a);
    assert_non_null(g);
    *p = (tl_pyramid){ .lo = 0 };
    tl_val image = OP(g, "input_1", input, NO_INPUT, .c = channels, .h = size, .w = size);
    b->build(g, image, b, c, p);
    return g;
}

static tl_graph *build_row(tl_arena *a, const net_row *r)
{
    const tl_backbone *b;
    const tl_backbone_conf c = { .bn = true, .pooling = r->pooling, .all_projections = r->all_projections, .stride16 = r->stride16 };
    tl_pyramid p;
    ok(tl_backbone_find(r->arch, r->layers, &b));
    tl_graph *g = build(a, b, &c, 3, 224, &p);
    ok(g->status);
    return g;
}

/* ---- Layer by layer ---- */
typedef struct { char name[64]; int node; } known; /* a layer of the original and our node for it */
typedef struct {
    tl_graph *g;
    known     at[512];
    int       n;
    bool     *seen;
} matcher;

static int look(const matcher *m, const char *name)
{
    for (int i = 0; i < m->n; i++)
        if (!strcmp(m->at[i].name, name)) return m->at[i].node;
    fail_msg("the list reads '%s' before it is there", name);
    return -1;
}

static bool named_by_keras(const char *name)
{
    static const char *const stems[] = { "activation_", "add_", "max_pooling2d_" };
    for (int i = 0; i < TL_LEN(stems); i++)
        if (!strncmp(name, stems[i], strlen(stems[i]))) return true;
    return false;
}

static bool same(float a, double b) { return fabs((double)a - b) < 1e-6; }

/* ---- One type of layer each: does node d have what the rest of the line says? ---- */
static bool is_conv(const tl_graph *g, const tl_node *d, const char *rest, bool depthwise)
{
    const tl_conv2d *a = d->attr;
    int k, stride, pad, extra, cin, cout, size, bias;
    size_t params, have = tl_dims_count(d->p[0].dims) + tl_dims_count(d->p[1].dims);
    return d->op == &tl_op_conv2d &&
           sscanf(rest, "%d %d %d+%d %d %d %d %d %zu", &k, &stride, &pad, &extra, &cin, &cout, &size, &bias,
                  &params) == 9 &&
           a->k == k && a->stride == stride && a->pad == pad && a->extra == extra && g->node[d->x[0]].s.c == cin &&
           d->s.c == cout && d->s.h == size && d->s.w == size && a->nobias == !bias && have == params &&
           a->groups == (depthwise ? cin : 1);
}

static bool is_max(const tl_node *d, const char *rest)
{
    const tl_maxpool *a = d->attr;
    int k, stride, size;
    return d->op == &tl_op_maxpool && sscanf(rest, "%d %d %d", &k, &stride, &size) == 3 && a->k == k &&
           a->stride == stride && d->s.h == size && d->s.w == size;
}

static bool is_act(const tl_node *d, const char *rest)
{
    static const struct { const char *name; const tl_op *op; float slope; } acts[] = {
        { "relu", &tl_op_relu, 0 }, { "leaky", &tl_op_relu, 0.1f }, { "swish", &tl_op_swish, 0 },
        { "sigmoid", &tl_op_sigmoid, 0 },
    };
    for (int i = 0; i < TL_LEN(acts); i++)
        if (!strncmp(rest, acts[i].name, strlen(acts[i].name)))
            return d->op == acts[i].op &&
                   (d->op != &tl_op_relu || same(((const tl_relu *)d->attr)->slope, (double)acts[i].slope));
    return false;
}

static bool is_layer(const tl_graph *g, const tl_node *d, const char *type, const char *rest)
{
    if (!strcmp(type, "conv") || !strcmp(type, "dw")) return is_conv(g, d, rest, type[0] == 'd');
    if (!strcmp(type, "max")) return is_max(d, rest);
    if (!strcmp(type, "act")) return is_act(d, rest);
    if (!strcmp(type, "drop"))
        return d->op == &tl_op_dropout && same(((const tl_dropout *)d->attr)->rate, atof(rest)) &&
               ((const tl_dropout *)d->attr)->whole;
    if (!strcmp(type, "bn"))
        return d->op == &tl_op_bn && same(((const tl_bn *)d->attr)->eps, 1e-3) &&
               same(((const tl_bn *)d->attr)->momentum, atof(rest));
    return d->op == tl_op_find(type);
}

/* Which of our nodes the line's layer is; in: our nodes for what it reads. */
static int find(const matcher *m, const char *name, const char *type, const char *rest, const int *in, int nx)
{
    if (!named_by_keras(name)) return tl_graph_find(m->g, name);
    for (int i = 0; i < m->g->n; i++) {
        const tl_node *d = &m->g->node[i];
        if (d->nx == nx && !memcmp(d->x, in, (size_t)nx * sizeof *in) && is_layer(m->g, d, type, rest)) return i;
    }
    return -1;
}

static void check_line(matcher *m, const net_row *r, char *line)
{
    int in[TL_MAX_IN] = { m->at[m->n - 1].node }, nx = 1, skip = 0;
    char name[64], type[16], *reads = strstr(line, " < ");
    if (reads) {
        *reads = 0;
        nx = 0;
        for (char *from = strtok(reads + 3, ",\n"); from; from = strtok(NULL, ",\n")) in[nx++] = look(m, from);
    }
    assert_int_equal(sscanf(line, "%63s %15s %n", name, type, &skip), 2);
    int i = find(m, name, type, line + skip, in, nx);
    if (i < 0) fail_msg("%s %s: no layer '%s' (%s)", r->name, r->variant, name, type);
    const tl_node *d = &m->g->node[i];
    if (d->nx != nx || memcmp(d->x, in, (size_t)nx * sizeof *in))
        fail_msg("%s: '%s' reads other layers", r->name, name);
    if (!is_layer(m->g, d, type, line + skip)) fail_msg("%s: '%s' is not %s %s", r->name, name, type, line + skip);
    m->seen[i] = true;
    memcpy(m->at[m->n].name, name, sizeof name);
    m->at[m->n++].node = i;
}

/* f stands behind the line that begins r's list; reads up to the next one. */
static void check_layers(FILE *f, const net_row *r, const tl_graph *g, char *line, int size)
{
    matcher m = { .g = (tl_graph *)g, .n = 1, .at = { { "input_1", 0 } }, .seen = tl_new(g->arena, bool, g->n) };
    m.seen[0] = true;
    while (fgets(line, size, f) && line[0] != '=') check_line(&m, r, line);
    for (int i = 0; i < g->n; i++)
        if (!m.seen[i]) fail_msg("%s: the original has no layer '%s'", r->name, g->node[i].name);
}

static void test_layers(void **state)
{
    (void)state;
    FILE *f = fopen(GOLDEN, "r");
    char line[256] = "", name[32], variant[32];
    int n = 0;
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    for (; !feof(f); n++) {
        tl_arena *a = tl_arena_new();
        size_t params;
        double macs;
        int i = 0;
        assert_int_equal(sscanf(line, "= %31s %31s %zu %lf", name, variant, &params, &macs), 4);
        while (i < TL_LEN(nets) && (strcmp(nets[i].name, name) || strcmp(nets[i].variant, variant))) i++;
        if (i == TL_LEN(nets)) fail_msg("%s %s: no row for it here", name, variant);
        tl_graph *g = build_row(a, &nets[i]);
        assert_int_equal(tl_graph_params(g), params);
        assert_true(fabs(tl_graph_macs(g) - macs) < 0.5);
        check_layers(f, &nets[i], g, line, sizeof line);
        tl_arena_free(a);
    }
    fclose(f);
    assert_int_equal(n, TL_LEN(nets));
}

/* ---- What freeze_blocks and heads rely on ---- */
/* The block that a layer's name says it is in. */
static int block_of(const char *arch, const char *name)
{
    static const char *const modules[] = { "3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b" };
    int n = 0;
    if (!strcmp(name, "conv_1") || !strcmp(name, "conv_1_bn")) return 18;
    if (!strncmp(name, "top_", 4)) return 8;
    if (sscanf(name, "block%d", &n) == 1) return n;
    if (sscanf(name, "block_%d", &n) == 1) return n + !strcmp(arch, "mobilenet_v2");
    if (sscanf(name, "conv_dw_%d", &n) == 1 || sscanf(name, "conv_pw_%d", &n) == 1) return n;
    if (sscanf(name, "fire%d", &n) == 1) return n - 1;
    if (!strcmp(arch, "darknet") && sscanf(name, "conv%d", &n) == 1) return n - 1;
    if (sscanf(name, "b%d_", &n) == 1) return n;
    for (int i = 0; i < TL_LEN(modules); i++)
        if (!strncmp(name, "inception_", 10) && !strncmp(name + 10, modules[i], 2)) return i + 1;
    return !strncmp(name, "expanded_conv", 13);
}

static void test_freeze_blocks(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(nets); i++) {
        tl_arena *a = tl_arena_new();
        tl_graph *g = build_row(a, &nets[i]);
        TL_EACH_PARAM(g, n, k)
            if (g->node[n].block != block_of(nets[i].arch, g->node[n].name))
                fail_msg("%s: '%s' is in block %d", nets[i].name, g->node[n].name, g->node[n].block);
        tl_arena_free(a);
    }
}

static void check_pyramid(const tl_graph *g, const tl_pyramid *p, int size)
{
    assert_true(p->lo <= 1 && p->hi > p->lo && p->hi < TL_LEVELS);
    for (int l = p->lo; l <= p->hi; l++) {
        tl_shape s = g->node[p->at[l].i].s;
        assert_int_equal(s.h, size >> l);
        assert_int_equal(s.w, size >> l);
    }
    assert_int_equal(p->at[p->hi].i, g->n - 1);
}

enum { BN = 1, BIAS = 2, POOLING = 4, PROJECTIONS = 8, GRAY = 16, SMALL = 32, ALL = 64 };

static void test_every_option(void **state)
{
    const tl_backbone *b;
    (void)state;
    for (int i = 0; (b = tl_backbone_at(i)); i++) {
        assert_true(b->arch[0] && b->brief && b->brief[0]);
        for (int o = 0; o < ALL; o++) {
            tl_arena *a = tl_arena_new();
            const tl_activation relu6 = { &tl_op_relu, { .relu = { .max = 6 } } };
            tl_backbone_conf c = { .bn = o & BN, .bias = o & BIAS, .pooling = o & POOLING,
                                   .all_projections = o & PROJECTIONS, .alpha = o & SMALL ? 0.5f : 0 };
            if (o & BN) c.act = relu6;
            tl_pyramid p;
            int size = o & SMALL ? 64 : 224;
            tl_graph *g = build(a, b, &c, o & GRAY ? 1 : 3, size, &p);
            if (g->status) fail_msg("%s%d with options %d: %s", b->arch, b->layers, o, tl_errmsg());
            check_pyramid(g, &p, size);
            tl_arena_free(a);
        }
    }
}

/* Both heads on every backbone: scores for each class. A family's own head may need the size it was
 * made for. */
static void test_every_head(void **state)
{
    const tl_backbone *b;
    (void)state;
    for (int i = 0; (b = tl_backbone_at(i)); i++)
        for (int o = 0; o < 8; o++) {
            bool own = o & 1, small = o & 2;
            tl_arena *a = tl_arena_new();
            tl_backbone_conf c = { .bn = true, .dropout = o & 4 ? 0.5f : 0, .own_head = own };
            tl_pyramid p;
            tl_graph *g = build(a, b, &c, 3, small ? 64 : 224, &p);
            tl_val raw = tl_head_at(0)->build(g, &p, b, &c, own, 7);
            tl_val answer = tl_head_at(0)->answer(g, raw);
            if (own && small && !strcmp(b->arch, "mobilenet_v1")) { /* ends in a 7x7 pooling */
                assert_int_equal(g->status, TL_ESHAPE);
                assert_non_null(strstr(tl_errmsg(), "does not fit a 2x2 map"));
            } else {
                assert_int_equal(g->status, TL_OK);
                assert_true(tl_same(g->node[answer.i].s, (tl_shape){ 1, 7, 1, 1 }));
            }
            tl_arena_free(a);
        }
}

/* Not the original's; its counts are those of the published weights (without the classifier) and the paper's 407
 * million MACs. */
static void test_lite(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const net_row r = { .arch = "efficientnet_lite0" };
    tl_graph *g = build_row(a, &r);
    assert_int_equal(tl_graph_params(g), 3413024);
    assert_in_range((int)(tl_graph_macs(g) / 1e6), 380, 410);
    for (int i = 0; i < g->n; i++) assert_true(g->node[i].op != &tl_op_mul && g->node[i].op != &tl_op_swish);
    tl_arena_free(a);
}

/* The width multiplier: counts of Keras's own MobileNets (include_top=False), which the original's follow. */
static void test_widths(void **state)
{
    static const struct { const char *arch; float alpha; size_t params; } rows[] = {
        { "mobilenet_v1", 0.25f, 218544 }, { "mobilenet_v1", 0.5f, 829536 },   { "mobilenet_v1", 0.75f, 1832976 },
        { "mobilenet_v2", 0.35f, 410208 }, { "mobilenet_v2", 0.5f, 706224 },   { "mobilenet_v2", 0.75f, 1382064 },
        { "mobilenet_v2", 1.3f, 3766048 }, { "mobilenet_v2", 1.4f, 4363712 },
    };
    (void)state;
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_arena *a = tl_arena_new();
        const tl_backbone *b;
        tl_pyramid p;
        ok(tl_backbone_find(rows[i].arch, 0, &b));
        tl_graph *g = build(a, b, &(tl_backbone_conf){ .bn = true, .alpha = rows[i].alpha }, 3, 224, &p);
        if (tl_graph_params(g) != rows[i].params)
            fail_msg("%s %g: %zu parameters", rows[i].arch, (double)rows[i].alpha, tl_graph_params(g));
        tl_arena_free(a);
    }
}

/* Where the original's detectors read. */
static void test_taps(void **state)
{
    static const struct { const char *arch; int layers, level; const char *name; } taps[] = {
        { "resnet", 18, 3, "block_2b_relu" },      { "resnet", 50, 4, "block_4c_relu" },
        { "vgg", 16, 3, "block_4c_relu" },         { "vgg", 19, 4, "block_5d_relu" },
        { "googlenet", 0, 2, "conv2_relu" },       { "googlenet", 0, 3, "inception_3b_output" },
        { "googlenet", 0, 4, "inception_5b_output" },
        { "mobilenet_v1", 0, 3, "conv_pw_relu_5" }, { "mobilenet_v1", 0, 4, "conv_pw_relu_11" },
        { "mobilenet_v2", 0, 2, "re_lu_4" },       { "mobilenet_v2", 0, 3, "re_lu_7" },
        { "squeezenet", 0, 2, "fire4" },           { "squeezenet", 0, 3, "fire8" },
        { "squeezenet", 0, 4, "fire9" },           { "darknet", 19, 3, "b3_conv3_lrelu" },
        { "darknet", 19, 4, "b4_conv5_lrelu" },    { "darknet", 53, 3, "b3_add8" },
        { "darknet", 53, 5, "b5_add4" },           { "efficientnet_b0", 0, 3, "block4a_expand_activation" },
        { "efficientnet_b0", 0, 4, "block6a_expand_activation" },
        { "efficientnet_b0", 0, 5, "top_activation" },
    };
    (void)state;
    for (int i = 0; i < TL_LEN(taps); i++) {
        tl_arena *a = tl_arena_new();
        const tl_backbone *b;
        tl_pyramid p;
        ok(tl_backbone_find(taps[i].arch, taps[i].layers, &b));
        tl_graph *g = build(a, b, &(tl_backbone_conf){ .bn = true }, 3, 224, &p);
        assert_string_equal(g->node[p.at[taps[i].level].i].name, taps[i].name);
        tl_arena_free(a);
    }
}

/* DetectNet_v2's ends: where, and with which layer; whole ones are those of classification. */
static void test_stride16(void **state)
{
    static const struct { const char *arch; int layers, level; const char *ends, *whole; } rows[] = {
        { "resnet", 18, 4, "block_4b_relu", "block_4b_relu" },
        { "mobilenet_v1", 0, 4, "conv_pw_relu_11", "conv_pw_relu_13" },
        { "mobilenet_v2", 0, 4, "block_12_add", "re_lu_head" },
        { "efficientnet_b0", 0, 4, "top_activation", "top_activation" },
        { "efficientnet_lite0", 0, 4, "top_activation", "top_activation" },
        { "darknet", 19, 5, "b5_conv5_lrelu", "b5_conv5_lrelu" },
    };
    (void)state;
    for (int i = 0; i < TL_LEN(rows); i++)
        for (int whole = 0; whole < 2; whole++) {
            tl_arena *a = tl_arena_new();
            const tl_backbone *b;
            tl_pyramid p, q;
            ok(tl_backbone_find(rows[i].arch, rows[i].layers, &b));
            tl_graph *g = build(a, b, &(tl_backbone_conf){ .bn = true, .stride16 = true, .whole = whole }, 3, 224, &p);
            tl_graph *all = build(a, b, &(tl_backbone_conf){ .bn = true }, 3, 224, &q);
            const char *ends = whole ? rows[i].whole : rows[i].ends;
            const int level = whole ? q.hi : rows[i].level;
            ok(g->status);
            if (p.hi != level || g->node[p.at[p.hi].i].s.h != 224 >> p.hi ||
                strcmp(g->node[p.at[p.hi].i].name, ends))
                fail_msg("%s%s ends with '%s', %d times smaller", rows[i].arch, whole ? ", whole," : "", g->node[p.at[p.hi].i].name, 1 << p.hi);
            if (whole && (g->n != all->n || tl_graph_params(g) != tl_graph_params(all))) fail_msg("%s: whole is not all", rows[i].arch);
            tl_arena_free(a);
        }
}

static void test_find(void **state)
{
    const tl_backbone *b;
    char name[32];
    (void)state;
    assert_int_equal(tl_backbone_find("resnet", 50, &b), TL_OK);
    assert_string_equal(tl_backbone_name(b, name), "resnet50");
    assert_int_equal(tl_backbone_find("squeezenet", 18, &b), TL_OK);
    assert_string_equal(tl_backbone_name(b, name), "squeezenet");
    assert_int_equal(tl_backbone_find("resnet", 20, &b), TL_ESPEC);
    assert_non_null(strstr(tl_errmsg(), "available are resnet (n_layers: 10, 18, 34, 50, 101)"));
    assert_int_equal(tl_backbone_find("resnext", 50, &b), TL_ESPEC);
    assert_non_null(strstr(tl_errmsg(), "101), mobilenet_v1, mobilenet_v2, squeezenet, vgg (n_layers: 16, 19), googlenet"));
}

/* ---- The trunk in models/ ---- */
#define TRUNK "models/mobilenet_v2_imagenet.onnx"

static tl_model *new_mobilenet(tl_arena *a, float alpha, int size)
{
    tl_model_conf c = { .head = tl_head_at(0),
                        .conf = { .bn = true, .alpha = alpha },
                        .c = 3,
                        .h = size,
                        .w = size,
                        .classes = 5 };
    tl_model *m;
    assert_int_equal(tl_backbone_find("mobilenet_v2", 0, &c.backbone), TL_OK);
    assert_int_equal(tl_model_build(a, &c, &m), TL_OK);
    return m;
}

static void test_trunk(void **state)
{
    tl_arena *a = tl_arena_new();
    tl_model *trunk, *again, *m = new_mobilenet(a, 1, 64);
    tl_transfer t;
    tl_bytes file;
    int layers = 0;
    (void)state;
    assert_int_equal(tl_model_load(a, TRUNK, NULL, &trunk), TL_OK);
    assert_true(tl_model_is_trunk(trunk));
    assert_int_equal(trunk->classes.n, 0);
    assert_string_equal(trunk->arch, "mobilenet_v2");
    assert_true(fabs((double)trunk->norm.mean[0] - 127.5) < 1e-8);
    assert_true(fabs((double)trunk->norm.rstd[0] - 1 / 127.5) < 1e-8);

    assert_int_equal(tl_model_transfer(m, trunk, false, false, 1, &t), TL_OK);
    for (int i = 0; i < trunk->g->n; i++) layers += tl_dims_count(trunk->g->node[i].p[0].dims) > 0;
    assert_int_equal(layers, 104);
    assert_int_equal(t.matched, layers);
    assert_int_equal(t.skipped, 0);
    assert_int_equal(t.fresh, 1);
    assert_non_null(strstr(t.text, "predictions"));
    const tl_node *bn = &m->g->node[tl_graph_find(m->g, "bn_conv1")],
                  *relu = &m->g->node[tl_graph_find(m->g, "re_lu_0")];
    assert_true(fabs((double)((const tl_bn *)bn->attr)->eps - 1e-5) < 1e-9);
    assert_true(fabs((double)((const tl_relu *)relu->attr)->max - 6) < 1e-6);

    assert_int_equal(tl_model_pack(trunk, a, &(tl_save_opts){ .half = true }, &file), TL_OK);
    assert_int_equal(tl_model_unpack(a, file, &again), TL_OK);
    assert_true(tl_model_is_trunk(again));
    assert_int_equal(tl_model_transfer(new_mobilenet(a, 0.5f, 64), trunk, false, false, 1, &t),
                     TL_ESPEC);
    assert_non_null(strstr(tl_errmsg(), "alpha"));
    tl_arena_free(a);
}

/* A new network with the file's weights computes what the file does: what they were trained with,
 * TensorFlow's padding above all, came along. */
static void test_transfer_keeps_features(void **state)
{
    tl_arena *a = tl_arena_new();
    tl_model *trunk, *m = new_mobilenet(a, 1, 224);
    tl_transfer t;
    tl_tensor want, got;
    (void)state;
    ok(tl_model_load(a, TRUNK, NULL, &trunk));
    ok(tl_model_transfer(m, trunk, false, false, 1, &t));
    m->g->output = tl_graph_find(m->g, "avg_pool");
    ok(answer(a, trunk->g, 1, &want));
    ok(answer(a, m->g, 1, &got));
    assert_int_equal(want.s.c, 1280);
    assert_true(difference(got, want) < 1e-6);
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),     cmocka_unit_test(test_freeze_blocks), cmocka_unit_test(test_every_option),
        cmocka_unit_test(test_lite),       cmocka_unit_test(test_taps),           cmocka_unit_test(test_widths),
        cmocka_unit_test(test_every_head), cmocka_unit_test(test_stride16), cmocka_unit_test(test_find),          cmocka_unit_test(test_trunk),
        cmocka_unit_test(test_transfer_keeps_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
