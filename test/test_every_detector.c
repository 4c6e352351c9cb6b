/* test_every_detector.c - DetectNet_v2 on every backbone: it builds, learns, is pruned, saved and run by ONNX Runtime.
 * SPDX-License-Identifier: MIT
 *
 * A test a row of the table of backbones, and some for whole_backbone, on small pictures. The two outputs, raw coverage and sides, are compared: what follows
 * hides differences. ONNX Runtime is asked where python3 has it. */
#include "detect.h"
#include "file.h"
#include "support.h"
#include "train.h"
#include <ftw.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIXELS = 64, NAMES = 3, BATCH = 2, STEPS = 6 };

static tl_arena *a; /* of the test that runs */
static char      dir[64];
static bool      no_runtime;

typedef struct { const tl_backbone *b; bool whole; } kind;

static tl_model *detector(const kind *k)
{
    static const char *const name[NAMES] = { "box", "disc", "ring" };
    const tl_model_conf c = { .backbone = k->b, .conf = { .bn = true, .whole = k->whole }, .head = tl_head_find("detectnet_v2"), .c = 3, .h = PIXELS, .w = PIXELS,
                              .classes = NAMES, .seed = 1 };
    tl_model *m;
    ok(tl_model_build(a, &c, &m));
    m->classes = (tl_list){ NAMES, (void *)(uintptr_t)name };
    m->mode = "unit";
    m->bbox_scale = 35;
    m->bbox_offset = 0.5f;
    ok(tl_norm_for(m->mode, 3, NULL, &m->norm));
    return m;
}

/* ---- Both outputs ---- */

typedef struct { tl_tensor raw, sides; } outputs;

/* Of random pictures; raw: coverage before the sigmoid. */
static outputs answers(const tl_graph *from, int raw, tl_plan **plan)
{
    tl_graph *g;
    ok(tl_graph_copy(from, a, &g));
    g->output = raw;
    ok(tl_plan_new(g, a, &(tl_plan_conf){ .batch = BATCH, .constant = true }, plan));
    fill(tl_plan_value(*plan, (tl_val){ 0 }).f, (size_t)BATCH * 3 * PIXELS * PIXELS, 7);
    ok(tl_plan_forward(*plan));
    assert_int_equal(g->more.n, 1);
    return (outputs){ tl_plan_value(*plan, (tl_val){ raw }), tl_plan_value(*plan, g->more.at[0]) };
}

static void agree(const char *what, outputs x, outputs y)
{
    const double raw = difference(x.raw, y.raw), sides = difference(x.sides, y.sides);
    if (!(raw < 1e-4 && sides < 1e-4)) fail_msg("%s: coverage differs by %g, sides by %g", what, raw, sides);
}

/* ---- A detector's life ---- */

static void has_its_grids(const tl_model *m, const kind *k)
{
    const int stride = strcmp(k->b->arch, "darknet") ? 16 : 32;
    const tl_shape cov = { 1, NAMES, PIXELS / stride, PIXELS / stride }, sides = { 1, 4 * NAMES, PIXELS / stride, PIXELS / stride };
    assert_true(tl_same(m->g->node[m->raw.i].s, cov));
    assert_true(tl_same(m->g->node[m->answer.i].s, cov));
    assert_int_equal(m->g->more.n, 1);
    assert_true(tl_same(m->g->node[m->g->more.at[0].i].s, sides));
}

/* The targets of a picture with an object of each class. */
static void put_targets(const tl_model *m, const tl_plan *p, const tl_vals *target)
{
    static const tl_drawing usual = { 0.5f, 0.5f, 0.4f, 0.4f, 1, 0.05f };
    const tl_drawing drawing[NAMES] = { usual, usual, usual };
    const tl_shape s = m->g->node[m->raw.i].s;
    const tl_cells cells = { PIXELS, PIXELS, s.w, s.h, NAMES, 35, 0.5f };
    const int label[NAMES] = { 0, 1, 2 };
    tl_targets t;
    ok(tl_targets_new(a, &cells, &t));
    for (int i = 0; i < BATCH; i++) {
        const float x = 8 * (float)i;
        const tl_box box[NAMES] = { { x, 2, x + 30, 30 }, { x + 4, 20, x + 50, 62 }, { 30, 4, 60, 40 + x } };
        ok(tl_targets_draw(&cells, drawing, 0.5f, box, label, NAMES, a, &t));
        const float *part[] = { t.cov, t.cov_weight, t.bbox, t.cov_norm };
        for (int k = 0; k < target->n; k++) {
            const tl_tensor to = tl_plan_value(p, target->at[k]);
            const size_t n = tl_count(to.s) / BATCH;
            memcpy(to.f + (size_t)i * n, part[k], n * sizeof(float));
        }
    }
}

/* Some small steps on the same pictures, everything drawn by chance alike. Without batch norm (SqueezeNet) they are small indeed. */
static void learns(const kind *k)
{
    const tl_recipe recipe = { .optimizer = { .kind = TL_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f }, .block_decay = 1 };
    tl_model *m = detector(k);
    tl_vals target;
    tl_plan *p;
    tl_weights w;
    float first = 0, last = 0;
    const tl_val loss = tl_model_loss(m, &target);
    ok(tl_graph_init(m->g, 1));
    ok(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = BATCH, .train = true, .loss = loss }, &p));
    ok(tl_weights_new(a, p, &recipe, &w));
    assert_int_equal(target.n, 4);
    for (int i = 0; i <= STEPS; i++) {
        p->seed = 1;
        fill(tl_plan_value(p, m->image).f, (size_t)BATCH * 3 * PIXELS * PIXELS, 3);
        put_targets(m, p, &target);
        ok(tl_plan_forward(p));
        last = tl_plan_value(p, loss).f[0];
        if (!i) first = last;
        ok(tl_plan_backward(p));
        (void)tl_weights_step(&w, 3e-5f, i);
    }
    if (!(first > 0 && last < 0.999f * first)) fail_msg("the loss went from %g to %g", (double)first, (double)last);
}

/* Half of the parameters; the layers that answer keep all they have. */
static tl_model *pruned(const tl_model *m)
{
    tl_prune_result r;
    tl_graph *small, *masked;
    tl_plan *p, *q;
    tl_model *out;
    ok(tl_prune(m->g, a, &(tl_prune_opts){ .params = 0.5, .granularity = 8, .min = 8 }, &small, &r));
    ok(tl_graph_copy(m->g, a, &masked));
    mask(masked, r.kept);
    assert_true(channels_removed(m->g, r.kept) > 0);
    assert_int_equal(r.kept[m->raw.i].n, NAMES);
    assert_int_equal(r.kept[m->g->more.at[0].i].n, 4 * NAMES);
    agree("pruned and masked", answers(masked, m->raw.i, &p), answers(small, m->raw.i, &q));
    ok(tl_model_with(m, a, small, &out));
    return out;
}

static void saved_and_read(const tl_model *m)
{
    tl_bytes file;
    tl_model *n;
    tl_plan *p, *q;
    ok(tl_model_pack(m, a, &(tl_save_opts){ 0 }, &file));
    ok(tl_model_unpack(a, file, &n));
    assert_ptr_equal(n->head, m->head);
    assert_int_equal(n->classes.n, NAMES);
    assert_true(n->bbox_scale == 35 && n->bbox_offset == 0.5f);
    assert_string_equal(n->g->node[n->g->more.at[0].i].name, m->g->node[m->g->more.at[0].i].name);
    agree("saved and read", answers(m->g, m->raw.i, &p), answers(n->g, n->raw.i, &q));
}

/* All outputs, one after the other, for tools/onnxrt_check.py. */
static void runs_in_onnx_runtime(const tl_model *m)
{
    tl_plan *p;
    tl_graph *g;
    tl_onnx *o;
    tl_bytes bytes;
    const outputs y = answers(m->g, m->raw.i, &p);
    const size_t cov = tl_count(y.raw.s), sides = tl_count(y.sides.s);
    float *all = tl_new(a, float, cov + sides);
    memcpy(all, y.raw.f, cov * sizeof(float));
    memcpy(all + cov, y.sides.f, sides * sizeof(float));
    ok(tl_graph_copy(m->g, a, &g));
    g->output = m->raw.i;
    ok(tl_graph_to_onnx(g, a, BATCH, false, &o));
    ok(tl_onnx_pack(a, o, &bytes));
    ok(tl_file_write(tl_printf(a, "%s/m.onnx", dir), bytes.p, bytes.n));
    const tl_tensor x = tl_plan_value(p, m->image);
    fill(x.f, tl_count(x.s), 7); /* the plan may have used its place */
    ok(tl_file_write(tl_printf(a, "%s/m.x", dir), x.f, tl_count(x.s) * sizeof(float)));
    ok(tl_file_write(tl_printf(a, "%s/m.y", dir), all, (cov + sides) * sizeof(float)));
    int code = system(tl_printf(a, "python3 tools/onnxrt_check.py %s >&2", dir));
    code = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
    no_runtime |= code == 77 || code == 127;
    assert_true(no_runtime || !code);
}

/* Each step works in an arena of its own: a network's weights are there many times over. */
static tl_arena *step_begin(void)
{
    tl_arena *whole = a;
    a = tl_arena_new();
    return whole;
}

static void step_end(tl_arena *whole)
{
    tl_arena_free(a);
    a = whole;
}

/* A copy of the small model, whose arena lives on. */
static tl_model *prune_in_steps(const kind *k)
{
    tl_arena *whole = step_begin();
    tl_graph *g;
    tl_model *out, *m = detector(k);
    has_its_grids(m, k);
    ok(randomize(m->g, 5));
    m = pruned(m);
    ok(tl_graph_copy(m->g, whole, &g));
    ok(tl_model_with(m, whole, g, &out));
    out->arch = tl_strdup(whole, m->arch);
    step_end(whole);
    return out;
}

static void whole_life(void **state)
{
    const kind *k = *state;
    tl_arena *whole = step_begin();
    learns(k);
    step_end(whole);
    tl_model *m = prune_in_steps(k);
    whole = step_begin();
    saved_and_read(m);
    runs_in_onnx_runtime(m);
    step_end(whole);
}

static void onnx_runtime_was_there(void **state)
{
    (void)state;
    if (!no_runtime) return;
    print_message("skipped: Python's onnxruntime is not installed\n");
    skip();
}

static int begin(void **state)
{
    (void)state;
    a = tl_arena_new();
    snprintf(dir, sizeof dir, "/tmp/tlc-test-XXXXXX");
    return a && mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static int end(void **state)
{
    (void)state;
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    tl_arena_free(a);
    return 0;
}

static struct CMUnitTest tests[64]; /* empty rows are passed over */
static char names[64][48];
static kind kinds[64];

static void add_test(int i, const tl_backbone *b, bool whole)
{
    char name[32];
    assert_true(i < TL_LEN(tests) - 1);
    kinds[i] = (kind){ b, whole };
    snprintf(names[i], sizeof names[i], "%s%s", tl_backbone_name(b, name), whole ? ", whole" : "");
    tests[i] = (struct CMUnitTest){ names[i], whole_life, begin, end, &kinds[i] };
}

int main(void)
{
    static const char *const whole[] = { "resnet10", "mobilenet_v1", "mobilenet_v2", "efficientnet_lite0" };
    char name[32];
    int n = 0;
    for (const tl_backbone *b; (b = tl_backbone_at(n)); n++) add_test(n, b, false);
    for (int i = 0, k = n; i < k; i++)
        for (int j = 0; j < TL_LEN(whole); j++)
            if (!strcmp(tl_backbone_name(kinds[i].b, name), whole[j])) add_test(n++, kinds[i].b, true);
    tests[n] = (struct CMUnitTest)cmocka_unit_test(onnx_runtime_was_there);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
