/* test_backbone.c - backbones against the original's layer tables. SPDX-License-Identifier: MIT
 *
 * Two oracles. The small table `totals` below was computed from the original's layer lists and is
 * always checked. Where ../shared has those lists (backbone_layers.tsv, a row a layer), every layer
 * is compared: name, type, kernel, stride, channels, size, parameters, and which layers it reads.
 * Layers that the original leaves to Keras to name (activation_7, add_3) have names of our own and
 * are found by what they read; its ZeroPadding2D layers are the padding of our convolutions. The
 * pretrained trunk in models/ is here too, because its keys are those names. */
#include "field.h"
#include "support.h"
#include <stdio.h>

#define TABLE "../shared/reference/tlt/backbone_layers.tsv"

typedef struct {
    const char *arch;
    int layers;
    bool pooling, all_projections;
    const char *name, *variant;
} net_row;
typedef struct {
    net_row net;
    size_t params;
    double mmacs;
    int c, hw;
} total;
static const total totals[] = {
    /* at 3x224x224, batch norm, no biases */
    { { "resnet", 10, false, true, "resnet10", "det" }, 4915904, 1441.054720, 512, 14 },
    { { "resnet", 10, true, false, "resnet10", "pool_noproj" }, 4915904, 901.562368, 512, 7 },
    { { "resnet", 18, false, true, "resnet18", "det" }, 11542464, 3149.447168, 512, 14 },
    { { "resnet", 18, true, false, "resnet18", "pool_noproj" }, 11190464, 1826.406400, 512, 7 },
    { { "resnet", 34, false, true, "resnet34", "det" }, 22226624, 5834.063872, 512, 14 },
    { { "resnet", 34, true, false, "resnet34", "pool_noproj" }, 21306048, 3676.094464, 512, 7 },
    { { "resnet", 50, false, true, "resnet50", "det" }, 38155200, 9751.805952, 2048, 14 },
    { { "resnet", 50, true, false, "resnet50", "pool_noproj" }, 23561152, 3855.925248, 2048, 7 },
    { { "resnet", 101, false, true, "resnet101", "det" }, 75094976, 16957.882368, 2048, 14 },
    { { "resnet", 101, true, false, "resnet101", "pool_noproj" }, 42605504, 7568.146432, 2048, 7 },
    { { "mobilenet_v1", 0, false, false, "mobilenet_v1", "stride32" },
      3228864,
      567.716352,
      1024,
      7 },
    { { "mobilenet_v2", 0, false, false, "mobilenet_v2", "stride32" },
      2257984,
      299.494272,
      1280,
      7 },
    { { "squeezenet", 0, false, false, "squeezenet", "det" }, 735424, 787.161088, 512, 14 },
};

static const tl_backbone_conf with_bn = { .bn = true };

/* The backbone alone, without weights. */
static tl_graph *build(tl_arena *a, const tl_backbone *b, const tl_backbone_conf *c, int channels,
                       int size, tl_pyramid *p)
{
    tl_graph *g = tl_graph_new(a);
    assert_non_null(g);
    *p = (tl_pyramid){ .lo = 0 };
    tl_val image = OP(g, "input_1", input, NO_INPUT, .c = channels, .h = size, .w = size);
    b->build(g, image, b, c, p);
    return g;
}

static tl_graph *build_row(tl_arena *a, const net_row *r, tl_pyramid *p)
{
    const tl_backbone *b;
    tl_backbone_conf c = with_bn;
    c.pooling = r->pooling;
    c.all_projections = r->all_projections;
    assert_int_equal(tl_backbone_find(r->arch, r->layers, &b), TL_OK);
    tl_graph *g = build(a, b, &c, 3, 224, p);
    assert_int_equal(g->status, TL_OK);
    return g;
}

static void test_totals(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(totals); i++) {
        tl_arena *a = tl_arena_new();
        tl_pyramid p;
        tl_graph *g = build_row(a, &totals[i].net, &p);
        tl_shape s = g->node[p.at[p.hi].i].s;
        assert_int_equal(tl_graph_params(g), totals[i].params);
        assert_true(fabs(tl_graph_macs(g) / 1e6 - totals[i].mmacs) < 1e-6);
        assert_int_equal(s.c, totals[i].c);
        assert_int_equal(s.h, totals[i].hw);
        assert_int_equal(s.w, totals[i].hw);
        tl_arena_free(a);
    }
}

/* ---- Layer by layer ---- */
enum {
    BACKBONE,
    VARIANT,
    INDEX,
    LAYER,
    TYPE,
    KERNEL,
    STRIDE,
    PADDING,
    CIN,
    COUT,
    SIZE,
    PARAMS,
    ATTR,
    INPUTS,
    COLUMNS
};

typedef struct {
    char name[64];
    int node;
} known; /* a layer of the original and our node for it */
typedef struct {
    tl_graph *g;
    known at[512];
    int n;
    bool *seen;
} matcher;

static int look(const matcher *m, const char *name)
{
    for (int i = 0; i < m->n; i++)
        if (!strcmp(m->at[i].name, name)) return m->at[i].node;
    fail_msg("the table reads '%s' before it is defined", name);
    return -1;
}

static bool named_by_keras(const char *name)
{
    static const char *const stems[] = { "activation_", "add_", "max_pooling2d_" };
    for (int i = 0; i < TL_LEN(stems); i++)
        if (!strncmp(name, stems[i], strlen(stems[i]))) return true;
    return false;
}

static const char *op_of(const char *type)
{
    static const char *const ops[][2] = {
        { "InputLayer", "input" },
        { "Conv2D", "conv2d" },
        { "DepthwiseConv2D", "conv2d" },
        { "BatchNormalization", "bn" },
        { "Activation", "relu" },
        { "ReLU", "relu" },
        { "Add", "add" },
        { "Concatenate", "concat" },
        { "MaxPooling2D", "maxpool" },
    };
    for (int i = 0; i < TL_LEN(ops); i++)
        if (!strcmp(ops[i][0], type)) return ops[i][1];
    fail_msg("the table has a layer type '%s' that this test does not know", type);
    return NULL;
}

/* Which of our nodes is the row's layer; inputs are those of the row. */
static int find(const matcher *m, char *const *col, const int *in, int nx)
{
    if (!named_by_keras(col[LAYER])) return tl_graph_find(m->g, col[LAYER]);
    for (int i = 0; i < m->g->n; i++) {
        const tl_node *d = &m->g->node[i];
        if (!strcmp(d->op->name, op_of(col[TYPE])) && d->nx == nx &&
            !memcmp(d->x, in, (size_t)nx * sizeof *in))
            return i;
    }
    return -1;
}

static void check_attributes(const tl_node *d, const tl_node *x, char *const *col)
{
    int k = 0, stride = 0, cin = 0, bias = 0;
    double eps = 0, momentum = 0;
    if (d->op == &tl_op_conv2d) {
        const tl_conv2d *c = d->attr;
        assert_int_equal(sscanf(col[KERNEL], "%dx", &k) + sscanf(col[STRIDE], "%d", &stride) +
                             sscanf(col[CIN], "%d", &cin) + sscanf(col[ATTR], "bias=%d", &bias),
                         4);
        assert_int_equal(c->k, k);
        assert_int_equal(c->stride, stride);
        assert_int_equal(x->s.c, cin);
        assert_int_equal(c->nobias, !bias);
        assert_int_equal(c->groups, col[TYPE][0] == 'D' ? cin : 1);
        assert_int_equal(c->extra, 0);
    } else if (d->op == &tl_op_bn) {
        assert_int_equal(sscanf(col[ATTR], "eps=%lf mom=%lf", &eps, &momentum), 2);
        assert_true(fabs((double)((const tl_bn *)d->attr)->eps - eps) < 1e-8);
        assert_true(fabs((double)((const tl_bn *)d->attr)->momentum - momentum) < 1e-6);
    } else if (d->op == &tl_op_maxpool) {
        assert_int_equal(sscanf(col[KERNEL], "%dx", &k) + sscanf(col[STRIDE], "%d", &stride), 2);
        assert_int_equal(((const tl_maxpool *)d->attr)->k, k);
        assert_int_equal(((const tl_maxpool *)d->attr)->stride, stride);
    }
}

static void check_node(const tl_graph *g, int i, char *const *col, const int *in, int nx)
{
    const tl_node *d = &g->node[i];
    int cout = 0, h = 0, w = 0;
    size_t params = 0, want = 0;
    assert_int_equal(sscanf(col[COUT], "%d", &cout) + sscanf(col[SIZE], "%dx%d", &h, &w) +
                         sscanf(col[PARAMS], "%zu", &want),
                     4);
    for (int k = 0; k < TL_MAX_PARAM; k++) params += tl_dims_count(d->p[k].dims);
    assert_string_equal(d->op->name, op_of(col[TYPE]));
    assert_int_equal(d->s.c, cout);
    assert_int_equal(d->s.h, h);
    assert_int_equal(d->s.w, w);
    assert_int_equal(params, want);
    assert_int_equal(d->nx, nx);
    for (int k = 0; k < nx; k++) assert_int_equal(d->x[k], in[k]);
    check_attributes(d, nx ? &g->node[in[0]] : NULL, col);
}

static void check_row(matcher *m, char **col)
{
    int in[TL_MAX_IN], nx = 0, i;
    for (char *name = strtok(col[INPUTS], ",\n"); name; name = strtok(NULL, ",\n"))
        in[nx++] = look(m, name);
    if (!strcmp(col[TYPE], "ZeroPadding2D") || !strcmp(col[TYPE], "AveragePooling2D")) {
        i = in[0]; /* of our convolutions; the last pooling of ResNets is left out, see resnet.c */
    } else {
        i = find(m, col, in, nx);
        if (i < 0) fail_msg("%s: no layer '%s' (%s)", col[BACKBONE], col[LAYER], col[TYPE]);
        check_node(m->g, i, col, in, nx);
        m->seen[i] = true;
    }
    snprintf(m->at[m->n].name, sizeof m->at[m->n].name, "%s", col[LAYER]);
    m->at[m->n++].node = i;
}

static int check_layers(FILE *f, const net_row *r)
{
    static matcher m;
    tl_arena *a = tl_arena_new();
    tl_pyramid p;
    char line[1024], *col[COLUMNS];
    m = (matcher){ .g = build_row(a, r, &p) };
    m.seen = tl_new(a, bool, m.g->n);
    rewind(f);
    while (fgets(line, sizeof line, f)) {
        char *rest = line;
        for (int k = 0; k < COLUMNS; k++) col[k] = rest ? strsep(&rest, "\t") : line + strlen(line);
        if (!strcmp(col[BACKBONE], r->name) && !strcmp(col[VARIANT], r->variant))
            check_row(&m, col);
    }
    for (int i = 0; i < m.g->n; i++)
        if (!m.seen[i]) fail_msg("%s: the original has no layer '%s'", r->name, m.g->node[i].name);
    tl_arena_free(a);
    return m.n;
}

static void test_layers(void **state)
{
    (void)state;
    FILE *f = fopen(TABLE, "r");
    if (!f) {
        print_message("skipped: no %s, layers not compared one by one\n", TABLE);
        skip();
    }
    for (int i = 0; i < TL_LEN(totals); i++)
        assert_in_range(check_layers(f, &totals[i].net), 40, 512);
    fclose(f);
}

/* ---- What freeze_blocks and heads rely on ---- */
static int block_of(const char *arch, const char *name)
{
    int n = 0;
    if (!strcmp(name, "conv_1") || !strcmp(name, "conv_1_bn")) return 18;
    if (sscanf(name, "block_%d", &n) == 1) return n + !strcmp(arch, "mobilenet_v2");
    if (sscanf(name, "conv_dw_%d", &n) == 1 || sscanf(name, "conv_pw_%d", &n) == 1) return n;
    if (sscanf(name, "fire%d", &n) == 1) return n - 1;
    return !strncmp(name, "expanded_conv", 13);
}

static void test_freeze_blocks(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(totals); i++) {
        tl_arena *a = tl_arena_new();
        tl_pyramid p;
        tl_graph *g = build_row(a, &totals[i].net, &p);
        TL_EACH_PARAM(g, n, k)
        assert_int_equal(g->node[n].block, block_of(totals[i].net.arch, g->node[n].name));
        tl_arena_free(a);
    }
}

static void check_pyramid(const tl_graph *g, const tl_pyramid *p, int size)
{
    assert_true(p->lo >= 1 && p->hi > p->lo && p->hi < TL_LEVELS);
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
            tl_backbone_conf c = { .bn = o & BN,
                                   .bias = o & BIAS,
                                   .pooling = o & POOLING,
                                   .all_projections = o & PROJECTIONS,
                                   .alpha = o & SMALL ? 0.5f : 0,
                                   .act = { .max = o & BN ? 6 : 0 } };
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
            tl_backbone_conf c = { .bn = true, .dropout = o & 4 ? 0.5f : 0 };
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
    assert_non_null(strstr(tl_errmsg(), "resnet10, resnet18, resnet34, resnet50, resnet101"));
    assert_int_equal(tl_backbone_find("resnext", 50, &b), TL_ESPEC);
    assert_non_null(strstr(tl_errmsg(), "mobilenet_v2"));
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
        cmocka_unit_test(test_totals),        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_freeze_blocks), cmocka_unit_test(test_every_option),
        cmocka_unit_test(test_every_head),    cmocka_unit_test(test_find),
        cmocka_unit_test(test_trunk),         cmocka_unit_test(test_transfer_keeps_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
