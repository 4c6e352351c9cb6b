/* processors.c - how many processors this process may keep busy. SPDX-License-Identifier: MIT
 *
 * A container with a CPU limit sees all processors of the machine, but the kernel stops it for the rest of each period
 * once its quota is used up: more threads than the quota feeds only wait for each other. The files are described in
 * the kernel's documentation, admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst. */
#include "processors.h"
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Two words of a file, or of two files with a word each. */
static bool words(const char *dir, const char *name, const char *format, double *a, double *b)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path) return false;
    FILE *f = fopen(path, "r");
    if (!f) return false;
    int n = b ? fscanf(f, format, a, b) : fscanf(f, format, a);
    fclose(f);
    return n == (b ? 2 : 1);
}

/* The limit of one group; 0: none. "max 100000", or quota -1, is none. */
static double limit_of(const char *dir, bool v2)
{
    double quota = 0, period = 0;
    bool found = v2 ? words(dir, "cpu.max", "%lf %lf", &quota, &period)
                    : words(dir, "cpu.cfs_quota_us", "%lf", &quota, NULL) &&
                          words(dir, "cpu.cfs_period_us", "%lf", &period, NULL);
    return found && quota > 0 && period > 0 ? quota / period : 0;
}

/* The tightest limit of a group and all above it. Inside a container the path is often the host's, of which only the
 * upper end is there: what is missing has no limit. */
static double tightest(const char *root, const char *mount, const char *group, bool v2)
{
    char dir[4096];
    double least = 0;
    int n = snprintf(dir, sizeof dir, "%s/sys/fs/cgroup%s%s", root, mount, group);
    size_t top = strlen(root) + strlen("/sys/fs/cgroup") + strlen(mount);
    if (n >= (int)sizeof dir) return 0;
    for (;;) {
        double limit = limit_of(dir, v2);
        if (limit > 0 && (least == 0 || limit < least)) least = limit;
        char *slash = strrchr(dir, '/');
        if (strlen(dir) <= top || !slash) return least;
        *slash = 0;
    }
}

/* Whether a list of controllers, "cpu,cpuacct", has this one. */
static bool has(const char *list, const char *controller)
{
    size_t n = strlen(controller);
    for (const char *s = list; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
        if (!strncmp(s, controller, n) && (s[n] == ',' || !s[n])) return true;
    return false;
}

/* One line of /proc/self/cgroup, "id:controllers:path"; version 2 has no controllers there. */
static double limit_in(const char *root, char *line)
{
    char mount[256];
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path) return 0;
    *path++ = 0;
    path[strcspn(path, "\n")] = 0;
    controllers++;
    if (!*controllers) return tightest(root, "", path, true);
    if (!has(controllers, "cpu")) return 0;
    snprintf(mount, sizeof mount, "/%s", controllers);
    double joint = tightest(root, mount, path, false);
    return joint > 0 ? joint : tightest(root, "/cpu", path, false);
}

double tl_cgroup_limit(const char *root)
{
    char line[4096];
    double least = 0;
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *f = fopen(line, "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f)) {
        double limit = limit_in(root, line);
        if (limit > 0 && (least == 0 || limit < least)) least = limit;
    }
    fclose(f);
    return least;
}

int tl_processors(void)
{
    cpu_set_t allowed;
    int n = sched_getaffinity(0, sizeof allowed, &allowed) ? (int)sysconf(_SC_NPROCESSORS_ONLN) : CPU_COUNT(&allowed);
    double limit = tl_cgroup_limit("");
    if (limit > 0 && limit < n) n = (int)ceil(limit);
    return n > 1 ? n : 1;
}
