/* page.c - what help, docs/ref and the manual pages say about a command. SPDX-License-Identifier:
 * MIT
 *
 * One account of a command, from its rows and sentences, put down in three inks: plain text for
 * terminals, Markdown, and roff for man. */
#include "cmds.h"
#include <math.h>
#include <stdarg.h>
#include <string.h>

struct page_ink {
    void (*title)(FILE *out, const char *name, const char *brief);
    void (*section)(FILE *out, const char *name);
    void (*para)(FILE *out, const char *text);
    void (*code)(FILE *out, const char *lines);
    void (*item)(FILE *out, const char *term, const char *text);
};

/* ---- Plain ---- */
static void lines(FILE *out, const char *indent, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        fprintf(out, "%s%.*s\n", indent, (int)n, text);
        text += n + (text[n] == '\n');
    }
}

/* Fill lines of 79 columns. */
static void fill(FILE *out, int indent, const char *text)
{
    int col = 0;
    while (*(text += strspn(text, " "))) {
        int n = (int)strcspn(text, " ");
        if (col && col + 1 + n > 79) {
            fputc('\n', out);
            col = 0;
        }
        col += col ? fprintf(out, " %.*s", n, text) : fprintf(out, "%*s%.*s", indent, "", n, text);
        text += n;
    }
    fputc('\n', out);
}

static void plain_title(FILE *out, const char *name, const char *brief)
{
    fprintf(out, "%s - %s\n", name, brief);
}
static void plain_section(FILE *out, const char *name) { fprintf(out, "\n%s:\n", name); }
static void plain_para(FILE *out, const char *text) { fill(out, 2, text); }
static void plain_code(FILE *out, const char *text) { lines(out, "  ", text); }
static void plain_item(FILE *out, const char *term, const char *text)
{
    fprintf(out, "  %s\n", term);
    fill(out, 8, text);
}
const page_ink page_plain = { plain_title, plain_section, plain_para, plain_code, plain_item };

/* ---- Markdown ---- */
static void markdown_title(FILE *out, const char *name, const char *brief)
{
    fprintf(out, "\n## %s\n\n%s\n", name, brief);
}
static void markdown_section(FILE *out, const char *name) { fprintf(out, "\n**%s**\n\n", name); }
static void markdown_para(FILE *out, const char *text) { fprintf(out, "%s\n", text); }
static void markdown_code(FILE *out, const char *text) { lines(out, "    ", text); }
static void markdown_item(FILE *out, const char *term, const char *text)
{
    fprintf(out, "- `%s`: %s\n", term, text);
}
const page_ink page_markdown = { markdown_title, markdown_section, markdown_para, markdown_code,
                                 markdown_item };

/* ---- roff ---- */
static void roff(FILE *out, const char *text)
{
    bool start = true;
    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\'')) fputs("\\&", out);
        if (*text == '\\') fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
        start = *text == '\n';
    }
    fputc('\n', out);
}

static void roff_title(FILE *out, const char *name, const char *brief)
{
    char page[80];
    snprintf(page, sizeof page, "%s", name);
    for (char *p = page; *p; p++)
        if (*p == ' ') *p = '-';
    fprintf(out, ".TH \"%s\" 1 \"\" \"TLC %s\"\n.SH NAME\n%s \\- ", page, tl_version(), page);
    roff(out, brief);
}

static void roff_section(FILE *out, const char *name)
{
    if (!strcmp(name, "Usage")) name = "Synopsis"; /* as manual pages call it */
    fputs(".SH ", out);
    for (; *name; name++) fputc(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name, out);
    fputc('\n', out);
}

static void roff_para(FILE *out, const char *text) { roff(out, text); }
static void roff_code(FILE *out, const char *text)
{
    fputs(".nf\n", out);
    roff(out, text);
    fputs(".fi\n", out);
}
static void roff_item(FILE *out, const char *term, const char *text)
{
    fputs(".TP\n.B ", out);
    roff(out, term);
    roff(out, text);
}
const page_ink page_roff = { roff_title, roff_section, roff_para, roff_code, roff_item };

/* ---- Text of a fixed size ---- */
typedef struct {
    char *at;
    size_t size, n;
} text;

static void add(text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->at + t->n, t->size - t->n, fmt, ap);
    va_end(ap);
    t->n = t->n + (size_t)n < t->size ? t->n + (size_t)n : t->size - 1;
}

static void add_names(text *t, const tl_field *row, const char *between)
{
    for (int i = 0; row->names[i]; i++) add(t, "%s%s", i ? between : "", row->names[i]);
}

/* ---- Rows ---- */
static bool is_words(const tl_field *row) { return row->name[0] >= 'A' && row->name[0] <= 'Z'; }

static void add_value(text *t, const cmd_def *cmd, const tl_field *row)
{
    for (const cmd_flag *f = cmd->flag; f && f->flag; f++)
        if (!strcmp(f->option, row->name) && f->value) {
            add(t, "%s", f->value);
            return;
        }
    if (row->names) add_names(t, row, "|");
    else
        add(t, row->kind == TL_STR ? "FILE" : row->kind == TL_INT ? "N" : "X");
}

/* The short spellings, before the name, or the other long ones, after it. */
static void add_spellings(text *t, const cmd_def *cmd, const tl_field *row, bool longs)
{
    const cmd_flag *lists[] = { cmd->flag, cmd_common_flags };
    for (int i = 0; i < 2; i++)
        for (const cmd_flag *f = lists[i]; f && f->flag; f++) {
            bool is_long = !strncmp(f->flag, "--", 2),
                 is_name = is_long && !strcmp(f->flag + 2, row->name);
            if (!strcmp(f->option, row->name) && is_long == longs && !is_name)
                add(t, longs ? ", %s" : "%s, ", f->flag);
        }
}

const char *page_flags(char *buf, size_t size, const cmd_def *cmd, const tl_field *row)
{
    text t = { buf, size, 0 };
    buf[0] = 0;
    if (is_words(row)) {
        add(&t, row->flags & TL_REPEATED ? "%s..." : "%s", row->name);
        return buf;
    }
    add_spellings(&t, cmd, row, false);
    add(&t, "--%s", row->name);
    add_spellings(&t, cmd, row, true);
    if (row->kind != TL_BOOL) {
        bool optional = row->flags & TL_OPTIONAL;
        add(&t, optional ? "[=" : " ");
        add_value(&t, cmd, row);
        add(&t, optional ? "]" : "");
    }
    if (row->flags & TL_REPEATED) add(&t, "...");
    return buf;
}

/* The help of the row, and in parentheses what may be given and what is taken when nothing is. */
static const char *meaning(char *buf, size_t size, const tl_field *row)
{
    text t = { buf, size, 0 };
    const char *between = " (";
    add(&t, "%s", row->help);
    if (row->flags & TL_REQUIRED) {
        add(&t, row->flags & TL_ONEOF ? " (one of these is required" : " (required");
        between = "; ";
    }
    if (row->names) {
        add(&t, "%sdefault %s", between, row->names[(int)row->def]);
        between = "; ";
    } else if ((row->kind == TL_INT || row->kind == TL_FLOAT) && !(row->flags & TL_REPEATED)) {
        add(&t, "%sdefault %.10g", between, row->def);
        if (row->flags & TL_OPTIONAL) add(&t, ", without a value %s", row->sdef);
        if (isinf(row->hi)) add(&t, ", at least %.10g", row->lo);
        else if (row->lo < row->hi)
            add(&t, ", from %.10g to %.10g", row->lo, row->hi);
        between = "; ";
    } else if (row->sdef) {
        add(&t, "%sdefault %s", between, row->sdef);
        between = "; ";
    }
    if (between[0] == ';') add(&t, ")");
    return buf;
}

static void options(FILE *out, const page_ink *ink, const cmd_def *cmd, const tl_field *row)
{
    for (; row->name; row++) {
        char spelled[160], said[400];
        if (row->flags & TL_NOEFFECT) continue;
        ink->item(out, page_flags(spelled, sizeof spelled, cmd, row),
                  meaning(said, sizeof said, row));
    }
}

/* Does the command itself know what this option of all commands means? */
static bool has_own(const cmd_def *cmd, const tl_field *row)
{
    bool own = tl_field_find(cmd->option, row->name) != NULL;
    for (const cmd_flag *f = cmd->flag; f && f->flag; f++) own |= !strncmp(f->flag, "--", 2) && !strcmp(f->flag + 2, row->name);
    return own;
}

/* Those of the original that mean nothing here. */
static void noeffect(FILE *out, const page_ink *ink, const cmd_def *cmd)
{
    char names[800];
    text t = { names, sizeof names, 0 };
    const tl_field *lists[] = { cmd->option, cmd_common_options };
    for (int i = 0; i < 2; i++)
        for (const tl_field *r = lists[i]; r->name; r++)
            if (r->flags & TL_NOEFFECT && (i == 0 || !has_own(cmd, r))) add(&t, "%s--%s", t.n ? ", " : "", r->name);
    ink->section(out, "Accepted without effect");
    ink->para(out, names);
}

/* ---- A command ---- */
static const char *full_name(char *buf, size_t size, const cmd_def *cmd)
{
    snprintf(buf, size, "tlc %s%s%s", cmd->task ? cmd->task : "", cmd->task ? " " : "", cmd->name);
    return buf;
}

static const char *usage(char *buf, size_t size, const cmd_def *cmd, const char *name)
{
    text t = { buf, size, 0 };
    const char *choice = " (";
    add(&t, "%s", name);
    for (const tl_field *r = cmd->option; r->name; r++) {
        char spelled[160];
        bool list = r->flags & TL_REPEATED, required = r->flags & TL_REQUIRED,
             one = r->flags & TL_ONEOF;
        if (is_words(r)) add(&t, required ? " %s" : list ? " [%s...]" : " [%s]", r->name);
        else if (required) {
            page_flags(spelled, sizeof spelled, cmd, r);
            const char *value = strrchr(spelled, ' ');
            add(&t, "%s%.*s%s", one ? choice : " ", (int)strcspn(spelled, ", "), spelled, value);
            choice = one ? " | " : choice;
        }
        if (one && !((r + 1)->name && (r + 1)->flags & TL_ONEOF)) add(&t, ")");
    }
    add(&t, " [OPTIONS]");
    return buf;
}

static void files(FILE *out, const page_ink *ink, const char *text_of)
{
    while (*text_of) {
        char term[80], said[400];
        size_t n = strcspn(text_of, "\n"), colon = strcspn(text_of, ":");
        snprintf(term, sizeof term, "%.*s", (int)colon, text_of);
        snprintf(said, sizeof said, "%.*s", (int)(n - colon - 2), text_of + colon + 2);
        ink->item(out, term, said);
        text_of += n + (text_of[n] == '\n');
    }
}

void page_command(FILE *out, const page_ink *ink, const cmd_def *cmd)
{
    char name[80], line[400];
    ink->title(out, full_name(name, sizeof name, cmd), cmd->brief);
    ink->section(out, "Usage");
    ink->code(out, usage(line, sizeof line, cmd, name));
    ink->section(out, "Description");
    ink->para(out, cmd->about);
    ink->section(out, cmd->example && strchr(cmd->example, '\n') ? "Examples" : "Example");
    ink->code(out, cmd->example);
    ink->section(out, "Options");
    options(out, ink, cmd, cmd->option);
    options(out, ink, cmd, cmd_common_options);
    if (cmd->files) {
        ink->section(out, "Files written");
        files(out, ink, cmd->files);
    }
    if (cmd->task) noeffect(out, ink, cmd);
}

void page_commands(FILE *out, const page_ink *ink, const char *task)
{
    ink->title(
        out, "tlc",
        "Transfer Learning in C: train, prune and deploy vision models on your own pictures");
    ink->section(out, "Usage");
    ink->code(out, "tlc COMMAND [OPTIONS]\ntlc help COMMAND\ntlc --version");
    ink->section(out, "Commands");
    for (int i = 0; cmds[i]; i++) {
        char name[80];
        if (!task || (cmds[i]->task && !strcmp(cmds[i]->task, task)))
            ink->item(out, full_name(name, sizeof name, cmds[i]), cmds[i]->brief);
    }
    ink->section(out, "Other names");
    ink->para(out,
              "Installed as tlt, the program answers to the commands of TLT 3.0; as tlt-train, "
              "tlt-evaluate, tlt-prune, tlt-infer, tlt-export "
              "and tlt-dataset-convert to those of TLT 2.0: tlt-train classification -e FILE -r FOLDER.");
    ink->section(out, "Exit code");
    ink->para(
        out,
        "0: done. 1: the work failed, and the message says why. 2: the command line is wrong.");
}
