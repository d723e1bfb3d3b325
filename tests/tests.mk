# SPDX-License-Identifier: MIT
# Unit tests: every tests/unit/test_*.c is one cmocka program, linked with the pure rooms.
# Integration tests: every tests/integration/*.bats. scripts/test runs both and adds up.

unit_bins = $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
UNIT_LIBS ?= -lcmocka -lsodium -lmnl -lconfuse -ljansson $(HTTP) -lpthread
unit_objs = $(foreach r,common monitor policy session http,$(call obj,$(r)))

$(B)/tests/%: tests/unit/%.c $(unit_objs)
	@mkdir -p $(@D)
	$(call quiet,TEST,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(unit_objs) $(UNIT_EXTRA) \
		$(UNIT_LIBS)

# A module of preload is tested alone: with the hooks in it, a test's own connect() and read() would be the library's.
$(B)/tests/test_preload_%: tests/unit/test_preload_%.c $(B)/preload/%.o $(B)/preload/procfs.o $(B)/preload/own.o $(B)/preload/numbers.o $(unit_objs)
	@mkdir -p $(@D)
	$(call quiet,TEST,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out %.h,$^) $(UNIT_EXTRA) \
		$(UNIT_LIBS)

$(B)/tests/test_preload_opening: $(B)/preload/records.o
$(B)/tests/test_preload_heirs: $(B)/preload/survey.o

# A pure module of the relay, alone.
$(B)/tests/test_relay_%: tests/unit/test_relay_%.c $(B)/relay/%.o $(unit_objs)
	@mkdir -p $(@D)
	$(call quiet,TEST,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out %.h,$^) $(UNIT_EXTRA) \
		$(UNIT_LIBS)

# A pure module of the service, alone.
$(B)/tests/test_service_%: tests/unit/test_service_%.c $(B)/service/%.o $(unit_objs)
	@mkdir -p $(@D)
	$(call quiet,TEST,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out %.h,$^) $(UNIT_EXTRA) \
		$(UNIT_LIBS)

$(B)/lab/%: tests/lab/%.c | $(B)/.deps-build
	@mkdir -p $(@D)
	$(call quiet,LAB,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< -ldl -lpthread

$(B)/lab/gale: tests/lab/gale.c | $(B)/.deps-build
	@mkdir -p $(@D)
	$(call quiet,LAB,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< -lmnl

# Preloaded into the suites of others, before the library.
$(B)/suites/%.so: tests/suites/%.c | $(B)/.deps-build
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) -shared $(LDFLAGS) -o $@ $< -ldl -lpthread

# A program of libmif's.
$(B)/lab/mif_calls: tests/lab/mif_calls.c $(B)/libmif.so
	@mkdir -p $(@D)
	$(call quiet,LAB,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< -L$(B) -lmif -Wl,-rpath,$(abspath $(B))

# Speaks the protocol itself.
relay_client_objs = $(foreach r,common session,$(call obj,$(r)))
$(B)/lab/relay_client: tests/lab/relay_client.c $(relay_client_objs)
	@mkdir -p $(@D)
	$(call quiet,LAB,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lsodium

# Fuzz targets: every tests/fuzz/fuzz_*.c is one, for libFuzzer. scripts/fuzz builds them in a tree of their own, with
# clang and its sanitizers, and runs them.
fuzz_bins = $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_objs = $(unit_objs) $(B)/cli/elf.o $(B)/cli/valid.o $(B)/relay/access.o $(B)/service/additional.o $(B)/preload/records.o $(B)/preload/first.o $(B)/preload/opening.o

$(B)/fuzz/%: tests/fuzz/%.c $(fuzz_objs)
	@mkdir -p $(@D)
	$(call quiet,FUZZ,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(fuzz_objs) \
		-lsodium -lmnl -lconfuse -ljansson -lcmocka $(HTTP) -lpthread

fuzzers: $(fuzz_bins)

# All targets together, for so many seconds.
FUZZ_SECONDS ?= 600
fuzz:
	@scripts/fuzz $(FUZZ_SECONDS)

unit: $(unit_bins)
lab: $(patsubst tests/lab/%.c,$(B)/lab/%,$(wildcard tests/lab/*.c))

# The protocol, searched through by spin.
model:
	@scripts/bootstrap test
	@tests/model/run

test: all
	@scripts/test

.PHONY: unit lab model fuzzers fuzz test
