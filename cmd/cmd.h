/* cmd.h - what a command is, and what all commands share. SPDX-License-Identifier: MIT
 *
 * A command is a struct of options, the rows (tl_field) that describe it, a few sentences, and a
 * function. The rows parse the command line; with the sentences they are the help text, the manual
 * page and the page in docs/ref as well. */
#ifndef CMD_H
#define CMD_H
#include "tlc.h"
#include <stdio.h>

#define CMD_TERMINAL "TLC_TERMINAL" /* set for the processes that cmd_launch starts from a terminal */

enum { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2 }; /* exit codes */

/* An option's row. The member's name is the long flag; TL_REQUIRED options must be given, of those
 * with TL_ONEOF as well exactly one; TL_NOEFFECT rows have no member. */
#define CMD_OPTION(T, m, k, ...)                                                                   \
    {                                                                                              \
        .name = #m, .kind = k, .off = offsetof(T, m), __VA_ARGS__                                  \
    }
/* Words without a flag: the row is named in capitals, which also says what it is called in help. */
#define CMD_WORDS(T, m, label, k, ...)                                                             \
    {                                                                                              \
        .name = label, .kind = k, .off = offsetof(T, m), __VA_ARGS__                               \
    }
#define CMD_OVERRIDES(T)                                                                           \
    CMD_WORDS(T, overrides, "FIELD=VALUE", TL_STR, .flags = TL_REPEATED,                           \
              .help = "values of the spec that replace the file's, with the way to the field: SECTION.FIELD=VALUE")
#define CMD_NOEFFECT(flag, k)                                                                      \
    {                                                                                              \
        .name = #flag, .kind = k, .flags = TL_NOEFFECT                                             \
    }

/* Another spelling of an option, and what help calls its value (NULL: FILE or N, by its kind). */
typedef struct cmd_flag {
    const char *flag, *option, *value;
} cmd_flag;

/* Options of every command. */
typedef struct cmd_common {
    const char *log_file, *values;
    int threads;
    bool exact, verbose, help;
} cmd_common;
extern const tl_field cmd_common_options[];
extern const cmd_flag cmd_common_flags[];

struct cmd_call;
typedef struct cmd_def {
    const char *task, *name;     /* task NULL: a command of its own, as in "tlc list" */
    const char *brief, *about;   /* half a line for lists; what it does */
    const char *example, *files; /* lines; a line of files is "name: what it is"; NULL: none */
    const tl_field *option;      /* ended by an empty row */
    const cmd_flag *flag;        /* likewise */
    size_t size;                 /* of the options' struct */
    bool joins;                  /* the processes of a job (mpirun, srun) do this together */
    int (*run)(struct cmd_call *c);
} cmd_def;

/* One command being run. */
typedef struct cmd_call {
    const cmd_def *cmd;
    tl_arena *arena;
    void *opts; /* cmd->size bytes */
    cmd_common common;
    tl_listener listener; /* what to hand to the library */
    FILE *log, *values;   /* NULL: not asked for */
    char noeffect[512];   /* flags that were given and do nothing here */
    bool mute;            /* another process of the job speaks and writes */
    bool live;            /* a progress line stands on the terminal */
    double shown;         /* when it was last drawn */
} cmd_call;

/* ---- options.c ---- */
/* Defaults, then the words; everything that is missing or contradictory is said at once. argv is
 * reordered: lists of words without a flag live in its first elements. */
int cmd_parse(cmd_call *c, int argc, char **argv);

/* ---- output.c ---- */
int cmd_open(cmd_call *c, const volatile int *stop); /* the log, the values, the listener */
int cmd_close(cmd_call *c, int code);                /* code, or CMD_FAILED when output was lost */
void cmd_say(cmd_call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int cmd_fail(cmd_call *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))); /* returns code */
int cmd_done(cmd_call *c, tl_status s);    /* says what went wrong; the exit code */
/* One result for programs, when --values was given: a line name=value. */
void cmd_value(cmd_call *c, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- launch.c ---- */
/* Run this very command as so many processes. mpirun_arg: more words for mpirun, or NULL. */
int cmd_launch(cmd_call *c, int processes, const char *mpirun_arg);

/* ---- page.c ---- */
typedef struct page_ink page_ink; /* how a page is put down */
extern const page_ink page_plain, page_markdown, page_roff;
void page_command(FILE *out, const page_ink *ink, const cmd_def *cmd);
void page_commands(FILE *out, const page_ink *ink,
                   const char *task); /* the list of them; task NULL: all */
const char *page_flags(char *buf, size_t size, const cmd_def *cmd,
                       const tl_field *row); /* "-k, --key KEY" */

/* ---- help.c ---- */
/* The command that these words name, and how many of them did; NULL: none, and why is said. */
const cmd_def *cmd_find(cmd_call *c, int n, const char *const *words, int *used);
bool cmd_is_task(const char *word);
#endif
