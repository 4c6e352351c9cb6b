/* test_darknet.c - reading darknet's networks. SPDX-License-Identifier: MIT
 *
 * The small networks and all expected answers: tools/make_darknet_golden.py. */
#include "importing.h"

extern const tl_importer tl_importer_darknet;
#define FASTEST "../shared/data/weights/yolo-fastest-darknet/"

/* OpenCV, whose answers these are, adds less to the variance than darknet's own kernels do. */
static void normalize_like_opencv(tl_model *m)
{
    for (int i = 0; i < m->g->n; i++)
        if (m->g->node[i].op == &tl_op_bn) ((tl_bn *)m->g->node[i].attr)->eps = 1e-6f;
}

static void compare(FILE *golden, const char *folder, double tolerance)
{
    char line[1024];
    tl_arena *a = tl_arena_new();
    tl_foreign f;
    assert_non_null(fgets(line, sizeof line, golden));
    const char *name = tl_strndup(a, line, strcspn(line, "\t"));
    ok(import_file(&tl_importer_darknet, a, tl_printf(a, "%s%s", folder, name), &f));
    normalize_like_opencv(f.model);
    tl_model *m = kept(a, f.model);
    double d = golden_difference(golden_run(a, m, m->answer.i), line, name);
    if (!(d >= 0 && d < tolerance)) fail_msg("%s: differs by %g", name, d);
    tl_arena_free(a);
}

static void answers_as_opencv(void **state)
{
    (void)state;
    FILE *f = fopen(IMPORT_DATA "darknet_small.tsv", "r");
    assert_non_null(f);
    compare(f, IMPORT_DATA, 1e-5);
    compare(f, IMPORT_DATA, 1e-5);
    fclose(f);
}

static void trunks_answer_as_opencv(void **state)
{
    static const char *const folders[] = { "yolo-fastest-1.0_coco/", "yolo-fastest-1.0_coco/",
                                           "yolo-fastest-1.1_body/", "yolo-fastest-1.1_coco/",
                                           "yolo-fastest-1.1_coco/" };
    (void)state;
    if (!tl_is_dir(FASTEST)) {
        print_message("skipped: there is no " FASTEST "\n");
        skip();
    }
    FILE *f = fopen(IMPORT_DATA "darknet_trunks.tsv", "r");
    assert_non_null(f);
    for (int i = 0; i < TL_LEN(folders); i++) {
        char folder[128];
        snprintf(folder, sizeof folder, FASTEST "%s", folders[i]);
        compare(f, folder, 1e-4);
    }
    fclose(f);
}

static void tells_what_it_read(void **state)
{
    static const struct {
        const char *name, *note, *last;
        int classes;
        bool trunk;
    } cases[] = {
        { "darknet_small.cfg", "", "softmax_12", 5, false },
        { "darknet_small.weights", "", "softmax_12", 5, false }, /* either of the pair may be given */
        { "darknet_detector.cfg", "layers 0 to 3, up to [shortcut] at line 27", "shortcut_3", 0, true },
    };
    (void)state;
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_arena *a = tl_arena_new();
        tl_foreign f;
        ok(import_file(&tl_importer_darknet, a, tl_printf(a, IMPORT_DATA "%s", cases[i].name), &f));
        const tl_model *m = f.model;
        assert_non_null(strstr(f.note, cases[i].note));
        assert_string_equal(m->g->node[m->answer.i].name, cases[i].last);
        assert_int_equal(m->answer.i, m->g->n - 1);
        assert_int_equal(m->classes.n, cases[i].classes);
        assert_int_equal(tl_model_is_trunk(m), cases[i].trunk);
        assert_int_equal(m->norm.order[0], 0); /* R, G, B in 0..1 */
        assert_float_equal(m->norm.mean[0], 0, 0);
        assert_float_equal(m->norm.rstd[2], 1 / 255.0f, 1e-9f);
        tl_arena_free(a);
    }
}

/* A folder of its own with NAME.cfg and NAME.weights. */
static const char *folder_with(tl_arena *a, const char *cfg, const void *weights, size_t n)
{
    char *dir = tl_strdup(a, "/tmp/tlc-darknet-XXXXXX");
    assert_non_null(mkdtemp(dir));
    if (cfg) ok(tl_file_write(tl_path_join(a, dir, "n.cfg"), cfg, strlen(cfg)));
    if (weights) ok(tl_file_write(tl_path_join(a, dir, "n.weights"), weights, n));
    return dir;
}

static void clear(tl_arena *a, const char *dir)
{
    unlink(tl_path_join(a, dir, "n.cfg"));
    unlink(tl_path_join(a, dir, "n.weights"));
    rmdir(dir);
}

#define NET "[net]\nwidth=8\nheight=8\n"

static void refuses_with_place_and_reason(void **state)
{
    static const struct {
        const char *cfg;
        int floats;
        tl_status s;
        const char *words;
    } cases[] = {
        { NET, 0, TL_EFORMAT, "0 layers" },
        { "[net]\nwidth=8\n[cost]\n", 0, TL_EFORMAT, "height=0 is outside" },
        { "[net]\nheight=8\nwidth=eight\n[cost]\n", 0, TL_EFORMAT, "width=eight is not an integer" },
        { "[net]\n[cost]\n", 0, TL_EFORMAT, "height=0" },
        { NET "[cost\n", 0, TL_EFORMAT, "line 4: '[cost' lacks its ]" },
        { NET "[cost]\nonly\n", 0, TL_EFORMAT, "line 5: 'only' is neither" },
        { NET "[cost]\n", 0, TL_EFORMAT, "does nothing" },
        { NET "[lstm]\n", 0, TL_EUNSUP, "not supported\n  while reading [lstm] at line 4" },
        { NET "[conv]\nactivation=mish\n", 4, TL_EUNSUP, "activation 'mish'" },
        { NET "[conv]\nxnor=1\nactivation=linear\n", 4, TL_EUNSUP, "xnor=1" },
        { NET "[conv]\nsize=64\nactivation=linear\n", 4, TL_EFORMAT, "size=64 is outside 1 to 63" },
        { NET "[conv]\ngroups=2\nactivation=linear\n", 4, TL_ESHAPE, "2 groups do not divide" },
        { NET "[conv]\nactivation=linear\n", 3, TL_EFORMAT, "3 numbers are needed here, 2 are left" },
        { NET "[conv]\nactivation=linear\n", 0, TL_EUNSUP, "weights end before this layer" },
        { NET "[conv]\nactivation=linear\n", 5, TL_EFORMAT, "1 of the weights' numbers belong to no layer" },
        { NET "[conv]\nbatch_normalize=1\nactivation=linear\n", 7, TL_EFORMAT, "variance 0 is -1" },
        { NET "[conv]\nactivation=linear\n[shortcut]\nfrom=-2\n", 4, TL_EFORMAT,
          "from: -2 is no layer before this one" },
        { NET "[conv]\nactivation=linear\n[route]\nlayers=1\n", 4, TL_EFORMAT,
          "layers: 1 is no layer before this one" },
        { NET "[conv]\nactivation=linear\n[route]\nlayers=-1\ngroups=2\n", 4, TL_EUNSUP, "groups=2" },
        { NET "[maxpool]\nsize=3\nstride=1\n", 0, TL_EUNSUP, "after a ReLU only" },
        { NET "[conv]\nactivation=linear\n[yolo]\n", 4, TL_EUNSUP,
          "nothing before it shrinks the picture 8 times" },
    };
    (void)state;
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_arena *a = tl_arena_new();
        struct {
            int32_t head[3];
            int32_t seen[2];
            float at[8];
        } w = { { 0, 2, 5 }, { 0 }, { -1, -1, -1, -1, -1, -1, -1, -1 } };
        const char *dir = folder_with(a, cases[i].cfg, &w, 20 + 4 * (size_t)cases[i].floats);
        refused(&tl_importer_darknet, tl_path_join(a, dir, "n.cfg"), cases[i].cfg, strlen(cases[i].cfg), cases[i].s,
                cases[i].words);
        clear(a, dir);
        tl_arena_free(a);
    }
}

static void opens_nothing_but_the_plain_file_beside(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const char *dir = folder_with(a, NET "[cost]\n", NULL, 0), *cfg = tl_path_join(a, dir, "n.cfg");
    refused(&tl_importer_darknet, cfg, NET "[cost]\n", sizeof NET + 6, TL_EFORMAT, "put 'n.weights' beside it");
    assert_int_equal(symlink("/etc/passwd", tl_path_join(a, dir, "n.weights")), 0);
    refused(&tl_importer_darknet, cfg, NET "[cost]\n", sizeof NET + 6, TL_EFORMAT, "not a link");
    clear(a, dir);
    tl_arena_free(a);
}

static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes cfg, weights;
    ok(tl_file_read(a, IMPORT_DATA "darknet_small.cfg", 0, &cfg));
    ok(tl_file_read(a, IMPORT_DATA "darknet_small.weights", 0, &weights));
    survives_damage(&tl_importer_darknet, IMPORT_DATA "darknet_small.cfg", cfg, 1);
    survives_damage(&tl_importer_darknet, IMPORT_DATA "darknet_small.weights", weights, 7);
    assert_false(tl_importer_darknet.knows((tl_bytes){ (const uint8_t *)"\0\0\0\0", 4 }));
    assert_false(tl_importer_darknet.knows((tl_bytes){ (const uint8_t *)"\4\5\6\361\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20 }));
    assert_false(tl_importer_darknet.knows((tl_bytes){ (const uint8_t *)"# [net]\n[set]\n", 14 }));
    tl_arena_free(a);
}

static void failing_allocations_do_no_harm(void **state)
{
    (void)state;
    survives_want(&tl_importer_darknet, IMPORT_DATA "darknet_small.cfg");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_opencv),
        cmocka_unit_test(trunks_answer_as_opencv),
        cmocka_unit_test(tells_what_it_read),
        cmocka_unit_test(refuses_with_place_and_reason),
        cmocka_unit_test(opens_nothing_but_the_plain_file_beside),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(failing_allocations_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
