/* fuzz_tfrecord.c - TFRecords as labels are read or refused, in memory that their size warrants, and what is read is
 * sound. SPDX-License-Identifier: MIT
 *
 * A checksum stops nearly all that a fuzzer thinks of, so where the first byte is odd the rest is a record without its
 * frame, which is put around it. */
#include "label.h"
#include "tfrecord.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];

static void leave(void) { unlink(path); }

static void put(const uint8_t *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n) abort();
    close(fd);
}

static void put_framed(const uint8_t *p, size_t n)
{
    uint8_t *record = calloc(1, n + TL_RECORD_HEAD + TL_RECORD_FOOT);
    if (!record) abort();
    memcpy(record + TL_RECORD_HEAD, p, n);
    tl_record_seal(record, n);
    put(record, n + TL_RECORD_HEAD + TL_RECORD_FOOT);
    free(record);
}

static void check(const tl_labels *l)
{
    int first = 0;
    for (int i = 0; i < l->npictures; i++) {
        const tl_picture *p = l->picture + i;
        if (p->first != first) abort();
        first += p->n;
        for (int k = p->first; k < first; k++) {
            const tl_object *o = l->object + k;
            if (!(o->box.x1 < o->box.x2 && o->box.y1 < o->box.y2)) abort();
            if (o->label < 0 || o->label >= l->classes.n) abort();
        }
    }
    if (first != l->nobjects) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tl_labels *l;
    if (!size || size > 1 << 20) return 0;
    if (!*path) {
        snprintf(path, sizeof path, "/dev/shm/tlc-fuzz-%ld.tfrecord", (long)getpid());
        atexit(leave);
    }
    (data[0] & 1 ? put_framed : put)(data + 1, size - 1);
    tl_arena *a = tl_arena_new();
    if (!a) return 0;
    if (!tl_labels_read(a, &(tl_label_conf){ .labels = path, .format = "tfrecord", .world = true }, &l)) check(l);
    if (tl_arena_bytes(a) > 100 * size + ((size_t)1 << 20)) abort();
    tl_arena_free(a);
    return 0;
}
