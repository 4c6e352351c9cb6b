/* tlc.h - TLC, Transfer Learning in C: the public interface.
 * SPDX-License-Identifier: MIT */
#ifndef TLC_H
#define TLC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status -----------------------------------------------------------------------------------
 * Every function that can fail returns a tl_status: TL_OK, or what kind of thing went wrong.
 * tl_errmsg() then holds one or more lines a person can act on (per thread, valid until the next
 * failure on that thread). */
typedef enum {
    TL_OK = 0,
    TL_ENOMEM = -1,  /* the allocator said no */
    TL_EARG = -2,    /* the caller asked for something that makes no sense */
    TL_ESHAPE = -3,  /* tensors do not fit together */
    TL_EIO = -4,     /* the operating system said no */
    TL_EFORMAT = -5, /* a file is not what it claims to be */
    TL_EUNSUP = -6,  /* valid, but not supported here */
    TL_EDNN = -7,    /* oneDNN said no */
    TL_ESPEC = -8,   /* the experiment spec has errors (all of them are in the message) */
    TL_EDATA = -9,   /* the pictures or labels cannot be used as they are */
    TL_ESTOPPED = -10, /* stopped on request; what could be saved was saved */
    TL_EDIVERGED = -11 /* the training went wrong: the loss is no longer a number */
} tl_status;
const char *tl_errmsg(void);

/* ---- Arena ------------------------------------------------------------------------------------
 * Every object belongs to an arena and dies with it, in reverse order of creation. */
typedef struct tl_arena tl_arena;
tl_arena *tl_arena_new(void); /* NULL: out of memory */
void      tl_arena_free(tl_arena *a); /* NULL is fine */

/* ---- Fields -----------------------------------------------------------------------------------
 * A tl_field describes one member of a parameter struct; the same row parses it (from a spec file
 * or a command line), range-checks it, prints it, saves it and documents it. A tl_msg is the list
 * of rows of one struct. Used for op attributes, experiment specs and command options alike. */
typedef enum {
    TL_INT,   /* int */
    TL_FLOAT, /* float */
    TL_BOOL,  /* bool */
    TL_STR,   /* const char *, NULL when unset and without a default */
    TL_ENUM,  /* int, an index into names */
    TL_MSG    /* T *, NULL when unset */
} tl_kind;

enum {
    TL_REPEATED = 1, /* the member is a tl_list of the kind */
    TL_MAP = 2,      /* the member is a tl_list of tl_pair: string key to float */
    TL_REQUIRED = 4, /* must be set */
    TL_NOEFFECT = 8, /* read and checked for compatibility, without effect here: named in a warning */
    TL_EXTRA = 16,   /* ours; the original does not have it */
    TL_ONEOF = 32,   /* at most one of the message's TL_ONEOF members may be set */
    TL_LEGACY = 64   /* an older spelling: read, moved to the row that replaced it, never printed */
};

typedef struct tl_list { int n; void *at; } tl_list; /* at: int[], float[], const char *[], T *[], tl_pair[] */
typedef struct tl_pair { const char *key; float value; } tl_pair;

struct tl_msg;
typedef struct tl_field {
    const char *name;
    tl_kind     kind;
    size_t      off;
    double      def, lo, hi;        /* default and range of numbers */
    const char *help;
    unsigned    flags;
    const char *sdef;               /* default of strings */
    const char *const *names;       /* TL_ENUM: names by value, NULL-terminated; TL_STR: allowed values */
    const struct tl_msg *msg;       /* TL_MSG */
} tl_field;

typedef struct tl_msg {
    const char     *name;
    const tl_field *field;          /* ended by an empty row */
    size_t          size;           /* of the struct; its first member is `uint64_t set`, bit i: row i was given */
    const char     *help;
} tl_msg;

#define TL_F(T, m, kind, def, lo, hi, help) { #m, kind, offsetof(T, m), def, lo, hi, help, 0, NULL, NULL, NULL }
#define TL_F_END { NULL, TL_INT, 0, 0, 0, 0, NULL, 0, NULL, NULL, NULL }

/* ---- Progress ---------------------------------------------------------------------------------*/
typedef struct {
    const char *stage;          /* "head", "train", "validate" */
    int    epoch, epochs;       /* from 1 */
    int    batch, batches;      /* done in this epoch */
    double loss, accuracy;      /* means over this epoch so far */
    double rate;                /* learning rate */
    double pictures_per_second;
    double eta;                 /* seconds left of the whole training, as far as can be told */
} tl_progress;

/*API*/
#ifdef __cplusplus
}
#endif
#endif
