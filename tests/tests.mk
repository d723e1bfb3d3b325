# SPDX-License-Identifier: MIT
# Unit tests: every tests/unit/test_*.c is one cmocka program, linked with the pure rooms.
# Integration tests: every tests/integration/*.bats. scripts/test runs both and adds up.

unit_bins = $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
unit_objs = $(foreach r,common monitor policy session,$(call obj,$(r)))

$(B)/tests/%: tests/unit/%.c $(unit_objs)
	@mkdir -p $(@D)
	$(call quiet,TEST,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(unit_objs) $(UNIT_EXTRA) \
		-lcmocka -lsodium -lmnl -lconfuse -ljansson -lpthread

# Preload modules that stand alone are tested without the library around them.
$(B)/tests/test_preload_%: UNIT_EXTRA = $(filter-out $(B)/preload/init.o,$(call obj,preload))
$(B)/tests/test_preload_%: $(call obj,preload)

$(B)/lab/%: tests/lab/%.c | $(B)/.deps-build
	@mkdir -p $(@D)
	$(call quiet,LAB,$@)$(CC) $(COMMON_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

unit: $(unit_bins)
lab: $(patsubst tests/lab/%.c,$(B)/lab/%,$(wildcard tests/lab/*.c))

test: all
	@scripts/test

.PHONY: unit lab
