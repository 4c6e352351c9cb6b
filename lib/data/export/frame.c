/* frame.c - a picture with its objects as a record. SPDX-License-Identifier: MIT */
#include "frame.h"
#include "example.h"
#include "tfrecord.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

#define FEATURES 18

typedef struct { tl_arena *a; const tl_partition *p; tl_feature f[FEATURES]; int n; } builder;

const char *tl_frame_class(tl_arena *a, const char *name, bool blanks)
{
    char *s = tl_strdup(a, name), *to = s;
    for (const char *from = s; from && *from; from++)
        if (blanks || *from != ' ') *to++ = (char)tolower((unsigned char)*from);
    if (s) *to = 0;
    return s;
}

/* As the original does, by whole pixels: a box within one pixel is none. */
bool tl_frame_keeps(const tl_object *o)
{
    return truncf(o->box.x1) < truncf(o->box.x2) && truncf(o->box.y1) < truncf(o->box.y2);
}

/* "images/000001.png" below its folder's parent, without suffix. */
static const char *frame_id(tl_arena *a, const tl_partition *p, const tl_picture *picture)
{
    const char *name = picture->path + strlen(p->pictures);
    while (*name == '/') name++;
    char *id = tl_path_join(a, p->prefix, name), *dot = id ? strrchr(id, '.') : NULL;
    if (dot && dot > strrchr(id, '/')) *dot = 0;
    return id;
}

static tl_status put_bytes(builder *b, const char *name, const char *const *text, int n)
{
    tl_bytes *v = tl_new(b->a, tl_bytes, n + 1);
    TL_NEW(v);
    for (int i = 0; i < n; i++) v[i] = (tl_bytes){ (const uint8_t *)text[i], strlen(text[i]) };
    b->f[b->n++] = (tl_feature){ .name = name, .kind = TL_FEATURE_BYTES, .n = n, .bytes = v };
    return TL_OK;
}

static tl_status put_integer(builder *b, const char *name, int64_t value)
{
    int64_t *v = tl_new(b->a, int64_t, 1);
    TL_NEW(v);
    *v = value;
    b->f[b->n++] = (tl_feature){ .name = name, .kind = TL_FEATURE_INT, .n = 1, .integer = v };
    return TL_OK;
}

/* A number of each object. object: of the n, which ones; from, off: their array and the member's place. */
static tl_status put_numbers(builder *b, const char *name, const int *object, int n, const void *from, size_t size,
                             size_t off)
{
    float *v = tl_new(b->a, float, n + 1);
    TL_NEW(v);
    for (int i = 0; from && i < n; i++) memcpy(v + i, (const char *)from + (size_t)object[i] * size + off, sizeof *v);
    b->f[b->n++] = (tl_feature){ .name = name, .kind = TL_FEATURE_FLOAT, .n = n, .number = v };
    return TL_OK;
}

static tl_status put_objects(builder *b, const int *object, int n)
{
    static const struct { const char *name; size_t off; } box[] = {
        { "target/truncation", offsetof(tl_object, truncation) },
        { "target/coordinates_x1", offsetof(tl_object, box.x1) },
        { "target/coordinates_y1", offsetof(tl_object, box.y1) },
        { "target/coordinates_x2", offsetof(tl_object, box.x2) },
        { "target/coordinates_y2", offsetof(tl_object, box.y2) },
    };
    static const struct { const char *name; size_t off; } world[] = {
        { "target/observation_angle", offsetof(tl_world, alpha) },
        { "target/world_bbox_h", offsetof(tl_world, h) },
        { "target/world_bbox_w", offsetof(tl_world, w) },
        { "target/world_bbox_l", offsetof(tl_world, l) },
        { "target/world_bbox_x", offsetof(tl_world, x) },
        { "target/world_bbox_y", offsetof(tl_world, y) },
        { "target/world_bbox_z", offsetof(tl_world, z) },
        { "target/world_bbox_rot_y", offsetof(tl_world, rotation) },
    };
    const tl_labels *l = b->p->labels;
    int64_t *occlusion = tl_new(b->a, int64_t, n + 1);
    TL_NEW(occlusion);
    for (int i = 0; i < n; i++) occlusion[i] = l->object[object[i]].occlusion;
    b->f[b->n++] = (tl_feature){ .name = "target/occlusion", .kind = TL_FEATURE_INT, .n = n, .integer = occlusion };
    for (int i = 0; i < TL_LEN(box); i++)
        TL_TRY(put_numbers(b, box[i].name, object, n, l->object, sizeof *l->object, box[i].off));
    for (int i = 0; i < TL_LEN(world); i++)
        TL_TRY(put_numbers(b, world[i].name, object, n, l->world, sizeof *l->world, world[i].off));
    return TL_OK;
}

tl_status tl_frame_record(tl_arena *a, const tl_partition *p, const tl_picture *picture, const char *const *class,
                          tl_bytes *out)
{
    builder b = { .a = a, .p = p };
    const char *id = frame_id(a, p, picture), **names = tl_new(a, const char *, picture->n + 1);
    int n = 0, *kept = tl_new(a, int, picture->n + 1);
    TL_NEW(id && names ? kept : NULL);
    for (int i = picture->first; i < picture->first + picture->n; i++) {
        if (!tl_frame_keeps(p->labels->object + i)) continue;
        names[n] = class[p->labels->object[i].label];
        kept[n++] = i;
    }
    TL_TRY(put_bytes(&b, "frame/id", &id, 1));
    TL_TRY(put_integer(&b, "frame/height", picture->h));
    TL_TRY(put_integer(&b, "frame/width", picture->w));
    TL_TRY(put_bytes(&b, "target/object_class", names, n));
    TL_TRY(put_objects(&b, kept, n));
    TL_TRY(tl_example_write(a, &(tl_example){ b.n, b.f }, TL_RECORD_HEAD, TL_RECORD_FOOT, out));
    tl_record_seal((uint8_t *)(uintptr_t)out->p, out->n - TL_RECORD_HEAD - TL_RECORD_FOOT);
    return TL_OK;
}
