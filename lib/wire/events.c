/* events.c - TensorBoard event files: protobuf messages framed as TFRecords. SPDX-License-Identifier: MIT
 *
 * A record is written with one system call and without a buffer of ours: a run writes a handful an epoch. */
#include "events.h"
#include "event.pb-c.h"
#include "tfrecord.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_TAG = 256, MAX_RECORD = TL_RECORD_HEAD + MAX_TAG + 64 + TL_RECORD_FOOT };

struct tl_events { int fd; off_t size; const char *path; };

static tl_status append(tl_events *e, const Tl__Event *event)
{
    uint8_t record[MAX_RECORD];
    size_t n = tl__event__pack(event, record + TL_RECORD_HEAD);
    tl_record_seal(record, n);
    ssize_t size = (ssize_t)(TL_RECORD_HEAD + n + TL_RECORD_FOOT), put = write(e->fd, record, (size_t)size);
    if (put == size) {
        e->size += size;
        return TL_OK;
    }
    int why = put < 0 ? errno : ENOSPC; /* a part was written: there was no room for more */
    bool torn = put > 0 && ftruncate(e->fd, e->size);
    return tl_fail(TL_EIO, "cannot write '%s': %s%s", e->path, strerror(why), torn ? "; its last record is torn" : "");
}

static void shut(void *self) { close(((tl_events *)self)->fd); }

/* A name of its own even when several runs start in the same second. */
static tl_status create(tl_arena *a, const char *dir, tl_events *e)
{
    char host[HOST_NAME_MAX + 1] = "localhost";
    if (gethostname(host, sizeof host - 1)) strcpy(host, "localhost");
    e->fd = -1;
    for (int n = 0; e->fd < 0; n++) {
        e->path = tl_printf(a, "%s/events.out.tfevents.%lld.%s.%ld.%d", dir, (long long)time(NULL), host,
                            (long)getpid(), n);
        TL_NEW(e->path);
        e->fd = open(e->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (e->fd < 0 && errno != EEXIST) return tl_fail(TL_EIO, "cannot write '%s': %s", e->path, strerror(errno));
    }
    return TL_OK;
}

tl_status tl_events_open(tl_arena *a, const char *dir, tl_events **out)
{
    tl_events *e = tl_new(a, tl_events, 1);
    TL_NEW(e);
    TL_TRY(tl_mkdirs(dir));
    TL_TRY(create(a, dir, e));
    TL_TRY(tl_defer(a, shut, e));
    Tl__Event event = TL__EVENT__INIT;
    event.has_wall_time = event.has_file_version = true;
    event.wall_time = (double)time(NULL);
    event.file_version = (ProtobufCBinaryData){ 13, (uint8_t *)"brain.Event:2" };
    TL_TRY(append(e, &event));
    *out = e;
    return TL_OK;
}

tl_status tl_events_scalar(tl_events *e, const char *tag, int64_t step, double value, double walltime)
{
    size_t n = strlen(tag);
    TL_CHECK(n <= MAX_TAG, TL_EARG, "the name of a curve, '%.40s...', has %zu bytes; at most %d are allowed",
             tag, n, MAX_TAG);
    Tl__Summary__Value point = TL__SUMMARY__VALUE__INIT, *points = &point;
    Tl__Summary summary = TL__SUMMARY__INIT;
    Tl__Event event = TL__EVENT__INIT;
    point.has_tag = point.has_simple_value = true;
    point.tag = (ProtobufCBinaryData){ n, (uint8_t *)tag };
    point.simple_value = (float)value;
    summary.n_value = 1;
    summary.value = &points;
    event.has_wall_time = true;
    event.has_step = step != 0; /* as TensorBoard's writer does: absent is 0 */
    event.wall_time = walltime;
    event.step = step;
    event.summary = &summary;
    return append(e, &event);
}
