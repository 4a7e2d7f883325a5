/* config_keys.c - the one table of the configuration's keys, with the rules of single texts.
 * docs/configuration.md is checked against what is made from it by the tests.
 *
 * To add a key: a row here, a row there. SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#define KEYS_GIB INT64_C(1073741824)
#define KEYS_API_KEY_MIN 16

static const char *const keys_levels[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", NULL};
static const char *const keys_security[] = {"strict", "permissive", NULL};
static const char *const keys_runtimes[] = {"runsc", "runc", NULL};

/* ---- rules of single texts ------------------------------------------------------------------ */

static const char *keys_rule_filled(const char *s)
{
    return *s ? NULL : "is empty: leave the key out instead";
}

static const char *keys_rule_host(const char *s)
{
    return *s && strlen(s) <= 255 && strcspn(s, " \t/@?#") == strlen(s)
               ? NULL
               : "is no host: a name or an address, like 127.0.0.1";
}

static const char *keys_rule_header(const char *s)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "!#$%&'*+-.^_`|~";

    return *s && strspn(s, allowed) == strlen(s)
               ? NULL
               : "is no name of an HTTP header: letters, digits and !#$%&'*+-.^_`|~";
}

static const char *keys_rule_absolute(const char *s)
{
    return *s == '/' ? NULL : "is no absolute path: it is looked up inside the jobs' root";
}

static const char *keys_rule_store(const char *s)
{
    const char *colon = strchr(s, ':');

    return colon && colon > s && colon[1]
               ? NULL
               : "names no store: the kind, a colon and what it needs, like \"sqlite:jobs.db\"";
}

/* The part behind "http://" or "https://", or NULL. */
static const char *keys_http_rest(const char *s)
{
    const char *p;

    for (p = s; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return NULL;
    if (strncmp(s, "http://", 7) == 0)
        return s + 7;
    return strncmp(s, "https://", 8) == 0 ? s + 8 : NULL;
}

static bool keys_has_host(const char *authority)
{
    size_t len = strcspn(authority, "/?#"), i;

    for (i = len; i > 0 && authority[i - 1] != '@'; i--)
        ;
    return i < len && authority[i] != ':';
}

static const char *keys_rule_index(const char *s)
{
    const char *rest = keys_http_rest(s);

    return rest && keys_has_host(rest)
               ? NULL
               : "is no index: http:// or https:// with a host and no blanks";
}

static const char *keys_rule_proxy(const char *s)
{
    const char *rest = keys_http_rest(s);
    size_t len = rest ? strcspn(rest, "/?#") : 0;

    return rest && keys_has_host(rest) && (!rest[len] || strcmp(rest + len, "/") == 0)
               ? NULL
               : "is no proxy: http:// or https:// with a host and a port, without path, query, "
                 "fragment and blanks";
}

static const char *keys_rule_database(const char *s)
{
    static const char fault[] = "is no database: postgresql://[user:password@]host[:port]/name";
    const char *rest = NULL, *slash;
    size_t name;

    if (strncmp(s, "postgresql://", 13) == 0)
        rest = s + 13;
    else if (strncmp(s, "postgresql+psycopg://", 21) == 0)
        rest = s + 21;
    slash = rest ? strchr(rest, '/') : NULL;
    if (!slash || strcspn(rest, "?#") < (size_t)(slash - rest))
        return fault;
    name = strcspn(slash + 1, "?#");
    if (name == 0)
        return fault;
    if (keys_has_host(rest) || strstr(slash + 1 + name, "?host=") ||
        strstr(slash + 1 + name, "&host="))
        return NULL;
    return fault;
}

/* ---- the table ------------------------------------------------------------------------------ */

#define KEYS_OPTION(field, as) \
    .into = TAKO__CONFIG_OPTIONS, .member = (as), .at = offsetof(tako_options, field)
#define KEYS_INT(field) KEYS_OPTION(field, TAKO__CONFIG_AS_INT)
#define KEYS_INT64(field, factor) KEYS_OPTION(field, TAKO__CONFIG_AS_INT64), .scale = (factor)
#define KEYS_TEXT(field) KEYS_OPTION(field, TAKO__CONFIG_AS_TEXT)
#define KEYS_LIMIT(field) \
    .into = TAKO__CONFIG_LIMITS, .member = TAKO__CONFIG_AS_INT, .at = offsetof(tako_limits, field)
#define KEYS_LIMIT64(field, factor)                               \
    .into = TAKO__CONFIG_LIMITS, .member = TAKO__CONFIG_AS_INT64, \
    .at = offsetof(tako_limits, field), .scale = (factor)
#define KEYS_RANGE(low, high) .min = (low), .max = (high)
#define KEYS_DAYS INT64_C(86400000)

static const struct tako__config_key keys_table[] = {
    {.name = "production_mode", .section = "Mode", .kind = TAKO__CONFIG_BOOL, .fallback = "false"},
    {.name = "log_level",
     .section = "Mode",
     .kind = TAKO__CONFIG_TEXT,
     .fallback = "INFO",
     .choices = keys_levels},
    {.name = "security_mode",
     .section = "Mode",
     .kind = TAKO__CONFIG_TEXT,
     .fallback = "strict",
     .choices = keys_security,
     .env = "SECURITY_MODE"},

    {.name = "server_host",
     .section = "Server",
     .kind = TAKO__CONFIG_TEXT,
     .fallback = "127.0.0.1",
     .rule = keys_rule_host,
     .needs = "server"},
    {.name = "server_port",
     .section = "Server",
     .kind = TAKO__CONFIG_INT,
     .fallback = "8000",
     KEYS_RANGE(1, 65535),
     .needs = "server"},
    {.name = "api_max_payload_bytes",
     .section = "Server",
     .kind = TAKO__CONFIG_INT,
     .fallback = "2097152",
     KEYS_RANGE(1024, 104857600),
     .env = "API_MAX_PAYLOAD_BYTES",
     .needs = "server"},
    {.name = "api_rate_limit_enabled",
     .section = "Server",
     .kind = TAKO__CONFIG_BOOL,
     .fallback = "true",
     .env = "API_RATE_LIMIT_ENABLED",
     .needs = "server"},
    {.name = "api_rate_limit_requests",
     .section = "Server",
     .kind = TAKO__CONFIG_INT,
     .fallback = "120",
     KEYS_RANGE(1, 100000),
     .env = "API_RATE_LIMIT_REQUESTS",
     .needs = "server"},
    {.name = "api_rate_limit_window_seconds",
     .section = "Server",
     .kind = TAKO__CONFIG_INT,
     .fallback = "60",
     KEYS_RANGE(1, 3600),
     .env = "API_RATE_LIMIT_WINDOW_SECONDS",
     .needs = "server"},
    {.name = "api_auth_enabled",
     .section = "Server",
     .kind = TAKO__CONFIG_BOOL,
     .fallback = "false",
     .env = "API_AUTH_ENABLED",
     .needs = "server"},
    {.name = "api_keys",
     .section = "Server",
     .kind = TAKO__CONFIG_LIST,
     .secret = true,
     .fallback = "",
     KEYS_RANGE(KEYS_API_KEY_MIN, INT64_MAX),
     .env = "API_KEYS",
     .needs = "server"},
    {.name = "api_auth_header",
     .section = "Server",
     .kind = TAKO__CONFIG_TEXT,
     .fallback = "X-API-Key",
     .rule = keys_rule_header,
     .env = "API_AUTH_HEADER",
     .needs = "server"},
    {.name = "allow_unauthenticated_network_access",
     .section = "Server",
     .kind = TAKO__CONFIG_BOOL,
     .fallback = "false",
     .env = "ALLOW_UNAUTHENTICATED_NETWORK_ACCESS",
     .needs = "server"},

    {.name = "data_dir",
     .section = "Paths",
     .kind = TAKO__CONFIG_TEXT,
     .form = TAKO__CONFIG_PATH_FORM,
     .rule = keys_rule_filled,
     .env = "DATA_DIR",
     KEYS_TEXT(data_dir)},
    {.name = "store",
     .section = "Paths",
     .kind = TAKO__CONFIG_TEXT,
     .url = true,
     .form = TAKO__CONFIG_STORE_FORM,
     .rule = keys_rule_store,
     KEYS_TEXT(store)},
    {.name = "database_url",
     .section = "Paths",
     .kind = TAKO__CONFIG_TEXT,
     .url = true,
     .form = TAKO__CONFIG_DATABASE_FORM,
     .rule = keys_rule_database,
     .env = "DATABASE_URL",
     .needs = "postgres"},
    {.name = "rootfs",
     .section = "Paths",
     .kind = TAKO__CONFIG_TEXT,
     .form = TAKO__CONFIG_PATH_FORM,
     .rule = keys_rule_filled,
     KEYS_TEXT(rootfs)},
    {.name = "interpreter",
     .section = "Paths",
     .kind = TAKO__CONFIG_TEXT,
     .rule = keys_rule_absolute,
     KEYS_TEXT(interpreter)},
    {.name = "cgroup",
     .section = "Paths",
     .kind = TAKO__CONFIG_TEXT,
     .rule = keys_rule_filled,
     KEYS_TEXT(cgroup)},

    {.name = "max_workers",
     .section = "Queue & Workers",
     .kind = TAKO__CONFIG_INT,
     .fallback = "4",
     KEYS_RANGE(1, 64),
     KEYS_INT(workers)},
    {.name = "max_queue_size",
     .section = "Queue & Workers",
     .kind = TAKO__CONFIG_INT,
     .fallback = "100",
     KEYS_RANGE(1, 10000),
     KEYS_INT64(max_queued, 1)},
    {.name = "max_retry_attempts",
     .section = "Queue & Workers",
     .kind = TAKO__CONFIG_INT,
     .fallback = "2",
     KEYS_RANGE(1, 10),
     KEYS_LIMIT(setup_attempts)},
    {.name = "retry_base_delay",
     .section = "Queue & Workers",
     .kind = TAKO__CONFIG_MILLI,
     .fallback = "1.0",
     KEYS_RANGE(100, 60000),
     KEYS_LIMIT64(setup_delay_ms, 1)},
    {.name = "queue_wait_timeout",
     .section = "Queue & Workers",
     .kind = TAKO__CONFIG_MILLI,
     KEYS_RANGE(100, 30000),
     .why = "workers are woken at once, nothing polls the queue"},
    {.name = "lease_seconds",
     .section = "Queue & Workers",
     .kind = TAKO__CONFIG_INT,
     .fallback = "15",
     KEYS_RANGE(1, 3600),
     KEYS_INT64(lease_ms, 1000)},
    {.name = "max_deaths",
     .section = "Queue & Workers",
     .kind = TAKO__CONFIG_INT,
     .fallback = "3",
     KEYS_RANGE(1, 100),
     KEYS_INT(max_deaths)},

    {.name = "max_stdout_bytes",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "65536",
     KEYS_RANGE(1024, 104857600),
     KEYS_LIMIT64(stdout_bytes, 1)},
    {.name = "max_stderr_bytes",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "65536",
     KEYS_RANGE(1024, 104857600),
     KEYS_LIMIT64(stderr_bytes, 1)},
    {.name = "max_artifact_bytes",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "10485760",
     KEYS_RANGE(1024, KEYS_GIB),
     KEYS_LIMIT64(artifact_bytes, 1)},
    {.name = "max_total_artifacts_bytes",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "52428800",
     KEYS_RANGE(1024, 10 * KEYS_GIB),
     KEYS_LIMIT64(artifacts_bytes, 1)},
    {.name = "max_input_bytes",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "1048576",
     KEYS_RANGE(1024, 104857600),
     KEYS_LIMIT64(input_bytes, 1)},
    {.name = "max_code_bytes",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "102400",
     KEYS_RANGE(1024, 10485760),
     KEYS_LIMIT64(code_bytes, 1)},
    {.name = "default_timeout",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "30",
     KEYS_RANGE(1, 3600),
     KEYS_LIMIT64(default_timeout_ms, 1000)},
    {.name = "default_startup_timeout",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "120",
     KEYS_RANGE(10, 600),
     KEYS_LIMIT64(default_startup_ms, 1000)},
    {.name = "max_timeout",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "300",
     KEYS_RANGE(1, 86400),
     KEYS_LIMIT64(max_timeout_ms, 1000)},
    {.name = "max_startup_timeout",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "600",
     KEYS_RANGE(30, 1800),
     KEYS_LIMIT64(max_startup_ms, 1000)},
    {.name = "execution_record_ttl_days",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "30",
     KEYS_RANGE(1, 3650),
     KEYS_INT64(record_ttl_ms, KEYS_DAYS)},
    {.name = "dlq_ttl_days",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "30",
     KEYS_RANGE(1, 365),
     KEYS_INT64(dead_ttl_ms, KEYS_DAYS)},
    {.name = "environment_ttl_days",
     .section = "Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "30",
     KEYS_RANGE(0, 3650),
     KEYS_INT64(environment_ttl_ms, KEYS_DAYS)},

    {.name = "nofile_soft",
     .group = "container_limits",
     .section = "Container Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "256",
     KEYS_RANGE(64, 65536),
     KEYS_LIMIT(nofile_soft)},
    {.name = "nofile_hard",
     .group = "container_limits",
     .section = "Container Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "256",
     KEYS_RANGE(64, 65536),
     KEYS_LIMIT(nofile_hard)},
    {.name = "nproc_soft",
     .group = "container_limits",
     .section = "Container Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "50",
     KEYS_RANGE(10, 1000),
     KEYS_LIMIT(nproc_soft)},
    {.name = "nproc_hard",
     .group = "container_limits",
     .section = "Container Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "50",
     KEYS_RANGE(10, 1000),
     KEYS_LIMIT(nproc_hard)},
    {.name = "fsize",
     .group = "container_limits",
     .section = "Container Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "104857600",
     KEYS_RANGE(1048576, KEYS_GIB),
     KEYS_LIMIT64(file_bytes, 1)},
    {.name = "pids_limit",
     .group = "container_limits",
     .section = "Container Limits",
     .kind = TAKO__CONFIG_INT,
     .fallback = "100",
     KEYS_RANGE(10, 1000),
     KEYS_LIMIT(pids)},
    {.name = "tmpfs_size",
     .group = "container_limits",
     .section = "Container Limits",
     .kind = TAKO__CONFIG_SIZE,
     .fallback = "100m",
     KEYS_RANGE(10485760, 2 * KEYS_GIB),
     KEYS_LIMIT64(tmp_bytes, 1)},

    {.name = "docker_image",
     .section = "Docker",
     .kind = TAKO__CONFIG_TEXT,
     .fallback = "code-executor:latest",
     .rule = tako__rule_image,
     .needs = "docker"},
    {.name = "container_runtime",
     .section = "Docker",
     .kind = TAKO__CONFIG_TEXT,
     .fallback = "runsc",
     .choices = keys_runtimes,
     .env = "CONTAINER_RUNTIME",
     .needs = "docker"},
    {.name = "seccomp_profile_path",
     .section = "Docker",
     .kind = TAKO__CONFIG_TEXT,
     .form = TAKO__CONFIG_PATH_FORM,
     .rule = keys_rule_filled,
     .needs = "docker"},
    {.name = "enable_seccomp",
     .section = "Docker",
     .kind = TAKO__CONFIG_BOOL,
     .fallback = "true",
     .env = "ENABLE_SECCOMP",
     .why = "the filter of system calls cannot be left out"},
    {.name = "enable_cap_restrictions",
     .section = "Docker",
     .kind = TAKO__CONFIG_BOOL,
     .fallback = "true",
     .env = "ENABLE_CAP_RESTRICTIONS",
     .why = "jobs never have capabilities"},
    {.name = "enable_userns",
     .section = "Docker",
     .kind = TAKO__CONFIG_BOOL,
     .fallback = "true",
     .why = "jobs never run as a privileged user"},

    {.name = "allow_runtime_requirements",
     .section = "Dependencies",
     .kind = TAKO__CONFIG_BOOL,
     .fallback = "false",
     .env = "ALLOW_RUNTIME_REQUIREMENTS",
     KEYS_INT(allow_requirements)},
    {.name = "dependency_proxy_url",
     .section = "Dependencies",
     .kind = TAKO__CONFIG_TEXT,
     .url = true,
     .rule = keys_rule_proxy,
     .env = "DEPENDENCY_PROXY_URL",
     KEYS_TEXT(proxy_url)},
    {.name = "enable_runtime_dependency_cache",
     .section = "Dependencies",
     .kind = TAKO__CONFIG_BOOL,
     .fallback = "true",
     .env = "ENABLE_RUNTIME_DEPENDENCY_CACHE",
     .why = "an environment once made is always used again"},
    {.name = "package_index_url",
     .section = "Dependencies",
     .kind = TAKO__CONFIG_TEXT,
     .url = true,
     .rule = keys_rule_index,
     KEYS_TEXT(index_url)},
    {.name = "wheel_dir",
     .section = "Dependencies",
     .kind = TAKO__CONFIG_TEXT,
     .form = TAKO__CONFIG_PATH_FORM,
     .rule = keys_rule_filled,
     KEYS_TEXT(wheel_dir)},
};

const struct tako__config_key *tako__config_keys(size_t *count)
{
    *count = TAKO__LEN(keys_table);
    return keys_table;
}

const struct tako__config_value *tako__config_get(const struct tako_config *c, const char *name)
{
    size_t i = 0;

    while (i + 1 < TAKO__LEN(keys_table) && strcmp(keys_table[i].name, name) != 0)
        i++;
    return &c->values[i];
}
