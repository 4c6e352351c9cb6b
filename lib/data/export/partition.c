/* partition.c - which picture goes into which file. SPDX-License-Identifier: MIT
 *
 * "random" takes the first val_split percent of the pictures, by name, for partition 0 and shuffles within the
 * partitions only: in spite of its name, which pictures are for validation is decided by how they are called.
 * "sequence" deals whole sequences, long ones first, to the partitions in turn, and then counts those backwards. */
#include "partition.h"
#include "../label/keys.h"
#include "pyrandom.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 42 };

/* ---- KITTI ---- */

typedef struct {
    tl_arena *a;
    const tl_kitti_config *k;
    const char *images, *texts; /* folders */
    tl_labels *labels;
    tl_keys    frame;           /* names of label files without suffix: key i is picture `of[i]` */
    int       *of;
} kitti;

static bool ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static tl_status read_labels(kitti *d)
{
    const tl_label_conf c = { .labels = d->texts, .pictures = d->images, .format = "kitti", .world = true, .raw = true };
    TL_TRY(tl_labels_read(d->a, &c, &d->labels));
    d->frame.a = d->a;
    TL_NEW(d->of = tl_new(d->a, int, d->labels->npictures + 1));
    for (int i = 0; i < d->labels->npictures; i++) {
        const char *file = tl_path_base(d->labels->picture[i].labels),
                   *name = tl_strndup(d->a, file, strlen(file) - sizeof ".txt" + 1);
        TL_NEW(name);
        int key = tl_keys_add(&d->frame, name);
        if (key < 0) return TL_ENOMEM;
        d->of[key] = i;
    }
    return TL_OK;
}

/* The frame's picture gets its path and size from here, so that one of another suffix is not taken for it. */
static tl_status add_frame(kitti *d, tl_list *to, const char *name)
{
    int key = tl_keys_find(&d->frame, name), *slot = tl_add(d->a, to, int);
    tl_size size;
    TL_NEW(slot);
    TL_CHECK(key >= 0, TL_EDATA,
             "the picture '%s/%s%s' has no label file '%s/%s.txt'; if it shows no object, make an empty one", d->images,
             name, d->k->image_extension, d->texts, name);
    tl_picture *p = d->labels->picture + d->of[key];
    TL_NEW(p->path = tl_printf(d->a, "%s/%s%s", d->images, name, d->k->image_extension));
    TL_TRY(tl_image_measure(p->path, &size));
    p->w = size.w;
    p->h = size.h;
    *slot = d->of[key];
    return TL_OK;
}

static void shuffle(tl_pyrandom *r, tl_list *part, int n)
{
    for (int i = 0; i < n; i++) tl_pyrandom_shuffle(r, part[i].at, part[i].n);
}

static tl_status by_name(kitti *d, tl_list *part, tl_pyrandom *r, const tl_listener *l)
{
    tl_list names, frames = { 0, NULL };
    TL_TRY(tl_dir_list(d->a, d->images, &names));
    for (int i = 0; i < names.n; i++) {
        const char *name = ((const char **)names.at)[i];
        if (!ends(name, d->k->image_extension)) continue;
        const char **slot = tl_add(d->a, &frames, const char *);
        TL_NEW(slot);
        TL_NEW(*slot = tl_strndup(d->a, name, strlen(name) - strlen(d->k->image_extension)));
    }
    TL_CHECK(frames.n, TL_EDATA, "there are no pictures '*%s' in '%s'; image_extension tells their suffix",
             d->k->image_extension, d->images);
    const int validation = (int)((double)d->k->val_split / 100 * frames.n);
    for (int i = 0; i < frames.n; i++)
        TL_TRY(add_frame(d, part + (i >= validation), ((const char **)frames.at)[i]));
    shuffle(r, part, 2);
    tl_say(l, "Num images in\nTrain: %d\tVal: %d\n", part[1].n, part[0].n);
    if (validation)
        tl_say(l, "Validation data in partition 0. Hence, while choosing the validation set during training choose "
                  "validation_fold 0.\n");
    else
        tl_say(l, "Skipped validation data...\nnote: without a validation set the training data are in fold 0, as with "
                  "the original; a validation_fold 0 would leave nothing to train on\n");
    return TL_OK;
}

typedef struct { const char *name; const json_t *frames; } sequence;

static int by_length(const void *x, const void *y)
{
    const sequence *a = x, *b = y;
    size_t n = json_array_size(a->frames), m = json_array_size(b->frames);
    return n != m ? (n < m ? 1 : -1) : strcmp(a->name, b->name);
}

static tl_status deal(kitti *d, const char *path, json_t *map, tl_list *part, int parts)
{
    int n = 0;
    const char *name;
    json_t *frames;
    sequence *s = tl_new(d->a, sequence, json_object_size(map) + 1);
    TL_NEW(s);
    json_object_foreach(map, name, frames) {
        TL_CHECK(json_is_array(frames), TL_EDATA, "'%s': the frames of sequence '%s' are no list", path, name);
        s[n++] = (sequence){ name, frames };
    }
    if (parts > 1) qsort(s, (size_t)n, sizeof *s, by_length);
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < json_array_size(s[i].frames); k++) {
            const char *frame = json_string_value(json_array_get(s[i].frames, k));
            TL_CHECK(frame, TL_EDATA, "'%s': a frame of sequence '%s' is no string", path, s[i].name);
            TL_TRY(add_frame(d, part + (parts - 1 - i % parts), frame));
        }
    return TL_OK;
}

static tl_status by_sequence(kitti *d, tl_list *part, int parts, const tl_listener *l)
{
    json_error_t e;
    int total = 0;
    const char *path = tl_path_join(d->a, d->k->root_directory_path, d->k->kitti_sequence_to_frames_file);
    TL_NEW(path);
    json_t *map = json_load_file(path, 0, &e);
    TL_CHECK(map, TL_EDATA, "'%s', line %d: %s", path, e.line, e.text);
    tl_status s = json_is_object(map) ? deal(d, path, map, part, parts)
                                      : tl_fail(TL_EDATA, "'%s': expected an object of sequences and their frames",
                                                path);
    json_decref(map);
    TL_TRY(s);
    for (int i = 0; i < parts; i++) total += part[i].n;
    TL_CHECK(total, TL_EDATA, "'%s' names no frames", path);
    tl_say(l, "Total number of images: %d\n", total);
    return TL_OK;
}

static tl_status partition_kitti(tl_arena *a, const tl_kitti_config *k, const tl_listener *l, tl_partitions *out)
{
    kitti d = { .a = a, .k = k };
    const int parts = k->num_partitions;
    tl_list *part = tl_new(a, tl_list, parts);
    tl_pyrandom r = tl_pyrandom_seed(SEED);
    TL_NEW(part);
    TL_NEW(d.images = tl_path_join(a, k->root_directory_path, k->image_dir_name));
    TL_NEW(d.texts = tl_path_join(a, k->root_directory_path, k->label_dir_name));
    tl_say(l, "Instantiating a kitti converter\n");
    TL_TRY(read_labels(&d));
    TL_TRY(strcmp(k->partition_mode, "sequence") ? by_name(&d, part, &r, l) : by_sequence(&d, part, parts, l));
    shuffle(&r, part, parts);
    TL_NEW(out->at = tl_new(a, tl_partition, parts));
    *out = (tl_partitions){ .of = parts, .at = out->at, .bytes = true };
    for (int i = 0; i < parts; i++)
        if (part[i].n)
            out->at[out->n++] = (tl_partition){ d.labels, d.images, k->image_dir_name, part[i].n, part[i].at,
                                                k->num_shards };
    return TL_OK;
}

/* ---- COCO ---- */

static tl_status check_found(const tl_labels *l, const char *file, const char *dir)
{
    int missing = 0;
    const char *first = NULL;
    for (int i = l->npictures - 1; i >= 0; i--)
        if (!l->picture[i].found) missing++, first = l->picture[i].path;
    TL_CHECK(!missing, TL_EDATA, "%d of the %d pictures that '%s' speaks of are not in '%s'; the first is '%s'", missing,
             l->npictures, file, dir, first);
    TL_CHECK(l->npictures, TL_EDATA, "'%s' speaks of no pictures", file);
    TL_CHECK(l->nobjects, TL_EDATA, "'%s' has no annotations", file);
    return TL_OK;
}

static tl_status partition_coco(tl_arena *a, const tl_coco_config *k, const tl_listener *l, tl_partitions *out)
{
    const char *const *dir = k->img_dir_names.at, *const *file = k->annotation_files.at;
    const int *shards = k->num_shards.at;
    tl_say(l, "Instantiating a coco converter\n");
    *out = (tl_partitions){ k->num_partitions, k->num_partitions, tl_new(a, tl_partition, k->num_partitions), false };
    TL_NEW(out->at);
    for (int i = 0; i < out->n; i++) {
        tl_partition *p = out->at + i;
        tl_labels *labels;
        tl_label_conf c = { .format = "coco", .raw = true, .measure = true };
        TL_NEW(c.labels = tl_path_join(a, k->root_directory_path, file[i]));
        TL_NEW(c.pictures = tl_path_join(a, k->root_directory_path, dir[i]));
        TL_TRY(tl_labels_read(a, &c, &labels));
        TL_TRY(check_found(labels, c.labels, c.pictures));
        *p = (tl_partition){ labels, c.pictures, dir[i], labels->npictures, tl_new(a, int, labels->npictures),
                             !k->num_shards.n ? 0 : shards[k->num_shards.n > 1 ? i : 0] };
        TL_NEW(p->order);
        for (int j = 0; j < p->n; j++) p->order[j] = j;
    }
    return TL_OK;
}

tl_status tl_partition_dataset(tl_arena *a, const tl_dataset_export *e, const tl_listener *l, tl_partitions *out)
{
    return e->coco_config ? partition_coco(a, e->coco_config, l, out) : partition_kitti(a, e->kitti_config, l, out);
}
