/* pytorch.c - what torch.save(model.state_dict(), ...) writes. SPDX-License-Identifier: MIT
 *
 * Since PyTorch 1.6 a zip file: NAME/data.pkl, a pickle of tensors as (storage, offset, size, stride), and the
 * storages' bytes in NAME/data/KEY. The pickle is read by an interpreter that calls nothing (pickle.h). The formats
 * before, and pickles of whole models, which hold Python classes, are told apart only to say what to do about them.
 */
#include "import/statedict.h"
#include "pickle.h"
#include "zip.h"
#include <string.h>

#define REMEDY "save the weights alone: torch.save(model.state_dict(), 'weights.pth')"

typedef struct {
    tl_arena *arena;
    tl_list   entry; /* tl_zip_entry */
    size_t    folder; /* length of "NAME/" */
    tl_pickle pickle;
    tl_list   array; /* tl_array */
} reader;

/* The pickled number that the files of the format before 1.6 begin with. */
static const uint8_t legacy[] = { 0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19 };
static bool is_legacy(tl_bytes f) { return f.n >= sizeof legacy && !memcmp(f.p, legacy, sizeof legacy); }

/* A zip with PyTorch's entries: state dicts have theirs at the beginning, TorchScript names it in the list at the end. */
static bool knows(tl_bytes f)
{
    static const char name[] = "/data.pkl";
    size_t n = f.n < 1 << 16 ? f.n : 1 << 16, last = f.n < 1 << 18 ? f.n : 1 << 18;
    return is_legacy(f) || (tl_is_zip(f) && (memmem(f.p, n, name, strlen(name)) ||
                                             memmem(f.p + f.n - last, last, name, strlen(name))));
}

static const tl_zip_entry *find(const reader *r, const char *name)
{
    for (int i = 0; i < r->entry.n; i++) {
        const tl_zip_entry *e = (const tl_zip_entry *)r->entry.at + i;
        if (strlen(e->name) > r->folder && !strcmp(e->name + r->folder, name)) return e;
    }
    return NULL;
}

static tl_status find_pickle(reader *r, tl_bytes *out)
{
    for (int i = 0; i < r->entry.n; i++) {
        const tl_zip_entry *e = (const tl_zip_entry *)r->entry.at + i;
        const char *slash = strrchr(e->name, '/');
        if (!slash || strcmp(slash, "/data.pkl")) continue;
        TL_CHECK(e->stored, TL_EUNSUP,
                 "the file's entries are compressed, which PyTorch does not do; load and save it with PyTorch");
        r->folder = (size_t)(slash + 1 - e->name);
        *out = e->data;
        return TL_OK;
    }
    return tl_fail(TL_EFORMAT, "the zip file has no data.pkl: it is not PyTorch's");
}

static tl_element storage_type(const char *name)
{
    static const struct { const char *name; tl_element type;
    } types[] = {
        { "DoubleStorage", TL_EL_F64 },    { "FloatStorage", TL_EL_F32 }, { "HalfStorage", TL_EL_F16 },
        { "BFloat16Storage", TL_EL_BF16 }, { "LongStorage", TL_EL_I64 },  { "IntStorage", TL_EL_I32 },
        { "ShortStorage", TL_EL_I16 },     { "CharStorage", TL_EL_I8 },   { "ByteStorage", TL_EL_U8 },
        { "BoolStorage", TL_EL_BOOL },
    };
    const char *last = strrchr(name, '.');
    for (int i = 0; last && i < TL_LEN(types); i++)
        if (!strcmp(types[i].name, last + 1)) return types[i].type;
    return TL_EL_NONE;
}

/* ('storage', class, key, device, count) */
static tl_status storage(const reader *r, const tl_py *persistent, tl_array *x, tl_bytes *data)
{
    const tl_pickle *p = &r->pickle;
    const tl_py *id = tl_py_at(p, persistent, 0), *class = tl_py_at(p, id, 1), *key = tl_py_at(p, id, 2);
    char name[128] = "";
    TL_CHECK(persistent->kind == TL_PY_PERSISTENT && class->kind == TL_PY_GLOBAL && key->kind == TL_PY_STR, TL_EFORMAT,
             "the tensor '%s' has no storage", x->name);
    x->type = storage_type(class->text);
    TL_CHECK(x->type, TL_EUNSUP, "the tensor '%s' is a %s; floating-point numbers and integers are read", x->name,
             class->text);
    if (strlen(key->text) < 100) strcat(strcpy(name, "data/"), key->text);
    const tl_zip_entry *e = find(r, name);
    TL_CHECK(e && e->stored, TL_EFORMAT, "the data of the tensor '%s' ('%s') is not in the file", x->name, name);
    *data = e->data;
    return TL_OK;
}

static bool size_at(const tl_pickle *p, const tl_py *t, int i, size_t *v)
{
    const tl_py *n = tl_py_at(p, t, i);
    *v = (size_t)n->i;
    return n->kind == TL_PY_INT && n->i >= 0 && n->i <= INT64_C(1) << 40;
}

/* Where the elements are: not outside their storage of `room` elements, and not more than it has. */
static tl_status lay_out(const tl_pickle *p, const tl_py *args, tl_array *x, size_t room, size_t *offset)
{
    const tl_py *size = tl_py_at(p, args, 2), *stride = tl_py_at(p, args, 3);
    size_t count = 1, last = 0;
    bool ok = size_at(p, args, 1, offset);
    TL_CHECK(size->kind == TL_PY_TUPLE && stride->kind == TL_PY_TUPLE && stride->item.n == size->item.n &&
                 size->item.n <= TL_ARRAY_RANK,
             TL_EUNSUP, "the tensor '%s' has no shape of at most %d dimensions", x->name, TL_ARRAY_RANK);
    x->rank = size->item.n;
    for (int i = 0; ok && i < x->rank; i++)
        ok = size_at(p, size, i, &x->dim[i]) && size_at(p, stride, i, &x->stride[i]) &&
             !__builtin_mul_overflow(count, x->dim[i], &count);
    for (int i = 0; ok && count && i < x->rank; i++) {
        size_t reach;
        ok = !__builtin_mul_overflow(x->dim[i] - 1, x->stride[i], &reach) &&
             !__builtin_add_overflow(last, reach, &last);
    }
    TL_CHECK(ok && (!count || (count <= room && *offset < room && last < room - *offset)), TL_EFORMAT,
             "the tensor '%s' reaches beyond its data: the file is damaged", x->name);
    if (!count) *offset = 0;
    return TL_OK;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, ...) */
static tl_status tensor(reader *r, const tl_py *call, const char *name)
{
    const tl_py *args = tl_py_at(&r->pickle, call, 1);
    tl_array x = { .name = name };
    tl_bytes data = { NULL, 0 };
    size_t offset = 0;
    TL_TRY(storage(r, tl_py_at(&r->pickle, args, 0), &x, &data));
    TL_TRY(lay_out(&r->pickle, args, &x, data.n / tl_element_size(x.type), &offset));
    x.data = data.p + offset * tl_element_size(x.type);
    tl_array *slot = tl_add(r->arena, &r->array, tl_array);
    TL_NEW(slot);
    *slot = x;
    return TL_OK;
}

/* The call of this function that v is, seeing through Parameter(tensor); NULL: something else. */
static const tl_py *tensor_call(const tl_pickle *p, const tl_py *v)
{
    if (v->kind != TL_PY_CALL) return NULL;
    const char *f = tl_py_at(p, v, 0)->text;
    if (!strcmp(f, "torch._utils._rebuild_tensor_v2")) return v;
    const tl_py *inner = tl_py_at(p, tl_py_at(p, v, 1), 0);
    if (strcmp(f, "torch._utils._rebuild_parameter") || inner->kind != TL_PY_CALL) return NULL;
    return strcmp(tl_py_at(p, inner, 0)->text, "torch._utils._rebuild_tensor_v2") ? NULL : inner;
}

static bool holds_tensors(const tl_pickle *p, const tl_py *dict)
{
    for (int i = 1; dict && dict->kind == TL_PY_DICT && i < dict->item.n; i += 2)
        if (tensor_call(p, tl_py_at(p, dict, i))) return true;
    return false;
}

/* The state dict: the pickle itself, or what it holds under one of the usual names. */
static const tl_py *state_dict(const tl_pickle *p)
{
    static const char *const keys[] = { "state_dict", "model", "model_state_dict", "state_dict_ema",
                                        "model_ema",  "net",   "weights" };
    const tl_py *root = (const tl_py *)p->value.at + p->root;
    for (int i = 0; !holds_tensors(p, root) && i < TL_LEN(keys); i++) {
        const tl_py *inner = tl_py_get(p, root, keys[i]);
        if (holds_tensors(p, inner)) return inner;
    }
    return holds_tensors(p, root) ? root : NULL;
}

static tl_status read_tensors(reader *r)
{
    const tl_pickle *p = &r->pickle;
    const tl_py *dict = state_dict(p);
    TL_CHECK(dict, TL_EUNSUP, "there is no dict of tensors in it; " REMEDY);
    for (int i = 0; i + 1 < dict->item.n; i += 2) {
        const tl_py *name = tl_py_at(p, dict, i), *call = tensor_call(p, tl_py_at(p, dict, i + 1));
        if (name->kind == TL_PY_STR && call) TL_TRY(tensor(r, call, name->text));
    }
    return TL_OK;
}

static tl_status read(tl_arena *a, const char *path, tl_bytes file, tl_foreign *out)
{
    static const char *const allowed[] = {
        "collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter", "torch.Size",
        "torch.DoubleStorage", "torch.FloatStorage", "torch.HalfStorage", "torch.BFloat16Storage", "torch.LongStorage",
        "torch.IntStorage", "torch.ShortStorage", "torch.CharStorage", "torch.ByteStorage", "torch.BoolStorage", NULL,
    };
    reader r = { .arena = a };
    tl_bytes pickle;
    (void)path;
    TL_CHECK(!is_legacy(file), TL_EUNSUP,
             "this is PyTorch's format from before version 1.6; load and save it with a newer one: "
             "torch.save(torch.load('old.pth', weights_only=True), 'new.pth')");
    TL_TRY(tl_zip_parse(a, file, &r.entry));
    TL_TRY(find_pickle(&r, &pickle));
    tl_status s = tl_pickle_parse(a, pickle, allowed, &r.pickle);
    if (s == TL_EUNSUP) {
        char why[256];
        TL_CHECK(!find(&r, "constants.pkl"), TL_EUNSUP, "this is a TorchScript program, not weights; " REMEDY);
        strncpy(why, tl_errmsg(), sizeof why - 1)[sizeof why - 1] = 0;
        return tl_fail(s, "the file is not a plain dict of tensors: %s; " REMEDY, why);
    }
    TL_TRY(s);
    TL_TRY(read_tensors(&r));
    return tl_statedict(a, &r.array, file.n, out);
}

const tl_importer tl_importer_pytorch = {
    .name = "pytorch", .brief = "a state dict that PyTorch saved, read without running anything", .ends = ".pth, .pt",
    .knows = knows, .read = read,
};
