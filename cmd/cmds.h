/* cmds.h - every command, in the order help lists them. SPDX-License-Identifier: MIT
 *
 * A new command is one word here and one file beside this one that exports cmd_NAME;
 * the commands for models in registries share model.c, those for data sets dataset.c. */
#ifndef CMDS_H
#define CMDS_H
#include "cmd.h"
#define CMDS(X)                                                                                    \
    X(train) X(evaluate) X(prune) X(inference) X(export) X(import) X(spec)                         \
    X(detect_train) X(detect_evaluate) X(detect_prune) X(detect_inference) X(detect_export)        \
    X(detect_spec) X(detect_diagnose) X(dataset_convert)                                           \
    X(dataset_check) X(dataset_transform) X(dataset_split)                                         \
    X(model_list) X(model_pull) X(model_push) X(model_verify) X(bench_layers) X(list) X(info) X(docs) X(help)

#define CMD_DECL(name) extern const cmd_def cmd_##name;
CMDS(CMD_DECL)
#undef CMD_DECL

extern const cmd_def *const cmds[]; /* NULL-terminated */
#endif
