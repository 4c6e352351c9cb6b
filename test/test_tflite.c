/* test_tflite.c - reading TensorFlow Lite networks. SPDX-License-Identifier: MIT
 *
 * The small networks and all expected answers: tools/make_tflite_golden.py. */
#include "data.h"
#include "importing.h"
#include "tflite_model.h"

extern const tl_importer tl_importer_tflite;
#define CORAL "../shared/data/weights/tflite-coral/"

/* Answers of the file's networks at raw, or at the answer, are those of the golden file. */
static void compare(const char *golden, const char *folder, bool raw, double tolerance, double quantized)
{
    char line[1024];
    FILE *f = fopen(golden, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        tl_arena *a = tl_arena_new();
        tl_foreign got;
        char *name = tl_strndup(a, line, strcspn(line, "\t"));
        ok(import_file(&tl_importer_tflite, a, tl_printf(a, "%s%s", folder, name), &got));
        tl_model *m = kept(a, got.model);
        tl_tensor y = golden_run(a, m, raw ? m->raw.i : m->answer.i);
        double d = golden_difference(y, line, name), most = strstr(name, "int8") ? quantized : tolerance;
        if (!(d >= 0 && d < most)) fail_msg("%s: differs by %g", name, d);
        tl_arena_free(a);
    }
    fclose(f);
}

static void answers_as_litert(void **state)
{
    (void)state;
    compare(IMPORT_DATA "tflite_small.tsv", IMPORT_DATA, false, 1e-5, 0.02);
}

static void answers_as_the_converted_networks(void **state)
{
    (void)state;
    if (!tl_is_dir(CORAL)) {
        print_message("skipped: there is no " CORAL "\n");
        skip();
    }
    compare(IMPORT_DATA "tflite_coral.tsv", CORAL, true, 1e-4, 1e-4);
}

static const char *label(tl_arena *a, int class)
{
    tl_bytes file;
    ok(tl_file_read(a, CORAL "imagenet_labels.txt", 0, &file));
    const char *at = (const char *)file.p;
    while (class --) at = strchr(at, '\n') + 1;
    return tl_strndup(a, at, strcspn(at, "\r\n"));
}

static const char *classify(tl_arena *a, const tl_model *m, const char *picture)
{
    tl_plan *p;
    tl_shape s = m->g->node[m->image.i].s;
    ok(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = 1, .constant = true }, &p));
    const tl_loader_conf conf = { .w = s.w, .h = s.h, .c = s.c, .filter = m->filter, .norm = m->norm };
    ok(tl_picture_read(a, tl_printf(a, CORAL "%s", picture), &conf, tl_plan_value(p, m->image).f));
    ok(tl_plan_forward(p));
    tl_tensor y = tl_plan_value(p, m->answer);
    int best = 0;
    for (int i = 1; i < y.s.c; i++)
        if (y.f[i] > y.f[best]) best = i;
    return label(a, best);
}

/* What LiteRT 2.3 says of the pictures in the networks' own arithmetic (of the cat: some cat). None of them knows
 * an owl. */
static void calls_the_pictures_as_litert_does(void **state)
{
    static const char *const pictures[] = { "cat_720p.jpg", "parrot.jpg", "owl.jpg" };
    static const struct {
        const char *file, *says[3];
    } nets[] = {
        { "mobilenet_v1_0.25_128_quant", { " cat", "macaw", "hare" } },
        { "mobilenet_v1_0.5_160_quant", { " cat", "macaw", "ruffed grouse" } },
        { "mobilenet_v1_0.75_192_quant", { " cat", "macaw", "bustard" } },
        { "mobilenet_v2_1.0_224_quant", { " cat", "macaw", "ruffed grouse" } },
        { "tf2_mobilenet_v2_1.0_224_ptq", { " cat", "macaw", "ruffed grouse" } },
    };
    (void)state;
    if (!tl_is_dir(CORAL)) {
        print_message("skipped: there is no " CORAL "\n");
        skip();
    }
    for (int i = 0; i < TL_LEN(nets); i++)
        for (int k = 0; k < TL_LEN(pictures); k++) {
            tl_arena *a = tl_arena_new();
            tl_foreign f;
            ok(import_file(&tl_importer_tflite, a, tl_printf(a, CORAL "%s.tflite", nets[i].file), &f));
            assert_true(f.model->classes.n >= 1000);
            const char *got = classify(a, f.model, pictures[k]);
            if (!strstr(got, nets[i].says[k])) fail_msg("%s calls %s %s", nets[i].file, pictures[k], got);
            tl_arena_free(a);
        }
}

static tl_bytes load(tl_arena *a, const char *name)
{
    tl_bytes file;
    ok(tl_file_read(a, tl_printf(a, IMPORT_DATA "%s", name), 0, &file));
    return file;
}

static void knows_what_pixels_mean(void **state)
{
    static const struct {
        const char *name;
        float mean, scale;
        bool trunk;
        const char *note;
    } cases[] = {
        { "tflite_flat_float.tflite", 127.5f, 1 / 127.5f, false, "was assumed" },
        { "tflite_flat_uint8.tflite", 127, 2 / 255.0f, false, "became floats" }, /* -1..1 in 0..255 */
        { "tflite_mean_int8.tflite", 127, 2 / 255.0f, true, "became floats" },
    };
    (void)state;
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_arena *a = tl_arena_new();
        tl_foreign f;
        ok(import_file(&tl_importer_tflite, a, tl_printf(a, IMPORT_DATA "%s", cases[i].name), &f));
        assert_float_equal(f.model->norm.mean[0], cases[i].mean, 1.01);
        assert_float_equal(f.model->norm.rstd[0], cases[i].scale, 1e-4);
        assert_int_equal(tl_model_is_trunk(f.model), cases[i].trunk);
        assert_non_null(strstr(f.note, cases[i].note));
        tl_arena_free(a);
    }
}

/* An operation's code, in the table of codes of a copy of tflite_flat_float.tflite, becomes another. */
static void names_what_it_cannot_read(void **state)
{
    static const struct {
        int from, to;
        const char *words;
    } cases[] = {
        { 3, 117, "(HARD_SWISH): this operator is not supported" },
        { 9, 77, "(SHAPE): this operator" },
        { 17, 120, "(operator 120): this operator" },
        { 2, 39, "1 of its" },
    };
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes good = load(a, "tflite_flat_float.tflite");
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_fb f = { .file = good };
        tl_fb_vector codes = tl_fb_list(tl_fb_root(&f), 1, 4);
        uint8_t *copy = tl_new(a, uint8_t, good.n);
        memcpy(copy, good.p, good.n);
        for (size_t k = 0; k < codes.n; k++) {
            tl_fb_table t = tl_fb_table_at(codes, k);
            if (tl_fb_int(t, 0, 1, 0) != cases[i].from) continue;
            for (size_t field = 0; field < t.fields && field <= 3; field += 3) { /* the old field and the new one */
                uint16_t at;
                memcpy(&at, good.p + t.vtable + 4 + 2 * field, 2);
                if (at) copy[t.at + at] = (uint8_t)cases[i].to;
            }
        }
        refused(&tl_importer_tflite, "x.tflite", copy, good.n, TL_EUNSUP, cases[i].words);
    }
    refused(&tl_importer_tflite, "x.tflite", good.p, good.n / 2, TL_EFORMAT, "cut off or damaged");
    refused(&tl_importer_tflite, "x.tflite", "\20\0\0\0TFL3", 8, TL_EFORMAT, "TFLite file");
    assert_false(tl_importer_tflite.knows((tl_bytes){ good.p, 7 }));
    tl_arena_free(a);
}

static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    survives_damage(&tl_importer_tflite, "x.tflite", load(a, "tflite_mean_int8.tflite"), 1);
    survives_damage(&tl_importer_tflite, "x.tflite", load(a, "tflite_flat_half.tflite"), 5);
    tl_arena_free(a);
}

static void failing_allocations_do_no_harm(void **state)
{
    (void)state;
    survives_want(&tl_importer_tflite, IMPORT_DATA "tflite_flat_half.tflite");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_litert),
        cmocka_unit_test(answers_as_the_converted_networks),
        cmocka_unit_test(calls_the_pictures_as_litert_does),
        cmocka_unit_test(knows_what_pixels_mean),
        cmocka_unit_test(names_what_it_cannot_read),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(failing_allocations_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
