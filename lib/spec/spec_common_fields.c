/* spec_common_fields.c - fields that specs of different tasks share. SPDX-License-Identifier: MIT */
#include "spec_rows.h"

#define PUBLIC(var, proto, T, help) const tl_msg tl_##var##_msg = { proto, var##_rows, sizeof(T), help }

static const char *const activations[] = { "relu", "relu6", "leaky_relu", "swish", "mish", NULL };
static const char *const floats[] = { "FLOAT32", "FLOAT16", NULL };

#define T tl_activation_config
static const tl_field activation_rows[] = {
    TL_FX(T, activation_type, TL_STR, 0, 0, 0, "name of the activation", .flags = TL_REQUIRED, .names = activations),
    TL_FX(T, activation_parameters, TL_FLOAT, 0, 0, 0, "its parameters by name, alpha for one", .flags = TL_MAP),
    TL_F_END
};
PUBLIC(activation, "Activation", T, "The activation, in place of the architecture's own.");
#undef T

#define T tl_training_precision
static const tl_field precision_rows[] = {
    ENUM(backend_floatx, 0, floats, "FLOAT16: mixed precision, which is bf16 here and needs no scaling of losses"),
    TL_F_END
};
PUBLIC(precision, "TrainingPrecision", T, "In which numbers to train, as networks that detect have it.");
#undef T

#define TRACKER(m, k) NOTHING(m, k, "experiment tracker")
#define TAGS          STRINGS(tags, TL_NOEFFECT, "experiment tracker")
#define T tl_wandb_config
static const tl_field wandb_rows[] = {
    TRACKER(enabled, TL_BOOL), TRACKER(key, TL_STR), TRACKER(project, TL_STR), TRACKER(entity, TL_STR),
    TRACKER(reinit, TL_BOOL), TRACKER(name, TL_STR), TAGS, TRACKER(wandb_dir, TL_STR), TRACKER(notes, TL_STR),
    TRACKER(mode, TL_STR), TL_F_END
};
PUBLIC(wandb, "WandBConfig", T, "Weights & Biases.");
#undef T

#define T tl_clearml_config
static const tl_field clearml_rows[] = {
    TRACKER(project, TL_STR), TRACKER(task, TL_STR), TAGS, TRACKER(reuse_last_task_id, TL_BOOL),
    TRACKER(continue_last_task, TL_BOOL), TRACKER(defer_init, TL_BOOL), TL_F_END
};
PUBLIC(clearml, "ClearMLConfig", T, "ClearML.");
#undef T

#define T tl_string_entry
static const tl_field string_entry_rows[] = {
    TL_FX(T, key, TL_STR, 0, 0, 0, "name in the map", .flags = TL_REQUIRED),
    TL_FX(T, value, TL_STR, 0, 0, 0, "what it stands for", .flags = TL_REQUIRED),
    TL_F_END
};
PUBLIC(string_entry, "map<string, string>", T, "An entry of the map.");
#undef T
