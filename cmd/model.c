/* model.c - tlc model: what is done with registries of models. SPDX-License-Identifier: MIT */
#include "cmds.h"

typedef struct {
    const char *registry, *word; /* which model */
} opts;

#define REGISTRY(T)                                                                                \
    CMD_OPTION(T, registry, TL_STR,                                                                \
               .help = "folder or http(s) address of the registry, or of its index.json; "         \
                       "otherwise what TLC_REGISTRY in the environment says, and without that "    \
                       "the models that come with TLC")
static const cmd_flag flags[] = { { "--registry", "registry", "PLACE" }, { 0 } };

/* ---- list ---- */
static const tl_field list_rows[] = {
    CMD_WORDS(opts, word, "NAME", TL_STR,
              .help = "a model's name, or a backbone's or its beginning; otherwise all models"),
    REGISTRY(opts), TL_F_END
};

static int run_list(cmd_call *c)
{
    const opts *o = c->opts;
    const char *text;
    tl_list models;
    int code =
        cmd_done(c, tl_registry_list(c->arena, o->registry, o->word, &c->listener, &models, &text));
    if (code) return code;
    cmd_say(c, "%s", text);
    for (int i = 0; i < models.n; i++)
        cmd_value(c, "model", "%s", ((const tl_registry_model *)models.at)[i].name);
    return CMD_OK;
}

const cmd_def cmd_model_list = {
    .task = "model",
    .name = "list",
    .brief = "the models of a registry, to start from or to use",
    .about = "Prints what the index of a registry says: backbone, number of classes (a trunk has "
             "none: it is there to start a training from), input, size, license, how accurate on "
             "which data, and whether it has been pulled.",
    .example = "tlc model list\ntlc model list mobilenet_v2 --registry https://example.org/models",
    .option = list_rows,
    .flag = flags,
    .size = sizeof(opts),
    .run = run_list,
};

/* ---- pull ---- */
static const tl_field pull_rows[] = { CMD_WORDS(opts, word, "NAME", TL_STR, .flags = TL_REQUIRED,
                                                .help =
                                                    "the model; 'tlc model list' has the names"),
                                      REGISTRY(opts), TL_F_END };

static int run_pull(cmd_call *c)
{
    const opts *o = c->opts;
    tl_pull_summary s = { 0 };
    int code = cmd_done(c, tl_registry_pull(c->arena, o->registry, o->word, &c->listener, &s));
    if (code) return code;
    cmd_say(c, "%s", s.text);
    cmd_value(c, "path", "%s", s.path);
    cmd_value(c, "bytes", "%zu", s.bytes);
    cmd_value(c, "fetched", "%d", s.fetched);
    return CMD_OK;
}

const cmd_def cmd_model_pull = {
    .task = "model",
    .name = "pull",
    .brief = "fetch a model from a registry",
    .about = "Fetches a model and puts it, once its checksum is right, into the cache: "
             "$XDG_CACHE_HOME/tlc/models, otherwise ~/.cache/tlc/models. From then on "
             "registry:NAME stands for it wherever a model's path is asked for. Connections that "
             "break are tried again; what a pull that was stopped has fetched is kept, and the "
             "next one goes on from there. Proxies are taken from https_proxy and http_proxy, "
             "passwords from ~/.netrc.",
    .example = "tlc model pull mobilenet_v2_imagenet\n"
               "tlc classification train -e spec.txt -r results "
               "train_config.pretrained_model_path=registry:mobilenet_v2_imagenet",
    .files = "~/.cache/tlc/models/NAME-DIGITS.onnx: the model; the digits begin its SHA-256\n"
             "~/.cache/tlc/models/NAME-DIGITS.onnx.part: what has come so far",
    .option = pull_rows,
    .flag = flags,
    .size = sizeof(opts),
    .run = run_pull,
};

/* ---- push ---- */
#define T tl_push_opts
static const tl_field push_rows[] = {
    CMD_WORDS(T, files, "FILE", TL_STR, .flags = TL_REPEATED,
              .help = "the models, as tlc wrote them"),
    CMD_OPTION(T, registry, TL_STR,
               .help = "folder of the registry, or its index.json, both made when absent; "
                       "otherwise what TLC_REGISTRY in the environment says"),
    CMD_OPTION(T, name, TL_STR,
               .help = "what to call the model; otherwise as the file, without its suffix"),
    CMD_OPTION(T, license, TL_STR,
               .help = "under which license others may use it, as in Apache-2.0"),
    CMD_OPTION(T, accuracy, TL_STR, .help = "how accurate it is, and on which data"),
    CMD_OPTION(T, key, TL_STR, .help = "opens sealed models, which stay sealed in the registry"),
    CMD_OPTION(T, overwrite, TL_BOOL, .help = "let this model take the name of another one"),
    TL_F_END
};
static const cmd_flag push_flags[] = { { "-k", "key", "KEY" },
                                       { "--registry", "registry", "FOLDER" },
                                       { "--name", "name", "NAME" },
                                       { "--license", "license", "ID" },
                                       { "--accuracy", "accuracy", "TEXT" },
                                       { 0 } };

static int run_push(cmd_call *c)
{
    const T *o = c->opts;
    const char *text;
    if (!o->files.n) return cmd_fail(c, CMD_USAGE, "missing FILE: the model to push");
    int code = cmd_done(c, tl_registry_push(c->arena, o, &c->listener, &text));
    if (!code) cmd_say(c, "%s", text);
    return code;
}

const cmd_def cmd_model_push = {
    .task = "model",
    .name = "push",
    .brief = "put models into a registry that is a folder",
    .about = "Copies models into the folder of a registry and describes them in its index: "
             "backbone, classes, input and size are read from the model, license and accuracy are"
             " for you to say. The index is replaced as a whole, and what others push at the same"
             " time stays. To publish on the web, upload the folder: any web server will do.",
    .example = "tlc model push results/weights/mobilenet_v2_best.onnx --registry /srv/models \\\n"
               "  --name vehicles --license CC-BY-4.0 \\\n"
               "  --accuracy \"0.90 on 121 test pictures of vehicles\"",
    .files = "FOLDER/index.json: the index\n"
             "FOLDER/NAME-DIGITS.onnx: the model; the digits begin its SHA-256\n"
             "FOLDER/index.json.lock: empty, held by who writes",
    .option = push_rows,
    .flag = push_flags,
    .size = sizeof(T),
    .run = run_push,
};

/* ---- verify ---- */
static const tl_field verify_rows[] = { REGISTRY(opts), TL_F_END };

static int run_verify(cmd_call *c)
{
    const opts *o = c->opts;
    tl_verify_summary s = { 0 };
    int code = cmd_done(c, tl_registry_verify(c->arena, o->registry, &c->listener, &s));
    if (code) return code;
    cmd_say(c, "%s", s.text);
    cmd_value(c, "right", "%d", s.right);
    cmd_value(c, "wrong", "%d", s.wrong);
    return s.wrong ? CMD_FAILED : CMD_OK;
}

const cmd_def cmd_model_verify = {
    .task = "model",
    .name = "verify",
    .brief = "check that models are what the index says",
    .about = "Reads every model of a registry on this machine, and all that has been pulled from "
             "any, and compares size and SHA-256. The exit code is 1 when one is wrong.",
    .example = "tlc model verify\ntlc model verify --registry /srv/models",
    .option = verify_rows,
    .flag = flags,
    .size = sizeof(opts),
    .run = run_verify,
};
