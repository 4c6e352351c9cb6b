/* test_dataset_store.c - labels written and read again, data sets in parts. SPDX-License-Identifier: MIT */
#include "labels.h"
#include "store.h"
#include "text.h"
#include <sys/stat.h>

static const char *const forms[] = { "kitti", "voc", "coco", "yolo", "csv" };

static tl_status convert(place *p, const tl_labels *l, const char *form, const char *to, tl_picture_store how)
{
    tl_store_conf c = { .folder = at(p, to), .how = how, .parts = 1 };
    ok(tl_label_format_find(p->a, form, &c.format));
    return tl_store(p->a, l, &c, NULL);
}

static const char *said; /* what was told */
static void hear(void *ctx, const char *text)
{
    place *p = ctx;
    said = tl_printf(p->a, "%s%s", said ? said : "", text);
}

/* ---- There and back ---- */

/* From each form into each: the same pictures with the same boxes. */
static void every_form_into_every_other(void **state)
{
    place *p = *state;
    for (int i = 0; i < TL_LEN(forms); i++) {
        tl_labels *x = load(p->a, (tl_label_conf){ .labels = tl_path_join(p->a, "test/data/label", forms[i]),
                                                   .pictures = IMAGES, .measure = true });
        for (int k = 0; k < TL_LEN(forms); k++) {
            const char *to = tl_printf(p->a, "%s_%s", forms[i], forms[k]);
            ok(convert(p, x, forms[k], to, k & 1 ? TL_LINK : TL_COPY));
            tl_labels *y = load(p->a, (tl_label_conf){ .labels = at(p, to), .measure = true });
            assert_string_equal(y->format->name, forms[k]);
            assert_agree(p->a, x, y, !strcmp(forms[k], "yolo") || !strcmp(forms[k], "coco") ? 1e-4 : 0); /* edges of sums */
            assert_int_equal(x->classes.n, y->classes.n);
            for (int n = 0; n < y->npictures; n++) assert_true(y->picture[n].found);
        }
    }
}

#define TWO "a b's <&>, \"x\": y"
/* What each form can say of an object is there afterwards, awkward names too. */
static void what_a_form_says_stays(void **state)
{
    place *p = *state;
    static const struct { const char *form; const char *second; float truncation; int occlusion, flags; float score; bool world;
    } rows[] = {
        { "kitti", "a_b's_<&>,_\"x\":_y", 0.25f, 2, TL_SCORED, 0.75f, true },
        { "voc", TWO, 1, 1, TL_DIFFICULT, 0, false },
        { "coco", TWO, 0, 0, TL_CROWD | TL_SCORED, 0.75f, false },
        { "yolo", TWO, 0, 0, TL_SCORED, 0.75f, false },
        { "csv", TWO, 0.25f, 1, TL_CROWD | TL_DIFFICULT | TL_SCORED, 0.75f, false },
    };
    put_image(p, "in/images/q.jpg", "large.jpg");
    tl_picture picture = { at(p, "in/images/q.jpg"), "", 67, 50, 0, 2, true };
    tl_object o[] = { { .box = { 1, 2, 3.5f, 4.1f } },
                      { { 5, 6, 60, 40.125f }, 0.25f, 0.75f, 1, 2, TL_CROWD | TL_DIFFICULT | TL_SCORED } };
    tl_world world[] = { { 0 }, { 1, 2, 3, 4, 5, 6, 7, 8 } };
    const char *names[] = { "plain", TWO };
    const tl_labels l = { .npictures = 1, .nobjects = 2, .picture = &picture, .object = o, .world = world,
                          .classes = { 2, names } };
    for (int i = 0; i < TL_LEN(rows); i++) {
        const bool yaml = !strcmp(rows[i].form, "yolo"); /* the little of it that is read has no escapes */
        names[1] = yaml ? "a b: [c]" : TWO;
        ok(convert(p, &l, rows[i].form, rows[i].form, TL_COPY));
        const tl_labels *r = load(p->a, (tl_label_conf){ .labels = at(p, rows[i].form), .measure = true, .world = true });
        const tl_object *b = r->object + 1;
        assert_int_equal(r->nobjects, 2);
        assert_string_equal(class_name(r, b), yaml ? names[1] : rows[i].second);
        assert_string_equal(class_name(r, r->object), "plain");
        if (!same_box(b->box, o[1].box, yaml ? 1e-4 : 0)) fail_msg("%s: another box", rows[i].form);
        assert_true(b->truncation == rows[i].truncation && b->score == rows[i].score);
        assert_int_equal(b->occlusion, rows[i].occlusion);
        assert_int_equal(b->flags, rows[i].flags);
        if (rows[i].world) assert_memory_equal(r->world + 1, world + 1, sizeof *world);
        else assert_null(r->world);
    }
}

static void hundred_pictures_through_all_forms(void **state)
{
    place *p = *state;
    const char *root = tl_strdup(p->a, shared("metrics-reference/rodm/database"));
    tl_labels *first = load(p->a, (tl_label_conf){ .labels = tl_path_join(p->a, root, "gts/pascalvoc_format"),
                                                   .pictures = tl_path_join(p->a, root, "images"), .measure = true }),
              *l = first;
    for (int i = 0; i < TL_LEN(forms); i++) {
        ok(convert(p, l, forms[i], forms[i], TL_LINK));
        l = load(p->a, (tl_label_conf){ .labels = at(p, forms[i]), .measure = true });
        assert_int_equal(l->npictures, 100);
        assert_agree(p->a, first, l, 1e-3);
    }
}

/* ---- Nothing is lost ---- */
static void folders_stay(void **state)
{
    place *p = *state;
    tl_labels *l = load(p->a, (tl_label_conf){ .labels = "test/data/label/kitti", .pictures = IMAGES, .measure = true });
    put_text(p, "full/mine.txt", "mine");
    assert_int_equal(convert(p, l, "voc", "full", TL_COPY), TL_EARG);
    assert_non_null(strstr(tl_errmsg(), "is not empty"));
    assert_int_equal(convert(p, l, "voc", "full/mine.txt", TL_COPY), TL_EARG);
    assert_int_equal(convert(p, l, "tfrecord", "x", TL_COPY), TL_EUNSUP);
    for (long n = 0;; n++) { /* whatever write fails, nothing is left */
        tl_list names;
        tl_write_countdown = n;
        tl_status s = convert(p, l, "voc", "out", TL_COPY);
        tl_write_countdown = -1;
        if (!s) break;
        assert_int_equal(s, TL_EIO);
        ok(tl_dir_list(p->a, p->root, &names));
        assert_int_equal(names.n, 1);
    }
    ok(tl_mkdirs(at(p, "empty")));
    ok(convert(p, l, "csv", "empty", TL_LABELS_ONLY));
    assert_false(tl_file_exists(at(p, "empty/images")));
    assert_true(tl_file_exists(IMAGES "large.jpg"));
}

static void mistakes_are_told(void **state)
{
    place *p = *state;
    put_image(p, "a/x.jpg", "large.jpg");
    put_image(p, "b/x.png", "gray8.png");
    put_text(p, "two.csv", "filename,class,xmin,ymin,xmax,ymax\na/x.jpg,c,1,2,3,4\nb/x.png,c,1,2,3,4\n");
    put_text(p, "gone.csv", "filename,class,xmin,ymin,xmax,ymax\nq.jpg,c,1,2,3,4\n");
    tl_labels *l = load(p->a, (tl_label_conf){ .labels = at(p, "two.csv"), .pictures = at(p, "") });
    assert_int_equal(convert(p, l, "voc", "out", TL_COPY), TL_EDATA);
    assert_non_null(strstr(tl_errmsg(), "have the same name"));
    l = load(p->a, (tl_label_conf){ .labels = at(p, "gone.csv") });
    assert_int_equal(convert(p, l, "voc", "out", TL_COPY), TL_EDATA);
    assert_non_null(strstr(tl_errmsg(), "'q.jpg', of which"));
    assert_int_equal(convert(p, l, "yolo", "out", TL_LABELS_ONLY), TL_EDATA);
    assert_non_null(strstr(tl_errmsg(), "is not known"));
    assert_false(tl_file_exists(at(p, "out")));
}

/* ---- Groups ---- */
static void groups_are_told(void **state)
{
    place *p = *state;
    static const char *const names[] = { "cam1_0007.jpg", "cam1_0031.jpg", "cam2_0007.jpg", "x.jpg", "y.jpg" };
    tl_picture picture[TL_LEN(names)];
    for (int i = 0; i < TL_LEN(names); i++) picture[i] = (tl_picture){ .path = tl_printf(p->a, "d/%s", names[i]) };
    const tl_labels l = { .npictures = TL_LEN(names), .picture = picture };
    put_text(p, "map.json", "{\"one\": [\"cam1_0007\", \"y\"], \"two\": [\"x\", \"cam2_0007\", \"cam1_0031\"]}");
    put_text(p, "short.json", "{\"one\": [\"x\"]}");
    put_text(p, "twice.json", "{\"one\": [\"x\"], \"two\": [\"x\"]}");
    const struct { const char *rule; int groups, group[5]; const char *says; } rows[] = {
        { "none", 5, { 0, 1, 2, 3, 4 }, NULL },
        { "prefix", 4, { 0, 0, 1, 2, 3 }, NULL },
        { "^(.).*", 3, { 0, 0, 0, 1, 2 }, NULL },
        { at(p, "map.json"), 2, { 0, 1, 1, 1, 0 }, NULL },
        { "(cam[0-9])", 0, { 0 }, "does not match the name 'x.jpg'" },
        { "(", 0, { 0 }, "no regular expression" },
        { "prefiks", 0, { 0 }, "expected none, prefix, similar" },
        { at(p, "short.json"), 0, { 0 }, "puts the picture 'cam1_0007' into no group" },
        { at(p, "twice.json"), 0, { 0 }, "'x' is in two groups" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        int *group, n;
        tl_status s = tl_group(p->a, &l, rows[i].rule, &group, &n);
        if (!rows[i].says) {
            ok(s);
            assert_int_equal(n, rows[i].groups);
            assert_memory_equal(group, rows[i].group, sizeof rows[i].group);
        } else if (!s || !strstr(tl_errmsg(), rows[i].says)) fail_msg("row %d: %d, %s", i, s, tl_errmsg());
    }
}

/* The same picture in three encodings, and two others. */
static void lookalikes_are_a_group(void **state)
{
    place *p = *state;
    static const char *const names[] = { "baseline.jpg", "large.jpg", "optimized.jpg", "progressive.jpg", "rgb8.png" };
    tl_picture picture[TL_LEN(names)];
    int *group, n;
    for (int i = 0; i < TL_LEN(names); i++)
        picture[i] = (tl_picture){ .path = tl_path_join(p->a, IMAGES, names[i]), .found = true };
    const tl_labels l = { .npictures = TL_LEN(names), .picture = picture };
    ok(tl_group(p->a, &l, "similar", &group, &n));
    assert_true(group[0] == 0 && group[1] == 1 && group[2] == 0 && group[3] == 0);
    picture[1].found = false;
    assert_int_equal(tl_group(p->a, &l, "similar", &group, &n), TL_EDATA);
    assert_non_null(strstr(tl_errmsg(), "1 of the 5 pictures are not there"));
}

/* ---- Shares ---- */
enum { PICTURES = 1000, CLASSES = 5, PARTS = 3 };

/* Classes of very different size, one to three in a picture; scenes of up to nine pictures that look alike. */
static tl_labels *scenes(place *p, int **group, int *ngroups)
{
    tl_rng r = tl_rng_at(11, 0, 0, 0);
    tl_labels *l = tl_new(p->a, tl_labels, 1);
    l->picture = tl_new(p->a, tl_picture, PICTURES);
    l->object = tl_new(p->a, tl_object, 3 * PICTURES);
    *group = tl_new(p->a, int, PICTURES);
    *ngroups = 0;
    l->classes.n = CLASSES;
    for (int left = 0, scene = 0; l->npictures < PICTURES; left--) {
        if (!left) left = 1 + tl_rng_below(&r, 9), scene = tl_rng_below(&r, 31), ++*ngroups;
        tl_picture *q = l->picture + l->npictures;
        q->first = l->nobjects;
        for (int c = 0; c < CLASSES; c++) /* class c is in every 2^c-th scene or so */
            if (scene % (1 << c) == 0 && (c || scene)) l->object[l->nobjects++].label = (int16_t)c, q->n++;
        if (q->n > 3) l->nobjects -= q->n - 3, q->n = 3;
        (*group)[l->npictures++] = *ngroups - 1;
    }
    return l;
}

static void parts_have_their_shares(void **state)
{
    place *p = *state;
    static const double share[PARTS] = { 0.7, 0.2, 0.1 };
    int *group, ngroups, *part, *again, *other, alone[PICTURES];
    tl_labels *l = scenes(p, &group, &ngroups);
    for (int i = 0; i < PICTURES; i++) alone[i] = i;
    for (int together = 0; together < 2; together++) {
        int n[PARTS][CLASSES + 1] = { { 0 } }, all[CLASSES + 1] = { 0 }, of[PICTURES];
        ok(tl_stratify(p->a, l, together ? group : alone, together ? ngroups : PICTURES, share, PARTS, 7, &part));
        for (int i = 0; i < PICTURES; i++) {
            if (together && i && group[i] == group[i - 1]) assert_int_equal(part[i], part[i - 1]);
            of[i] = part[i];
            n[of[i]][CLASSES]++, all[CLASSES]++;
            for (int k = 0; k < l->picture[i].n; k++) {
                n[of[i]][l->object[l->picture[i].first + k].label]++;
                all[l->object[l->picture[i].first + k].label]++;
            }
        }
        /* alone: to within two pictures; scenes, with up to nine pictures, within one and a half of them */
        for (int k = 0; k < PARTS; k++)
            for (int c = 0; c <= CLASSES; c++)
                if (fabs(n[k][c] - share[k] * all[c]) > (together ? 13.5 : 2))
                    fail_msg("part %d has %d of %d pictures of class %d", k, n[k][c], all[c], c);
    }
    ok(tl_stratify(p->a, l, group, ngroups, share, PARTS, 7, &again));
    assert_memory_equal(part, again, sizeof(int) * PICTURES);
    ok(tl_stratify(p->a, l, group, ngroups, share, PARTS, 8, &other));
    assert_memory_not_equal(part, other, sizeof(int) * PICTURES);
}

/* ---- The tasks ---- */
static void frames_of_a_video_stay_together(void **state)
{
    place *p = *state;
    tl_text rows = tl_text_new(p->a);
    tl_textf(&rows, "filename,class,xmin,ymin,xmax,ymax\n");
    for (int i = 0; i < 40; i++) {
        put_image(p, tl_printf(p->a, "in/images/video%c_%02d.jpg", 'a' + i / 5, i % 5), "large.jpg");
        tl_textf(&rows, "video%c_%02d.jpg,%s,1,2,30,40\n", 'a' + i / 5, i % 5, i % 2 ? "car" : "bus");
    }
    put_text(p, "in/labels.csv", tl_text_end(&rows));
    tl_dataset_store_opts o = { .input = at(p, "in"), .output = at(p, "out"), .map = "car=vehicle,bus=vehicle", .link = true,
                                .val = 0.25f, .test = 0.125f, .seed = 1, .to = "kitti" };
    tl_dataset_store_summary s;
    said = NULL;
    ok(tl_dataset_split(p->a, &o, &(tl_listener){ .say = hear, .ctx = p }, &s));
    assert_non_null(strstr(said, "note: names fall into 8 groups"));
    assert_non_null(strstr(said, "car -> vehicle: 20 objects"));
    assert_string_equal(s.text, "class        train       val      test\nvehicle         25        10         5\n"
                                "pictures        25        10         5\n");
    o.output = at(p, "grouped");
    o.group = "prefix";
    ok(tl_dataset_split(p->a, &o, NULL, &s));
    assert_non_null(strstr(s.text, "pictures        25        10         5\n8 groups of pictures were kept together\n"));
    static const char *const parts[] = { "train", "val", "test" };
    for (int k = 0, sum = 0; k < 3; k++) {
        tl_labels *l = load(p->a, (tl_label_conf){ .labels = tl_path_join(p->a, o.output, parts[k]) });
        for (int i = 0; i < l->npictures; i++, sum++) {
            assert_true(l->picture[i].found);
            assert_string_equal(tl_path_base(l->picture[i].path) + 7, tl_printf(p->a, "%02d.jpg", i % 5));
        }
        if (k == 2) assert_int_equal(sum, 40);
    }
    assert_int_equal(tl_dataset_split(p->a, &o, NULL, &s), TL_EARG); /* the folder is not empty now */
    o.output = at(p, "more");
    o.map = "car";
    assert_int_equal(tl_dataset_split(p->a, &o, NULL, &s), TL_EARG);
    assert_non_null(strstr(tl_errmsg(), "expected OLD=NEW"));
    o.map = NULL;
    o.group = "(in|video)"; /* all in one */
    assert_int_equal(tl_dataset_split(p->a, &o, NULL, &s), TL_EDATA);
    assert_non_null(strstr(tl_errmsg(), "1 group, too few for 3 parts"));
}

#define COCO(name, categories, annotations) "{\"images\": [{\"id\": 1, \"file_name\": \"" name "\", \"width\": 67, \"height\": 50}], " \
    "\"categories\": [" categories "], \"annotations\": [" annotations "]}"
#define CATEGORY(id, name) "{\"id\": " #id ", \"name\": \"" name "\"}"
#define OBJECT(id) "{\"image_id\": 1, \"category_id\": " #id ", \"bbox\": [1, 2, 30, 40]}"

/* COCO's own folders. Both parts have a picture 7, and the second neither all classes nor their order. */
static void parts_stay_parts(void **state)
{
    place *p = *state;
    put_image(p, "in/train/7.jpg", "large.jpg");
    put_image(p, "in/val/7.jpg", "large.jpg");
    put_text(p, "in/annotations/captions_train.json", "{\"annotations\": []}");
    put_text(p, "in/annotations/instances_train.json", COCO("7.jpg", CATEGORY(4, "bus") "," CATEGORY(9, "car"), OBJECT(4) "," OBJECT(9)));
    put_text(p, "in/annotations/instances_val.json", COCO("7.jpg", CATEGORY(9, "car"), OBJECT(9)));
    tl_dataset_store_opts o = { .input = at(p, "in"), .output = at(p, "out"), .to = "yolo", .val = 0.5f };
    tl_dataset_store_summary s;
    said = NULL;
    ok(tl_dataset_convert(p->a, &o, &(tl_listener){ .say = hear, .ctx = p }, &s));
    assert_non_null(strstr(said, "train: coco labels: 1 pictures, 2 objects, 2 classes"));
    assert_non_null(strstr(s.text, "2 pictures, 3 objects, 2 classes"));
    tl_labels *l = load(p->a, (tl_label_conf){ .labels = at(p, "out/val"), .measure = true });
    assert_int_equal(l->nobjects, 1);
    assert_string_equal(class_name(l, l->object), "car");
    assert_int_equal(l->object->label, 1); /* as in the other part */
    assert_true(l->picture->found);
    assert_int_equal(tl_dataset_split(p->a, &o, NULL, &s), TL_EARG);
    assert_non_null(strstr(tl_errmsg(), "is in parts already"));
}

static void memory_may_run_out(void **state)
{
    place *p = *state;
    const tl_dataset_store_opts o = { .input = "test/data/label/voc", .images = IMAGES, .output = at(p, "out"), .val = 0.3f,
                                      .to = "coco", .group = "prefix" };
    tl_status s = TL_ENOMEM;
    for (long n = 0; s; n++) {
        tl_dataset_store_summary sum;
        tl_arena *a = tl_arena_new();
        tl_oom_countdown = n;
        s = tl_dataset_split(a, &o, NULL, &sum);
        tl_oom_countdown = -1;
        tl_arena_free(a);
        if (s && s != TL_ENOMEM) fail_msg("allocation %ld: %d, %s", n, s, tl_errmsg());
        if (s && n % 50 == 0) assert_int_equal(rmdir(p->root), 0), assert_int_equal(mkdir(p->root, 0777), 0);
        assert_true(n < 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_form_into_every_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_form_says_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hundred_pictures_through_all_forms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folders_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(groups_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lookalikes_are_a_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_have_their_shares, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_of_a_video_stay_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_stay_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_may_run_out, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
