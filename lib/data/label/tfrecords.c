/* tfrecords.c - labels as TFRecords: files of records, one for each picture. SPDX-License-Identifier: MIT
 *
 * Two dialects:
 *   - the original's, which dataset_convert writes (export/frame.c): frame/id, the picture's name without suffix, and
 *     target/..., boxes in pixels;
 *   - that of TensorFlow's object detection models, which annotation tools export: image/filename and image/object/...,
 *     boxes in fractions.
 * A picture that is found in several records, as those that dataset_convert repeats, is several pictures. Pictures inside
 * of records (image/encoded) are not looked at. */
#include "sink.h"
#include "example.h"
#include "file.h"
#include "tfrecord.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct { tl_label_sink *s; const tl_example *e; int record, picture; } reader;

static tl_status fail(const reader *r, const char *why, const char *name)
{
    return tl_fail(TL_EFORMAT, "'%s', record %d: %s%s", r->s->file, r->record, why, name);
}

/* ---- Features ---- */

/* A feature with n values (n negative: any number of them); NULL where there is none. */
static tl_status get(const reader *r, const char *name, tl_feature_kind kind, int n, const tl_feature **out)
{
    *out = tl_example_find(r->e, name, kind);
    if (!*out || n < 0 || (*out)->n == n) return TL_OK;
    return fail(r, "it has as many classes as objects, but not as many numbers in ", name);
}

static tl_status need(const reader *r, const char *name, tl_feature_kind kind, int n, const tl_feature **out)
{
    TL_TRY(get(r, name, kind, n, out));
    return *out ? TL_OK : fail(r, "it has no ", name);
}

static tl_status boxes(const reader *r, const char *const names[4], int n, const float *side[4])
{
    const tl_feature *f;
    for (int k = 0; k < 4; k++) {
        TL_TRY(need(r, names[k], TL_FEATURE_FLOAT, n, &f));
        side[k] = f->number;
        for (int i = 0; i < n; i++)
            if (!isfinite(side[k][i])) return fail(r, "an edge of a box is no number in ", names[k]);
    }
    return TL_OK;
}

static double integer(const reader *r, const char *name)
{
    const tl_feature *f = tl_example_find(r->e, name, TL_FEATURE_INT);
    return f && f->n ? (double)f->integer[0] : 0;
}

static tl_status begin_picture(reader *r, const char *name, double w, double h)
{
    char key[16];
    snprintf(key, sizeof key, "%d", r->s->pictures.n);
    r->picture = tl_sink_picture(r->s, key);
    return r->picture < 0 ? TL_ENOMEM : tl_sink_describe(r->s, r->picture, name, w, h);
}

/* ---- The original's ---- */

/* frame/id with the suffix that is told; without one, as the picture is found. */
static const char *frame_name(const reader *r, const char *id)
{
    static const char *const suffix[] = { "png", "jpg", "jpeg", "PNG", "JPG", "JPEG" };
    const tl_label_conf *c = r->s->conf;
    if (c->extension) return tl_printf(r->s->one, "%s.%s", id, c->extension + (*c->extension == '.'));
    for (int i = 0; i < TL_LEN(suffix) && r->s->folder; i++) {
        const char *name = tl_printf(r->s->one, "%s.%s", id, suffix[i]),
                   *path = name ? tl_path_join(r->s->one, r->s->folder, name) : NULL;
        if (!path || tl_file_exists(path)) return path ? name : NULL;
    }
    return id;
}

static tl_status worlds(const reader *r, int n, const tl_feature *f[8])
{
    static const char *const names[8] = { "target/observation_angle", "target/world_bbox_h", "target/world_bbox_w",
                                          "target/world_bbox_l", "target/world_bbox_x", "target/world_bbox_y",
                                          "target/world_bbox_z", "target/world_bbox_rot_y" };
    for (int k = 0; k < 8; k++) TL_TRY(get(r, names[k], TL_FEATURE_FLOAT, n, f + k));
    return TL_OK;
}

static tl_status frame_objects(reader *r, const tl_feature *class)
{
    static const char *const names[4] = { "target/coordinates_x1", "target/coordinates_y1", "target/coordinates_x2",
                                          "target/coordinates_y2" };
    const float *b[4];
    const tl_feature *truncation, *occlusion, *world[8];
    TL_TRY(boxes(r, names, class->n, b));
    TL_TRY(get(r, "target/truncation", TL_FEATURE_FLOAT, class->n, &truncation));
    TL_TRY(get(r, "target/occlusion", TL_FEATURE_INT, class->n, &occlusion));
    TL_TRY(worlds(r, class->n, world));
    for (int i = 0; i < class->n; i++) {
        tl_seen_object seen = { .picture = r->picture, .line = r->record };
        float w[8];
        int64_t hidden = occlusion ? occlusion->integer[i] : 0;
        TL_TRY(tl_sink_class(r->s, (const char *)class->bytes[i].p, &seen.o.label));
        seen.o.box = (tl_box){ b[0][i], b[1][i], b[2][i], b[3][i] };
        seen.o.truncation = truncation ? truncation->number[i] : 0;
        seen.o.occlusion = (int8_t)(hidden < -1 || hidden > 3 ? 3 : hidden);
        for (int k = 0; k < 8; k++) w[k] = world[k] ? world[k]->number[i] : 0;
        TL_TRY(tl_sink_object(r->s, &seen, &(tl_world){ w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7] }));
    }
    return TL_OK;
}

static tl_status frame(reader *r, const tl_feature *id)
{
    const tl_feature *class;
    const char *name = frame_name(r, (const char *)id->bytes[0].p);
    TL_NEW(name);
    if (tl_example_find(r->e, "target/object_class_id", TL_FEATURE_FLOAT))
        return fail(r, "it holds classes as numbers and boxes as fractions, a form of the original's SSD and YOLO that "
                       "does not say which number is which class; convert the labels for DetectNet_v2, or read them as "
                       "they are", "");
    TL_TRY(begin_picture(r, name, integer(r, "frame/width"), integer(r, "frame/height")));
    TL_TRY(get(r, "target/object_class", TL_FEATURE_BYTES, -1, &class));
    return class ? frame_objects(r, class) : TL_OK;
}

/* ---- TensorFlow's object detection models' ---- */

static tl_status image_objects(reader *r, const tl_feature *class)
{
    static const char *const names[4] = { "image/object/bbox/xmin", "image/object/bbox/ymin", "image/object/bbox/xmax",
                                          "image/object/bbox/ymax" };
    const float *b[4];
    const tl_feature *difficult, *crowd, *truncated;
    TL_TRY(boxes(r, names, class->n, b));
    TL_TRY(get(r, "image/object/difficult", TL_FEATURE_INT, -1, &difficult));
    TL_TRY(get(r, "image/object/is_crowd", TL_FEATURE_INT, -1, &crowd));
    TL_TRY(get(r, "image/object/truncated", TL_FEATURE_INT, -1, &truncated));
    for (int i = 0; i < class->n; i++) {
        tl_seen_object seen = { .picture = r->picture, .line = r->record, .fractions = true };
        TL_TRY(tl_sink_class(r->s, (const char *)class->bytes[i].p, &seen.o.label));
        seen.o.box = (tl_box){ b[0][i], b[1][i], b[2][i], b[3][i] };
        if (difficult && i < difficult->n && difficult->integer[i]) seen.o.flags |= TL_DIFFICULT;
        if (crowd && i < crowd->n && crowd->integer[i]) seen.o.flags |= TL_CROWD;
        seen.o.truncation = truncated && i < truncated->n && truncated->integer[i];
        TL_TRY(tl_sink_object(r->s, &seen, NULL));
    }
    return TL_OK;
}

static tl_status image(reader *r, const tl_feature *file)
{
    const tl_feature *class;
    TL_TRY(begin_picture(r, (const char *)file->bytes[0].p, integer(r, "image/width"), integer(r, "image/height")));
    TL_TRY(get(r, "image/object/class/text", TL_FEATURE_BYTES, -1, &class));
    if (class) return image_objects(r, class);
    const tl_feature *number = tl_example_find(r->e, "image/object/class/label", TL_FEATURE_INT);
    return number && number->n ? fail(r, "its objects have numbers, but no names (image/object/class/text)", "") : TL_OK;
}

/* ---- Files ---- */

static tl_status record(reader *r)
{
    const tl_feature *id = tl_example_find(r->e, "frame/id", TL_FEATURE_BYTES),
                     *file = tl_example_find(r->e, "image/filename", TL_FEATURE_BYTES);
    if (id && id->n && *id->bytes[0].p) return frame(r, id);
    if (file && file->n && *file->bytes[0].p) return image(r, file);
    return fail(r, "it names no picture: neither frame/id nor image/filename", "");
}

static tl_status read(tl_label_sink *s, const char *path, int picture)
{
    (void)picture;
    tl_records r;
    tl_arena *a = tl_arena_new(); /* the file's, whose records come and go in s->one */
    TL_NEW(a);
    tl_status status = tl_records_open(a, path, &r);
    for (tl_bytes b = { (const uint8_t *)"", 0 }; !status && b.p;) {
        tl_example e;
        status = tl_records_next(s->one, &r, &b);
        if (!status && b.p && (status = tl_example_read(s->one, b, &e)))
            (void)tl_note(status, "reading '%s', record %d", path, r.record);
        if (!status && b.p) status = record(&(reader){ s, &e, r.record, 0 });
        tl_arena_reset(s->one);
    }
    tl_arena_free(a);
    return status;
}

static bool knows(char *head) { return tl_record_begins(head); }

static bool named(const char *file)
{
    return strstr(file, "-of-") || strstr(file, ".tfrecord") || strstr(file, ".record");
}

static const char *const folders[] = { "tfrecords", "tfrecord", NULL };
const tl_label_format tl_label_tfrecord = {
    .name = "tfrecord",
    .brief = "TFRecords: files of records, one for each picture",
    .suffix = "",
    .folders = folders,
    .files = TL_FILE_SOME,
    .named = named,
    .knows = knows,
    .read = read,
};
