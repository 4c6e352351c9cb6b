/* label.c - the table of label forms, and finding out which one a folder has. SPDX-License-Identifier: MIT */
#include "label.h"
#include "label/sink.h"
#include <glob.h>
#include <stdio.h>
#include <string.h>

#define X(name) extern const tl_label_format tl_label_##name;
TL_LABEL_FORMATS(X)
#undef X

const tl_label_format *const tl_label_formats[] = {
#define X(name) &tl_label_##name,
    TL_LABEL_FORMATS(X)
#undef X
        NULL
};

/* ---- Probing ---- */

#define MOST_PROBED 1000 /* files of a folder that are looked into before giving up */

/* Text files that tools leave among YOLO's labels: lists of classes and of pictures. */
static bool is_list(const char *name)
{
    static const char *const lists[] = {
        "classes.txt", "names.txt", "train.txt", "val.txt", "valid.txt", "test.txt"
    };
    for (int i = 0; i < TL_LEN(lists); i++)
        if (!strcasecmp(name, lists[i])) return true;
    return false;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return n > m && name[0] != '.' && !strcasecmp(name + n - m, suffix);
}

static bool is_label_file(const tl_label_format *f, const char *name)
{
    if (f->named) return name[0] != '.' && f->named(name);
    return has_suffix(name, f->suffix) && !(f->files == TL_FILE_EACH && is_list(name));
}

/* The file's beginning, as text followed by zeros; none when it has none or cannot be read, which reading will tell. */
static size_t read_head(const char *path, char head[TL_LABEL_HEAD + 1])
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(head, 1, TL_LABEL_HEAD, f) : 0;
    memset(head + n, 0, TL_LABEL_HEAD + 1 - n);
    if (f) fclose(f);
    return n;
}

/* A pattern of files, as the shell has them, and not the name of one. */
static bool is_pattern(const char *path) { return strpbrk(path, "*?[") && !tl_file_exists(path); }

static void forget(void *matches) { globfree(matches); }

/* const char *: the files that a pattern matches and that conf wants. */
static tl_status match(tl_arena *a, const tl_label_conf *c, tl_list *out)
{
    *out = (tl_list){ 0, NULL };
    glob_t *g = tl_new(a, glob_t, 1);
    TL_NEW(g);
    int failed = glob(c->labels, 0, NULL, g), matched = 0;
    TL_CHECK(failed != GLOB_NOSPACE, TL_ENOMEM, "out of memory");
    TL_TRY(tl_defer(a, forget, g));
    for (size_t i = 0; !failed && i < g->gl_pathc; i++) {
        const char *path = g->gl_pathv[i], *name = tl_path_base(path), **slot;
        if (tl_is_dir(path) || has_suffix(name, "_warning.json")) continue; /* which dataset_convert leaves there */
        matched++;
        if ((c->having && !strstr(name, c->having)) || (c->lacking && strstr(name, c->lacking))) continue;
        TL_NEW(slot = tl_add(a, out, const char *));
        *slot = path;
    }
    TL_CHECK(matched, TL_EDATA, "there are no files '%s' to read labels from", c->labels);
    TL_CHECK(out->n, TL_EDATA, "%s of the files '%s' has '%s' in its name, as those of the fold that is asked for would",
             c->having ? "none" : "each", c->labels, c->having ? c->having : c->lacking);
    return TL_OK;
}

typedef struct {
    tl_arena *a;
    bool sure;         /* the user says which form it is, so the first file with its suffix will do */
    const char *found; /* the folder with a file for each picture, or the one file */
    const char *odd;   /* the first file that has the suffix of a form but is none */
} search;

static tl_status probe_file(search *s, const tl_label_format *f, const char *path)
{
    char head[TL_LABEL_HEAD + 1];
    size_t n = read_head(path, head);
    if (n && f->knows(head)) s->found = path;
    else if (*head && !s->odd) TL_NEW(s->odd = tl_strdup(s->a, path));
    return TL_OK;
}

static tl_status probe_pattern(search *s, const tl_label_format *f, const tl_label_conf *c)
{
    tl_list files;
    TL_TRY(match(s->a, c, &files));
    for (int i = 0; i < files.n && i < MOST_PROBED && !s->found; i++) {
        const char *path = ((const char **)files.at)[i];
        if (f->files == TL_FILE_SOME || is_label_file(f, tl_path_base(path))) TL_TRY(probe_file(s, f, path));
    }
    if (s->found || s->sure) s->found = c->labels;
    return TL_OK;
}

static tl_status probe_folder(search *s, const tl_label_format *f, const char *dir)
{
    tl_list names;
    int looked = 0;
    TL_TRY(tl_dir_list(s->a, dir, &names));
    for (int i = 0; i < names.n && looked < MOST_PROBED; i++) {
        const char *name = ((const char **)names.at)[i], *path, *before = s->found;
        if (!is_label_file(f, name)) continue;
        looked++;
        TL_NEW(path = tl_path_join(s->a, dir, name));
        TL_TRY(probe_file(s, f, path));
        if (f->files != TL_FILE_ONE && (s->found || s->sure)) {
            s->found = dir;
            return TL_OK;
        }
        TL_CHECK(!before || s->found == before, TL_EDATA, "'%s' and '%s' both hold %s labels; tell which one to read",
                 before, path, f->name);
    }
    return TL_OK;
}

static tl_status probe(search *s, const tl_label_format *f, const tl_label_conf *c)
{
    const char *path = c->labels;
    if (is_pattern(path)) return probe_pattern(s, f, c);
    if (!tl_is_dir(path)) {
        if (s->sure) s->found = path;
        return s->sure || !has_suffix(tl_path_base(path), f->suffix) ? TL_OK : probe_file(s, f, path);
    }
    TL_TRY(probe_folder(s, f, path));
    for (const char *const *sub = f->folders; *sub && !s->found; sub++) {
        const char *dir = tl_path_join(s->a, path, *sub);
        TL_NEW(dir);
        if (tl_is_dir(dir)) TL_TRY(probe_folder(s, f, dir));
    }
    return TL_OK;
}

/* The names of all forms, for a message. */
static const char *forms(tl_arena *a)
{
    tl_text t = tl_text_new(a);
    for (const tl_label_format *const *f = tl_label_formats; *f; f++)
        tl_textf(&t, "%s%s", f == tl_label_formats ? "" : ", ", (*f)->name);
    const char *text = tl_text_end(&t);
    return text ? text : "";
}

tl_status tl_label_format_find(tl_arena *a, const char *name, const tl_label_format **out)
{
    for (const tl_label_format *const *f = tl_label_formats; *f; f++)
        if (!strcasecmp(name, (*f)->name)) {
            *out = *f;
            return TL_OK;
        }
    return tl_fail(TL_EARG, "there is no label format '%s'; there are %s", name, forms(a));
}

static tl_status nothing(const search *s, const tl_label_conf *c)
{
    const char *what = c->format ? c->format : forms(s->a);
    if (s->odd)
        return tl_fail(TL_EDATA, "'%s' holds no labels that can be read (%s); tell the format to learn why", s->odd,
                       what);
    return tl_fail(TL_EDATA, "there are no label files in '%s' (%s)%s", c->labels, what,
                   c->format ? "" : "; where they all are empty, the format has to be told");
}

static tl_status find(tl_arena *a, const tl_label_conf *c, const tl_label_format **format, const char **found)
{
    search s = { .a = a };
    TL_CHECK(tl_file_exists(c->labels) || is_pattern(c->labels), TL_EDATA, "there is no file or folder '%s' to read labels from", c->labels);
    if (c->format) TL_TRY(tl_label_format_find(a, c->format, format));
    for (const tl_label_format *const *f = tl_label_formats; *f && !s.found; f++) {
        if (c->format && strcasecmp(c->format, (*f)->name)) continue;
        *format = *f;
        TL_TRY(probe(&s, *f, c));
        s.sure = c->format;
        if (s.sure && !s.found) TL_TRY(probe(&s, *f, c));
    }
    *found = s.found;
    return s.found ? TL_OK : nothing(&s, c);
}

/* ---- Reading ---- */

static tl_status read_file(tl_label_sink *s, const tl_label_format *f, const char *path)
{
    int picture = -1;
    TL_NEW(s->file = tl_strdup(s->a, path));
    if (f->files == TL_FILE_EACH) {
        const char *name = tl_path_base(path), *stem;
        size_t n = strlen(name) - (has_suffix(name, f->suffix) ? strlen(f->suffix) : 0);
        TL_NEW(stem = tl_strndup(s->one, name, n));
        if ((picture = tl_sink_picture(s, stem)) < 0) return TL_ENOMEM;
    }
    TL_TRY(f->read(s, path, picture));
    tl_arena_reset(s->one);
    return TL_OK;
}

/* const char *: the files to read below what was found. */
static tl_status list_files(tl_label_sink *s, const tl_label_format *f, const char *path, tl_list *files)
{
    const bool pattern = is_pattern(path), any = pattern && f->files == TL_FILE_SOME;
    int n = 0;
    TL_TRY(pattern ? match(s->tmp, s->conf, files) : tl_dir_list(s->tmp, path, files));
    for (int i = 0; i < files->n; i++) {
        const char **file = files->at;
        if (!any && !is_label_file(f, tl_path_base(file[i]))) continue;
        TL_NEW(file[n++] = pattern ? file[i] : tl_path_join(s->tmp, path, file[i]));
    }
    files->n = n;
    return TL_OK;
}

static tl_status read_all(tl_label_sink *s, const tl_label_format *f, const char *path)
{
    tl_list files;
    s->file = path;
    if (f->begin) TL_TRY(f->begin(s, path));
    if (!is_pattern(path) && !tl_is_dir(path)) return read_file(s, f, path);
    TL_TRY(list_files(s, f, path, &files));
    for (int i = 0; i < files.n; i++) TL_TRY(read_file(s, f, ((const char **)files.at)[i]));
    return TL_OK;
}

static tl_status read_labels(tl_label_sink *s)
{
    const char *path;
    TL_TRY(find(s->tmp, s->conf, &s->out->format, &path));
    s->picture.a = s->class.a = s->index.a = s->tmp;
    TL_TRY(tl_sink_pictures(s, path));
    TL_TRY(read_all(s, s->out->format, path));
    return tl_sink_end(s);
}

tl_status tl_labels_read(tl_arena *a, const tl_label_conf *conf, tl_labels **out)
{
    tl_label_sink s = {
        .a = a, .tmp = tl_arena_new(), .one = tl_arena_new(), .conf = conf, .out = tl_new(a, tl_labels, 1)
    };
    tl_status status = s.tmp && s.one && s.out ? read_labels(&s) : tl_fail(TL_ENOMEM, "out of memory");
    tl_arena_free(s.one);
    tl_arena_free(s.tmp);
    *out = s.out;
    return status;
}

/* ---- Telling ---- */

static void tell_class(tl_text *t, const tl_labels *l, const tl_class_use *u)
{
    const char *const *class = l->classes.at, *s = u->objects == 1 ? "" : "s";
    if (!u->objects && u->label >= 0) tl_textf(t, "  %s -> %s: in no label\n", u->name, class[u->label]);
    else if (u->label < 0) tl_textf(t, "  %s: left out, %d object%s\n", u->name, u->objects, s);
    else tl_textf(t, "  %s -> %s: %d object%s\n", u->name, class[u->label], u->objects, s);
}

static void tell_fault(tl_text *t, const tl_labels *l, tl_box_fault f)
{
    static const char *const what[TL_BOX_FAULTS] = { "empty, dropped", "inverted, dropped",
                                                     "outside of the picture, dropped",
                                                     "partly outside of the picture, clipped" };
    const tl_box_example *e = l->example.at;
    int told = 0;
    tl_textf(t, "%d box%s %s:\n", l->fault[f], l->fault[f] == 1 ? "" : "es", what[f]);
    for (int i = 0; i < l->example.n; i++) {
        if (e[i].what != f) continue;
        tl_textf(t, "  '%s'", e[i].file);
        if (e[i].line) tl_textf(t, ", %s %d", l->format->files == TL_FILE_SOME ? "record" : "line", e[i].line);
        tl_textf(t, ": %g %g %g %g\n", (double)e[i].box.x1, (double)e[i].box.y1, (double)e[i].box.x2,
                 (double)e[i].box.y2);
        told++;
    }
    if (l->fault[f] > told) tl_textf(t, "  and %d more\n", l->fault[f] - told);
}

tl_status tl_labels_text(tl_arena *a, const tl_labels *l, const char **text)
{
    tl_text t = tl_text_new(a);
    tl_textf(&t, "%s labels: %d pictures, %d objects, %d classes\n", l->format->name, l->npictures, l->nobjects,
             l->classes.n);
    for (int i = 0; i < l->used.n; i++) tell_class(&t, l, (const tl_class_use *)l->used.at + i);
    for (tl_box_fault f = 0; f < TL_BOX_FAULTS; f++)
        if (l->fault[f]) tell_fault(&t, l, f);
    *text = tl_text_end(&t);
    return *text ? TL_OK : TL_ENOMEM;
}
