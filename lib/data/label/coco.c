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

static const char *const folders[] = { "annotations", "Annotations", "labels", NULL };
const tl_label_format tl_label_coco = {
    .name = "coco",
    .brief = "COCO: one .json file of instances, or of results",
    .suffix = ".json",
    .folders = folders,
    .files = TL_FILE_ONE,
    .knows = knows,
    .read = read,
};
