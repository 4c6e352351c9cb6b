/* dataset_convert.c - tlc detectnet_v2 dataset_convert. SPDX-License-Identifier: MIT */
#include "cmds.h"

#define T tl_dataset_convert_opts
static const tl_field rows[] = {
    CMD_OPTION(T, dataset_export_spec, TL_STR, .flags = TL_REQUIRED, .help = "the spec of the conversion"),
    CMD_OPTION(T, output_filename, TL_STR, .flags = TL_REQUIRED,
               .help = "what the files' names begin with; its folder is made when absent"),
    CMD_OPTION(T, validation_fold, TL_INT, .def = -1, .lo = -1, .hi = 999,
               .help = "the fold, from 0, whose pictures sample_modifier_config leaves alone; -1: none"),
    CMD_OPTION(T, results_dir, TL_STR, .help = "a folder for status.json"),
    CMD_OPTION(T, overwrite, TL_BOOL, .help = "replace the files of an earlier conversion under this name"),
    CMD_OVERRIDES(T),
    TL_F_END
};
static const cmd_flag flags[] = { { "-d", "dataset_export_spec", NULL },
                                  { "-o", "output_filename", "NAME" },
                                  { "--output_filename", "output_filename", "NAME" },
                                  { "-f", "validation_fold", NULL },
                                  { "-r", "results_dir", "FOLDER" },
                                  { 0 } };

static int run(cmd_call *c)
{
    tl_dataset_convert_summary s = { 0 };
    int code = cmd_done(c, tl_detectnet_v2_dataset_convert(c->arena, c->opts, &c->listener, &s));
    if (code) return code;
    cmd_value(c, "files", "%d", s.files);
    cmd_value(c, "records", "%d", s.records);
    cmd_value(c, "objects", "%d", s.objects);
    cmd_value(c, "dropped", "%d", s.dropped);
    return CMD_OK;
}

const cmd_def cmd_dataset_convert = {
    .task = "detectnet_v2",
    .name = "dataset_convert",
    .brief = "labels in KITTI's or COCO's form into TFRecords",
    .about = "Writes a record for each picture, with its objects; the pictures stay where they are. Records are the "
             "original's, folds, shards and their order too. Partition mode random takes the first val_split percent "
             "of the pictures, by name, as fold 0, for validation: where names tell what a picture shows, that is no "
             "random sample; 'tlc dataset split' makes one.",
    .example = "tlc detectnet_v2 dataset_convert -d spec.txt -o tfrecords/kitti_trainval\n"
               "tlc detectnet_v2 dataset_convert -d spec.txt -o tfrecords/kitti -f 0 kitti_config.val_split=20",
    .files = "NAME-fold-000-of-002-shard-00000-of-00010: the records of a fold's shard, and so on\n"
             "NAME_warning.json: boxes that were left out, having no width or height\n"
             "RESULTS_DIR/status.json: what happened, one JSON object a line",
    .option = rows,
    .flag = flags,
    .size = sizeof(T),
    .run = run,
};
