/* sink.h - where the readers of labels put what they find; private to data/. SPDX-License-Identifier: MIT
 *
 * A reader may speak of pictures, classes and objects in any order (COCO's files do) and tell their names and sizes
 * late: each has a key, and the first mention makes it. What depends on all of it, such as clipping at the
 * picture's edge, waits for tl_sink_end. */
#ifndef TL_SINK_H
#define TL_SINK_H
#include "../label.h"
#include "keys.h"
#include "text.h"

typedef struct {
    const char *name;
    int64_t rank; /* where the set wants the class in its order; classes of the same rank are ordered by name */
    int objects, label;
} tl_seen_class;

typedef struct {
    tl_object o;         /* label: a key of classes, until the end */
    int  picture, line;
    bool fractions;      /* the box is in fractions of the picture's sides */
} tl_seen_object;

struct tl_label_sink {
    tl_arena *a;         /* of the result */
    tl_arena *tmp;       /* until the end of reading */
    tl_arena *one;       /* until the end of the file that is read */
    const tl_label_conf *conf;
    tl_labels *out;
    const char *file;    /* that is read */
    tl_keys  picture, class, index; /* index: pictures in their folder, by name without suffix */
    tl_list  pictures, classes, objects, files; /* tl_picture, tl_seen_class, tl_seen_object; files: of index */
    tl_list  worlds;     /* tl_world of each of objects, or none */
    const char *folder;  /* of pictures; NULL: none */
};

/* ---- For readers ---- */
/* The picture that the labels call key; named so until it is told otherwise. -1: out of memory. */
int       tl_sink_picture(tl_label_sink *s, const char *key);
/* name NULL: stays; size 0: not known. */
tl_status tl_sink_describe(tl_label_sink *s, int picture, const char *name, double w, double h);
/* The number of a class for tl_object's label; TL_EDATA: too many. */
tl_status tl_sink_class(tl_label_sink *s, const char *key, int16_t *label);
tl_status tl_sink_name(tl_label_sink *s, const char *key, const char *name, int64_t rank);
/* world: NULL in all forms that have none. */
tl_status tl_sink_object(tl_label_sink *s, const tl_seen_object *o, const tl_world *world);
static inline void tl_object_score(tl_object *o, float score)
{
    o->score = score;
    o->flags |= TL_SCORED;
}
/* Fail with "'FILE', line N: ..."; line 0: without. */
tl_status tl_sink_fail(const tl_label_sink *s, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- For label.c ---- */
/* Look for the folder of pictures and remember what is in it. */
tl_status tl_sink_pictures(tl_label_sink *s, const char *labels);
/* Pair, name, clip, group: into s->out. */
tl_status tl_sink_end(tl_label_sink *s);
#endif
