/* bench.c - tlc bench layers. SPDX-License-Identifier: MIT */
#include "cmds.h"

#define T tl_layers_opts
static const tl_field rows[] = {
    CMD_OPTION(T, arch, TL_STR, .help = "the network, as 'tlc list backbones' has it"),
    CMD_OPTION(T, n_layers, TL_INT, .hi = 1000, .help = "of architectures that come in several sizes"),
    CMD_OPTION(T, alpha, TL_FLOAT, .hi = 4, .help = "width of a network that comes in several"),
    CMD_OPTION(T, size, TL_INT, .def = 224, .lo = 16, .hi = 4096, .help = "side of the pictures, with --arch"),
    CMD_OPTION(T, model, TL_STR, .help = "a model file instead"),
    CMD_OPTION(T, key, TL_STR, .help = "opens a sealed model"),
    CMD_OPTION(T, batch_size, TL_INT, .def = 16, .lo = 1, .hi = 4096, .help = "pictures at once"),
    CMD_OPTION(T, runs, TL_INT, .def = 5, .lo = 1, .hi = 100000, .help = "times are means of so many"),
    CMD_OPTION(T, train, TL_BOOL, .help = "a training step, forward and backward; otherwise inference"),
    CMD_OPTION(T, use_amp, TL_BOOL, .help = "in mixed precision, on processors with AVX512-BF16"), TL_F_END
};
static const cmd_flag flags[] = { { "--arch", "arch", "NAME" }, { "-m", "model", NULL }, { "-k", "key", "KEY" }, { 0 } };

static int run(cmd_call *c)
{
    tl_layers_summary s = { 0 };
    int code = cmd_done(c, tl_bench_layers(c->arena, c->opts, &s));
    if (code) return code;
    cmd_say(c, "%s", s.text);
    cmd_value(c, "ms", "%.3f", s.ms);
    cmd_value(c, "macs", "%.0f", s.macs);
    cmd_value(c, "bytes", "%zu", s.bytes);
    return CMD_OK;
}

const cmd_def cmd_bench_layers = {
    .task = "bench",
    .name = "layers",
    .brief = "where a network's time goes on this machine, layer by layer",
    .about = "Runs a network on made-up pictures and prints for each layer which kernel computes it, its "
             "multiply-accumulates (backward ones included), the memory its result takes, its mean time and how "
             "fast its arithmetic is. GFLOP/s count the operations of a plain convolution: a kernel that needs "
             "fewer can pass the processor's peak. Layers that are folded or fused into others are not listed. Which kernel is chosen depends on the "
             "shapes only, so it is the same at every run.",
    .example = "tlc bench layers --arch resnet --n_layers 18\n"
               "tlc bench layers --arch mobilenet_v2 --train --threads 1",
    .option = rows,
    .flag = flags,
    .size = sizeof(T),
    .run = run,
};
