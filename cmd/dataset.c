/* dataset.c - tlc dataset check, convert, split. SPDX-License-Identifier: MIT */
#include "cmds.h"

#define FORM "kitti, voc, coco, yolo, csv, labelme, cvat or tfrecord; otherwise found out"

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

/* ---- convert, split ---- */
typedef struct {
    tl_dataset_store_opts opts; /* first: its rows count from here */
    bool copy;
} store_call;

#define T tl_dataset_store_opts
#define INPUT                                                                                                      \
    CMD_WORDS(T, input, "FOLDER", TL_STR, .flags = TL_REQUIRED,                                                    \
              .help = "the data set: labels and pictures are looked for below it"),                                \
        CMD_OPTION(T, output, TL_STR, .flags = TL_REQUIRED, .help = "the folder to make, which is not there or empty"), \
        CMD_OPTION(T, from, TL_STR, .help = "how labels are written: " FORM),                                      \
        CMD_OPTION(T, labels, TL_STR,                                                                              \
                   .help = "the labels, where they are not found; a folder, a file or a pattern of files"),        \
        CMD_OPTION(T, images, TL_STR, .help = "the pictures, where they are not found"),                           \
        CMD_OPTION(T, map, TL_STR, .help = "classes: old=new,old=new; names that are not in it are left out")
#define PICTURES                                                                                                   \
    CMD_OPTION(store_call, copy, TL_BOOL, .help = "copy the pictures, as is done when nothing is said"),           \
        CMD_OPTION(T, link, TL_BOOL, .help = "make symbolic links to the pictures"),                               \
        CMD_OPTION(T, labels_only, TL_BOOL, .help = "write labels only; pictures stay where they are")
static const tl_field convert_rows[] = {
    INPUT,
    CMD_OPTION(T, to, TL_STR, .flags = TL_REQUIRED, .help = "how they are to be written: kitti, voc, coco, yolo or csv"),
    PICTURES,
    TL_F_END
};
static const tl_field split_rows[] = {
    INPUT,
    CMD_OPTION(T, to, TL_STR, .help = "how they are to be written: kitti, voc, coco, yolo or csv; otherwise as they are"),
    CMD_OPTION(T, val, TL_FLOAT, .def = 0.2, .lo = 0, .hi = 1, .help = "which part of the pictures is for validation"),
    CMD_OPTION(T, test, TL_FLOAT, .lo = 0, .hi = 1, .help = "which part is for testing"),
    CMD_OPTION(T, seed, TL_INT, .def = 42, .hi = 2147483647, .help = "another one makes another split"),
    CMD_OPTION(T, group, TL_STR,
               .help = "pictures that stay together: prefix (names that are the same before their last number), "
                       "similar (those that look alike), a regular expression whose parentheses match the same "
                       "text, or a JSON file, "
                       "{\"group\": [\"name\", ...]}; otherwise each is alone"),
    PICTURES,
    TL_F_END
};
#undef T
static const cmd_flag store_flags[] = {
    { "-o", "output", "FOLDER" },         { "--output", "output", "FOLDER" }, { "--from", "from", "NAME" },
    { "--labels", "labels", "PATH" },     { "--images", "images", "FOLDER" }, { "--map", "map", "OLD=NEW" },
    { "--to", "to", "NAME" },             { "--group", "group", "RULE" },     { 0 }
};

static int store(cmd_call *c, tl_status (*task)(tl_arena *a, const tl_dataset_store_opts *o, const tl_listener *l,
                                                tl_dataset_store_summary *out))
{
    const store_call *o = c->opts;
    tl_dataset_store_summary s = { 0 };
    if (o->copy && (o->opts.link || o->opts.labels_only))
        return cmd_fail(c, CMD_USAGE, "only one of --copy, --link and --labels_only may be given");
    int code = cmd_done(c, task(c->arena, &o->opts, &c->listener, &s));
    if (code) return code;
    cmd_say(c, "%s", s.text);
    cmd_value(c, "pictures", "%d", s.pictures);
    cmd_value(c, "objects", "%d", s.objects);
    return CMD_OK;
}

static int run_convert(cmd_call *c) { return store(c, tl_dataset_convert); }
static int run_split(cmd_call *c) { return store(c, tl_dataset_split); }

const cmd_def cmd_dataset_transform = {
    .task = "dataset",
    .name = "convert",
    .brief = "write the labels of a data set for detection in another form",
    .about = "Reads labels in any form and writes them, with the pictures, into a new folder. Boxes without width or height or "
             "outside of the picture are left out, those that reach beyond it are clipped, and what was done is told. Train, val and "
             "test stay parts. What a "
             "form has no place for is lost: KITTI's third dimension in all others, blanks in class names in KITTI's, whether "
             "objects are hidden or difficult in YOLO's.",
    .example = "tlc dataset convert traffic -o traffic_yolo --to yolo\n"
               "tlc dataset convert pictures --labels annotations.json -o cars --to kitti --map car=car,van=car --link",
    .files = "FOLDER/images/*: the pictures\n"
             "FOLDER/labels/*.txt: KITTI's and YOLO's; Annotations/*.xml: VOC's\n"
             "FOLDER/annotations.json: COCO's; annotations.csv: a table\n"
             "FOLDER/data.yaml: the names of YOLO's classes",
    .option = convert_rows,
    .flag = store_flags,
    .size = sizeof(store_call),
    .run = run_convert,
};

const cmd_def cmd_dataset_split = {
    .task = "dataset",
    .name = "split",
    .brief = "part a data set for detection into training, validation and test",
    .about = "Deals the pictures so that each part has about its share of every class, and pictures that belong together "
             "stay together, such as the frames of a video: in two parts they make results look better than they are. The "
             "same seed makes the same parts. The data set itself stays as it is.",
    .example = "tlc dataset split traffic -o parts --val 0.2 --test 0.1\n"
               "tlc dataset split traffic -o parts --val 0.2 --group prefix --link\n"
               "tlc dataset split traffic -o parts --group '^(cam[0-9]+_[a-z]+)_' --to kitti",
    .files = "FOLDER/train, FOLDER/val, FOLDER/test: each with images and labels, as 'tlc dataset convert' writes them",
    .option = split_rows,
    .flag = store_flags,
    .size = sizeof(store_call),
    .run = run_split,
};
