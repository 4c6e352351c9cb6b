/* test_import.c - reading safetensors and PyTorch files, and telling files apart. SPDX-License-Identifier: MIT
 *
 * The files: tools/make_import_goldens.py. */
#include "importing.h"
#include "pickle.h"

extern const tl_importer tl_importer_safetensors, tl_importer_pytorch;

static const tl_foreign_tensor *tensor_named(const tl_foreign *f, const char *name)
{
    const tl_foreign_tensor *t = f->tensor.at;
    for (int i = 0; i < f->tensor.n; i++)
        if (!strcmp(t[i].name, name)) return t + i;
    fail_msg("there is no tensor %s", name);
    return NULL;
}

static void check(const tl_foreign *f, const char *name, tl_role role, tl_dims dims, const float *want)
{
    const tl_foreign_tensor *t = tensor_named(f, name);
    assert_int_equal(t->role, role);
    assert_memory_equal(&t->dims, &dims, sizeof dims);
    for (size_t i = 0; i < tl_dims_count(dims); i++)
        if (t->at[i] != want[i]) fail_msg("%s: element %zu is %g, not %g", name, i, (double)t->at[i], (double)want[i]);
}

static void every_type_is_converted(void **state)
{
    static const char *const torch[] = { "float64", "float32", "float16", "bfloat16", "int64",
                                         "int32",   "int16",   "int8",    "uint8" },
                             *const safe[] = { "f64", "f32", "f16", "i64", "u8" };
    static const float ramp[] = { 0, 1, 2, 3, 4, 5 }, truth[] = { 0, 1, 1, 1, 1, 1 };
    const tl_dims d = { { 2, 3, 1, 1 } };
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_foreign f;
    ok(import_file(&tl_importer_pytorch, a, IMPORT_DATA "torch_types.pth", &f));
    assert_int_equal(f.tensor.n, TL_LEN(torch) + 1);
    for (int i = 0; i < TL_LEN(torch); i++) check(&f, tl_printf(a, "%s.weight", torch[i]), TL_ROLE_KERNEL, d, ramp);
    check(&f, "bool.weight", TL_ROLE_KERNEL, d, truth);
    ok(import_file(&tl_importer_safetensors, a, IMPORT_DATA "types.safetensors", &f));
    for (int i = 0; i < TL_LEN(safe); i++) check(&f, tl_printf(a, "%s.weight", safe[i]), TL_ROLE_KERNEL, d, ramp);
    check(&f, "bn.weight", TL_ROLE_GAMMA, (tl_dims){ { 3, 1, 1, 1 } }, ramp);
    check(&f, "bn.bias", TL_ROLE_BETA, (tl_dims){ { 3, 1, 1, 1 } }, ramp);
    check(&f, "bn.running_mean", TL_ROLE_MEAN, (tl_dims){ { 3, 1, 1, 1 } }, ramp);
    tl_arena_free(a);
}

/* whole is 0 to 23 in 4 rows of 6; the others are its transpose and a part of it, in the same storage. */
static void strides_are_followed(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_foreign f;
    float whole[24], turned[24], part[6];
    for (int i = 0; i < 24; i++) whole[i] = (float)i, turned[i % 6 * 4 + i / 6] = (float)i;
    for (int i = 0; i < 6; i++) part[i] = (float)(6 * (1 + i / 3) + 2 * (i % 3));
    ok(import_file(&tl_importer_pytorch, a, IMPORT_DATA "torch_strides.pth", &f));
    check(&f, "same.weight", TL_ROLE_KERNEL, (tl_dims){ { 4, 6, 1, 1 } }, whole);
    check(&f, "turned.weight", TL_ROLE_KERNEL, (tl_dims){ { 6, 4, 1, 1 } }, turned);
    check(&f, "part.weight", TL_ROLE_KERNEL, (tl_dims){ { 2, 3, 1, 1 } }, part);
    check(&f, "parameter.bias", TL_ROLE_BIAS, (tl_dims){ { 5, 1, 1, 1 } }, whole);
    assert_int_equal(tensor_named(&f, "empty.weight")->role, TL_ROLE_OTHER);
    assert_int_equal(tensor_named(&f, "scalar.weight")->role, TL_ROLE_OTHER);
    tl_arena_free(a);
}

static void wrappers_are_taken_off(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_foreign f;
    ok(import_file(&tl_importer_pytorch, a, IMPORT_DATA "torch_nested.pth", &f));
    assert_int_equal(f.tensor.n, 7);
    assert_string_equal(tensor_named(&f, "module.1.weight")->layer, "1");
    assert_int_equal(tensor_named(&f, "module.1.bias")->role, TL_ROLE_BETA);
    assert_int_equal(tensor_named(&f, "module.0.bias")->role, TL_ROLE_BIAS);
    assert_int_equal(tensor_named(&f, "module.1.num_batches_tracked")->role, TL_ROLE_OTHER);
    tl_arena_free(a);
}

static void what_is_no_state_dict_is_refused(void **state)
{
    static const struct { const char *file, *words; tl_status status; } rows[] = {
        { "torch_whole.pth", "it holds torch.nn.modules.container.Sequential; save the weights alone", TL_EUNSUP },
        { "torch_legacy.pth", "PyTorch's format from before version 1.6; load and save it", TL_EUNSUP },
        { "torch_list.pth", "no dict of tensors in it; save the weights alone", TL_EUNSUP },
        { "torch_packed.pth", "entries are compressed", TL_EUNSUP },
    };
    (void)state;
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_arena *a = tl_arena_new();
        tl_bytes f;
        const char *path = tl_printf(a, IMPORT_DATA "%s", rows[i].file);
        ok(tl_file_read(a, path, 0, &f));
        refused(&tl_importer_pytorch, path, f.p, f.n, rows[i].status, rows[i].words);
        tl_arena_free(a);
    }
}

static void broken_safetensors_are_refused(void **state)
{
    static const struct { const char *json, *words; tl_status status;
    } rows[] = {
        { "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,16]}}",
          "the file was cut off or is damaged", TL_EFORMAT },
        { "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", "its shape and type ask for 12",
          TL_EFORMAT },
        { "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "cannot have the size -2",
          TL_EFORMAT },
        { "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,8],\"data_offsets\":[0,8]}}",
          "cannot have the size 4611686018427387904", TL_EFORMAT },
        { "{\"a.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}", "of type F8_E4M3",
          TL_EUNSUP },
        { "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "lies at bytes 8 to 0",
          TL_EFORMAT },
        { "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
          "\"b.weight\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
          "together are larger than the file", TL_EFORMAT },
        { "{\"a.weight\":3}", "entry for 'a.weight' is damaged", TL_EFORMAT },
        { "{\"a.weight\":}", "header is damaged", TL_EFORMAT },
    };
    (void)state;
    for (int i = 0; i < TL_LEN(rows); i++) {
        uint8_t file[512] = { 0 };
        size_t n = strlen(rows[i].json);
        file[0] = (uint8_t)n;
        memcpy(file + 8, rows[i].json, n);
        refused(&tl_importer_safetensors, "x", file, 8 + n + 8, rows[i].status, rows[i].words);
    }
    refused(&tl_importer_safetensors, "x", "\xff\0\0\0\0\0\0\0{}", 10, TL_EFORMAT,
            "its header has 255 bytes, 2 are there");
}

static void dangerous_pickles_are_refused(void **state)
{
    static const char *const allowed[] = { "collections.OrderedDict", "torch.*", NULL };
    static const struct { const char *bytes; size_t n; const char *words; tl_status status; } rows[] = {
#define PICKLE(text) text, sizeof text - 1
        { PICKLE("cos\nsystem\n(X\4\0\0\0truetR."), "it holds os.system", TL_EUNSUP },
        { PICKLE("\x8c\2os\x8c\6system\x93."), "it holds os.system", TL_EUNSUP },
        { PICKLE("(X\2\0\0\0hiios\nsystem\n."), "uses the opcode 0x69", TL_EUNSUP },
        { PICKLE("ctorch.x\ny\nR."), "takes a value that is not there", TL_EFORMAT },
        { PICKLE("ctorch.x\ny\n}R."), "calls something that is no plain function", TL_EUNSUP },
        { PICKLE("}NNN."), "ends with 4 values", TL_EFORMAT },
        { PICKLE("h\5."), "recalls what it never had", TL_EFORMAT },
        { PICKLE("Nr\xff\xff\xff\xff."), "remembers nothing, or far too much", TL_EFORMAT },
        { PICKLE("X\xff\xff\xff\x7f."), "cut off", TL_EFORMAT },
        { PICKLE("}(NNNu."), "no container to fill", TL_EFORMAT },
        { PICKLE("]NNs."), "fills something that is no dict", TL_EUNSUP },
        { PICKLE("tN."), "there is no mark", TL_EFORMAT },
        { PICKLE("\x8a\x09\1\1\1\1\1\1\1\1\1."), "more than 64 bits", TL_EUNSUP },
        { PICKLE("X\3\0\0\0a\0b."), "zero byte inside", TL_EFORMAT },
        { PICKLE("N"), "cut off", TL_EFORMAT },
    };
    (void)state;
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_arena *a = tl_arena_new();
        tl_pickle p;
        tl_status s = tl_pickle_parse(a, (tl_bytes){ (const uint8_t *)rows[i].bytes, rows[i].n }, allowed, &p);
        if (s != rows[i].status || !strstr(tl_errmsg(), rows[i].words))
            fail_msg("row %d: %d %s", i, (int)s, tl_errmsg());
        tl_arena_free(a);
    }
}

/* As many values as bytes, over and over through the smallest stack. */
static void a_pickle_costs_little(void **state)
{
    static const char *const nothing[] = { NULL };
    (void)state;
    enum { N = 1 << 20 };
    uint8_t *bytes = malloc(N);
    tl_pickle p;
    assert_non_null(bytes);
    for (size_t i = 0; i < N; i++) bytes[i] = i % 2 ? '0' : 'N';
    tl_arena *a = tl_arena_new();
    assert_int_equal(tl_pickle_parse(a, (tl_bytes){ bytes, N }, nothing, &p), TL_EUNSUP);
    assert_non_null(strstr(tl_errmsg(), "more than 262144 values"));
    assert_true(tl_arena_bytes(a) < 64u << 20);
    tl_arena_free(a);
    free(bytes);
}

static void damage_is_survived(void **state)
{
    static const struct { const tl_importer *with; const char *file;
    } rows[] = {
        { &tl_importer_pytorch, IMPORT_DATA "torch_nested.pth" },
        { &tl_importer_pytorch, IMPORT_DATA "torch_strides.pth" },
        { &tl_importer_safetensors, IMPORT_DATA "types.safetensors" },
    };
    (void)state;
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_arena *a = tl_arena_new();
        tl_bytes f;
        ok(tl_file_read(a, rows[i].file, 0, &f));
        survives_damage(rows[i].with, rows[i].file, f, 1);
        survives_want(rows[i].with, rows[i].file);
        tl_arena_free(a);
    }
}

/* Each importer knows its own files and no other's; nobody knows nonsense. */
/* TorchScript has its code and weights first, so that the name which tells stands only in the list at the end. */
static void torchscript_is_known(void **state)
{
    static uint8_t file[1 << 20] = "PK\3\4";
    (void)state;
    assert_false(tl_importer_pytorch.knows((tl_bytes){ file, sizeof file }));
    memcpy(file + sizeof file - 100, "name/data.pkl", 13);
    assert_true(tl_importer_pytorch.knows((tl_bytes){ file, sizeof file }));
    assert_false(tl_importer_pytorch.knows((tl_bytes){ file, sizeof file - 90 }));
}

static void content_decides(void **state)
{
    static const struct { const char *file, *format;
    } rows[] = {
        { IMPORT_DATA "torch_types.pth", "pytorch" },
        { IMPORT_DATA "types.safetensors", "safetensors" },
        { IMPORT_DATA "torch_legacy.pth", "pytorch" },
        { "test/data/onnx/typed.onnx", "onnx" },
        { IMPORT_DATA "keras_ngc.h5", "keras" },
        { IMPORT_DATA "darknet_small.cfg", "darknet" },
        { IMPORT_DATA "tflite_flat_float.tflite", "tflite" },
        { "README.md", NULL },
        { "test/data/images/rgb.jpg", NULL },
    };
    (void)state;
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_arena *a = tl_arena_new();
        tl_bytes f;
        ok(tl_file_read(a, rows[i].file, 0, &f));
        for (int k = 0; tl_importer_at(k); k++) {
            bool want = rows[i].format && !strcmp(rows[i].format, tl_importer_at(k)->name);
            if (tl_importer_at(k)->knows(f) != want) fail_msg("%s and %s", rows[i].file, tl_importer_at(k)->name);
        }
        tl_arena_free(a);
    }
    tl_arena *a = tl_arena_new();
    tl_foreign f;
    assert_int_equal(tl_import(a, "README.md", NULL, &f), TL_EFORMAT);
    assert_non_null(
        strstr(tl_errmsg(),
               "is of no form that is read here: onnx (.onnx), safetensors (.safetensors), pytorch (.pth, .pt)"));
    assert_non_null(strstr(tl_errmsg(), "while reading 'README.md'"));
    ok(tl_import(a, IMPORT_DATA "torch_types.pth", NULL, &f));
    assert_string_equal(f.format, "pytorch");
    tl_arena_free(a);
}

/* ---- ONNX's external data ---- */

/* The folder with a copy of outside.onnx in which the data file has another name of as many letters. */
static const char *copy_of_outside(tl_arena *a, const char *folder, const char *data)
{
    tl_bytes f;
    const char *path = tl_path_join(a, folder, "outside.onnx");
    ok(tl_file_read(a, IMPORT_DATA "outside.onnx", 0, &f));
    for (uint8_t *p = (uint8_t *)(uintptr_t)f.p; (p = memmem(p, f.n - (size_t)(p - f.p), "outside.bin", 11)); p += 11)
        memcpy(p, data, 11);
    ok(tl_file_write(path, f.p, f.n));
    return path;
}

static void external_data_stays_in_its_folder(void **state)
{
    static const struct { const char *name; tl_status status; const char *words; } rows[] = {
        { "outside.bin", TL_OK, "" },
        { "sub/dat.bin", TL_OK, "" },
        { "missing.bin", TL_EIO, "'missing.bin' cannot be opened in its folder: No such file" },
        { "linkfil.bin", TL_EIO, "'linkfil.bin' cannot be opened in its folder" },
        { "lnk/dat.bin", TL_EIO, "'lnk/dat.bin' cannot be opened in its folder" },
        { "../data.bin", TL_EIO, "'../data.bin' cannot be opened in its folder" },
        { "/etc/passwd", TL_EIO, "'/etc/passwd' cannot be opened in its folder" },
        { "sub/../a.bn", TL_EIO, "cannot be opened in its folder" },
        { "sub/xx_fold", TL_EIO, "is no plain file" },
        { "toshort.bin", TL_EFORMAT, "has 4 bytes, 48 from 0 on are needed" },
    };
    char folder[] = "/tmp/test_import_XXXXXX";
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes data;
    tl_foreign f;
    assert_non_null(mkdtemp(folder));
    ok(tl_file_read(a, IMPORT_DATA "outside.bin", 0, &data));
    ok(tl_mkdirs(tl_path_join(a, folder, "sub/xx_fold")));
    ok(tl_file_write(tl_path_join(a, folder, "outside.bin"), data.p, data.n));
    ok(tl_file_write(tl_path_join(a, folder, "sub/dat.bin"), data.p, data.n));
    ok(tl_file_write(tl_path_join(a, folder, "toshort.bin"), data.p, 4));
    assert_int_equal(symlink("outside.bin", tl_path_join(a, folder, "linkfil.bin")), 0);
    assert_int_equal(symlink("sub", tl_path_join(a, folder, "lnk")), 0);
    for (int i = 0; i < TL_LEN(rows); i++) {
        const char *path = copy_of_outside(a, folder, rows[i].name);
        tl_status s = tl_import_beside(a, path, NULL, &f);
        if (s != rows[i].status || (s && !strstr(tl_errmsg(), rows[i].words)))
            fail_msg("%s: %d %s", rows[i].name, (int)s, tl_errmsg());
        if (s) continue;
        const tl_node *conv = &f.model->g->node[tl_graph_find(f.model->g, "c")];
        for (int k = 0; k < 12; k++) assert_true(conv->p[0].w[k] == (float)k);
        for (int k = 0; k < 4; k++) assert_true(conv->p[1].w[k] == (float)k);
        assert_int_equal(tl_import(a, path, NULL, &f), TL_EUNSUP);
        assert_non_null(strstr(tl_errmsg(), "read only when asked for: tlc import --external_data"));
    }
    assert_int_equal(system(tl_printf(a, "rm -r %s", folder)), 0);
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_converted),          cmocka_unit_test(strides_are_followed),
        cmocka_unit_test(wrappers_are_taken_off),           cmocka_unit_test(what_is_no_state_dict_is_refused),
        cmocka_unit_test(broken_safetensors_are_refused),   cmocka_unit_test(dangerous_pickles_are_refused),
        cmocka_unit_test(a_pickle_costs_little),            cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(torchscript_is_known),             cmocka_unit_test(content_decides),
        cmocka_unit_test(external_data_stays_in_its_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
