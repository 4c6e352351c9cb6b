/* kitti.c - KITTI's labels: a text file for each picture, a line for each object. SPDX-License-Identifier: MIT
 *
 *   class truncation occlusion alpha x1 y1 x2 y2 h w l x y z rotation_y [score]
 *
 * Geiger et al. 2012. A 16th field is a detector's
 * confidence. */
#include "lines.h"
#include "save.h"
#include <string.h>

#define FIELDS 15

static bool knows(char *head)
{
    char *word[FIELDS + 1];
    float v;
    int n = tl_first_words(head, word, FIELDS + 1);
    return (n == FIELDS || n == FIELDS + 1) && tl_number(word[4], &v) && tl_number(word[7], &v);
}

static tl_status object(tl_label_sink *s, int picture, char *line, int at)
{
    static const char *const names[FIELDS] = { "truncation", "occlusion", "alpha", "x1", "y1", "x2", "y2", "height",
                                               "width", "length", "x", "y", "z", "rotation_y", "score" };
    char *word[FIELDS + 1];
    float v[FIELDS];
    int n = tl_words(line, word, FIELDS + 1);
    if (n != FIELDS && n != FIELDS + 1)
        return tl_sink_fail(s, at,
                            "%d fields, but KITTI's labels have %d, or %d with a score; a class name may not "
                            "have blanks",
                            n, FIELDS, FIELDS + 1);
    TL_TRY(tl_numbers(s, at, n - 1, word + 1, names, v));
    if (v[1] < -1 || v[1] > 3 || v[1] != (float)(int)v[1])
        return tl_sink_fail(s, at, "occlusion is %s; 0, 1, 2, 3 and -1 are possible", word[2]);
    tl_seen_object seen = { .picture = picture, .line = at };
    tl_object *o = &seen.o;
    TL_TRY(tl_sink_class(s, word[0], &o->label));
    o->truncation = v[0];
    o->occlusion = (int8_t)v[1];
    o->box = (tl_box){ v[3], v[4], v[5], v[6] };
    if (n > FIELDS) tl_object_score(o, v[14]);
    const tl_world world = { v[2], v[7], v[8], v[9], v[10], v[11], v[12], v[13] };
    return tl_sink_object(s, &seen, &world);
}

static tl_status read(tl_label_sink *s, const char *path, int picture)
{
    return tl_each_line(s, path, picture, object);
}

/* Classes are written without blanks. What is not known of an object in space is 0. */
static tl_status write(const tl_label_save *s, FILE *f, int picture)
{
    const tl_labels *l = s->labels;
    const tl_picture *p = l->picture + picture;
    for (int i = p->first; i < p->first + p->n; i++) {
        const tl_object *o = l->object + i;
        const tl_world w = l->world ? l->world[i] : (tl_world){ 0 };
        const float v[] = { w.alpha, o->box.x1, o->box.y1, o->box.x2, o->box.y2, w.h, w.w, w.l, w.x, w.y, w.z, w.rotation };
        for (const char *c = tl_save_class(s, o); *c; c++) fputc(strchr(" \t", *c) ? '_' : *c, f);
        fputc(' ', f);
        tl_save_number(f, o->truncation);
        fprintf(f, " %d", o->occlusion);
        for (int k = 0; k < TL_LEN(v); k++) {
            fputc(' ', f);
            tl_save_number(f, v[k]);
        }
        if (o->flags & TL_SCORED) {
            fputc(' ', f);
            tl_save_number(f, o->score);
        }
        fputc('\n', f);
    }
    return TL_OK;
}

static const char *const folders[] = { "labels", "label_2", "labels_kitti", "label", NULL };
const tl_label_format tl_label_kitti = {
    .name = "kitti",
    .brief = "KITTI: a .txt file for each picture, 15 fields a line",
    .suffix = ".txt",
    .folders = folders,
    .files = TL_FILE_EACH,
    .knows = knows,
    .read = read,
    .write = write,
};
