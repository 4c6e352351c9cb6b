/* test_layers.c - tlc bench layers: what it says of a network. SPDX-License-Identifier: MIT */
#include "support.h"
#include "api.h"
#include "layers.h"

static tl_arena *arena;
static int setup(void **state) { (void)state; return !(arena = tl_arena_new()); }
static int teardown(void **state) { (void)state; tl_arena_free(arena); return 0; }

static tl_layers_summary bench(const char *arch, int n_layers, bool train)
{
    tl_layers_summary s;
    const tl_layers_opts o = { .arch = arch, .n_layers = n_layers, .size = 64, .batch_size = 2, .runs = 1, .train = train };
    ok(tl_bench_layers(arena, &o, &s));
    return s;
}

/* The line of a layer, NULL when it is not listed. */
static const char *line(const char *text, const char *layer)
{
    const size_t n = strlen(layer);
    for (const char *p = text; p; p = strchr(p, '\n'), p += p != NULL)
        if (!strncmp(p, layer, n) && p[n] == ' ') return p;
    return NULL;
}

static bool says(const char *text, const char *layer, const char *what)
{
    const char *at = line(text, layer);
    return at && memmem(at, strcspn(at, "\n"), what, strlen(what));
}

static void arithmetic_is_the_networks(void **state)
{
    (void)state;
    const tl_backbone *b;
    tl_model *m;
    ok(tl_backbone_find("mobilenet_v2", 0, &b));
    const tl_model_conf c = { .backbone = b, .head = tl_head_at(0), .conf = { .bn = true, .pooling = true }, .c = 3, .h = 64, .w = 64,
                              .classes = 1000 };
    ok(tl_model_build(arena, &c, &m));
    const double macs = 2 * tl_graph_macs(m->g), stem = 2 * 27 * 32 * 32 * 32;
    assert_true(fabs(bench("mobilenet_v2", 0, false).macs / macs - 1) < 1e-6);
    assert_true(fabs(bench("mobilenet_v2", 0, true).macs / (3 * macs - stem) - 1) < 1e-6); /* nobody wants the picture's gradient */
}

static void kernels_are_named(void **state)
{
    (void)state;
    const tl_layers_summary train = bench("mobilenet_v2", 0, true), infer = bench("mobilenet_v2", 0, false);
    assert_true(says(train.text, "block_1_depthwise", "depthwise"));
    assert_true(says(train.text, "block_1_expand", "pointwise"));
    assert_true(says(train.text, "block_1_expand_bn", "bn, summed, read, undone"));
    assert_true(says(train.text, "block_1_expand", "96x32x32"));
    assert_true(says(infer.text, "conv1", "oneDNN"));
    assert_null(line(infer.text, "block_1_expand_bn")); /* folded */
    assert_non_null(strstr(train.text, "batch of 2: "));
    assert_true(train.ms > 0 && train.bytes > infer.bytes);
}

static void what_cannot_be_run_is_said(void **state)
{
    (void)state;
    tl_layers_summary s;
    assert_int_equal(tl_bench_layers(arena, &(tl_layers_opts){ .batch_size = 1, .runs = 1 }, &s), TL_EARG);
    assert_non_null(strstr(tl_errmsg(), "--arch"));
    assert_int_not_equal(tl_bench_layers(arena, &(tl_layers_opts){ .arch = "nonet", .batch_size = 1, .runs = 1 }, &s), TL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(arithmetic_is_the_networks, setup, teardown),
        cmocka_unit_test_setup_teardown(kernels_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_run_is_said, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
