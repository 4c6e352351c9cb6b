/* test_dataset_convert.c - labels into TFRecords: files of another program, byte for byte. SPDX-License-Identifier:
 * MIT */
#include "places.h"
#include "export.h"
#include "pyrandom.h"
#include "tfrecord.h"

#define GOLDEN "test/data/tfrecord/"

/* ---- Python's random numbers: what its own random.Random(42) answers ---- */
static void shuffles_as_python_does(void **state)
{
    (void)state;
    static const int ten[] = { 7, 3, 2, 8, 5, 6, 9, 4, 0, 1 }, seven[] = { 1, 2, 5, 6, 0, 3, 4 },
                     thousand[] = { 353, 282, 342, 281, 211 };
    static int v[1000];
    tl_pyrandom r = tl_pyrandom_seed(42);
    for (int i = 0; i < 1000; i++) v[i] = i;
    tl_pyrandom_shuffle(&r, v, 10);
    assert_memory_equal(v, ten, sizeof ten);
    for (int i = 0; i < 7; i++) v[i] = i;
    tl_pyrandom_shuffle(&r, v, 7);
    assert_memory_equal(v, seven, sizeof seven);
    for (int i = 0; i < 1000; i++) v[i] = i;
    tl_pyrandom_shuffle(&r, v, 1000);
    assert_memory_equal(v, thousand, sizeof thousand);
}

/* ---- A data set ---- */

static tl_bytes slurp(place *p, const char *path)
{
    tl_bytes b;
    ok(tl_file_read(p->a, path, 0, &b));
    return b;
}

static void copy(place *p, const char *from, const char *to)
{
    tl_bytes b = slurp(p, from);
    put(p, to, b.p, b.n);
}

static void make_set(place *p)
{
    tl_list names;
    ok(tl_dir_list(p->a, GOLDEN "labels", &names));
    for (int i = 0; i < names.n; i++) {
        const char *file = ((const char **)names.at)[i], *stem = tl_strndup(p->a, file, strlen(file) - 4);
        copy(p, tl_path_join(p->a, GOLDEN "labels", file), tl_printf(p->a, "set/labels/%s", file));
        put_image(p, tl_printf(p->a, "set/images/%s.png", stem), strcmp(stem, "b_01") ? "gray8.png" : "one_pixel.png");
    }
    copy(p, GOLDEN "sequences.json", "set/sequences.json");
    copy(p, GOLDEN "coco_0.json", "set/coco_0.json");
    copy(p, GOLDEN "coco_1.json", "set/coco_1.json");
}

static const char *said; /* what the last conversion told */
static void hear(void *ctx, const char *text)
{
    place *p = ctx;
    said = tl_printf(p->a, "%s%s", said ? said : "", text);
}

static tl_status convert(place *p, const char *spec, const char *output, int fold, bool overwrite,
                         tl_export_result *r)
{
    const tl_dataset_export *e;
    const char *warnings, *text = tl_printf(p->a, spec, at(p, "set"));
    ok(tl_dataset_export_load(p->a, "spec", text, NULL, 0, &e, &warnings));
    said = NULL;
    return tl_dataset_export_write(p->a, e, &(tl_export_conf){ at(p, output), fold, overwrite },
                                   &(tl_listener){ .say = hear, .ctx = p }, r);
}

static int count_files(place *p, const char *dir, const char *begin)
{
    tl_list names;
    int n = 0;
    ok(tl_dir_list(p->a, at(p, dir), &names));
    for (int i = 0; i < names.n; i++) n += !strncmp(((const char **)names.at)[i], begin, strlen(begin));
    return n;
}

#define KITTI "kitti_config { root_directory_path: \"%s\" image_dir_name: \"images\" label_dir_name: \"labels\" "
#define RANDOM KITTI "partition_mode: \"random\" num_partitions: 2 val_split: 30 "
#define MODIFY                                                                                                     \
    "sample_modifier_config { filter_samples_containing_only: \"Car\" dominant_target_classes: \"car\" "            \
    "num_duplicates: 2 max_training_samples: 9 minimum_target_class_imbalance { key: \"person\" value: 0.5 } "      \
    "source_to_target_class_mapping { key: \"car\" value: \"car\" } "                                              \
    "source_to_target_class_mapping { key: \"Pedestrian\" value: \"person\" } }"

/* ---- Another program's files ---- */
static void files_are_the_originals(void **state)
{
    place *p = *state;
    static const struct { const char *name, *spec; int fold, files; } rows[] = {
        { "random", RANDOM "num_shards: 2 }", -1, 4 },
        { "whole", KITTI "partition_mode: \"random\" num_partitions: 2 }", -1, 1 },
        { "sequence",
          KITTI "partition_mode: \"sequence\" kitti_sequence_to_frames_file: \"sequences.json\" num_partitions: 3 }", -1,
          3 },
        { "modified", RANDOM "} " MODIFY, 0, 2 },
        { "coco",
          "coco_config { root_directory_path: \"%s\" img_dir_names: [\"images\", \"images\"] annotation_files: "
          "[\"coco_0.json\", \"coco_1.json\"] num_partitions: 2 }", -1, 2 },
    };
    make_set(p);
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_export_result r;
        tl_list names;
        ok(convert(p, rows[i].spec, tl_printf(p->a, "out/%s", rows[i].name), rows[i].fold, false, &r));
        assert_int_equal(r.files, rows[i].files);
        assert_int_equal(count_files(p, "out", tl_printf(p->a, "%s-", rows[i].name)), rows[i].files);
        ok(tl_dir_list(p->a, GOLDEN, &names));
        for (int k = 0; k < names.n; k++) {
            const char *name = ((const char **)names.at)[k];
            if (strncmp(name, rows[i].name, strlen(rows[i].name)) || !strstr(name, "-fold-")) continue;
            tl_bytes want = slurp(p, tl_path_join(p->a, GOLDEN, name)),
                     got = slurp(p, at(p, tl_printf(p->a, "out/%s", name)));
            if (want.n != got.n || memcmp(want.p, got.p, got.n)) fail_msg("%s: %zu and %zu bytes", name, got.n, want.n);
        }
    }
}

/* Boxes within a pixel are left out and listed; what is said is what the original says. */
static void what_is_dropped_is_told(void **state)
{
    place *p = *state;
    tl_export_result r;
    put_image(p, "set/images/1.jpg", "large.jpg");
    put_image(p, "set/images/2.jpg", "large.jpg");
    put_text(p, "set/labels/1.txt", "Car 0 0 0 1 2 1.9 40 0 0 0 0 0 0 0\nCar 0 0 0 1 2 9 9 0 0 0 0 0 0 0\n");
    put_text(p, "set/labels/2.txt", "bus 0 0 0 -7.5 9 20 2 0 0 0 0 0 0 0\nCAR 0 0 0 1 2 9 9 0 0 0 0 0 0 0\n");
    ok(convert(p, KITTI "image_extension: \".jpg\" num_partitions: 2 val_split: 50 }", "x", -1, false, &r));
    assert_int_equal(r.dropped, 2);
    assert_int_equal(r.objects, 2);
    assert_string_equal(r.warnings, at(p, "x_warning.json"));
    const char *want = tl_printf(p->a,
                                 "{\n  \"%s_0\": [\n    1,\n    2,\n    1,\n    40\n  ],\n"
                                 "  \"%s_0\": [\n    -7,\n    9,\n    20,\n    2\n  ]\n}",
                                 at(p, "set/labels/1.txt"), at(p, "set/labels/2.txt"));
    assert_string_equal((const char *)slurp(p, r.warnings).p, want);
    const char *says[] = { "Num images in\nTrain: 1\tVal: 1\n", "Writing partition 1, shard 0\n",
                           "Cumulative object statistics\n\nWrote the following numbers of objects:\nb'car': 2\n\n",
                           "Label in tfrecords file \nb'Car': b'car'\nb'bus': b'bus'\nb'CAR': b'car'\n",
                           "Tfrecords generation complete.\n" };
    for (int i = 0; i < TL_LEN(says); i++)
        if (!strstr(said, says[i])) fail_msg("lacks \"%s\":\n%s", says[i], said);
}

/* ---- Nothing is lost ---- */
static void earlier_files_stay(void **state)
{
    place *p = *state;
    tl_export_result r;
    make_set(p);
    ok(convert(p, RANDOM "num_shards: 3 }", "x", -1, false, &r));
    tl_bytes before = slurp(p, at(p, "x-fold-001-of-002-shard-00002-of-00003"));
    assert_int_equal(convert(p, RANDOM "}", "x", -1, false, &r), TL_EARG);
    assert_non_null(strstr(tl_errmsg(), "--overwrite"));
    put_text(p, "x-fold-notes", "mine");
    for (long n = 0;; n++) { /* whatever write fails, the old files are whole and no others are left */
        tl_write_countdown = n;
        tl_status s = convert(p, RANDOM "}", "x", -1, true, &r);
        tl_write_countdown = -1;
        if (!s) break;
        assert_int_equal(s, TL_EIO);
        assert_int_equal(count_files(p, "", "x-fold-0"), 6 + (tl_file_exists(at(p, "x-fold-000-of-002")) ? 1 : 0));
        tl_bytes now = slurp(p, at(p, "x-fold-001-of-002-shard-00002-of-00003"));
        assert_true(now.n == before.n && !memcmp(now.p, before.p, now.n));
        assert_true(n < 1000);
    }
    assert_int_equal(count_files(p, "", "x-fold-0"), 2);
    assert_true(tl_file_exists(at(p, "x-fold-notes")));
}

/* ---- Mistakes ---- */
static void mistakes_are_told(void **state)
{
    place *p = *state;
    static const struct { const char *file, *text, *spec; int fold; const char *says; } rows[] = {
        { "set/images/e_0.png", "", RANDOM "}", -1, "has no label file '" },
        { "set/labels/a_00.txt", "car 0 0 0 1 2 9 9 0 0 0 0 0 0 0 0.5\n", RANDOM "}", -1, "a detector's score" },
        { "set/labels/a_00.txt", "car 0 0 0 1 2 9 9\n", RANDOM "}", -1, "a_00.txt', line 1: 8 fields" },
        { NULL, NULL, KITTI "image_extension: \".jpg\" num_partitions: 2 }", -1, "there are no pictures '*.jpg'" },
        { NULL, NULL, RANDOM "}", 2, "there is no fold 2" },
        { NULL, NULL, RANDOM "} sample_modifier_config { dominant_target_classes: \"car\" }", -1,
          "dominant_target_classes has 'car'" },
        { "set/sequences.json", "{\"a\": [\"a_00\", \"z\"]}",
          KITTI "partition_mode: \"sequence\" kitti_sequence_to_frames_file: \"sequences.json\" }", -1, "images/z.png'" },
        { "set/sequences.json", "[1]",
          KITTI "partition_mode: \"sequence\" kitti_sequence_to_frames_file: \"sequences.json\" }", -1, "an object" },
        { "set/sequences.json", "{\"a\":\n3}",
          KITTI "partition_mode: \"sequence\" kitti_sequence_to_frames_file: \"sequences.json\" }", -1, "are no list" },
        { "set/coco_0.json",
          "{\"images\":[{\"id\":1,\"file_name\":\"q.png\",\"width\":3,\"height\":3}],\"annotations\":[]}",
          "coco_config { root_directory_path: \"%s\" img_dir_names: \"images\" annotation_files: \"coco_0.json\" "
          "num_partitions: 1 }", -1, "1 of the 1 pictures" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_export_result r;
        make_set(p);
        if (rows[i].file) put_text(p, rows[i].file, rows[i].text);
        tl_status s = convert(p, rows[i].spec, "x", rows[i].fold, false, &r);
        if (!s || !strstr(tl_errmsg(), rows[i].says)) fail_msg("row %d: %d, %s", i, s, s ? tl_errmsg() : "written");
        assert_int_equal(count_files(p, "", "x"), 0);
        unlink(at(p, "set/images/e_0.png"));
    }
}

static void memory_may_run_out(void **state)
{
    place *p = *state;
    const tl_dataset_export *e;
    const char *warnings;
    make_set(p);
    ok(tl_dataset_export_load(p->a, "spec", tl_printf(p->a, RANDOM "} " MODIFY, at(p, "set")), NULL, 0, &e, &warnings));
    const tl_export_conf c = { at(p, "x"), 0, true };
    tl_status s = TL_ENOMEM;
    for (long n = 0; s; n++) {
        tl_export_result r;
        tl_arena *a = tl_arena_new();
        tl_oom_countdown = n;
        s = tl_dataset_export_write(a, e, &c, NULL, &r);
        tl_oom_countdown = -1;
        tl_arena_free(a);
        if (s && s != TL_ENOMEM) fail_msg("allocation %ld: %d, %s", n, s, tl_errmsg());
        assert_true(n < 100000);
    }
    assert_int_equal(count_files(p, "", "x-"), 2);
}

/* ---- Records ---- */
static void damage_is_told(void **state)
{
    place *p = *state;
    const char *golden = GOLDEN "random-fold-000-of-002-shard-00001-of-00002";
    tl_bytes whole = slurp(p, golden);
    uint8_t *b = tl_alloc_raw(p->a, whole.n);
    static const struct { size_t cut, flip; tl_status want; const char *says; } rows[] = {
        { 0, 0, TL_EFORMAT, "record 1: not a TFRecord file" },
        { 0, 9, TL_EFORMAT, "record 1: not a TFRecord file" },
        { 0, 100, TL_EFORMAT, "record 1: its bytes do not have the checksum" },
        { 1, SIZE_MAX, TL_EFORMAT, "record 3: the file ends in the middle" },
        { 0, SIZE_MAX, TL_OK, NULL },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_records r;
        tl_bytes record = { (const uint8_t *)"", 0 };
        memcpy(b, whole.p, whole.n);
        if (rows[i].flip < whole.n) b[rows[i].flip] ^= 4;
        put(p, "r", b, whole.n - rows[i].cut);
        const char *path = at(p, "r");
        ok(tl_records_open(p->a, path, &r));
        tl_status s = TL_OK;
        while (!s && record.p) s = tl_records_next(p->a, &r, &record);
        if (s != rows[i].want || (s && !strstr(tl_errmsg(), rows[i].says))) fail_msg("row %d: %d, %s", i, s, tl_errmsg());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffles_as_python_does),
        cmocka_unit_test_setup_teardown(files_are_the_originals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_dropped_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(earlier_files_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_may_run_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
