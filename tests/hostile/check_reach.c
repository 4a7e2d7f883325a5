/* check_reach.c - what a job type lets its jobs reach: the host's network, and directories and files of
 * the host. Programs try to get more out of it than was given, in every mode that this machine gives.
 * SPDX-License-Identifier: MIT */
#include "../../src/exec.h"
#include "types.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

Suite *suite_reach(void);

/* ---- network --------------------------------------------------------------------------------- */

static int types_listen(int family, const void *address, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, address, len), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

/* The host's files that a job with network reads as they are. */
static const char types_network_files[] =
    "import os\n"
    "for p in ('/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf'):\n"
    "    try: print(p, open(p).read())\n"
    "    except FileNotFoundError: print(p, 'none')\n";

static void types_expect_files(char *out, size_t size)
{
    static const char *const names[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"};
    char text[8192];
    size_t i, len = 0;

    for (i = 0; i < 3; i++) {
        if (tako__read_small(names[i], text, sizeof(text)) < 0)
            snprintf(text, sizeof(text), "none");
        len += (size_t)snprintf(out + len, size - len, "%s %s\n", names[i], text);
        ck_assert_uint_lt(len, size);
    }
}

static const char types_network[] =
    "import asyncio, errno, os, socket, struct\n"
    "bare, port, name = %d, %d, '\\0' + '%s'\n"
    "s = socket.create_connection(('127.0.0.1', port), timeout=10)\n"
    "assert s.getpeername()[1] == port; s.close()\n"
    /* servers, datagrams, options */
    "a = socket.socket(); a.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
    "a.bind(('127.0.0.1', 0)); a.listen()\n"
    "b = socket.create_connection(a.getsockname())\n"
    "b.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); b.sendall(b'x')\n"
    "assert a.accept()[0].recv(1) == b'x'\n"
    "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))\n"
    "u.sendto(b'y', u.getsockname()); assert u.recv(1) == b'y'\n"
    "try: v6 = socket.socket(socket.AF_INET6)\n"
    "except OSError as e: assert e.errno == errno.EAFNOSUPPORT and not os.path.exists("
    "'/proc/net/if_inet6')\n"
    "else: v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)\n"
    "async def f():\n"
    "    s = await asyncio.start_server(lambda r, w: (w.write(b'z'), w.close()), '127.0.0.1', 0)\n"
    "    r, w = await asyncio.open_connection(*s.sockets[0].getsockname())\n"
    "    assert await r.read() == b'z'; w.close()\n"
    "asyncio.run(f())\n"
    /* and nothing else */
    "for family in range(1, 46):\n"
    "    for kind in (1, 2, 3, 4, 5, 10):\n"
    "        for protocol in (0, 1, 2, 58, 132, 136, 255, 262):\n"
    "            try: socket.socket(family, kind, protocol).close()\n"
    "            except OSError: continue\n"
    "            if family == socket.AF_UNIX and not bare: continue\n"
    "            if family in (2, 10) and kind in (1, 2) and protocol == 0: continue\n"
    "            print('family', family, kind, protocol)\n"
    "def refused(f, *args):\n"
    "    try: f(*args); print('not refused', f, args)\n"
    "    except PermissionError: pass\n"
    "    except OSError as e: assert e.errno == errno.ENOPROTOOPT, e\n"
    "for level, option in ((1, 26), (1, 50), (1, 51), (6, 31), (17, 100), (263, 1)):\n"
    "    refused(a.setsockopt, level, option, struct.pack('16x'))\n"
    /* the host's abstract sockets are in the same namespace */
    "if not bare:\n"
    "    refused(socket.socket(socket.AF_UNIX).connect, name)\n"
    "    d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
    "    refused(d.connect, name + 'd'); refused(d.sendto, b'x', name + 'd')\n"
    "    refused(d.sendmsg, [b'x'], [], 0, name + 'd')\n"
    "    p = socket.socket(socket.AF_UNIX); p.bind(name + 'own'); p.listen()\n"
    "    socket.socket(socket.AF_UNIX).connect(name + 'own')\n"
    "print('ok')\n";

static const char types_no_network[] =
    "import socket\n"
    "for family in (socket.AF_INET, socket.AF_INET6):\n"
    "    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
    "        try: socket.socket(family, kind); print('a socket', family)\n"
    "        except OSError: pass\n"
    "try: socket.create_connection(('127.0.0.1', %d)); print('connected')\n"
    "except OSError: pass\n"
    "if not %d:\n"
    "    assert len(open('/proc/self/net/route').read().splitlines()) <= 1\n"
    "    names = [l.split(':')[0].strip() for l in open('/proc/self/net/dev') if ':' in l]\n"
    "    assert set(names) <= {'lo', 'tunl0', 'sit0', 'gre0', 'gretap0', 'erspan0', 'ip_vti0',\n"
    "        'ip6_vti0', 'ip6tnl0', 'ip6gre0'}, names\n"
    "    try: socket.socket(socket.AF_UNIX).connect('\\0' + '%s'); print('reached')\n"
    "    except OSError: pass\n"
    "    assert '127.0.0.1' in open('/etc/hosts').read()\n"
    "print('ok')\n";

static void network_body(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t in_len = sizeof(in), un_len;
    char name[64], expected[16384];
    struct tako__task task;
    struct types_run r;
    int tcp, abstract, datagrams;
    void *self = types_open();

    if (!self)
        return;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    tcp = types_listen(AF_INET, &in, sizeof(in));
    ck_assert_int_eq(getsockname(tcp, (struct sockaddr *)&in, &in_len), 0);
    snprintf(name, sizeof(name), "tako-types-%d", (int)getpid());
    memcpy(un.sun_path + 1, name, strlen(name));
    un_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    abstract = types_listen(AF_UNIX, &un, un_len);
    un.sun_path[1 + strlen(name)] = 'd';
    datagrams = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(datagrams, (struct sockaddr *)&un, un_len + 1), 0);

    task = types_task(types_code(types_network, types_bare(), ntohs(in.sin_port), name));
    task.network = true;
    r.ready = -1;
    types_prints(self, &task, "ok\n");
    types_run(self, &task, &r);
    ck_assert_msg(strstr(r.outcome.isolation, "\"network_namespace\":\"off: the job type has "
                                              "network: it is the host's\"") != NULL,
                  "%s", r.outcome.isolation);
    task = types_task(types_network_files);
    task.network = true;
    types_expect_files(expected, sizeof(expected));
    types_prints(self, &task, expected);
    task = types_task("import os, ssl\n"
                      "p = '/etc/ssl/certs'\n"
                      "print(sum(os.path.exists(p + '/' + n) for n in os.listdir(p)) if "
                      "os.path.exists(p) else 0)\n");
    task.network = true;
    types_run(self, &task, &r);
    if (access("/etc/ssl/certs/ca-certificates.crt", F_OK) == 0)
        ck_assert_msg(atoi(r.text[0]) > 10, "%s%s", r.text[0], r.text[1]);

    task = types_task(types_code(types_no_network, ntohs(in.sin_port), types_bare(), name));
    types_prints(self, &task, "ok\n");
    types_run(self, &task, &r);
    ck_assert_int_eq(strstr(r.outcome.isolation, "\"network_namespace\":\"on\"") != NULL,
                     !types_bare());
    close(tcp);
    close(abstract);
    close(datagrams);
    types_close(self);
}
START_TEST(network_is_what_the_type_says)
{
    types_in(_i, network_body);
}
END_TEST

/* An older kernel cannot close the host's abstract sockets off. */
static void old_landlock_body(void)
{
    struct sock_filter insns[] = {
        HOST_LOAD(nr),
        HOST_IF(BPF_JEQ, 444, 0, 1),
        HOST_RETURN(SECCOMP_RET_ERRNO | ENOSYS),
        HOST_RETURN(SECCOMP_RET_ALLOW),
    };
    struct tako__task task = types_task("print('ok')\n");
    void *self;

    host_filter(insns, sizeof(insns) / sizeof(insns[0]));
    self = types_open();
    if (!self)
        return;
    types_prints(self, &task, "ok\n");
    task.network = true;
    types_refused(self, &task,
                  "network: strict mode refuses a job with network where the abstract "
                  "unix sockets of the host would be in its reach");
    types_close(self);
}
START_TEST(strict_mode_refuses_network_without_landlock)
{
    if (_i == AS_ROOT || _i == AS_USER)
        types_in(_i, old_landlock_body);
}
END_TEST

/* A root of its own that is the host's /usr, and little more. */
static void rootfs_body(void)
{
    struct tako__task task = types_task(types_network_files);
    char expected[16384], *third;
    struct types_run r;
    void *self;

    types_mkdir("root");
    types_mkdir("root/etc");
    ck_assert_int_eq(symlink("/usr/bin", types_path("root/bin")), 0);
    ck_assert_int_eq(symlink("/usr/lib", types_path("root/lib")), 0);
    ck_assert_int_eq(symlink("/usr/lib64", types_path("root/lib64")), 0);
    types_mkdir("root/usr");
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mount("/usr", types_path("root/usr"), NULL, MS_BIND, NULL), 0);
    self = types_open_with(NULL, NULL, types_path("root"));
    if (!self)
        return;
    task.network = true;
    types_refused(self, &task, "network: the host's /etc/resolv.conf cannot be shown to the job");
    types_file("root/etc/resolv.conf", "", 0644);
    types_file("root/etc/hosts", "", 0644);
    types_file("root/etc/nsswitch.conf", "of the root", 0644);
    types_expect_files(expected, sizeof(expected));
    third = strstr(expected, "/etc/nsswitch.conf");
    ck_assert_ptr_nonnull(third);
    snprintf(third, 64, "/etc/nsswitch.conf of the root\n");
    types_prints(self, &task, expected);
    r.ready = -1;
    types_run(self, &task, &r);
    ck_assert_ptr_nonnull(strstr(r.outcome.isolation, "\"private_files\":\"weaker: the job has "));
    types_close(self);
    ck_assert_int_eq(umount2(types_path("root/usr"), MNT_DETACH), 0);
}
START_TEST(a_root_of_its_own_shows_the_hosts_names_where_it_has_room)
{
    if (strcmp(test_sanitizer(), "thread") == 0 || getuid() != 0)
        return;
    types_in(AS_ROOT, rootfs_body);
}
END_TEST

/* ---- mounts ---------------------------------------------------------------------------------- */

/* Tries everything on `d` that could change it, and prints what succeeded. */
static const char types_intruder[] =
    "import ctypes, errno, fcntl, mmap, os, socket\n"
    "d, bare = '%s', %d\n"
    "def refused(what, f, *args):\n"
    "    try: r = f(*args)\n"
    "    except OSError: return\n"
    "    print(what)\n"
    "f = d + '/file'\n"
    "assert open(f).read() == 'of the host'\n"
    "assert open(d + '/sub/deep').read() == 'deep'\n"
    "for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_RDONLY | os.O_TRUNC,\n"
    "              os.O_WRONLY | os.O_APPEND):\n"
    "    refused('open %%o' %% flags, os.open, f, flags)\n"
    "refused('create', os.open, d + '/new', os.O_CREAT | os.O_WRONLY)\n"
    "refused('tmpfile', os.open, d, os.O_TMPFILE | os.O_RDWR)\n"
    "refused('truncate', os.truncate, f, 0)\n"
    "refused('unlink', os.unlink, f)\n"
    "refused('rename', os.rename, f, d + '/other')\n"
    "refused('rename in', os.rename, '%s', d + '/other')\n"
    "refused('rename out', os.rename, f, '%s/out')\n"
    "refused('link', os.link, f, d + '/link')\n"
    "refused('link out', os.link, f, '%s/link')\n"
    "refused('symlink', os.symlink, 'x', d + '/link')\n"
    "refused('mkdir', os.mkdir, d + '/x')\n"
    "refused('rmdir', os.rmdir, d + '/sub')\n"
    "refused('rmdir itself', os.rmdir, d)\n"
    "refused('move itself', os.rename, d, '%s/moved')\n"
    "refused('fifo', os.mkfifo, d + '/fifo')\n"
    "refused('xattr', os.setxattr, f, 'user.x', b'x')\n"
    "if not bare:\n" /* there these succeed and do nothing */
    "    refused('chmod', os.chmod, f, 0o777)\n"
    "    refused('utime', os.utime, f)\n"
    "refused('chown', os.chown, f, os.getuid(), os.getgid())\n"
    "fd = os.open(f, os.O_RDONLY)\n"
    "refused('shared map', mmap.mmap, fd, 11, mmap.MAP_SHARED, mmap.PROT_WRITE)\n"
    "refused('fchmod', os.fchmod, fd, 0o777) if not bare else None\n"
    "refused('through proc', os.open, '/proc/self/fd/%%d' %% fd, os.O_WRONLY)\n"
    "refused('socket', socket.socket(socket.AF_UNIX).bind, d + '/s') if not bare else None\n"
    "c = ctypes.CDLL(None, use_errno=True)\n"
    "if c.mount(b'none', d.encode(), None, 32 | 4096, None) == 0: print('remount')\n"
    "if c.mount(b'none', d.encode(), None, 32, None) == 0: print('remount of the file system')\n"
    "if c.mount(b'/tmp', d.encode(), None, 4096, None) == 0: print('mount')\n"
    "if c.umount2(d.encode(), 2) == 0: print('umount')\n"
    "if c.syscall(442, -100, d.encode(), 0, (ctypes.c_uint64 * 4)(0, 1), 32) == 0: print('attr')\n"
    /* links lead to what the job sees */
    "for n in ('shadow', 'up', 'root'):\n"
    "    p = d + '/' + n\n"
    "    assert os.readlink(p)\n"
    "    refused('link ' + n, os.open, p, os.O_RDONLY)\n"
    "if not bare:\n"
    "    s = os.statvfs(d)\n"
    "    assert s.f_flag & os.ST_RDONLY and s.f_flag & os.ST_NOSUID and s.f_flag & os.ST_NODEV\n"
    "    assert os.stat(d + '/file').st_mode & 0o777 == 0o644\n"
    "    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n" /* which the host holds */
    "    line = [l for l in open('/proc/self/mountinfo') if ' %%s ' %% d in l][0]\n"
    "    assert 'tako-types' not in line.replace(d, ''), line\n"
    "print('ok')\n";

static void mounts_body(void)
{
    static const char *const places[] = {
        "/opt/types/shared", "/app/shared_code", "/srv",      "/tmp/site-packages",
        "/run/user/x",       "/home/sandbox/.x", "/etc/tako", "/app"};
    struct tako__mount mount = {types_path("shared"), NULL, false};
    void *self = types_open();
    struct tako__task task;
    struct types_run r;
    size_t i;
    int held;

    if (!self)
        return;
    types_make_shared();
    held = open(types_path("shared/file"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(flock(held, LOCK_EX | LOCK_NB), 0);
    for (i = 0; i < (types_bare() ? 1 : sizeof(places) / sizeof(places[0])); i++) {
        mount.inside = types_bare() ? mount.host : places[i];
        task = types_task(types_code(types_intruder, mount.inside, types_bare(), "/input/data.json",
                                     "/tmp", "/tmp", "/tmp"));
        task.mounts = &mount;
        task.n_mounts = 1;
        types_prints(self, &task, "ok\n");
    }
    r.ready = -1;
    types_run(self, &task, &r);
    if (types_mode == AS_ROOT)
        ck_assert_ptr_nonnull(strstr(r.outcome.isolation, "\"private_files\":\"on\""));
    if (types_bare()) {
        mount.inside = "/opt/x";
        types_refused(self, &task, "without namespaces jobs see the host's own paths");
    }
    close(held);
    types_close(self);
}
START_TEST(a_mount_is_read_only_whatever_the_job_tries)
{
    types_in(_i, mounts_body);
}
END_TEST

static void many_mounts_body(void)
{
    struct tako__mount mounts[] = {
        {types_path("shared"), "/opt/a", false},
        {types_path("shared/sub"), "/opt/a/sub", false}, /* on what the first one shows */
        {types_path("secret"), "/opt/b/one.txt", false},
        {types_path("shared/sub"), "/app/c", false},
        {types_path("secret"), "/usr/bin/env", false}, /* over a file of the view */
    };
    struct tako__task task = types_task(
        "import os\n"
        "assert sorted(os.listdir('/opt')) == ['a', 'b'] and os.listdir('/app') == ['c']\n"
        "assert sorted(os.listdir('/opt/a')) == ['file', 'root', 'shadow', 'sub', 'up']\n"
        "assert os.listdir('/opt/a/sub') == os.listdir('/app/c') == ['deep']\n"
        "assert open('/opt/b/one.txt').read() == open('/usr/bin/env').read()\n"
        "for p in ('/opt/b/one.txt', '/opt/b/two.txt', '/opt/x', '/usr/bin/env'):\n"
        "    try: open(p, 'w'); print('could write', p)\n"
        "    except OSError: pass\n"
        "print('ok')\n");
    struct types_run r;
    void *self = types_open();

    if (!self)
        return;
    types_make_shared();
    task.mounts = mounts;
    task.n_mounts = 5;
    types_prints(self, &task, "ok\n");
    r.ready = -1;
    types_run(self, &task, &r);
    ck_assert_ptr_nonnull(strstr(r.outcome.isolation, "\"private_files\":\"weaker: "));
    mounts[0].host = types_path("shared/../secret");
    mounts[0].inside = "/bin/thing"; /* /bin is a link: never gone through */
    task.n_mounts = 1;
    if (access("/bin/thing", F_OK) < 0)
        types_refused(self, &task, "mounts: a place at /bin");
    mounts[0].inside = "/usr/no-such-place"; /* read-only */
    types_refused(self, &task, "(mounts: a place at /usr/no-such-place): Read-only file system");
    types_close(self);
}
START_TEST(directories_and_files_are_mounted_where_they_are_wanted)
{
    if (_i < BARE_USER)
        types_in(_i, many_mounts_body);
}
END_TEST

/* An overlay of overlays that has the greatest depth there is: none goes on top of it. */
static void stacked_body(void)
{
    struct tako__mount top = {NULL, "/opt/stacked", false};
    struct tako__task task = types_task("print(open('/opt/stacked/file').read())\n"
                                        "try: open('/opt/stacked/file', 'w'); print('written')\n"
                                        "except OSError: pass\n");
    char options[512], name[32];
    struct types_run r;
    void *self;
    int depth;

    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    types_mkdir("empty");
    types_mkdir("at0");
    types_file("at0/file", "below", 0644);
    top.host = types_path("at0");
    for (depth = 1; depth < 8; depth++) {
        snprintf(name, sizeof(name), "at%d", depth);
        types_mkdir(name);
        snprintf(options, sizeof(options), "lowerdir=%s:%s", top.host, types_path("empty"));
        if (mount("overlay", types_path(name), "overlay", MS_RDONLY, options) < 0)
            break;
        top.host = types_path(name);
    }
    if (depth == 1) {
        skip_or_fail("overlay", "no overlay of the test's own can be mounted here");
        return;
    }
    self = types_open();
    if (!self)
        return;
    task.mounts = &top;
    task.n_mounts = 1;
    types_prints(self, &task, "below\n");
    r.ready = -1;
    types_run(self, &task, &r);
    ck_assert_ptr_nonnull(strstr(r.outcome.isolation, "\"private_files\":\"weaker: the job has "));
    types_close(self);
    while (--depth > 0) {
        snprintf(name, sizeof(name), "at%d", depth);
        ck_assert_int_eq(umount2(types_path(name), MNT_DETACH), 0);
    }
}
START_TEST(a_directory_that_no_overlay_takes_is_bound_and_the_record_says_so)
{
    if (strcmp(test_sanitizer(), "thread") == 0 || getuid() != 0)
        return;
    types_in(AS_ROOT, stacked_body);
}
END_TEST

static void mount_faults_body(void)
{
    static const struct {
        const char *inside, *words;
    } faults[] = {
        {NULL, "is not an absolute path"},
        {"opt/x", "is not an absolute path"},
        {"/", "has an empty part"},
        {"/opt//x", "has an empty part"},
        {"/opt/", "has an empty part"},
        {"/opt/../proc", "has a part \".\" or \"..\""},
        {"/./opt", "has a part \".\" or \"..\""},
        {"/opt/..", "has a part \".\" or \"..\""},
        {"/proc", "that the sandbox keeps for itself"},
        {"/proc/self", "that the sandbox keeps for itself"},
        {"/dev/shm", "that the sandbox keeps for itself"},
        {"/sys/x", "that the sandbox keeps for itself"},
        {"/code", "that the sandbox keeps for itself"},
        {"/input/x", "that the sandbox keeps for itself"},
        {"/output", "that the sandbox keeps for itself"},
        {"/tmp", "that the sandbox keeps for itself"},
        {"/run", "that the sandbox keeps for itself"},
        {"/run/secrets", "that the sandbox keeps for itself"},
        {"/run/secrets/x", "that the sandbox keeps for itself"},
    };
    struct tako__mount mount = {types_path("shared"), NULL, false}, many[33];
    struct tako__task task = types_task("print('ran')\n");
    void *self = types_open();
    size_t i;

    if (!self)
        return;
    types_make_shared();
    task.mounts = &mount;
    task.n_mounts = 1;
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        mount.inside = faults[i].inside;
        types_refused(self, &task, faults[i].words);
        types_refused(self, &task, "mounts[0]: the path inside, \"");
    }
    mount.inside = mount.host = types_path("shared/shadow");
    types_refused(self, &task, "shared/shadow is a symbolic link");
    mount.inside = mount.host = types_path("missing");
    types_refused(self, &task, "missing: No such file or directory");
    mount.inside = mount.host = types_path("fifo");
    ck_assert_int_eq(mkfifo(mount.host, 0644), 0);
    types_refused(self, &task, "fifo is neither a directory nor a file");
    mount.inside = "/opt/x";
    mount.host = "relative";
    types_refused(self, &task, "mounts[0]: the host's path must be absolute");
    if (types_mode == AS_USER || types_mode == DELEGATED) {
        mount.host = "/usr";
        mount.writable = true;
        types_refused(self, &task, "mounts: /usr is to be writable, and this user may not");
    }
    for (i = 0; i < 33; i++)
        many[i] = mount;
    task.mounts = many;
    task.n_mounts = 33;
    types_refused(self, &task, "mounts: 33 are more than 32");
    types_close(self);
}
START_TEST(a_mount_that_cannot_be_is_refused)
{
    types_in(_i, mount_faults_body);
}
END_TEST

static void writable_body(void)
{
    struct tako__mount mount = {types_path("made"), "/opt/made", true};
    const char *inside = types_bare() ? mount.host : mount.inside;
    void *self = types_open();
    struct tako__task task;
    struct stat st;
    char text[64];

    if (!self)
        return;
    types_mkdir("made");
    mount.inside = inside;
    task = types_task(types_code(
        "import os\n"
        "d, bare = '%s', %d\n"
        "open(d + '/file', 'w').write('made'); os.mkdir(d + '/pkg')\n"
        "open(d + '/pkg/x.py', 'w').write('value = 7\\n')\n"
        "os.rename(d + '/file', d + '/pkg/file'); os.symlink('pkg/file', d + '/link')\n"
        "assert open(d + '/link').read() == 'made'\n"
        "open(d + '/program', 'w').write('#!/bin/sh\\n'); os.chmod(d + '/program', 0o4755)\n"
        "if not bare:\n"
        "    f = os.statvfs(d).f_flag; assert f & os.ST_NOSUID and f & os.ST_NODEV\n"
        "try: os.mknod(d + '/null', 0o20666, os.makedev(1, 3)); print('a device')\n"
        "except OSError: pass\n"
        "try: open(os.path.dirname(d) + '/x', 'w'); print('beside it')\n"
        "except OSError: pass\n"
        "print('ok')\n",
        inside, types_bare()));
    task.mounts = &mount;
    task.n_mounts = 1;
    types_prints(self, &task, "ok\n");
    ck_assert_int_eq(tako__read_small(types_path("made/pkg/file"), text, sizeof(text)), 4);
    ck_assert_int_eq(stat(types_path("made/pkg/x.py"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0644);
    ck_assert_int_ne(st.st_uid, types_mode == AS_ROOT ? 0 : (uid_t)-1);

    /* Another job, of another user, reads it and cannot change it. */
    mount.writable = false;
    task = types_task(types_code("import sys; sys.path.insert(0, '%s')\n"
                                 "sys.dont_write_bytecode = True\n"
                                 "from pkg import x; print(x.value)\n"
                                 "try: open('%s/pkg/x.py', 'w'); print('written')\n"
                                 "except OSError: pass\n",
                                 inside, inside));
    task.mounts = &mount;
    task.n_mounts = 1;
    types_prints(self, &task, "7\n");
    types_close(self);
}
START_TEST(what_is_made_in_a_writable_mount_is_read_by_others)
{
    types_in(_i, writable_body);
}
END_TEST

Suite *suite_reach(void)
{
    Suite *s = suite_create("reach");
    TCase *c = tcase_create("reach");

    tcase_set_timeout(c, 180);
    tcase_add_loop_test(c, network_is_what_the_type_says, 0, TYPES_MODES);
    tcase_add_loop_test(c, strict_mode_refuses_network_without_landlock, 0, BARE_USER);
    tcase_add_test(c, a_root_of_its_own_shows_the_hosts_names_where_it_has_room);
    tcase_add_loop_test(c, a_mount_is_read_only_whatever_the_job_tries, 0, TYPES_MODES);
    tcase_add_loop_test(c, directories_and_files_are_mounted_where_they_are_wanted, 0, BARE_USER);
    tcase_add_test(c, a_directory_that_no_overlay_takes_is_bound_and_the_record_says_so);
    tcase_add_loop_test(c, a_mount_that_cannot_be_is_refused, 0, TYPES_MODES);
    tcase_add_loop_test(c, what_is_made_in_a_writable_mount_is_read_by_others, 0, TYPES_MODES);
    suite_add_tcase(s, c);
    return s;
}
