/* test_processors.c - how many threads make sense, from made-up files. SPDX-License-Identifier: MIT */
#include "processors.h"
#include "tiny.h"
#include <omp.h>
#include <sched.h>

typedef struct {
    const char *path, *text;
} file;
static const struct {
    const char *what;
    double limit;
    file file[5];
} rows[] = {
    { "no files at all", 0, { { 0 } } },
    { "version 2, no limit", 0, { { "proc/self/cgroup", "0::/\n" }, { "sys/fs/cgroup/cpu.max", "max 100000\n" } } },
    { "version 2 in a container",
      1.5,
      { { "proc/self/cgroup", "0::/\n" }, { "sys/fs/cgroup/cpu.max", "150000 100000\n" } } },
    { "version 2, the group's own",
      0.5,
      { { "proc/self/cgroup", "0::/user/job\n" },
        { "sys/fs/cgroup/user/cpu.max", "200000 100000\n" },
        { "sys/fs/cgroup/user/job/cpu.max", "50000 100000\n" } } },
    { "version 2, the one above is tighter",
      2,
      { { "proc/self/cgroup", "0::/user/job\n" },
        { "sys/fs/cgroup/user/cpu.max", "200000 100000\n" },
        { "sys/fs/cgroup/user/job/cpu.max", "max 100000\n" } } },
    { "version 2, the host's path in a container",
      3,
      { { "proc/self/cgroup", "0::/docker/0123\n" }, { "sys/fs/cgroup/cpu.max", "300000 100000\n" } } },
    { "version 1, no limit",
      0,
      { { "proc/self/cgroup", "4:cpu,cpuacct:/\n" },
        { "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n" },
        { "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n" } } },
    { "version 1",
      2.5,
      { { "proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/a\n1:name=systemd:/a\n" },
        { "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n" },
        { "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n" } } },
    { "version 1 under the short name",
      4,
      { { "proc/self/cgroup", "4:cpuacct,cpu:/docker/0123\n" },
        { "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "40000\n" },
        { "sys/fs/cgroup/cpu/cpu.cfs_period_us", "10000\n" } } },
    { "cpuset is not cpu",
      0,
      { { "proc/self/cgroup", "4:cpuset:/\n" },
        { "sys/fs/cgroup/cpuset/cpu.cfs_quota_us", "40000\n" },
        { "sys/fs/cgroup/cpuset/cpu.cfs_period_us", "10000\n" } } },
    { "both versions, the tighter one",
      1,
      { { "proc/self/cgroup", "4:cpu:/\n0::/\n" },
        { "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "10000\n" },
        { "sys/fs/cgroup/cpu/cpu.cfs_period_us", "10000\n" },
        { "sys/fs/cgroup/cpu.max", "200000 100000\n" } } },
    { "nonsense",
      0,
      { { "proc/self/cgroup", "0::\n:\nx\n0:/\n0::/../..\n" }, { "sys/fs/cgroup/cpu.max", "-5 zero\n" } } },
    { "no period", 0, { { "proc/self/cgroup", "0::/\n" }, { "sys/fs/cgroup/cpu.max", "50000 0\n" } } },
};

static void limits_of_control_groups(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(rows); i++) {
        const char *root = tl_printf(a, "%s/%d", place, i);
        for (const file *f = rows[i].file; f->path; f++) {
            char *path = in(root, f->path), *dir = tl_strdup(a, path);
            *strrchr(dir, '/') = 0;
            ok(tl_mkdirs(dir));
            ok(tl_file_write(path, f->text, strlen(f->text)));
        }
        double got = tl_cgroup_limit(root);
        if (fabs(got - rows[i].limit) > 1e-9)
            fail_msg("%s: %g processors instead of %g", rows[i].what, got, rows[i].limit);
    }
}

/* What this process may use bounds what is used, whatever is asked for. */
static void affinity_and_the_machine_bound_threads(void **state)
{
    (void)state;
    cpu_set_t all, one;
    CPU_ZERO(&one);
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    int most = tl_processors();
    assert_in_range(most, 1, CPU_COUNT(&all));
    tl_threads(most + 5);
    assert_int_equal(omp_get_max_threads(), most);
    tl_threads(1);
    assert_int_equal(omp_get_max_threads(), 1);
    tl_threads(0);
    assert_int_equal(omp_get_max_threads(), most);
    for (int k = 0; k < CPU_SETSIZE && !CPU_COUNT(&one); k++)
        if (CPU_ISSET(k, &all)) CPU_SET(k, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(tl_processors(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(limits_of_control_groups, set_up, tear_down),
        cmocka_unit_test(affinity_and_the_machine_bound_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
