/* test_absorb.c - activations and sums that become part of the operation before them. SPDX-License-Identifier: MIT */
#include "nets.h"

static void absorbed_inference_is_unabsorbed_inference(void **state)
{
    (void)state;
    const tl_backbone *b;
    for (int i = 0; (b = tl_backbone_at(i)) && b->layers < 101; i++) {
        tl_arena *a = tl_arena_new();
        tl_model *m;
        tl_plan *p, *q;
        ok(random_model(a, b, &(tl_backbone_conf){ .bn = true }, 64, &m));
        tl_val *all = tl_new(a, tl_val, m->g->n);
        for (int j = 0; j < m->g->n; j++) all[j].i = j;
        ok(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = 2, .constant = true }, &p));
        ok(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = 2, .keep = all, .nkeep = m->g->n }, &q));
        for (int run = 0; run < 2; run++) {
            fill(p->io[0].y.f, tl_count(p->io[0].y.s), (uint64_t)run);
            fill(q->io[0].y.f, tl_count(q->io[0].y.s), (uint64_t)run);
            ok(tl_plan_forward(p));
            ok(tl_plan_forward(q));
            double d = difference(tl_plan_value(q, m->raw), tl_plan_value(p, m->raw));
            if (!(d < 1e-5)) fail_msg("%s: off by %g", m->arch, d);
        }
        if (p->nforward >= q->nforward || p->bytes * 3 > q->bytes)
            fail_msg("%s: %d of %d nodes run in %zu of %zu bytes", m->arch, p->nforward, q->nforward, p->bytes,
                     q->bytes);
        tl_arena_free(a);
    }
}

/* A network of 4 channels in a line of text, node by node: image 0, then cN, a convolution of node N, rN, its relu,
 * +NM, a sum. */
static tl_val spelled(tl_graph *g, const char *text)
{
    tl_val x = OP(g, "0", input, NO_INPUT, 4, 6, 6);
    for (int i = 1; *text; i++, text += strcspn(text, " "), text += *text == ' ') {
        const char *name = tl_name(g, "%d", i);
        tl_val a = { text[1] - '0' }, b = { text[2] - '0' };
        x = *text == 'c'   ? OP(g, name, conv2d, IN(a), .out = 4, .pad = 1)
            : *text == 'r' ? OP(g, name, relu, IN(a), 0)
                           : OP(g, name, add, IN(a, b), 0);
    }
    ok(g->status);
    ok(randomize(g, 3));
    return x;
}

static void sums_go_into_convolutions_where_memory_allows(void **state)
{
    (void)state;
    static const struct { const char *net; int run, keep; } rows[] = {
        { "c0 c1 c2 +31 r4", 4, 0 },                /* the residual connection */
        { "c0 c1 c2 +13 r4 c5 c6 +75 r8", 6, 0 },   /* two of them */
        { "c0 c0 +12", 3, 0 },                      /* two branches of one input */
        { "c0 c1 c0 +23 r4", 4, 0 },
        { "c0 r1 c2 +32", 4, 0 },                   /* the convolution reads what it would overwrite */
        { "c0 c1 c2 +31 c1 +45", 6, 0 },            /* the first summand is read again */
        { "c0 c1 +20", 4, 0 },                      /* the image belongs to the caller */
        { "c0 c1 c2 +31", 5, 1 },                   /* somebody wants to see the first summand */
        { "c0 c1 c2 +31", 5, 3 },                   /* the second */
        { "c0 c1 c2 r3 +41", 5, 0 },                /* an activation lies between */
        { "c0 c1 c2 +31 c3 +45", 6, 0 },            /* the second summand of the first sum is, too */
        { "c0 +11", 3, 0 },
    };
    tl_dnn_threads(2);
    for (int i = 0; i < 2 * TL_LEN(rows); i++) { /* both pictures at once, and each by itself */
        tl_arena *a = tl_arena_new();
        tl_graph *g = tl_graph_new(a);
        tl_val y = spelled(g, rows[i / 2].net), keep = { rows[i / 2].keep }, all[16];
        tl_plan *p, *q;
        for (int j = 0; j < g->n; j++) all[j].i = j;
        ok(tl_plan_new(g, a, &(tl_plan_conf){ .batch = 2, .keep = &keep, .nkeep = 1, .cache = i % 2 }, &p));
        ok(tl_plan_new(g, a, &(tl_plan_conf){ .batch = 2, .keep = all, .nkeep = g->n }, &q));
        fill(p->io[0].y.f, tl_count(p->io[0].y.s), 1);
        fill(q->io[0].y.f, tl_count(q->io[0].y.s), 1);
        for (int run = 0; run < 2; run++) { /* the second finds what the first left in memory */
            ok(tl_plan_forward(p));
            ok(tl_plan_forward(q));
            double d = difference(tl_plan_value(q, y), tl_plan_value(p, y));
            if (!(d < 1e-5)) fail_msg("%s: off by %g", rows[i / 2].net, d);
            assert_true(difference(tl_plan_value(q, keep), tl_plan_value(p, keep)) < 1e-5);
        }
        assert_int_equal(p->lanes->n, i % 2 ? 2 : 0);
        if (!p->lanes->n && p->nforward != rows[i / 2].run) fail_msg("%s: %d nodes run", rows[i / 2].net, p->nforward);
        tl_arena_free(a);
    }
    tl_dnn_threads(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absorbed_inference_is_unabsorbed_inference),
        cmocka_unit_test(sums_go_into_convolutions_where_memory_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
