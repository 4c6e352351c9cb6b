/* checkpoint.c - save a training so that it can go on, bit for bit. SPDX-License-Identifier: MIT
 *
 * The state file, little-endian:
 *     0  magic "TLCSTAT1"
 *     8  length of the header, 32 bits
 *    12  header, JSON: the counters of tl_train_state, "model": checksum of the model file,
 * "floats": how many follow .  the optimizer's arrays, f32, in the order of tl_weights: slots, then
 * raw weights where the model holds averages end  checksum of all before, 64 hexadecimal digits
 * Under a key the whole is sealed like the model. */
#include "seal.h"
#include "text.h"
#include "train.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char magic[8] = { 'T', 'L', 'C', 'S', 'T', 'A', 'T', '1' };
enum { CHECKSUM = TL_CHECKSUM_SIZE - 1 };
#define INTERRUPTED -1 /* in place of an epoch: the checkpoint made when stopped inside one */

const char *tl_checkpoint_path(tl_arena *a, const tl_checkpoints *c, int epoch, const char *suffix)
{
    return epoch == INTERRUPTED ? tl_printf(a, "%s/%s_interrupted%s", c->dir, c->name, suffix)
                                : tl_printf(a, "%s/%s_%03d%s", c->dir, c->name, epoch, suffix);
}

static const char *model_suffix(const tl_checkpoints *c)
{
    return c->key && c->key[0] ? ".tlt" : ".onnx";
}

static size_t floats_of(const tl_weights *w)
{
    size_t n = 0;
    for (int i = 0; i < w->n; i++)
        n += w->at[i].n * (size_t)(w->optim->slots + (w->at[i].mean != NULL));
    return n;
}

/* Doubles go through "%.17g" so that they come back as they were. */
static json_t *header_json(const tl_train_state *s, const char *model, size_t floats)
{
    json_t *kept = json_array();
    for (int i = 0; i < s->nkept; i++) json_array_append_new(kept, json_real(s->kept[i]));
    return json_pack("{s:i, s:i, s:i, s:I, s:i, s:f, s:f, s:o, s:f, s:f, s:I, s:I, s:s, s:I, s:o, s:i, s:i, s:f}", "epoch",
                     s->epoch, "batch", s->batch, "pictures", s->pictures, "step", (json_int_t)s->step, "best_epoch",
                     s->best_epoch, "best_acc", s->best_acc, "best_loss", s->best_loss,
                     "frozen_acc", s->frozen_acc >= 0 ? json_real(s->frozen_acc) : json_null(),
                     "loss_sum", s->loss_sum, "seconds", s->seconds, "hits", (json_int_t)s->hits,
                     "seen", (json_int_t)s->seen, "model", model, "floats", (json_int_t)floats, "kept", kept,
                     "last_epoch", s->last_epoch, "waited", s->waited, "lowest", s->lowest);
}

static void copy_arrays(const tl_weights *w, float *to, bool back)
{
    for (int i = 0; i < w->n; i++) {
        const tl_weight *q = &w->at[i];
        for (int k = 0; k <= w->optim->slots;
             k++) { /* the slots, then the raw weights, which lie in mean after a swap */
            float *part = k < w->optim->slots ? q->slot[k] : q->mean;
            if (!part) continue;
            memcpy(back ? part : to, back ? to : part, q->n * sizeof *to);
            to += q->n;
        }
    }
}

static tl_status pack_state(tl_arena *a, const tl_train_state *s, const char *model_sum,
                            const tl_weights *w, tl_bytes *out)
{
    size_t floats = floats_of(w);
    json_t *j = header_json(s, model_sum, floats);
    char *header = j ? json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL,
         sum[TL_CHECKSUM_SIZE];
    json_decref(j);
    TL_CHECK(header, TL_ENOMEM, "out of memory");
    uint32_t len = (uint32_t)strlen(header);
    size_t body = sizeof magic + 4 + len, n = body + floats * sizeof(float);
    uint8_t *p = tl_alloc_raw(a, n + CHECKSUM);
    if (p) {
        memcpy(p, magic, sizeof magic);
        memcpy(p + sizeof magic, &len, 4);
        memcpy(p + sizeof magic + 4, header, len);
    }
    free(header);
    TL_NEW(p);
    float *arrays = tl_alloc_raw(a, floats * sizeof(float));
    TL_NEW(arrays);
    copy_arrays(w, arrays, false);
    memcpy(p + body, arrays, floats * sizeof(float));
    TL_TRY(tl_checksum((tl_bytes){ p, n }, sum));
    memcpy(p + n, sum, CHECKSUM);
    *out = (tl_bytes){ p, n + CHECKSUM };
    return TL_OK;
}

static tl_status remove_file(tl_arena *a, const tl_checkpoints *c, int epoch, const char *suffix)
{
    const char *path = tl_checkpoint_path(a, c, epoch, suffix);
    TL_NEW(path);
    (void)unlink(path);
    return TL_OK;
}

/* The epoch of NAME_EEE.state; -1: it is another file. */
static int epoch_of(const tl_checkpoints *c, const char *file)
{
    const size_t n = strlen(c->name);
    char *end;
    if (strncmp(file, c->name, n) || file[n] != '_' || file[n + 1] < '0' || file[n + 1] > '9') return -1;
    const long epoch = strtol(file + n + 1, &end, 10);
    return strcmp(end, ".state") || epoch > 1 << 30 ? -1 : (int)epoch;
}

/* Of the states before this epoch's only the last one stays. */
static tl_status forget_states(tl_arena *a, const tl_checkpoints *c, int now)
{
    tl_list files;
    int last = -1;
    TL_TRY(tl_dir_list(a, c->dir, &files));
    for (int i = 0; i < files.n; i++) {
        const int epoch = epoch_of(c, ((const char **)files.at)[i]);
        if (epoch < now && epoch > last) last = epoch;
    }
    for (int i = 0; i < files.n; i++) {
        const int epoch = epoch_of(c, ((const char **)files.at)[i]);
        if (epoch >= 0 && epoch < last) TL_TRY(remove_file(a, c, epoch, ".state"));
    }
    return TL_OK;
}

static tl_status save(tl_arena *a, const tl_checkpoints *c, const tl_model *m,
                      const tl_train_state *s, const tl_weights *w)
{
    int at = s->batch ? INTERRUPTED : s->epoch;
    const char *model_path = tl_checkpoint_path(a, c, at, model_suffix(c)),
               *state_path = tl_checkpoint_path(a, c, at, ".state");
    tl_bytes model, state;
    char sum[TL_CHECKSUM_SIZE];
    TL_NEW(model_path && state_path ? model_path : NULL);
    TL_TRY(tl_model_pack(m, a, &(tl_save_opts){ .key = c->key }, &model));
    TL_TRY(tl_checksum(model, sum));
    TL_TRY(pack_state(a, s, sum, w, &state));
    if (c->key && c->key[0]) TL_TRY(tl_seal(a, c->key, state, &state));
    TL_TRY(tl_file_write(model_path, model.p, model.n));
    TL_TRY(tl_file_write(state_path, state.p, state.n));
    if (at == INTERRUPTED) return TL_OK;
    TL_TRY(remove_file(a, c, INTERRUPTED, model_suffix(c)));
    TL_TRY(remove_file(a, c, INTERRUPTED, ".state"));
    return forget_states(a, c, at);
}

tl_status tl_checkpoint_save(const tl_checkpoints *c, const tl_model *m, const tl_train_state *s,
                             const tl_weights *w)
{
    tl_arena *a = tl_arena_new();
    TL_NEW(a);
    tl_status st = save(a, c, m, s, w);
    tl_arena_free(a);
    return st ? tl_note(st, "writing the checkpoint of epoch %d; the one before it is untouched",
                        s->epoch)
              : TL_OK;
}

tl_status tl_checkpoint_drop(const tl_checkpoints *c, int epoch)
{
    tl_arena *a = tl_arena_new();
    TL_NEW(a);
    tl_status s = remove_file(a, c, epoch, model_suffix(c));
    if (!s) s = remove_file(a, c, epoch, ".state");
    tl_arena_free(a);
    return s;
}

tl_status tl_checkpoint_mark(const tl_checkpoints *c, const char *as, int epoch)
{
    tl_arena *a = tl_arena_new();
    TL_NEW(a);
    const char *link = tl_printf(a, "%s/%s%s%s", c->dir, c->name, as, model_suffix(c)),
               *tmp = tl_printf(a, "%s/%s%s.tmp", c->dir, c->name, as);
    const char *to = tl_printf(a, "%s_%03d%s", c->name, epoch, model_suffix(c));
    tl_status s = link && tmp && to ? TL_OK : TL_ENOMEM;
    if (!s) {
        (void)unlink(tmp);
        if (symlink(to, tmp) || rename(tmp, link))
            s = tl_fail(TL_EIO, "cannot make the link '%s': %s", link, strerror(errno));
    }
    tl_arena_free(a);
    return s;
}

static tl_status number(const json_t *j, const char *key, double *out)
{
    const json_t *v = json_object_get(j, key);
    TL_CHECK(json_is_number(v), TL_EFORMAT, "its header lacks %s", key);
    *out = json_number_value(v);
    return TL_OK;
}

static tl_status read_header(const json_t *j, tl_train_state *s, double *floats)
{
    double epoch = 0, batch = 0, pictures = 0, step = 0, best = 0, hits = 0, seen = 0;
    const json_t *frozen = json_object_get(j, "frozen_acc");
    TL_TRY(number(j, "epoch", &epoch));
    TL_TRY(number(j, "batch", &batch));
    if (json_object_get(j, "pictures")) TL_TRY(number(j, "pictures", &pictures)); /* younger than the rest */
    TL_TRY(number(j, "step", &step));
    TL_TRY(number(j, "best_epoch", &best));
    TL_TRY(number(j, "best_acc", &s->best_acc));
    TL_TRY(number(j, "best_loss", &s->best_loss));
    TL_TRY(number(j, "loss_sum", &s->loss_sum));
    TL_TRY(number(j, "seconds", &s->seconds));
    TL_TRY(number(j, "hits", &hits));
    TL_TRY(number(j, "seen", &seen));
    TL_TRY(number(j, "floats", floats));
    TL_CHECK(epoch >= 0 && epoch < 1e6 && batch >= 0 && batch < 1e9 && pictures >= 0 && pictures < 1e9 && step >= 0 && step < 1e15 &&
                 best >= -1 && best <= epoch && hits >= 0 && hits <= seen && seen < 1e15,
             TL_EFORMAT, "its header makes no sense");
    s->epoch = (int)epoch;
    s->batch = (int)batch;
    s->pictures = (int)pictures;
    s->step = (long)step;
    s->best_epoch = (int)best;
    s->hits = (int64_t)hits;
    s->seen = (int64_t)seen;
    s->frozen_acc = json_is_number(frozen) ? json_number_value(frozen) : -1;
    const json_t *kept = json_object_get(j, "kept"), *v;
    TL_CHECK(json_array_size(kept) <= TL_KEPT, TL_EFORMAT, "its header makes no sense");
    s->last_epoch = (int)json_integer_value(json_object_get(j, "last_epoch")); /* 0 where it is missing, and so on */
    s->waited = (int)json_integer_value(json_object_get(j, "waited"));
    s->lowest = json_number_value(json_object_get(j, "lowest"));
    TL_CHECK(s->last_epoch >= 0 && s->waited >= 0, TL_EFORMAT, "its header makes no sense");
    s->nkept = (int)json_array_size(kept);
    for (int i = 0; i < s->nkept; i++) {
        TL_CHECK(json_is_number(v = json_array_get(kept, (size_t)i)), TL_EFORMAT, "its header makes no sense");
        s->kept[i] = json_number_value(v);
    }
    return TL_OK;
}

static void drop_json(void *j) { json_decref(j); }

tl_status tl_checkpoint_parse(tl_arena *a, tl_bytes f, tl_checkpoint *out, const char **model_sum)
{
    uint32_t len;
    char sum[TL_CHECKSUM_SIZE];
    double floats = 0;
    TL_CHECK(f.n > sizeof magic + 4 + CHECKSUM && !memcmp(f.p, magic, sizeof magic), TL_EFORMAT,
             "it is not a training state");
    TL_TRY(tl_checksum((tl_bytes){ f.p, f.n - CHECKSUM }, sum));
    TL_CHECK(!memcmp(sum, f.p + f.n - CHECKSUM, CHECKSUM), TL_EFORMAT,
             "its checksum is wrong: it is damaged or cut off");
    memcpy(&len, f.p + sizeof magic, 4);
    size_t room = f.n - sizeof magic - 4 - CHECKSUM;
    TL_CHECK(len <= room, TL_EFORMAT, "its header is cut off");
    json_error_t e;
    json_t *j = json_loadb((const char *)f.p + sizeof magic + 4, len, JSON_REJECT_DUPLICATES, &e);
    TL_CHECK(j, TL_EFORMAT, "its header is damaged: %s", e.text);
    TL_TRY(tl_defer(a, drop_json, j));
    TL_TRY(read_header(j, &out->state, &floats));
    *model_sum = json_string_value(json_object_get(j, "model"));
    out->arrays = (tl_bytes){ f.p + sizeof magic + 4 + len, room - len };
    TL_CHECK(*model_sum && floats * 4 == (double)out->arrays.n, TL_EFORMAT,
             "its arrays are incomplete");
    return TL_OK;
}

static tl_status load_pair(tl_arena *a, const tl_checkpoints *c, const char *state_path,
                           tl_checkpoint *out)
{
    tl_bytes state, model;
    const char *want;
    char sum[TL_CHECKSUM_SIZE];
    TL_TRY(tl_file_read(a, state_path, 0, &state));
    TL_TRY(tl_unseal(a, c->key, state_path, state, &state));
    TL_TRY(tl_checkpoint_parse(a, state, out, &want));
    out->path = tl_checkpoint_path(a, c, out->state.batch ? INTERRUPTED : out->state.epoch,
                                   model_suffix(c));
    TL_NEW(out->path);
    TL_TRY(tl_file_read(a, out->path, 0, &model));
    TL_TRY(tl_checksum(model, sum));
    TL_CHECK(!strcmp(sum, want), TL_EFORMAT, "the model '%s' is not the one it belongs to",
             out->path);
    TL_TRY(tl_unseal(a, c->key, out->path, model, &model));
    return tl_model_unpack(a, model, &out->model);
}

static bool newer(const tl_checkpoint *a, const tl_checkpoint *b)
{
    return !b->model || a->state.epoch > b->state.epoch ||
           (a->state.epoch == b->state.epoch && a->state.batch > b->state.batch);
}

tl_status tl_checkpoint_find(tl_arena *a, const tl_checkpoints *c, tl_checkpoint *out,
                             const char **notes)
{
    tl_list names;
    tl_text t = tl_text_new(a);
    size_t n = strlen(c->name);
    *out = (tl_checkpoint){ 0 };
    *notes = "";
    if (!tl_is_dir(c->dir)) return TL_OK;
    TL_TRY(tl_dir_list(a, c->dir, &names));
    for (int i = 0; i < names.n; i++) {
        const char *name = ((const char **)names.at)[i], *end = strrchr(name, '.');
        if (strncmp(name, c->name, n) || name[n] != '_' || !end || strcmp(end, ".state")) continue;
        tl_checkpoint p = { 0 };
        const char *path = tl_path_join(a, c->dir, name);
        TL_NEW(path);
        tl_status s = load_pair(a, c, path, &p);
        if (s == TL_ENOMEM) return s;
        if (s) tl_textf(&t, "warning: the checkpoint '%s' is passed over: %s\n", path, tl_errmsg());
        else if (newer(&p, out))
            *out = p;
    }
    *notes = tl_text_end(&t);
    return *notes ? TL_OK : TL_ENOMEM;
}

tl_status tl_checkpoint_restore(const tl_checkpoint *c, tl_weights *w)
{
    TL_CHECK(floats_of(w) * sizeof(float) == c->arrays.n, TL_EFORMAT,
             "the checkpoint '%s' was made with another optimizer or other frozen layers; "
             "resume with the settings it was started with, or train anew in another folder",
             c->path);
    tl_arena *a = tl_arena_new();
    TL_NEW(a);
    float *arrays = tl_alloc_raw(a, c->arrays.n); /* the file's are not aligned */
    if (arrays) {
        memcpy(arrays, c->arrays.p, c->arrays.n);
        copy_arrays(w, arrays, true);
    }
    tl_arena_free(a);
    return arrays ? TL_OK : TL_ENOMEM;
}
