/* coco.c - COCO's instances, and a detector's results for them: one JSON file for all pictures.
 * SPDX-License-Identifier: MIT
 *
 *   { "images":      [{ "id", "file_name", "width", "height" }],
 *     "categories":  [{ "id", "name" }],
 *     "annotations": [{ "image_id", "category_id", "bbox": [x, y, width, height], "iscrowd" }] }
 *   [{ "image_id", "category_id", "bbox", "score" }]
 *
 * Lin et al. 2014, cocodataset.org/#format-data. The three arrays come in any order. Results name neither pictures
 * nor classes but by their ids. Outlines are not read. */
#include "sink.h"
#include "save.h"
#include "json_items.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is being read, and where, for messages. */
typedef struct { tl_label_sink *s; const char *what; int line; } place;
typedef struct { char text[32]; } id;

/* An id as a key: an integer, or a string where tools write one. */
static tl_status id_of(const place *p, const json_t *v, const char *name, id *out)
{
    const json_t *j = json_object_get(v, name);
    size_t n = json_string_length(j);
    if (json_is_integer(j)) snprintf(out->text, sizeof out->text, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
    else if (n && n < sizeof out->text) snprintf(out->text, sizeof out->text, "%s", json_string_value(j));
    else return tl_sink_fail(p->s, p->line, "%s without an integer \"%s\"", p->what, name);
    return TL_OK;
}

static tl_status image(const place *p, const json_t *v)
{
    id key;
    const char *file = json_string_value(json_object_get(v, "file_name"));
    TL_TRY(id_of(p, v, "id", &key));
    if (!file || !*file) return tl_sink_fail(p->s, p->line, "%s %s without a \"file_name\"", p->what, key.text);
    int i = tl_sink_picture(p->s, key.text);
    if (i < 0) return TL_ENOMEM;
    return tl_sink_describe(p->s, i, file, json_number_value(json_object_get(v, "width")),
                            json_number_value(json_object_get(v, "height")));
}

static tl_status category(const place *p, const json_t *v)
{
    id key;
    const char *name = json_string_value(json_object_get(v, "name"));
    TL_TRY(id_of(p, v, "id", &key));
    if (!name || !*name) return tl_sink_fail(p->s, p->line, "%s %s without a \"name\"", p->what, key.text);
    return tl_sink_name(p->s, key.text, name, json_integer_value(json_object_get(v, "id")));
}

static tl_status box_of(const place *p, const json_t *v, tl_box *out)
{
    const json_t *j = json_object_get(v, "bbox");
    double b[4];
    bool good = json_array_size(j) == 4;
    for (size_t i = 0; good && i < 4; i++) {
        b[i] = json_number_value(json_array_get(j, i));
        good = json_is_number(json_array_get(j, i)) && fabs(b[i]) < 1e9;
    }
    if (!good) return tl_sink_fail(p->s, p->line, "%s without a \"bbox\" of four numbers", p->what);
    *out = (tl_box){ (float)b[0], (float)b[1], (float)(b[0] + b[2]), (float)(b[1] + b[3]) };
    return TL_OK;
}

static tl_status annotation(const place *p, const json_t *v)
{
    tl_seen_object seen = { .line = p->line };
    tl_object *o = &seen.o;
    id picture, class;
    const json_t *score = json_object_get(v, "score");
    TL_TRY(id_of(p, v, "image_id", &picture));
    TL_TRY(id_of(p, v, "category_id", &class));
    TL_TRY(box_of(p, v, &o->box));
    if ((seen.picture = tl_sink_picture(p->s, picture.text)) < 0) return TL_ENOMEM;
    TL_TRY(tl_sink_class(p->s, class.text, &o->label));
    if (json_number_value(json_object_get(v, "iscrowd")) != 0) o->flags |= TL_CROWD;
    if (json_is_number(score)) tl_object_score(o, (float)json_number_value(score));
    return tl_sink_object(p->s, &seen, NULL);
}

static tl_status item(void *ctx, const char *key, const json_t *v, int line)
{
    static const struct {
        const char *key, *what;
        tl_status (*read)(const place *p, const json_t *v);
    } kinds[] = {
        { "images", "an image", image },
        { "categories", "a category", category },
        { "annotations", "an annotation", annotation },
        { "", "a result", annotation },
    };
    for (int i = 0; i < TL_LEN(kinds); i++)
        if (!strcmp(key, kinds[i].key)) return kinds[i].read(&(place){ ctx, kinds[i].what, line }, v);
    return TL_OK;
}

static tl_status read(tl_label_sink *s, const char *path, int picture)
{
    (void)picture;
    return tl_json_items(path, item, s);
}

static bool knows(char *head)
{
    head += strspn(head, " \t\r\n");
    if (*head == '[') return strstr(head, "\"image_id\"") && strstr(head, "\"bbox\"");
    return *head == '{' &&
           (strstr(head, "\"images\"") || strstr(head, "\"annotations\"") || strstr(head, "\"categories\""));
}

/* ---- Writing: what is hidden, cut off or difficult is lost ---- */

static tl_status put_string(FILE *f, const char *s)
{
    json_t *j = json_string(s);
    TL_CHECK(j, TL_EDATA, "the name '%s' is not UTF-8, which it has to be in JSON", s);
    json_dumpf(j, f, JSON_ENCODE_ANY);
    json_decref(j);
    return TL_OK;
}

static tl_status put_images(const tl_label_save *s, FILE *f)
{
    for (int i = 0; i < s->n; i++) {
        const tl_picture *p = s->labels->picture + s->picture[i];
        fprintf(f, "%s{\"id\": %d, \"file_name\": ", i ? ",\n" : "\n", i + 1);
        TL_TRY(put_string(f, s->name[s->picture[i]]));
        if (p->w) fprintf(f, ", \"width\": %d, \"height\": %d", p->w, p->h);
        fputc('}', f);
    }
    return TL_OK;
}

static void put_annotation(FILE *f, const tl_object *o, int number, int image)
{
    const float v[] = { o->box.x1, o->box.y1, o->box.x2 - o->box.x1, o->box.y2 - o->box.y1 };
    fprintf(f, "%s{\"id\": %d, \"image_id\": %d, \"category_id\": %d, \"bbox\": [", number > 1 ? ",\n" : "\n", number, image,
            o->label + 1);
    for (int k = 0; k < TL_LEN(v); k++) {
        if (k) fputs(", ", f);
        tl_save_number(f, v[k]);
    }
    fputs("], \"area\": ", f);
    tl_save_number(f, v[2] * v[3]);
    fprintf(f, ", \"iscrowd\": %d", (o->flags & TL_CROWD) > 0);
    if (o->flags & TL_SCORED) {
        fputs(", \"score\": ", f);
        tl_save_number(f, o->score);
    }
    fputc('}', f);
}

static tl_status write(const tl_label_save *s, FILE *f, int picture)
{
    const char *const *class = s->labels->classes.at;
    (void)picture;
    fputs("{\"images\": [", f);
    TL_TRY(put_images(s, f));
    fputs("],\n\"categories\": [", f);
    for (int i = 0; i < s->labels->classes.n; i++) {
        fprintf(f, "%s{\"id\": %d, \"name\": ", i ? ",\n" : "\n", i + 1);
        TL_TRY(put_string(f, class[i]));
        fputc('}', f);
    }
    fputs("],\n\"annotations\": [", f);
    for (int i = 0, n = 0; i < s->n; i++) {
        const tl_picture *p = s->labels->picture + s->picture[i];
        for (int k = 0; k < p->n; k++) put_annotation(f, s->labels->object + p->first + k, ++n, i + 1);
    }
    fputs("]}\n", f);
    return TL_OK;
}

static const char *const folders[] = { "annotations", "Annotations", "labels", NULL };
const tl_label_format tl_label_coco = {
    .name = "coco",
    .brief = "COCO: one .json file of instances, or of results",
    .suffix = ".json",
    .folders = folders,
    .files = TL_FILE_ONE,
    .knows = knows,
    .read = read,
    .write = write,
    .file = "annotations.json",
};
