/* yolo.c - Darknet's and YOLO's labels: a text file for each picture, a line for each object.
 * SPDX-License-Identifier: MIT
 *
 *   class-index center-x center-y width height [score]
 *
 * all as fractions of the picture's sides. The classes' names are in a file beside the labels or up to two folders
 * above: one a line, or `names:` in a YAML file, of which only the two forms that occur are read: [a, b] and an
 * entry a line. */
#include "lines.h"
#include "save.h"
#include "file.h"
#include <stdio.h>
#include <string.h>

#define FIELDS 5

/* ---- Names ---- */

static tl_status name(tl_label_sink *s, int index, const char *text)
{
    char key[16];
    snprintf(key, sizeof key, "%d", index);
    return tl_sink_name(s, key, text, index);
}

static tl_status names_by_line(tl_label_sink *s, tl_lines *l)
{
    int n = 0;
    for (char *line; (line = tl_lines_next(l)); n++) {
        line[strcspn(line, "\r")] = 0;
        TL_TRY(name(s, n, line));
    }
    return TL_OK;
}

/* Without blanks, quotes and commas around it. */
static char *bare(char *text)
{
    static const char around[] = " \t\r'\",";
    text += strspn(text, around);
    for (size_t n = strlen(text); n && strchr(around, text[n - 1]); n--) text[n - 1] = 0;
    return text;
}

/* 'a', "b", c] */
static tl_status names_in_brackets(tl_label_sink *s, char *list)
{
    list[strcspn(list, "]")] = 0;
    int n = 0;
    for (char *rest = list, *item; (item = strsep(&rest, ",")); n++) TL_TRY(name(s, n, bare(item)));
    return TL_OK;
}

/* "- a" or "3: a" on each line, up to one that is neither. */
static tl_status names_by_entry(tl_label_sink *s, tl_lines *l)
{
    int n = 0;
    for (char *line; (line = tl_lines_next(l)); n++) {
        char *colon = strchr(line, ':');
        if (line[0] == '-') {
            TL_TRY(name(s, n, bare(line + 1)));
            continue;
        }
        if (!colon) break;
        *colon = 0;
        int index;
        if (!tl_parse_int(bare(line), &index)) break;
        TL_TRY(name(s, index, bare(colon + 1)));
    }
    return TL_OK;
}

static tl_status names_in_yaml(tl_label_sink *s, tl_lines *l)
{
    static const char key[] = "names:";
    for (char *line; (line = tl_lines_next(l));) {
        if (strncmp(line, key, sizeof key - 1)) continue;
        char *bracket = strchr(line, '[');
        return bracket ? names_in_brackets(s, bracket + 1) : names_by_entry(s, l);
    }
    return TL_OK;
}

static bool ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcasecmp(text + n - m, end);
}

static tl_status names_in(tl_label_sink *s, const char *dir, bool *found)
{
    tl_list files;
    TL_TRY(tl_dir_list(s->tmp, dir, &files));
    for (int i = 0; i < files.n && !*found; i++) {
        const char *file = ((const char **)files.at)[i], *path;
        bool yaml = ends(file, ".yaml") || ends(file, ".yml");
        if (!yaml && !ends(file, ".names") && strcasecmp(file, "classes.txt") && strcasecmp(file, "names.txt"))
            continue;
        TL_NEW(path = tl_path_join(s->tmp, dir, file));
        s->file = path;
        tl_lines l;
        TL_TRY(tl_lines_open(s, path, &l));
        TL_TRY(yaml ? names_in_yaml(s, &l) : names_by_line(s, &l));
        *found = s->classes.n > 0;
    }
    return TL_OK;
}

/* Without any such file the indices are the names. */
static tl_status begin(tl_label_sink *s, const char *path)
{
    bool found = false;
    const char *dir = path;
    if (!tl_is_dir(path)) {
        const char *slash = strrchr(path, '/');
        TL_NEW(dir = slash ? tl_strndup(s->tmp, path, (size_t)(slash - path)) : ".");
    }
    for (int up = 0; up < 3 && !found; up++) {
        TL_TRY(names_in(s, dir, &found));
        TL_NEW(dir = tl_path_join(s->tmp, dir, ".."));
    }
    return TL_OK;
}

/* ---- Objects ---- */

static bool knows(char *head)
{
    char *word[FIELDS + 1];
    int class, n;
    float v;
    n = tl_first_words(head, word, FIELDS + 1);
    if (n != FIELDS && n != FIELDS + 1) return false;
    for (int i = 1; i < n; i++)
        if (!tl_number(word[i], &v) || v < -1 || v > 2) return false;
    return tl_parse_int(word[0], &class) && class >= 0;
}

static tl_status object(tl_label_sink *s, int picture, char *line, int at)
{
    static const char *const names[FIELDS] = { "center x", "center y", "width", "height", "score" };
    char *word[FIELDS + 1];
    float v[FIELDS];
    int n = tl_words(line, word, FIELDS + 1), class;
    if (n != FIELDS && n != FIELDS + 1)
        return tl_sink_fail(
            s, at,
            "%d fields, but YOLO's labels have %d (class, center x, center y, width, height), or %d "
            "with a score; outlines of more points are not read",
            n, FIELDS, FIELDS + 1);
    if (!tl_parse_int(word[0], &class) || class < 0)
        return tl_sink_fail(s, at, "'%.40s' is not the index of a class", word[0]);
    TL_TRY(tl_numbers(s, at, n - 1, word + 1, names, v));
    tl_seen_object seen = { .picture = picture, .line = at, .fractions = true };
    tl_object *o = &seen.o;
    char key[16];
    snprintf(key, sizeof key, "%d", class);
    if (tl_keys_find(&s->class, key) < 0) TL_TRY(name(s, class, key));
    TL_TRY(tl_sink_class(s, key, &o->label));
    o->box = (tl_box){ v[0] - v[2] / 2, v[1] - v[3] / 2, v[0] + v[2] / 2, v[1] + v[3] / 2 };
    if (n > FIELDS) tl_object_score(o, v[4]);
    return tl_sink_object(s, &seen, NULL);
}

static tl_status read(tl_label_sink *s, const char *path, int picture)
{
    return tl_each_line(s, path, picture, object);
}

/* ---- Writing: what is hidden, difficult or a crowd is lost ---- */

static tl_status write(const tl_label_save *s, FILE *f, int picture)
{
    const tl_picture *p = s->labels->picture + picture;
    TL_CHECK(p->w || !p->n, TL_EDATA, "the size of the picture '%s', of which YOLO's boxes are fractions, is not known",
             p->path);
    for (int i = p->first; i < p->first + p->n; i++) {
        const tl_object *o = s->labels->object + i;
        const double x1 = (double)o->box.x1, y1 = (double)o->box.y1, x2 = (double)o->box.x2, y2 = (double)o->box.y2;
        fprintf(f, "%d %.9g %.9g %.9g %.9g", o->label, (x1 + x2) / 2 / p->w, (y1 + y2) / 2 / p->h, (x2 - x1) / p->w,
                (y2 - y1) / p->h);
        if (o->flags & TL_SCORED) fprintf(f, " %.9g", (double)o->score);
        fputc('\n', f);
    }
    return TL_OK;
}

/* Quoted where YAML wants it. */
static void write_names(const tl_label_save *s, FILE *f)
{
    const char *const *class = s->labels->classes.at;
    fputs("names:\n", f);
    for (int i = 0; i < s->labels->classes.n; i++) {
        const char *quote = strchr(class[i], '\'') ? "\"" : strpbrk(class[i], ":#\"[]{},&*?|<>=!%@`-") ? "'" : "";
        fprintf(f, "  %d: %s%s%s\n", i, quote, class[i], quote);
    }
}

static const char *const folders[] = { "labels", "obj_train_data", NULL };
const tl_label_format tl_label_yolo = {
    .name = "yolo",
    .brief = "YOLO: a .txt file for each picture, and a list of names",
    .suffix = ".txt",
    .folders = folders,
    .files = TL_FILE_EACH,
    .knows = knows,
    .begin = begin,
    .read = read,
    .write = write,
    .write_names = write_names,
    .names = "data.yaml",
};
