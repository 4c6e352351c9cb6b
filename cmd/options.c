/* options.c - the command line, read by the rows of a command. SPDX-License-Identifier: MIT
 *
 * Flags are spelled as the original spells them: -e FILE, --experiment_spec FILE, --flag=FILE,
 * short ones of several letters (-pth 0.1). In long ones a dash is as good as an underscore. */
#include "cmd.h"
#include <string.h>

const tl_field cmd_common_options[] = {
    CMD_OPTION(cmd_common, threads, TL_INT, .hi = 1024,
               .help = "processor threads to use, 0 for all of them"),
    CMD_OPTION(cmd_common, exact, TL_BOOL,
               .help = "compute convolutions as plain sums of products, not by Winograd's method, which is "
                       "faster and has a digit less"),
    CMD_OPTION(cmd_common, log_file, TL_STR,
               .help = "write all messages to this file as well, at its end"),
    CMD_OPTION(cmd_common, values, TL_STR,
               .help = "write the results to this file, as lines NAME=VALUE for programs"),
    CMD_OPTION(cmd_common, verbose, TL_BOOL, .help = "say what runs here, and with which options"),
    CMD_OPTION(cmd_common, help, TL_BOOL, .help = "show this page"),
    CMD_NOEFFECT(gpus, TL_INT),
    { .name = "gpu_index", .kind = TL_INT, .flags = TL_NOEFFECT | TL_REPEATED },
    CMD_NOEFFECT(num_processes, TL_INT),
    CMD_NOEFFECT(use_amp, TL_BOOL),
    CMD_NOEFFECT(multi_node, TL_BOOL),
    CMD_NOEFFECT(mpirun_arg, TL_STR),
    CMD_NOEFFECT(launch_cuda_blocking, TL_BOOL),
    TL_F_END
};
const cmd_flag cmd_common_flags[] = {
    { "-v", "verbose", NULL }, { "-h", "help", NULL }, { "-np", "num_processes", NULL }, { 0 }
};

typedef struct {
    const tl_field *row;
    void *obj;
} target;

/* A dash is as good as an underscore. */
static bool same(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b))) return false;
    return *a == *b;
}

static const tl_field *find_row(const tl_field *rows, const cmd_flag *flags, const char *flag)
{
    for (const cmd_flag *f = flags; f && f->flag; f++)
        if (same(f->flag, flag)) return tl_field_find(rows, f->option);
    for (const tl_field *r = rows; r->name && !strncmp(flag, "--", 2); r++)
        if (same(r->name, flag + 2)) return r;
    return NULL;
}

static target find(cmd_call *c, const char *flag)
{
    const tl_field *row = find_row(c->cmd->option, c->cmd->flag, flag);
    if (!row) row = find_row(c->cmd->option, cmd_common_flags, flag);
    if (row) return (target){ row, c->opts };
    return (target){ find_row(cmd_common_options, cmd_common_flags, flag), &c->common };
}

static int unknown_flag(cmd_call *c, const char *flag)
{
    const char *name = flag + strspn(flag, "-"), *near = tl_field_nearest(c->cmd->option, name);
    if (!near) near = tl_field_nearest(cmd_common_options, name);
    if (near) return cmd_fail(c, CMD_USAGE, "unknown option %s; did you mean --%s?", flag, near);
    return cmd_fail(c, CMD_USAGE, "unknown option %s", flag);
}

static int set(cmd_call *c, target t, const char *flag, const char *text)
{
    if (t.row->flags & TL_NOEFFECT) return CMD_OK;
    if (!tl_field_set(c->arena, t.row, t.obj, text)) return CMD_OK;
    return cmd_fail(c, CMD_USAGE, "%s: %s", flag, tl_errmsg());
}

static void note_noeffect(cmd_call *c, const char *flag)
{
    size_t n = strlen(c->noeffect);
    snprintf(c->noeffect + n, sizeof c->noeffect - n, "%s%s", n ? ", " : "", flag);
}

/* A value that is missing must not swallow the flag after it; -1 is a value. */
static bool is_value(cmd_call *c, const char *word)
{
    return word && !(word[0] == '-' && find(c, word).row);
}

/* Lists go on to the next flag or FIELD=VALUE. */
static bool is_item(const char *word) { return word && word[0] != '-' && !strchr(word, '='); }

/* The flag at words[0], its value and what else belongs to it; *used: how many words that was. */
static int take_flag(cmd_call *c, char **words, int *used)
{
    char flag[64];
    char *equals = strchr(words[0], '=');
    snprintf(flag, sizeof flag, "%.*s", equals ? (int)(equals - words[0]) : (int)sizeof flag,
             words[0]);
    *used = 1;
    target t = find(c, flag);
    if (!t.row) return unknown_flag(c, flag);
    if (t.row->flags & TL_NOEFFECT) note_noeffect(c, flag);
    if (equals) return set(c, t, flag, equals + 1);
    if (t.row->kind == TL_BOOL) return set(c, t, flag, "true");
    if (t.row->flags & TL_OPTIONAL) return set(c, t, flag, t.row->sdef);
    if (!is_value(c, words[1])) {
        char spelled[160];
        return cmd_fail(c, CMD_USAGE, "%s needs a value: %s", flag,
                        page_flags(spelled, sizeof spelled, c->cmd, t.row));
    }
    do {
        int code = set(c, t, flag, words[(*used)++]);
        if (code) return code;
    } while (t.row->flags & TL_REPEATED && is_item(words[*used]));
    return CMD_OK;
}

static const tl_field *words_row(const cmd_def *cmd)
{
    for (const tl_field *r = cmd->option; r->name; r++)
        if (r->name[0] >= 'A' && r->name[0] <= 'Z') return r;
    return NULL;
}

/* Words without a flag: all of them into a list, which lives in argv, or one into a string. */
static int take_words(cmd_call *c, int n, char **words)
{
    const tl_field *row = words_row(c->cmd);
    int most = !row ? 0 : row->flags & TL_REPEATED ? n : 1;
    if (n > most) return cmd_fail(c, CMD_USAGE, "unexpected argument '%s'", words[most]);
    if (!n) return CMD_OK;
    if (strchr(row->name, '='))
        for (int i = 0; i < n; i++)
            if (!strchr(words[i], '='))
                return cmd_fail(c, CMD_USAGE, "unexpected argument '%s'; expected %s: %s", words[i],
                                row->name, row->help);
    if (!(row->flags & TL_REPEATED)) return set(c, (target){ row, c->opts }, row->name, words[0]);
    *(tl_list *)((char *)c->opts + row->off) = (tl_list){ n, words };
    return CMD_OK;
}

/* Only strings are ever required. */
static bool given(const cmd_call *c, const tl_field *row)
{
    return *(const char *const *)((const char *)c->opts + row->off);
}

/* TL_ONEOF rows: at most one, and exactly one when they are required, too. */
static int check_choice(cmd_call *c)
{
    int n = 0, code = CMD_OK;
    bool required = false;
    for (const tl_field *r = c->cmd->option; r->name; r++) {
        if (!(r->flags & TL_ONEOF)) continue;
        n += given(c, r);
        required |= r->flags & TL_REQUIRED;
    }
    if (n > 1 || (required && !n))
        code = cmd_fail(c, CMD_USAGE,
                        n ? "only one of these may be given:" : "one of these is missing:");
    for (const tl_field *r = c->cmd->option; code && r->name; r++) {
        char spelled[160];
        if (r->flags & TL_ONEOF)
            cmd_fail(c, code, "  %s: %s", page_flags(spelled, sizeof spelled, c->cmd, r), r->help);
    }
    return code;
}

static int check(cmd_call *c)
{
    int code = check_choice(c);
    for (const tl_field *r = c->cmd->option; r->name; r++) {
        char spelled[160];
        if (!(r->flags & TL_REQUIRED) || r->flags & TL_ONEOF || given(c, r)) continue;
        code = cmd_fail(c, CMD_USAGE, "missing %s: %s",
                        page_flags(spelled, sizeof spelled, c->cmd, r), r->help);
    }
    return code;
}

int cmd_parse(cmd_call *c, int argc, char **argv)
{
    int n = 0, used;
    tl_field_defaults(c->cmd->option, c->opts);
    for (int i = 0; i < argc; i += used) {
        used = 1;
        if (argv[i][0] != '-' || !argv[i][1]) {
            argv[n++] = argv[i];
            continue;
        }
        int code = take_flag(c, argv + i, &used);
        if (code) return code;
    }
    if (c->common.help) return CMD_OK;
    int code = take_words(c, n, argv);
    return code ? code : check(c);
}
