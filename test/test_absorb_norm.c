/* test_absorb_norm.c - a network made for pictures prepared in one way takes those prepared in another, and answers the same.
 * SPDX-License-Identifier: MIT
 *
 * The zeros that convolutions pad with are another color in each way: at the border answers may differ, and are not compared. */
#include "support.h"

static tl_arena *a;

enum { SIDE = 24, EDGE = 3 };

typedef struct { const char *what; bool bias, bn, pool, two; int groups; bool can; } net;

static const net nets[] = {
    { "a bias", .bias = true, .can = true },
    { "a batch norm", .bn = true, .can = true },
    { "both", .bias = true, .bn = true, .can = true },
    { "two readers of the picture", .bias = true, .two = true, .can = true },
    { "neither", .can = false },
    { "a pool first", .bias = true, .pool = true, .can = false },
    { "groups", .bias = true, .groups = 3, .can = false },
};

static tl_model *build(const net *n, const char *mode)
{
    tl_model *m = tl_new(a, tl_model, 1);
    tl_graph *g = tl_graph_new(a);
    *m = (tl_model){ .arena = a, .g = g, .mode = mode };
    ok(tl_norm_for(mode, 3, NULL, &m->norm));
    tl_val x = m->image = OP(g, "image", input, NO_INPUT, .c = 3, .h = SIDE, .w = SIDE);
    if (n->pool) x = OP(g, "pool", maxpool, IN(x), .k = 3, .stride = 1, .pad = 1);
    const tl_val from = x;
    x = OP(g, "conv", conv2d, IN(from), .out = 6, .k = 3, .pad = 1, .groups = n->groups, .nobias = !n->bias);
    if (n->bn) x = OP(g, "bn", bn, IN(x), 0);
    x = OP(g, "relu", relu, IN(x), 0);
    if (n->two) x = OP(g, "sum", add, IN(x, OP(g, "other", conv2d, IN(from), .out = 6, .k = 5, .pad = 2)), 0);
    m->raw = m->answer = OP(g, "next", conv2d, IN(x), .out = 4, .k = 1);
    g->output = m->answer.i;
    ok(g->status);
    ok(randomize(g, 3));
    return m;
}

/* What the model makes of one picture of bytes. */
static tl_tensor answers(const tl_model *m, const uint8_t *picture)
{
    tl_plan *p;
    ok(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = 1, .constant = true }, &p));
    float *x = tl_plan_value(p, m->image).f;
    for (int i = 0; i < SIDE * SIDE; i++)
        for (int c = 0; c < 3; c++) x[3 * i + c] = ((float)picture[3 * i + m->norm.order[c]] - m->norm.mean[c]) * m->norm.rstd[c];
    ok(tl_plan_forward(p));
    return tl_plan_value(p, m->answer);
}

static const uint8_t *picture(void)
{
    uint8_t *p = tl_alloc(a, SIDE * SIDE * 3);
    tl_rng r = tl_rng_at(1, 0, 0, 0);
    for (int i = 0; i < SIDE * SIDE * 3; i++) p[i] = (uint8_t)tl_rng_below(&r, 256);
    return p;
}

/* The largest difference inside, by the largest value there. */
static double inside(tl_tensor x, tl_tensor y)
{
    double most = 0, worst = 0;
    for (int i = EDGE; i < SIDE - EDGE; i++)
        for (int j = EDGE; j < SIDE - EDGE; j++)
            for (int c = 0; c < x.s.c; c++) {
                const size_t at = (size_t)((i * SIDE + j) * x.s.c + c);
                most = fmax(most, fabs((double)x.f[at]));
                worst = fmax(worst, fabs((double)x.f[at] - (double)y.f[at]));
            }
    return worst / most;
}

static void answers_stay(void **state)
{
    (void)state;
    a = tl_arena_new();
    static const char *const modes[] = { "tf", "caffe", "torch", "unit" };
    const uint8_t *p = picture();
    for (int i = 0; i < TL_LEN(nets); i++)
        for (int from = 0; from < TL_LEN(modes); from++)
            for (int to = 0; to < TL_LEN(modes); to++) {
                tl_model *m = build(&nets[i], modes[from]);
                const tl_tensor before = answers(m, p);
                const tl_norm was = m->norm;
                tl_norm want;
                bool done;
                ok(tl_norm_for(modes[to], 3, NULL, &want));
                ok(tl_model_absorb_norm(m, &want, &done));
                assert_int_equal(done, nets[i].can);
                assert_memory_equal(&m->norm, done ? &want : &was, sizeof want);
                const double far = inside(before, answers(m, p));
                if (!(far < (done ? 2e-5 : 1e-12))) fail_msg("%s, from %s to %s: differs by %g", nets[i].what, modes[from], modes[to], far);
                /* Prepared in the new way, but with the old weights, it is another network. */
                tl_model *plain = build(&nets[i], modes[from]);
                plain->norm = want;
                if (done && from != to && !(inside(before, answers(plain, p)) > 1e-2)) fail_msg("%s: nothing is tested", nets[i].what);
            }
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(answers_stay) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
