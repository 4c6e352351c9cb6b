/* dataset.c - tlc dataset check, convert, split. SPDX-License-Identifier: MIT */
#include "cmds.h"

#define FORM "kitti, voc, coco, yolo, csv or tfrecord; otherwise found out"

/* ---- check ---- */
typedef struct {
    tl_dataset_check_opts opts; /* first: its rows count from here */
    bool json;
} check_call;

#define T tl_dataset_check_opts
static const tl_field check_rows[] = {
    CMD_WORDS(T, folder, "FOLDER", TL_STR, .flags = TL_REQUIRED,
              .help = "the data set: labels and pictures are looked for below it, and train, val and test"),
    CMD_OPTION(T, labels, TL_STR, .help = "the labels, where they are not found; a folder, a file or a pattern of files"),
    CMD_OPTION(T, images, TL_STR, .help = "the pictures, where they are not found"),
    CMD_OPTION(T, validation, TL_STR, .help = "a data set for validation, to compare with"),
    CMD_OPTION(T, format, TL_STR, .help = "how labels are written: " FORM),
    CMD_OPTION(check_call, json, TL_BOOL, .help = "print one JSON object instead"),
    TL_F_END
};
#undef T
static const cmd_flag check_flags[] = { { "--labels", "labels", "PATH" },         { "--images", "images", "FOLDER" },
                                        { "--val", "validation", "FOLDER" },      { "--validation", "validation", "FOLDER" },
                                        { "--format", "format", "NAME" },         { 0 } };

static int run_check(cmd_call *c)
{
    const check_call *o = c->opts;
    tl_dataset_check_summary s = { 0 };
    int code = cmd_done(c, tl_dataset_check(c->arena, &o->opts, &c->listener, &s));
    if (code) return code;
    cmd_say(c, "%s", o->json ? s.json : s.text);
    cmd_value(c, "errors", "%d", s.errors);
    cmd_value(c, "warnings", "%d", s.warnings);
    cmd_value(c, "pictures", "%d", s.pictures);
    cmd_value(c, "objects", "%d", s.objects);
    return s.errors ? CMD_FAILED : CMD_OK;
}

const cmd_def cmd_dataset_check = {
    .task = "dataset",
    .name = "check",
    .brief = "tell what is in a data set for detection, and what is wrong with it",
    .about = "Reads the labels, decodes every picture on all threads, and prints how many objects of which class, size "
             "and shape there are; pictures that are unreadable, missing, without labels, found twice or in two parts of "
             "the data set, or that look alike (few bits of a 256-bit difference hash differ); boxes that are empty, "
             "inverted, outside or labeled twice. Nothing is written. The exit code is 1 when training would fail: "
             "unreadable or missing pictures, no objects.",
    .example = "tlc dataset check traffic\n"
               "tlc dataset check traffic/train --val traffic/val\n"
               "tlc dataset check pictures --labels annotations.json --json",
    .option = check_rows,
    .flag = check_flags,
    .size = sizeof(check_call),
    .run = run_check,
};
