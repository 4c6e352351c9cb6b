/* spec.c - tlc classification spec. SPDX-License-Identifier: MIT */
#include "cmds.h"

typedef struct {
    const char *experiment_spec;
    tl_list overrides;
} opts;

static const tl_field rows[] = { CMD_OPTION(opts, experiment_spec, TL_STR, .flags = TL_REQUIRED,
                                            .help = "the experiment spec"),
                                 CMD_OVERRIDES(opts), TL_F_END };
static const cmd_flag flags[] = { { "-e", "experiment_spec", NULL },
                                  { "--experiment_spec_file", "experiment_spec", NULL },
                                  { 0 } };

static int run(cmd_call *c)
{
    const opts *o = c->opts;
    const char *text, *warnings;
    int code = cmd_done(c, tl_classification_spec_text(c->arena, o->experiment_spec, &o->overrides,
                                                       &text, &warnings));
    if (code) return code;
    fputs(warnings, stderr); /* so that what is printed remains a spec */
    cmd_say(c, "%s", text);
    return CMD_OK;
}

const cmd_def cmd_spec = {
    .task = "classification",
    .name = "spec",
    .brief = "check an experiment spec and print it whole",
    .about = "Reads a spec of TLT 2.0 or 3.0, names all its errors at once, each with its place "
             "and the nearest valid name, "
             "or prints it in the form of 3.0 with all defaults. What is printed is a spec again.",
    .example = "tlc classification spec -e spec.txt",
    .option = rows,
    .flag = flags,
    .size = sizeof(opts),
    .run = run,
};
