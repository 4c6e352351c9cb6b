/* test_onnx.c - the ONNX reader and writer: goldens, round trips and hostile files.
 * SPDX-License-Identifier: MIT
 *
 * Broken files are written in a small notation: `7{...}` is field 7 holding a message, `2=13` a
 * number, `8:name` bytes up to the next blank or brace, `9#00ff` bytes in hexadecimal. */
#include "onnx.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- The notation ------------------------------------------------------------------------------ */

static uint8_t *put_varint(uint8_t *to, uint64_t v)
{
    for (; v > 127; v >>= 7) *to++ = (uint8_t)(v | 128);
    *to++ = (uint8_t)v;
    return to;
}

static uint8_t *put_bytes(uint8_t *to, const uint8_t *from, size_t n)
{
    to = put_varint(to, n);
    memmove(to, from, n);
    return to + n;
}

/* Encode fields up to the end or a closing brace; *at moves behind it. */
static uint8_t *encode(const char **at, uint8_t *to)
{
    for (;; *at += **at == ' ') {
        if (!**at || **at == '}') { *at += **at == '}'; return to; }
        if (**at == ' ') continue;
        uint64_t field = strtoull(*at, (char **)at, 10);
        uint8_t inner[512], *end = inner;
        char kind = *(*at)++;
        to = put_varint(to, field << 3 | (kind == '=' ? 0 : 2));
        if (kind == '=') {
            to = put_varint(to, (uint64_t)strtoll(*at, (char **)at, 10));
            continue;
        }
        if (kind == '{') end = encode(at, inner);
        for (; kind == ':' && **at && !strchr(" {}", **at); ++*at) *end++ = (uint8_t)**at;
        for (unsigned v; kind == '#' && sscanf(*at, "%2x", &v) == 1; *at += 2) *end++ = (uint8_t)v;
        to = put_bytes(to, inner, (size_t)(end - inner));
    }
}

/* ---- Files ------------------------------------------------------------------------------------- */

static tl_onnx *open_golden(tl_arena *a, const char *path)
{
    tl_bytes file;
    tl_onnx *m = NULL;
    assert_int_equal(tl_file_read(a, path, 0, &file), TL_OK);
    if (tl_onnx_parse(a, file, &m)) fail_msg("%s: %s", path, tl_errmsg());
    return m;
}

static const tl_onnx_node *node_of(const tl_onnx *m, int i) { return (const tl_onnx_node *)m->node.at + i; }
static const char *text_of(tl_list l, int i) { return ((const char **)l.at)[i]; }

static void check_const(const tl_onnx *m, const char *name, tl_onnx_type t, const void *data, size_t bytes)
{
    const tl_onnx_tensor *c = tl_onnx_init_find(m, name);
    assert_non_null(c);
    assert_int_equal(c->type, t);
    assert_int_equal(c->bytes, bytes);
    if (bytes) assert_memory_equal(c->data, data, bytes);
}

static void golden_constants(void **state)
{
    (void)state;
    static const float f32[] = { 1, -2.5f, 3, 4, 5, 6.25f };
    static const uint16_t f16[] = { 0x3e00, 0xc000, 0x3400 };
    static const int64_t i64[] = { -1, (int64_t)1 << 40 };
    static const int32_t i32[] = { -7, 1 << 30 };
    static const int8_t i8[] = { -128, 127, 0, -1 };
    static const uint8_t u8[] = { 0, 255 };
    tl_arena *a = tl_arena_new();
    tl_onnx *m = open_golden(a, "test/data/onnx/typed.onnx");
    assert_int_equal(m->init.n, 11);
    check_const(m, "f32_raw", TL_ONNX_FLOAT, f32, sizeof f32);
    check_const(m, "f32_list", TL_ONNX_FLOAT, f32, sizeof f32);
    check_const(m, "f16_raw", TL_ONNX_FLOAT16, f16, sizeof f16);
    check_const(m, "f16_list", TL_ONNX_FLOAT16, f16, sizeof f16);
    check_const(m, "i64_list", TL_ONNX_INT64, i64, sizeof i64);
    check_const(m, "i32_list", TL_ONNX_INT32, i32, sizeof i32);
    check_const(m, "i8_list", TL_ONNX_INT8, i8, sizeof i8);
    check_const(m, "u8_list", TL_ONNX_UINT8, u8, sizeof u8);
    check_const(m, "scalar", TL_ONNX_FLOAT, (float[]){ 8.5f }, 4);
    check_const(m, "empty", TL_ONNX_FLOAT, NULL, 0);
    assert_int_equal(tl_onnx_init_find(m, "scalar")->rank, 0);
    assert_null(tl_onnx_init_find(m, "absent"));

    const float *f;
    size_t n;
    assert_int_equal(tl_onnx_floats(a, tl_onnx_init_find(m, "f16_list"), &f, &n), TL_OK);
    assert_int_equal(n, 3);
    assert_true(f[0] == 1.5f && f[1] == -2 && f[2] == 0.25f);
    assert_int_equal(tl_onnx_floats(a, tl_onnx_init_find(m, "f32_raw"), &f, &n), TL_OK);
    assert_memory_equal(f, f32, sizeof f32);
    assert_int_equal(tl_onnx_floats(a, tl_onnx_init_find(m, "f64"), &f, &n), TL_OK);
    assert_true(n == 1 && f[0] == 1);
    assert_int_equal(tl_onnx_floats(a, tl_onnx_init_find(m, "i8_list"), &f, &n), TL_EFORMAT);
    assert_non_null(strstr(tl_errmsg(), "'i8_list' is int8 (ONNX type 3) where a floating-point type was expected"));
    tl_arena_free(a);
}

static void golden_graph(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_onnx *m = open_golden(a, "test/data/onnx/typed.onnx");
    assert_int_equal(m->ir_version, 8);
    assert_int_equal(m->opset, 17); /* of the standard operators, not of com.example */
    assert_string_equal(m->producer, "golden");
    assert_string_equal(m->graph_name, "golden");
    assert_string_equal(tl_onnx_meta_find(m, "tlc.classes"), "Katze\nHündin");
    assert_string_equal(tl_onnx_meta_find(m, "empty"), "");
    assert_null(tl_onnx_meta_find(m, "absent"));

    const tl_onnx_node *conv = node_of(m, 0);
    assert_string_equal(conv->op, "Conv");
    assert_int_equal(conv->in.n, 3);
    assert_string_equal(text_of(conv->in, 2), "");
    assert_string_equal(text_of(conv->out, 0), "y");
    const tl_onnx_attr *pads = tl_onnx_attr_find(conv, "pads");
    assert_int_equal(pads->kind, TL_ONNX_AINTS);
    assert_int_equal(pads->n, 4);
    assert_true(pads->ints[0] == 1 && pads->ints[1] == 0 && pads->ints[2] == 1 && pads->ints[3] == 0);
    assert_string_equal(tl_onnx_attr_find(conv, "auto_pad")->s, "NOTSET");
    assert_int_equal(tl_onnx_int(conv, "group", 5), 1);
    assert_int_equal(tl_onnx_int(conv, "absent", 5), 5);
    assert_true(tl_onnx_float(node_of(m, 1), "alpha", 0) == 0.125f);
    assert_true(tl_onnx_float(conv, "group", 9) == 9); /* not a float */
    assert_string_equal(node_of(m, 2)->op, "com.example::Conv");
    assert_true(tl_onnx_attr_find(node_of(m, 2), "scales")->floats[1] == 2);
    assert_int_equal(tl_onnx_attr_find(node_of(m, 3), "value")->kind, TL_ONNX_AT);

    const tl_onnx_value *x = m->input.at, *y = m->output.at;
    assert_int_equal(x->type, TL_ONNX_FLOAT);
    assert_int_equal(x->rank, 4);
    assert_true(x->dim[0] == -1 && x->dim[1] == 3 && x->dim[2] == -1 && x->dim[3] == 224);
    assert_int_equal(y->type, TL_ONNX_FLOAT16);
    assert_true(y->rank == 2 && y->dim[1] == 10);
    tl_arena_free(a);
}

/* ---- Writing ----------------------------------------------------------------------------------- */

static const float weight[] = { 1, 2, 3, -1, 0.5f, 0 }; /* 2 x 3 */
static const float bias[] = { 0.5f, -100 };
static const int64_t rows_of_2[] = { -1, 2 };

#define NAMES(...) ((const char *[]){ __VA_ARGS__, NULL })

/* out = relu(0.5 * x * weight' + bias), x of N x 3. NULL: out of memory. */
static tl_onnx *small_model(tl_arena *a)
{
    tl_onnx *m = tl_onnx_new(a);
    if (!m) return NULL;
    tl_onnx_node *n = tl_onnx_add(m, "Gemm", "dense", NAMES("x", "w", "b"), NAMES("y"));
    if (!n || tl_onnx_set_int(m, n, "transB", 1) || tl_onnx_set_float(m, n, "alpha", 0.5f) ||
        !tl_onnx_add(m, "Relu", "relu", NAMES("y"), NAMES("flat")) ||
        !tl_onnx_add(m, "Reshape", "shape", NAMES("flat", "to"), NAMES("out")) ||
        tl_onnx_add_init(m, "w", TL_ONNX_FLOAT, 2, (const int64_t[]){ 2, 3 }, weight) ||
        tl_onnx_add_init(m, "b", TL_ONNX_FLOAT, 1, (const int64_t[]){ 2 }, bias) ||
        tl_onnx_add_init(m, "to", TL_ONNX_INT64, 1, (const int64_t[]){ 2 }, rows_of_2) ||
        tl_onnx_add_value(m, &m->input, "x", TL_ONNX_FLOAT, 2, (const int64_t[]){ -1, 3 }) ||
        tl_onnx_add_value(m, &m->output, "out", TL_ONNX_FLOAT, 2, rows_of_2) ||
        tl_onnx_set_meta(m, "tlc.classes", "cat") || tl_onnx_set_meta(m, "tlc.classes", "cat\ndog"))
        return NULL;
    return m;
}

static void round_trip(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_onnx *m = small_model(a), *back, *again;
    tl_onnx_node *n = (tl_onnx_node *)m->node.at + 1;
    assert_int_equal(tl_onnx_set_str(m, n, "mode", "nearest"), TL_OK);
    assert_int_equal(tl_onnx_set_ints(m, n, "axes", 2, (const int64_t[]){ -1, 7 }), TL_OK);
    *tl_add(a, &n->attr, tl_onnx_attr) = (tl_onnx_attr){ "scales", .kind = TL_ONNX_AFLOATS, .n = 2, .floats = bias };
    tl_bytes one, two;
    assert_int_equal(tl_onnx_pack(a, m, &one), TL_OK);
    assert_int_equal(tl_onnx_parse(a, one, &back), TL_OK);
    assert_int_equal(tl_onnx_pack(a, back, &two), TL_OK);
    assert_int_equal(one.n, two.n);
    assert_memory_equal(one.p, two.p, one.n);
    assert_int_equal(tl_onnx_parse(a, two, &again), TL_OK);

    assert_int_equal(again->opset, 13);
    assert_string_equal(tl_onnx_meta_find(again, "tlc.classes"), "cat\ndog");
    assert_int_equal(again->meta.n, 1);
    check_const(again, "w", TL_ONNX_FLOAT, weight, sizeof weight);
    assert_int_equal(tl_onnx_init_find(again, "w")->dim[1], 3);
    assert_int_equal(((tl_onnx_value *)again->input.at)->dim[0], -1);
    const tl_onnx_node *relu = node_of(again, 1);
    assert_string_equal(relu->op, "Relu");
    assert_string_equal(tl_onnx_attr_find(relu, "mode")->s, "nearest");
    assert_int_equal(tl_onnx_attr_find(relu, "axes")->ints[1], 7);
    assert_true(tl_onnx_attr_find(relu, "scales")->floats[1] == -100);
    assert_true(tl_onnx_float(node_of(again, 0), "alpha", 1) == 0.5f);

    /* A model that was read can be extended. */
    assert_int_equal(tl_onnx_set_meta(again, "tlc.more", "yes"), TL_OK);
    assert_string_equal(tl_onnx_meta_find(again, "tlc.more"), "yes");
    tl_onnx *golden = open_golden(a, "test/data/onnx/typed.onnx");
    assert_int_equal(tl_onnx_pack(a, golden, &one), TL_EUNSUP);
    assert_non_null(strstr(tl_errmsg(), "the attribute 'value' of the node 'const'"));
    tl_arena_free(a);
}

/* The onnx package's checker and ONNX Runtime, where Python has them. x = 0 1 2: 0.5 * (0+2+6) + 0.5 = 4.5. */
static void others_read_it(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    char path[64], line[256] = "";
    tl_bytes file;
    assert_int_equal(tl_onnx_pack(a, small_model(a), &file), TL_OK);
    snprintf(path, sizeof path, "/tmp/test_onnx.%ld.onnx", (long)getpid());
    assert_int_equal(tl_file_write(path, file.p, file.n), TL_OK);
    FILE *p = popen(tl_printf(a, "python3 tools/check_onnx.py %s 2>&1", path), "r");
    assert_non_null(p);
    size_t n = fread(line, 1, sizeof line - 1, p);
    line[n] = 0;
    int exit_code = pclose(p);
    unlink(path);
    tl_arena_free(a);
    if (WIFEXITED(exit_code) && (WEXITSTATUS(exit_code) == 3 || WEXITSTATUS(exit_code) == 127)) {
        print_message("skipped: Python's onnx and onnxruntime are not installed\n");
        skip();
    }
    assert_string_equal(line, "4.5 0\n");
    assert_int_equal(exit_code, 0);
}

/* ---- Hostile files ----------------------------------------------------------------------------- */

#define OPSET " 8{2=13}"
static const struct { const char *file; tl_status status; const char *message; } broken[] = {
    { "", TL_EFORMAT, "the file is empty" },
    { "1=8", TL_EFORMAT, "there is no graph" },
    { "7{2:g}", TL_EFORMAT, "does not say which ONNX operator set" },
    { "7{2:g} 8{1:com.example 2=13}", TL_EFORMAT, "does not say which ONNX operator set" },
    { "7{2:g} 8{2=0}", TL_EFORMAT, "does not say which ONNX operator set" },
    { "7{2:g}" OPSET, TL_OK, NULL },
    { "7{2:g} 8{1:ai.onnx 2=13}", TL_OK, NULL },
    { "7{2:g 99:unknown} 77=1 78:unknown" OPSET, TL_OK, NULL },
    { "200=1", TL_EFORMAT, "not an ONNX file (byte 0" },
    { "7{2#610062}" OPSET, TL_EFORMAT, "zero byte inside" },
    { "7{1{3:n 4#00}}" OPSET, TL_EFORMAT, "zero byte inside" },
    { "7{1{3:n}}" OPSET, TL_EFORMAT, "the node 'n' has no operator" },
    { "7{1{4:Relu 1#6100}}" OPSET, TL_EFORMAT, "zero byte inside" },
    { "7{2#0a}7{1#0b}" OPSET, TL_EFORMAT, "damaged, or not an ONNX model" },
    { "7{5{8:w 1=2 2=1 9#00000000}}" OPSET, TL_EFORMAT, "'w' holds 4 bytes, its dimensions and type ask for 8" },
    { "7{5{8:w 1=1 2=1 9#0000000000}}" OPSET, TL_EFORMAT, "'w' holds 5 bytes" },
    { "7{5{8:w 1=1 2=1 9#00000000}}" OPSET, TL_OK, NULL },
    { "7{5{8:w 1=3 2=1 4#0000000000000000}}" OPSET, TL_EFORMAT, "'w' holds 8 bytes, its dimensions and type ask for 12" },
    { "7{5{8:w 1=1 2=7 5#01}}" OPSET, TL_EFORMAT, "'w' holds 0 bytes, its dimensions and type ask for 8" },
    { "7{5{8:w 1=-2 2=1}}" OPSET, TL_EFORMAT, "'w' cannot have the size -2 in dimension 0" },
    { "7{5{8:w 1=4294967296 1=4294967296 2=1}}" OPSET, TL_EFORMAT, "'w' cannot have the size 4294967296 in dimension 1" },
    { "7{5{8:w 1=1 1=1 1=1 1=1 1=1 1=1 1=1 1=1 1=1 2=1}}" OPSET, TL_EUNSUP, "'w' has 9 dimensions" },
    { "7{5{8:w 1=1 2=3 5#8001}}" OPSET, TL_EFORMAT, "element 0 of the constant 'w' is 128" },
    { "7{5{8:w 1=1 2=10 5#808004}}" OPSET, TL_EFORMAT, "is 65536, which its type cannot hold" },
    { "7{5{8:w 1=1 2=99 9#00}}" OPSET, TL_OK, NULL },
    { "7{5{8:w 1=1 2=-1 9#00}}" OPSET, TL_OK, NULL },
    { "7{5{8:w 1=1 2=1 14=1}}" OPSET, TL_EUNSUP, "'w' lies in another file" },
    { "7{11{1:x 2{1{1=1 2{1{} 1{} 1{} 1{} 1{} 1{} 1{} 1{} 1{}}}}}}" OPSET, TL_EUNSUP, "'x' has 9 dimensions" },
    { "7{11{1:x 2{}}}" OPSET, TL_OK, NULL },
    { "7{1{4:Op 5{1:a 20=99}}}" OPSET, TL_OK, NULL },
    { "7{1{4:Op 5{1:a 20=-1}}}" OPSET, TL_OK, NULL },
    { "7{1{4:Op 5{1:a 20=3 4#00}}}" OPSET, TL_EFORMAT, "zero byte inside" },
    { "14{1:k 2#00}7{2:g}" OPSET, TL_EFORMAT, "zero byte inside" },
};

static void broken_files(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(broken); i++) {
        tl_arena *a = tl_arena_new();
        uint8_t file[512];
        const char *at = broken[i].file;
        size_t n = (size_t)(encode(&at, file) - file);
        tl_onnx *m;
        tl_status s = tl_onnx_parse(a, (tl_bytes){ file, n }, &m);
        if (s != broken[i].status || (broken[i].message && !strstr(tl_errmsg(), broken[i].message)))
            fail_msg("%s: status %d, \"%s\"", broken[i].file, s, s ? tl_errmsg() : "");
        tl_arena_free(a);
    }
}

static void other_kinds_of_file(void **state)
{
    (void)state;
    static const char *const other[] = { "\x89PNG\r\n\x1a\n", "\xff\xd8\xff\xe0\x10JFIF", "PK\x03\x04",
                                         "\x89HDF\r\n\x1a\n", "TLCSEAL1" };
    tl_arena *a = tl_arena_new();
    tl_onnx *m;
    for (int i = 0; i < TL_LEN(other); i++) {
        assert_int_equal(tl_onnx_parse(a, (tl_bytes){ (const uint8_t *)other[i], strlen(other[i]) }, &m), TL_EFORMAT);
        assert_non_null(strstr(tl_errmsg(), "not an ONNX file"));
    }
    assert_int_equal(tl_onnx_parse(a, (tl_bytes){ NULL, (size_t)1 << 31 }, &m), TL_EUNSUP);
    tl_bytes file;
    assert_int_equal(tl_file_read(a, "test/data/onnx/external.onnx", 0, &file), TL_OK);
    assert_int_equal(tl_onnx_parse(a, file, &m), TL_EUNSUP);
    assert_non_null(strstr(tl_errmsg(), "external data"));
    tl_arena_free(a);
}

/* Two bytes declare an empty node of some hundred: a megabyte of them must not take a hundred. */
static void amplification(void **state)
{
    (void)state;
    enum { NODES = 1 << 19 };
    tl_arena *a = tl_arena_new();
    uint8_t *file = tl_alloc(a, 2 * NODES + 16), *at = put_varint(put_varint(file, 7 << 3 | 2), 2 * NODES);
    for (int i = 0; i < NODES; i++) *at++ = 1 << 3 | 2, *at++ = 0;
    tl_bytes bytes = { file, (size_t)(at - file) };
    size_t before = tl_arena_bytes(a);
    tl_onnx *m;
    assert_int_equal(tl_onnx_parse(a, bytes, &m), TL_EFORMAT);
    assert_non_null(strstr(tl_errmsg(), "damaged or hostile"));
    assert_true(tl_arena_bytes(a) - before <= 9 * bytes.n + (1 << 20));
    tl_arena_free(a);
}

static void cut_anywhere(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes whole;
    tl_onnx *m;
    assert_int_equal(tl_file_read(a, "test/data/onnx/typed.onnx", 0, &whole), TL_OK);
    int cut_off = 0;
    for (size_t n = 0; n < whole.n; n++) {
        uint8_t *copy = malloc(n + 1); /* of exactly this size, so that sanitizers see a byte too many */
        memcpy(copy + 1, whole.p, n);
        tl_status s = tl_onnx_parse(a, (tl_bytes){ copy + 1, n }, &m);
        if (s) assert_true(s == TL_EFORMAT && *tl_errmsg());
        cut_off += s && strstr(tl_errmsg(), "cut off");
        free(copy);
        tl_arena_reset(a);
        assert_int_equal(tl_file_read(a, "test/data/onnx/typed.onnx", 0, &whole), TL_OK);
    }
    assert_in_range(cut_off, whole.n - 100, whole.n); /* all but those at the bounds of fields */
    tl_arena_free(a);
}

static void any_byte_changed(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes whole;
    tl_onnx *m;
    assert_int_equal(tl_file_read(a, "test/data/onnx/typed.onnx", 0, &whole), TL_OK);
    for (size_t i = 0; i < whole.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            tl_arena *b = tl_arena_new();
            uint8_t *copy = memcpy(tl_alloc_raw(b, whole.n), whole.p, whole.n);
            copy[i] ^= (uint8_t)(1 << bit);
            tl_status s = tl_onnx_parse(b, (tl_bytes){ copy, whole.n }, &m);
            assert_true(s == TL_OK || s == TL_EFORMAT || s == TL_EUNSUP);
            tl_arena_free(b);
        }
    }
    tl_arena_free(a);
}

static tl_status build_pack_parse(tl_arena *a)
{
    tl_onnx *m = small_model(a);
    TL_NEW(m);
    tl_bytes file;
    const float *f;
    size_t n;
    TL_TRY(tl_onnx_pack(a, m, &file));
    TL_TRY(tl_onnx_parse(a, file, &m));
    return tl_onnx_floats(a, tl_onnx_init_find(m, "w"), &f, &n);
}

static void out_of_memory_anywhere(void **state)
{
    (void)state;
    int n = 0;
    for (tl_status s = TL_ENOMEM; s; n++) {
        tl_arena *a = tl_arena_new();
        tl_oom_countdown = n;
        s = build_pack_parse(a);
        bool refused = tl_oom_countdown < 0;
        tl_oom_countdown = -1;
        assert_int_equal(s, refused ? TL_ENOMEM : TL_OK);
        tl_arena_free(a);
    }
    assert_in_range(n, 50, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_constants), cmocka_unit_test(golden_graph),    cmocka_unit_test(round_trip),
        cmocka_unit_test(others_read_it),   cmocka_unit_test(broken_files),    cmocka_unit_test(other_kinds_of_file),
        cmocka_unit_test(amplification),    cmocka_unit_test(cut_anywhere),    cmocka_unit_test(any_byte_changed),
        cmocka_unit_test(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
