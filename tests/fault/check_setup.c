/* check_setup.c - strict mode: whatever system call of the set-up fails, the job's code either does
 * not run at all, or runs behind every layer. Each call that the host's thread, the child, init and
 * the job's process make is made to fail once, with the injector of tests/support/inject.h.
 *
 * The job looks at all layers from the inside and prints "layers: ok" or what is missing, and then
 * everything else that it can see of its world, which must be as in a round without a fault. What
 * it cannot see (its namespaces, its groups and their limits, its user outside, what init kept) is
 * looked at from outside before its first instruction. Calls that may fail without harm are named
 * when the test fails, and when TAKO_TEST_SETUP=list asks for it.
 * SPDX-License-Identifier: MIT */
#include "../support/inject.h"
#include "../support/sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

Suite *suite_setup(void);

#define SETUP_TEXT 16384
#define SETUP_BASE_ROUNDS 8    /* without a fault, before all others */
#define SETUP_PATIENCE_MS 3000 /* for what the engine clears away after a job's end */

/* Prefixed with LANDLOCK and CGROUP_NS, which not every kernel has. */
static const char setup_inside[] =
    "import _socket, os, resource, sys\n"
    "bad = []\n"
    "def check(name, ok, got=''):\n"
    "    if not ok: bad.append('%s %s' % (name, got))\n"
    "def attempt(f, *args):\n"
    "    try: return f(*args)\n"
    "    except OSError as e: return 'errno %d' % e.errno\n"
    "def text(path):\n"
    "    with open(path) as f: return f.read()\n"
    "status = dict(l.split(':', 1) for l in text('/proc/self/status').splitlines())\n"
    "check('user', os.getresuid() == (1000,) * 3, os.getresuid())\n"
    "check('group', os.getresgid() == (1000,) * 3, os.getresgid())\n"
    "check('supplementary groups', os.getgroups() == [], os.getgroups())\n"
    "for k in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'):\n"
    "    check('capabilities: ' + k, int(status[k], 16) == 0, status[k])\n"
    "check('no_new_privs', int(status['NoNewPrivs']) == 1)\n"
    "check('seccomp', int(status['Seccomp']) == 2, status['Seccomp'])\n"
    "check('pid namespace', os.getpid() == 2 and os.getppid() == 1, os.getpid())\n"
    "check('session', os.getsid(0) == os.getpgid(0) == 2, os.getsid(0))\n"
    "check('host name', os.uname().nodename == 'tako', os.uname().nodename)\n"
    "mounts = []\n"
    "for line in text('/proc/self/mountinfo').splitlines():\n"
    "    f = line.split()\n"
    "    options = f[5].split(',')\n"
    "    mounts.append(' '.join(f[3:6] + f[6:]))\n"
    "    check('read-only mount', 'ro' in options or f[4] in ('/tmp', '/output', '/dev/shm', "
    "'/proc'),\n"
    "          line)\n"
    "    check('nosuid mount', 'nosuid' in options or f[4] == '/', line)\n"
    "    check('nodev mount', 'nodev' in options or f[4] == '/' or f[4].startswith('/dev'), line)\n"
    "    check('noexec mount', 'noexec' in options or 'ro' in options, line)\n"
    "for p in ('/root', '/var', '/boot', '/sys', '/etc/shadow', '/proc/sys', '/proc/kcore',\n"
    "          '/proc/1/root', '/proc/1/environ'):\n"
    "    check('root: there is', not os.path.exists(p), p)\n"
    "for p in ('mem', 'maps', 'environ', 'fd'):\n"
    "    r = attempt(os.open, '/proc/1/' + p, os.O_RDONLY)\n"
    "    check('init out of reach', isinstance(r, str), p)\n"
    "fds = [int(n) for n in os.listdir('/proc/self/fd')]\n"
    "fds = [n for n in sorted(fds) if not isinstance(attempt(os.fstat, n), str)]\n"
    "check('descriptors', fds == [0, 1, 2], fds)\n"
    "check('environment', set(os.environ) - {'LC_CTYPE'} == {'PATH', 'HOME', 'LANG', "
    "'XDG_CACHE_HOME',\n"
    "      'MPLCONFIGDIR'}, list(os.environ))\n"
    "for name, most in (('CORE', 1), ('NOFILE', 256), ('FSIZE', 104857600), ('STACK', 8388608),\n"
    "                   ('MEMLOCK', 0), ('SIGPENDING', 256), ('MSGQUEUE', 65536), ('RTPRIO', 0),\n"
    "                   ('NICE', 0)):\n"
    "    soft, hard = resource.getrlimit(getattr(resource, 'RLIMIT_' + name))\n"
    "    check('limit ' + name, 0 <= soft <= most and 0 <= hard <= most, (soft, hard))\n"
    "check('oom_score_adj', text('/proc/self/oom_score_adj') == '1000\\n')\n"
    "if LANDLOCK:\n"
    "    r = attempt(os.open, '/proc/self/comm', os.O_WRONLY)\n"
    "    check('landlock', r == 'errno 13', r)\n"
    "for family in (_socket.AF_INET, _socket.AF_INET6, _socket.AF_NETLINK, _socket.AF_PACKET):\n"
    "    r = attempt(_socket.socket, family, _socket.SOCK_DGRAM)\n"
    "    check('network: family', isinstance(r, str), family)\n"
    "check('umask', status['Umask'].strip() == '0022', status['Umask'])\n"
    "check('signal mask', int(status['SigBlk'], 16) == 0, status['SigBlk'])\n"
    "# SIGPIPE, SIGXFSZ and SIGINT are Python's own doing\n"
    "check('ignored signals', int(status['SigIgn'], 16) == 0x1001000, status['SigIgn'])\n"
    "check('caught signals', int(status['SigCgt'], 16) == 2, status['SigCgt'])\n"
    "proc = sorted(os.listdir('/proc'))\n"
    "check('processes', {p for p in proc if p.isdigit()} <= {'1', '2'}, proc)\n"
    "if CGROUP_NS:\n"
    "    for line in text('/proc/self/cgroup').splitlines():\n"
    "        check('cgroup namespace', line.split(':', 2)[2] == '/', line)\n"
    "print('layers: missing: ' + '; '.join(bad) if bad else 'layers: ok')\n";

/* The rest of its world. */
static const char setup_world[] =
    "for k in ('Umask', 'Uid', 'Gid', 'Groups', 'CoreDumping', 'NoNewPrivs', 'Seccomp',\n"
    "          'Seccomp_filters', 'Speculation_Store_Bypass', 'Threads', 'SigPnd', 'ShdPnd',\n"
    "          'SigBlk', 'SigIgn', 'SigCgt', 'Cpus_allowed', 'Mems_allowed'):\n"
    "    print(k, status.get(k))\n"
    "print(*mounts, sep='\\n')\n"
    "for p in ('/', '/dev', '/etc', '/input', '/output', '/tmp', '/home/sandbox', '/code'):\n"
    "    print(p, sorted(attempt(os.listdir, p)))\n"
    "    for n in ['.'] + sorted(attempt(os.listdir, p)):\n"
    "        s = os.lstat(p + '/' + n)\n"
    "        print(' ', n, oct(s.st_mode), s.st_uid, s.st_gid,\n"
    "              attempt(os.readlink, p + '/' + n), s.st_rdev, attempt(os.access, p + '/' + n, "
    "2))\n"
    "for p in ('/tmp', '/output', '/dev/shm'):\n"
    "    s = os.statvfs(p)\n"
    "    print(p, s.f_blocks * s.f_frsize, s.f_files)\n"
    "print(*[n for n in proc if not n.isdigit()])\n"
    "print(*[p for p in proc if p.isdigit()])\n"
    "print(*[os.readlink('/proc/self/fd/%d' % n).split('[')[0] for n in fds])\n"
    "print(os.fstat(1).st_ino != os.fstat(2).st_ino, attempt(os.read, 0, 1))\n"
    "print(*[attempt(resource.getrlimit, i) for i in range(16)])\n"
    "print(sorted(os.environ.items()), os.getcwd(), sys.argv, sys.path)\n"
    "print(attempt(os.sched_getscheduler, 0), attempt(os.getpriority, 0, 0))\n"
    "for p in ('uid_map', 'gid_map', 'setgroups', 'cgroup', 'oom_score_adj', 'loginuid', "
    "'sessionid'):\n"
    "    print(p, attempt(text, '/proc/self/' + p).split())\n";

/* What the host tells of a round, in memory that it shares with the test. */
struct setup_round {
    int rc; /* of the first call that failed, TAKO_OK = the job has a record */
    char refused[TAKO_ERROR_SIZE];
    bool has_record;
    int attempt;
    tako_status status;
    tako_verdict verdict;
    char error_type[64], message[TAKO_ERROR_SIZE], complaint[1024];
    char out[SETUP_TEXT]; /* all that jobs wrote to stdout, of every attempt */
    size_t out_len;
    char left[200]; /* what was not cleared away; "" = nothing */
};

struct setup_shared {
    bool quit;
    int64_t ahead_us;           /* of the engine's clock: nobody waits for a job's next attempt */
    char skip[TAKO_ERROR_SIZE]; /* why there is no sandbox here */
    struct setup_round now;
};

/* The test's side. */
struct setup {
    struct inject in;
    struct setup_shared *shared;
    char base_out[SETUP_TEXT], base_outside[2048];
    char outside[2048];
    char init_kept[300];
    char breaches[12000];
    struct {
        enum inject_phase phase;
        long nr;
        int count;
    } broken[64]; /* the calls behind them: many rounds that break for one reason are told once */
    int n_broken;
    char harmless[INJECT_PHASES][2000];
    enum inject_phase harmless_phase; /* the last entry, which may become a range */
    long harmless_nr;
    int harmless_attempt, harmless_first, harmless_last;
    size_t harmless_at;
    int n_breaches, n_rounds, n_refused;
};

static const char *const setup_phase_name[INJECT_PHASES] = {"none", "host", "child",
                                                            "init", "job",  "host after the clone"};

static void setup_add(char *to, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void setup_add(char *to, size_t size, const char *fmt, ...)
{
    size_t len = strlen(to);
    va_list args;

    va_start(args, fmt);
    if (len + 1 < size)
        vsnprintf(to + len, size - len, fmt, args);
    va_end(args);
}

/* ---- the host -------------------------------------------------------------------------------- */

static void setup_sleep_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

static int setup_count_fds(void)
{
    DIR *list = opendir("/proc/self/fd");
    int count = 0;

    while (list && readdir(list))
        count++;
    if (list)
        closedir(list);
    return count;
}

/* Once their number has not changed for a while; not less than `least`. */
static int setup_settled_fds(int least)
{
    int count = setup_count_fds(), same, now;

    for (same = 0; same < 25; same++) {
        setup_sleep_ms(4);
        now = setup_count_fds();
        if (now != count)
            same = 0;
        count = now;
    }
    return count > least ? count : least;
}

static int setup_count_mounts(void)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    int c, count = 0;

    while (f && (c = fgetc(f)) != EOF)
        count += c == '\n';
    if (f)
        fclose(f);
    return count;
}

static void setup_take_output(void *ctx, const char *id, int stream, const void *data, size_t len)
{
    struct setup_round *now = &((struct setup_shared *)ctx)->now;

    (void)id;
    if (stream != 1)
        return;
    if (len > sizeof(now->out) - 1 - now->out_len)
        len = sizeof(now->out) - 1 - now->out_len;
    memcpy(now->out + now->out_len, data, len);
    now->out_len += len;
}

static int64_t setup_now_us(void *ctx)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 +
           ((struct setup_shared *)ctx)->ahead_us;
}

static void setup_take_record(struct setup_round *now, const tako_record *rec)
{
    const char *text;

    now->has_record = true;
    now->attempt = tako_record_attempt(rec);
    now->status = tako_record_status(rec);
    now->verdict = tako_record_verdict(rec);
    text = tako_record_error_type(rec);
    snprintf(now->error_type, sizeof(now->error_type), "%s", text ? text : "");
    text = tako_record_error_message(rec);
    snprintf(now->message, sizeof(now->message), "%s", text ? text : "");
    snprintf(now->complaint, sizeof(now->complaint), "%s", tako_record_stderr(rec, NULL));
}

/* One job to its end, also when it goes back to the queue in between. */
static void setup_run(tako *t, const tako_job *job, struct setup_round *now, int64_t *ahead_us)
{
    tako_record *rec = NULL;
    tako_error err;
    tako_id id;
    int rc, tries;

    now->rc = rc = tako_submit(t, job, &id, &err);
    for (tries = 0; rc == TAKO_OK && tries < 2000; tries++) {
        rc = tako_step(t, &err);
        if (rc >= 0)
            rc = tako_wait(t, id.text, 0, &rec, &err);
        if (rc == TAKO_OK)
            break;
        if (now->rc == TAKO_OK && rc != TAKO_ETIMEDOUT) {
            now->rc = rc; /* and once more: what it left is to be done before the next round */
            snprintf(now->refused, sizeof(now->refused), "%s", err.message);
        }
        *ahead_us += 500000;
        setup_sleep_ms(1);
        rc = TAKO_OK;
    }
    if (rec)
        setup_take_record(now, rec);
    else
        snprintf(now->refused, sizeof(now->refused), "%s", err.message);
    tako_record_free(rec);
}

static int setup_layer(void *ctx, const tako_layer *layer)
{
    bool *has = ctx;

    if (strcmp(layer->name, "landlock") == 0)
        has[0] = layer->state != TAKO_LAYER_OFF;
    if (strcmp(layer->name, "cgroup_namespace") == 0)
        has[1] = layer->state == TAKO_LAYER_ON;
    return 0;
}

/* Whatever a job must not inherit, the host has: then a step that was left out shows. True when it
 * has mounts of its own, so that others' do not disturb, and shared ones, so that one that a
 * sandbox lets out is seen here. */
static bool setup_spoil_host(void)
{
    bool own_mounts = false;
    static const int ignored[] = {SIGHUP, SIGTERM, SIGALRM, SIGUSR2, SIGTTIN, SIGWINCH, 64};
    const gid_t group = 12345;
    struct rlimit core;
    size_t i;

    for (i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        signal(ignored[i], SIG_IGN);
    umask(027);
    if (getuid() == 0) {
        ck_assert_int_eq(setgroups(1, &group), 0);
        own_mounts = unshare(CLONE_NEWNS) == 0 &&
                     mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                     mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == 0;
    }
    if (getrlimit(RLIMIT_CORE, &core) == 0) {
        core.rlim_cur = core.rlim_max;
        setrlimit(RLIMIT_CORE, &core);
    }
    setenv("TAKO_TEST_CANARY", "canary", 1);
    ck_assert_int_ge(fcntl(open("/", O_RDONLY | O_DIRECTORY), F_DUPFD, 700), 0);
    return own_mounts;
}

static void setup_host(void *ctx)
{
    struct setup_shared *shared = ctx;
    struct setup_round *now = &shared->now;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    char code[sizeof(setup_inside) + sizeof(setup_world) + 64];
    bool has[2] = {false, false}, own_mounts;
    int fds = -1, more = 0, mounts, tries, round = 0;
    tako_error err;
    tako *t = NULL;

    own_mounts = setup_spoil_host();
    opts.workers = 0;
    opts.clock.now_us = setup_now_us;
    opts.clock.ctx = shared;
    opts.on_output = setup_take_output;
    opts.output_ctx = shared;
    memset(&err, 0, sizeof(err));
    if (tako_open(&t, &opts, &err) || tako_isolation(t, setup_layer, has, &err) ||
        tako_start(t, &err)) {
        snprintf(shared->skip, sizeof(shared->skip), "%s", err.message);
        _exit(4);
    }
    snprintf(code, sizeof(code), "LANDLOCK = %d\nCGROUP_NS = %d\n%s%s", has[0], has[1],
             setup_inside, setup_world);
    job.code = code;
    job.timeout_ms = 10000;
    mounts = setup_count_mounts();
    for (;; round++) {
        inject_ready();
        if (shared->quit)
            break;
        memset(now, 0, sizeof(*now));
        setup_run(t, &job, now, &shared->ahead_us);
        if (round < SETUP_BASE_ROUNDS) /* what is kept ready is being made */
            fds = setup_settled_fds(fds);
        for (tries = 0; tries < SETUP_PATIENCE_MS / 2; tries++) {
            more = setup_count_fds() - fds; /* one look, for the decision and for the report */
            if (more <= 0)
                break;
            setup_sleep_ms(2);
        }
        if (more > 0)
            setup_add(now->left, sizeof(now->left), "%d descriptors; ", more);
        if (own_mounts && setup_count_mounts() != mounts)
            setup_add(now->left, sizeof(now->left), "%d mounts; ", setup_count_mounts() - mounts);
        if (waitpid(-1, NULL, WNOHANG | __WALL) != -1 || errno != ECHILD)
            setup_add(now->left, sizeof(now->left), "a process; ");
    }
    tako_close(t);
}

/* ---- from outside ---------------------------------------------------------------------------- */

static void setup_read(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);

    text[got > 0 ? got : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

/* The limits of a group, of whatever version, as far as they can be found. */
static void setup_see_limits(struct setup *s, const char *controllers, const char *group)
{
    static const char *const files[] = {"memory.limit_in_bytes",
                                        "memory.memsw.limit_in_bytes",
                                        "memory.oom_control",
                                        "memory.max",
                                        "memory.swap.max",
                                        "memory.oom.group",
                                        "pids.max",
                                        "cpu.cfs_quota_us",
                                        "cpu.cfs_period_us",
                                        "cpu.max"};
    char path[600], text[128];
    size_t i, k;

    for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(path, sizeof(path), "/sys/fs/cgroup%s%.100s%.300s/%s", *controllers ? "/" : "",
                 controllers, group, files[i]);
        setup_read(path, text, sizeof(text));
        for (k = 0; text[k]; k++)
            if (text[k] == '\n')
                text[k] = ' ';
        if (*text)
            setup_add(s->outside, sizeof(s->outside), "  %s %s\n", files[i], text);
    }
}

/* One line of /proc/PID/cgroup: the group must be one of the engine's. */
static void setup_see_group(struct setup *s, char *line)
{
    char *controllers = strchr(line, ':'), *group;

    group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return;
    *group++ = '\0';
    controllers++;
    setup_add(s->outside, sizeof(s->outside), "cgroup [%s] %s\n", controllers,
              strstr(group, "/tako-") ? "own" : "the host's");
    if (strstr(group, "/tako-"))
        setup_see_limits(s, controllers, group);
}

static void setup_see_program(void *ctx, pid_t pid)
{
    static const char *const spaces[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};
    char path[64], text[4096], here[128], there[128];
    struct setup *s = ctx;
    struct stat st;
    char *line, *rest;
    ssize_t a, b;
    size_t i;

    s->outside[0] = '\0';
    for (i = 0; i < sizeof(spaces) / sizeof(*spaces); i++) {
        snprintf(path, sizeof(path), "/proc/%ld/ns/%s", (long)s->in.host, spaces[i]);
        a = readlink(path, here, sizeof(here));
        snprintf(path, sizeof(path), "/proc/%ld/ns/%s", (long)pid, spaces[i]);
        b = readlink(path, there, sizeof(there));
        setup_add(s->outside, sizeof(s->outside), "namespace %s: %s\n", spaces[i],
                  b < 0                                           ? strerror(errno)
                  : a == b && memcmp(here, there, (size_t)a) == 0 ? "the host's"
                                                                  : "own");
    }
    snprintf(path, sizeof(path), "/proc/%ld", (long)pid);
    if (stat(path, &st) == 0)
        setup_add(s->outside, sizeof(s->outside), "user: %s\n",
                  st.st_uid == getuid() ? "the host's"
                  : st.st_uid < 65536   ? "another's"
                                        : "own");
    snprintf(path, sizeof(path), "/proc/%ld/cgroup", (long)pid);
    setup_read(path, text, sizeof(text));
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        setup_see_group(s, line);
}

static void setup_see_init_exit(void *ctx, pid_t pid)
{
    static const char *const empty[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};
    char path[64], text[4096];
    struct setup *s = ctx;
    const char *at;
    size_t i;

    if (s->in.programs == 0)
        return;
    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    setup_read(path, text, sizeof(text));
    for (i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
        at = strstr(text, empty[i]);
        if (!at || strtoull(at + strlen(empty[i]), NULL, 16) != 0)
            setup_add(s->init_kept, sizeof(s->init_kept), "init kept %.24s; ", at ? at : empty[i]);
    }
    at = strstr(text, "NoNewPrivs:\t1");
    if (!at)
        setup_add(s->init_kept, sizeof(s->init_kept), "init without no_new_privs; ");
}

/* ---- the judgement of a round ---------------------------------------------------------------- */

/* Calls whose failure nobody can see afterwards: the job may not run without them. */
static bool setup_vital(const struct inject *in)
{
    static const long calls[] = {SYS_setns,
                                 SYS_unshare,
                                 SYS_keyctl,
                                 SYS_capset,
                                 SYS_setgroups,
                                 SYS_mount,
                                 SYS_umount2,
                                 SYS_pivot_root,
                                 SYS_setresuid,
                                 SYS_setresgid,
                                 SYS_prlimit64,
                                 SYS_seccomp,
                                 SYS_sethostname,
                                 SYS_setdomainname,
                                 SYS_setsid,
                                 428 /* open_tree */,
                                 429 /* move_mount */,
                                 436 /* close_range */,
                                 442 /* mount_setattr */,
                                 444,
                                 445,
                                 446 /* landlock */};
    size_t i;

    if (in->phase == INJECT_HOST || in->phase == INJECT_WATCH)
        return in->nr == 444;
    for (i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        if (in->nr == calls[i])
            return true;
    if (in->nr != SYS_prctl)
        return false;
    /* Dropping what comes after the last capability fails anyway: so the end is found. */
    if (in->args[0] == PR_CAPBSET_DROP)
        return prctl(PR_CAPBSET_READ, in->args[1], 0, 0, 0) >= 0;
    return in->args[0] == PR_SET_NO_NEW_PRIVS || in->args[0] == PR_CAP_AMBIENT;
}

/* How many breaches by the same call of the same phase there are now. */
static int setup_count_broken(struct setup *s)
{
    int i;

    for (i = 0; i < s->n_broken; i++)
        if (s->broken[i].phase == s->in.phase && s->broken[i].nr == s->in.nr)
            return ++s->broken[i].count;
    if (i < (int)(sizeof(s->broken) / sizeof(*s->broken))) {
        s->broken[i].phase = s->in.phase;
        s->broken[i].nr = s->in.nr;
        s->broken[i].count = 1;
        s->n_broken++;
    }
    return 1;
}

static void setup_breach(struct setup *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void setup_breach(struct setup *s, const char *fmt, ...)
{
    const struct inject *in = &s->in;
    char text[900], name[32];
    va_list args;

    s->n_breaches++;
    if (setup_count_broken(s) > 3)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (in->fired)
        setup_add(s->breaches, sizeof(s->breaches), "\n  %s: call %d, %s(%ld, ...) = %s: %s",
                  setup_phase_name[in->phase], in->target, inject_call_name(in->nr, name),
                  (long)in->args[0], strerror(in->error), text);
    else
        setup_add(s->breaches, sizeof(s->breaches), "\n  without a fault: %s", text);
}

/* The first line that differs, as the job has it. */
static void setup_differs(const char *base, const char *got, char *out, size_t size)
{
    const char *line = got;

    while (*base && *base == *got) {
        if (*got == '\n')
            line = got + 1;
        base++;
        got++;
    }
    snprintf(out, size, "\"%.*s\"", (int)strcspn(line, "\n"), line);
}

static void setup_judge_program(struct setup *s)
{
    const struct setup_round *now = &s->shared->now;
    char diff[600];

    if (!now->has_record || now->status != TAKO_SUCCEEDED)
        setup_breach(s, "the program was executed, but its record is %s, %s: %s %.300s%s",
                     now->has_record ? tako_status_name(now->status) : "none",
                     tako_verdict_name(now->verdict), now->message, now->complaint,
                     now->out_len > 0 ? " (it had written to stdout)" : "");
    else if (strncmp(now->out, "layers: ok\n", 11) != 0)
        setup_breach(s, "%.*s", (int)strcspn(now->out, "\n"), now->out);
    else if (*s->base_out && strcmp(now->out, s->base_out) != 0) {
        setup_differs(s->base_out, now->out, diff, sizeof(diff));
        setup_breach(s, "not as without a fault, inside: %s", diff);
    } else if (*s->base_outside && strcmp(s->outside, s->base_outside) != 0) {
        setup_differs(s->base_outside, s->outside, diff, sizeof(diff));
        setup_breach(s, "not as without a fault, outside: %s", diff);
    } else if (s->in.fired && setup_vital(&s->in) && now->attempt == 1)
        setup_breach(s, "the program ran all the same");
}

static void setup_judge_refusal(struct setup *s)
{
    const struct setup_round *now = &s->shared->now;

    s->n_refused++;
    if (now->out_len > 0)
        setup_breach(s, "no program was executed, but something wrote \"%.100s\"", now->out);
    if (!now->has_record && (now->rc == TAKO_OK || !now->refused[0]))
        setup_breach(s, "no record and no reason: %d %s", now->rc, now->refused);
    if (now->has_record && (now->status != TAKO_FAILED || now->verdict != TAKO_VERDICT_SETUP))
        setup_breach(s, "no program was executed, but the record is %s, %s",
                     tako_status_name(now->status), tako_verdict_name(now->verdict));
    else if (now->has_record && (strlen(now->message) < 20 || !strchr(now->message, ':') ||
                                 strstr(now->message, "setting up:")))
        setup_breach(s, "the message names no step: \"%s\"", now->message);
}

/* Adds " 7:close", or makes the last entry " 7-8:close". A job that was tried again after a
 * failure is marked with its number of attempts. */
static void setup_note_harmless(struct setup *s)
{
    char *list = s->harmless[s->in.phase], name[32];
    const char *call = inject_call_name(s->in.nr, name);
    int attempt = s->shared->now.attempt, first = s->in.target;

    if (s->harmless_phase == s->in.phase && s->harmless_nr == s->in.nr &&
        s->harmless_attempt == attempt && s->harmless_last + 1 == first) {
        first = s->harmless_first;
        list[s->harmless_at] = '\0';
    }
    s->harmless_phase = s->in.phase;
    s->harmless_nr = s->in.nr;
    s->harmless_attempt = attempt;
    s->harmless_first = first;
    s->harmless_last = s->in.target;
    s->harmless_at = strlen(list);
    setup_add(list, sizeof(s->harmless[0]), " %d", first);
    if (first != s->in.target)
        setup_add(list, sizeof(s->harmless[0]), "-%d", s->in.target);
    setup_add(list, sizeof(s->harmless[0]), ":%s", call);
    if (attempt > 1)
        setup_add(list, sizeof(s->harmless[0]), "(attempt %d)", attempt);
}

static void setup_judge(struct setup *s)
{
    const struct setup_round *now = &s->shared->now;
    int i;

    s->n_rounds++;
    if (s->in.programs > 0)
        setup_judge_program(s);
    else
        setup_judge_refusal(s);
    if (s->init_kept[0])
        setup_breach(s, "%s", s->init_kept);
    if (now->left[0])
        setup_breach(s, "left behind: %s", now->left);
    for (i = 0; i < s->in.n_tasks; i++)
        if (s->in.task[i].role == INJECT_IS_CHILD || s->in.task[i].role == INJECT_IS_INIT ||
            s->in.task[i].role == INJECT_IS_JOB)
            setup_breach(s, "left behind: process %ld", (long)s->in.task[i].pid);
    if (s->in.job && s->in.programs && kill(s->in.job, 0) == 0)
        setup_breach(s, "left behind: the job's process %ld", (long)s->in.job);
    if (s->in.fired && s->in.programs > 0)
        setup_note_harmless(s);
}

static void setup_tell(const struct setup *s)
{
    int i;

    for (i = INJECT_HOST; i < INJECT_PHASES; i++)
        fprintf(stderr, "%s, failed and the program ran:%s\n", setup_phase_name[i], s->harmless[i]);
    fprintf(stderr, "%d rounds, %d refused\n", s->n_rounds, s->n_refused);
}

static void setup_fail(struct setup *s)
{
    char name[32];
    int i;

    s->shared->quit = true;
    if (s->in.trouble[0] || inject_finish(&s->in) != 0) /* else it has cleared everything away */
        inject_kill(&s->in);
    setup_tell(s);
    fprintf(stderr, "%d breaches:%s\n", s->n_breaches, s->breaches);
    for (i = 0; i < s->n_broken; i++)
        if (s->broken[i].nr >= 0)
            fprintf(stderr, "  %s, %s: %d in all\n", setup_phase_name[s->broken[i].phase],
                    inject_call_name(s->broken[i].nr, name), s->broken[i].count);
    ck_abort_msg("%d breaches in %d rounds (all on stderr): %.1500s", s->n_breaches, s->n_rounds,
                 s->breaches);
}

static void setup_round(struct setup *s, enum inject_phase phase, int target, int error)
{
    int rc;

    s->outside[0] = s->init_kept[0] = '\0';
    alarm(60);
    rc = inject_round(&s->in, phase, target, error);
    alarm(0);
    if (rc < 0) {
        setup_breach(s, "%s", s->in.trouble);
        setup_fail(s);
    }
    setup_judge(s);
}

/* ---- the rounds ------------------------------------------------------------------------------ */

static void setup_base(struct setup *s)
{
    int i;

    for (i = 0; i < SETUP_BASE_ROUNDS; i++) {
        setup_round(s, INJECT_NONE, 0, 0);
        if (s->in.programs != 1)
            setup_breach(s, "the program did not run: %s", s->shared->now.message);
        if (i == 0) {
            memcpy(s->base_out, s->shared->now.out, sizeof(s->base_out));
            memcpy(s->base_outside, s->outside, sizeof(s->base_outside));
        }
        if (s->n_breaches)
            setup_fail(s);
    }
}

/* Fails the calls `first`, `first` + `step`, ... of a phase until a round has no such call. */
static void setup_phase(struct setup *s, enum inject_phase phase, int first, int step)
{
    static const int errors[] = {ENOMEM, EINTR, EAGAIN, ENOSYS, EINVAL, ENOSPC};
    int k, n = 0;

    for (k = first;; k += step) {
        setup_round(s, phase, k, step == 1 ? EPERM : errors[n % 6]);
        if (!s->in.fired)
            break;
        if (++n % 20 == 0) /* the engine is as good as new */
            setup_round(s, INJECT_NONE, 0, 0);
    }
    ck_assert_msg(step > 1 || n >= 5, "the %s made only %d calls: the injector does not see them",
                  setup_phase_name[phase], n);
}

static void setup_alarm(int signal)
{
    (void)signal; /* waitpid returns */
}

static void setup_all(void)
{
    struct setup *s = calloc(1, sizeof(*s));
    struct sigaction act;
    int i, rc;

    ck_assert_ptr_nonnull(s);
    if (*test_sanitizer()) {
        skip_or_fail("ptrace", "a sanitizer's run-time makes calls of its own");
        free(s);
        return;
    }
    memset(&act, 0, sizeof(act));
    act.sa_handler = setup_alarm;
    sigaction(SIGALRM, &act, NULL);
    s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0);
    ck_assert(s->shared != MAP_FAILED);
    s->in.at_program = setup_see_program;
    s->in.at_init_exit = setup_see_init_exit;
    s->in.ctx = s;
    rc = inject_start(&s->in, setup_host, s->shared);
    if (rc != 0) {
        ck_assert_msg(rc > 0 || s->shared->skip[0], "%s", s->in.trouble);
        skip_or_fail(rc > 0 ? "ptrace" : "native", rc > 0 ? s->in.trouble : s->shared->skip);
        goto out;
    }
    setup_base(s);
    for (i = INJECT_HOST; i < INJECT_PHASES; i++)
        setup_phase(s, (enum inject_phase)i, 1, 1);
    for (i = INJECT_HOST; i < INJECT_PHASES; i++)
        setup_phase(s, (enum inject_phase)i, 3, 11);
    setup_round(s, INJECT_NONE, 0, 0);
    if (s->n_breaches)
        setup_fail(s);
    s->shared->quit = true;
    ck_assert_msg(inject_finish(&s->in) == 0, "%s", s->in.trouble);
    if (getenv("TAKO_TEST_SETUP"))
        setup_tell(s);
out:
    munmap(s->shared, sizeof(*s->shared));
    free(s);
}

START_TEST(no_failing_call_lets_code_run_without_a_layer_as_root)
{
    if (getuid() == 0)
        setup_all();
    else
        skip_or_fail("root", "the set-up as root takes root; as a user it is tried");
}
END_TEST

START_TEST(no_failing_call_lets_code_run_without_a_layer_as_user)
{
    sandbox_as_user(setup_all);
}
END_TEST

Suite *suite_setup(void)
{
    Suite *s = suite_create("setup");
    TCase *c = tcase_create("setup");

    tcase_set_timeout(c, 600);
    tcase_add_test(c, no_failing_call_lets_code_run_without_a_layer_as_root);
    tcase_add_test(c, no_failing_call_lets_code_run_without_a_layer_as_user);
    suite_add_tcase(s, c);
    return s;
}
