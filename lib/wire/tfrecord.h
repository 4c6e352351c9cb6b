/* tfrecord.h - TensorFlow's files of records. SPDX-License-Identifier: MIT
 *
 * A record is: its length (64 bits, little-endian), the checksum of that (32 bits), its bytes, their checksum. A file
 * is records and nothing else; an empty one has none. */
#ifndef TL_TFRECORD_H
#define TL_TFRECORD_H
#include "file.h"

enum { TL_RECORD_HEAD = 12, TL_RECORD_FOOT = 4 };
#define TL_MAX_RECORD ((size_t)1 << 30)

/* CRC-32C (Castagnoli) as these files store it: rotated and shifted. */
uint32_t tl_crc32c_masked(const void *bytes, size_t n);
/* Frame n bytes: record holds them from TL_RECORD_HEAD on, and has room for the foot behind them. */
void tl_record_seal(uint8_t *record, size_t n);
/* Are these the first TL_RECORD_HEAD bytes of such a file? */
bool tl_record_begins(const void *head);

typedef struct { const char *path; int record; void *file; } tl_records; /* record: the number of the last one read, from 1 */
/* path is borrowed; closed when the arena dies. */
tl_status tl_records_open(tl_arena *a, const char *path, tl_records *out);
/* The next record; *out's p is NULL after the last. TL_EFORMAT: damaged, with file and record. */
tl_status tl_records_next(tl_arena *a, tl_records *r, tl_bytes *out);
#endif
