/* fuzz_label.c - labels in any form are read or refused, in memory that their size warrants, and what is read is
 * sound. SPDX-License-Identifier: MIT
 *
 * The first byte chooses the form. Labels are read from files, so the rest goes through one in a folder of the
 * process, where a picture of 64 x 48 lies beside it. */
#include "label.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64], picture[80];

static void put(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n) abort();
    close(fd);
}

static void leave(void)
{
    unlink(picture);
    rmdir(dir);
}

static void start(void)
{
    static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x40\0\0\0\x30\x08\2\0\0\0....";
    strcpy(dir, "/dev/shm/tlc-fuzz-XXXXXX");
    if (!mkdtemp(dir) && !mkdtemp(strcpy(dir, "/tmp/tlc-fuzz-XXXXXX"))) abort();
    snprintf(picture, sizeof picture, "%s/x.png", dir);
    put(picture, png, sizeof png - 1);
    atexit(leave);
}

static void check(const tl_labels *l)
{
    int first = 0;
    for (int i = 0; i < l->npictures; i++) {
        const tl_picture *p = l->picture + i;
        if (p->first != first || (i && strcmp(p[-1].path, p->path) > 0)) abort();
        first += p->n;
        for (int k = p->first; k < first; k++) {
            const tl_object *o = l->object + k;
            if (!(o->box.x1 < o->box.x2 && o->box.y1 < o->box.y2)) abort();
            if (p->w && (o->box.x1 < 0 || o->box.y2 > (float)p->h)) abort();
            if (o->label < 0 || o->label >= l->classes.n) abort();
        }
    }
    if (first != l->nobjects) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int n = 0;
    char path[96];
    tl_labels *l;
    if (!size || size > 1 << 20) return 0;
    if (!*dir) start();
    while (tl_label_formats[n]) n++;
    const tl_label_format *f = tl_label_formats[data[0] % n];
    snprintf(path, sizeof path, "%s/x%s", dir, f->suffix);
    put(path, data + 1, size - 1);
    tl_arena *a = tl_arena_new();
    const char *text;
    if (a && !tl_labels_read(a, &(tl_label_conf){ .labels = path, .format = f->name, .measure = true }, &l)) {
        check(l);
        if (tl_labels_text(a, l, &text)) abort();
    }
    if (a && tl_arena_bytes(a) > 100 * size + ((size_t)1 << 20)) abort();
    tl_arena_free(a);
    unlink(path);
    return 0;
}
