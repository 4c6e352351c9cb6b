/* test_detect_sources.c - TFRecords as labels, and the labels of several sources as one set. SPDX-License-Identifier: MIT
 *
 * The records were written by tools/make_tfrecord_golden.py from the labels in KITTI's form beside them. */
#include "places.h"
#include "detect_sources.h"
#include "example.h"
#include "tfrecord.h"

#define GOLDEN "test/data/tfrecord/"

static void make_set(place *p)
{
    tl_list names;
    ok(tl_dir_list(p->a, GOLDEN "labels", &names));
    for (int i = 0; i < names.n; i++) {
        const char *file = ((const char **)names.at)[i];
        char *picture = tl_printf(p->a, "set/images/%.*s.png", (int)strlen(file) - 4, file);
        put_image(p, picture, strstr(file, "b_01") ? "one_pixel.png" : "gray8.png");
    }
}

static tl_status read_sources(place *p, const tl_detect_source *s, int n, const tl_list *mapping, tl_labels **l, float **w)
{
    tl_detect_source *in = tl_new(p->a, tl_detect_source, n);
    for (int i = 0; i < n; i++) {
        in[i] = s[i];
        in[i].pictures = at(p, s[i].pictures);
    }
    return tl_detect_sources_read(p->a, in, n, mapping, NULL, l, w);
}

/* The same objects of the same picture, to the bit. */
static void assert_same(const tl_labels *x, const tl_picture *p, const tl_labels *y, const tl_picture *q)
{
    assert_string_equal(p->path, q->path);
    assert_int_equal(p->w, q->w);
    assert_int_equal(p->h, q->h);
    assert_int_equal(p->n, q->n);
    for (int i = 0; i < p->n; i++) {
        const tl_object *a = x->object + p->first + i, *b = y->object + q->first + i;
        if (strcasecmp(((const char **)x->classes.at)[a->label], ((const char **)y->classes.at)[b->label]))
            fail_msg("'%s', object %d: another class", p->path, i);
        if (memcmp(&a->box, &b->box, sizeof a->box) || a->truncation != b->truncation || a->occlusion != b->occlusion)
            fail_msg("'%s', object %d: another box", p->path, i);
    }
}

/* Whatever way records were dealt to files, they say what the labels say. Boxes within a pixel, which dataset_convert
 * drops, are in the labels only. */
static void records_say_what_labels_say(void **state)
{
    place *p = *state;
    static const struct { const char *pattern; int fold; bool only; int pictures; } rows[] = {
        { GOLDEN "random-*", -1, false, 17 },       { GOLDEN "random-*", 0, true, 5 },
        { GOLDEN "random-*", 0, false, 12 },        { GOLDEN "sequence-*", -1, false, 17 },
        { GOLDEN "sequence-*", 2, true, 8 },        { GOLDEN "whole-fold-000-of-002", -1, false, 17 },
        { GOLDEN "modified-*", 1, true, 9 },
    };
    make_set(p);
    const char *dir = at(p, "set/images");
    tl_labels *all;
    ok(tl_labels_read(p->a, &(tl_label_conf){ .labels = GOLDEN "labels", .pictures = dir, .measure = true }, &all));
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_labels *l;
        float *weight;
        const tl_detect_source s = { .labels = rows[i].pattern, .pictures = "set", .image_extension = i & 1 ? "png" : NULL,
                                     .fold = rows[i].fold, .fold_only = rows[i].only };
        ok(read_sources(p, &s, 1, NULL, &l, &weight));
        assert_string_equal(l->format->name, "tfrecord");
        assert_int_equal(l->npictures, rows[i].pictures);
        for (int k = 0; k < l->npictures; k++) {
            const tl_picture *q = all->picture;
            assert_true(l->picture[k].found && weight[k] == 1);
            while (strcmp(q->path, l->picture[k].path)) q++;
            tl_labels whole = *all;
            tl_picture big = *q;
            whole.object = tl_new(p->a, tl_object, q->n + 1);
            for (int j = big.n = big.first = 0; j < q->n; j++) {
                const tl_box b = all->object[q->first + j].box;
                if ((int)b.x1 < (int)b.x2 && (int)b.y1 < (int)b.y2) whole.object[big.n++] = all->object[q->first + j];
            }
            assert_same(l, l->picture + k, &whole, &big);
        }
    }
}

static void sources_are_put_together(void **state)
{
    place *p = *state;
    static tl_class_pair pairs[] = { { "car", "vehicle" }, { "bus", "vehicle" }, { "pedestrian", "person" } };
    const tl_list mapping = { TL_LEN(pairs), pairs };
    make_set(p);
    put_image(p, "more/images/x.jpg", "large.jpg");
    put_text(p, "more/labels/x.txt", "bus 0 0 0 1 2 30 40 0 0 0 0 0 0 0\ntram 0 0 0 1 2 30 40 0 0 0 0 0 0 0\n");
    const tl_detect_source s[] = {
        { .labels = GOLDEN "random-*", .pictures = "set", .image_extension = ".png", .weight = 0.5f, .fold = 0 },
        { .labels = at(p, "more/labels"), .pictures = "more/images", .fold = -1 },
    };
    tl_labels *l;
    float *w;
    ok(read_sources(p, s, 2, &mapping, &l, &w));
    assert_int_equal(l->npictures, 13);
    assert_true(w[0] == 0.5f && w[11] == 0.5f && w[12] == 1);
    assert_int_equal(l->classes.n, 2);
    assert_string_equal(((const char **)l->classes.at)[0], "person");
    const tl_picture *last = l->picture + 12;
    assert_string_equal(tl_path_base(last->path), "x.jpg");
    assert_int_equal(last->n, 1);
    assert_int_equal(last->first + last->n, l->nobjects);
    assert_string_equal(((const char **)l->classes.at)[l->object[last->first].label], "vehicle");
    const tl_detect_source two[] = { s[1], s[0] }; /* without a mapping classes are those of all */
    ok(read_sources(p, two, 2, NULL, &l, &w));
    assert_string_equal(((const char **)l->classes.at)[0], "bus");
    assert_true(l->classes.n == 6);
    for (int i = 0, n = 0; i < l->npictures; n += l->picture[i++].n) assert_int_equal(l->picture[i].first, n);
}

/* ---- What cannot be read ---- */

static void put_record(place *p, const char *file, const tl_feature *f, int n)
{
    tl_bytes b;
    ok(tl_example_write(p->a, &(tl_example){ n, f }, TL_RECORD_HEAD, TL_RECORD_FOOT, &b));
    tl_record_seal((uint8_t *)(uintptr_t)b.p, b.n - TL_RECORD_HEAD - TL_RECORD_FOOT);
    put(p, file, b.p, b.n);
}

static void mistakes_are_told(void **state)
{
    place *p = *state;
    static const tl_bytes name = { (const uint8_t *)"images/a_00", 11 }, car = { (const uint8_t *)"car", 3 };
    static const float one[2] = { 1, 2 };
    const tl_feature id = { .name = "frame/id", .n = 1, .bytes = &name },
                     class = { .name = "target/object_class", .n = 1, .bytes = &car },
                     number = { .name = "target/object_class_id", .kind = TL_FEATURE_FLOAT, .n = 1, .number = one },
                     x1 = { .name = "target/coordinates_x1", .kind = TL_FEATURE_FLOAT, .n = 1, .number = one },
                     y1 = { .name = "target/coordinates_y1", .kind = TL_FEATURE_FLOAT, .n = 2, .number = one };
    make_set(p);
    ok(tl_mkdirs(at(p, "none")));
    put_record(p, "dali", (const tl_feature[]){ id, number, x1 }, 3);
    put_record(p, "anonymous", (const tl_feature[]){ class }, 1);
    put_record(p, "boxless", (const tl_feature[]){ id, class }, 2);
    put_record(p, "uneven", (const tl_feature[]){ id, class, x1, y1 }, 4);
    put(p, "empty", "", 0);
    tl_bytes whole;
    ok(tl_file_read(p->a, GOLDEN "whole-fold-000-of-002", 0, &whole));
    uint8_t *b = tl_alloc_raw(p->a, whole.n);
    memcpy(b, whole.p, whole.n);
    b[whole.n - 30] ^= 1;
    put(p, "flipped", b, whole.n);
    const struct { const char *labels, *pictures; int fold; const char *says; } rows[] = {
        { at(p, "dali"), "set", -1, "dali', record 1: it holds classes as numbers" },
        { at(p, "anonymous"), "set", -1, "anonymous', record 1: it names no picture" },
        { at(p, "boxless"), "set", -1, "record 1: it has no target/coordinates_x1" },
        { at(p, "uneven"), "set", -1, "not as many numbers in target/coordinates_y1" },
        { at(p, "flipped"), "set", -1, "flipped', record 17: its bytes do not have the checksum" },
        { GOLDEN "random-*", "none", -1, "17 of the 17 pictures that" },
        { GOLDEN "random-*", "set", 7, "" },
        { GOLDEN "nothing-*", "set", -1, "there are no files 'test/data/tfrecord/nothing-*'" },
        { GOLDEN "whole-*", "set", 0, "each of the files" },
        { at(p, "empty"), "set", -1, "" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_labels *l;
        float *w;
        const tl_detect_source s = { .labels = rows[i].labels, .pictures = rows[i].pictures, .fold = rows[i].fold };
        tl_status got = read_sources(p, &s, 1, NULL, &l, &w);
        if (!got != (i == 6) || (got && !strstr(tl_errmsg(), rows[i].says))) fail_msg("row %d: %d, %s", i, got, tl_errmsg());
    }
}

static void memory_may_run_out(void **state)
{
    place *p = *state;
    make_set(p);
    tl_status s = TL_ENOMEM;
    for (long n = 0; s; n++) {
        tl_labels *l;
        float *w;
        const tl_detect_source in = { .labels = GOLDEN "random-*", .pictures = at(p, "set"), .fold = -1 };
        tl_arena *a = tl_arena_new();
        tl_oom_countdown = n;
        s = tl_detect_sources_read(a, &in, 1, NULL, NULL, &l, &w);
        tl_oom_countdown = -1;
        tl_arena_free(a);
        if (s && s != TL_ENOMEM) fail_msg("allocation %ld: %d, %s", n, s, tl_errmsg());
        assert_true(n < 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_say_what_labels_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sources_are_put_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_may_run_out, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
