/* docs.c - tlc docs: reference pages and manual pages from the tables. SPDX-License-Identifier: MIT
 */
#include "cmds.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    const char *output;
} opts;

static const tl_field rows[] = { CMD_OPTION(opts, output, TL_STR, .sdef = "docs",
                                            .help = "the folder to write to; made when absent"),
                                 TL_F_END };
static const cmd_flag flags[] = { { "-o", "output", "FOLDER" }, { 0 } };

/* Open FOLDER/SUB/NAME for writing; NULL: it failed, and why is said. */
static FILE *create(cmd_call *c, const char *sub, const char *name)
{
    const char *folder = ((const opts *)c->opts)->output;
    char path[4096];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/%s", folder, sub);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", folder, sub, name);
    FILE *f = fopen(path, "w");
    if (!f) cmd_fail(c, CMD_FAILED, "cannot write '%s': %s", path, strerror(errno));
    return f;
}

static int finish(cmd_call *c, FILE *f, const char *name)
{
    bool bad = ferror(f);
    bad |= fclose(f) != 0;
    return bad ? cmd_fail(c, CMD_FAILED, "cannot write '%s': %s", name, strerror(errno)) : CMD_OK;
}

static int library_pages(cmd_call *c)
{
    for (int i = 0;; i++) {
        const char *name, *text;
        int code = cmd_done(c, tl_docs_page(c->arena, i, &name, &text));
        if (code || !name) return code;
        FILE *f = create(c, "ref", name);
        if (!f) return CMD_FAILED;
        fputs(text, f);
        if ((code = finish(c, f, name))) return code;
    }
}

static int command_page(cmd_call *c)
{
    FILE *f = create(c, "ref", "commands.md");
    if (!f) return CMD_FAILED;
    fputs("# Commands\n\nPrinted by `tlc docs` from the tables of the program.\n", f);
    page_commands(f, &page_markdown, NULL);
    for (int i = 0; cmds[i]; i++) page_command(f, &page_markdown, cmds[i]);
    return finish(c, f, "commands.md");
}

/* cmd NULL: the program itself. */
static int manual(cmd_call *c, const cmd_def *cmd)
{
    char name[80] = "tlc.1";
    if (cmd)
        snprintf(name, sizeof name, "tlc-%s%s%s.1", cmd->task ? cmd->task : "",
                 cmd->task ? "-" : "", cmd->name);
    FILE *f = create(c, "man", name);
    if (!f) return CMD_FAILED;
    if (cmd) page_command(f, &page_roff, cmd);
    else
        page_commands(f, &page_roff, NULL);
    return finish(c, f, name);
}

static int run(cmd_call *c)
{
    int code = library_pages(c);
    if (!code) code = command_page(c);
    if (!code) code = manual(c, NULL);
    for (int i = 0; !code && cmds[i]; i++) code = manual(c, cmds[i]);
    return code;
}

const cmd_def cmd_docs = {
    .name = "docs",
    .brief = "write the reference pages and the manual pages",
    .about = "Prints what the tables of the program say: Markdown into FOLDER/ref, manual pages "
             "into FOLDER/man. The same program writes the same pages.",
    .example = "tlc docs --output docs",
    .files = "FOLDER/ref/*.md: operations, backbones, specs, training, commands\nFOLDER/man/*.1: a "
             "manual page for each command",
    .option = rows,
    .flag = flags,
    .size = sizeof(opts),
    .run = run,
};
