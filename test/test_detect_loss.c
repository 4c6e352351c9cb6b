/* test_detect_loss.c - DetectNet_v2's loss, its gradient and its autoweighting against PyTorch.
 * SPDX-License-Identifier: MIT
 *
 * tools/make_detectnet_golden.py says what the lines of loss.txt are. */
#include "detectnet.h"
#include "detections.h"
#include "support.h"
#include "file.h"
#include "text.h"
#include <stdio.h>

#define GOLDEN "test/data/detect/loss.txt"

static tl_arena *a;

/* ---- The file ---- */

static char *line, *rest;

static const char *next_line(void)
{
    line = strtok_r(NULL, "\n", &rest);
    return line;
}

/* The n numbers of a line that begins with this word. */
static float *numbers(const char *word, size_t n)
{
    const size_t length = strlen(word);
    float *f = tl_new(a, float, n);
    if (!line || strncmp(line, word, length) || line[length] != ' ') fail_msg("'%s' expected before: %.40s", word, line ? line : "the end");
    char *at = line + length;
    for (size_t i = 0; i < n; i++) {
        char *from = at;
        f[i] = strtof(from, &at);
        assert_true(at > from);
    }
    assert_true(*at == 0);
    next_line();
    return f;
}

static void near(const char *what, float relative, const float *got, const float *want, size_t n)
{
    float most = 1e-30f;
    for (size_t i = 0; i < n; i++) most = fmaxf(most, fabsf(want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - want[i]) <= relative * fabsf(want[i]) + 1e-6f * most))
            fail_msg("%s[%zu]: %.9g instead of %.9g", what, i, (double)got[i], (double)want[i]);
}

/* ---- The loss ---- */

/* The weights of the costs, as training begins with them: from a spec. */
static void set_weights(float *w, int classes, const float *front, const float *class_weight, const float *initial)
{
    tl_text t = tl_text_new(a);
    const tl_detect_spec *s;
    const char *warnings;
    tl_detect_goal goal;
    tl_textf(&t, "dataset_config { data_sources { label_directory_path: \"l\" image_directory_path: \"d\" } ");
    for (int k = 0; k < classes; k++) tl_textf(&t, "target_class_mapping { key: \"c%d\" value: \"c%d\" } ", k, k);
    tl_textf(&t, "}\naugmentation_config { preprocessing { output_image_width: 64 output_image_height: 64 } }\nmodel_config { arch: \"resnet\" }\n"
                 "training_config { batch_size_per_gpu: 4 num_epochs: 10 }\ncost_function_config {");
    for (int k = 0; k < classes; k++)
        tl_textf(&t, " target_classes { name: \"c%d\" class_weight: %.9g coverage_foreground_weight: %.9g objectives { name: \"cov\" initial_weight: "
                     "%.9g weight_target: 1 } objectives { name: \"bbox\" initial_weight: %.9g weight_target: 1 } }\n", k,
                 (double)class_weight[k], (double)front[k], (double)initial[k], (double)initial[classes + k]);
    tl_textf(&t, "}\n");
    ok(tl_detect_spec_load(a, "spec", tl_text_end(&t), NULL, 0, &s, &warnings));
    ok(tl_detect_goal_of(a, s, false, &goal));
    assert_int_equal(goal.classes, classes);
    for (int i = 0; i < 2 * classes; i++) w[i] = goal.class_weight[i % classes] * goal.initial[i];
}

typedef struct { tl_graph *g; tl_plan *p; tl_val raw, sides, loss, costs; tl_vals target; } rig;

/* The head's loss above two layers that only pass on what they are given: 1x1 convolutions by the unit matrix. */
static tl_val pass_on(tl_graph *g, const char *name, tl_val x)
{
    return OP(g, name, conv2d, IN(x), .out = tl_channels(g, x), .k = 1);
}

static void unit(tl_graph *g, tl_val v)
{
    tl_param *p = &g->node[v.i].p[0];
    for (int i = 0; i < p->dims.d[0] * p->dims.d[1]; i++) p->w[i] = (float)(i % p->dims.d[1] == i / p->dims.d[1]);
}

static rig build(int n, int h, int w, int classes)
{
    rig r = { .g = tl_graph_new(a) };
    const tl_val x = OP(r.g, "x", input, NO_INPUT, .c = classes, .h = h, .w = w), y = OP(r.g, "y", input, NO_INPUT, .c = 4 * classes, .h = h, .w = w);
    r.raw = pass_on(r.g, "raw", x);
    r.sides = pass_on(r.g, "sides", y);
    r.g->more = (tl_vals){ 1, { r.sides } };
    r.loss = tl_head_find("detectnet_v2")->loss(r.g, r.raw, &r.target);
    ok(r.g->status);
    r.costs.i = r.g->node[r.loss.i].x[0];
    ok(tl_graph_init(r.g, 1));
    unit(r.g, r.raw);
    unit(r.g, r.sides);
    ok(tl_plan_new(r.g, a, &(tl_plan_conf){ .batch = n, .train = true, .loss = r.loss, .keep = &r.costs, .nkeep = 1, .input_grads = true }, &r.p));
    return r;
}

static void put(const rig *r, tl_val v, const float *from)
{
    const tl_tensor t = tl_plan_value(r->p, v);
    memcpy(t.f, from, tl_count(t.s) * sizeof(float));
}

static void check_case(void)
{
    int n, h, w, c;
    assert_int_equal(sscanf(line, "case %d %d %d %d", &n, &h, &w, &c), 4);
    next_line();
    const size_t cells = (size_t)(n * h * w * c);
    rig r = build(n, h, w, c);
    const float *front = numbers("front", (size_t)c), *class_weight = numbers("class_weight", (size_t)c);
    set_weights(r.g->node[r.loss.i].p[0].w, c, front, class_weight, numbers("initial", 2 * (size_t)c));
    const float *raw = numbers("raw", cells), most = 2e-5f;
    put(&r, (tl_val){ r.g->node[r.raw.i].x[0] }, raw);
    put(&r, (tl_val){ r.g->node[r.sides.i].x[0] }, numbers("sides", 4 * cells));
    const float *cov = numbers("cov", cells);
    float *weight = tl_new(a, float, cells);
    for (size_t i = 0; i < cells; i++) weight[i] = cov[i] > 0.5f ? front[i % (size_t)c] : 1 - front[i % (size_t)c];
    put(&r, r.target.at[0], cov);
    put(&r, r.target.at[1], weight);
    put(&r, r.target.at[2], numbers("bbox", 4 * cells));
    put(&r, r.target.at[3], numbers("norm", cells));
    ok(tl_plan_forward(r.p));
    near("cost", most, tl_plan_value(r.p, r.costs).f, numbers("costs", 2 * (size_t)c), 2 * (size_t)c);
    near("loss", most, tl_plan_value(r.p, r.loss).f, numbers("loss", 1), 1);
    ok(tl_plan_backward(r.p));
    near("slope of coverage", most, tl_plan_io(r.p, r.raw.i)->dx[0].f, numbers("raw_slope", cells), cells);
    near("slope of sides", most, tl_plan_io(r.p, r.sides.i)->dx[0].f, numbers("sides_slope", 4 * cells), 4 * cells);
}

/* ---- Autoweighting ---- */

static void check_auto(void)
{
    const float *v = numbers("auto", 10), goal[4] = { 0, v[2], 0, v[3] };
    const tl_detect_goal q = { .classes = 2, .goal = goal, .least = v[0], .most = v[1] };
    const double sum[4] = { 7, (double)v[4], 8, (double)v[5] }; /* of class 1; class 0 has others */
    float w[4] = { 0.125f, v[6], 0.875f, v[7] };
    tl_detect_weigh(&q, 1, sum, w);
    near("weight of coverage", 1e-6f, w + 1, v + 8, 1);
    near("weight of sides", 1e-6f, w + 3, v + 9, 1);
    assert_true(w[0] == 0.125f && w[2] == 0.875f);
}

static void as_in_pytorch(void **state)
{
    (void)state;
    tl_bytes file;
    int cases = 0, autos = 0;
    a = tl_arena_new();
    ok(tl_file_read(a, GOLDEN, 0, &file));
    line = strtok_r((char *)(uintptr_t)file.p, "\n", &rest);
    while (line) {
        if (!strncmp(line, "case ", 5)) check_case(), cases++;
        else check_auto(), autos++;
    }
    assert_int_equal(cases, 3);
    assert_int_equal(autos, 9);
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(as_in_pytorch) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
