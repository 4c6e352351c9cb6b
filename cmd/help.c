/* help.c - tlc help: what a command does; and finding a command by its words.
 * SPDX-License-Identifier: MIT */
#include "cmds.h"
#include <string.h>

typedef struct {
    tl_list words;
} opts;

#define CMD_ROW(name) &cmd_##name,
const cmd_def *const cmds[] = { CMDS(CMD_ROW) NULL };
enum { COUNT = sizeof cmds / sizeof *cmds };

bool cmd_is_task(const char *word)
{
    for (int i = 0; cmds[i]; i++)
        if (cmds[i]->task && !strcmp(cmds[i]->task, word)) return true;
    return false;
}

static bool same_task(const cmd_def *cmd, const char *task)
{
    return task ? cmd->task && !strcmp(cmd->task, task) : !cmd->task;
}

/* What could have been meant: the task's commands, or the other commands and the tasks. */
static const char *nearest(const char *task, const char *word)
{
    tl_field names[2 * COUNT] = { 0 };
    int n = 0;
    for (int i = 0; cmds[i]; i++)
        if (same_task(cmds[i], task)) names[n++].name = cmds[i]->name;
        else if (!task)
            names[n++].name = cmds[i]->task;
    return tl_field_nearest(names, word);
}

const cmd_def *cmd_find(cmd_call *c, int n, const char *const *words, int *used)
{
    const char *task = n > 0 && cmd_is_task(words[0]) ? words[0] : NULL;
    int at = task ? 1 : 0;
    *used = at + 1;
    if (at >= n) {
        cmd_fail(c, CMD_USAGE, "%s: a command is missing; 'tlc help%s%s' lists them",
                 task ? task : "tlc", task ? " " : "", task ? task : "");
        return NULL;
    }
    for (int i = 0; cmds[i]; i++)
        if (same_task(cmds[i], task) && !strcmp(cmds[i]->name, words[at])) return cmds[i];
    const char *near = nearest(task, words[at]);
    if (near) cmd_fail(c, CMD_USAGE, "unknown command '%s'; did you mean '%s'?", words[at], near);
    else
        cmd_fail(c, CMD_USAGE, "unknown command '%s'; 'tlc help' lists them", words[at]);
    return NULL;
}

static int run(cmd_call *c)
{
    const tl_list *l = &((const opts *)c->opts)->words;
    const char *const *words = l->at;
    int used;
    if (!l->n || (l->n == 1 && cmd_is_task(words[0]))) {
        page_commands(stdout, &page_plain, l->n ? words[0] : NULL);
        return CMD_OK;
    }
    const cmd_def *cmd = cmd_find(c, l->n, words, &used);
    if (!cmd) return CMD_USAGE;
    if (used < l->n) return cmd_fail(c, CMD_USAGE, "unexpected argument '%s'", words[used]);
    page_command(stdout, &page_plain, cmd);
    return CMD_OK;
}

static const tl_field rows[] = { CMD_WORDS(opts, words, "COMMAND", TL_STR, .flags = TL_REPEATED,
                                           .help = "the command, as in 'classification train'"),
                                 TL_F_END };

const cmd_def cmd_help = {
    .name = "help",
    .brief = "what a command does and how to call it",
    .about = "Shows the page of a command: usage, an example, options with their defaults and "
             "ranges, the files it writes. "
             "Without a command, lists them all.",
    .example = "tlc help classification train",
    .option = rows,
    .size = sizeof(opts),
    .run = run,
};
