# paas: one plain Makefile.
#
#   make                 builds build/bin and build/libexec/paas
#   make check           installs what is missing, builds, runs every test
#   make check T=http    one unit test (K=case for one case in it)
#   make it T=push       one script against a real platform
#   make help            the rest

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

VERSION := 0.1.0

# V=1 shows the commands.
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2);)
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
AR := ar

# DEV=1 turns warnings into errors; SAN=address,undefined builds beside the plain tree.
B := $(if $(SAN),build/san,build)
O := $(B)/obj

WARN := -Wall -Wextra -Wshadow -Wvla -Wundef -Wwrite-strings -Wcast-qual -Wpointer-arith \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 \
	-Wimplicit-fallthrough -Wswitch-enum -Wnull-dereference
ifeq ($(DEV),1)
WARN += -Werror
endif

probe = $(shell echo 'int main(void){return 0;}' | $(CC) -Werror $(1) -x c - -o /dev/null 2>/dev/null && echo '$(1)')
HARDEN := $(call probe,-fstack-protector-strong) $(call probe,-fstack-clash-protection) \
	$(call probe,-fcf-protection=full)
ifdef SAN
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
LDSAN := -fsanitize=$(SAN)
else
OPT := -O2 -g -D_FORTIFY_SOURCE=3
endif

CPPFLAGS := -I. -D_GNU_SOURCE -DPAAS_VERSION='"$(VERSION)"'
CFLAGS := -std=gnu17 $(OPT) $(WARN) $(HARDEN) -fPIE
LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDSAN)

# ---- what is built from what -------------------------------------------------------------------
# Every folder is an archive; a program is its main and the archives below it.

objs = $(patsubst %.c,$(O)/%.o,$(1))

LIB := $(wildcard lib/*.c)
DAEMON := $(filter-out daemon/paasd.c,$(wildcard daemon/*.c))
SUPERVISOR := $(wildcard daemon/supervisor/*.c)
INIT := $(filter-out daemon/supervisor/init/main.c,$(wildcard daemon/supervisor/init/*.c))
CONTROL := $(filter-out daemon/control/main.c,$(wildcard daemon/control/*.c))
RECEIVER := $(filter-out %/receiver.c %/session.c %/hook.c,$(wildcard daemon/receiver/*.c))
LOGS := $(filter-out daemon/logs/main.c,$(wildcard daemon/logs/*.c))
BUILDER := $(filter-out builder/main.c,$(wildcard builder/*.c))
FILE_SERVER := $(filter-out %/main.c,$(wildcard buildpacks/static/server/*.c))
ROUTER := $(filter-out router/main.c,$(wildcard router/*.c))
CLI := $(filter-out cli/main.c cli/remote.c,$(wildcard cli/*.c))

PROGRAMS := $(B)/bin/paas $(B)/bin/paasd \
	$(addprefix $(B)/libexec/paas/,paas-control paas-receiver paas-session paas-hook paas-logs \
	paas-router paas-build paas-init paas-remote paas-static)

all: $(PROGRAMS) $(B)/libexec/paas/buildpacks

$(B)/bin/paasd: $(call objs,daemon/paasd.c) $(O)/daemon.a $(O)/supervisor.a $(O)/lib.a
$(B)/bin/paasd: LIBS := -lseccomp
$(B)/libexec/paas/paas-init: $(call objs,daemon/supervisor/init/main.c) $(O)/init.a $(O)/lib.a
$(B)/libexec/paas/paas-control: $(call objs,daemon/control/main.c) $(O)/control.a $(O)/lib.a
$(B)/libexec/paas/paas-control: LIBS := -lsqlite3 -ljansson -lnettle
$(B)/libexec/paas/paas-receiver: $(call objs,daemon/receiver/receiver.c) $(O)/receiver.a $(O)/lib.a
$(B)/libexec/paas/paas-session: $(call objs,daemon/receiver/session.c) $(O)/receiver.a $(O)/lib.a
$(B)/libexec/paas/paas-session: LIBS := -lssh
$(B)/libexec/paas/paas-hook: $(call objs,daemon/receiver/hook.c) $(O)/receiver.a $(O)/lib.a
$(B)/libexec/paas/paas-logs: $(call objs,daemon/logs/main.c) $(O)/logs.a $(O)/lib.a
$(B)/libexec/paas/paas-router: $(call objs,router/main.c) $(O)/router.a $(O)/lib.a
$(B)/libexec/paas/paas-build: $(call objs,builder/main.c) $(O)/builder.a $(O)/lib.a
$(B)/libexec/paas/paas-build: LIBS := -lgit2 -larchive -lyaml -lnettle
$(B)/bin/paas: $(call objs,cli/main.c) $(O)/cli.a $(O)/lib.a
$(B)/bin/paas: LIBS := -ljansson
$(B)/libexec/paas/paas-remote: $(call objs,cli/remote.c) $(O)/lib.a
$(B)/libexec/paas/paas-remote: LIBS := -lgit2
$(B)/libexec/paas/paas-static: $(call objs,buildpacks/static/server/main.c) $(O)/static.a $(O)/lib.a

# These run inside any stack, whatever libc it brings, so they carry their own. Sanitized they run
# only in the host's, whose libraries they use.
STATIC := $(B)/libexec/paas/paas-init $(B)/libexec/paas/paas-hook $(B)/libexec/paas/paas-static
ifndef SAN
$(STATIC): LDFLAGS := -static-pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections
endif

ifdef SAN
SAN_OPTIONS := $(O)/tests/sanitize.o
endif

$(PROGRAMS): $(SAN_OPTIONS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

define archive
$(O)/$(1).a: $$(call objs,$(2))
	@mkdir -p $$(@D)
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
ALL_C += $(2)
endef
$(eval $(call archive,lib,$(LIB)))
$(eval $(call archive,daemon,$(DAEMON)))
$(eval $(call archive,supervisor,$(SUPERVISOR)))
$(eval $(call archive,init,$(INIT)))
$(eval $(call archive,control,$(CONTROL)))
$(eval $(call archive,receiver,$(RECEIVER)))
$(eval $(call archive,logs,$(LOGS)))
$(eval $(call archive,builder,$(BUILDER)))
$(eval $(call archive,static,$(FILE_SERVER)))
$(eval $(call archive,router,$(ROUTER)))
$(eval $(call archive,cli,$(CLI)))

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Buildpacks are scripts; they are copied so that what runs is one tree.
$(B)/libexec/paas/buildpacks: $(shell find buildpacks -type f 2>/dev/null)
	@rm -rf $@ && mkdir -p $@
	@for p in buildpacks/*/bin; do d=$@/$$(basename $$(dirname $$p)); mkdir -p $$d && cp -a $$p $$d/; done
	@touch $@

-include $(shell find $(O) -name '*.d' 2>/dev/null)

clean:
	rm -rf build

.PHONY: all clean
include tests/tests.mk
