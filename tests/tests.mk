# Everything that is not building: dependencies, tests, fuzzing, lint, benchmarks, the demo.

UNIT := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(UNIT))
FUZZ := $(wildcard tests/fuzz/*/fuzz_*.c)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(FUZZ))
IT := $(sort $(wildcard tests/it/[0-9]*.sh))

# A test links its folder's archive and what that archive needs.
LIBS_supervisor := -lseccomp
LIBS_control := -lsqlite3 -ljansson -lnettle
LIBS_receiver := -lssh
LIBS_builder := -lgit2 -larchive -lyaml -lnettle
LIBS_cli := -ljansson
component = $(notdir $(patsubst %/,%,$(dir $(1))))
archive_of = $(if $(filter-out lib,$(call component,$(1))),$(O)/$(call component,$(1)).a)

.SECONDEXPANSION:
$(B)/tests/unit/%: $(O)/tests/unit/%.o $(O)/tests/unit/case.o $$(call archive_of,$$*) $(O)/lib.a $(SAN_OPTIONS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_$(call component,$*)) -lcmocka

# Without F= a target is linked with a main that replays its corpus.
$(B)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/replay.o $$(call archive_of,$$*) $(O)/lib.a \
	$(SAN_OPTIONS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_$(call component,$*))

# What the two commands of the README build, they build on all processors.
JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

deps:
	@tests/deps.sh build run test

deps-%:
	@tests/deps.sh build run $*

need-root:
	@test $$(id -u) = 0 || { echo "this needs root: it makes namespaces and cgroups and may install packages" >&2; exit 1; }

# make check [T=name [K=case]]
ifdef T
check: need-root deps
	@$(MAKE) --no-print-directory $(JOBS) all $(filter %/test_$(T),$(UNIT_BIN)) $(filter %/fuzz_$(T),$(FUZZ_BIN))
	@K='$(K)' tests/run $(filter %/test_$(T),$(UNIT_BIN)) $(filter %/fuzz_$(T),$(FUZZ_BIN)) $(filter tests/it/%-$(T).sh,$(IT))
it: need-root deps all
	@B=$(B) tests/run $(filter tests/it/%-$(T).sh,$(IT))
else
check: need-root deps
	@$(MAKE) --no-print-directory $(JOBS) all unit-programs
	@B=$(B) tests/run $(UNIT_BIN) $(FUZZ_BIN) $(IT)
it: need-root deps all
	@B=$(B) tests/run $(IT)
endif

unit: all unit-programs
	@B=$(B) tests/run $(UNIT_BIN) $(FUZZ_BIN)
unit-programs: $(UNIT_BIN) $(FUZZ_BIN)

# make fuzz F=http SECS=60: libFuzzer with sanitizers, in a tree of its own
SECS ?= 60
fuzz: deps-lint
	@tests/fuzz/run '$(F)' '$(SECS)'

lint: deps-lint
	@tests/lint/run

bench: deps-bench need-root all
	@B=$(B) tests/bench/run
bench-%: deps-bench need-root all
	@B=$(B) tests/bench/$*

# make vm: the same build in a real Debian with systemd and cgroup v2, under qemu
vm: need-root all $(filter $(B)/tests/unit/supervisor/%,$(UNIT_BIN))
	@tests/vm/run $(if $(T),$(wildcard tests/it/*-$(T).sh tests/vm/$(T).sh))

demo: need-root
	@tests/deps.sh build run
	@$(MAKE) --no-print-directory $(JOBS) all
	@tests/demo

PREFIX ?= /usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/libexec/paas
	install $(B)/bin/paas $(DESTDIR)$(PREFIX)/bin/
	install $(B)/bin/paasd $(DESTDIR)$(PREFIX)/sbin/
	cp -r $(B)/libexec/paas/. $(DESTDIR)$(PREFIX)/libexec/paas/
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 cli/paas.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 daemon/paas.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 daemon/paasd.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's,/usr/sbin/,$(PREFIX)/sbin/,' systemd/paasd.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/paasd.service
	install -m 644 systemd/paasd.socket $(DESTDIR)$(PREFIX)/lib/systemd/system/
	install -d $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 644 systemd/paas.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/paas.conf
	install -m 644 systemd/paas.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/paas.conf
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	install -m 644 cli/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/paas
	install -m 644 cli/completion.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_paas

help:
	@sed -n 's/^#   //p' Makefile tests/tests.mk
#   make demo            a platform on loopback with a sample app, to look at
#   make unit            unit tests and fuzz corpora only
#   make fuzz F=http SECS=60
#   make lint            format, headers alone, floors, links, clang-tidy, cppcheck, shellcheck
#   make bench           figures beside nginx and bubblewrap in the same run
#   make SAN=address,undefined check
#   make vm              a Debian with systemd and cgroup v2 under qemu runs some of the scripts
#   make install PREFIX=/usr/local DESTDIR=

.PHONY: deps need-root check it unit unit-programs fuzz lint bench vm demo install help
