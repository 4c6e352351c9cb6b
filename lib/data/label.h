/* label.h - pictures with labeled objects, read from any of the usual forms. SPDX-License-Identifier: MIT
 *
 * All pictures of a set lie in one array and all their objects in another, so that a million of them cost 28 bytes
 * each. Edges are continuous and in pixels of the upright picture, as tl_image_decode makes it: a box from 0 to w
 * is the whole width. The forms disagree on whether the first pixel is 0 or 1 and whether the last one is inside;
 * as everywhere in practice, their numbers are taken as edges.
 *
 * A form is a row and a file in label/. Which one a folder or file has is found out from its names and first bytes.
 * Readers hand what they find to a sink (label/sink.h), which does what all have in common: pairing with pictures,
 * classes, clipping, grouping. */
#ifndef TL_LABEL_H
#define TL_LABEL_H
#include "box.h"
#include "image.h"
#include <stdio.h>

enum {
    TL_DIFFICULT = 1, /* Pascal VOC: not counted when missed */
    TL_CROWD = 2,     /* COCO's iscrowd, Open Images' IsGroupOf: a box around many */
    TL_SCORED = 4     /* score holds a detector's confidence; otherwise the object is a ground truth */
};

typedef struct {
    tl_box  box;
    float   truncation;  /* 0..1: how much of it lies outside the picture; -1: not known (KITTI's DontCare) */
    float   score;
    int16_t label;       /* index into classes */
    int8_t  occlusion;   /* 0 visible, 1 partly, 2 largely hidden, 3 not known; -1: DontCare */
    uint8_t flags;
} tl_object;

/* What KITTI says of an object in space: meters and radians, in the camera's frame. */
typedef struct { float alpha, h, w, l, x, y, z, rotation; } tl_world;

typedef struct {
    const char *path;    /* of the picture; when there is none: as the labels call it */
    const char *labels;  /* the file that describes it */
    int  w, h;           /* 0: not known */
    int  first, n;       /* its objects; n is 0 for a picture that shows none */
    bool found;          /* there is such a file */
} tl_picture;

/* What can be wrong with a box. All but the last are dropped. */
typedef enum {
    TL_BOX_EMPTY,        /* no width or no height */
    TL_BOX_INVERTED,     /* the right edge left of the left one, or the lower above the upper */
    TL_BOX_OUTSIDE,      /* of the picture, whole */
    TL_BOX_CLIPPED,      /* more than half a pixel of it was outside of the picture */
    TL_BOX_FAULTS
} tl_box_fault;
typedef struct { tl_box_fault what; const char *file; int line; tl_box box; } tl_box_example; /* line: or record; box: as read */

/* A name in the labels, and the class it became. */
typedef struct { const char *name; int label, objects; } tl_class_use; /* label -1: its objects are left out */

typedef struct tl_label_format tl_label_format;
typedef struct {
    const tl_label_format *format;
    int npictures, nobjects;
    tl_picture *picture;    /* by path */
    tl_object  *object;     /* picture by picture, each as in its file */
    tl_world   *world;      /* of each object; NULL when not asked for, or when the form has none */
    tl_list classes;        /* const char *, by index */
    tl_list used;           /* tl_class_use: names that were found, then those asked for in vain (objects 0) */
    int     fault[TL_BOX_FAULTS];
    tl_list example;        /* tl_box_example, the first few of each fault */
    tl_list unlabeled;      /* const char *: pictures in the folder that no label speaks of; not in the set */
} tl_labels;

typedef struct { const char *from, *to; } tl_class_pair;
typedef struct {
    const char *labels;     /* a file or folder, or the folder of the data set with labels and pictures below it; or a
                             * pattern, as the shell has them, of files */
    const char *having, *lacking; /* of a pattern's files only those with this in their names, or without; NULL: all */
    const char *pictures;   /* their folder; NULL: looked for beside the labels */
    const char *extension;  /* of pictures that are named without one, as in TFRecords; NULL: any that is there */
    const char *format;     /* NULL: found out */
    /* tl_class_pair: names in the labels to classes, whatever their case. Classes are the targets, by name; names
     * without a pair are left out. Empty: each name is a class of its own, in the set's order, or else by name. */
    tl_list mapping;
    /* const char *: exactly these classes, in this order, after mapping; other names are left out. NULL: as found. */
    const tl_list *classes;
    bool measure;           /* look into pictures whose size is not told; done anyhow where boxes are fractions */
    bool world;             /* keep the third dimension */
    bool raw;               /* boxes stay as they are read: nothing is dropped or clipped, no fault counted */
} tl_label_conf;

/* TL_EDATA, TL_EFORMAT: what cannot be read, with file and line. Memory follows the number of objects, not the size
 * of the files. */
tl_status tl_labels_read(tl_arena *a, const tl_label_conf *conf, tl_labels **out);
/* n sets, as of training and validation, as one: pictures and objects set by set, classes by name in the order in which they come. Of
 * what was found while reading nothing is kept. What pictures are called is borrowed. */
tl_status tl_labels_join(tl_arena *a, const tl_labels *const *set, int n, tl_labels **out);
/* What became of names and boxes, for a person: the mapping, what was clipped and dropped, with examples. */
tl_status tl_labels_text(tl_arena *a, const tl_labels *l, const char **text);

/* ---- Writing ---- */
typedef struct {
    const tl_label_format *format;
    const tl_labels *labels;
    int n;
    const int *picture;      /* n, of labels */
    const char *const *name; /* of each picture of labels: its file's name, without folders */
    const char *folder;      /* what is written lies in it: labels.txt, or labels/a.txt */
} tl_label_save;
/* The form of that name, TL_EARG: there is none. */
tl_status tl_label_format_find(tl_arena *a, const char *name, const tl_label_format **out);
/* What a form cannot say is lost: see each. TL_EUNSUP: a form that is read only. TL_EDATA: a size that the form needs is not
 * known, or a name cannot be written. Files that are there are replaced. */
tl_status tl_labels_write(tl_arena *a, const tl_label_save *s);

/* ---- Forms ---- */
typedef struct tl_label_sink tl_label_sink;
typedef enum {
    TL_FILE_EACH,  /* a file for each picture, with the picture's name */
    TL_FILE_ONE,   /* one for all */
    TL_FILE_SOME   /* any number, each of many pictures */
} tl_label_files;
struct tl_label_format {
    const char *name, *brief;
    const char *suffix;          /* of its files: ".txt" */
    const char *const *folders;  /* where in a data set's folder its files usually lie; ended by NULL */
    tl_label_files files;
    bool (*named)(const char *file); /* could a file of that name be one? NULL: if it has the suffix */
    /* Is it one? head: a file's beginning, not empty, cut after TL_LABEL_HEAD bytes and followed by zeros; may be taken
     * apart. */
    bool (*knows)(char *head);
    tl_status (*begin)(tl_label_sink *s, const char *path); /* NULL, or: once, before reading what lies at path */
    tl_status (*read)(tl_label_sink *s, const char *path, int picture); /* one file; picture -1: it speaks of all */
    /* Write one file, of save->labels' picture or, -1, of all that are saved. NULL: the form is read only. */
    tl_status (*write)(const tl_label_save *s, FILE *f, int picture);
    const char *file;            /* what that file is called, unless there is one for each picture */
    void (*write_names)(const tl_label_save *s, FILE *f); /* NULL, or: once, the classes */
    const char *names;           /* what that file is called */
};
#define TL_LABEL_HEAD 8192
#define TL_LABEL_FORMATS(X) X(coco) X(csv) X(voc) X(kitti) X(yolo) X(labelme) X(cvat) X(tfrecord)
extern const tl_label_format *const tl_label_formats[]; /* NULL-terminated; the first that knows a file reads it */
#endif
