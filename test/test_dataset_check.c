/* test_dataset_check.c - what is told of data sets. SPDX-License-Identifier: MIT */
#include "places.h"
#include "check.h"
#include "rng.h"
#include <jansson.h>

static tl_check run(place *p, tl_label_conf c)
{
    tl_list splits;
    tl_check out;
    ok(tl_splits_find(p->a, &c, &splits));
    ok(tl_check_run(p->a, splits, NULL, &out));
    return out;
}

static const tl_finding *finding(const tl_check *c, const char *kind, const char *words)
{
    const tl_finding *f = c->finding.at;
    for (int i = 0; i < c->finding.n; i++)
        if (!strcmp(f[i].kind, kind) && strstr(f[i].text, words)) return f + i;
    return NULL;
}

static void assert_found(const tl_check *c, const char *kind, const char *words, int count, const char *example)
{
    const tl_finding *f = finding(c, kind, words);
    if (!f) fail_msg("no finding '%s' with \"%s\"", kind, words);
    if (f->count != count) fail_msg("%s: %d and not %d", kind, f->count, count);
    if (example && !(f->example.n && strstr(*(const char **)f->example.at, example)))
        fail_msg("%s: the first example is %s", kind, f->example.n ? *(const char **)f->example.at : "absent");
}

/* ---- Looks ---- */

static void count_pair(void *ctx, int i, int k)
{
    assert_true(i < k);
    ++*(int *)ctx;
}

/* All pairs that comparing all with all finds, each once; whole columns may be blank, as where there is sky. */
static void every_pair_is_found_once(void **state)
{
    place *p = *state;
    enum { N = 3000 };
    tl_look *l = tl_new(p->a, tl_look, N);
    const tl_look **at = tl_new(p->a, const tl_look *, N);
    tl_rng r = tl_rng_at(3, 0, 0, 0);
    int found = 0, want = 0;
    for (int i = 0; i < N; i++) {
        at[i] = l + i;
        for (int w = 0; w < 4; w++) l[i].bits[w] = tl_rng_bits(&r) & (i % 3 ? UINT64_MAX : 0xffffu << 8);
        if (i % 4) continue;
        if (i) l[i] = l[tl_rng_below(&r, i)];
        for (int flips = tl_rng_below(&r, 20); flips > 0; flips--) {
            int bit = tl_rng_below(&r, 256);
            l[i].bits[bit / 64] ^= UINT64_C(1) << bit % 64;
        }
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < i; k++) want += tl_look_distance(l + i, l + k) <= TL_LOOK_NEAR;
    ok(tl_look_pairs(p->a, at, N, count_pair, &found));
    assert_int_equal(found, want);
    assert_true(want > 300);
}

static tl_look look_of(place *p, const char *image, int w, int h)
{
    tl_image m, small;
    tl_look l;
    ok(tl_image_load(p->a, tl_path_join(p->a, IMAGES, image), 1, (tl_size){ 0, 0 }, &m));
    if (w) {
        ok(tl_image_resize(p->a, &m, (tl_crop){ 0, 0, (float)m.w, (float)m.h }, w, h, TL_BICUBIC, &small));
        m = small;
    }
    ok(tl_look_at(p->a, &m, &l));
    return l;
}

static void looks_survive_resizing(void **state)
{
    place *p = *state;
    tl_look whole = look_of(p, "large.jpg", 0, 0), small = look_of(p, "large.jpg", 50, 37),
            big = look_of(p, "large.jpg", 200, 150), other = look_of(p, "baseline.jpg", 0, 0);
    assert_true(tl_look_distance(&whole, &big) <= TL_LOOK_NEAR);
    assert_true(tl_look_distance(&whole, &small) <= TL_LOOK_NEAR);
    assert_true(tl_look_distance(&whole, &other) > 2 * TL_LOOK_NEAR);
}

/* ---- Faults ---- */
#define BOX(class, x1, y1, x2, y2) class " 0 0 0 " #x1 " " #y1 " " #x2 " " #y2 " 0 0 0 0 0 0 0\n"

static void faults_are_found(void **state)
{
    place *p = *state;
    static const struct { const char *name, *image, *label; } set[] = {
        { "train/%s/a.%s", "large.jpg", BOX("car", 1, 2, 30, 40) BOX("car", 1, 2, 30, 40) BOX("bus", 5, 5, 5, 9) },
        { "train/%s/b.%s", "large.jpg", BOX("car", 1, 2, 90, 40) BOX("car", 9, 2, 3, 40) BOX("car", 70, 2, 80, 40) },
        { "train/%s/c.%s", "baseline.jpg", "" },
        { "train/%s/d.%s", "rgb8.png", NULL },
        { "val/%s/e.%s", "large.jpg", BOX("car", 1, 2, 30, 40) },
        { "val/%s/f.%s", NULL, BOX("tr%s%nam", 1, 2, 30, 40) },
    };
    for (int i = 0; i < TL_LEN(set); i++) {
        const char *suffix = set[i].image && strstr(set[i].image, ".png") ? "png" : "jpg";
        if (set[i].image) put_image(p, tl_printf(p->a, set[i].name, "images", suffix), set[i].image);
        if (set[i].label) put_text(p, tl_printf(p->a, set[i].name, "labels", "txt"), set[i].label);
    }
    put(p, "val/images/g.jpg", "\xff\xd8\xff nonsense", 12);
    put_text(p, "val/labels/g.txt", "");
    tl_check c = run(p, (tl_label_conf){ .labels = at(p, "") });
    assert_int_equal(c.split.n, 2);
    assert_found(&c, "unreadable", "1 picture of val is unreadable", 1, "g.jpg");
    assert_found(&c, "picture_missing", "1 picture of val", 1, "'f'");
    assert_found(&c, "copy", "1 picture of train is a copy", 1, "a.jpg' = '");
    assert_found(&c, "copy_across", "1 picture of train is found in another part", 1, "a.jpg' = '");
    assert_found(&c, "unlabeled", "1 picture of train", 1, "d.png");
    assert_found(&c, "box_empty", "1 box of train", 1, "a.txt', line 3: 5 5 5 9");
    assert_found(&c, "box_inverted", "1 box of train", 1, "b.txt', line 2: 9 2 3 40");
    assert_found(&c, "box_outside", "1 box of train", 1, "line 3");
    assert_found(&c, "box_clipped", "1 box of train", 1, "line 1: 1 2 90 40");
    assert_found(&c, "object_twice", "1 object of train", 1, "a.txt': car at 1 2 30 40");
    assert_found(&c, "class_missing", "2 classes of train", 2, "bus");
    assert_found(&c, "class_unmeasured", "1 class of val", 1, "bus");
    assert_found(&c, "class_small", "1 class of train", 1, "car: 3");
    assert_int_equal(c.errors, 2);
    assert_int_equal(c.finding.n, c.errors + c.warnings);
    assert_true(((const tl_finding *)c.finding.at)[0].error);
    assert_int_equal(c.stats[0].empty, 1);
    assert_int_equal(c.stats[0].size[TL_SIZE_BINS - 1], 3);
}

static void other_faults_are_found(void **state)
{
    place *p = *state;
    put_image(p, "x/images/1.jpg", "large.jpg");
    put_image(p, "x/images/2.jpg", "baseline.jpg");
    put_image(p, "x/images/3.jpg", "progressive.jpg");
    put_text(p, "x/l.csv", "filename,class,xmin,ymin,xmax,ymax,width,height\n1.jpg,,,,,,50,67\n2.jpg,,,,,,23,17\n"
                           "3.jpg,,,,,,,\n");
    tl_check c = run(p, (tl_label_conf){ .labels = at(p, "x") });
    assert_found(&c, "no_objects", "no object is labeled", 1, NULL);
    assert_found(&c, "other_size", "1 picture has another size", 1, "1.jpg': 50 x 67 in the labels, 67 x 50 in truth");
    assert_found(&c, "similar", "1 pair of pictures looks alike", 1, "' ~ '");
    assert_int_equal(c.errors, 1);
}

/* ---- Telling ---- */
static void it_is_told(void **state)
{
    place *p = *state;
    const char *text, *json;
    put_image(p, "data/images/train/1.jpg", "large.jpg");
    put_text(p, "data/labels/train/1.txt", "0 0.5 0.5 0.1 0.2\n");
    put_image(p, "data/images/val/2.jpg", "baseline.jpg");
    put_text(p, "data/labels/val/2.txt", "0 0.5 0.5 1 1\n");
    put_text(p, "data/data.yaml", "names: [ape]\n");
    tl_check c = run(p, (tl_label_conf){ .labels = at(p, "data") });
    ok(tl_check_text(p->a, &c, &text));
    const char *says[] = { "train: yolo labels in '", "1 pictures, 0 of them without objects; 1 objects\n",
                           "class     train       val\nape           1         1\nall           1         1\n",
                           "  1/8 to 1/4               1 #########################################\n",
                           "warning: 1 class of train has fewer than 20 objects, too few to rely on\n  ape: 1\n",
                           "0 errors, 1 warning\n" };
    for (int i = 0; i < TL_LEN(says); i++)
        if (!strstr(text, says[i])) fail_msg("lacks \"%s\":\n%s", says[i], text);
    ok(tl_check_json(p->a, &c, &json));
    json_t *j = json_loads(json, 0, NULL);
    assert_non_null(j);
    assert_int_equal(json_integer_value(json_object_get(j, "warnings")), 1);
    const json_t *val = json_array_get(json_object_get(j, "splits"), 1);
    assert_string_equal(json_string_value(json_object_get(val, "name")), "val");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(val, "classes"), "ape")), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(j, "findings"), 0), "kind")),
                        "class_small");
    json_decref(j);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    tl_status s = TL_ENOMEM;
    for (long n = 0; s; n++) {
        tl_list splits;
        tl_check c;
        const char *text;
        tl_arena *a = tl_arena_new();
        tl_oom_countdown = n;
        s = tl_splits_find(a, &(tl_label_conf){ .labels = "test/data/label/kitti", .pictures = IMAGES }, &splits);
        if (!s) s = tl_check_run(a, splits, NULL, &c);
        if (!s) s = tl_check_text(a, &c, &text);
        if (!s) s = tl_check_json(a, &c, &text);
        tl_oom_countdown = -1;
        tl_arena_free(a);
        if (s && s != TL_ENOMEM) fail_msg("allocation %ld: %d, %s", n, s, tl_errmsg());
        assert_true(n < 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_pair_is_found_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(looks_survive_resizing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_faults_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_may_run_out, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
