/* test_dist.c - training by several processes, each a real one under mpirun. SPDX-License-Identifier: MIT
 *
 * Skipped where there is no mpirun, or the program was built without MPI. Called as "test_dist rank" it is one process
 * of a job itself and tries what dist.h offers. */
#include "processes.h"
#include "dist.h"
#include <sys/stat.h>

static int begin_test(void **state)
{
    if (set_up(state)) return -1;
    put_set(place, "train", 8, 1);
    put_set(place, "val", 3, 1000);
    return 0;
}

static void tear_hosts_down(void)
{
    for (int k = 1; k <= 2; k++)
        (void)quietly(
            tl_printf(a, "kill -9 $(ip netns pids tlc%d.%d); ip netns del tlc%d.%d", getpid(), k, getpid(), k));
}

static int end_test(void **state)
{
    kill_all(place);
    tear_hosts_down();
    return tear_down(state);
}

/* ---- Trainings ---- */

static const char *arch;
static const char plain[] = "squeezenet\"", normed[] = "mobilenet_v1\" alpha: 0.25 use_batch_norm: true";

static const char *spec(const char *model, const char *train)
{
    const char *path = in(place, "spec.txt");
    arch = tl_strndup(a, model, strcspn(model, "\""));
    const char *text = tl_printf(
        a,
        "model_config { input_image_size: \"3,%d,%d\" arch: \"%s }\n"
        "train_config { train_dataset_path: \"%s/train\" val_dataset_path: \"%s/val\" n_workers: 1 n_epochs: 2 %s\n"
        "optimizer { sgd { lr: 0.0002 momentum: 0.9 } } reg_config { type: \"L2\" scope: \"Conv2D,Dense\" "
        "weight_decay: 0.001 }\n"
        "lr_config { step { learning_rate: 0.0002 step_size: 50 gamma: 0.5 } } }\n",
        SIDE, SIDE, model, place, place, train);
    ok(tl_file_write(path, text, strlen(text)));
    return path;
}

static const char *command(const char *results, int processes, int batch, const char *more)
{
    return tl_printf(
        a,
        "%s/tlc classification train -e %s/spec.txt -r %s/%s --threads 1 -np %d train_config.batch_size_per_gpu=%d %s",
        build, place, place, results, processes, batch, more);
}

static result train(const char *results, int processes, int batch, const char *more)
{
    return shell(results, command(results, processes, batch, more));
}

static const char *weights(const char *results, int epoch)
{
    return tl_printf(a, "%s/%s/weights/%s_%03d.onnx", place, results, arch, epoch);
}

static tl_graph *graph(const char *results, int epoch)
{
    tl_model *m;
    ok(tl_model_load(a, weights(results, epoch), NULL, &m));
    return m->g;
}

/* ---- What dist.h offers ---- */

#define EACH_CHECK(c)                                                                                                  \
    do {                                                                                                               \
        if (!(c)) {                                                                                                    \
            fprintf(stderr, "process %d, line %d: " #c "\n", d_rank, __LINE__);                                        \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Numbers whose sum depends on the order. */
static float drawn(int rank, size_t i)
{
    tl_rng r = tl_rng_at(3, (uint64_t)rank, i, 0);
    return tl_uniform_in(&r, -1, 1) * (i % 3 ? 1 : 1e6f);
}

static int as_rank(void)
{
    static const size_t sizes[] = { 1, 2, 3, 5, 1000, ((size_t)1 << 20) - 1, ((size_t)1 << 20) + 5, 3000001 };
    static const tl_listener deaf = { 0 };
    tl_arena *m = tl_arena_new();
    tl_job job = tl_job_here();
    tl_dist *d = NULL;
    const int d_rank = job.rank;
    EACH_CHECK(job.size == 3 && job.local == 3);
    EACH_CHECK(!tl_dist_join(m, &job, &deaf, &d) && tl_dist_rank(d) == job.rank && tl_dist_size(d) == 3);
    float *v[TL_LEN(sizes)];
    for (int s = 0; s < TL_LEN(sizes); s++) {
        v[s] = tl_new(m, float, sizes[s] + 1);
        for (size_t i = 0; i < sizes[s]; i++) v[s][i] = drawn(job.rank, i);
        v[s][sizes[s]] = 77;
        EACH_CHECK(!tl_dist_mean_start(d, v[s], sizes[s]));
    }
    EACH_CHECK(!tl_dist_finish(d));
    for (int s = 0; s < TL_LEN(sizes); s++) {
        for (size_t i = 0; i < sizes[s]; i++)
            EACH_CHECK(v[s][i] == ((drawn(0, i) + drawn(1, i)) + drawn(2, i)) * (1.0f / 3));
        EACH_CHECK(v[s][sizes[s]] == 77);
    }
    double mine[2] = { job.rank, 10.0 * job.rank }, all[6];
    EACH_CHECK(!tl_dist_gather(d, mine, sizeof mine, all) && all[1] == 0 && all[2] == 1 && all[4] == 2 && all[5] == 20);
    char word[] = "012345";
    if (job.rank == 0) memcpy(word, "spoken", 6);
    EACH_CHECK(!tl_dist_broadcast(d, word, sizeof word) && !strcmp(word, "spoken"));
    EACH_CHECK(!tl_dist_end(d, TL_OK));
    tl_arena_free(m);
    return 0;
}

static void sums_are_made_in_the_order_of_ranks(void **state)
{
    (void)state;
    skip_without_mpi();
    says(shell("ranks", tl_printf(a, MPIRUN "3 %s/test/test_dist rank %s", build, place)), 0, "");
}

/* ---- Trainings ---- */

/* But for rounding, which is another for another order of sums, and for another kernel, chosen by the batch. */
static void as_one_process_with_the_same_batch(void **state)
{
    (void)state;
    skip_without_mpi();
    spec(plain, "");
    says(train("one", 1, 8, ""), 0, "epoch 2/2");
    says(train("two", 2, 4, ""), 0, "2 processes train together");
    says(train("four", 4, 2, ""), 0, "epoch 2/2");
    tl_graph *one = graph("one", 2);
    const double step = distance(one, graph("one", 1)), two = distance(one, graph("two", 2)),
                 four = distance(one, graph("four", 2));
    if (!(step > 1e-4 && two < 1e-2 * step && four < 1e-2 * step))
        fail_msg("an epoch moves weights by %g; 2 processes differ by %g, 4 by %g", step, two, four);
}

/* With batch norm it takes the statistics of all. */
static void as_one_process_with_batch_norm(void **state)
{
    (void)state;
    skip_without_mpi();
    spec(normed, "");
    says(train("one", 1, 24, ""), 0, "epoch 2/2"); /* a batch is all there is: small ones make normed signals jump */
    says(train("two", 2, 12, "train_config.sync_bn=true"), 0, "epoch 2/2");
    says(train("apart", 2, 12, ""), 0, "epoch 2/2");
    tl_graph *one = graph("one", 1);
    const double sync = distance(one, graph("two", 1)), apart = distance(one, graph("apart", 1));
    if (!(sync < 1e-3 && apart > 1e-2))
        fail_msg("2 processes with the statistics of all differ by %g, with their own by %g", sync, apart);
}

/* With all that is drawn at random, and batch norm, whose statistics are those of a process. */
static void twice_the_same_bits(void **state)
{
    (void)state;
    skip_without_mpi();
    spec(normed, "enable_random_crop: true enable_color_augmentation: true mixup_alpha: 0.2 label_smoothing: 0.1");
    says(train("x", 2, 4, ""), 0, "epoch 2/2");
    says(train("y", 2, 4, ""), 0, "epoch 2/2");
    assert_true(same_file(weights("x", 2), weights("y", 2)));
    assert_string_equal(text_of(in(place, "x/training.csv")), text_of(in(place, "y/training.csv")));
    assert_true(distance(graph("x", 1), graph("x", 2)) > 1e-4);
}

/* A stopped training is gone on with by another number of processes, at the same pictures. */
/* Each computes features of its share, none twice, and all have them: training goes as it does without. */
static void features_computed_once(void **state)
{
    (void)state;
    skip_without_mpi();
    spec("squeezenet\" freeze_blocks: 0 freeze_blocks: 1 freeze_blocks: 2 freeze_blocks: 3 freeze_blocks: 4 freeze_blocks: 5 "
         "freeze_blocks: 6 freeze_blocks: 7 freeze_blocks: 8", "");
    static const struct { int processes, batch; } jobs[] = { { 2, 3 }, { 3, 2 }, { 3, 5 } };
    for (int i = 0; i < TL_LEN(jobs); i++) {
        const char *name[] = { tl_printf(a, "plain%d", i), tl_printf(a, "memory%d", i) };
        says(train(name[0], jobs[i].processes, jobs[i].batch, ""), 0, "epoch 2/2");
        says(train(name[1], jobs[i].processes, jobs[i].batch, "--cache-features"), 0, "each: 33 computed");
        assert_true(same_file(weights(name[0], 2), weights(name[1], 2)));
        assert_string_equal(text_of(tl_printf(a, "%s/%s/training.csv", place, name[0])), text_of(tl_printf(a, "%s/%s/training.csv", place, name[1])));
    }
}

static void stopped_and_resumed_by_others(void **state)
{
    (void)state;
    skip_without_mpi();
    spec(normed, "");
    pid_t child = start("out", command("out", 2, 4, "train_config.n_epochs=200"));
    while (!tl_file_exists(weights("out", 2)) && !waitpid(child, NULL, WNOHANG)) usleep(20000);
    kill(child, SIGTERM);
    result r = finish(child, "out", 60);
    says(r, 1, "everything is saved. The same command with --resume goes on from here");
    says(r, 1, "tlc: stopped in epoch");
    assert_null(strstr(r.out, "PMIx"));
    int epochs = 0;
    sscanf(strstr(r.out, "stopped in epoch"), "stopped in epoch %d", &epochs);
    r = train("out", 3, 2, tl_printf(a, "--resume train_config.n_epochs=%d", epochs + 1));
    says(r, 0, "a batch is now 6 pictures instead of 8");
    says(r, 0, "resuming from");
    assert_true(tl_file_exists(weights("out", epochs + 1)));
    r = train("out", 1, 6, tl_printf(a, "--resume train_config.n_epochs=%d", epochs + 2));
    says(r, 0, "best: epoch");
    assert_null(strstr(r.out, "a batch is now"));
}

/* ---- Failures ---- */

static const struct {
    const char *results;
    int rank, with;
    const char *words;
} strikes[] = {
    { "killed", 1, SIGKILL, "tlc: process 1 of 2, on " },
    { "first-killed", 0, SIGKILL, "was ended by signal 9" },
    { "stopped", 1, SIGSTOP, "has not answered for" },
    { "first-stopped", 0, SIGSTOP, "has not answered for" },
};

/* All at the same time, because it takes a while until silence is one. */
static void a_process_that_dies_or_stops_ends_the_job(void **state)
{
    (void)state;
    skip_without_mpi();
    pid_t job[TL_LEN(strikes)];
    spec(normed, "");
    for (int i = 0; i < TL_LEN(strikes); i++)
        job[i] = start(strikes[i].results, command(strikes[i].results, 2, 4, "train_config.n_epochs=10000"));
    for (int i = 0; i < TL_LEN(strikes); i++) {
        while (!tl_file_exists(weights(strikes[i].results, 1)) && !waitpid(job[i], NULL, WNOHANG)) usleep(20000);
        pid_t victim = find_rank(tl_printf(a, "%s/%s", place, strikes[i].results), strikes[i].rank);
        assert_true(victim > 0);
        kill(victim, strikes[i].with);
    }
    for (int i = 0; i < TL_LEN(strikes); i++) {
        result r = finish(job[i], strikes[i].results, 30);
        says(r, 1, strikes[i].words);
        says(r, 1, "--resume goes on from it");
        assert_null(strstr(strstr(r.out, "tlc: ") + 1, "tlc: ")); /* said once */
    }
    usleep(100000);
    assert_int_equal(find_rank(place, -1), 0); /* no process is left behind */
    says(train("killed", 1, 8, "--resume train_config.n_epochs=3"), 0, "best: epoch");
}

/* One process cannot go on; what it has to say is said, once. */
static void an_error_of_one_is_told(void **state)
{
    (void)state;
    skip_without_mpi();
    spec(normed, "");
    const char *one = tl_printf(a, "-np 1 %s/tlc classification train -r %s/out -e ", build, place);
    result r = shell("out", tl_printf(a, "mpirun --bind-to none --oversubscribe %s %s/spec.txt : %s %s/none.txt", one,
                                      place, one, place));
    says(r, 1, "tlc: process 1 of 2, on ");
    says(r, 1, "none.txt': No such file");
    assert_true(r.seconds < 30);
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    skip_without_mpi();
    spec(plain, "");
    const char *alone = in(place, "tlc");
    says(shell("copy", tl_printf(a, "cp %s/tlc %s", build, alone)), 0, "");
    result r =
        shell("absent", tl_printf(a, "%s classification train -e %s/spec.txt -r %s/r --gpus 2", alone, place, place));
    says(r, 1, "apt-get install openmpi-bin libopenmpi-dev");
    r = shell("alone", tl_printf(a, "%s classification train -e %s/spec.txt -r %s/r --gpus 1", alone, place, place));
    says(r, 0, "best: epoch");
    r = shell("nompirun", tl_printf(a, "env PATH=/nowhere %s", command("r2", 2, 4, "")));
    says(r, 1, "cannot start mpirun");
    r = shell("other", tl_printf(a, MPIRUN "2 %s", command("r3", 3, 4, "")));
    says(r, 1, "num_processes is 3, but this process was started as one of 2");
    r = shell("joined", tl_printf(a, MPIRUN "2 %s", command("r4", 2, 4, "")));
    says(r, 0, "2 processes train together");
}

/* ---- Two machines: network namespaces, with a cable between them ---- */

#define NET "10.77.0."

/* Machines 10.77.0.1 and .2; how mpirun, run on the first, reaches them goes to `args`. */
static bool make_hosts(const char **args)
{
    const int me = getpid();
    bool all = true;
    for (int k = 1; k <= 2; k++) all &= quietly(tl_printf(a, "ip netns add tlc%d.%d", me, k));
    all &= quietly(tl_printf(a, "ip link add c1 netns tlc%d.1 type veth peer name c2 netns tlc%d.2", me, me));
    for (int k = 1; k <= 2; k++)
        all &= quietly(tl_printf(a,
                                 "ip -n tlc%d.%d addr add " NET
                                 "%d/24 dev c%d && ip -n tlc%d.%d link set lo up && ip -n tlc%d.%d link set c%d up",
                                 me, k, k, k, me, k, me, k, k));
    const char *agent = in(place, "agent");
    const char *text = tl_printf(a,
                                 "#!/bin/sh\nwhile [ \"${1#-}\" != \"$1\" ]; do shift; done\nn=${1#" NET "}\nshift\n"
                                 "exec ip netns exec tlc%d.$n sh -c \"$*\"\n",
                                 me);
    ok(tl_file_write(agent, text, strlen(text)));
    assert_int_equal(chmod(agent, 0700), 0);
    *args = tl_printf(a,
                      "\"--mca plm_rsh_agent %s --mca btl tcp,self --mca btl_tcp_if_include " NET
                      "0/24 --mca oob_tcp_if_include " NET "0/24 --host " NET "1," NET "2\"",
                      agent);
    return all;
}

static void on_two_machines(void **state)
{
    (void)state;
    skip_without_mpi();
    const char *args;
    if (!make_hosts(&args)) {
        print_message("skipped: no network namespaces may be made here, so there is no second machine\n");
        skip();
    }
    spec(normed, "");
    const char *on_first = tl_printf(a, "ip netns exec tlc%d.1", getpid());
    result r = shell("far", tl_printf(a, "%s %s --mpirun_arg %s", on_first, command("far", 2, 4, ""), args));
    pid_t child = start("cut", tl_printf(a, "%s %s --mpirun_arg %s", on_first,
                                         command("cut", 2, 4, "train_config.n_epochs=10000"), args));
    while (!tl_file_exists(weights("cut", 1)) && !waitpid(child, NULL, WNOHANG)) usleep(20000);
    bool cut = quietly(tl_printf(a, "ip -n tlc%d.1 link set c1 down", getpid()));
    result s = finish(child, "cut", 30);
    says(r, 0, "2 processes train together, 1 on this machine");
    says(train("near", 2, 4, ""), 0, "best: epoch");
    assert_true(same_file(weights("far", 2), weights("near", 2)));
    assert_true(cut);
    says(s, 1, "has not answered for");
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin_test, end_test)
    const struct CMUnitTest tests[] = {
        T(sums_are_made_in_the_order_of_ranks),
        T(as_one_process_with_the_same_batch),
        T(as_one_process_with_batch_norm),
        T(twice_the_same_bits),
        T(features_computed_once),
        T(stopped_and_resumed_by_others),
        T(a_process_that_dies_or_stops_ends_the_job),
        T(an_error_of_one_is_told),
        T(what_is_missing_is_said),
        T(on_two_machines),
    };
    if (argc > 1) return as_rank();
    (void)argv;
    find_build();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
