/* api.h - what the tasks of the public interface share. SPDX-License-Identifier: MIT */
#ifndef TL_API_H
#define TL_API_H
#include "import.h"
#include "listen.h"
#include "pass.h"
#include "trainer.h"

/* A checked spec, its warnings told. path NULL: *out stays NULL. */
tl_status tl_spec_open(tl_arena *a, const char *path, const tl_list *overrides, unsigned needs,
                       const tl_listener *l, const tl_classification_spec **out);
/* Mixed precision, if it is wanted and this processor has it; the listener is told. */
bool tl_precision(bool wanted, const tl_listener *l);
/* Did the user give this field of a section ("train_config") of the spec? */
bool tl_spec_says(const char *section, const void *obj, const char *field);
/* The file that a model's path means: "registry:NAME" is the one that was pulled; a hint when the same model lies beside it under the
 * other suffix (.tlt, .onnx). */
tl_status tl_model_find(tl_arena *a, const char *path, const char **out);
tl_status tl_model_open(tl_arena *a, const char *path, const char *key, tl_model **out);
/* The same for weights and networks of any program. */
tl_status tl_foreign_open(tl_arena *a, const char *path, const char *key, tl_foreign *out);
/* How this model wants its pictures; nothing random. */
tl_loader_conf tl_loader_for(const tl_model *m, int batch);
/* Refuse to overwrite unless asked. */
tl_status tl_may_write(const char *path, bool overwrite);
/* Class names in index order: a line each, or classmap.json. */
tl_status tl_classes_read(tl_arena *a, const char *path, tl_list *out);
/* The names a classifier's answers have: those of the file, or, path NULL, its own. */
tl_status tl_classes_of(tl_arena *a, const tl_model *m, const char *path, tl_list *out);
/* The activation the spec asks for; the architecture's own when it does not. */
tl_status tl_activation_for(const tl_activation_config *c, tl_activation *out);
/* Frozen blocks keep their convolutions; with stats too their batch norms' gamma and beta are frozen: where the original trains on
 * these, nothing is frozen in truth, for all of the network must be differentiated and no feature stays as it is. */
void      tl_freeze_block(tl_model *m, int block, bool stats);
/* Whether batch norms keep their running statistics. */
void      tl_freeze_stats(tl_model *m, bool keep);
/* Run a training as one of the processes of a job, when there are more than one; those but the first are not heard while all goes
 * well. dist NULL: this one is alone. */
typedef tl_status tl_train_run(tl_arena *a, const tl_train_opts *o, const tl_listener *l, tl_dist *dist, tl_train_summary *out);
tl_status tl_train_together(tl_arena *a, const tl_train_opts *o, const tl_listener *l, tl_train_run *run, tl_train_summary *out);
/* What the training would be, without any: nothing is written. */
tl_status tl_tell_plan(tl_arena *a, const tl_trainer_conf *c);
/* Add a line to FOLDER/status.json, made when absent: the task succeeded. */
tl_status tl_record(tl_arena *a, const char *folder, const char *message, tl_list kpi);
#endif
