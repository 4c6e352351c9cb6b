/* test_lean.c - steps that make values again rather than keep them. SPDX-License-Identifier: MIT */
#include "nets.h"

static tl_plan *plan_of(const tl_graph *g, tl_plan_conf c, bool lean)
{
    tl_plan *p;
    c.train = true;
    c.loss = (tl_val){ tl_graph_find(g, "loss") };
    c.lean = lean;
    ok(tl_plan_new(g, g->arena, &c, &p));
    return p;
}

static void step(tl_plan *p)
{
    for (int i = 0; i < p->g->n; i++)
        if (!p->g->node[i].nx) fill(p->io[i].y.f, tl_count(p->io[i].y.s), (uint64_t)i);
    ok(tl_plan_forward(p));
    ok(tl_plan_backward(p));
}

static tl_model *network(tl_arena *a, const char *arch, int layers, int size)
{
    tl_model *m;
    const tl_backbone *b;
    ok(tl_backbone_find(arch, layers, &b));
    ok(random_model(a, b, &(tl_backbone_conf){ .bn = true, .pooling = true }, size, &m));
    add_loss(m->g, m->raw);
    ok(m->g->status);
    return m;
}

static int made_again(const tl_plan *p)
{
    int n = 0;
    for (int k = 0; k < p->nbackward; k++) n += p->backward[k].nremake;
    return n;
}

/* The same bits after two steps, gradients and running statistics. */
static void expect_the_same(tl_graph *g, tl_plan_conf c)
{
    tl_graph *h;
    ok(tl_graph_copy(g, g->arena, &h));
    tl_plan *p = plan_of(g, c, false), *q = plan_of(h, c, true);
    assert_true(q->bytes <= p->bytes && !made_again(p));
    for (int k = 0; k < 2; k++) {
        step(p);
        step(q);
        assert_memory_equal(p->grads, q->grads, p->ngrads * sizeof *p->grads);
    }
    TL_EACH_PARAM(g, i, k)
        assert_memory_equal(g->node[i].p[k].w, h->node[i].p[k].w, tl_dims_count(g->node[i].p[k].dims) * sizeof(float));
}

static void nothing_else_changes(void **state)
{
    (void)state;
    static const struct {
        const char *arch;
        int layers;
    } nets[] = { { "resnet", 18 }, { "vgg", 16 }, { "mobilenet_v2", 0 }, { "googlenet", 0 }, { "darknet", 19 }, { "squeezenet", 0 } };
    for (int i = 0; i < TL_LEN(nets); i++)
        for (int way = 0; way < 3; way++) { /* plain, with batch norms on their own, in bf16 */
            tl_arena *a = tl_arena_new();
            expect_the_same(network(a, nets[i].arch, nets[i].layers, 64)->g, (tl_plan_conf){ .batch = 3, .unlinked = way == 1, .amp = way == 2 });
            tl_arena_free(a);
        }
    tl_arena *a = tl_arena_new();
    expect_the_same(small_training(a), (tl_plan_conf){ .batch = 4, .input_grads = true });
    tl_arena_free(a);
}

static void memory_is_saved(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const tl_graph *g = network(a, "vgg", 16, 224)->g;
    const tl_plan *p = plan_of(g, (tl_plan_conf){ .batch = 16 }, false), *q = plan_of(g, (tl_plan_conf){ .batch = 16 }, true);
    print_message("%zu MB, lean %zu MB, %d values made again\n", p->bytes >> 20, q->bytes >> 20, made_again(q));
    assert_true(made_again(q) > 0 && (double)q->bytes < 0.75 * (double)p->bytes);
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_else_changes),
        cmocka_unit_test(memory_is_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
