#!/bin/sh
# cli.sh - the `tako` program from the outside: the command line as such, the configuration, `run`,
# `list`, `show` and `doctor`, every option and exit code, bad input, byte exactness, signals,
# terminals. What happens to jobs later is in cli_jobs.sh.
#
# Usage: cli.sh PATH-OF-TAKO. Works in a private directory that is its HOME as well. Needs
# python3. Where no sandbox can be made it says so and leaves out what needs one, unless
# TAKO_TEST_REQUIRE names "native": then that is a failure.
# SPDX-License-Identifier: MIT

# shellcheck source=tests/server/tools.sh
. "$(dirname "$0")/tools.sh"

# ---- without a job -------------------------------------------------------------------------

t
is "no command: help on stdout, 1" ended 1
is "no command: help lists run" says '^  run FILE'
is "no command: nothing on stderr" quiet
t frobnicate
is "unknown command: usage on stderr, 2" usage_error
t --frobnicate
is "unknown option in front: usage on stderr, 2" usage_error
t ''
is "empty command: usage on stderr, 2" usage_error
for a in help --help -h; do
    t $a
    is "$a: help on stdout, 0" ended 0
    is "$a: lists doctor" says '^  doctor'
done
for a in version --version; do
    t $a
    is "$a: 0" ended 0
    is "$a: the version" says '^tako [0-9][0-9]*\.[0-9][0-9]*\.[0-9]'
done
t help
sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' out >commands
is "help lists all commands" [ "$(wc -l <commands)" -eq 17 ]
while read -r c; do
    t help $c
    is "help $c: 0" ended 0
    is "help $c: usage" says "^Usage: tako $c"
    cp out help.$c
    t $c --help
    is "$c --help: 0" ended 0
    is "$c --help: the same text" cmp -s out help.$c
    is "help $c is what docs/cli.md has" grep -q "^## tako $c" "$docs"
    for o in $(sed -n 's/^  \(--[a-z-]*\).*/\1/p' help.$c); do
        is "docs/cli.md knows $c $o" grep -q -e "\`$o" "$docs"
    done
done <commands
t help frobnicate
is "help of an unknown command: 2" ended 2
t version extra
is "version takes no operand" usage_error
t help run list
is "help takes one command" usage_error

t run
is "run without FILE" usage_error
t run a b
is "run with two files" usage_error
t run --frobnicate x
is "unknown option" usage_error
t run -x x
is "unknown short option" usage_error
t run x --timeout
is "option without its value" usage_error
t run --json=1 x
is "flag with a value" usage_error
t list x
is "list takes no operand" usage_error
t list --timeout 1
is "an option of another command" usage_error
t show
is "show without ID" usage_error
for v in '' 0 101 x 1.5; do
    t run --max-attempts "$v" x
    is "max-attempts '$v' is refused" usage_error
done
for v in '' 0 0.09 60.1 x; do
    t run --retry-delay "$v" x
    is "retry-delay '$v' is refused" usage_error
done
for v in '' 0 0.9 1801 x; do
    t run --startup-timeout "$v" x
    is "startup-timeout '$v' is refused" usage_error
done
for v in 0 0.0 -1 abc 1s '' ' 1' 86401 86400.001 99999999999999999999 1e3 nan inf .5 1. 1,5; do
    t run --timeout "$v" x
    is "timeout '$v' is refused" usage_error
done
for v in 0 1 63m -64m 33g 64x 64mx 64mi '' m 99999999999999999999g 64.5m; do
    t run --memory "$v" x
    is "memory '$v' is refused" usage_error
done
for v in 101 -101 x '' 1.5 99999999999; do
    t run --priority "$v" x
    is "priority '$v' is refused" usage_error
done
for v in 0 -1 1001 x ''; do
    t list --limit "$v"
    is "limit '$v' is refused" usage_error
done
t list --status pending
is "an unknown status is refused" usage_error
is "and the right ones are named" complains cancelled
t run --interpreter python3 x
is "a relative interpreter is refused" usage_error
t run --store '' x
is "an empty store is refused" usage_error
t run --output-dir '' x
is "an empty output directory is refused" usage_error

"$tako" version >/dev/full 2>err
rc=$?
is "a full disk is noticed" ended 1
is "and said" complains 'cannot write to standard output'
"$tako" version >&- 2>err
rc=$?
is "a closed stdout is noticed" ended 1

# ---- stores without jobs -------------------------------------------------------------------

t list
is "list before the first job: 0" ended 0
is "list before the first job: says so" printed 'No jobs.\n'
is "list before the first job: makes nothing" [ ! -e "$HOME/.local" ]
t list --json
is "list --json before the first job" json 'r == {"items": [], "count": 0, "has_more": False, "next": None}'
id=00000000-0000-4000-8000-000000000000
t show $id
is "show of an unknown job: 1" ended 1
is "show of an unknown job: one line" only_one_line
t show nonsense
is "show of no id: 1" ended 1
is "show of no id: one line" only_one_line
t show 00000000
is "show of an unknown prefix: 1" ended 1
t list --store sqlite:nowhere.db
is "list of a store that is not there: 1" ended 1
is "list of a store that is not there: one line" only_one_line
is "list of a store that is not there: is not made" [ ! -e nowhere.db ]
with TAKO_STORE sqlite:nowhere.db list
is "the same for TAKO_STORE" ended 1
env -u HOME "$tako" list >out 2>err
rc=$?
is "no HOME and no store: 1" ended 1
printf 'this is no database, but long enough to be looked at by anybody who cares\n' >garbage.db
t list --store sqlite:garbage.db
is "list of a foreign file: 1" ended 1
is "list of a foreign file: one line" only_one_line

job 'print(1)'
t run job.py --store sqlite:garbage.db
is "run: foreign file as store" refused .
is "run: the foreign file is left alone" grep -q '^this is no database' garbage.db
t run job.py --store sqlite:/dev/null/x.db
is "run: unwritable store" refused .
t run job.py --store sqlite:missing/dir/x.db
is "run: store in a missing directory" refused .
t run job.py --store nosuch:x
is "run: unknown kind of store" refused nosuch
env -u HOME "$tako" run job.py >out 2>err
rc=$?
is "run: no HOME and no store" ended 125
with HOME "$dir/garbage.db" run job.py
is "run: HOME that is no directory" refused directory

# ---- configuration -------------------------------------------------------------------------

is_says() { is "$1" says "$2"; } # NAME PATTERN

t config
is "config without a file: 0" ended 0
is_says "config without a file: says so" '^Config file: (using defaults)$'
for a in Mode Server Paths 'Queue & Workers' Limits 'Container Limits' Docker Dependencies 'Job Types'; do
    is "config has a section [$a]" grep -qxF "[$a]" out
done
is_says "config: a key with its value" '^  max_workers: 4$'
is "config makes nothing" [ ! -e "$HOME/.tako_vm" ]
cp out config.all
t config --show-defaults
is "config --show-defaults: the same" cmp -s out config.all
t config --json
is "config --json: all keys" json 'r["max_workers"] == 4 and r["container_limits"]["pids_limit"] == 100 and r["data_dir"] == r["data_dir_str"] == "'"$HOME"'/.tako_vm" and r["job_types"] == []'
is_says "config --json: two blanks" '^  "max_workers": 4,$'
t validate
is "validate without a file: 1" ended 1
is "validate without a file: two lines" [ "$(wc -l <out)" -eq 2 ]
mkdir conf
cat >conf/good.yaml <<'END'
max_workers: 3
max_timeout: 120
data_dir: data
dependency_proxy_url: http://user:hunter2@proxy:3128
job_types:
  - name: shell
    command: [/bin/sh, /code/main.sh]
    file_name: main.sh
    environment: {GREETING: hello}
    timeout: 5
  - name: plain
END
printf 'max_workers: 0\nmax_worker: 3\njob_types: [{name: a, environment: {API_KEY: hunter2}}]\n' >conf/bad.yaml
t validate conf/good.yaml
is "validate: 0" ended 0
is "validate: the summary" printed 'Validating: conf/good.yaml\nConfiguration is valid!\n\nSummary:\n  Mode: development\n  Workers: 3\n  Max timeout: 120s\n  Job types defined: 2\n    - shell\n    - plain\n'
t -c conf/good.yaml validate
is "-c FILE validate: the same" ended 0
t validate conf/bad.yaml
is "validate: 1" ended 1
is "validate: all that is wrong" printed 'Validating: conf/bad.yaml\nValidation FAILED:\n  - conf/bad.yaml:1:14: max_workers: '"'0'"' must be a whole number from 1 to 64\n  - conf/bad.yaml:2:1: max_worker: unknown key; did you mean max_workers?\n  - Warning: conf/bad.yaml:3:46: job_types[0].environment.API_KEY: looks like a secret, which jobs can read, and so can who reads the definition of the type; put it into a file and name that in secret_files\n'
t validate conf/gone.yaml
is "validate: a file that is not there: 1" ended 1
is_says "validate: a file that is not there" '^  - Config file not found: conf/gone.yaml$'
t validate a b
is "validate takes one file" usage_error
for a in -c --config; do
    t $a conf/gone.yaml config
    is "$a of a file that is not there: 1" ended 1
    is "$a of a file that is not there: says so" complains '^Error: Config file not found: conf/gone.yaml$'
done
t --config=conf/good.yaml config
is_says "--config=FILE in front" '^Config file: conf/good.yaml$'
is_says "config: no password" '^  dependency_proxy_url: http://user:\*\*\*@proxy:3128$'
is_says "config: job types" '^  shell$'
t config -c conf/good.yaml --json
is "-c FILE behind" json 'r["max_workers"] == 3 and r["job_types"][0]["environment"] == {"GREETING": "hello"}'
is "config --json: no password" [ "$(grep -c hunter2 out)" -eq 0 ]
t -c conf/bad.yaml config
is "config of a bad file: 1" ended 1
is "config of a bad file: says why" complains '^Configuration error: conf/bad.yaml:2:1: max_worker: unknown key'
is "config of a bad file: nothing on stdout" [ ! -s out ]
is "config of a bad file: no secret" [ "$(grep -c hunter2 err)" -eq 0 ]
t -c
is "-c without a file" usage_error
t -c '' config
is "-c with an empty name" usage_error
t -c conf/good.yaml
is "-c and no command: help, 1" ended 1
t -c conf/good.yaml version
is "version takes no configuration" usage_error
t -c conf/bad.yaml list
is "list with a bad configuration: 1" ended 1
is "list with a bad configuration: says why" complains '^tako: conf/bad.yaml:1:14: max_workers'
job 'print(1)'
t -c conf/bad.yaml run job.py
is "run with a bad configuration: 125" ended 125
is "run with a bad configuration: warns too" complains '^tako: warning: conf/bad.yaml:3:46: '
t -c conf/good.yaml list
is "list with a configuration: no jobs yet" printed 'No jobs.\n'
is "list with a configuration: makes nothing" [ ! -e conf/data ]
with TAKO_VM_MAX_WORKERS 3 config
is "a variable that sets nothing is no error" ended 0
with TAKO_VM_SECURITY_MODE lax config
is "a wrong variable: 1" ended 1
is "a wrong variable: says why" complains "^Configuration error: TAKO_VM_SECURITY_MODE: 'lax' must be strict or permissive$"
with TAKO_VM_DATA_DIR elsewhere config
is_says "a variable wins" "^  store: sqlite:$dir/elsewhere/tako.db\$"
with TAKO_VM_CONFIG conf/good.yaml config
is_says "TAKO_VM_CONFIG names a file" '^Config file: conf/good.yaml$'
with TAKO_VM_CONFIG conf/gone.yaml list
is "TAKO_VM_CONFIG of no file is passed over" printed 'No jobs.\n'

# Every key is in the document, with its default, what is allowed, and its variable, and nothing else.
cat >keys.py <<'END'
import json, os, re, subprocess, sys
tako, document = sys.argv[1:]
env = {"HOME": os.environ["HOME"]}
rows = {}
for line in open(document):
    m = re.match(r"\| `([a-z_.]+)` \| (.*?) \| (.*?) \| (.*) \|$", line)
    if line.startswith("## Job types"):
        break
    if m:
        rows[m.group(1)] = m.groups()[1:]
config = json.loads(subprocess.check_output([tako, "config", "--json"], env=env))
keys = {}
for key, value in config.items():
    if key == "container_limits":
        keys.update(("container_limits." + k, v) for k, v in value.items())
    elif key != "job_types" and not key.endswith("_str"):
        keys[key] = value
faults = ["%s: in the document only" % k for k in rows if k not in keys]
for key, value in keys.items():
    if key not in rows:
        faults.append("%s: not in the document" % key)
        continue
    default, allowed, meaning = rows[key]
    if default != "see there" and default != "`%s`" % json.dumps(value):
        faults.append("%s: its default is %s" % (key, json.dumps(value)))
    group, _, name = key.rpartition(".")
    with open("key.yaml", "w") as f:
        f.write("%s: {%s: {}}\n" % (group, name) if group else "%s: {}\n" % key)
    said = subprocess.run([tako, "validate", "key.yaml"], env=env, capture_output=True, text=True).stdout
    if "%s: must be %s\n" % (key, allowed) not in said:
        faults.append("%s: allowed is %s" % (key, said))
    variable = "TAKO_VM_" + key.upper().replace(".", "_")
    warned = subprocess.run([tako, "run", "nowhere.py"], env=dict(env, **{variable: ""}), capture_output=True, text=True)
    known = "is no variable" not in warned.stderr
    if known != (variable in meaning):
        faults.append("%s: the variable %s is %s" % (key, variable, "not documented" if known else "none"))
print("\n".join(faults))
sys.exit(1 if faults or len(rows) < 50 else 0)
END
rc=0
python3 keys.py "$tako" "${docs%/*}/configuration.md" >out 2>err || rc=$?
is "docs/configuration.md has every key as it is" ended 0

# ---- doctor --------------------------------------------------------------------------------

t doctor
is "doctor: 0 or 1" [ $rc -le 1 ]
is "doctor: version" says '^tako [0-9]'
is "doctor: kernel" says '^Linux '
is "doctor: layers" says 'seccomp'
is "doctor: the answer" says '^Jobs '
cp out doctor.txt
doctor=$rc
t doctor --json
is "doctor --json: the same exit code" ended $doctor
is "doctor --json: keys" json 'set(r) == {"layers", "ready", "reason", "version", "source_id", "features", "kernel", "machine"}'
is "doctor --json: layers" json 'r["layers"] and all(set(l) == {"name", "state", "required", "detail"} and l["state"] in ("on", "weaker", "off") for l in r["layers"])'
is "doctor --json: features" json 'r["features"] == {"native": True, "sqlite": True, "yaml": True}'
is "doctor --json: ready" json "r['ready'] == ($doctor == 0) and (r['reason'] is None) == r['ready']"
t doctor --permissive
is "doctor --permissive: 0 or 1" [ $rc -le 1 ]
t doctor --rootfs /nowhere
is "doctor: missing root file system: 1" ended 1
t doctor --interpreter /nowhere/python3
is "doctor: missing interpreter: 1" ended 1
is "doctor: names it" says /nowhere/python3

need_sandbox

# ---- jobs of a configuration ---------------------------------------------------------------

printf 'echo $GREETING $0\n' >main.sh
t -c conf/good.yaml run main.sh --job-type shell
is "a job type of the configuration runs" printed 'hello /code/main.sh\n'
is "its record is in data_dir" [ -e conf/data/tako.db ]
is "data_dir is the user's own" [ "$(stat -c %a conf/data)" = 700 ]
t list -c conf/good.yaml
is "list reads the same store" says ' shell '
t list
is "and no other does" printed 'No jobs.\n'
t -c conf/good.yaml run main.sh --job-type shell --store sqlite:flag.db
is "--store wins" [ -e flag.db ]
env TAKO_STORE=sqlite:variable.db "$tako" -c conf/good.yaml run main.sh --job-type shell >out 2>err
is "TAKO_STORE wins too" [ -e variable.db ]
t -c conf/good.yaml run main.sh --timeout 121
is "more than max_timeout is refused" refused timeout
printf 'max_code_bytes: 1024\nlog_level: error\n' >conf/small.yaml
printf '#%02000d\nprint(1)\n' 0 >big.py
t -c conf/small.yaml run big.py
is "more than max_code_bytes is refused" refused 1024
cp conf/good.yaml tako_vm.yaml
t run main.sh --job-type shell
is "a configuration is found" printed 'hello /code/main.sh\n'
rm -rf tako_vm.yaml data

# ---- bad input -----------------------------------------------------------------------------

t run missing.py
is "missing file" refused 'missing.py.*No such file'
t run .
is "directory as FILE" refused directory
: >empty.py
t run empty.py
is "empty code" refused .
printf ' \n\t\n' >blank.py
t run blank.py
is "blank code" refused blank
printf 'print(1)\000\n' >nul.py
t run nul.py
is "NUL in code" refused NUL
printf 'print("\377")\n' >latin.py
t run latin.py
is "code that is not UTF-8" refused UTF-8
{ printf '#'; head -c 102400 /dev/zero | tr '\0' x; } >big.py
t run big.py
is "code that is too large" refused 102400
t run job.py --input '{'
is "input that is no JSON" refused .
t run job.py --input '[1]'
is "input that is no object" refused object
t run job.py --input '{"a": NaN}'
is "input with NaN" refused .
t run job.py --input '{"a": 1} x'
is "input with more behind it" refused .
t run job.py --input ''
is "empty input" refused .
t run job.py --input @missing.json
is "missing input file" refused 'missing.json'
t run job.py --input @.
is "directory as input" refused directory
t run - --input @-
is "stdin twice" ended 2
t run job.py --job-type nosuch
is "unknown job type" refused nosuch
t run job.py --job-type 'no such'
is "impossible job type" refused .
t run job.py --file missing.csv
is "missing input file of the job" refused 'missing.csv'
t run job.py --file .
is "directory as input file" refused directory
echo x >.hidden
t run job.py --file .hidden
is "input file with a name that is not allowed" refused .hidden
echo x >data.csv
t run job.py --file data.csv --file data.csv
is "two input files of one name" refused data.csv
t run job.py --idempotency-key short
is "an idempotency key that is too short" refused idempotency_key
t run job.py --correlation-id ''
is "an empty correlation id" refused correlation_id
t run job.py --retry-on nosuch_error
is "an unknown error type to retry on" refused nosuch_error
t run job.py --job-type default@nosuch
is "an unknown version of a job type" refused nosuch
t run job.py --requirement tk-hello
is "requirements where they are not allowed" refused allow_requirements
t run job.py --rootfs /nowhere
is "missing root file system" refused /nowhere
t run job.py --interpreter /nowhere/python3
is "missing interpreter" refused /nowhere/python3
is "a sandbox that cannot be made: where to look" complains 'tako doctor'
t run job.py --output-dir data.csv
is "a file as output directory" refused data.csv
t run job.py --output-dir data.csv/x
is "an output directory below a file" refused data.csv
mkdir real
ln -s real link
t run job.py --output-dir link
is "a symbolic link as output directory" refused 'symbolic link'
t run job.py --output-dir link/
is "also with a slash" refused 'symbolic link'
t run missing.py --json
is "a refusal with --json: nothing on stdout" refused missing.py
t list
is "none of these was a job" printed 'No jobs.\n'

# ---- jobs ----------------------------------------------------------------------------------

job 'print(1 + 1)'
t run job.py
is "1 + 1: 0" ended 0
is "1 + 1: 2" printed '2\n'
is "1 + 1: nothing on stderr" quiet
is "the default store is private" [ "$(stat -c %a "$HOME/.local/share/tako")" = 700 ]
is "the default store is there" [ -f "$HOME/.local/share/tako/jobs.db" ]
echo 'print("from stdin")' | "$tako" run - >out 2>err
rc=$?
is "code from stdin" printed 'from stdin\n'
is "code from stdin: 0" ended 0
t run -- job.py
is "after --" printed '2\n'

job 'import sys\nprint("o")\nprint("e", file=sys.stderr)\nsys.exit(3)'
t run job.py
is "exit code passes through" ended 3
is "stdout passes through" printed 'o\n'
is "stderr passes through, and only that" [ "$(cat err)" = e ]
job '1/0'
t run job.py
is "exception: 1" ended 1
is "exception: the traceback" complains ZeroDivisionError
is "exception: no line of ours" [ "$(grep -c '^tako:' err)" -eq 0 ]

job 'import sys\nsys.stdout.buffer.write(bytes(range(256)) * 1000)'
t run job.py
python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 1000)' >want
is "binary stdout is exact" cmp -s out want
job 'import sys\nsys.stderr.buffer.write(bytes(range(256)) * 1000)'
t run job.py
is "binary stderr is exact" cmp -s err want
job 'import sys\nsys.stdout.write("x" * 3000000)'
t run job.py
is "more than is kept passes through" [ "$(wc -c <out)" -eq 3000000 ]
"$tako" run job.py 2>err | cat | wc -c >out
is "also into a pipe" [ "$(cat out)" -eq 3000000 ]

job 'while True: pass'
t run job.py --timeout 0.5
is "timeout: 124" ended 124
is "timeout: one line" only_one_line
is "timeout: says so" complains '^tako: job [0-9a-f-]\{36\} timeout: .*time limit'
job 'x = []\nwhile True: x.append(bytearray(8 << 20))'
t run job.py --memory 96m
is "oom: 137" ended 137
is "oom: says so" complains '^tako: job [0-9a-f-]\{36\} oom: '
job 'x = bytearray(200 << 20)\nprint(len(x) >> 20)'
t run job.py --memory 128m
is "200 MiB do not fit into 128m" ended 137
t run job.py --memory 1GiB
is "200 MiB fit into 1GiB" printed '200\n'
for n in 124 125 130 137 255; do
    job "import os\nos._exit($n)"
    t run job.py
    is "exit $n of the job itself: $n" ended $n
    is "exit $n of the job itself: no line" quiet
done
job 'import os\nos.kill(os.getpid(), 9)'
t run job.py
is "kill -9 of itself: 137" ended 137
is "kill -9 of itself: failed, not oom" complains '^tako: job [0-9a-f-]\{36\} failed: '
job 'import os\nos.abort()'
t run job.py
is "abort: 134" ended 134
is "abort: says so" complains '^tako: job [0-9a-f-]\{36\} failed: '

job 'print(open("/input/data.json").read())'
t run job.py
is "no input is {}" printed '{}\n'
t run job.py --input '{"b": 1,  "a": "é"}'
is "input byte for byte" printed '{"b": 1,  "a": "é"}\n'
printf '{"from": "file"}\n' >in.json
t run job.py --input @in.json
is "input from a file" printed '{"from": "file"}\n\n'
"$tako" run job.py --input @- <in.json >out 2>err
is "input from stdin" printed '{"from": "file"}\n\n'
job 'import os\nfor n in sorted(os.listdir("/input")): print(n, os.path.getsize("/input/" + n))'
mkdir sub
printf 'abc' >sub/two.bin
t run job.py --file data.csv --file sub/two.bin
is "input files" printed 'data.csv 2\ndata.json 2\ntwo.bin 3\n'
job 'for l in open("/proc/self/status"):\n  if l.startswith("SigBlk"): print(int(l.split()[1], 16))'
t run job.py
is "the job starts with no signal blocked" printed '0\n'
job 'import sys\nprint(sys.stdin.read() == "")'
echo text | "$tako" run job.py >out 2>err
is "the job does not read our stdin" printed 'True\n'

# ---- the record as JSON --------------------------------------------------------------------

keys='{"execution_id", "status", "job_type", "job_version", "created_at", "started_at", "ended_at", "duration_ms", "exit_code", "stdout", "stderr", "output", "error", "timing", "runtime"}'
full="$keys"' | {"job_ref", "artifacts", "input_artifacts", "resource_usage", "code_hash", "input_hash", "parent_execution_id", "relationship", "stdout_truncated", "stderr_truncated", "idempotency_key", "correlation_id", "verdict", "signal", "attempt", "max_attempts", "failures", "deaths", "node", "priority", "run_at", "isolation", "oom_kills", "pids_peak", "pids_hits", "throttled_us", "survivors", "stdout_bytes", "stderr_bytes", "output_note", "artifacts_rejected"}'
job 'import sys, json\nprint("o")\nprint("e", file=sys.stderr)\njson.dump({"n": 1}, open("/output/result.json", "w"))\nopen("/output/a.txt", "w").write("A")\nsys.exit(4)'
t run job.py --json --priority -7 --file data.csv
is "--json: the exit code is the job's" ended 4
is "--json: nothing on stderr" quiet
is "--json: exact keys" json "set(r) == $full"
is "--json: values" json 'r["status"] == "failed" and r["exit_code"] == 4 and r["stdout"] == "o\n" and r["stderr"] == "e\n" and r["output"] == {"n": 1} and r["priority"] == -7'
is "--json: artifacts" json '"a.txt" in [a["name"] for a in r["artifacts"]] and [a["name"] for a in r["input_artifacts"]] == ["_code.py", "_input.json", "data.csv"] and all(set(a) == {"name", "size_bytes", "sha256", "content_type"} for a in r["artifacts"] + r["input_artifacts"])'
id=$(python3 -c 'import json; print(json.load(open("out"))["execution_id"])')
cp out record.json
t show "$id" --json
is "show --json is the same record" cmp -s out record.json
t show "$(echo "$id" | cut -c 1-18)" --json
is "show takes the beginning of an id" cmp -s out record.json
t show "$id"
is "show: 0" ended 0
is "show: status" says '^status  *failed'
is "show: exit code" says '^exit code  *4'
is "show: priority" says '^priority  *-7'
is "show: isolation" says '^isolation  *\(every layer on\|[a-z_]* [a-z]*: \)'
is "show: stdout" says '^stdout, 2 bytes:'
is "show: artifacts" says '^  a.txt'
is "show: input files" says '^  data.csv'
t show 00000000-0000-4000-8000-000000000000
is "show of an unknown job in a store: 1" ended 1
is "show of an unknown job in a store: one line" only_one_line
job 'while True: pass'
t run job.py --json --timeout 0.2
is "--json: timeout is 124 too" ended 124
is "--json: timeout in the record" json 'r["status"] == "timeout" and r["error"]["type"] == "execution_timeout"'
is "--json: timeout says nothing on stderr" quiet
job 'print("x" * 100000)'
t run job.py --json
is "--json: what is cut is flagged" json 'r["stdout_truncated"] and len(r["stdout"]) < 70000 and r["stdout_bytes"] == 100001'
t run job.py --permissive --json
is "--permissive runs" json 'r["status"] == "succeeded" and r["isolation"]'
t run job.py --rootfs / --json
is "--rootfs / runs" ended 0
t run job.py --interpreter /usr/bin/python3 --job-type default --json
is "--interpreter and --job-type run" json 'r["job_type"] == "default" and r["status"] == "succeeded"'

# ---- artifacts -----------------------------------------------------------------------------

job 'open("/output/a.bin", "wb").write(bytes(range(256)))\nopen("/output/b.txt", "w").write("new")'
python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)))' >want
t run job.py --output-dir new/deep
is "artifacts: 0" ended 0
is "artifacts: nothing is said" quiet
is "artifacts: directories are made, bytes are exact" cmp -s new/deep/a.bin want
is "artifacts: both" [ "$(cat new/deep/b.txt)" = new ]
echo old >new/deep/b.txt
echo secret >target
rm new/deep/a.bin
ln -s "$dir/target" new/deep/a.bin
t run job.py --output-dir new/deep/
is "artifacts: a link in the place: 125" ended 125
is "artifacts: a link in the place is named" complains 'a.bin'
is "artifacts: the link's target is untouched" [ "$(cat target)" = secret ]
is "artifacts: the others are written, over the old" [ "$(cat new/deep/b.txt)" = new ]
is "artifacts: nothing is left behind" [ "$(ls -A new/deep | wc -l)" -eq 2 ]
t run job.py --output-dir real --json
is "artifacts: also with --json" cmp -s real/a.bin want
job 'import os\nos.symlink("/etc/passwd", "/output/link")'
t run job.py --output-dir real
is "what is no artifact is named" complains 'link'
is "what is no artifact is not written" [ ! -e real/link ]

# ---- list ----------------------------------------------------------------------------------

XDG_DATA_HOME=$dir/data
export XDG_DATA_HOME
for i in 1 2 3; do
    job "print($i)"
    t run job.py
done
job '1/0'
t run job.py
is "XDG_DATA_HOME is used" [ -f "$dir/data/tako/jobs.db" ]
t list
is "list: 0" ended 0
is "list: a head and four jobs" [ "$(wc -l <out)" -eq 5 ]
is "list: newest first" [ "$(sed -n 2p out | grep -c division_error)" -eq 1 ]
t list --status failed --json
is "list --status" json "r['count'] == 1 and len(r['items']) == 1 and set(r['items'][0]) == $keys and not r['has_more'] and r['next'] is None"
t list --status failed --status succeeded --json
is "list --status twice" json 'r["count"] == 4'
t list --type nosuch --json
is "list --type of nothing" json 'r["count"] == 0'
t list --type default --json
is "list --type" json 'r["count"] == 4'
cp out all.json
t list --limit 2 --json
is "list --limit" json 'r["count"] == 2 and r["has_more"] and r["next"] == r["items"][1]["execution_id"]'
next=$(python3 -c 'import json; print(json.load(open("out"))["next"])')
t list --limit 2 --json --after "$next"
is "list --after is the next page, and the last" json 'not r["has_more"] and [i["execution_id"] for i in r["items"]] == [i["execution_id"] for i in json.load(open("all.json"))["items"]][2:]'
t list --limit 2
is "list: tells of the next page" says -- "--after $next"
t list --after 00000000-0000-4000-8000-000000000000
is "list --after an unknown job: 1" ended 1
with TAKO_STORE "sqlite:$dir/env.db" run job.py
is "TAKO_STORE is used" [ -f env.db ]
with TAKO_STORE "sqlite:$dir/env.db" list --store sqlite:data/tako/jobs.db --json
is "--store goes before TAKO_STORE" json 'r["count"] == 4'
with TAKO_STORE '' list --json
is "an empty TAKO_STORE is none" json 'r["count"] == 4'
t run job.py --store sqlite::memory:
is "a store in memory" ended 1
t list --json
is "leaves no record" json 'r["count"] == 4'
"$tako" list >/dev/full 2>err
rc=$?
is "list on a full disk: 1" ended 1

# ---- live, signals, terminals --------------------------------------------------------------

cat >helper.py <<'END'
import json, os, pty, select, signal, sqlite3, subprocess, sys, time
tako, what = sys.argv[1:3]
for sig in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(sig) == signal.SIG_IGN:  # as nohup and shells leave it: tako would keep to it
        signal.signal(sig, signal.SIG_DFL)
SLEEP = "import time\nprint('started', flush=True)\ntime.sleep(20)\nprint('ended')\n"

def start(code, *args, **kw):
    open("h.py", "w").write(code)
    kw.setdefault("stdout", subprocess.PIPE)
    kw.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen([tako, "run", "h.py", *args], stdin=subprocess.DEVNULL, **kw)

def newest():
    got = subprocess.run([tako, "list", "--limit", "1", "--json"], capture_output=True)
    return json.loads(got.stdout)["items"][0]

def interrupt(sig):
    p = start(SLEEP)
    assert p.stdout.readline() == b"started\n"
    begun = time.monotonic()
    p.send_signal(sig)
    out, err = p.communicate()
    assert time.monotonic() - begun < 3
    assert p.returncode == 130, p.returncode
    assert out == b"", out
    assert err.startswith(b"tako: job ") and b" cancelled" in err and err.count(b"\n") == 1, err
    assert newest()["status"] == "cancelled"

def read_pty(fd, seconds):
    text, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                more = os.read(fd, 65536)
            except OSError:
                break
            if not more:
                break
            text += more
    return text

def on_pty(command):
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(command[0], command)
    text = read_pty(fd, 15)
    return text, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

if what == "live":
    p = start("import time\nprint('first', flush=True)\ntime.sleep(1)\nprint('last')\n")
    assert p.stdout.readline() == b"first\n"
    begun = time.monotonic()
    assert p.stdout.read() == b"last\n"
    assert time.monotonic() - begun > 0.5
    assert p.wait() == 0
elif what == "int":
    interrupt(signal.SIGINT)
elif what == "term":
    interrupt(signal.SIGTERM)
elif what == "hup":
    interrupt(signal.SIGHUP)
elif what == "ignored":
    p = start(SLEEP.replace("20", "1"), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert p.stdout.readline() == b"started\n"
    p.send_signal(signal.SIGINT)
    assert p.stdout.read() == b"ended\n"
    assert p.wait() == 0
elif what == "twice":
    # The second one ends it whatever the first one does: here the store is locked.
    p = start(SLEEP, "--store", "sqlite:twice.db")
    assert p.stdout.readline() == b"started\n"
    db = sqlite3.connect("twice.db", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    p.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert p.poll() is None
    p.send_signal(signal.SIGTERM)
    assert p.wait(timeout=2) == 130
elif what == "timeout":
    # timeout(1) sends its signal to the process and to the group.
    open("h.py", "w").write(SLEEP)
    p = subprocess.run(["timeout", "1", tako, "run", "h.py"], capture_output=True)
    assert p.returncode == 124, p.returncode
    assert p.stderr.count(b"\n") == 1 and b" cancelled" in p.stderr, p.stderr
    assert newest()["status"] == "cancelled"
elif what == "stuck":
    # A reader that does not read: Ctrl-C works all the same.
    p = start("while True: print('x' * 1000)\n")
    time.sleep(1)
    p.send_signal(signal.SIGINT)
    assert p.wait(timeout=5) == 130
    assert newest()["status"] == "cancelled"
elif what == "json-int":
    p = start(SLEEP, "--json")
    time.sleep(1)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate()
    assert p.returncode == 130
    assert json.loads(out)["status"] == "cancelled"
elif what == "reader-gone":
    p = start("while True: print('x' * 1000)\n")
    p.stdout.read(10)
    p.stdout.close()
    err = p.stderr.read()
    assert p.wait(timeout=5) == 141, p.returncode
    assert b"Broken pipe" in err and err.count(b"\n") == 1, err
    assert newest()["status"] == "cancelled"
elif what == "full":
    p = start("print('x')\nimport time\ntime.sleep(20)\n", stdout=open("/dev/full", "w"))
    p.wait(timeout=5)
    assert p.returncode == 125, p.returncode
    assert b"No space left" in p.stderr.read()
elif what == "progress":
    open("h.py", "w").write("import time\ntime.sleep(2.5)\nprint('done')\n")
    text, code = on_pty([tako, "run", "h.py"])
    assert code == 0
    assert b"tako: running, 1" in text, text
    assert text.endswith(b"\r\x1b[Kdone\r\n"), text
    # Not over a line that the job has begun.
    open("h.py", "w").write("import time\nprint('begun', end='', flush=True)\ntime.sleep(2.5)\n")
    text, code = on_pty([tako, "run", "h.py"])
    assert text == b"begun", text
elif what == "no-progress":
    p = start("import time\ntime.sleep(2.2)\nprint('done')\n")
    assert p.communicate() == (b"done\n", b"")
elif what == "show-escapes":
    p = start("import sys\nsys.stdout.write('\\x1b[31mred\\x07\\u202e')\nsys.exit(1)\n")
    p.wait()
    id = newest()["execution_id"]
    text, code = on_pty([tako, "show", id])
    assert code == 0
    assert b"\x1b" not in text and b"\x07" not in text and b"\xe2\x80\xae" not in text, text
    assert b"\\x1b[31mred\\x07\\u202e" in text, text
    raw = subprocess.run([tako, "show", id], capture_output=True).stdout
    assert b"\x1b[31mred\x07\xe2\x80\xae" in raw, raw
elif what == "message-escapes":
    p = start("raise ValueError('\\x1b[31mred')\n")
    p.wait()
    id = newest()["execution_id"]
    for c in ("show", id), ("list",):
        text = on_pty([tako, *c])[0]
        assert b"\x1b" not in text, text
elif what == "others":
    # Another job of the same store may be run as well; its output is not ours.
    p = start(SLEEP, "--store", "sqlite:others.db")
    assert p.stdout.readline() == b"started\n"
    q = start("print('mine')\n", "--store", "sqlite:others.db")
    assert q.communicate() == (b"mine\n", b"")
    p.send_signal(signal.SIGINT)
    p.communicate()
    assert p.returncode == 130
else:
    sys.exit("unknown: " + what)
END
h() {
    : >out
    python3 helper.py "$tako" "$2" >out 2>err
    rc=$?
    is "$1" ended 0
}
h "output arrives while the job runs" live
h "Ctrl-C cancels the job: 130" int
h "SIGTERM cancels the job: 130" term
h "SIGHUP cancels the job: 130" hup
h "an ignored SIGINT stays ignored" ignored
h "a second signal ends at once: 130" twice
h "timeout(1) cancels the job" timeout
h "Ctrl-C works when nobody reads the output" stuck
h "Ctrl-C with --json prints the record: 130" json-int
h "a reader that goes away: the job is cancelled, 141" reader-gone
h "a full disk: the job is cancelled, 125" full
h "progress on a terminal, erased before output" progress
h "no progress elsewhere" no-progress
h "show escapes output on a terminal, not in a pipe" show-escapes
h "messages and names are escaped" message-escapes
h "two at a time in one store" others

finish
