/* test_label.c - labels in all their forms: what is read, what is refused, what is mended. SPDX-License-Identifier:
 * MIT */
#include "labels.h"
#include "text.h"

#define FIXTURES "test/data/label/"

static const char *const forms[] = { "kitti", "voc", "coco", "yolo", "csv" };

static void five_forms_say_the_same(void **state)
{
    place *p = *state;
    static const struct { const char *picture, *class; tl_box box; } want[] = {
        { "baseline.jpg", "car", { 2, 3, 12, 13 } }, { "baseline.jpg", "person", { 10, 1, 20.5f, 16 } },
        { "exif6.jpg", "car", { 0, 5, 17, 20 } },    { "large.jpg", "bus", { 10, 10, 60, 45 } },
        { "large.jpg", "car", { 5, 5, 9, 9 } },
    };
    int unlabeled = 0;
    for (int f = 0; f < TL_LEN(forms); f++) {
        const tl_labels *l = load(p->a, (tl_label_conf){ .labels = tl_path_join(p->a, FIXTURES, forms[f]),
                                                         .pictures = IMAGES, .measure = true });
        assert_string_equal(l->format->name, forms[f]);
        assert_int_equal(l->npictures, 4);
        assert_int_equal(l->nobjects, TL_LEN(want));
        assert_int_equal(l->classes.n, 3);
        for (int i = 0, k = 0; i < l->npictures; i++) {
            const tl_picture *of = l->picture + i;
            assert_true(of->found);
            assert_true(of->w == (of->n == 1 ? 17 : strstr(of->path, "large") ? 67 : 23)); /* exif6 is turned */
            for (int j = 0; j < of->n; j++, k++) {
                const tl_object *o = l->object + of->first + j;
                assert_string_equal(tl_path_base(of->path), want[k].picture);
                assert_string_equal(class_name(l, o), want[k].class);
                if (!same_box(o->box, want[k].box, 1e-4)) fail_msg("%s: box %d", forms[f], k);
            }
        }
        assert_string_equal(tl_path_base(l->picture[2].path), "gray8.png");
        assert_int_equal(l->picture[2].n, 0);
        for (int b = 0; b < TL_BOX_FAULTS; b++) assert_int_equal(l->fault[b], 0);
        if (f) assert_int_equal(l->unlabeled.n, unlabeled);
        unlabeled = l->unlabeled.n;
    }
    assert_true(unlabeled > 30);
}

/* What only some forms can say. */
static void flags_are_read(void **state)
{
    place *p = *state;
    static const struct { const char *form; float truncation; int occlusion, flags; } rows[] = {
        { "kitti", 0.25f, 1, 0 }, { "voc", 1, 0, TL_DIFFICULT }, { "coco", 0, 0, TL_CROWD }, { "csv", 0, 0, 0 },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        const tl_labels *l =
            load(p->a, (tl_label_conf){ .labels = tl_path_join(p->a, FIXTURES, rows[i].form), .pictures = IMAGES });
        const tl_object *o = l->object + 4;
        assert_true(o->truncation == rows[i].truncation);
        assert_int_equal(o->occlusion, rows[i].occlusion);
        assert_int_equal(o->flags, rows[i].flags);
        assert_int_equal(l->object[3].flags, 0);
    }
    put_text(p, "r.json", "[{\"image_id\": 7, \"category_id\": 18, \"bbox\": [1, 2, 3, 4], \"score\": 0.25}]\n");
    const tl_labels *l = load(p->a, (tl_label_conf){ .labels = at(p, "r.json") });
    assert_int_equal(l->nobjects, 1);
    assert_int_equal(l->object[0].flags, TL_SCORED);
    assert_true(l->object[0].score == 0.25f);
    assert_string_equal(class_name(l, l->object), "18");
    assert_string_equal(l->picture[0].path, "7");
    assert_false(l->picture[0].found);
    put_text(p, "k/1.txt", "car 0 0 0 1 2 3 4 0 0 0 0 0 0 0 0.75\n");
    l = load(p->a, (tl_label_conf){ .labels = at(p, "k") });
    assert_true(l->object[0].flags == TL_SCORED && l->object[0].score == 0.75f);
    assert_null(l->world);
    put_text(p, "k/0.txt",
             "a 0 0 9 1 2 3 4 0 0 0 0 0 0 0\nb 0 0 8 1 2 1 2 0 0 0 0 0 0 0\nc 0 0 1 5 6 7 8 2 3 4 5 6 7 8\n");
    l = load(p->a, (tl_label_conf){ .labels = at(p, "k"), .world = true });
    assert_memory_equal(&l->world[1], (&(tl_world){ 1, 2, 3, 4, 5, 6, 7, 8 }), sizeof(tl_world));
}

/* ---- Classes ---- */

static void assert_classes(const tl_labels *l, const char *names)
{
    char text[256] = "";
    for (int i = 0; i < l->classes.n; i++) {
        strcat(text, i ? " " : "");
        strcat(text, ((const char **)l->classes.at)[i]);
    }
    assert_string_equal(text, names);
}

static void names_become_classes(void **state)
{
    place *p = *state;
    static tl_class_pair pairs[] = { { "CAR", "vehicle" }, { "bus", "Vehicle" }, { "tram", "rail" } };
    static const char *const only[] = { "person", "car" };
    const tl_list mapping = { TL_LEN(pairs), pairs }, classes = { TL_LEN(only), (void *)(uintptr_t)only };
    const tl_label_conf plain = { .labels = FIXTURES "kitti", .pictures = IMAGES };
    const char *text;
    tl_label_conf c = plain;
    const tl_labels *l = load(p->a, c);
    assert_classes(l, "bus car person");

    c.mapping = mapping;
    l = load(p->a, c);
    assert_classes(l, "rail vehicle");
    assert_int_equal(l->nobjects, 4);
    assert_int_equal(l->picture[0].n, 1);
    ok(tl_labels_text(p->a, l, &text));
    assert_string_equal(text, "kitti labels: 4 pictures, 4 objects, 2 classes\n"
                              "  car -> vehicle: 3 objects\n"
                              "  person: left out, 1 object\n"
                              "  bus -> vehicle: 1 object\n"
                              "  tram -> rail: in no label\n");
    c = plain;
    c.classes = &classes;
    l = load(p->a, c);
    assert_classes(l, "person car");
    assert_int_equal(l->nobjects, 4);
    assert_int_equal(l->object[0].label, 1);

    put_text(p, "case/1.txt", "Car 0 0 0 1 2 3 4 0 0 0 0 0 0 0\ncar 0 0 0 1 2 3 4 0 0 0 0 0 0 0\n");
    l = load(p->a, (tl_label_conf){ .labels = at(p, "case") });
    assert_int_equal(l->classes.n, 1);
    assert_int_equal(l->nobjects, 2);
}

/* YOLO's names, wherever they are; a set's order of classes is kept. */
static void yolo_names(void **state)
{
    place *p = *state;
    static const struct { const char *file, *text; } rows[] = {
        { "labels/classes.txt", "zebra\nant eater\r\n" },
        { "obj.names", "zebra\nant eater\n" },
        { "data.yaml", "path: .\nnames:\n  0: zebra\n  1: 'ant eater'\nnc: 2\n" },
        { "data.yml", "names:\n- zebra\n- ant eater\n" },
        { "data.yaml", "nc: 2\nnames: [\"zebra\", 'ant eater']\n" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        char *dir = tl_printf(p->a, "%d", i);
        put_text(p, tl_printf(p->a, "%s/%s", dir, rows[i].file), rows[i].text);
        put_text(p, tl_printf(p->a, "%s/labels/1.txt", dir), "1 0.5 0.5 1 1\n");
        put_image(p, tl_printf(p->a, "%s/images/1.jpg", dir), "large.jpg");
        const tl_labels *l = load(p->a, (tl_label_conf){ .labels = at(p, dir) });
        assert_classes(l, "zebra ant eater");
        assert_int_equal(l->object[0].label, 1);
        assert_true(same_box(l->object[0].box, (tl_box){ 0, 0, 67, 50 }, 0));
        assert_true(l->picture[0].found);
    }
    put_text(p, "none/labels/1.txt", "3 0.5 0.5 1 1\n");
    put_image(p, "none/images/1.jpg", "large.jpg");
    assert_classes(load(p->a, (tl_label_conf){ .labels = at(p, "none/labels") }), "3");
}

/* Shapes of annotation tools, of which boxes are made. */
static void shapes_become_boxes(void **state)
{
    place *p = *state;
    put_text(p, "labelme/1.json",
             "{\"shapes\": [{\"label\": \"a\", \"shape_type\": \"rectangle\", \"points\": [[9, 2], [1.5, 4]]}, "
             "{\"label\": \"b\", \"points\": [[1, 2], [7, 5], [3, 9]]}], \"imageWidth\": 20, \"imageHeight\": 10}");
    put_text(p, "cvat.xml",
             "<annotations><image name='1' width='20' height='10'><box label='a' xtl='1.5' ytl='2' xbr='9' ybr='4'/>"
             "<polygon label='b' occluded='1' points='1.00,2.00;7,5;3,9'/></image><image name='2'/></annotations>");
    const char *const from[] = { at(p, "labelme"), at(p, "cvat.xml") };
    for (int i = 0; i < TL_LEN(from); i++) {
        const tl_labels *l = load(p->a, (tl_label_conf){ .labels = from[i] });
        assert_string_equal(l->format->name, i ? "cvat" : "labelme");
        assert_int_equal(l->npictures, 1 + i);
        assert_int_equal(l->picture[0].w, 20);
        assert_true(same_box(l->object[0].box, (tl_box){ 1.5f, 2, 9, 4 }, 0));
        assert_true(same_box(l->object[1].box, (tl_box){ 1, 2, 7, 9 }, 0));
        assert_int_equal(l->object[1].occlusion, i);
        assert_classes(l, "a b");
    }
}

/* ---- Boxes ---- */

static void boxes_are_judged(void **state)
{
    place *p = *state;
    put_text(p, "l.csv",
             "filename,class,xmin,ymin,xmax,ymax,width,height\n"
             "a.jpg,x,5,5,5,9,20,10\n"       /* empty */
             "a.jpg,x,5,5,9,5,20,10\n"
             "a.jpg,x,9,5,5,9,20,10\n"       /* inverted */
             "a.jpg,x,-9,-9,-1,-1,20,10\n"   /* outside */
             "a.jpg,x,20,0,25,5,20,10\n"
             "a.jpg,x,-3,2,25.5,11,20,10\n"  /* clipped */
             "a.jpg,x,2,2,20.75,9,20,10\n"
             "a.jpg,x,-0.4,0,20.25,10,20,10\n" /* rounded */
             "a.jpg,x,1,1,2,2,20,10\n"
             "b.jpg,x,-3,2,25.5,11,,\n");    /* the size is not known */
    const tl_labels *l = load(p->a, (tl_label_conf){ .labels = at(p, "l.csv") });
    static const int want[TL_BOX_FAULTS] = { 2, 1, 2, 2 };
    assert_memory_equal(l->fault, want, sizeof want);
    static const tl_box left[] = { { 0, 2, 20, 10 }, { 2, 2, 20, 9 }, { 0, 0, 20, 10 }, { 1, 1, 2, 2 },
                                   { -3, 2, 25.5f, 11 } };
    assert_int_equal(l->nobjects, TL_LEN(left));
    for (int i = 0; i < TL_LEN(left); i++) assert_true(same_box(l->object[i].box, left[i], 0));
    const char *text;
    ok(tl_labels_text(p->a, l, &text));
    const char *says[] = { "2 boxes empty, dropped:\n  '", "l.csv', line 2: 5 5 5 9\n",
                           "1 box inverted, dropped:\n", "2 boxes outside of the picture, dropped:\n",
                           "line 7: -3 2 25.5 11\n" };
    for (int i = 0; i < TL_LEN(says); i++)
        if (!strstr(text, says[i])) fail_msg("lacks \"%s\":\n%s", says[i], text);
}

static void examples_are_bounded(void **state)
{
    place *p = *state;
    tl_text t = tl_text_new(p->a);
    tl_textf(&t, "filename,class,xmin,ymin,xmax,ymax\n");
    for (int i = 0; i < 1000; i++) tl_textf(&t, "a.jpg,x,1,1,1,1\nb.jpg,x,3,1,2,2\n");
    put_text(p, "l.csv", tl_text_end(&t));
    const tl_labels *l = load(p->a, (tl_label_conf){ .labels = at(p, "l.csv") });
    const char *text;
    ok(tl_labels_text(p->a, l, &text));
    assert_int_equal(l->fault[TL_BOX_EMPTY], 1000);
    assert_int_equal(l->example.n, 10);
    assert_non_null(strstr(text, "  and 995 more\n"));
    assert_int_equal(l->npictures, 2);
}

/* ---- Finding forms and pictures ---- */

#define KITTI "car 0 0 0 1 2 3 4 0 0 0 0 0 0 0\n"
#define XML                                                                                                        \
    "<annotation><object><name>a</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></"         \
    "bndbox></object></annotation>"
#define JSON                                                                                                       \
    "{\"images\":[{\"id\":1,\"file_name\":\"1.jpg\"}],\"annotations\":[{\"image_id\":1,\"category_id\":1,"         \
    "\"bbox\":[1,2,2,2]}]}"
#define CSV   "image,label,x1,y1,x2,y2\n1.jpg,a,1,2,3,4\n"

static void forms_and_pictures_are_found(void **state)
{
    place *p = *state;
    static const struct { const char *labels, *text, *picture, *form; } rows[] = {
        { "training/label_2/1.txt", KITTI, "training/image_2/1.jpg", "kitti" },
        { "labels_kitti/1.txt", KITTI, "images/1.jpg", "kitti" },
        { "1.txt", KITTI, "1.jpg", "kitti" },
        { "labels/1.txt", "0 0.5 0.5 0.5 0.5\n", "images/1.png", "yolo" },
        { "obj_train_data/1.txt", "0 0.5 0.5 0.5 0.5\n", "obj_train_data/1.jpg", "yolo" },
        { "labels/train/1.txt", "0 0.5 0.5 0.5 0.5\n", "images/train/1.png", "yolo" },
        { "Annotations/1.xml", XML, "JPEGImages/1.jpg", "voc" },
        { "annotations/instances_val2017.json", JSON, "val2017/1.jpg", "coco" },
        { "val/labels.json", JSON, "val/1.jpg", "coco" },
        { "annotations.csv", CSV, "images/1.jpg", "csv" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        char *labels = tl_printf(p->a, "%d/%s", i, rows[i].labels),
             *picture = tl_printf(p->a, "%d/%s", i, rows[i].picture);
        put_text(p, labels, rows[i].text);
        put_image(p, picture, "large.jpg");
        /* by the folder that holds the labels or its parent, whichever the form looks into */
        char *dir = at(p, labels);
        *strrchr(dir, '/') = 0;
        const tl_labels *l = load(p->a, (tl_label_conf){ .labels = dir, .measure = true });
        assert_string_equal(l->format->name, rows[i].form);
        assert_int_equal(l->npictures, 1);
        assert_int_equal(l->nobjects, 1);
        if (!l->picture[0].found || l->picture[0].w != 67) fail_msg("%s: picture '%s'", labels, l->picture[0].path);
    }
    ok(tl_mkdirs(at(p, "empty")));
    put_text(p, "blank/labels/1.txt", "\n");
    put_text(p, "odd/1.txt", "1 2 3\n");
    put_text(p, "two/a.json", JSON);
    put_text(p, "two/b.json", JSON);
    const struct { const char *path, *format; tl_status status; const char *says; } wrong[] = {
        { "absent", NULL, TL_EDATA, "there is no file or folder" },
        { "empty", NULL, TL_EDATA, "(coco, csv, voc, kitti, yolo, labelme, cvat, tfrecord)" },
        { "blank", NULL, TL_EDATA, "the format has to be told" },
        { "blank", "kitti", TL_OK, NULL },
        { "blank", "kiti", TL_EARG, "there is no label format 'kiti'" },
        { "two", NULL, TL_EDATA, "tell which one" },
        { "odd", NULL, TL_EDATA, "odd/1.txt' holds no labels that can be read" },
        { "odd", "kitti", TL_EFORMAT, "odd/1.txt', line 1: 3 fields" },
    };
    for (int i = 0; i < TL_LEN(wrong); i++) {
        tl_labels *l;
        const tl_label_conf c = { .labels = at(p, wrong[i].path), .format = wrong[i].format };
        assert_int_equal(tl_labels_read(p->a, &c, &l), wrong[i].status);
        if (wrong[i].says && !strstr(tl_errmsg(), wrong[i].says)) fail_msg("%s", tl_errmsg());
    }
}

static void pictures_are_paired(void **state)
{
    place *p = *state;
    put_text(p, "labels/a.txt", KITTI);
    put_text(p, "labels/gone.txt", KITTI);
    put_text(p, "labels/none.txt", "");
    put_image(p, "images/a.jpg", "large.jpg");
    put_image(p, "images/a.png", "gray8.png"); /* the first of a name counts */
    put_image(p, "images/none.png", "gray8.png");
    put_image(p, "images/more.png", "gray8.png");
    const tl_labels *l = load(p->a, (tl_label_conf){ .labels = at(p, "") });
    assert_int_equal(l->npictures, 3);
    assert_string_equal(l->picture[2].path, "gone"); /* '/' sorts before letters */
    assert_false(l->picture[2].found);
    assert_int_equal(l->picture[1].n, 0);
    assert_int_equal(l->unlabeled.n, 1);
    assert_string_equal(*(const char **)l->unlabeled.at, at(p, "images/more.png"));
}

/* ---- What cannot be read ---- */

static void mistakes_are_told(void **state)
{
    place *p = *state;
    static const struct { const char *form, *file, *text, *says;
    } rows[] = {
        { "kitti", "1.txt", KITTI "car 0 0 0 1 2 3 4 0 0 0 0 0 0\n", "1.txt', line 2: 14 fields" },
        { "kitti", "1.txt", "traffic light 0 0 0 1 2 3 4 0 0 0 0 0 0 0 0\n", "line 1: 17 fields" },
        { "kitti", "1.txt", "a 0 0 0 1 2 x 4 0 0 0 0 0 0 0\n", "'x' is not a number, which x2" },
        { "kitti", "1.txt", "a 0 0 0 1 nan 3 4 0 0 0 0 0 0 0\n", "'nan' is not a number" },
        { "kitti", "1.txt", "a 0 7 0 1 2 3 4 0 0 0 0 0 0 0\n", "occlusion is 7" },
        { "kitti", "1.txt", "a 0 1e30 0 1 2 3 4 0 0 0 0 0 0 0\n", "occlusion is 1e30" },
        { "kitti", "1.txt", "a 0 0 0 1e99 2 3 4 0 0 0 0 0 0 0\n", "'1e99' is not a number" },
        { "yolo", "1.txt", "0 0.5 0.5\n", "3 fields" },
        { "yolo", "1.txt", "car 0.5 0.5 1 1\n", "'car' is not the index" },
        { "yolo", "1.txt", "-1 0.5 0.5 1 1\n", "'-1' is not the index" },
        { "yolo", "1.txt", "0 0.5 0.5 1 1\n", "there is no such picture" },
        { "voc", "1.xml", "<annotation><object></annotation>", "line 1: not XML: mismatched tag" },
        { "voc", "1.xml", "<annotation>\n<object>\n</object></annotation>", "line 3: an <object> without <name>" },
        { "voc", "1.xml", "<annotation><object><name>a</name></object></annotation>", "'a' has no <xmin>" },
        { "voc", "1.xml", "<!DOCTYPE a [<!ENTITY b \"c\">]><annotation>&b;</annotation>",
          "document type declaration" },
        { "voc", "1.xml", "<?xml version=\"1.0\"?>\n<annotations/>", "line 2: <annotations> is another program's" },
        { "voc", "1.xml", "", "not XML: no element found" },
        { "coco", "1.json", "{\"images\": [{\"id\": 1}]}", "an image 1 without a \"file_name\"" },
        { "coco", "1.json", "{\"images\": [{\"id\": 1.5}]}", "an image without an integer \"id\"" },
        { "coco", "1.json", "{\"images\": [7]}", "an image without" },
        { "coco", "1.json", "{\"annotations\":\n[\n{\"image_id\": 1, \"category_id\": 1}]}",
          "line 3: an annotation without a \"bbox\"" },
        { "coco", "1.json", "{\"annotations\":[{\"image_id\":1,\"category_id\":1,\"bbox\":[1,2,3,\"4\"]}]}",
          "\"bbox\"" },
        { "coco", "1.json", "{\"annotations\":[{\"image_id\":1,\"category_id\":1,\"bbox\":[1,2,3,1e300]}]}",
          "\"bbox\"" },
        { "coco", "1.json", "{\"annotations\": [\n{\"image_id\": 1,", "not JSON" },
        { "coco", "1.json", "{\"annotations\": [", "not whole" },
        { "csv", "1.csv", "filename,class,xmin,ymin,xmax\n", "no column 'ymax'" },
        { "csv", "1.csv", "\n\n" CSV "1.jpg,,1\n", "line 5: a box without a class" },
        { "csv", "1.csv", CSV "1.jpg,a,1,2,3\n", "line 3: a box without ymax" },
        { "csv", "1.csv", CSV "1.jpg,,1,2,3,4\n", "line 3: a box without a class" },
        { "csv", "1.csv", CSV "1.jpg,a,1,2,3,four\n", "line 3: 'four' is not a number, which column 'ymax'" },
        { "csv", "1.csv", CSV ",a,1,2,3,4\n", "without the picture's name" },
        { "csv", "1.csv", CSV "1.jpg,\"a,1,2,3,4\n", "a quote is not closed" },
        { "csv", "1.csv", "", "empty" },
        { "labelme", "1.json", "{\n\"shapes\": [", "line 2: not JSON" },
        { "labelme", "1.json", "{}", "no list of \"shapes\"" },
        { "labelme", "1.json", "{\"shapes\": [{\"points\": [[1, 2], [3, 4]]}]}", "shape 1 has no \"label\"" },
        { "labelme", "1.json", "{\"shapes\": [{\"label\": \"a\", \"points\": [[1, 2], [3]]}]}", "a point of 'a'" },
        { "labelme", "1.json", "{\"shapes\": [{\"label\": \"a\", \"points\": []}]}", "'a' has no points" },
        { "labelme", "1.json", "{\"shapes\": [{\"label\": \"a\", \"shape_type\": \"circle\"}]}", "with a circle" },
        { "cvat", "1.xml", "<annotations>\n<image/>", "line 2: an <image> without a name" },
        { "cvat", "1.xml", "<annotations><box label='a'/></annotations>", "outside of any <image>" },
        { "cvat", "1.xml", "<annotations><image name='1'><box/></image></annotations>", "without a label" },
        { "cvat", "1.xml", "<annotations><image name='1'><box label='a' xtl='q'/></image></annotations>", "which xtl has" },
        { "cvat", "1.xml", "<annotations><image name='1'><box label='a' rotation='9'/></image></annotations>", "is rotated" },
        { "cvat", "1.xml", "<annotations><image name='1'><polygon label='a' points='1,2;3'/></image></annotations>",
          "'1,2;3' are not points" },
        { "cvat", "1.xml", "<annotations><image name='1'><polygon label='a'/></image></annotations>", "without points" },
        { "cvat", "1.xml", "<annotations><track/></annotations>", "tracks of a video" },
        { "cvat", "1.xml", "<!DOCTYPE a><annotations/>", "document type declaration" },
        { "cvat", "1.xml", "<annotations>", "not XML" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        char *dir = tl_printf(p->a, "%d", i), *file = tl_printf(p->a, "%s/%s", dir, rows[i].file);
        put_text(p, file, rows[i].text);
        tl_labels *l;
        const tl_label_conf c = { .labels = at(p, file), .format = rows[i].form };
        tl_status s = tl_labels_read(p->a, &c, &l);
        if ((s != TL_EFORMAT && s != TL_EDATA) || !strstr(tl_errmsg(), rows[i].says) || !strstr(tl_errmsg(), file))
            fail_msg("row %d: %d, %s", i, s, s ? tl_errmsg() : "read");
    }
    put(p, "zero/1.txt", "car\0 0", 6);
    tl_labels *l;
    const tl_label_conf c = { .labels = at(p, "zero"), .format = "kitti" };
    assert_int_equal(tl_labels_read(p->a, &c, &l), TL_EFORMAT);
    assert_non_null(strstr(tl_errmsg(), "zero bytes"));
}

/* Whatever allocation fails, it is told and nothing leaks. */
static void memory_may_run_out(void **state)
{
    place *p = *state;
    tl_labels *l;
    for (int f = 0; f < TL_LEN(forms); f++) {
        const tl_label_conf c = { .labels = tl_path_join(p->a, FIXTURES, forms[f]),
                                  .pictures = IMAGES,
                                  .measure = true };
        tl_status s = TL_ENOMEM;
        for (long n = 0; s; n++) {
            tl_arena *a = tl_arena_new();
            tl_oom_countdown = n;
            s = tl_labels_read(a, &c, &l);
            tl_oom_countdown = -1;
            tl_arena_free(a);
            if (s && s != TL_ENOMEM) fail_msg("%s, allocation %ld: %d, %s", forms[f], n, s, tl_errmsg());
            assert_true(n < 100000);
        }
    }
}

/* ---- Real sets ---- */

/* A hundred pictures of Pascal VOC in the forms that annotation tools exported. */
static void hundred_ground_truths_agree(void **state)
{
    place *p = *state;
    const char *root = tl_strdup(p->a, shared("metrics-reference/rodm/database"));
    static const struct { const char *labels, *form; double most; } rows[] = {
        { "gts/pascalvoc_format", "voc", 0 },        { "gts/imagenet_format/Annotations", "voc", 0.01 },
        { "gts/coco_format_v1", "coco", 0.01 },      { "gts/coco_format_v2", "coco", 0.01 },
        { "gts/openimages_format", "csv", 0.01 },    { "gts/yolo_format", "yolo", 0.01 },
        { "gts/tfrecord_format", "tfrecord", 0.01 }, { "gts/labelme_format", "labelme", 0.01 },
        { "gts/cvat_format", "cvat", 0.01 },
    };
    tl_labels *first = NULL;
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_labels *l = load(p->a, (tl_label_conf){ .labels = tl_path_join(p->a, root, rows[i].labels),
                                                   .pictures = tl_path_join(p->a, root, "images"),
                                                   .measure = true });
        assert_string_equal(l->format->name, rows[i].form);
        assert_int_equal(l->npictures, 100);
        if (!first) first = l;
        assert_agree(p->a, first, l, rows[i].most);
    }
}

static void real_sets_agree(void **state)
{
    place *p = *state;
    static const struct { const char *root, *first, *second, *pictures; int npictures, nobjects; } rows[] = {
        { "vehicles-openimages/train", "annotations.csv", "labels_kitti", "images", 410, 0 },
        { "vehicles-openimages/val", "annotations.csv", "labels_kitti", "images", 102, 0 },
        { "vehicles-openimages/test", "annotations.csv", "labels_kitti", "images", 114, 0 },
        { "face-mask/train", "annotations_coco.json", "labels_kitti", "images", 677, 0 },
        { "face-mask/val", "annotations_coco.json", "labels_kitti", "images", 171, 0 },
        { "bccd", "BCCD", "labels_kitti", "BCCD/JPEGImages", 364, 4888 },
        { "kitti-sample/training", "label_2", "label_2", "image_2", 3, 0 },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        const char *root = tl_strdup(p->a, shared(rows[i].root)),
                   *pictures = tl_path_join(p->a, root, rows[i].pictures);
        tl_label_conf c = { .labels = tl_path_join(p->a, root, rows[i].first), .pictures = pictures };
        tl_labels *x = load(p->a, c);
        c.labels = tl_path_join(p->a, root, rows[i].second);
        c.measure = true;
        assert_agree(p->a, x, load(p->a, c), 0.01);
        assert_int_equal(x->npictures, rows[i].npictures);
        if (rows[i].nobjects) assert_int_equal(x->nobjects + x->fault[TL_BOX_EMPTY], rows[i].nobjects);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(five_forms_say_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flags_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_become_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(yolo_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shapes_become_boxes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(boxes_are_judged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(examples_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forms_and_pictures_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pictures_are_paired, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_may_run_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hundred_ground_truths_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(real_sets_agree, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
