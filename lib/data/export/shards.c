/* shards.c - a data set into its files of records. SPDX-License-Identifier: MIT
 *
 * Files are written under temporary names and take their own at the end, so that a training never finds half a data
 * set. */
#include "frame.h"
#include "modify.h"
#include "../label/keys.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct { const char *path, *tmp; bool made; } target;

typedef struct {
    tl_arena *a, *one;           /* one: of a picture */
    const tl_dataset_export *e;
    const tl_export_conf *c;
    const tl_listener *l;
    tl_partitions  parts;
    tl_modifier    modifier;
    tl_list        file;         /* target */
    tl_keys        class;        /* what records call them, in the order of meeting them */
    tl_list        part, total;  /* int: objects of each class in the partition, and in all */
    json_t        *dropped;      /* "LABELS_3": [x1, y1, x2, y2] */
    tl_export_result result;
} job;

/* ---- Names ---- */

static const char *warnings_of(tl_arena *a, const char *output) { return tl_printf(a, "%s_warning.json", output); }

static const char *shard_path(const job *j, int part, int shard, int shards)
{
    const char *fold = tl_printf(j->a, "%s-fold-%03d-of-%03d", j->c->output, part, j->parts.of);
    return !fold || !shards ? fold : tl_printf(j->a, "%s-shard-%05d-of-%05d", fold, shard, shards);
}

static int count_shards(const tl_partition *p) { return p->shards ? p->shards : 1; }

static tl_status name_files(job *j)
{
    for (int i = 0; i < j->parts.n; i++)
        for (int k = 0; k < count_shards(j->parts.at + i); k++) {
            target *t = tl_add(j->a, &j->file, target);
            TL_NEW(t);
            *t = (target){ .path = shard_path(j, i, k, j->parts.at[i].shards) };
            TL_NEW(t->path);
            TL_NEW(t->tmp = tl_printf(j->a, "%s.%ld.tmp", t->path, (long)getpid()));
        }
    return TL_OK;
}

/* Does a conversion to this output write a file of that name? */
static bool is_ours(const char *name, const char *output)
{
    int digits, end = 0;
    const size_t n = strlen(output);
    if (strncmp(name, output, n)) return false;
    name += n;
    if (sscanf(name, "-fold-%d-of-%d%n", &digits, &digits, &end) < 2) return false;
    name += end;
    if (!*name) return true;
    end = 0;
    return sscanf(name, "-shard-%d-of-%d%n", &digits, &digits, &end) == 2 && !name[end];
}

static bool is_new(const job *j, const char *path)
{
    const target *t = j->file.at;
    for (int i = 0; i < j->file.n; i++)
        if (!strcmp(t[i].path, path)) return true;
    return false;
}

/* Files of earlier conversions: one that stays beside the new ones would be read with them. */
static tl_status old_files(job *j, tl_list *out)
{
    tl_list names;
    const char *slash = strrchr(j->c->output, '/'),
               *dir = slash ? tl_strndup(j->a, j->c->output, (size_t)(slash - j->c->output) + 1) : ".";
    *out = (tl_list){ 0, NULL };
    TL_NEW(dir);
    TL_TRY(tl_mkdirs(dir));
    TL_TRY(tl_dir_list(j->a, dir, &names));
    for (int i = 0; i < names.n; i++) {
        const char *name = ((const char **)names.at)[i];
        if (!is_ours(name, tl_path_base(j->c->output))) continue;
        const char **slot = tl_add(j->a, out, const char *);
        TL_NEW(slot);
        TL_NEW(*slot = slash ? tl_path_join(j->a, dir, name) : tl_strdup(j->a, name));
    }
    return TL_OK;
}

static tl_status may_write(job *j)
{
    tl_list old;
    const char *warnings = warnings_of(j->a, j->c->output);
    TL_NEW(warnings);
    TL_TRY(old_files(j, &old));
    const char *there = old.n ? *(const char **)old.at : tl_file_exists(warnings) ? warnings : NULL;
    TL_CHECK(j->c->overwrite || !there, TL_EARG, "'%s' exists already; choose another name, or add --overwrite", there);
    return TL_OK;
}

/* ---- Counting ---- */

static tl_status count(job *j, const char *const *class, const tl_labels *l, const tl_picture *p, int copies)
{
    for (int i = p->first; i < p->first + p->n; i++) {
        if (!tl_frame_keeps(l->object + i)) continue;
        int k = tl_keys_add(&j->class, class[l->object[i].label]);
        if (k < 0) return TL_ENOMEM;
        while (j->part.n <= k)
            if (!tl_add(j->a, &j->part, int) || !tl_add(j->a, &j->total, int)) return TL_ENOMEM;
        ((int *)j->part.at)[k] += copies;
        ((int *)j->total.at)[k] += copies;
        j->result.objects += copies;
    }
    return TL_OK;
}

static tl_status tell_counts(job *j, const tl_list *n)
{
    tl_text t = tl_text_new(j->one);
    tl_textf(&t, "\nWrote the following numbers of objects:\n");
    for (int i = 0; i < n->n; i++)
        if (((const int *)n->at)[i]) tl_textf(&t, "b'%s': %d\n", tl_keys_at(&j->class, i), ((const int *)n->at)[i]);
    tl_textf(&t, "\n");
    const char *text = tl_text_end(&t);
    TL_NEW(text);
    tl_tell(j->l, text);
    return TL_OK;
}

static tl_status remember_dropped(job *j, const tl_labels *l, const tl_picture *p)
{
    for (int i = p->first; i < p->first + p->n; i++) {
        const tl_box b = l->object[i].box;
        if (tl_frame_keeps(l->object + i)) continue;
        const bool file = j->e->kitti_config;
        char *key = tl_printf(j->one, "%s_%d", file ? p->labels : p->path, i - p->first);
        TL_NEW(key);
        json_t *v = json_pack("[f,f,f,f]", (double)b.x1, (double)b.y1, (double)b.x2, (double)b.y2);
        for (size_t k = 0; v && k < 4; k++)
            json_array_set_new(v, k, json_integer((json_int_t)json_real_value(json_array_get(v, k))));
        TL_CHECK(!json_object_set_new_nocheck(j->dropped, key, v), TL_ENOMEM, "out of memory");
        j->result.dropped++;
    }
    return TL_OK;
}

/* ---- Writing ---- */

static tl_status write_picture(job *j, int fd, const target *t, int part, const tl_partition *p, int i,
                               const char *const *class)
{
    const tl_labels *l = p->labels;
    const tl_picture *picture = l->picture + i;
    tl_bytes record;
    tl_object *kept = tl_new(j->one, tl_object, picture->n + 1);
    int n = 0, copies;
    TL_NEW(kept);
    for (int k = picture->first; k < picture->first + picture->n; k++) {
        TL_CHECK(!(l->object[k].flags & TL_SCORED), TL_EDATA,
                 "'%s' has 16 fields in a line, of which the last is a detector's score; labels have 15",
                 picture->labels);
        if (tl_frame_keeps(l->object + k)) kept[n++] = l->object[k];
    }
    TL_TRY(remember_dropped(j, l, picture));
    TL_TRY(tl_modifier_copies(j->one, &j->modifier, part, class, kept, n, &copies));
    TL_TRY(tl_frame_record(j->one, p, picture, class, &record));
    for (int k = 0; k < copies; k++) TL_TRY(tl_write_all(fd, t->path, record.p, record.n));
    j->result.records += copies;
    return count(j, class, l, picture, copies);
}

static tl_status write_shard(job *j, target *t, int part, int first, int end, const char *const *class)
{
    const tl_partition *p = j->parts.at + part;
    int fd = open(t->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    TL_CHECK(fd >= 0, TL_EIO, "cannot write '%s': %s", t->tmp, strerror(errno));
    t->made = true;
    tl_status s = TL_OK;
    for (int i = first; i < end && !s; i++) {
        s = tl_stopping(j->l) ? tl_fail(TL_ESTOPPED, "stopped; nothing was written")
                              : write_picture(j, fd, t, part, p, p->order[i], class);
        tl_arena_reset(j->one);
    }
    close(fd); /* publishing syncs it */
    return s;
}

static tl_status write_partition(job *j, int part, target *t)
{
    const tl_partition *p = j->parts.at + part;
    const int shards = count_shards(p), each = p->n / shards;
    const char **class = tl_new(j->a, const char *, p->labels->classes.n + 1);
    TL_NEW(class);
    for (int i = 0; i < p->labels->classes.n; i++)
        TL_NEW(class[i] = tl_frame_class(j->a, ((const char **)p->labels->classes.at)[i], j->parts.bytes));
    if (j->part.n) memset(j->part.at, 0, sizeof(int) * (size_t)j->part.n);
    for (int k = 0; k < shards; k++) {
        tl_say(j->l, "Writing partition %d, shard %d\n", part, k);
        TL_TRY(write_shard(j, t + k, part, k * each, k + 1 < shards ? (k + 1) * each : p->n, class));
    }
    return tell_counts(j, &j->part);
}

static tl_status publish(job *j)
{
    target *t = j->file.at;
    for (int i = 0; i < j->file.n; i++) {
        int fd = open(t[i].tmp, O_RDONLY | O_CLOEXEC);
        TL_CHECK(fd >= 0, TL_EIO, "cannot read '%s': %s", t[i].tmp, strerror(errno));
        tl_status s = tl_file_publish(fd, t[i].tmp, t[i].path);
        close(fd);
        TL_TRY(s);
        t[i].made = false;
    }
    j->result.files = j->file.n;
    return TL_OK;
}

static tl_status write_warnings(job *j)
{
    const char *path = warnings_of(j->a, j->c->output);
    TL_NEW(path);
    if (!j->result.dropped) {
        unlink(path); /* of an earlier conversion */
        return TL_OK;
    }
    char *text = json_dumps(j->dropped, JSON_INDENT(2));
    TL_CHECK(text, TL_EDATA, "a file's name is not UTF-8, which the names in '%s' have to be", path);
    tl_status s = tl_file_write(path, text, strlen(text));
    free(text);
    TL_TRY(s);
    j->result.warnings = path;
    return TL_OK;
}

static tl_status remove_old(job *j)
{
    tl_list old;
    TL_TRY(old_files(j, &old));
    for (int i = 0; i < old.n; i++) {
        const char *path = ((const char **)old.at)[i];
        if (!is_new(j, path)) unlink(path);
    }
    return TL_OK;
}

static tl_status tell_classes(job *j)
{
    tl_text t = tl_text_new(j->a);
    tl_keys told = { .a = j->a };
    tl_textf(&t, "Class map. \nLabel in GT: Label in tfrecords file \n");
    for (int i = 0; i < j->parts.n; i++) {
        const tl_labels *l = j->parts.at[i].labels;
        for (int k = 0; k < l->used.n; k++) {
            const tl_class_use *u = (const tl_class_use *)l->used.at + k;
            const char *class = tl_frame_class(j->a, u->name, j->parts.bytes), *b = j->parts.bytes ? "b'" : "",
                       *e = j->parts.bytes ? "'" : "";
            const int before = told.key.n;
            TL_NEW(class);
            if (!u->objects || tl_keys_add(&told, u->name) < before) continue;
            tl_textf(&t, "%s%s%s: %s%s%s\n", b, u->name, e, b, class, e);
        }
    }
    tl_textf(&t, "For the dataset_config in the experiment_spec, please use labels in the tfrecords file, while writing "
                 "the classmap.\n\nTfrecords generation complete.\n");
    const char *text = tl_text_end(&t);
    TL_NEW(text);
    tl_tell(j->l, text);
    return TL_OK;
}

static tl_status convert(job *j)
{
    const int folds = j->e->coco_config ? j->e->coco_config->num_partitions : j->e->kitti_config->num_partitions;
    TL_TRY(tl_modifier_new(j->a, j->e->sample_modifier_config, j->c->validation_fold, folds, &j->modifier));
    TL_TRY(may_write(j));
    TL_TRY(tl_partition_dataset(j->a, j->e, j->l, &j->parts));
    TL_TRY(name_files(j));
    target *t = j->file.at;
    for (int i = 0; i < j->parts.n; t += count_shards(j->parts.at + i++)) TL_TRY(write_partition(j, i, t));
    tl_say(j->l, "Cumulative object statistics\n");
    TL_TRY(tell_counts(j, &j->total));
    TL_TRY(write_warnings(j)); /* while all that was there is still there */
    TL_TRY(publish(j));
    TL_TRY(remove_old(j));
    TL_TRY(tell_classes(j));
    if (j->result.warnings)
        tl_say(j->l, "There were errors in the labels. Details are logged at %s\n", j->result.warnings);
    return TL_OK;
}

tl_status tl_dataset_export_write(tl_arena *a, const tl_dataset_export *e, const tl_export_conf *c,
                                  const tl_listener *l, tl_export_result *out)
{
    job j = { .a = a, .one = tl_arena_new(), .e = e, .c = c, .l = l, .class.a = a, .dropped = json_object() };
    tl_status s = j.one && j.dropped ? convert(&j) : tl_fail(TL_ENOMEM, "out of memory");
    const target *t = j.file.at;
    for (int i = 0; i < j.file.n; i++)
        if (t[i].made) unlink(t[i].tmp);
    json_decref(j.dropped);
    tl_arena_free(j.one);
    *out = j.result;
    return s;
}
