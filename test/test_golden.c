/* test_golden.c - training steps and features against PyTorch's. SPDX-License-Identifier: MIT
 *
 * The files in test/data/golden are made by tools/make_goldens.py, which explains them. They hold a
 * run in double precision, and how far PyTorch's own float32 runs are from it; we may be SLACK
 * times as far, since rounding errors grow from step to step unevenly and a few runs are a small
 * sample. TLC_GOLDEN=1 prints both, side by side. */
#include "train.h"
#include "support.h"
#include <stdio.h>

#define FOLDER "test/data/golden/"
#define SLACK  8
enum { BATCH = 8, SIZE = 64, CLASSES = 5 };

/* [-1, 1): as `noise` of make_goldens.py. */
static void noise(const char *name, float scale, float offset, float *f, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++) h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < n; i++) {
        uint64_t x = h + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        f[i] = ((float)((x ^ (x >> 31)) >> 40) * 0x1p-23f - 1) * scale + offset;
    }
}

typedef struct {
    double loss, norm, entry;
} deviation;

typedef struct {
    tl_arena *arena;
    tl_model *m;
    tl_plan *plan;
    tl_val loss;
    tl_recipe recipe;
    tl_weights w;
    float rate;
    int step;
    deviation ours, torch; /* from the run in double, of this step */
    bool show;             /* TLC_GOLDEN */
} run;

static void set_parameters(tl_graph *g)
{
    TL_EACH_PARAM(g, i, k)
    {
        tl_param *p = &g->node[i].p[k];
        const tl_param_def *def = &g->node[i].op->param[k];
        size_t n = tl_dims_count(p->dims);
        if (def->stat) continue;
        double scale = def->axes[1] ? sqrt(6 * (double)p->dims.d[0] / (double)n) : 0.1;
        noise(tl_name(g, "%s.%s", g->node[i].name, def->name), (float)scale, def->init, p->w, n);
    }
}

static void begin(run *r, const char *arch, int layers, const tl_backbone_conf *conf, float rate)
{
    tl_model_conf c = {
        .conf = *conf, .head = tl_head_at(0), .c = 3, .h = SIZE, .w = SIZE, .classes = CLASSES
    };
    tl_vals target;
    *r = (run){ .arena = tl_arena_new(), .rate = rate, .show = getenv("TLC_GOLDEN") };
    ok(tl_backbone_find(arch, layers, &c.backbone));
    ok(tl_model_build(r->arena, &c, &r->m));
    set_parameters(r->m->g);
    r->loss = tl_model_loss(r->m, &target);
    ok(tl_plan_new(r->m->g, r->arena,
                   &(tl_plan_conf){ .batch = BATCH, .train = true, .loss = r->loss }, &r->plan));
    r->recipe.optimizer = (tl_optimizer){ .kind = TL_SGD, .momentum = 0.9f };
    r->recipe.block_decay = 1;
    ok(tl_weights_new(r->arena, r->plan, &r->recipe, &r->w));
    tl_tensor x = tl_plan_value(r->plan, r->m->image), t = tl_plan_value(r->plan, target.at[0]);
    noise("input", 1, 0, x.f, tl_count(x.s));
    for (int i = 0; i < BATCH; i++) t.f[i * CLASSES + i % CLASSES] = 1;
}

/* Norm and four evenly spread entries, as kept in the file. */
static void entries(const float *f, size_t n, double v[5])
{
    v[0] = 0;
    for (size_t i = 0; i < n; i++) v[0] += (double)f[i] * (double)f[i];
    v[0] = sqrt(v[0]);
    for (size_t i = 0; i < 4; i++) v[1 + i] = (double)f[(n - 1) * i / 3];
}

static void compare(run *r, const char *name, bool stat, const double want[5])
{
    char node[64];
    const char *dot = strrchr(name, '.');
    snprintf(node, sizeof node, "%.*s", (int)(dot - name), name);
    int i = tl_graph_find(r->m->g, node), k = 0;
    if (i < 0) fail_msg("there is no layer '%s'", node);
    while (strcmp(r->m->g->node[i].op->param[k].name, dot + 1)) k++;
    const tl_param *p = &r->plan->io[i].p[k];
    size_t n = tl_dims_count(p->dims);
    double got[5], unit = want[0] / sqrt((double)n);
    assert_non_null(stat ? p->w : p->g);
    entries(stat ? p->w : p->g, n, got);
    r->ours.norm = fmax(r->ours.norm, fabs(got[0] - want[0]) / want[0]);
    for (int e = 1; e < 5; e++) r->ours.entry = fmax(r->ours.entry, fabs(got[e] - want[e]) / unit);
}

static void end_step(run *r)
{
    if (r->show)
        print_message(
            "  step %d: ours %.1e %.1e %.1e, allowed %.1e %.1e %.1e (loss, norm, entry)\n", r->step,
            r->ours.loss, r->ours.norm, r->ours.entry, SLACK * r->torch.loss, SLACK * r->torch.norm,
            SLACK * r->torch.entry);
    assert_true(r->ours.loss <= SLACK * r->torch.loss);
    assert_true(r->ours.norm <= SLACK * r->torch.norm);
    assert_true(r->ours.entry <= SLACK * r->torch.entry);
    r->ours = (deviation){ 0 };
}

static void take_step(run *r, double want)
{
    if (r->step) tl_weights_step(&r->w, r->rate, r->step - 1);
    ok(tl_plan_forward(r->plan));
    ok(tl_plan_backward(r->plan));
    r->ours.loss = fabs((double)tl_plan_value(r->plan, r->loss).f[0] - want);
}

/* Do what the file says, line by line. */
static void replay(run *r, const char *path)
{
    FILE *f = fopen(path, "r");
    char line[256], kind[8], name[64];
    int step = 0, seen = 0;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        double v[5] = { 0 };
        int n = sscanf(line, "%7s %d %63s %lf %lf %lf %lf %lf", kind, &step, name, v, v + 1, v + 2,
                       v + 3, v + 4);
        assert_true(n >= 4);
        seen++;
        if (step != r->step) end_step(r);
        r->step = step;
        if (!strcmp(kind, "loss")) take_step(r, v[0]);
        else if (strcmp(kind, "float"))
            compare(r, name, kind[0] == 's', v);
        else
            r->torch = (deviation){ v[0], v[1], v[2] };
    }
    fclose(f);
    end_step(r);
    assert_true(seen > 100);
}

static void test_resnet18(void **state)
{
    run r;
    (void)state;
    begin(&r, "resnet", 18,
          &(tl_backbone_conf){ .bn = true, .pooling = true, .bn_eps = 1e-5f, .bn_momentum = 0.9f },
          1e-4f);
    replay(&r, FOLDER "resnet18.tsv");
    tl_arena_free(r.arena);
}

static void test_mobilenet_v2(void **state)
{
    run r;
    (void)state;
    begin(&r, "mobilenet_v2", 0,
          &(tl_backbone_conf){
              .bn = true, .bn_eps = 1e-5f, .bn_momentum = 0.9f, .act = { &tl_op_relu, { .relu = { .max = 6 } } } },
          1e-5f);
    replay(&r, FOLDER "mobilenet_v2.tsv");
    tl_arena_free(r.arena);
}

/* The pretrained trunk gives the features that torchvision gives in double precision. They reach 6; PyTorch's own
 * float32 is 2.6e-5 away. */
static void test_trunk(void **state)
{
    tl_arena *a = tl_arena_new();
    tl_model *trunk, *m;
    tl_model_conf c = { .conf = { .bn = true },
                        .head = tl_head_at(0),
                        .c = 3,
                        .h = SIZE,
                        .w = SIZE,
                        .classes = CLASSES };
    tl_transfer t;
    tl_plan *p;
    FILE *f = fopen(FOLDER "trunk.tsv", "r");
    double want;
    (void)state;
    assert_non_null(f);
    ok(tl_backbone_find("mobilenet_v2", 0, &c.backbone));
    ok(tl_model_build(a, &c, &m));
    ok(tl_model_load(a, "models/mobilenet_v2_imagenet.onnx", NULL, &trunk));
    ok(tl_model_transfer(m, trunk, false, false, 1, &t));
    tl_val features = { tl_graph_find(m->g, "avg_pool") };
    ok(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = 2, .keep = &features, .nkeep = 1 }, &p));
    tl_tensor x = tl_plan_value(p, m->image), y = tl_plan_value(p, features);
    noise("input", 1, 0, x.f, tl_count(x.s));
    ok(tl_plan_forward(p));
    for (int n, ch; fscanf(f, "%d %d %lf", &n, &ch, &want) == 3;)
        assert_true(fabs((double)y.f[n * y.s.c + ch] - want) < 5e-5);
    fclose(f);
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_resnet18),
                                        cmocka_unit_test(test_mobilenet_v2),
                                        cmocka_unit_test(test_trunk) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
