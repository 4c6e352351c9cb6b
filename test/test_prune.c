/* test_prune.c - pruning against the original's algorithm, and against masking. SPDX-License-Identifier: MIT
 *
 * test/data/prune.txt says which channels must stay: tools/prune_reference.py made it from the models that
 * `test_prune export DIR` writes. */
#include "support.h"
#include "file.h"
#include "text.h"
#include <stdio.h>

/* ---- The models ------------------------------------------------------------------------------- */

static tl_val conv_bn_relu(tl_graph *g, tl_val x, const char *name, int out)
{
    x = OP(g, name, conv2d, IN(x), .out = out, .pad = 1, .nobias = true);
    x = OP(g, tl_name(g, "%s_bn", name), bn, IN(x), 0);
    return OP(g, tl_name(g, "%s_relu", name), relu, IN(x), 0);
}

static tl_val picture(tl_graph *g) { return OP(g, "image", input, NO_INPUT, 3, 8, 8); }

/* Both sides of a concat choose on their own; a pool and a flatten carry the choice on to a dense layer. */
static void concat_flatten(tl_graph *g)
{
    tl_val x = conv_bn_relu(g, picture(g), "stem", 17);
    tl_val a = conv_bn_relu(g, x, "a", 12), b = conv_bn_relu(g, x, "b", 23),
           c = OP(g, "c", conv2d, IN(x), .out = 9, .pad = 1);
    x = OP(g, "concat", concat, IN(a, b, c), 0);
    x = OP(g, "pool", maxpool, IN(x), 0);
    x = OP(g, "flatten", flatten, IN(x), 0);
    x = OP(g, "fc1", dense, IN(x), .out = 21);
    x = OP(g, "fc1_relu", relu, IN(x), 0);
    x = OP(g, "dropout", dropout, IN(x), 0);
    OP(g, "fc2", dense, IN(x), .out = 4);
}

/* Sums of sums: four convolutions become one group only when the last sum is met. */
static void sums(tl_graph *g)
{
    tl_val x = picture(g), a = conv_bn_relu(g, x, "a", 20), b = conv_bn_relu(g, x, "b", 20),
           c = conv_bn_relu(g, x, "c", 20);
    tl_val d = OP(g, "d", conv2d, IN(c), .out = 20, .pad = 1), e = conv_bn_relu(g, d, "e", 20);
    tl_val ab = OP(g, "ab", add, IN(a, b), 0), de = OP(g, "de", add, IN(d, e), 0);
    ab = OP(g, "ab_relu", relu, IN(ab), 0);
    x = conv_bn_relu(g, OP(g, "all", add, IN(ab, de), 0), "after", 10);
    x = OP(g, "one", conv2d, IN(x), .out = 1, .k = 1);
    x = OP(g, "gap", gap, IN(x), 0);
    OP(g, "fc", dense, IN(x), .out = 2);
}

static void depthwise(tl_graph *g)
{
    tl_val x = conv_bn_relu(g, picture(g), "stem", 24);
    x = OP(g, "dw", conv2d, IN(x), .out = 24, .groups = 24, .pad = 1);
    x = OP(g, "dw_relu", relu, IN(x), .max = 6);
    x = conv_bn_relu(g, x, "point", 16);
    x = OP(g, "dw2", conv2d, IN(x), .out = 16, .groups = 16, .stride = 2);
    x = conv_bn_relu(g, x, "last", 30);
    x = OP(g, "gap", gap, IN(x), 0);
    OP(g, "fc", dense, IN(x), .out = 3);
}

typedef struct {
    const char *name;
    void      (*build)(tl_graph *g);
    const char *arch;
    int         layers;
    bool        all_projections;
    float       alpha;
    const char *exclude[3];
} model_row;
static const model_row models[] = {
    { "concat_flatten", concat_flatten, NULL, 0, false, 0, { NULL } },
    { "concat_flatten_excluded", concat_flatten, NULL, 0, false, 0, { "b", "fc1" } },
    { "sums", sums, NULL, 0, false, 0, { NULL } },
    { "sums_excluded", sums, NULL, 0, false, 0, { "e" } },
    { "depthwise", depthwise, NULL, 0, false, 0, { NULL } },
    { "depthwise_excluded", depthwise, NULL, 0, false, 0, { "dw", "last" } },
    { "resnet10", NULL, "resnet", 10, false, 0, { "block_2a_conv_1" } },
    { "resnet18", NULL, "resnet", 18, false, 0, { NULL } },
    { "mobilenet_v1", NULL, "mobilenet_v1", 0, false, 0.25f, { NULL } },
    { "mobilenet_v2", NULL, "mobilenet_v2", 0, false, 0.35f, { NULL } },
    { "mobilenet_v2_projections", NULL, "mobilenet_v2", 0, true, 0.35f, { "block_3_expand" } },
    { "squeezenet", NULL, "squeezenet", 0, false, 0, { "fire3_expand_conv1x1" } },
};

static tl_status make(tl_arena *a, const model_row *r, tl_graph **out)
{
    const tl_backbone *b;
    tl_model *m;
    if (r->build) {
        TL_NEW(*out = tl_graph_new(a));
        r->build(*out);
        return randomize(*out, 5);
    }
    TL_TRY(tl_backbone_find(r->arch, r->layers, &b));
    const tl_backbone_conf conf = { .bn = true, .all_projections = r->all_projections, .alpha = r->alpha };
    TL_TRY(random_model(a, b, &conf, 32, &m));
    *out = m->g;
    return TL_OK;
}

/* For tools/prune_reference.py. */
static tl_status export_to(const char *dir)
{
    for (int i = 0; i < TL_LEN(models); i++) {
        tl_arena *a = tl_arena_new();
        const model_row *r = &models[i];
        const char *const *e = r->exclude;
        tl_graph *g;
        tl_onnx *m;
        tl_bytes file;
        TL_NEW(a);
        TL_TRY(make(a, r, &g));
        TL_TRY(tl_graph_to_onnx(g, a, 0, false, &m));
        if (e[0])
            TL_TRY(tl_onnx_set_meta(m, "exclude", tl_printf(a, "%s%s%s", e[0], e[1] ? "," : "", e[1] ? e[1] : "")));
        TL_TRY(tl_onnx_pack(a, m, &file));
        TL_TRY(tl_file_write(tl_printf(a, "%s/%s.onnx", dir, r->name), file.p, file.n));
        tl_arena_free(a);
    }
    return TL_OK;
}

/* ---- Against the original's algorithm --------------------------------------------------------- */

static const char *const criteria[] = { "union", "intersection", "arithmetic_mean", "geometric_mean" };

static const char *hex_mask(tl_arena *a, const tl_kept *kept, int channels)
{
    int digits = (channels + 3) / 4;
    char *text = tl_new(a, char, digits + 1);
    uint8_t *v = tl_new(a, uint8_t, digits);
    for (int j = 0; j < kept->n; j++) v[kept->at[j] / 4] |= (uint8_t)(8 >> kept->at[j] % 4);
    for (int j = 0; j < digits; j++) text[j] = "0123456789abcdef"[v[j]];
    return text;
}

/* One line as the script prints it. */
static const char *line_of(tl_arena *a, const model_row *row, const tl_graph *g, const tl_prune_opts *o,
                           const tl_kept *kept)
{
    tl_text t = tl_text_new(a);
    const char *last = "";
    tl_textf(&t, "%s %s %s %g %d %d", row->name, criteria[o->equalization], o->l2 ? "L2" : "max",
             (double)o->threshold, o->granularity, o->min);
    for (int i = 0; i < g->n; i++) {
        if (!g->node[i].op->macs) continue;
        const char *m = hex_mask(a, &kept[i], g->node[i].s.c);
        tl_textf(&t, " %s", strcmp(m, last) ? m : "=");
        last = m;
    }
    return tl_text_end(&t);
}

static bool parse_options(const char *line, const model_row **row, tl_prune_opts *o)
{
    char name[64], criterion[32], normalizer[8];
    int c = 0, r = 0;
    if (sscanf(line, "%63s %31s %7s %f %d %d", name, criterion, normalizer, &o->threshold, &o->granularity,
               &o->min) != 6)
        return false;
    while (c < TL_LEN(criteria) && strcmp(criteria[c], criterion)) c++;
    while (r < TL_LEN(models) && strcmp(models[r].name, name)) r++;
    if (c == TL_LEN(criteria) || r == TL_LEN(models)) return false;
    *row = &models[r];
    o->equalization = (tl_equalization)c;
    o->l2 = !strcmp(normalizer, "L2");
    o->exclude = models[r].exclude;
    return true;
}

static void same_channels_as_the_original(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new(), *model = tl_arena_new();
    const model_row *at = NULL;
    tl_graph *g = NULL;
    tl_bytes file;
    char *save, *text;
    int lines = 0;
    ok(tl_file_read(a, "test/data/prune.txt", 0, &file));
    text = tl_strdup(a, (const char *)file.p);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++) {
        tl_arena *run = tl_arena_new();
        tl_prune_opts o = { 0 };
        const model_row *row = NULL;
        tl_graph *small;
        tl_prune_result r;
        if (!parse_options(line, &row, &o)) fail_msg("line %d of prune.txt cannot be read", lines + 1);
        if (row != at) {
            tl_arena_reset(model);
            ok(make(model, at = row, &g));
        }
        ok(tl_prune(g, run, &o, &small, &r));
        assert_string_equal(line_of(run, row, g, &o, r.kept), line);
        tl_arena_free(run);
    }
    assert_int_equal(lines, TL_LEN(models) * 4 * 2 * 2 * 2);
    tl_arena_free(model);
    tl_arena_free(a);
}

/* ---- Against masking -------------------------------------------------------------------------- */

static void pruned_computes_what_masked_does(void **state)
{
    (void)state;
    const tl_prune_opts o = { .threshold = 0.7f, .granularity = 8, .min = 16 };
    const tl_backbone *b;
    for (int i = 0; (b = tl_backbone_at(i)); i++)
        for (int style = 0; style < 3; style++) {
            const tl_backbone_conf conf = { .bn = style < 2, .bias = style == 2, .all_projections = style == 1 };
            if (b->layers > 18 && style != b->layers / 10 % 3) continue; /* deep ones have one style each: time */
            tl_arena *a = tl_arena_new();
            tl_model *m;
            double diff;
            int removed;
            ok(random_model(a, b, &conf, 64, &m));
            ok(prune_and_mask(a, m->g, &o, &diff, &removed));
            if (removed < 100 || diff > 1e-4)
                fail_msg("%s, style %d: %d channels pruned, off by %g", m->arch, style, removed, diff);
            tl_arena_free(a);
        }
}

/* ---- Targets and limits ----------------------------------------------------------------------- */

static double share(const tl_graph *small, const tl_graph *g, bool macs)
{
    return macs ? tl_graph_macs(small) / tl_graph_macs(g) : (double)tl_graph_params(small) / (double)tl_graph_params(g);
}

static void check_target(const char *name, const tl_graph *g, double want, bool macs)
{
    tl_arena *a = tl_arena_new();
    tl_prune_opts o = { .granularity = 1, .min = 1, .macs = macs ? want : 0, .params = macs ? 0 : want };
    tl_graph *small;
    tl_prune_result r;
    ok(tl_prune(g, a, &o, &small, &r));
    double got = share(small, g, macs);
    if (got > want || got < want - 0.05)
        fail_msg("%s: %g of the %s, not %g", name, got, macs ? "MACs" : "parameters", want);
    o.macs = o.params = 0;
    o.threshold = r.threshold - 1e-6f; /* a little less is too little */
    ok(tl_prune(g, a, &o, &small, &r));
    assert_true(share(small, g, macs) > want);
    tl_arena_free(a);
}

static void targets_are_reached_from_below(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(models); i++) {
        if (!models[i].arch) continue;
        tl_arena *a = tl_arena_new();
        tl_graph *g;
        ok(make(a, &models[i], &g));
        check_target(models[i].name, g, 0.75, false);
        check_target(models[i].name, g, 0.5, true);
        check_target(models[i].name, g, 0.25, true);
        tl_arena_free(a);
    }
}

static void impossible_wishes_are_refused(void **state)
{
    (void)state;
    static const char *const nobody[] = { "conv_99", NULL };
    static const struct { tl_prune_opts o; const char *says; } bad[] = {
        { { .granularity = 8, .min = 16, .macs = 0.01 }, "the smallest that pruning can reach is 0.217 of the MACs" },
        { { .granularity = 8, .min = 16, .params = 0.001 }, "not 0.001 (at least 16 channels a layer stay)" },
        { { .granularity = 8, .min = 16, .exclude = nobody }, "there is no layer 'conv_99' to exclude" },
        { { .granularity = 0, .min = 16 }, "must be at least 1" },
        { { .granularity = 1, .min = 0 }, "must be at least 1" },
    };
    tl_arena *a = tl_arena_new();
    tl_graph *g, *small;
    tl_prune_result r;
    ok(make(a, &models[8], &g)); /* mobilenet_v1 */
    for (int i = 0; i < TL_LEN(bad); i++) {
        assert_int_equal(tl_prune(g, a, &bad[i].o, &small, &r), TL_EARG);
        if (!strstr(tl_errmsg(), bad[i].says)) fail_msg("'%s' does not say '%s'", tl_errmsg(), bad[i].says);
    }
    tl_arena_free(a);
}

/* At any threshold the minimum stays, and the pruned graph can be pruned again. */
static void the_minimum_stays(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(models); i++) {
        tl_arena *a = tl_arena_new();
        const tl_prune_opts o = { .threshold = 1e9f, .granularity = 4, .min = 6 };
        tl_graph *g, *small, *again;
        tl_prune_result r;
        ok(make(a, &models[i], &g));
        ok(tl_prune(g, a, &o, &small, &r));
        for (int j = 0; j < g->n; j++) {
            int c = g->node[j].s.c;
            if (g->node[j].op->macs && c > 8 && strcmp(g->node[j].name, "conv10"))
                assert_int_equal(small->node[j].s.c, 8);
        }
        ok(tl_prune(small, a, &o, &again, &r));
        assert_int_equal(channels_removed(small, r.kept), 0);
        tl_arena_free(a);
    }
}

/* ---- Wrong rules ------------------------------------------------------------------------------ */

static void wrong_rules_are_caught(void **state)
{
    (void)state;
    tl_op alone = tl_op_conv2d, inner = tl_op_conv2d, gamma = tl_op_bn, sum = tl_op_add, lined = tl_op_concat,
          spread = tl_op_flatten;
    alone.flow = tl_flow_new;          /* depthwise chooses for itself */
    inner.param[0].axes = "OJhw";      /* inputs are not cut */
    gamma.param[0].axes = "c";
    sum.flow = tl_flow_new;
    lined.flow = tl_flow_same;
    spread.flow = tl_flow_same;
    const struct { const char *name; const tl_op *right, *wrong; } rules[] = {
        { "depthwise", &tl_op_conv2d, &alone },
        { "mobilenet_v2", &tl_op_conv2d, &alone },
        { "resnet10", &tl_op_conv2d, &inner },
        { "resnet10", &tl_op_bn, &gamma },
        { "resnet10", &tl_op_add, &sum },
        { "squeezenet", &tl_op_concat, &lined },
        { "concat_flatten", &tl_op_flatten, &spread },
    };
    const tl_prune_opts o = { .threshold = 0.7f, .granularity = 1, .min = 1 };
    for (int i = 0; i < TL_LEN(rules); i++) {
        tl_arena *a = tl_arena_new();
        double diff = 0;
        int removed, m = 0;
        tl_graph *g;
        while (strcmp(models[m].name, rules[i].name)) m++;
        ok(make(a, &models[m], &g));
        for (int j = 0; j < g->n; j++)
            if (g->node[j].op == rules[i].right) g->node[j].op = rules[i].wrong;
        if (!prune_and_mask(a, g, &o, &diff, &removed) && diff < 1e-3) fail_msg("nobody noticed wrong rule %d", i);
        tl_arena_free(a);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_channels_as_the_original),
        cmocka_unit_test(pruned_computes_what_masked_does),
        cmocka_unit_test(targets_are_reached_from_below),
        cmocka_unit_test(impossible_wishes_are_refused),
        cmocka_unit_test(the_minimum_stays),
        cmocka_unit_test(wrong_rules_are_caught),
    };
    if (argc == 3 && !strcmp(argv[1], "export")) {
        if (export_to(argv[2])) fprintf(stderr, "%s\n", tl_errmsg());
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
