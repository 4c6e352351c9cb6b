/* info.c - tlc info. SPDX-License-Identifier: MIT */
#include "cmds.h"

typedef struct {
    const char *model, *key;
} opts;

static const tl_field rows[] = {
    CMD_WORDS(opts, model, "MODEL", TL_STR, .flags = TL_REQUIRED, .help = "the model file"),
    CMD_OPTION(opts, key, TL_STR, .help = "opens a sealed model"), TL_F_END
};
static const cmd_flag flags[] = { { "-m", "MODEL", NULL }, { "-k", "key", "KEY" }, { 0 } };

static int run(cmd_call *c)
{
    const opts *o = c->opts;
    tl_model_info m = { 0 };
    int code = cmd_done(c, tl_model_describe(c->arena, o->model, o->key, &m));
    if (code) return code;
    cmd_say(c, "%s", m.text);
    cmd_value(c, "params", "%zu", m.params);
    cmd_value(c, "macs", "%.0f", m.macs);
    cmd_value(c, "bytes", "%zu", m.bytes);
    return CMD_OK;
}

const cmd_def cmd_info = {
    .name = "info",
    .brief = "what a model file is",
    .about = "Prints a model's architecture, input, classes, size, and what has been done to it.",
    .example = "tlc info results/weights/mobilenet_v2_best.onnx",
    .option = rows,
    .flag = flags,
    .size = sizeof(opts),
    .run = run,
};
