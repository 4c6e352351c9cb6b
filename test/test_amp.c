/* test_amp.c - training steps in mixed precision beside the same in f32. SPDX-License-Identifier: MIT */
#include "nets.h"
#include "pass.h"
#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>

static tl_plan *plan_of(tl_arena *a, const tl_graph *g, int batch, bool amp)
{
    tl_plan *p;
    const tl_plan_conf c = { .batch = batch, .train = true, .loss = { tl_graph_find(g, "loss") }, .amp = amp };
    ok(tl_plan_new(g, a, &c, &p));
    for (int i = 0; i < g->n; i++)
        if (!g->node[i].nx) fill(p->io[i].y.f, tl_count(p->io[i].y.s), (uint64_t)i);
    tl_tensor target = tl_plan_value(p, (tl_val){ tl_graph_find(g, "target") });
    for (size_t i = 0; i < tl_count(target.s); i++) target.f[i] = i % (size_t)target.s.c == i / (size_t)target.s.c % (size_t)target.s.c;
    return p;
}

static double step(tl_plan *p)
{
    ok(tl_plan_forward(p));
    ok(tl_plan_backward(p));
    return (double)p->io[p->conf.loss.i].y.f[0];
}

/* Between the gradients of all parameters; *ratio: of their lengths. */
static double cosine(const tl_plan *p, const tl_plan *q, double *ratio)
{
    double pp = 0, qq = 0, pq = 0;
    assert_int_equal(p->ngrads, q->ngrads);
    for (size_t i = 0; i < p->ngrads; i++) {
        const double x = (double)p->grads[i], y = (double)q->grads[i];
        pp += x * x;
        qq += y * y;
        pq += x * y;
    }
    *ratio = sqrt(qq / pp);
    return pq / sqrt(pp * qq);
}

typedef struct { double f32, bf16, cosine, ratio; } outcome;

/* One step of a graph in both ways; both begin with the same running statistics. */
static outcome both(tl_graph *g, int batch)
{
    tl_graph *h;
    ok(tl_graph_copy(g, g->arena, &h));
    tl_plan *p = plan_of(g->arena, g, batch, false), *q = plan_of(g->arena, h, batch, true);
    outcome o = { .f32 = step(p), .bf16 = step(q) };
    o.cosine = cosine(p, q, &o.ratio);
    return o;
}

/* Without running them: a plan's memory is taken when it is used. */
static void maps_need_half_the_memory(void **state)
{
    (void)state;
    static const struct {
        const char *arch;
        int layers;
    } nets[] = { { "resnet", 18 }, { "resnet", 50 }, { "vgg", 16 }, { "mobilenet_v2", 0 } };
    for (int i = 0; i < TL_LEN(nets); i++) {
        tl_arena *a = tl_arena_new();
        const tl_backbone *b;
        tl_model *m;
        ok(tl_backbone_find(nets[i].arch, nets[i].layers, &b));
        ok(random_model(a, b, &(tl_backbone_conf){ .bn = true, .pooling = true }, 224, &m));
        add_loss(m->g, m->raw);
        ok(m->g->status);
        const size_t f32 = plan_of(a, m->g, 16, false)->bytes, bf16 = plan_of(a, m->g, 16, true)->bytes;
        print_message("%s %d: %zu MB, %zu MB\n", nets[i].arch, nets[i].layers, f32 >> 20, bf16 >> 20);
        assert_true((double)bf16 < 0.65 * (double)f32); /* pictures stay f32, and so does scratch */
        tl_arena_free(a);
    }
}

/* Deep networks with random weights magnify any rounding, and batch norms of few pixels do even more: PyTorch 2.15's autocast gives
 * ResNet-18, 34 and 50 gradients with cosines of 0.92, 0.79 and 0.05 on such pictures. So of most only losses and lengths are
 * compared, within what another order of additions changes; over five fillings of the input ResNet-50's loss moved by up to 37 % with
 * widened products and 14 % with pairs, while the widened ones' gradients were closer to f32's in each. */
static void every_backbone_takes_a_step(void **state)
{
    (void)state;
    const tl_backbone *b;
    for (int i = 0; (b = tl_backbone_at(i)); i++) {
        if (b->layers > 50) continue;
        tl_arena *a = tl_arena_new();
        tl_model *m;
        ok(random_model(a, b, &(tl_backbone_conf){ .bn = true, .pooling = true }, 64, &m));
        add_loss(m->g, m->raw);
        ok(m->g->status);
        outcome o = both(m->g, 4);
        print_message("%s %d: loss %.4f %.4f, gradients' cosine %.4f, ratio %.3f\n", b->arch, b->layers, o.f32, o.bf16, o.cosine, o.ratio);
        assert_true(fabs(o.bf16 - o.f32) <= (b->layers == 50 ? 0.5 : 0.25) * o.f32);
        assert_true(fabs(o.ratio - 1) < 0.3);
        if (b->layers == 10 || b->layers == 18) assert_true(o.cosine > 0.8);
        tl_arena_free(a);
    }
}

/* Where types change: a map read by an op for f32 and by one for bf16, one value read twice by a node, convolutions down to
 * one pixel and beyond, a flattened map, a gate. */
static tl_val borders(tl_graph *g)
{
    tl_val x = OP(g, "image", input, NO_INPUT, 3, 12, 12), y, z;
    x = OP(g, "conv1", conv2d, IN(x), .out = 16, .pad = 1, .nobias = true);
    x = OP(g, "bn1", bn, IN(x), 0);
    x = OP(g, "act1", relu, IN(x), .slope = 0.5f);
    x = OP(g, "twice", add, IN(x, x), 0);
    y = OP(g, "gap", gap, IN(x), .map = true);
    y = OP(g, "squeeze", conv2d, IN(y), .out = 16, .k = 1);
    y = OP(g, "gate", sigmoid, IN(y), 0);
    x = OP(g, "gated", mul, IN(x, y), 0);
    x = OP(g, "pool", avgpool, IN(x), .k = 3, .stride = 3);
    y = OP(g, "smaller", conv2d, IN(x), .out = 8, .k = 3, .stride = 2);
    y = OP(g, "bn2", bn, IN(y), 0);
    y = OP(g, "act2", relu, IN(y), .slope = 0.5f);
    z = OP(g, "last", conv2d, IN(y), .out = 8, .k = 1);
    x = OP(g, "flat", flatten, IN(x), 0);
    y = OP(g, "sum", add, IN(y, z), 0);
    x = OP(g, "all", concat, IN(x, y), 0);
    return OP(g, "scores", dense, IN(x), .out = 4);
}

static void types_change_where_they_must(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_graph *g = tl_graph_new(a);
    tl_val raw = borders(g), loss = add_loss(g, raw), map = { tl_graph_find(g, "gated") };
    tl_val aim = OP(g, "aim", input, NO_INPUT, 16, 12, 12), far = OP(g, "far", mse, IN(map, aim), 0);
    g->node[loss.i].name = "first";
    OP(g, "loss", add, IN(loss, far), 0);
    ok(g->status);
    ok(randomize(g, 3));
    outcome o = both(g, 4);
    print_message("borders: loss %.4f %.4f, cosine %.4f\n", o.f32, o.bf16, o.cosine);
    assert_true(fabs(o.bf16 - o.f32) <= 0.01 * fabs(o.f32));
    assert_true(o.cosine > 0.999);
    tl_arena_free(a);
}

static tl_tensor probabilities(tl_arena *a, const tl_model *m, int batch, bool amp, size_t cache)
{
    tl_plan *p;
    ok(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = batch, .constant = true, .amp = amp, .cache = cache }, &p));
    tl_tensor x = tl_plan_value(p, m->image);
    fill(x.f, tl_count(x.s), 5);
    ok(tl_plan_forward(p));
    return tl_plan_value(p, m->answer);
}

/* With a front that is run picture by picture, and without. */
static void every_backbone_infers(void **state)
{
    (void)state;
    const tl_backbone *b;
    for (int i = 0; (b = tl_backbone_at(i)); i++) {
        if (b->layers > 50) continue;
        tl_arena *a = tl_arena_new();
        tl_model *m, *folded;
        tl_graph *g;
        ok(random_model(a, b, &(tl_backbone_conf){ .bn = true, .pooling = true }, 64, &m));
        m->g->output = m->answer.i;
        ok(tl_fold(m->g, a, &g));
        ok(tl_model_with(m, a, g, &folded));
        tl_tensor want = probabilities(a, m, 4, false, 0);
        for (int lanes = 0; lanes < 2; lanes++) {
            tl_tensor got = probabilities(a, folded, 4, true, lanes ? 1 : (size_t)1 << 40);
            double worst = 0;
            assert_int_equal(got.t, TL_F32);
            for (size_t k = 0; k < tl_count(got.s); k++) worst = fmax(worst, fabs((double)(got.f[k] - want.f[k])));
            print_message("%s %d: %.4f\n", b->arch, b->layers, worst);
            assert_true(worst < 0.05);
        }
        tl_arena_free(a);
    }
}

static void threads_change_nothing(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_plan *one = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        tl_plan *p = plan_of(a, small_training(a), 6, true);
        step(p);
        step(p);
        if (!one) one = p;
        assert_memory_equal(p->grads, one->grads, p->ngrads * sizeof(float));
    }
    tl_arena_free(a);
}

/* A stem of pictures so large that oneDNN's convolutions in f32 are given a few of them at a time, 7 not the same number each time. */
static void a_batch_is_the_sum_of_its_pieces(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_graph *g = tl_graph_new(a);
    tl_val x = OP(g, "image", input, NO_INPUT, 3, 224, 224);
    x = OP(g, "first", conv2d, IN(x), .out = 32, .k = 3, .pad = 1, .nobias = true);
    x = OP(g, "second", conv2d, IN(x), .out = 32, .k = 3, .stride = 4, .pad = 1);
    x = OP(g, "pooled", gap, IN(x), 0);
    add_loss(g, OP(g, "scores", dense, IN(x), .out = 4));
    ok(g->status);
    ok(randomize(g, 3));
    outcome o = both(g, 7);
    print_message("pieces: loss %.4f %.4f, cosine %.5f, ratio %.4f\n", o.f32, o.bf16, o.cosine, o.ratio);
    assert_true(fabs(o.bf16 - o.f32) <= 0.01 * fabs(o.f32));
    assert_true(o.cosine > 0.999);
    assert_true(fabs(o.ratio - 1) < 0.01);
    tl_arena_free(a);
}

/* In a process of its own, which multiplies maps in this way. */
static int run_as(const char *isa)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_need_half_the_memory),
        cmocka_unit_test(every_backbone_takes_a_step),
        cmocka_unit_test(types_change_where_they_must),
        cmocka_unit_test(a_batch_is_the_sum_of_its_pieces),
        cmocka_unit_test(every_backbone_infers),
        cmocka_unit_test(threads_change_nothing),
    };
    int status;
    const pid_t child = fork();
    if (!child) {
        setenv("TLC_ISA", isa, 1);
        _exit(cmocka_run_group_tests_name(isa, tests, NULL, NULL));
    }
    return child < 0 || waitpid(child, &status, 0) != child || status;
}

int main(void)
{
    static const char *const isa[] = { "widened", "bf16" };
    int failed = 0;
    for (int i = 0; i < TL_LEN(isa); i++)
        if (tl_kernel_for(isa[i])) failed += run_as(isa[i]);
        else
            print_message("%s: not on this processor, skipped\n", isa[i]);
    return failed;
}
