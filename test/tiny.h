/* tiny.h - what the tests of training share: a folder for a test, pictures made there, a network of
 * a few hundred weights. SPDX-License-Identifier: MIT */
#ifndef TL_TINY_H
#define TL_TINY_H
#include "trainer.h"
#include <ftw.h>
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static tl_arena *a;    /* of the test that runs */
static char place[64]; /* its folder */

static inline void ok(tl_status s)
{
    if (s) fail_msg("%s", tl_errmsg());
}

/* The call failed as it should, and its message has the words. */
static inline void refused(tl_status got, tl_status want, const char *words)
{
    if (got != want || !strstr(tl_errmsg(), words))
        fail_msg("%d instead of %d, '%s' instead of '%s'", got, want, got ? tl_errmsg() : "",
                 words);
}

/* ---- Places ---- */

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static inline void remove_all(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int set_up(void **state)
{
    (void)state;
    a = tl_arena_new();
    snprintf(place, sizeof place, "/tmp/tlc-test-XXXXXX");
    return a && mkdtemp(place) ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    remove_all(place);
    tl_arena_free(a);
    return 0;
}

static inline char *in(const char *dir, const char *name) { return tl_path_join(a, dir, name); }

static inline tl_bytes slurp(const char *path)
{
    tl_bytes b;
    ok(tl_file_read(a, path, 0, &b));
    return b;
}

static inline const char *text_of(const char *path) { return (const char *)slurp(path).p; }

static inline bool same_file(const char *one, const char *two)
{
    tl_bytes x = slurp(one), y = slurp(two);
    return x.n == y.n && !memcmp(x.p, y.p, x.n);
}

/* ---- Pictures: stripes, whose direction and color tell the class, under noise ---- */

enum { SIDE = 32, CLASSES = 3 };
static const char *const class_name[CLASSES] = { "cat", "dog", "owl" };

static inline void picture(uint8_t *p, int label, uint64_t seed)
{
    tl_rng r = tl_rng_at(seed, (uint64_t)label, 0, 0);
    float phase = tl_uniform_in(&r, 0, 6);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++) {
                float wave = sinf((float)(label == 0 ? x : label == 1 ? y : x + y) * 0.8f + phase);
                *p++ =
                    (uint8_t)(120 + 50 * wave + (c == label ? 25 : 0) + tl_uniform_in(&r, -40, 40));
            }
}

static inline void put_picture(const char *path, int label, uint64_t seed)
{
    static uint8_t p[SIDE * SIDE * 3];
    png_image png = {
        .version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_RGB
    };
    picture(p, label, seed);
    assert_true(png_image_write_to_file(&png, path, 0, p, 0, NULL));
}

/* n pictures of each class below dir/NAME; returns that folder. */
static inline char *put_set(const char *dir, const char *name, int n, uint64_t seed)
{
    char *root = in(dir, name);
    for (int k = 0; k < CLASSES; k++) {
        char *folder = in(root, class_name[k]);
        ok(tl_mkdirs(folder));
        for (int i = 0; i < n; i++)
            put_picture(tl_printf(a, "%s/%d.png", folder, i), k, seed + (uint64_t)i);
    }
    return root;
}

static inline tl_dataset *scan(const char *root, const tl_list *classes)
{
    tl_dataset *d;
    ok(tl_formats[0]->scan(a, root, classes, &d));
    return d;
}

/* ---- A network ---- */

/* Two blocks of convolution, batch norm and ReLU, and a head with dropout. */
static inline tl_model *tiny_model(float dropout, uint64_t seed)
{
    tl_model *m = tl_new(a, tl_model, 1);
    tl_graph *g = tl_graph_new(a);
    *m = (tl_model){ .arena = a,
                        .head = tl_head_at(0),
                     .g = g,
                     .arch = "tiny",
                     .classes = { CLASSES, (void *)(uintptr_t)class_name },
                     .mode = "tf",
                     .spec = "",
                     .history = "" };
    ok(tl_norm_for("tf", 3, NULL, &m->norm));
    tl_val x = m->image = OP(g, "input_1", input, NO_INPUT, .c = 3, .h = SIDE, .w = SIDE);
    for (g->block = 0; g->block < 2; g->block++) {
        x = OP(g, tl_name(g, "conv%d", g->block), conv2d, IN(x), .out = 6, .k = 3, .stride = 2,
               .pad = 1, .nobias = true);
        x = OP(g, tl_name(g, "bn%d", g->block), bn, IN(x), .momentum = 0.8f);
        x = OP(g, tl_name(g, "relu%d", g->block), relu, IN(x), 0);
    }
    g->block = -1;
    x = OP(g, "pool", gap, IN(x), 0);
    if (dropout > 0) x = OP(g, "dropout", dropout, IN(x), .rate = dropout);
    m->raw = OP(g, "predictions", dense, IN(x), .out = CLASSES);
    m->answer = OP(g, "softmax", softmax, IN(m->raw), 0);
    g->output = m->answer.i;
    ok(g->status);
    ok(tl_graph_init(g, seed));
    return m;
}

/* Every parameter of both graphs, bit for bit. */
static inline bool same_weights(const tl_graph *g, const tl_graph *h)
{
    TL_EACH_PARAM(g, i, k)
    {
        int j = tl_graph_find(h, g->node[i].name);
        size_t n = tl_dims_count(g->node[i].p[k].dims);
        if (j < 0 || tl_dims_count(h->node[j].p[k].dims) != n ||
            memcmp(g->node[i].p[k].w, h->node[j].p[k].w, n * sizeof(float)))
            return false;
    }
    return true;
}
#endif
