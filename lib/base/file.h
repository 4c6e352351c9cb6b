/* file.h - whole files, atomic writes, directory listings. SPDX-License-Identifier: MIT */
#ifndef TL_FILE_H
#define TL_FILE_H
#include "arena.h"

typedef struct { const uint8_t *p; size_t n; } tl_bytes;

/* Read a whole file; *out lives in a and is followed by a zero byte. limit 0: no limit. TL_EIO
 * with path and reason. */
tl_status tl_file_read(tl_arena *a, const char *path, size_t limit, tl_bytes *out);

/* Replace path by these bytes so that after a crash at any moment either the old or the new file
 * is there, whole: temporary name in the same folder, write, fsync, rename, fsync the folder. On
 * failure (a full disk, no permission) path is untouched and the temporary file removed. */
tl_status tl_file_write(const char *path, const void *bytes, size_t n);
/* Its two halves, for a file that grows for a while: all bytes to fd; then what fd holds reaches the
 * disk and tmp, its name so far, becomes path. path is what messages call it; fd stays open. */
tl_status tl_write_all(int fd, const char *path, const void *bytes, size_t n);
tl_status tl_file_publish(int fd, const char *tmp, const char *path);
/* And a file that grows picture by picture: it lies under a temporary name until tl_growing_publish, and is removed when the
 * arena dies before that. */
typedef struct tl_growing tl_growing;
tl_status tl_growing_new(tl_arena *a, const char *path, tl_growing **out);
tl_status tl_growing_add(tl_growing *g, const void *bytes, size_t n);
tl_status tl_growing_publish(tl_growing *g);
tl_status tl_file_append(const char *path, const char *text); /* one write; created when absent */

bool      tl_file_exists(const char *path);
bool      tl_is_dir(const char *path);
tl_status tl_mkdirs(const char *path);                          /* and its parents; present is fine */
/* Names in a folder without "." and "..", sorted by byte value; list of const char *. */
tl_status tl_dir_list(tl_arena *a, const char *path, tl_list *names);
char       *tl_path_join(tl_arena *a, const char *dir, const char *name);
const char *tl_path_base(const char *path);                     /* what follows the last slash */

/* Tests only: the n-th write-like system call (open, write, fsync, rename) from now fails as if the
 * disk were full; below zero: never. */
extern long tl_write_countdown;
#endif
