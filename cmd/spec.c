/* spec.c - tlc classification spec, tlc detectnet_v2 spec. SPDX-License-Identifier: MIT */
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

typedef tl_status spec_text(tl_arena *a, const char *path, const tl_list *overrides, const char **text, const char **warnings);

static int run_task(cmd_call *c, spec_text *read)
{
    const opts *o = c->opts;
    const char *text, *warnings;
    int code = cmd_done(c, read(c->arena, o->experiment_spec, &o->overrides, &text, &warnings));
    if (code) return code;
    fputs(warnings, stderr); /* so that what is printed remains a spec */
    cmd_say(c, "%s", text);
    return CMD_OK;
}

static int run(cmd_call *c) { return run_task(c, tl_classification_spec_text); }
static int run_detect(cmd_call *c) { return run_task(c, tl_detectnet_v2_spec_text); }

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

const cmd_def cmd_detect_spec = {
    .task = "detectnet_v2",
    .name = "spec",
    .brief = "check an experiment spec of a detector and print it whole",
    .about = "Reads a spec of TLT 2.0 or 3.0, names all its errors at once, each with its place "
             "and the nearest valid name, or prints it with all defaults. What is printed is a spec again.",
    .example = "tlc detectnet_v2 spec -e spec.txt",
    .option = rows,
    .flag = flags,
    .size = sizeof(opts),
    .run = run_detect,
};
