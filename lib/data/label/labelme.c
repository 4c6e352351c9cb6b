/* labelme.c - Labelme's labels: a JSON file for each picture. SPDX-License-Identifier: MIT
 *
 *   { "imageWidth", "imageHeight", "shapes": [{ "label", "shape_type", "points": [[x, y], ...] }] }
 *
 * Rectangles are any two opposite corners; of a polygon the box around it is taken. The picture's name is the file's, and
 * the picture inside of the file (imageData) is not looked at. */
#include "lines.h"
#include "file.h"
#include <jansson.h>
#include <math.h>
#include <string.h>

static tl_status box_of(const tl_label_sink *s, const char *label, const json_t *shape, tl_box *out)
{
    const json_t *points = json_object_get(shape, "points");
    const char *type = json_string_value(json_object_get(shape, "shape_type"));
    const size_t n = json_array_size(points);
    if (type && strcmp(type, "rectangle") && strcmp(type, "polygon"))
        return tl_sink_fail(s, 0, "'%s' is labeled with a %s, but only rectangles and polygons are read", label, type);
    if (n < 2) return tl_sink_fail(s, 0, "the shape of '%s' has no points", label);
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(points, i);
        const double x = json_number_value(json_array_get(p, 0)), y = json_number_value(json_array_get(p, 1));
        const float fx = (float)x, fy = (float)y;
        if (!json_is_number(json_array_get(p, 0)) || !json_is_number(json_array_get(p, 1)) || fabs(x) > 1e9 || fabs(y) > 1e9)
            return tl_sink_fail(s, 0, "a point of '%s' is not two numbers", label);
        if (!i) *out = (tl_box){ fx, fy, fx, fy };
        *out = (tl_box){ fminf(out->x1, fx), fminf(out->y1, fy), fmaxf(out->x2, fx), fmaxf(out->y2, fy) };
    }
    return TL_OK;
}

static tl_status take(tl_label_sink *s, const json_t *all, int picture)
{
    const json_t *shapes = json_object_get(all, "shapes");
    if (!json_is_array(shapes)) return tl_sink_fail(s, 0, "there is no list of \"shapes\"");
    for (size_t i = 0; i < json_array_size(shapes); i++) {
        const json_t *shape = json_array_get(shapes, i);
        const char *label = json_string_value(json_object_get(shape, "label"));
        tl_seen_object seen = { .picture = picture };
        if (!label || !*label) return tl_sink_fail(s, 0, "shape %zu has no \"label\"", i + 1);
        TL_TRY(box_of(s, label, shape, &seen.o.box));
        TL_TRY(tl_sink_class(s, label, &seen.o.label));
        TL_TRY(tl_sink_object(s, &seen, NULL));
    }
    return tl_sink_describe(s, picture, NULL, json_number_value(json_object_get(all, "imageWidth")),
                            json_number_value(json_object_get(all, "imageHeight")));
}

static tl_status read(tl_label_sink *s, const char *path, int picture)
{
    tl_bytes b;
    json_error_t e;
    TL_TRY(tl_file_read(s->one, path, 4 * TL_MAX_LABEL_FILE, &b)); /* with the picture in it, mostly */
    json_t *all = json_loadb((const char *)b.p, b.n, 0, &e);
    if (!all) return tl_sink_fail(s, e.line > 0 ? e.line : 0, "not JSON: %s", e.text);
    tl_status status = take(s, all, picture);
    json_decref(all);
    return status;
}

static bool knows(char *head)
{
    return head[strspn(head, " \t\r\n")] == '{' && (strstr(head, "\"shapes\"") || strstr(head, "\"imagePath\""));
}

static const char *const folders[] = { "labels", "annotations", "images", NULL };
const tl_label_format tl_label_labelme = {
    .name = "labelme",
    .brief = "Labelme: a .json file for each picture",
    .suffix = ".json",
    .folders = folders,
    .files = TL_FILE_EACH,
    .knows = knows,
    .read = read,
};
