/* test_data.c - datasets, reports, normalization, augmentation and the loader.
 * SPDX-License-Identifier: MIT */
#include "augment.h"
#include "data.h"
#include "picture.h"
#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGES "test/data/images/"

/* ---- Folders made for a test, in a temporary place ---- */

typedef struct {
    tl_arena *a;
    char root[64];
} place;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static int set_up(void **state)
{
    place *p = calloc(1, sizeof *p);
    p->a = tl_arena_new();
    snprintf(p->root, sizeof p->root, "/tmp/tlc-test-data-XXXXXX");
    *state = p;
    return mkdtemp(p->root) ? 0 : -1;
}

static int tear_down(void **state)
{
    place *p = *state;
    nftw(p->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    tl_arena_free(p->a);
    free(p);
    return 0;
}

static char *at(place *p, const char *name) { return tl_path_join(p->a, p->root, name); }

static void put(place *p, const char *name, const void *bytes, size_t n)
{
    char *path = at(p, name), *dir = tl_strdup(p->a, path);
    *strrchr(dir, '/') = 0;
    ok(tl_mkdirs(dir));
    ok(tl_file_write(path, bytes, n));
}

static void put_text(place *p, const char *name, const char *text)
{
    put(p, name, text, strlen(text));
}

static void put_image(place *p, const char *name, const char *image)
{
    tl_bytes b;
    ok(tl_file_read(p->a, tl_path_join(p->a, IMAGES, image), 0, &b));
    put(p, name, b.p, b.n);
}

static tl_dataset *scan(place *p, const char *name, const tl_list *classes)
{
    tl_dataset *d;
    ok(tl_formats[0]->scan(p->a, at(p, name), classes, &d));
    return d;
}

static const tl_sample *sample(const tl_dataset *d, int i)
{
    return (const tl_sample *)d->sample.at + i;
}

/* ---- Folder format ---- */

static void folders_are_classes(void **state)
{
    place *p = *state;
    static const char *const files[] = { "b/1.jpg",        "a b/x.PNG",
                                         "a b/sub/y.jpeg", "a b/sub/deeper/z.jpg",
                                         "a b/Z.jpg",      "\xc3\xa9t\xc3\xa9/\xc3\xa9.jpg",
                                         "B/2.jpg",        ".hidden/no.jpg",
                                         "b/.no.jpg",      "stray.jpg" };
    for (int i = 0; i < TL_LEN(files); i++) put_text(p, files[i], "not looked at");
    put_text(p, "b/notes.txt", "");
    put_text(p, "b/old.bmp", "");
    assert_int_equal(symlink(at(p, "b/1.jpg"), at(p, "B/link.jpg")), 0);
    assert_int_equal(symlink(at(p, "b"), at(p, "b/circle")), 0);
    assert_int_equal(symlink(at(p, "b"), at(p, "linked")), 0);
    tl_dataset *d = scan(p, "", NULL);
    static const char *const classes[] = { "B", "a b", "b", "linked", "\xc3\xa9t\xc3\xa9" };
    static const struct {
        const char *path;
        int label;
    } want[] = {
        { "B/2.jpg", 0 },   { "B/link.jpg", 0 },     { "a b/Z.jpg", 1 },
        { "a b/x.PNG", 1 }, { "a b/sub/y.jpeg", 1 }, { "a b/sub/deeper/z.jpg", 1 },
        { "b/1.jpg", 2 },   { "linked/1.jpg", 3 },   { "\xc3\xa9t\xc3\xa9/\xc3\xa9.jpg", 4 },
    };
    assert_int_equal(d->classes.n, TL_LEN(classes));
    for (int i = 0; i < TL_LEN(classes); i++)
        assert_string_equal(((const char **)d->classes.at)[i], classes[i]);
    assert_int_equal(d->sample.n, TL_LEN(want));
    for (int i = 0; i < TL_LEN(want); i++) {
        assert_string_equal(sample(d, i)->path, at(p, want[i].path));
        assert_int_equal(sample(d, i)->label, want[i].label);
    }
    assert_int_equal(d->ignored, 4); /* two in b, seen again through the link */
    assert_string_equal(d->ignored_first, at(p, "b/notes.txt"));
}

static void folder_errors_help(void **state)
{
    place *p = *state;
    put_text(p, "empty/readme.txt", "");
    put_text(p, "single/cats/1.jpg", "");
    put_text(p, "bare/a/1.gif", "");
    put_text(p, "bare/b/1.gif", "");
    put_text(p, "train/a/1.jpg", "");
    put_text(p, "train/b/1.jpg", "");
    put_text(p, "val/a/1.jpg", "");
    put_text(p, "val/c d/1.jpg", "");
    tl_dataset *train = scan(p, "train", NULL), *d;
    const struct {
        const char *path;
        const tl_list *classes;
        const char *says[2];
    } rows[] = {
        { "absent", NULL, { "absent' does not exist", "" } },
        { "empty/readme.txt", NULL, { "is a file", "one folder per class" } },
        { "empty", NULL, { "no class folders in", "" } },
        { "single", NULL, { "a single class, 'cats'", "at least two" } },
        { "bare", NULL, { "no pictures", "bare/a/1.gif" } },
        { "val", &train->classes, { "missing 'b'", "unknown 'c d'" } },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        assert_int_equal(tl_formats[0]->scan(p->a, at(p, rows[i].path), rows[i].classes, &d),
                         TL_EDATA);
        for (int k = 0; k < 2; k++)
            if (!strstr(tl_errmsg(), rows[i].says[k]))
                fail_msg("%s: %s", rows[i].path, tl_errmsg());
    }
    put_text(p, "one/a/1.jpg", "");
    ok(tl_mkdirs(at(p, "one/b")));
    assert_int_equal(scan(p, "one", &train->classes)->sample.n,
                     1); /* an empty class folder is fine, and reported */
}

/* ---- Report ---- */

static void report_tells_all(void **state)
{
    place *p = *state;
    for (int i = 0; i < 21; i++)
        put_text(p, tl_printf(p->a, "train/b\xc3\xa4r/%02d.jpg", i), tl_printf(p->a, "bear %d", i));
    put_text(p, "train/ox/1.jpg", "ox 1");
    put_text(p, "train/ox/2.jpg", "ox 1");
    put_text(p, "train/ox/bear.jpg", "bear 4");
    put_text(p, "train/ox/scan.tiff", "");
    ok(tl_mkdirs(at(p, "train/yak")));
    for (int i = 0; i < 7; i++)
        put_text(p, tl_printf(p->a, "val/b\xc3\xa4r/%d.jpg", i),
                 tl_printf(p->a, "bear %d", 10 + i));
    put_text(p, "val/ox/x.jpg", "ox 3");
    ok(tl_mkdirs(at(p, "val/yak")));
    tl_dataset *train = scan(p, "train", NULL), *val = scan(p, "val", &train->classes);
    const char *text;
    ok(tl_dataset_report(p->a, train, val, &text));
    static const char *const wants[] = {
        ("class    train      val\n"
         "b\xc3\xa4r         21        7\n"
         "ox           3        1\n"
         "yak          0        0\n"
         "all         24        8\n"),
        "\nwarning: class 'ox' has only 3 training pictures",
        "\nwarning: class 'yak' has no training picture",
        "\nwarning: class 'yak' has no validation picture",
        "\nwarning: 1 file in ",
        "scan.tiff'\n",
        "\n1 picture found twice in the same set:\n",
        "\nwarning: 1 picture found with two labels; one of the two must be wrong:\n",
        "\nwarning: 7 pictures of validation found in the training set as well",
        "\n  and 2 more\n",
    };
    for (int i = 0; i < TL_LEN(wants); i++)
        if (!strstr(text, wants[i])) fail_msg("lacks \"%s\":\n%s", wants[i], text);
    assert_non_null(strstr(text, tl_printf(p->a, "  '%s' = '%s'\n", at(p, "train/ox/2.jpg"),
                                           at(p, "train/ox/1.jpg"))));
    assert_non_null(strstr(text, tl_printf(p->a, "  '%s' = '%s'\n", at(p, "train/ox/bear.jpg"),
                                           at(p, "train/b\xc3\xa4r/04.jpg"))));
    ok(tl_dataset_report(p->a, train, NULL, &text));
    assert_null(strstr(text, "val"));
}

/* BLAKE2b with 16 bytes of output, of "ox 1": Python's hashlib.blake2b(b"ox 1", digest_size=16). */
static void hashes_are_blake2b(void **state)
{
    place *p = *state;
    put_text(p, "d/a/1.jpg", "ox 1");
    put_text(p, "d/b/1.jpg", "");
    tl_dataset *d = scan(p, "d", NULL);
    assert_int_equal(unlink(at(p, "d/b/1.jpg")), 0);
    ok(tl_dataset_hash(d));
    assert_memory_equal(&sample(d, 0)->hash, "\x3b\xda\x7f\x13\x1b\x91\x68\xde", 8);
    assert_true(sample(d, 1)->hash == 0);
}

/* ---- Normalization ---- */

static void modes_as_the_original(void **state)
{
    (void)state;
    static const float own[] = { 1, 2, 3 };
    static const struct {
        const char *mode;
        int c;
        const float *mean;
        float want[3];
    } rows[] = {
        /* of RGB 10, 100, 255 */
        { "caffe", 3, NULL, { 255 - 103.939f, 100 - 116.779f, 10 - 123.68f } },
        { "", 3, own, { 254, 98, 7 } },
        { NULL, 1, NULL, { 10 - 117.3786f } },
        { "caffe", 1, own, { 9 } },
        { "torch",
          3,
          NULL,
          { (10 / 255.0f - 0.485f) / 0.224f, (100 / 255.0f - 0.456f) / 0.224f,
            (1 - 0.406f) / 0.224f } },
        { "torch", 1, NULL, { (10 / 255.0f - 0.449f) / 0.224f } },
        { "tf", 3, NULL, { 10 / 127.5f - 1, 100 / 127.5f - 1, 1 } },
        { "tf", 1, NULL, { 10 / 127.5f - 1 } },
    };
    static const uint8_t x[] = { 10, 100, 255 };
    tl_norm n;
    for (int i = 0; i < TL_LEN(rows); i++) {
        ok(tl_norm_for(rows[i].mode, rows[i].c, rows[i].mean, &n));
        for (int c = 0; c < rows[i].c; c++)
            assert_float_equal((x[n.order[c]] - n.mean[c]) * n.rstd[c], rows[i].want[c],
                               1e-5f * (1 + fabsf(rows[i].want[c])));
    }
    assert_int_equal(tl_norm_for("cafe", 3, NULL, &n), TL_EARG);
    assert_non_null(strstr(tl_errmsg(), "\"cafe\"; use caffe, torch or tf"));
    assert_int_equal(tl_norm_for("tf", 3, own, &n), TL_EARG);
    assert_int_equal(tl_norm_for("tf", 4, NULL, &n), TL_EARG);
}

/* ---- Augmentation ---- */

static void center_crop_is_centered(void **state)
{
    (void)state;
    /* 500 x 375 covers 256 x 256 as 341 x 256; cut 224 at 170 - 112 = 58 and 128 - 112 = 16. */
    tl_box b = tl_crop_center(500, 375, 224, 224);
    assert_float_equal(b.x, 58 * 500 / 341.0f, 1e-3f);
    assert_float_equal(b.w, 224 * 500 / 341.0f, 1e-3f);
    assert_float_equal(b.y, 16 * 375 / 256.0f, 1e-3f);
    assert_float_equal(b.h, 224 * 375 / 256.0f, 1e-3f);
}

static void random_crop_keeps_shape_and_bounds(void **state)
{
    (void)state;
    static const int sizes[][4] = { { 500, 375, 224, 224 },
                                    { 100, 700, 64, 32 },
                                    { 224, 224, 224, 224 },
                                    { 3, 2, 50, 40 },
                                    { 65535, 1, 224, 224 } };
    for (int k = 0; k < TL_LEN(sizes); k++) {
        int sw = sizes[k][0], sh = sizes[k][1], w = sizes[k][2], h = sizes[k][3];
        double tight = fmax((double)w / sw, (double)h / sh), sum = 0, left = 0;
        float least = 1, most = 0;
        for (uint64_t i = 0; i < 4000; i++) {
            tl_rng r = tl_rng_at(1, 0, i, TL_DRAW_CROP);
            tl_box b = tl_crop_random(&r, sw, sh, w, h);
            assert_true(b.x >= 0 && b.y >= 0 && b.x + b.w <= (float)sw + 0.01f &&
                        b.y + b.h <= (float)sh + 0.01f);
            float f = (float)(sw * tight >= w && (double)h / sh < tight ? b.w / (float)sw
                                                                        : b.h / (float)sh);
            least = fminf(least, f);
            most = fmaxf(most, f);
            sum += (double)f / 4000;
            left += (double)(b.x / fmaxf((float)sw - b.w, 1e-3f)) / 4000;
        }
        assert_true(least > 0.44f && least < 0.46f && most > 0.985f && most <= 1.001f);
        assert_float_equal(sum, 0.725f, 0.01f);
        if (k < 3) assert_float_equal(left, 0.5f, 0.03f);
    }
}

static void color_changes_as_drawn(void **state)
{
    (void)state;
    float m[12], same[12], sum = 0, square = 0;
    tl_color_rows(0, 1, 1, m);
    for (int i = 0; i < 12; i++) assert_float_equal(m[i], i == 0 || i == 5 || i == 10, 1e-6f);
    tl_color_rows(0, 0, 1, m); /* no saturation: luminance everywhere */
    for (int i = 0; i < 3; i++) assert_float_equal(m[4 * i + 1], 0.587f, 1e-6f);
    tl_color_rows(20, 1, 1,
                  m); /* a turn keeps gray, and luminance, nearly: the matrices are rounded */
    for (int i = 0; i < 3; i++) {
        assert_float_equal(m[4 * i] + m[4 * i + 1] + m[4 * i + 2], 1, 0.01f);
        assert_float_equal(0.299f * m[i] + 0.587f * m[4 + i] + 0.114f * m[8 + i],
                           ((float[]){ 0.299f, 0.587f, 0.114f })[i], 0.01f);
    }
    tl_color_rows(0, 1, 1.1f, m); /* contrast about the middle */
    assert_float_equal(m[0] * 0.5f + m[3], 0.5f, 1e-6f);
    assert_float_equal(m[0] * 1.0f + m[3], 1.05f, 1e-6f);
    for (uint64_t i = 0; i < 4000; i++) {
        tl_rng r = tl_rng_at(3, 0, i, TL_DRAW_COLOR);
        tl_color_draw(&r, m);
        r = tl_rng_at(3, 0, i, TL_DRAW_COLOR);
        float degrees = 12.5f * tl_truncated_normal(&r), saturation = tl_uniform_in(&r, 0.8f, 1.2f);
        tl_color_rows(degrees, saturation, 1 + 0.05f * tl_truncated_normal(&r), same);
        assert_memory_equal(m, same, sizeof m);
        sum += degrees / 4000;
        square += degrees * degrees / 4000;
    }
    assert_float_equal(sum, 0, 0.6f);
    assert_float_equal(sqrtf(square), 12.5f * 0.8796f,
                       0.4f); /* a normal cut at 2 sigma has 0.8796 sigma */
}

static void mixup_blends_with_the_reverse(void **state)
{
    (void)state;
    float x[] = { 0, 10, 1, 11, 4, 14 }, sum = 0;
    tl_mixup(x, 3, 2, (float[]){ 0.75f, 0.5f, 1 });
    static const float want[] = { 1, 11, 1, 11, 4, 14 };
    for (int i = 0; i < 6; i++) assert_float_equal(x[i], want[i], 1e-6f);
    for (uint64_t i = 0; i < 4000; i++) {
        tl_rng r = tl_rng_at(5, 0, i, TL_DRAW_MIXUP);
        float l = tl_mixup_draw(&r, 1);
        assert_true(l >= 0.5f && l <= 1);
        sum += l / 4000;
    }
    assert_float_equal(sum, 0.75f, 0.01f); /* uniform on [1/2, 1] */
}

/* ---- Loader ---- */

#define SIDE 16
static const char *const good[] = { "baseline.jpg", "rgb.jpg",    "cmyk.jpg", "exif6.jpg",
                                    "exif2.jpg",    "large.jpg",  "ycck.jpg", "rgb8.png",
                                    "palette8.png", "rgba16.png", "gray.jpg", "444.jpg",
                                    "one_pixel.png" };

/* 13 readable pictures in two classes; bad: and so many unreadable ones, spread. */
static tl_dataset *pictures(place *p, int bad)
{
    for (int i = 0; i < TL_LEN(good); i++)
        put_image(p, tl_printf(p->a, "set/%c/%02d.png", "ab"[i % 2], i), good[i]);
    for (int i = 0; i < bad; i++)
        put_text(p, tl_printf(p->a, "set/%c/%02dbad.jpg", "ab"[i % 2], 3 * i), "rubbish");
    return scan(p, "set", NULL);
}

static tl_loader_conf plain(void)
{
    tl_loader_conf c = {
        .w = SIDE, .h = SIDE, .c = 3, .batch = 4, .threads = 1, .max_bad = 1, .seed = 9
    };
    ok(tl_norm_for("torch", 3, NULL, &c.norm));
    return c;
}

static tl_loader_conf training(void)
{
    tl_loader_conf c = plain();
    c.random_crop = c.color = c.hflip = c.shuffle = c.wrap = true;
    c.mixup_alpha = 0.4f;
    c.smoothing = 0.1f;
    return c;
}

static uint64_t hash_batch(uint64_t h, const tl_batch *b, const tl_loader_conf *c)
{
    h = fnv(h, &b->n, sizeof b->n);
    h = fnv(h, b->sample, sizeof(int) * (size_t)b->n);
    h = fnv(h, b->target, sizeof(float) * 2 * (size_t)c->batch);
    return fnv(h, b->x, sizeof(float) * (size_t)(c->batch * c->w * c->h * c->c));
}

/* The hash of epochs `epoch`.. `epochs`-1, from this batch on. */
static uint64_t hash_epochs(tl_loader *l, const tl_loader_conf *c, int epoch, int batch, int epochs)
{
    uint64_t h = FNV;
    for (; epoch < epochs; epoch++, batch = 0) {
        const tl_batch *b;
        ok(tl_loader_start(l, epoch, batch));
        do {
            ok(tl_loader_next(l, &b));
            if (b) h = hash_batch(h, b, c);
        } while (b);
    }
    return h;
}

static uint64_t run(const tl_dataset *d, tl_loader_conf c, int epoch, int batch, int epochs)
{
    tl_arena *a = tl_arena_new();
    tl_loader *l;
    ok(tl_loader_new(a, d, &c, &l));
    uint64_t h = hash_epochs(l, &c, epoch, batch, epochs);
    tl_arena_free(a);
    return h;
}

static void rows_hold_the_pictures(void **state)
{
    place *p = *state;
    tl_dataset *d = pictures(p, 0);
    tl_loader_conf c = plain();
    tl_loader *l;
    const tl_batch *b;
    ok(tl_loader_new(p->a, d, &c, &l));
    assert_int_equal(tl_loader_batches(l), 4);
    ok(tl_loader_next(l, &b)); /* not started */
    assert_null(b);
    ok(tl_loader_start(l, 0, 0));
    for (int i = 0; i < 4; i++) {
        ok(tl_loader_next(l, &b));
        assert_non_null(b);
        assert_int_equal(b->n, i < 3 ? 4 : 1);
        for (int k = 0; k < c.batch; k++) {
            float *x = b->x + k * SIDE * SIDE * 3, want[SIDE * SIDE * 3] = { 0 };
            tl_image m, r;
            if (k < b->n) {
                const tl_sample *s = sample(d, b->sample[k]);
                assert_int_equal(b->sample[k], 4 * i + k);
                assert_float_equal(b->target[2 * k + s->label], 1, 0);
                assert_float_equal(b->target[2 * k + 1 - s->label], 0, 0);
                ok(tl_image_load(p->a, s->path, 3, SIDE, &m));
                ok(tl_image_resize(p->a, &m, (tl_box){ 0, 0, (float)m.w, (float)m.h }, SIDE, SIDE,
                                   TL_BILINEAR, &r));
                for (int j = 0; j < SIDE * SIDE * 3; j++)
                    want[j] = ((float)r.p[j] / 255 - ((float[]){ 0.485f, 0.456f, 0.406f })[j % 3]) /
                              0.224f;
            }
            for (int j = 0; j < SIDE * SIDE * 3; j++) assert_float_equal(x[j], want[j], 1e-5f);
        }
    }
    ok(tl_loader_next(l, &b));
    assert_null(b);
    assert_int_equal(tl_loader_bad(l).n, 0);
    float one[SIDE * SIDE * 3];
    ok(tl_picture_read(p->a, sample(d, 12)->path, &c, one));
    ok(tl_loader_start(l, 0, 3));
    ok(tl_loader_next(l, &b));
    assert_memory_equal(b->x, one, sizeof one);
}

/* A training row, put together from the parts that have tests of their own. */
static void expected_row(tl_arena *a, const tl_dataset *d, const tl_loader_conf *c, uint64_t epoch,
                         int i, float *x)
{
    tl_image whole, m;
    float rows[12];
    ok(tl_image_load(a, sample(d, i)->path, 3, (int)ceil(SIDE / 0.45), &whole));
    tl_rng r = tl_rng_at(c->seed, epoch, (uint64_t)i, TL_DRAW_CROP);
    ok(tl_image_resize(a, &whole, tl_crop_random(&r, whole.w, whole.h, SIDE, SIDE), SIDE, SIDE,
                       c->filter, &m));
    r = tl_rng_at(c->seed, epoch, (uint64_t)i, TL_DRAW_COLOR);
    tl_color_draw(&r, rows);
    tl_image_color(&m, rows);
    r = tl_rng_at(c->seed, epoch, (uint64_t)i, TL_DRAW_FLIP);
    if (tl_uniform(&r) < 0.5f) tl_image_flip(&m);
    for (int k = 0; k < SIDE * SIDE * 3; k++)
        x[k] = ((float)m.p[k] - c->norm.mean[k % 3]) * c->norm.rstd[k % 3];
}

static void training_rows_are_augmented_and_mixed(void **state)
{
    place *p = *state;
    tl_dataset *d = pictures(p, 0);
    tl_loader_conf c = training();
    c.shuffle = false;
    c.smoothing = 0;
    tl_loader *l;
    const tl_batch *b;
    ok(tl_loader_new(p->a, d, &c, &l));
    ok(tl_loader_start(l, 2, 0));
    ok(tl_loader_next(l, &b));
    float row[4][SIDE * SIDE * 3];
    for (int k = 0; k < 4; k++) expected_row(p->a, d, &c, 2, k, row[k]);
    for (int k = 0; k < 4; k++) {
        tl_rng r = tl_rng_at(c.seed, 2, (uint64_t)k, TL_DRAW_MIXUP);
        float lambda = tl_mixup_draw(&r, c.mixup_alpha);
        for (int j = 0; j < SIDE * SIDE * 3; j++)
            assert_float_equal(b->x[k * SIDE * SIDE * 3 + j],
                               lambda * row[k][j] + (1 - lambda) * row[3 - k][j], 1e-4f);
        int mine = sample(d, k)->label, other = sample(d, 3 - k)->label;
        assert_float_equal(b->target[2 * k + mine], (mine == other ? 1.0f : lambda), 1e-6f);
    }
}

/* The same bytes at any number of threads, with and without a cache, with unreadable pictures among
 * them. */
static void threads_and_cache_change_nothing(void **state)
{
    place *p = *state;
    tl_dataset *d = pictures(p, 3);
    for (int kind = 0; kind < 4; kind++) {
        tl_loader_conf c = kind & 1 ? training() : plain();
        c.hflip = true;
        c.center_crop = kind == 2;
        c.wrap = kind > 0;
        uint64_t want = run(d, c, 0, 0, 3);
        for (c.threads = 1; c.threads <= 4; c.threads *= 2)
            for (c.cache_bytes = 0; c.cache_bytes < 3; c.cache_bytes++) {
                tl_loader_conf k = c;
                k.cache_bytes = (size_t[]){ 0, 5000, 1 << 20 }[c.cache_bytes];
                assert_true(run(d, k, 0, 0, 3) == want);
            }
    }
}

static void epochs_and_seeds_differ(void **state)
{
    place *p = *state;
    tl_dataset *d = pictures(p, 0);
    tl_loader_conf c = training(), other = c;
    other.seed++;
    assert_true(run(d, c, 0, 0, 1) != run(d, c, 1, 0, 2));
    assert_true(run(d, c, 0, 0, 1) != run(d, other, 0, 0, 1));
}

static void resumes_inside_an_epoch(void **state)
{
    place *p = *state;
    tl_dataset *d = pictures(p, 2);
    tl_loader_conf c = training();
    c.threads = 2;
    tl_loader *l;
    const tl_batch *b;
    ok(tl_loader_new(p->a, d, &c, &l));
    ok(tl_loader_start(l, 3, 0));
    uint64_t want = FNV;
    for (int i = 0;; i++) {
        ok(tl_loader_next(l, &b));
        if (!b) break;
        if (i >= 2) want = hash_batch(want, b, &c);
    }
    assert_true(run(d, c, 3, 2, 4) == want); /* a new process */
    ok(tl_loader_start(l, 0, 0));
    ok(tl_loader_next(l, &b));
    assert_true(hash_epochs(l, &c, 3, 2, 4) ==
                want); /* the same one, in the middle of something else */
    assert_int_equal(tl_loader_start(l, 0, 99), TL_EARG);
}

static void training_batches_are_full(void **state)
{
    place *p = *state;
    tl_dataset *d = pictures(p, 3);
    tl_loader_conf c = training();
    c.mixup_alpha = 0;
    tl_loader *l;
    const tl_batch *b;
    int seen[16] = { 0 }, batches = 0;
    ok(tl_loader_new(p->a, d, &c, &l));
    ok(tl_loader_start(l, 0, 0));
    for (;; batches++) {
        ok(tl_loader_next(l, &b));
        if (!b) break;
        assert_int_equal(b->n, c.batch);
        for (int k = 0; k < b->n; k++) {
            int label = sample(d, b->sample[k])->label;
            seen[b->sample[k]]++;
            assert_float_equal(b->target[2 * k + label], 0.95f, 1e-6f);
            assert_float_equal(b->target[2 * k + 1 - label], 0.05f, 1e-6f);
        }
    }
    assert_int_equal(batches, 4);
    tl_list bad = tl_loader_bad(l);
    assert_int_equal(bad.n, 3);
    for (int i = 0; i < 3; i++) {
        const tl_bad *e = (const tl_bad *)bad.at + i;
        const char *path = sample(d, e->sample)->path;
        assert_non_null(strstr(path, "bad.jpg"));
        assert_non_null(strstr(e->why, path));
        assert_non_null(strstr(e->why, "not a picture"));
    }
    for (int i = 0; i < d->sample.n; i++)
        assert_true((seen[i] == 0) == (strstr(sample(d, i)->path, "bad") != NULL));
}

/* With two unreadable ones, 00bad after 00 and 03bad after 03, none at the end of its class. */
static void the_next_readable_stands_in(void **state)
{
    place *p = *state;
    tl_dataset *d = pictures(p, 2);
    tl_loader_conf c = plain();
    c.threads = 2;
    for (int wrap = 0; wrap < 2; wrap++) {
        c.wrap = wrap;
        tl_loader *l;
        const tl_batch *b;
        ok(tl_loader_new(p->a, d, &c, &l));
        ok(tl_loader_start(l, 0, 0));
        for (int i = 0; i < 4; i++) {
            ok(tl_loader_next(l, &b));
            int row = 0;
            for (int k = 0; k < 4; k++) {
                int s = (4 * i + k) % d->sample.n;
                float want[SIDE * SIDE * 3];
                if (!wrap && 4 * i + k >= d->sample.n) break;
                if (strstr(sample(d, s)->path, "bad") && !wrap) continue;
                if (strstr(sample(d, s)->path, "bad")) s++;
                assert_int_equal(b->sample[row], s);
                ok(tl_picture_read(p->a, sample(d, s)->path, &c, want));
                assert_memory_equal(b->x + row++ * SIDE * SIDE * 3, want, sizeof want);
            }
            assert_int_equal(b->n, row);
        }
    }
}

static void evaluation_sees_each_picture_once(void **state)
{
    place *p = *state;
    tl_dataset *d = pictures(p, 3);
    tl_loader_conf c = plain();
    c.batch = 1; /* so that some batches have nothing readable at all */
    c.threads = 3;
    tl_loader *l;
    const tl_batch *b;
    int seen[16] = { 0 }, batches = 0;
    ok(tl_loader_new(p->a, d, &c, &l));
    ok(tl_loader_start(l, 0, 0));
    for (;; batches++) {
        ok(tl_loader_next(l, &b));
        if (!b) break;
        for (int k = 0; k < b->n; k++) seen[b->sample[k]]++;
    }
    assert_int_equal(batches, 13);
    for (int i = 0; i < d->sample.n; i++)
        assert_int_equal(seen[i], strstr(sample(d, i)->path, "bad") ? 0 : 1);
}

static void too_many_bad_stop_the_run(void **state)
{
    place *p = *state;
    tl_dataset *d = pictures(p, 3);
    static const struct {
        float most;
        bool stops;
    } rows[] = { { 0.2f, false }, { 0.1f, true }, { 0, true } };
    for (int i = 0; i < TL_LEN(rows); i++)
        for (int train = 0; train < 2; train++) {
            tl_loader_conf c = train ? training() : plain();
            c.max_bad = rows[i].most;
            tl_arena *a = tl_arena_new();
            tl_loader *l;
            const tl_batch *b = NULL;
            tl_status s;
            ok(tl_loader_new(a, d, &c, &l));
            ok(tl_loader_start(l, 0, 0));
            do s = tl_loader_next(l, &b);
            while (!s && b);
            assert_int_equal(s, rows[i].stops ? TL_EDATA : TL_OK);
            if (s) assert_non_null(strstr(tl_errmsg(), "bad.jpg': not a picture"));
            tl_arena_free(a);
        }
}

static void nothing_readable_stops_the_run(void **state)
{
    place *p = *state;
    for (int i = 0; i < 30; i++)
        put_text(p, tl_printf(p->a, "none/%c/%d.jpg", "ab"[i % 2], i), "rubbish");
    tl_dataset *d = scan(p, "none", NULL);
    tl_loader_conf c = training();
    tl_loader *l;
    const tl_batch *b;
    ok(tl_loader_new(p->a, d, &c, &l));
    ok(tl_loader_start(l, 0, 0));
    assert_int_equal(tl_loader_next(l, &b), TL_EDATA);
    assert_non_null(strstr(tl_errmsg(), "30 of the 30 pictures"));
    assert_non_null(strstr(tl_errmsg(), "and 10 more"));
}

static void ends_cleanly_at_any_moment(void **state)
{
    place *p = *state;
    tl_dataset *d = pictures(p, 2);
    tl_loader_conf c = training();
    for (int i = 0; i < 40; i++) {
        tl_arena *a = tl_arena_new();
        tl_loader *l;
        const tl_batch *b;
        c.threads = 1 + i % 4;
        ok(tl_loader_new(a, d, &c, &l));
        for (int k = 0; k < i % 3; k++) ok(tl_loader_start(l, k, k));
        for (int k = 0; k < i % 6; k++) ok(tl_loader_next(l, &b));
        tl_arena_free(a);
    }
}

static void out_of_memory_everywhere(void **state)
{
    place *p = *state;
    tl_dataset *d = pictures(p, 1);
    for (long n = 0, done = 0; !done; n++) {
        tl_arena *a = tl_arena_new();
        tl_loader_conf c = training();
        tl_loader *l;
        tl_dataset *again;
        const char *text;
        tl_oom_countdown = n;
        tl_status s = tl_formats[0]->scan(a, d->root, NULL, &again);
        if (!s) s = tl_dataset_report(a, again, d, &text);
        if (!s) s = tl_loader_new(a, again, &c, &l);
        tl_oom_countdown = -1;
        if (s && s != TL_ENOMEM) fail_msg("allocation %ld: %d, %s", n, s, tl_errmsg());
        done = !s;
        tl_arena_free(a);
    }
}

static void real_pictures_load(void **state)
{
    place *p = *state;
    static const char folder[] = "../shared/data/hymenoptera/val";
    if (!tl_is_dir(folder)) {
        print_message("skipped: no %s\n", folder);
        skip();
    }
    tl_dataset *d;
    tl_loader_conf c = training();
    tl_loader *l;
    const tl_batch *b;
    int n = 0;
    ok(tl_formats[0]->scan(p->a, folder, NULL, &d));
    assert_int_equal(d->sample.n, 153);
    c.w = c.h = 224;
    c.wrap = false;
    ok(tl_loader_new(p->a, d, &c, &l));
    ok(tl_loader_start(l, 0, 0));
    do {
        ok(tl_loader_next(l, &b));
        n += b ? b->n : 0;
    } while (b);
    assert_int_equal(n, 153);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders_are_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folder_errors_help, set_up, tear_down),
        cmocka_unit_test_setup_teardown(report_tells_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hashes_are_blake2b, set_up, tear_down),
        cmocka_unit_test(modes_as_the_original),
        cmocka_unit_test(center_crop_is_centered),
        cmocka_unit_test(random_crop_keeps_shape_and_bounds),
        cmocka_unit_test(color_changes_as_drawn),
        cmocka_unit_test(mixup_blends_with_the_reverse),
        cmocka_unit_test_setup_teardown(rows_hold_the_pictures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(training_rows_are_augmented_and_mixed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_readable_stands_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_and_cache_change_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(epochs_and_seeds_differ, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resumes_inside_an_epoch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(training_batches_are_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(evaluation_sees_each_picture_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_bad_stop_the_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_readable_stops_the_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ends_cleanly_at_any_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(real_pictures_load, set_up, tear_down),
        cmocka_unit_test_setup_teardown(out_of_memory_everywhere, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
