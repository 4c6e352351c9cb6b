/* loop.h - a training under way, and what of it depends on the kind of model; private to train/. SPDX-License-Identifier: MIT
 *
 * trainer.c is the loop. What a step's result counts for, how pictures not trained on are judged and what is told of it are the
 * task's: one file each in task/, one word in TL_TASKS. */
#ifndef TL_LOOP_H
#define TL_LOOP_H
#include "detections.h"
#include "events.h"
#include "statusjson.h"
#include "together.h"
#include "trainer.h"
#include <math.h>

/* What the validation pictures say of the model. */
typedef struct {
    bool   done;                 /* this epoch has one */
    double loss, score;          /* score: the more, the better */
} tl_validation;

#define TL_FIGURES (TL_KEPT / 4 + 8)
struct tl_task;
typedef struct tl_loop {
    const tl_trainer_conf *c;
    const struct tl_task  *task;
    tl_arena       *a;
    tl_val          loss, label_loss; /* label_loss: without a teacher's terms */
    tl_vals         target;
    tl_distill     *distill;     /* NULL: no teacher */
    tl_trunk        trunk;
    tl_plan        *plan, *eval; /* of the trunk's rest */
    tl_loader      *load, *load_val;
    tl_weights      weights;
    tl_together     together;
    tl_train_state  s;
    tl_checkpoints  files;
    tl_events      *events;
    const char     *csv, *status;
    int             batches;     /* per epoch */
    bool            stopping;    /* all processes have agreed to */
    double          started;     /* when this run began its first step */
    long            first_step;  /* which that was */
    double          last_score;
    int             unreadable;  /* pictures already told about */
    int             saved;       /* the last epoch with a checkpoint, -1: none yet */
    void           *own;         /* the task's */
} tl_loop;

static inline bool tl_loop_first(const tl_loop *t) { return tl_dist_rank(t->c->dist) == 0; }
/* How many epochs there will be, as things stand. */
static inline int tl_loop_epochs(const tl_loop *t) { return t->s.last_epoch ? t->s.last_epoch : t->c->epochs; }
/* The loss over the epoch so far. */
static inline double tl_loop_loss(const tl_loop *t) { return t->s.batch ? t->s.loss_sum / t->s.batch : (double)NAN; }
/* Put a batch and its targets into a plan of the trunk's rest. */
tl_status tl_loop_fill(const tl_loop *t, const tl_batch *b, tl_plan *p);
tl_status tl_loop_save(tl_loop *t);

typedef struct tl_task {
    const char *head;            /* name of the head whose models it trains */
    const char *success;         /* the last line of status.json */
    float       teaching;        /* what each of a teacher's terms weighs beside the loss of the labels */
    /* What is read after a step, and after a batch of validation, besides the loss. */
    tl_vals   (*keep)(const tl_loop *t);
    /* Before loaders and plans are made, process 0 alone; may change the model. Optional. *fitted: judge is to be called. */
    tl_status (*prepare)(tl_loop *t, bool resumed, bool *fitted);
    /* Everything is there, the first step is next. Both optional; judge by all processes when process 0 has fitted something, begin
     * always. */
    tl_status (*begin)(tl_loop *t);
    tl_status (*judge)(tl_loop *t);
    /* How this process' share of a step went, into out (loss, seen and stop are there). Optional. */
    void      (*count)(tl_loop *t, const tl_batch *b, tl_tally *out);
    tl_status (*validate)(tl_loop *t, tl_validation *out);
    bool      (*better)(const tl_loop *t, const tl_validation *v); /* than the best epoch so far, which there is */
    /* After an epoch's last step, and before a checkpoint inside one: what is spread over processes comes together. Optional. */
    tl_status (*gather)(tl_loop *t, bool epoch_done);
    /* Figures of the epoch for training.csv and the curves, in the order of columns; v NULL: their names are wanted. What of them
     * are results goes to status.json as well: from *results on. Returns how many. */
    int       (*figures)(const tl_loop *t, const tl_validation *v, double rate, tl_figure out[TL_FIGURES], int *results);
    /* The epoch for a person. */
    tl_status (*tell)(tl_loop *t, const tl_validation *v, double rate, bool best);
    tl_status (*finish)(tl_loop *t, const tl_train_result *r); /* process 0, after the last epoch. Optional */
} tl_task;
#define TL_TASKS(X) X(classify) X(detect)
extern const tl_task *const tl_tasks[]; /* NULL-terminated */
#endif
