/* test_keras.c - reading Keras' HDF5 files. SPDX-License-Identifier: MIT
 *
 * The files and what is in them: tools/make_keras_golden.py. */
#include "importing.h"

extern const tl_importer tl_importer_keras;

static const char *const roles[] = { "kernel", "bias", "gamma", "beta", "mean", "var", "other" };

/* One line of a .tsv: layer, role, four dimensions, epsilon, values. */
static void check_row(const tl_foreign_tensor *t, char *line)
{
    char *rest, *layer = strtok_r(line, "\t\n", &rest), *role = strtok_r(NULL, "\t\n", &rest), *value;
    assert_string_equal(t->layer, layer);
    assert_string_equal(roles[t->role], role);
    for (int i = 0; i < 4; i++) assert_int_equal(t->dims.d[i], atoi(strtok_r(NULL, "\t\n", &rest)));
    assert_true(t->eps == strtof(strtok_r(NULL, "\t\n", &rest), NULL));
    for (size_t i = 0; i < tl_dims_count(t->dims); i++) {
        assert_non_null(value = strtok_r(NULL, "\t\n", &rest));
        if (t->at[i] != strtof(value, NULL))
            fail_msg("%s: value %zu is %.9g, not %s", t->name, i, (double)t->at[i], value);
    }
    assert_null(strtok_r(NULL, "\t\n", &rest));
}

static void reads_what_keras_writes(void **state)
{
    static const char *const files[] = { "keras_ngc", "keras_last", "keras_weights", "keras_3" };
    (void)state;
    for (int i = 0; i < TL_LEN(files); i++) {
        tl_arena *a = tl_arena_new();
        tl_foreign f;
        char line[8192];
        int n = 0;
        ok(import_file(&tl_importer_keras, a, tl_printf(a, IMPORT_DATA "%s.h5", files[i]), &f));
        FILE *golden = fopen(tl_printf(a, IMPORT_DATA "%s.tsv", files[i]), "r");
        assert_non_null(golden);
        for (; fgets(line, sizeof line, golden); n++) {
            assert_true(n < f.tensor.n);
            check_row((const tl_foreign_tensor *)f.tensor.at + n, line);
        }
        fclose(golden);
        assert_int_equal(n, f.tensor.n);
        assert_null(f.model);
        assert_int_equal(!strcmp(files[i], "keras_weights"), f.note[0] != 0);
        tl_arena_free(a);
    }
}

static tl_bytes load(tl_arena *a, const char *name)
{
    tl_bytes file;
    ok(tl_file_read(a, tl_printf(a, IMPORT_DATA "%s", name), 0, &file));
    return file;
}

/* The bytes of keras_ngc.h5 with some changed: what is looked for, how far behind it, and what to write there. */
static void refuses_with_a_remedy(void **state)
{
    static const struct {
        const char *at;
        int n, by;
        const char *put;
        int size;
        tl_status s;
        const char *words;
    } cases[] = {
        { "\211HDF", 4, 8, "\3", 1, TL_EUNSUP, "newer structures" },
        { "\211HDF", 4, 13, "\4", 1, TL_EUNSUP, "newer structures" },
        { "\211HDF", 4, 64, "\377\377\377\177", 4, TL_EFORMAT, "object header at byte" },
        { "TREE", 4, 0, "TREF", 4, TL_EFORMAT, "group at byte" },
        { "TREE", 4, 6, "\377\377", 2, TL_EFORMAT, "group at byte" },
        { "SNOD", 4, 0, "SNOT", 4, TL_EFORMAT, "list of names" },
        { "HEAP", 4, 0, "HEEP", 4, TL_EFORMAT, "heap of names" },
        { "layer_names", 11, 0, "layer_mames", 11, TL_EFORMAT, "not from Keras" },
        { "class_name", 10, -2, "]", 1, TL_EFORMAT, "model_config is damaged" },
        { "kernel:0", 8, 0, "lernel:0", 8, TL_EFORMAT, "no dataset of this name" },
    };
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes good = load(a, "keras_ngc.h5"), three = load(a, "keras_3.weights.h5");
    for (int i = 0; i < TL_LEN(cases); i++) {
        uint8_t *copy = tl_new(a, uint8_t, good.n), *at;
        memcpy(copy, good.p, good.n);
        assert_non_null(at = memmem(copy, good.n, cases[i].at, (size_t)cases[i].n));
        memcpy(at + cases[i].by, cases[i].put, (size_t)cases[i].size);
        refused(&tl_importer_keras, "x.h5", copy, good.n, cases[i].s, cases[i].words);
    }
    refused(&tl_importer_keras, "x.h5", three.p, three.n, TL_EUNSUP, "model.save('model.h5')");
    refused(&tl_importer_keras, "x.keras", "PK\3\4....model.weights.h5", 24, TL_EUNSUP, "model.save('model.h5')");
    refused(&tl_importer_keras, "x.h5", good.p, 50, TL_EFORMAT, "superblock");
    refused(&tl_importer_keras, "x.h5", good.p, good.n / 2, TL_EFORMAT, "cut off");
    assert_false(tl_importer_keras.knows((tl_bytes){ good.p, 7 }));
    tl_arena_free(a);
}

static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    survives_damage(&tl_importer_keras, "x.h5", load(a, "keras_ngc.h5"), 7);
    tl_arena_free(a);
}

static void failing_allocations_do_no_harm(void **state)
{
    (void)state;
    survives_want(&tl_importer_keras, IMPORT_DATA "keras_last.h5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_keras_writes),
        cmocka_unit_test(refuses_with_a_remedy),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(failing_allocations_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
