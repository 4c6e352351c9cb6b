/* import.c - tlc import. SPDX-License-Identifier: MIT */
#include "cmds.h"

static const char *const modes[] = { "caffe", "torch", "tf", "imagenet", NULL };
#define T tl_import_opts
static const tl_field rows[] = {
    CMD_WORDS(T, input, "FILE", TL_STR, .flags = TL_REQUIRED,
              .help = "the weights or the network; what it is is told by its content"),
    CMD_OPTION(T, output_file, TL_STR, .flags = TL_REQUIRED, .help = "the model to write"),
    CMD_OPTION(T, arch, TL_STR,
               .help = "the network that the weights are for; otherwise the one where everything matches. A file "
                       "that holds a network "
                       "(ONNX, darknet, TFLite) is kept as it is unless this is given"),
    CMD_OPTION(T, n_layers, TL_INT, .hi = 1000, .help = "its depth, where it comes in several"),
    CMD_OPTION(T, labels, TL_STR, .help = "a text file with the classes' names, a line each in index order"),
    CMD_OPTION(T, input_image_size, TL_STR, .sdef = "3,224,224",
               .help = "channels, height, width of the pictures, for weights alone"),
    CMD_OPTION(T, preprocess_mode, TL_STR, .names = modes,
               .help = "how pictures become numbers; otherwise as the file says, or as is usual for such weights"),
    CMD_OPTION(T, key, TL_STR, .help = "opens the file if it is sealed, and seals the model"),
    CMD_OPTION(T, external_data, TL_BOOL,
               .help = "read the weights that an ONNX file keeps in other files of its folder"),
    CMD_OPTION(T, overwrite, TL_BOOL, .help = "replace the output file if it is there"),
    TL_F_END
};
static const cmd_flag flags[] = { { "-m", "FILE", NULL },
                                  { "-o", "output_file", NULL },
                                  { "-k", "key", "KEY" },
                                  { "--arch", "arch", "NAME" },
                                  { "--input_image_size", "input_image_size", "C,H,W" },
                                  { 0 } };

static int run(cmd_call *c)
{
    const T *o = c->opts;
    tl_import_summary s = { 0 };
    int code = cmd_done(c, tl_model_import(c->arena, o, &c->listener, &s));
    if (code) return code;
    cmd_say(c, "%s", s.report);
    cmd_value(c, "format", "%s", s.format);
    cmd_value(c, "arch", "%s", s.arch);
    cmd_value(c, "matched", "%d", s.matched);
    cmd_value(c, "skipped", "%d", s.skipped);
    cmd_value(c, "fresh", "%d", s.fresh);
    cmd_value(c, "classes", "%d", s.classes);
    cmd_value(c, "params", "%zu", s.params);
    cmd_value(c, "bytes", "%zu", s.bytes);
    return CMD_OK;
}

const cmd_def cmd_import = {
    .name = "import",
    .brief = "make a model of weights or a network that another program wrote",
    .about = "Reads weights in safetensors, PyTorch (.pth; nothing in them is executed) and Keras HDF5 files, and "
             "networks in ONNX, darknet "
             "(.cfg beside .weights) and TensorFlow Lite files. Weights are "
             "matched to a network by torchvision's, timm's or our own names, and what differs in its settings "
             "(strides, padding, "
             "epsilon, activations) is taken over, so that the model answers as the original does. The report says "
             "for each layer "
             "whether it was matched, reshaped, made the identity, skipped, or starts fresh, and why. "
             "The same files can be given as train_config.pretrained_model_path.",
    .example = "tlc import resnet18.pth -o resnet18.onnx --labels imagenet_classes.txt\n"
               "tlc import weights.safetensors -o start.onnx --arch resnet --n_layers 50\n"
               "tlc import classifier.onnx -o classifier_tlc.onnx",
    .files = "OUTPUT_FILE: the model; 'tlc info' says what it is",
    .option = rows,
    .flag = flags,
    .size = sizeof(T),
    .run = run,
};
