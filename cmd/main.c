/* main.c - from the words of the command line to a command. SPDX-License-Identifier: MIT
 *
 * Words come in two spellings. TLT 3.0 names the task, then the command: tlt classification train.
 * TLT 2.0 has a program for each command: tlt-train classification. Which one is told by the name
 * the program is called by. */
#include "cmds.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Ctrl-C: the first one asks to stop, so that work can be saved; the second kills ---- */
static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

static void catch_signals(void)
{
    struct sigaction s = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigaction(SIGINT, &s, NULL);
    sigaction(SIGTERM, &s, NULL);
    if (tl_job_here().size > 1) sigaction(SIGUSR1, &s, NULL); /* see launch.c */
}

/* ---- Threads that wait ----
 * GNU OpenMP's threads wait for each other by spinning, by default for so long that they keep the
 * processor from the very thread they wait for when other programs run too: training steps then
 * took 1.3 to 7 times as long. Spinning briefly, then sleeping, costs an idle machine less than 1 %.
 * How long is read from the environment before main() runs, hence the program starts once more. */
static void spin_briefly(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    if (!setenv("GOMP_SPINCOUNT", "3000", 1)) execv("/proc/self/exe", argv);
    /* Where that is not possible, slowly is better than not at all. */
}

/* ---- TLT 2.0 ---- */
static const struct {
    const char *program, *command;
    const char *task; /* when none is named; NULL: one has to be */
} programs[] = {
    { "tlt-train", "train", NULL },
    { "tlt-evaluate", "evaluate", NULL },
    { "tlt-prune", "prune", "classification" },
    { "tlt-infer", "inference", NULL },
    { "tlt-export", "export", NULL },
    { "tlt-dataset-convert", "dataset_convert", "detectnet_v2" },
};

/* The index of the 2.0 program that argv[0] names; -1: none, the spelling is 3.0's. */
static int old_program(const char *argv0)
{
    const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;
    for (int i = 0; i < (int)(sizeof programs / sizeof *programs); i++)
        if (!strcmp(programs[i].program, name)) return i;
    return -1;
}

static const cmd_def *find_old(cmd_call *c, int program, int argc, char **argv, int *used)
{
    bool named = argc > 1 && cmd_is_task(argv[1]);
    bool help = argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"));
    const char *task = named ? argv[1] : programs[program].task;
    int words;
    if (!task && !help) {
        cmd_fail(c, CMD_USAGE, "the task is missing, as in '%s classification'",
                 programs[program].program);
        return NULL;
    }
    *used = named ? 1 : 0;
    return cmd_find(
        c, 2,
        (const char *const[]){ task ? task : "classification", programs[program].command },
        &words);
}

/* ---- One command ---- */
static void say_all(cmd_call *c, const char *name)
{
    cmd_say(c, "tlc %s on %s\n%s:\n", tl_version(), tl_build(), name);
    for (const tl_field *r = c->cmd->option; r->name; r++) {
        const char *value = r->flags & TL_NOEFFECT ? NULL : tl_field_get(c->arena, r, c->opts);
        if (value && *value)
            cmd_say(c, "  %s: %s\n", r->name, strcmp(r->name, "key") ? value : "(not shown)");
    }
}

static int run(cmd_call *c, int argc, char **argv)
{
    c->opts = calloc(1, c->cmd->size);
    c->arena = tl_arena_new();
    if (!c->opts || !c->arena) return cmd_fail(c, CMD_FAILED, "out of memory");
    char name[80];
    snprintf(name, sizeof name, "%s%s%s", c->cmd->task ? c->cmd->task : "", c->cmd->task ? " " : "",
             c->cmd->name);
    int code = cmd_parse(c, argc, argv);
    if (code) return cmd_fail(c, code, "'tlc help %s' explains the command", name);
    if (c->common.help) {
        page_command(stdout, &page_plain, c->cmd);
        return CMD_OK;
    }
    if ((code = cmd_open(c, &stopped))) return code;
    if (c->noeffect[0])
        cmd_say(c, "note: accepted for compatibility, without effect here: %s\n", c->noeffect);
    tl_threads(c->common.threads);
    tl_exact(c->common.exact);
    if (c->common.verbose) say_all(c, name);
    catch_signals();
    return c->cmd->run(c);
}

static const cmd_def *find(cmd_call *c, int argc, char **argv, int *used)
{
    int program = old_program(argv[0]);
    if (program >= 0) return find_old(c, program, argc, argv, used);
    return cmd_find(c, argc - 1, (const char *const *)argv + 1, used);
}

static bool asks(int argc, char **argv, const char *flag)
{
    return argc == 2 && !strcmp(argv[1], flag);
}
static bool asks_help(int argc, char **argv)
{
    return asks(argc, argv, "-h") || asks(argc, argv, "--help");
}

int main(int argc, char **argv)
{
    cmd_call c = { 0 };
    int used = 0, code = CMD_USAGE;
    bool new_spelling = old_program(argv[0])<0, task = argc> 1 && cmd_is_task(argv[1]);
    if (asks(argc, argv, "--version")) {
        printf("tlc %s\n", tl_version());
        code = CMD_OK;
    } else if (new_spelling && (argc < 2 || asks_help(argc - task, argv + task))) {
        page_commands(stdout, &page_plain, task ? argv[1] : NULL);
        code = argc < 2 ? CMD_USAGE : CMD_OK;
    } else if ((c.cmd = find(&c, argc, argv, &used))) {
        if (c.cmd->task) spin_briefly(argv);
        code = run(&c, argc - 1 - used, argv + 1 + used);
    }
    code = cmd_close(&c, code);
    tl_arena_free(c.arena);
    free(c.opts);
    return code;
}
