#!/bin/sh
# cli_jobs.sh - the `tako` program from the outside: what can be asked of jobs that are past (`rerun`,
# `fork`, `history`, `get`, `dead`, `purge`, idempotency keys, retries), and job types with their
# versions and environments (`types`, `versions`, `build`).
#
# Usage: cli_jobs.sh PATH-OF-TAKO. As cli.sh; what installs needs pip for /usr/bin/python3 as well.
# SPDX-License-Identifier: MIT

# shellcheck source=tests/server/tools.sh
. "$(dirname "$0")/tools.sh"

nobody=00000000-0000-4000-8000-000000000000
# The id in the record, or the first in the list, that out has.
id_of() { python3 -c 'import json; r = json.load(open("out")); print(r.get("execution_id") or r["items"][0]["execution_id"])'; }
one_line() { [ "$(wc -l <out)" -eq 1 ] && quiet; }
fails() { [ "$rc" -eq 1 ] && only_one_line && grep -q -e "$1" err; }
is_id() { grep -qxE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' out; }

# ---- command lines -------------------------------------------------------------------------

for c in rerun history 'fork x' fork get 'get x' dead; do
    # shellcheck disable=SC2086 # a command and its operands
    t $c
    is "$c: an operand is missing" usage_error
done
for c in 'rerun a b' 'fork a b c' 'history a b' 'get a b c' 'purge a' 'types a' 'versions a b' 'build a b'; do
    # shellcheck disable=SC2086
    t $c
    is "$c: one too many" usage_error
done
for c in 'rerun x --input {}' 'rerun x --file y' 'fork x y --input {}' 'fork x y --file z' \
    'history x --limit 1' 'get x y --json' 'types --store x' 'versions --all' 'purge --all'; do
    # shellcheck disable=SC2086
    t $c
    is "$c: no such option" usage_error
done
for v in '' x 1 -1 - 2-1 1-x 1-2-3 99999999999999999999-; do
    t get x y "--range=$v"
    is "range '$v' is refused" usage_error
done
for v in '' 0 1001 x; do
    t purge --limit "$v"
    is "purge --limit '$v' is refused" usage_error
done
for c in forget '' 'list 1' 'stats 1' remove retry 'remove 0' 'remove 1 x' 'retry -- -1' 'retry 1 --all' \
    'remove --all' 'list --all' 'stats --limit 1' 'stats --after 1' 'retry 1 --limit 1' \
    'remove 1 --error-type x' 'list --after x' 'retry --all --after 1'; do
    # shellcheck disable=SC2086
    t dead $c
    is "dead $c: 2" ended 2
    is "dead $c: nothing on stdout" [ ! -s out ]
    is "dead $c: says why" complains '^tako: dead'
done
t dead list --error-type ''
is "an empty error type is refused" usage_error
for c in build 'build default --all'; do
    # shellcheck disable=SC2086
    t $c
    is "$c: 2" ended 2
    is "$c: says why" only_one_line
done

# ---- without a store -----------------------------------------------------------------------

for c in history rerun 'get --input' 'fork'; do
    # shellcheck disable=SC2086
    case $c in
    history | rerun) t $c $nobody ;;
    *) t $c $nobody /dev/null ;;
    esac
    is "$c before the first job: fails" [ "$rc" -ne 0 ]
    is "$c before the first job: one line" only_one_line
done
t dead list
is "no dead letters" printed 'No dead letters.\n'
t dead list --json
is "no dead letters as JSON" json 'r == {"items": [], "count": 0, "has_more": False, "next": None}'
t dead stats
is "no dead letters to count" printed 'No dead letters.\n'
t dead stats --json
is "none as JSON" json 'r == {"by_error_type": {}, "total": 0}'
t dead retry 1
is "no dead letter to retry" fails 'no dead letters'
t dead retry --all --json
is "all of none" json 'r == {"retried": [], "count": 0}'
t purge
is "nothing to purge" printed 'Removed 0.\n'
t versions
is "no versions" printed 'No versions.\n'
t versions --json
is "no versions as JSON" json 'r == {"items": [], "count": 0}'
t types
is "types: 0" ended 0
is "types: a head and those that come along" [ "$(wc -l <out)" -eq 4 ]
is "types: memory, timeout and requirements" says '^data-processing  *sha256:[0-9a-f]\{12\}  *1\.0 GiB  *1 min 0 s  pandas, numpy$'
t types --json
is "types --json" json 'r["count"] == 3 and [i["name"] for i in r["items"]] == ["default", "data-processing", "ml-inference"] and all(set(i) == {"name", "version", "digest", "tag", "built_at", "built_by", "requirements_hash", "definition"} and i["version"] == i["name"] + "@sha256:" + i["digest"][:12] for i in r["items"])'
is "types --json: the definition" json 'r["items"][1]["definition"]["requirements"] == ["pandas", "numpy"] and r["items"][1]["definition"]["memory_bytes"] == 1 << 30'
cat >odd.yaml <<'END'
job_types:
  - name: odd
    requirements: ['tk-one[extra]>=1.0', tk-two]
    environment: {memory_bytes: '1', QUOTE: 'a"]},{"', API_KEY: hunter2}
    memory_limit: 128m
END
t -c odd.yaml types
is "types of a configuration" says '^odd  *sha256:[0-9a-f]\{12\}  *128.0 MiB  *30.0 s  tk-one\[extra\]>=1.0, tk-two$'
t -c odd.yaml types --json
is "types --json of a configuration" json 'r["items"][-1]["definition"]["memory_bytes"] == 128 << 20 and "environment" not in r["items"][-1]["definition"]'
is "types --json: no secret" [ "$(grep -c hunter2 out)" -eq 0 ]
is "none of these made anything" [ -z "$(ls -A "$HOME")" ]
t history $nobody --store sqlite:nowhere.db
is "history of a store that is not there" fails nowhere.db
t rerun $nobody --store sqlite:nowhere.db
is "rerun of a store that is not there" refused nowhere.db
is "is not made" [ ! -e nowhere.db ]

need_sandbox

# ---- rerun, fork, lineage ------------------------------------------------------------------

job 'import json, sys\nn = json.load(open("/input/data.json"))["n"]\nopen("/output/a.txt", "w").write("0123456789")\nprint(n, open("/input/data.csv").read())\nprint("err", file=sys.stderr)\nsys.exit(n)'
printf 'csv' >data.csv
t run job.py --input '{"n":  3}' --file data.csv --timeout 9 --memory 128m --json
parent=$(id_of)
cp out parent.json
t rerun "$parent"
is "rerun: the exit code is the job's" ended 3
is "rerun: stdout passes through" printed '3 csv\n'
is "rerun: stderr passes through, and only that" [ "$(cat err)" = err ]
t rerun "$(echo "$parent" | cut -c 1-18)" --json --priority 5 --output-dir again --correlation-id c-1
is "rerun --json: a job of its own" json 'r["execution_id"] != "'"$parent"'" and r["parent_execution_id"] == "'"$parent"'" and r["relationship"] == "rerun" and r["priority"] == 5 and r["correlation_id"] == "c-1"'
is "rerun --json: the same code and input" json 'all(r[k] == json.load(open("parent.json"))[k] for k in ("code_hash", "input_hash", "job_ref"))'
is "rerun --output-dir" [ "$(cat again/a.txt)" = 0123456789 ]
rerun=$(id_of)
t rerun $nobody
is "rerun of an unknown job" refused "there is no job $nobody"
t rerun 0000
is "rerun of an unknown beginning" refused '^tako: 0000: none'
t rerun nonsense
is "rerun of no id" refused nonsense
t rerun "$parent" --memory 64m --timeout 0.001
is "rerun: a limit of its own" ended 124
job 'print("forked", open("/input/data.csv").read(), open("/input/data.json").read())'
t fork "$parent" job.py
is "fork: other code, the same input" printed 'forked csv {"n":  3}\n'
is "fork: 0" ended 0
echo 'print("piped")' | "$tako" fork "$parent" - --json >out 2>err
rc=$?
is "fork from stdin" json 'r["stdout"] == "piped\n" and r["relationship"] == "fork" and r["parent_execution_id"] == "'"$parent"'"'
fork=$(id_of)
t fork "$parent" missing.py
is "fork: missing file" refused missing.py
printf 'print(1)\000\n' >nul.py
t fork "$parent" nul.py
is "fork: NUL in the code" refused NUL
t list --parent "$parent" --json
is "list --parent" json 'r["count"] == 5 and r["items"][0]["execution_id"] == "'"$fork"'" and "'"$rerun"'" in [i["execution_id"] for i in r["items"]]'
t list --parent "$(echo "$parent" | cut -c 1-18)" --status succeeded --json
is "list --parent with the beginning of an id" json 'r["count"] == 2'
t list --parent "$fork"
is "list --parent of one without children" printed 'No jobs.\n'
t list --parent nonsense
is "list --parent of no id" fails nonsense
t show "$fork"
is "show: parent" says "^parent  *fork of $parent\$"
is "show: version" says '^version  *default@sha256:[0-9a-f]\{12\}$'

# ---- history -------------------------------------------------------------------------------

t history "$parent"
is "history: 0" ended 0
is "history: a head and three moves" [ "$(wc -l <out)" -eq 4 ]
is "history: its columns" says '^TIME (UTC)  *STATUS  *ATTEMPT  *NODE  *CAUSE$'
is "history: the end" says '^20..-..-..T..:..:..\....Z  failed  *1  [0-9a-f-]\{36\}  err$'
t history "$(echo "$parent" | cut -c 1-18)" --json
is "history --json" json '[(m["status"], m["attempt"]) for m in r] == [("queued", 0), ("running", 1), ("failed", 1)] and all(set(m) == {"at", "status", "attempt", "node", "cause"} for m in r) and r[0]["node"] is None and r[2]["cause"] == "err" and r[2]["at"] == json.load(open("parent.json"))["ended_at"]'
t history $nobody
is "history of an unknown job" fails "there is no job $nobody"
t history nonsense
is "history of no id" fails nonsense

# ---- get -----------------------------------------------------------------------------------

t get "$parent" a.txt
is "get: an artifact" printed 0123456789
is "get: nothing on stderr" quiet
t get "$parent" data.csv --input
is "get --input: an input file" printed csv
t get --input "$parent" _input.json
is "get --input: the input as it was given" printed '{"n":  3}'
t get --input "$fork" _code.py
is "get --input: the code" printed 'print("piped")\n'
t get "$parent" a.txt --range 2-4
is "get --range: both ends" printed 234
t get "$parent" a.txt --range 0-0
is "get --range: one byte" printed 0
t get "$parent" a.txt --range 7-
is "get --range: to the end" printed 789
t get "$parent" a.txt --range 7-9223372036854775807
is "get --range: past the end" printed 789
t get "$parent" a.txt --range 10-
is "get --range: nothing is left" [ ! -s out ]
is "get --range: nothing is left: 0" ended 0
t get "$parent" a.txt --range 11-
is "get --range: from behind the end" fails '10 bytes'
t get "$parent" data.csv
is "get: an input file is no artifact" fails 'no artifact'
t get "$parent" a.txt --input
is "get: an artifact is no input file" fails 'no input file'
t get "$parent" ../job.py
is "get: no path" fails 'no artifact'
t get $nobody a.txt
is "get: unknown job" fails $nobody
"$tako" get "$parent" a.txt >/dev/full 2>err
rc=$?
is "get on a full disk: 1" ended 1
is "get on a full disk: says so" complains 'standard output: No space'
job 'open("/output/b", "wb").write(bytes(range(256)) * 1000)\nopen("/output/c", "w").write("\\x1b[31mred")'
t run job.py --json
id=$(id_of)
python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 1000)' >want
t get "$id" b
is "get is exact" cmp -s out want
python3 -c '
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
text = b""
try:
    while True: text += os.read(fd, 65536)
except OSError: pass
sys.stdout.buffer.write(text)' "$tako" get "$id" c >out 2>err
is "get escapes on a terminal" printed '\\x1b[31mred'

# ---- idempotency keys, retries -------------------------------------------------------------

job 'import sys, uuid\nprint(uuid.uuid4())\nprint("e", file=sys.stderr)\nsys.exit(4)'
t run job.py --idempotency-key first-key
cp out first.out
is "a key: the job runs" ended 4
t run job.py --idempotency-key first-key
is "the same key: the same exit code" ended 4
is "the same key: the same output, so nothing was run" cmp -s out first.out
is "the same key: stderr too" [ "$(cat err)" = e ]
t run job.py --idempotency-key first-key --json
is "the same key as JSON" json 'r["stdout"] == open("first.out").read() and r["idempotency_key"] == "first-key"'
id=$(id_of)
t show "$id"
is "show: the key" says '^key  *first-key$'
"$tako" run job.py --idempotency-key first-key >/dev/full 2>err
rc=$?
is "kept output that cannot be written: 125" ended 125
is "kept output that cannot be written: says so" complains '^tako: the output of job .* cannot be written: No space'
t run job.py --idempotency-key first-key --input '{"n": 1}'
is "the same key with other content" refused first-key
t list --json
is "one job for one key" json 'sum(1 for i in r["items"] if i["exit_code"] == 4) == 1'
t rerun "$id" --idempotency-key other-key --json
is "rerun with a key" json 'r["idempotency_key"] == "other-key" and r["stdout"] != open("first.out").read()'
t run job.py --max-attempts 3 --retry-delay 0.1 --json
is "--max-attempts" json 'r["attempt"] == 3 and r["max_attempts"] == 3 and r["failures"] == 2 and r["exit_code"] == 4'
id=$(id_of)
t history "$id" --json
is "history has every attempt" json '[m["status"] for m in r] == ["queued", "running", "queued", "running", "queued", "running", "failed"]'
t show "$id"
is "show: failures" says '^failures  *2 of 3 attempts failed and were retried$'
t run job.py --max-attempts 2 --retry-delay 0.1
is "the output of every attempt passes through" [ "$(wc -l <out)" -eq 2 ]
t run job.py --max-attempts 3 --retry-delay 0.1 --retry-on execution_timeout --json
is "--retry-on: not for this error" json 'r["attempt"] == 1 and r["failures"] == 0'
job 'while True: pass'
t run job.py --max-attempts 2 --retry-delay 0.1 --retry-on runtime_error,execution_timeout --timeout 0.2 --json
is "--retry-on: for this one" json 'r["attempt"] == 2 and r["status"] == "timeout"'

# ---- dead letters --------------------------------------------------------------------------

# Three jobs were given up by now: two that fail, the one that takes too long last.
t dead list
is "dead list: 0" ended 0
is "dead list: a head and three rows" [ "$(wc -l <out)" -eq 4 ]
is "dead list: newest first" [ "$(sed -n 2p out | grep -c execution_timeout)" -eq 1 ]
t dead list --json
is "dead list --json" json 'r["count"] == 3 and not r["has_more"] and r["next"] is None and all(set(i) == {"id", "job_id", "job_type", "job_data", "error_type", "error_message", "retry_count", "created_at", "client_ip", "correlation_id"} for i in r["items"])'
is "dead list --json: values" json '[i["id"] for i in r["items"]] == [3, 2, 1] and r["items"][2]["job_id"] == "'"$id"'" and r["items"][2]["error_message"] == "e" and r["items"][2]["job_data"]["job_type"] == "default"'
is "dead list --json: an instant" json '__import__("datetime").datetime.fromisoformat(r["items"][0]["created_at"]).utcoffset().seconds == 0'
t dead list --limit 2 --json
is "dead list --limit" json '[i["id"] for i in r["items"]] == [3, 2] and r["has_more"] and r["next"] == 2'
t dead list --limit 2
is "dead list: tells of the next page" says '^There are more: --after 2$'
t dead list --limit 2 --after 2 --json
is "dead list --after" json '[i["id"] for i in r["items"]] == [1] and not r["has_more"]'
t dead list --error-type runtime_error --json
is "dead list --error-type" json '[i["id"] for i in r["items"]] == [2, 1]'
t dead stats
is "dead stats" printed '     2  runtime_error\n     1  execution_timeout\n     3  in all\n'
t dead stats --json
is "dead stats --json" json 'r == {"by_error_type": {"runtime_error": 2, "execution_timeout": 1}, "total": 3}'
t dead retry 1
is "dead retry: 0" ended 0
is "dead retry: the new id" is_id
is "dead retry: says that nothing was run" complains '^tako: 1 job put into the queue; a node of this store has to run it$'
new=$(cat out)
t show "$new" --json
is "dead retry: the job waits" json 'r["status"] == "queued" and r["parent_execution_id"] == "'"$id"'" and r["relationship"] == "rerun"'
t dead retry 1
is "dead retry: only once" fails 'no dead letter 1'
t dead retry --all --error-type runtime_error --limit 5 --json
is "dead retry --all --error-type" json 'r["count"] == 1 and [i["id"] for i in r["retried"]] == [2] and set(r["retried"][0]) == {"id", "execution_id"}'
t dead retry --all --error-type runtime_error
is "dead retry --all of none" printed 'No dead letters.\n'
t dead remove 3 99
is "dead remove: one that is not there: 1" ended 1
is "dead remove: and it is named" complains 'no dead letter 99'
is "dead remove: the other is removed" printed 'Removed 1 dead letter.\n'
t dead list
is "dead list: all gone" printed 'No dead letters.\n'
t list --status timeout --json
is "the job of a removed letter stays" json 'any(i["error"]["type"] == "execution_timeout" for i in r["items"])'
# A run of the same store is a node: it runs them too, between their delays.
job 'print("mine")'
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    t run job.py
    [ "$i" -gt 1 ] || is "a run before which the retried jobs come prints its own" printed 'mine\n'
    t show "$new" --json
    ! json 'r["status"] == "failed"' || break
done
is "the retried job has run" json 'r["status"] == "failed" and r["exit_code"] == 4 and r["failures"] == 2'
for i in 1 2 3 4 5 6 7 8 9 10; do
    t dead list --json
    ! json 'r["count"] == 2' || break
    t run job.py
done
is "and is dead again, with its retries counted" json 'sorted(i["retry_count"] for i in r["items"]) == [1, 1]'
last=$(python3 -c 'import json; print(json.load(open("out"))["items"][0]["id"])')
t dead remove "$last" --json
is "dead remove --json" json "r == {'removed': [$last], 'count': 1}"
t dead retry --all
is "dead retry --all" is_id

# ---- purge ---------------------------------------------------------------------------------

age() { # DAYS
    python3 -c '
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for table in ("job", "dead"):
    db.execute("UPDATE %s SET created_us = created_us - ? * 86400000000" % table, (int(sys.argv[2]),))
db.commit()' "$HOME/.local/share/tako/jobs.db" "$1"
}
t list --status succeeded --json
cp out before.json
t purge --json
is "purge: nothing is old enough" json 'r == {"removed": 0}'
age 29
t purge
is "purge: nor after 29 days" printed 'Removed 0.\n'
age 2
t purge --limit 3
is "purge --limit: so many" printed 'Removed 3.\n'
t purge --json
is "purge: the others" json 'r["removed"] > 10'
t purge
is "purge: nothing is left to do" printed 'Removed 0.\n'
t list --json
is "purge: jobs that wait stay" json 'r["count"] == 1 and r["items"][0]["status"] == "queued"'
t show "$parent"
is "purge: a removed job is gone" fails "there is no job $parent"

# ---- job types, versions, environments -----------------------------------------------------

mkdir wheels
chmod 755 "$dir"
python3 - wheels tk_hello 'def hello(): return "hello"' <<'END'
import sys, zipfile
where, name, body = sys.argv[1:]
info = name + "-1.0.dist-info/"
with zipfile.ZipFile("%s/%s-1.0-py3-none-any.whl" % (where, name), "w") as z:
    z.writestr(name + ".py", body)
    z.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % name)
    z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    z.writestr(info + "RECORD", "")
END
cat >tako_vm.yaml <<'END'
data_dir: data
wheel_dir: wheels
allow_runtime_requirements: true
job_types:
  - name: plain
    environment: {GREETING: one}
  - name: greeter
    requirements: [tk_hello]
  - name: broken
    requirements: [tk-not-there]
  - name: shell
    command: [/bin/sh, /code/main.sh]
    file_name: main.sh
END
t validate
is "the configuration of what follows is valid" ended 0
printf 'echo shell: $0\n' >main.sh
t run main.sh --job-type shell
is "code that is no Python" printed 'shell: /code/main.sh\n'
job 'import os\nprint(os.environ["GREETING"])'
t build plain --tag v1
is "build: 0" ended 0
is "build: the version" says '^plain@sha256:[0-9a-f]\{12\}$'
is "build: only that" one_line
one=$(cat out)
sed -i 's/GREETING: one/GREETING: two/' tako_vm.yaml
t run job.py --job-type plain
is "a changed type" printed 'two\n'
t run job.py --job-type plain@v1
is "NAME@TAG" printed 'one\n'
t run job.py --job-type "$one" --json
is "NAME@sha256:DIGITS" json 'r["stdout"] == "one\n" and r["job_type"] == "plain" and r["job_ref"] == "'"$one"'"'
old=$(id_of)
t rerun "$old"
is "rerun keeps the version" printed 'one\n'
t rerun "$old" --job-type plain@latest
is "rerun with another" printed 'two\n'
t versions plain
is "versions: a head and two" [ "$(wc -l <out)" -eq 3 ]
is "versions: the tag" says "^plain  *${one#plain@}  20[^ ]*Z  manual  v1\$"
t versions plain --json
is "versions --json" json 'r["count"] == 2 and [i["tag"] for i in r["items"]] == [None, "v1"] and [i["built_by"] for i in r["items"]] == ["config", "manual"] and all(i["built_at"] for i in r["items"]) and r["items"][1]["version"] == "'"$one"'"'
t versions nosuch
is "versions of no type" printed 'No versions.\n'
t versions 'no such'
is "versions of an impossible name" fails 'no such'
t build nosuch
is "build of an unknown type" fails nosuch
t build plain --tag latest
is "build with a tag that is not allowed" fails latest
t build plain --json --tag v2
is "build --json" json 'r["count"] == 1 and set(r["items"][0]) == {"name", "version", "digest", "tag"} and r["items"][0]["tag"] == "v2" and r["items"][0]["version"] != "'"$one"'"'
t build plain --permissive --interpreter /usr/bin/python3 --rootfs /
is "build --permissive --interpreter --rootfs" ended 0

if ! /usr/bin/python3 -m pip --version >/dev/null 2>&1; then
    echo "SKIPPED: all tests that install: there is no pip for /usr/bin/python3"
    case $TAKO_TEST_REQUIRE in
    *pip*) fail "pip is required" ;;
    esac
    finish
fi
t build greeter
is "build with requirements: 0" ended 0
is "build with requirements: the version" says '^greeter@sha256:[0-9a-f]\{12\}$'
is "build with requirements: the installer's lines" complains '^tako: greeter: .*tk_hello'
rm wheels/tk_hello*
job 'import tk_hello\nprint(tk_hello.hello())'
t run job.py --job-type greeter --json
is "the environment is there" json 'r["stdout"] == "hello\n"'
t show "$(id_of)"
is "show: install time" says '^install time  *[0-9]'
t run job.py --requirement tk_hello
is "--requirement" printed 'hello\n'
t rerun "$old" --requirement tk_hello
is "rerun --requirement" printed 'one\n'
t run job.py --requirement tk-not-there --startup-timeout 60 --correlation-id c-2
is "what cannot be installed: 125" ended 125
is "what cannot be installed: says so" complains '^tako: job .* failed: Failed to install'
is "what cannot be installed: the installer's log" complains tk-not-there
t run job.py --requirement '-e /etc'
is "a bad requirement" refused requirements
t run job.py --requirement tk_hello --startup-timeout 601
is "more than max_startup_timeout" refused 'startup_timeout'
t build broken
is "build of what cannot be installed: 1" ended 1
is "build of what cannot be installed: says so" complains "^tako: building job type 'broken': "
is "build of what cannot be installed: nothing on stdout" [ ! -s out ]
t build --all --json
is "build --all: 1 when one fails" ended 1
is "build --all: the others are built" json '[i["name"] for i in r["items"]] == ["default", "plain", "greeter", "shell"] and r["count"] == 4'

finish
