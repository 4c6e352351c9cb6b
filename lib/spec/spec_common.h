/* spec_common.h - what experiment specs of different tasks share. SPDX-License-Identifier: MIT
 *
 * A task has tables, a struct of what they mean, and the checks between the two. */
#ifndef TL_SPEC_COMMON_H
#define TL_SPEC_COMMON_H
#include "prototxt.h"

/* ---- Messages ---- */
typedef struct {
    uint64_t    set;
    const char *activation_type;
    tl_list     activation_parameters; /* tl_pair */
} tl_activation_config;

enum { TL_FLOAT32, TL_FLOAT16 };
typedef struct { uint64_t set; int backend_floatx; } tl_training_precision;

/* Experiment trackers of the original; nothing here reads them. */
typedef struct {
    uint64_t    set;
    bool        enabled, reinit;
    const char *key, *project, *entity, *name, *wandb_dir, *notes, *mode;
    tl_list     tags;  /* const char * */
} tl_wandb_config;
typedef struct {
    uint64_t    set;
    const char *project, *task;
    tl_list     tags;  /* const char * */
    bool        reuse_last_task_id, continue_last_task, defer_init;
} tl_clearml_config;

extern const tl_msg tl_activation_msg, tl_precision_msg, tl_wandb_msg, tl_clearml_msg;

/* Entries of map<string, message> and map<string, string>; both are TL_REPEATED TL_MSG rows. */
typedef struct { uint64_t set; const char *key; void *value; } tl_entry;
typedef struct { uint64_t set; const char *key, *value; } tl_string_entry;
extern const tl_msg tl_string_entry_msg;
void *tl_entry_find(const tl_list *map, const char *key); /* the value's message; NULL: no such key */

/* ---- Loading ---- */
/* Where a spec comes from. text NULL: the file at path; otherwise path only names the text. */
typedef struct {
    const char *path, *text;
    const char *const *overrides; /* n arguments as tl_prototxt_override takes them */
    int n;
} tl_spec_source;

/* Text and overrides into obj. What is wrong with them goes to the report; a status other than
 * TL_OK means that reading had to stop, or never began. */
tl_status tl_spec_text(tl_arena *a, tl_spec_source *s); /* fills text */
tl_status tl_spec_read(tl_report *r, const tl_spec_source *s, const tl_msg *m, void *obj);
/* All of loading: text, overrides, tl_spec_complete, and, where nothing was wrong so far, check(self).
 * TL_ESPEC: tl_errmsg() holds every error with its place. *warnings: one a line, or "". */
tl_status tl_spec_load(tl_report *r, tl_spec_source s, const tl_msg *m, void *obj,
                       tl_status (*check)(void *self), void *self, const char **warnings);
/* What holds for all messages: TL_REQUIRED fields are there; keys of maps become lower case and are
 * different; an entry without a message has the default one. */
tl_status tl_spec_complete(tl_report *r, const tl_msg *m, void *obj);
/* The message member `name` of obj, made if need be, as if given at `at`. */
tl_status tl_spec_make(tl_report *r, const tl_msg *m, void *obj, const char *name, tl_place at);
const tl_field *tl_spec_row(const tl_msg *m, const char *name); /* of kind TL_MSG; NULL: none */
/* The one of n names that is near, as the end of a message: "; did you mean 'x'?", or "" where none is near. */
typedef struct { char s[80]; } tl_hint;
tl_hint   tl_spec_hint(const char *name, const char *const *names, int n);
tl_status tl_spec_lower(tl_arena *a, const char **s); /* an ASCII copy in lower case; NULL stays */
tl_status tl_spec_lower_all(tl_arena *a, const tl_list *names); /* const char *, each in its place */
static inline bool tl_spec_filled(const char *s) { return s && *s; }

/* ---- Backbones ---- */
/* Sizes a family comes in (none: one size), the one that 0 layers mean, the numbers of its blocks,
 * and whether it comes in several widths. */
typedef struct {
    const char *name;
    int  layers[6], usual, first_block, last_block;
    bool widths;
} tl_arch;

/* Architecture names the specs know; the net layer says which are built. NULL-terminated. */
extern const char *const tl_arch_names[];
const tl_arch *tl_arch_find(const char *name); /* one of tl_arch_names */
/* Check *n, given as `field`; 0 becomes the usual size. */
tl_status tl_arch_layers(tl_report *r, tl_place at, const tl_arch *a, const char *field, int *n);
tl_status tl_arch_block(tl_report *r, tl_place at, const tl_arch *a, int block); /* of freeze_blocks */
#endif
