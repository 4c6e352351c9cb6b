/* test_loader.c - the loader: order, threads, resuming, unreadable pictures. SPDX-License-Identifier: MIT */
#include "augment.h"
#include "places.h"
#include <math.h>

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
                ok(tl_image_load(p->a, s->path, 3, (tl_size){ SIDE, SIDE }, &m));
                ok(tl_image_resize(p->a, &m, (tl_crop){ 0, 0, (float)m.w, (float)m.h }, SIDE, SIDE,
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
    ok(tl_image_load(a, sample(d, i)->path, 3, (tl_size){ (int)ceil(SIDE / 0.45), (int)ceil(SIDE / 0.45) }, &whole));
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
