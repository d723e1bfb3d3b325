# SPDX-License-Identifier: MIT
# mifcont: `make` builds, `make demo` shows, `make test` proves. See README.md.

B ?= build
CC ?= cc
LIBC_FLAGS ?= -include common/libc.h
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
# What newer versions of c-ares deprecate has no substitute in those of older releases.
# initial-exec: the first touch of a thread-local in a preloaded library must not allocate.
COMMON_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DCARES_NO_DEPRECATED -I. -MMD -MP -fPIC -fvisibility=hidden \
	-ftls-model=initial-exec $(WARN) $(SAN) $(LIBC_FLAGS)
LDFLAGS += $(SAN)

rooms := common monitor mif policy session http relay cli service preload
src = $(sort $(wildcard $(1)/*.c))
obj = $(patsubst %.c,$(B)/%.o,$(call src,$(1)))

quiet = @printf '  %-7s %s\n' $(1) $(2);

all: $(B)/libmifcont.so $(B)/mifcont $(B)/mifcont-relay $(B)/libmif.so $(B)/mifcontd

# --- what is needed to build: installed on first use, see scripts/bootstrap ------------------
$(B)/.deps-build: scripts/bootstrap
	@mkdir -p $(B)
	@scripts/bootstrap build
	@touch $@

$(B)/%.o: %.c | $(B)/.deps-build
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(COMMON_CFLAGS) $(CFLAGS) -c -o $@ $<

# sodium, c-ares, http-parser and confuse are linked statically so that no symbol of them can meet the program's own copy,
# or something else of that name: syslog-ng has a cfg_init() of its own.
SODIUM ?= -Wl,-Bstatic -lsodium -Wl,-Bdynamic
CARES ?= -Wl,-Bstatic -lcares -Wl,-Bdynamic
HTTP ?= -Wl,-Bstatic -lhttp_parser -Wl,-Bdynamic
# The archive of confuse is made for programs, not for shared objects: all that hinders is where it finds stdin and its
# like, which are given to it under other names (policy/streams.c).
CONFUSE ?= $(B)/libconfuse.a

$(B)/libconfuse.a: Makefile | $(B)/.deps-build
	$(call quiet,AR,$@)objcopy $(foreach s,stdin stdout stderr,--redefine-sym $(s)=pol_$(s)) \
		$$($(CC) -print-file-name=libconfuse.a) $@

$(B)/libmifcont.so: $(foreach r,common monitor policy session http preload,$(call obj,$(r))) $(B)/preload.map $(filter %.a,$(CONFUSE))
	$(call quiet,LD,$@)$(CC) -shared $(LDFLAGS) -o $@ $(filter %.o,$^) \
		-Wl,--version-script=$(B)/preload.map -Wl,--exclude-libs,ALL -Wl,-z,now -Wl,-z,defs \
		-Wl,-Bsymbolic-functions $(SODIUM) $(CARES) $(HTTP) $(CONFUSE) -lmnl -ldl -lpthread

# The exported names are those of preload/symbols.list and nothing else, unversioned.
SYMBOLS ?= preload/symbols.list
$(B)/preload.map: $(SYMBOLS)
	@mkdir -p $(B)
	$(call quiet,MAP,$@)awk 'BEGIN{print "{ global:"} !/^#/&&NF{print "\t" $$1 ";"} END{print "local: *; };"}' $< >$@

$(B)/mifcont: $(foreach r,common monitor mif policy session cli,$(call obj,$(r)))
	$(call quiet,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ -lsodium $(MIF_LIBS) -lconfuse -ljansson

# The MIF API for programs of their own: a library like any other, so what it needs is linked as usual.
MIF_MAJOR := 0
MIF_VERSION := 0.1
MIF_LIBS ?= -lmnl -lcares -lidn2
$(B)/libmif.so.$(MIF_MAJOR): $(foreach r,common monitor mif,$(call obj,$(r))) mif/symbols.map
	$(call quiet,LD,$@)$(CC) -shared $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,-soname,$(@F) \
		-Wl,--version-script=mif/symbols.map -Wl,-z,now -Wl,-z,defs $(MIF_LIBS)

$(B)/libmif.so: $(B)/libmif.so.$(MIF_MAJOR)
	@ln -sf $(<F) $@

# Of the policy room the relay takes the patterns.
$(B)/mifcont-relay: $(foreach r,common session relay,$(call obj,$(r))) $(B)/policy/pattern.o $(B)/policy/glob.o
	$(call quiet,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ -lsodium -lcares

# Nothing is preloaded here, so the libraries are the host's.
$(B)/mifcontd: $(foreach r,common monitor service,$(call obj,$(r)))
	$(call quiet,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ -lmnl -ljansson -lcares -lcurl

include tests/tests.mk

demo: all
	@scripts/demo

lint:
	@scripts/lint

format:
	@clang-format -i docs/example.c $(foreach r,$(rooms),$(wildcard $(r)/*.[ch])) $(wildcard tests/unit/*.[ch] tests/lab/*.[ch] tests/fuzz/*.[ch] tests/suites/*.[ch])

# Test suites of others, with the library and without.
transparency: all $(B)/suites/elsewhere.so
	@scripts/transparency $(SUITES)

# The same library for programs of musl, see scripts/musl.
musl:
	@scripts/musl

# Real programs, busy through losses.
programs: all
	@scripts/programs $(PROGRAMS)

soak: all
	@scripts/soak

soak-web: all
	@scripts/soak-web

# Programs made up by chance, with the library and without.
FROM ?= 1
TO ?= 100
alike:
	@ALIKE_SEEDS="$$(seq $(FROM) $(TO))" TESTS=alike FILE_SECONDS=86400 AGAIN=0 scripts/test

bench: all
	@scripts/bench

prefix ?= /usr/local
libdir ?= $(prefix)/lib
install: all
	install -D -m 755 $(B)/libmifcont.so $(DESTDIR)$(libdir)/libmifcont.so
	install -D -m 755 $(B)/mifcont $(DESTDIR)$(prefix)/bin/mifcont
	install -D -m 755 $(B)/mifcont-relay $(DESTDIR)$(prefix)/bin/mifcont-relay
	install -D -m 755 $(B)/mifcontd $(DESTDIR)$(prefix)/sbin/mifcontd
	for u in mifcontd.socket mifcontd.service; do install -d "$(DESTDIR)$(prefix)/lib/systemd/system" && \
		sed 's|@prefix@|$(prefix)|' scripts/systemd/$$u >"$(DESTDIR)$(prefix)/lib/systemd/system/$$u"; done
	install -D -m 755 $(B)/libmif.so.$(MIF_MAJOR) $(DESTDIR)$(libdir)/libmif.so.$(MIF_MAJOR)
	ln -sf libmif.so.$(MIF_MAJOR) $(DESTDIR)$(libdir)/libmif.so
	install -D -m 644 monitor/mif.h $(DESTDIR)$(prefix)/include/mif.h
	install -d $(DESTDIR)$(libdir)/pkgconfig
	sed -e 's|@prefix@|$(prefix)|' -e 's|@libdir@|$(libdir)|' -e 's|@version@|$(MIF_VERSION)|' mif/libmif.pc.in \
		>$(DESTDIR)$(libdir)/pkgconfig/libmif.pc
	install -D -m 644 docs/example.c $(DESTDIR)$(prefix)/share/doc/mifcont/example.c
	for p in scripts/hooks/*; do install -D -m 755 "$$p" "$(DESTDIR)$(prefix)/share/mifcont/$${p##*/}"; done
	for p in policy/examples/*.conf; do install -D -m 644 "$$p" "$(DESTDIR)$(prefix)/share/mifcont/examples/$${p##*/}"; done
	for p in docs/*.[13578]; do [ ! -e "$$p" ] || install -D -m 644 "$$p" \
		"$(DESTDIR)$(prefix)/share/man/man$${p##*.}/$${p##*/}"; done

clean:
	rm -rf build

.PHONY: all demo test lint format musl bench soak soak-web alike transparency programs install clean
-include $(shell find $(B) -name '*.d' 2>/dev/null)
