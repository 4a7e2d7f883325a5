# Makefile - builds, tests and installs Tako. `make help` lists the targets.
#
# Objects lie in build/CONFIG/, results in build/. The list of modules is taken from tako.c.
# To look at the commands: make V=1.
# SPDX-License-Identifier: MIT

# ---- yours to set: make CC=clang CFLAGS=-O3 PREFIX=/usr ----------------------------------------

CC ?= cc
CFLAGS ?= -O2 -g
LDFLAGS ?=
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
OBJCOPY ?= objcopy
# What to do about packages that are not there: `tell` stops and names them, `install` installs
# them (on Debian and its kin), `skip` does not look. `make demo` and `make check` install.
PACKAGES ?= tell
# Arguments of `make bench`.
BENCH ?=
# Of `make stress-...`: how often (each has its own default), the seed of a run to be repeated, and
# MODE=user to run as an ordinary user where make runs as root.
N ?=
SEED ?=
MODE ?=

# As many at once as there are processors, unless told otherwise.
ifeq (,$(filter -j% --jobs%,$(MAKEFLAGS)))
MAKEFLAGS += -j$(shell nproc)
endif

# ---- ours ---------------------------------------------------------------------------------------

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
PACKAGE_SET := build
Q := $(if $(V),,@)
say = @$(if $(V),:,echo "  $(1)")

VERSION := $(shell sed -n 's/^.define TAKO_VERSION "\(.*\)"/\1/p' tako.h)
SOMAJOR := $(firstword $(subst ., ,$(VERSION)))
SO := libtako.so.$(SOMAJOR)

MODULES := $(shell sed -n 's/^.include "\(.*\.c\)".*/\1/p' tako.c)
SERVER := $(sort $(wildcard server/*.c))
EXAMPLES := $(sort $(wildcard examples/*.c))
BENCHES := $(sort $(wildcard bench/*.c))
STRESS := $(sort $(wildcard tests/stress/*.c))
SUITES := $(foreach g,unit api contract hostile fault,$(sort $(wildcard tests/$(g)/check_*.c)))
# Suites that look inside cannot be linked against the amalgamation, which exports tako_* only.
INNER := $(shell grep -lE '"\.\./\.\./(src|backends)/' $(SUITES) /dev/null)
OUTER := $(filter-out $(INNER),$(SUITES))
DOCS := $(sort $(wildcard docs/*.md))

LIBS := -lsqlite3 -lcjson -lseccomp -lyaml -lpthread
TEST_LIBS := -lcheck -lsubunit -lm -lrt

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wundef -Wformat=2 -Wswitch-enum -Wvla -Wcast-qual -Wwrite-strings \
	-Wnull-dereference
WARN_GCC := -Wlogical-op -Wduplicated-cond -Wjump-misses-init
WARN_CLANG :=
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
HARDEN_LINK := -Wl,-z,relro,-z,now -Wl,-z,noexecstack
OURS := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -pthread $(WARN)

# The compiler behind CC decides which extra warnings it gets. Before it is installed: gcc.
CC_WARN := $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),$(WARN_CLANG),$(WARN_GCC))

# $(call config,NAME,COMPILER,FLAGS): how build/NAME/*.o come from *.c. Only what stands outside
# the library finds tako.h by its bare name. Then the runner of all suites, from the objects of
# the modules, and the runner of the outer suites, from the amalgamation.
define config
build/$(1)/%.o: %.c Makefile | packages
	$$(call say,$(1) $$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(2) $$(OURS) $(3) $$(if $$(filter src/% backends/%,$$<),,-I.) -MMD -MP -c -o $$@ $$<

build/$(1)/runner.o: tests/support/runner.c build/suites-all.h Makefile | packages
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(2) $$(OURS) $(3) -include build/suites-all.h -MMD -MP -c -o $$@ $$<

build/$(1)/runner: build/$(1)/runner.o $$(SUITES:%.c=build/$(1)/%.o) $$(MODULES:%.c=build/$(1)/%.o)
	$$(call say,$(1) link $$@)
	$$(Q)$(2) $$(OURS) $(3) $$(LDFLAGS) -o $$@ $$^ $$(LIBS) $$(TEST_LIBS)

build/$(1)/runner-amalgamation.o: tests/support/runner.c build/suites-outer.h Makefile | packages
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(2) $$(OURS) $(3) -include build/suites-outer.h -MMD -MP -c -o $$@ $$<

build/$(1)/amalgamation.o: amalgamation/tako.c amalgamation/tako.h | packages
	$$(call say,$(1) $$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(2) -std=c11 -pthread $$(WARN) $(3) -c -o $$@ $$<

build/$(1)/runner-amalgamation: build/$(1)/runner-amalgamation.o $$(OUTER:%.c=build/$(1)/%.o) \
		build/$(1)/amalgamation.o
	$$(call say,$(1) link $$@)
	$$(Q)$(2) $$(OURS) $(3) $$(LDFLAGS) -o $$@ $$^ $$(LIBS) $$(TEST_LIBS)
endef

SAN := -O1 -g -fno-omit-frame-pointer
$(eval $(call config,release,$$(CC),$$(CC_WARN) $$(HARDEN) $$(CFLAGS)))
$(eval $(call config,check,$$(CC),-Werror $$(CC_WARN) $$(HARDEN) $$(CFLAGS)))
$(eval $(call config,clang,clang,-Werror $$(WARN_CLANG) -O2 -g))
$(eval $(call config,asan,gcc,$$(SAN) -fsanitize=address,undefined -fno-sanitize-recover=all))
$(eval $(call config,tsan,gcc,$$(SAN) -fsanitize=thread))

# ---- what there is to make ----------------------------------------------------------------------

.PHONY: all demo check check-suites check-amalgamation check-asan check-tsan check-vm check-hostile \
	check-install hostile-report lint format tidy amalgamation examples bench stress-verdicts \
	stress-kill stress-leak install uninstall clean help packages

all: packages build/tako build/libtako.a build/libtako.so ## build/tako, build/libtako.a, build/libtako.so

demo: PACKAGES := install
demo: packages build/tako build/release/examples/demo ## run real jobs and show their records; installs what is missing
	@build/release/examples/demo

check: PACKAGES := install
check: PACKAGE_SET := check
check: packages all examples build/check/runner check-amalgamation-made lint-made ## run every test; installs what is missing
	@sh tests/support/tally.sh \
		'suites=build/check/runner' \
		'examples=sh tests/support/examples.sh $(EXAMPLES:%.c=build/release/%)' \
		'command line=sh tests/server/cli.sh build/tako' \
		'command line, jobs=sh tests/server/cli_jobs.sh build/tako' \
		'packages=sh tests/support/packages_test.sh' \
		'install=sh tests/support/install.sh' \
		$(AMALGAMATION_PARTS) \
		'lint=sh tests/lint/lint.sh'

check-suites: PACKAGE_SET := check
check-suites: packages build/check/runner ## run the C suites; SUITE="json str" picks some
	@build/check/runner $(SUITE)

check-hostile: PACKAGE_SET := check
check-hostile: packages build/check/runner ## attack the sandbox in every mode there is; SUITE="catalogue" picks some
	@build/check/runner $(or $(SUITE),hostile)

hostile-report: packages build/tako ## the same attacks on tako, bwrap and docker, side by side; as root
	@/usr/bin/python3 tests/hostile/report.py build/tako $(LINES)

# The same public suites against the one file, made by either compiler; the crashes, which take
# their time, once.
AMALGAMATION_PARTS = \
	'amalgamation, gcc=TAKO_TEST_ONE_MODE=1 build/check/runner-amalgamation' \
	'amalgamation, clang=TAKO_TEST_ONE_MODE=1 build/clang/runner-amalgamation api contract hostile' \
	'one file=sh tests/amalgamation/drop_in.sh build/check/amalgamation.o build/clang/amalgamation.o'

.PHONY: check-amalgamation-made lint-made
check-amalgamation-made: packages amalgamation build/check/runner-amalgamation \
	build/clang/runner-amalgamation

check-amalgamation: PACKAGE_SET := check
check-amalgamation: check-amalgamation-made ## test the one-file library with gcc and clang
	@sh tests/support/tally.sh $(AMALGAMATION_PARTS)

# No test may pass by skipping what a sanitizer finds: the first finding ends the process.
check-asan: PACKAGE_SET := check
check-asan: packages build/asan/runner ## run the suites under the address and undefined sanitizers
	@ASAN_OPTIONS=halt_on_error=1:detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1 \
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 TAKO_TEST_SANITIZER=address \
	build/asan/runner $(SUITE)

check-tsan: PACKAGE_SET := check
check-tsan: packages build/tsan/runner ## run the suites under the thread sanitizer
	@TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:die_after_fork=0 \
	TAKO_TEST_SANITIZER=thread build/tsan/runner $(SUITE)

check-vm: PACKAGE_SET := check
check-vm: packages all build/check/runner ## the sandbox under cgroup v2 and mixed, in virtual machines; takes minutes
	@sh tests/vm/run.sh build

check-install: all ## install into a temporary place, build against it, uninstall
	@sh tests/support/install.sh

lint-made: packages all $(foreach f,$(MODULES) $(SERVER) $(EXAMPLES) $(BENCHES) $(STRESS) $(SUITES),\
	build/check/$(f:.c=.o) build/clang/$(f:.c=.o))

lint: PACKAGE_SET := check
lint: lint-made ## layers, headers, symbols, format, documents; no warnings with gcc and clang
	@sh tests/lint/lint.sh

format: packages ## lay out all C files by .clang-format
	@sh tests/lint/format.sh -i

tidy: packages ## clang-tidy over the library, for reading; nothing depends on it
	clang-tidy --quiet $(MODULES) $(SERVER) -- -std=c11 -D_GNU_SOURCE

examples: packages $(EXAMPLES:%.c=build/release/%) ## build/release/examples/*

bench: PACKAGES := install
bench: PACKAGE_SET := bench
bench: packages build/release/bench/bench build/tako ## measure Tako beside its peers; BENCH="arguments"
	@build/release/bench/bench $(BENCH)

stress-verdicts: packages build/release/stress/verdicts ## N=2000 adversarial endings: none misclassified; SEED= MODE=user
	@build/release/stress/verdicts N=$(N) SEED=$(SEED) MODE=$(MODE) CASE=$(CASE)

stress-kill: packages build/release/stress/kill ## N=1000 kill -9 of a host: nothing survives, leaks or is lost
	@build/release/stress/kill N=$(N) SEED=$(SEED) MODE=$(MODE)

stress-leak: packages build/release/stress/leak ## N=20000 jobs, one in ten hostile: nothing grows
	@build/release/stress/leak N=$(N) SEED=$(SEED) MODE=$(MODE)

amalgamation: amalgamation/tako.c amalgamation/tako.h ## amalgamation/tako.c and tako.h: the library in one file

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-20s %s\n", $$1, $$2}' Makefile

clean: ## remove build/ and the amalgamation
	rm -rf build amalgamation/tako.c amalgamation/tako.h

packages:
	@sh tests/support/packages.sh $(PACKAGES) $(PACKAGE_SET)

# ---- the library and the program ----------------------------------------------------------------

# One object whose hidden symbols are made local: a host's own names cannot clash with ours.
build/libtako.a: $(MODULES:%.c=build/release/%.o)
	$(call say,release $@)
	$(Q)$(CC) $(CFLAGS) -r -nostdlib -o build/release/tako.o $^
	$(Q)$(OBJCOPY) --localize-hidden build/release/tako.o
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ build/release/tako.o

# The list keeps in what the linker itself makes (__start_SECTION); all else is hidden already.
build/libtako.so: $(MODULES:%.c=build/release/%.o)
	$(call say,release $@)
	$(Q)echo '{ global: tako_*; local: *; };' >build/libtako.map
	$(Q)$(CC) $(CFLAGS) -shared -pthread $(HARDEN_LINK) -Wl,-soname,$(SO) -Wl,-z,defs \
		-Wl,--version-script=build/libtako.map $(LDFLAGS) -o build/libtako.so.$(VERSION) $^ $(LIBS)
	$(Q)ln -sf libtako.so.$(VERSION) build/$(SO)
	$(Q)ln -sf $(SO) $@

build/tako: $(SERVER:%.c=build/release/%.o) build/libtako.a
	$(call say,release $@)
	$(Q)$(CC) $(CFLAGS) -pie -pthread $(HARDEN_LINK) $(LDFLAGS) -o $@ $^ $(LIBS)

$(EXAMPLES:%.c=build/release/%): build/release/examples/%: build/release/examples/%.o build/libtako.a
	$(call say,release $@)
	$(Q)$(CC) $(CFLAGS) -pie -pthread $(LDFLAGS) -o $@ $^ $(if $(findstring unit_test,$@),$(TEST_LIBS)) $(LIBS)

build/release/bench/bench: $(BENCHES:%.c=build/release/%.o) build/libtako.a
	$(call say,release $@)
	$(Q)$(CC) $(CFLAGS) -pie -pthread $(LDFLAGS) -o $@ $^ $(LIBS) -lm

build/release/stress/verdicts: build/release/tests/stress/endings.o
$(addprefix build/release/stress/,verdicts kill leak): build/release/stress/%: \
		build/release/tests/stress/%.o build/libtako.a
	$(call say,release $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pie -pthread $(LDFLAGS) -o $@ $^ $(LIBS)

# ---- generated files ----------------------------------------------------------------------------

# Written only when they change, so that nothing is made anew for nothing.
build/suites-all.h build/suites-outer.h: build/suites-%.h: $(SUITES) Makefile
	$(Q)mkdir -p build
	$(Q)sh tests/support/suites.sh $(if $(filter all,$*),$(SUITES),$(OUTER)) >$@.new
	$(Q)if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# Always made, for it names the commit as well.
.PHONY: amalgamation/made
amalgamation/tako.c: amalgamation/made
amalgamation/made:
	$(Q)mkdir -p build
	$(Q)sh amalgamation/amalgamate.sh >build/tako.c.new
	$(Q)if cmp -s build/tako.c.new amalgamation/tako.c; then rm build/tako.c.new; \
		else mv build/tako.c.new amalgamation/tako.c; fi

amalgamation/tako.h: tako.h
	$(Q)cp tako.h $@

# ---- installation -------------------------------------------------------------------------------

DOCDIR := $(PREFIX)/share/doc/tako
INSTALLED := $(PREFIX)/bin/tako $(LIBDIR)/libtako.a $(LIBDIR)/libtako.so.$(VERSION) $(LIBDIR)/$(SO) \
	$(LIBDIR)/libtako.so $(PREFIX)/include/tako.h $(LIBDIR)/pkgconfig/tako.pc \
	$(DOCDIR)/LICENSE $(DOCDIR)/README.md $(DOCDIR)/CHANGELOG.md $(DOCS:docs/%=$(DOCDIR)/docs/%)

install: all ## PREFIX=/usr/local DESTDIR=
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(LIBDIR)/pkgconfig' \
		'$(DESTDIR)$(PREFIX)/include' '$(DESTDIR)$(DOCDIR)/docs'
	install -m 755 build/tako '$(DESTDIR)$(PREFIX)/bin/tako'
	install -m 644 build/libtako.a build/libtako.so.$(VERSION) '$(DESTDIR)$(LIBDIR)'
	ln -sf libtako.so.$(VERSION) '$(DESTDIR)$(LIBDIR)/$(SO)'
	ln -sf $(SO) '$(DESTDIR)$(LIBDIR)/libtako.so'
	install -m 644 tako.h '$(DESTDIR)$(PREFIX)/include/tako.h'
	install -m 644 LICENSE README.md CHANGELOG.md '$(DESTDIR)$(DOCDIR)'
	install -m 644 $(DOCS) '$(DESTDIR)$(DOCDIR)/docs'
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$${prefix}/include' '' \
		'Name: tako' 'Description: Runs untrusted code as durable jobs, inside your program' \
		'Version: $(VERSION)' 'Libs: -L$${libdir} -ltako' 'Cflags: -I$${includedir}' \
		'Requires.private: sqlite3, libcjson, libseccomp, yaml-0.1' 'Libs.private: -lpthread' \
		>'$(DESTDIR)$(LIBDIR)/pkgconfig/tako.pc'

uninstall: ## removes exactly what install put there
	rm -f $(foreach f,$(INSTALLED),'$(DESTDIR)$(f)')
	-rmdir '$(DESTDIR)$(DOCDIR)/docs' '$(DESTDIR)$(DOCDIR)' 2>/dev/null

-include $(shell find build -name '*.d' 2>/dev/null)
