/* test_onnxrt.c - ONNX Runtime computes what we do. SPDX-License-Identifier: MIT
 *
 * Needs a python3 with onnxruntime. Skipped without. */
#include "support.h"
#include "file.h"
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct { const char *dir; tl_arena *a; } fixture;

static int python(tl_arena *a, const char *arguments)
{
    int code = system(tl_printf(a, "python3 %s >&2", arguments));
    return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

static int setup(void **state)
{
    tl_arena *a = tl_arena_new();
    fixture *f = tl_new(a, fixture, 1);
    char *dir = tl_strdup(a, "/tmp/tlc-onnxrt-XXXXXX");
    *f = (fixture){ mkdtemp(dir), a };
    *state = f;
    return f->dir ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    tl_list names;
    if (!tl_dir_list(f->a, f->dir, &names))
        for (int i = 0; i < names.n; i++) (void)unlink(tl_path_join(f->a, f->dir, ((const char **)names.at)[i]));
    (void)rmdir(f->dir);
    tl_arena_free(f->a);
    return 0;
}

static void write_floats(fixture *f, const char *name, const char *suffix, tl_tensor t)
{
    const char *path = tl_printf(f->a, "%s/%s.%s", f->dir, name, suffix);
    ok(tl_file_write(path, t.f, tl_count(t.s) * sizeof(float)));
}

/* The model as exported, and what our plan makes of random pictures. 16-bit weights are not quite those in memory:
 * there the graph is read back first. */
static void write_case(fixture *f, const tl_graph *g, const char *name, int batch, bool half)
{
    tl_arena *a = tl_arena_new();
    tl_graph *read;
    tl_onnx *m;
    tl_bytes file;
    tl_plan *p;
    ok(tl_graph_to_onnx(g, a, batch, half, &m));
    ok(tl_onnx_pack(a, m, &file));
    ok(tl_file_write(tl_printf(a, "%s/%s.onnx", f->dir, name), file.p, file.n));
    ok(tl_onnx_parse(a, file, &m));
    ok(tl_graph_from_onnx(m, a, &read));
    if (half) g = read;
    ok(tl_plan_new(g, a, &(tl_plan_conf){ .batch = 2, .constant = true }, &p));
    fill(p->io[0].y.f, tl_count(p->io[0].y.s), 1);
    write_floats(f, name, "x", p->io[0].y);
    ok(tl_plan_forward(p));
    write_floats(f, name, "y", tl_plan_value(p, (tl_val){ tl_graph_output(g) }));
    tl_arena_free(a);
}

static void check(fixture *f)
{
    int code = python(f->a, tl_printf(f->a, "tools/onnxrt_check.py %s", f->dir));
    if (code == 77 || code == 127) {
        print_message("skipped: Python's onnxruntime is not installed\n");
        skip();
    }
    assert_int_equal(code, 0);
}

static void backbones_run_in_onnx_runtime(void **state)
{
    fixture *f = *state;
    const tl_backbone *b;
    for (int i = 0; (b = tl_backbone_at(i)); i++) {
        if (b->layers > 50) continue; /* the same units as 50 layers */
        const tl_backbone_conf conf = { .bn = true, .pooling = b->layers == 34, .all_projections = b->layers == 18 };
        tl_arena *a = tl_arena_new();
        tl_graph *folded;
        tl_model *m;
        ok(random_model(a, b, &conf, 64, &m));
        ok(tl_fold(m->g, a, &folded));
        write_case(f, m->g, tl_printf(a, "%s", m->arch), 0, false);
        write_case(f, folded, tl_printf(a, "%s_folded", m->arch), 2, false);
        if (b->layers < 50) write_case(f, folded, tl_printf(a, "%s_folded_f16", m->arch), 0, true);
        tl_arena_free(a);
    }
    check(f);
}

/* What the backbones above do not have: padding after, leaky activations, a map as the answer, softmax. */
static void the_rest_runs_in_onnx_runtime(void **state)
{
    fixture *f = *state;
    tl_arena *a = f->a; /* freed after a skip, too */
    tl_graph *g = tl_graph_new(a);
    tl_val x = OP(g, "image", input, NO_INPUT, 3, 21, 18);
    x = OP(g, "conv", conv2d, IN(x), .out = 12, .stride = 2, .extra = 1);
    x = OP(g, "leaky", relu, IN(x), .slope = 0.2f);
    x = OP(g, "dilated", conv2d, IN(x), .out = 12, .dilation = 2, .pad = 2, .groups = 3);
    x = OP(g, "relu6", relu, IN(x), .max = 6);
    x = OP(g, "max", maxpool, IN(x), .k = 3, .stride = 2, .pad = 1);
    x = OP(g, "avg", avgpool, IN(x), .k = 3, .stride = 1, .pad = 1);
    int map = x.i;
    x = OP(g, "flatten", flatten, IN(x), 0);
    x = OP(g, "drop", dropout, IN(x), 0);
    x = OP(g, "fc", dense, IN(x), .out = 7);
    OP(g, "probabilities", softmax, IN(x), 0);
    ok(g->status);
    ok(randomize(g, 6));
    write_case(f, g, "mixed", 0, false);
    g->output = map;
    write_case(f, g, "mixed_map", 2, true);
    check(f);
}

/* Test of the test. */
static void other_numbers_are_noticed(void **state)
{
    fixture *f = *state;
    tl_arena *a = tl_arena_new();
    tl_model *m;
    tl_tensor y;
    ok(random_model(a, tl_backbone_at(0), &(tl_backbone_conf){ .bn = true }, 32, &m));
    write_case(f, m->g, "wrong", 0, false);
    ok(answer(a, m->g, 2, &y));
    y.f[1] *= 1.001f;
    write_floats(f, "wrong", "y", y);
    int code = python(a, tl_printf(a, "tools/onnxrt_check.py %s", f->dir));
    tl_arena_free(a);
    if (code == 77 || code == 127) skip();
    assert_int_equal(code, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(backbones_run_in_onnx_runtime, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rest_runs_in_onnx_runtime, setup, teardown),
        cmocka_unit_test_setup_teardown(other_numbers_are_noticed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
