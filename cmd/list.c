/* list.c - tlc list. SPDX-License-Identifier: MIT */
#include "cmds.h"

typedef struct {
    const char *kind;
} opts;

static const tl_field rows[] = {
    CMD_WORDS(opts, kind, "KIND", TL_STR,
              .help =
                  "ops, backbones, heads, optimizers, schedules, formats or importers; otherwise all of them"),
    TL_F_END
};

static int run(cmd_call *c)
{
    const opts *o = c->opts;
    const char *text;
    if (tl_list_text(c->arena, o->kind, &text)) return cmd_fail(c, CMD_USAGE, "%s", tl_errmsg());
    cmd_say(c, "%s", text);
    return CMD_OK;
}

const cmd_def cmd_list = {
    .name = "list",
    .brief = "what there is: operations, backbones, optimizers, ...",
    .about = "Prints the tables the program is built from, a line for each thing.",
    .example = "tlc list\ntlc list backbones",
    .option = rows,
    .size = sizeof(opts),
    .run = run,
};
