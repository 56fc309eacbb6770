# Targets for developers and CI. `make help` lists them.
#
# On Linux everything is linked statically (.cargo/config.toml), because relocating a large binary
# is most of the startup time of a hook. `make STATIC=0 …` links dynamically.

PREFIX ?= $(HOME)/.local
CARGO ?= cargo

ifeq ($(STATIC),0)
# Setting the variable, even to nothing, overrides the flags in .cargo/config.toml.
export CARGO_ENCODED_RUSTFLAGS :=
endif

# `make run` and `make install` build the same binary, so the second of them builds nothing. `make test`
# needs debug assertions and therefore a build of its own.
shipped = --profile dist --locked

# Ask cargo for the path of the binary: target directories and triples vary.
built = $(CARGO) build --bin memctl $(1) --message-format=json-render-diagnostics \
	| sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'

# Files that `make install` creates under PREFIX and `make uninstall` removes.
to = $(DESTDIR)$(PREFIX)
bash = $(to)/share/bash-completion/completions/memctl
zsh = $(to)/share/zsh/site-functions/_memctl
fish = $(to)/share/fish/vendor_completions.d/memctl.fish
plugin = $(to)/share/memctl-plugin

.PHONY: help run test eval check-macos soak redaction fuzz bench hook-functions release install uninstall clean tools

help:
	@echo 'make run          build, and replay a recorded session in a temporary home (first: 7 min of CPU)'
	@echo 'make test         run the checks of CI: format, lints, documentation, all tests (10 min)'
	@echo 'make eval         score the memory of labelled sessions (EVAL_CASE=… shows one of them)'
	@echo 'make check-macos  type-check for macOS on any system (needs rustup)'
	@echo 'make soak         inject random faults into sessions for an hour (SECONDS=…)'
	@echo 'make redaction    measure which secrets are found and which harmless lines redacted (SEED=…)'
	@echo 'make fuzz         fuzz each parser of foreign text for a minute (FUZZ_SECONDS=…, TARGETS=…)'
	@echo 'make bench        measure performance against the budgets (target/bench.json);'
	@echo "                  ARGS='--against DIR' compares with the memctl in DIR"
	@echo 'make hook-functions  trace which functions hooks run (linker/hooks.ld; Linux, needs valgrind)'
	@echo 'make release      build the release binary and its list of dependencies (SBOM); print the paths'
	@echo 'make install      install what make run builds, man pages, completions and the plugin to'
	@echo '                  $(PREFIX) (PREFIX=…)'
	@echo 'make uninstall    remove what was installed; the memory stays'
	@echo 'make clean        remove build output'
	@echo
	@echo 'STATIC=0          link dynamically, for Linux systems without a static C library'

run: tools
	@memctl="$$($(call built,$(shipped)))"; [ -n "$$memctl" ] && tests/demo/run.sh "$$memctl"

# Tests append skipped checks and warnings to this file, which is printed last.
notes = $(CURDIR)/target/test-notes.txt
test: export MEMCTL_TEST_NOTES = $(notes)
test: tools
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --document-private-items
	@mkdir -p target; : >'$(notes)'; \
	if $(CARGO) nextest --version >/dev/null 2>&1; then \
		(set -x; $(CARGO) nextest run --workspace && $(CARGO) test --workspace --doc); \
	else \
		(set -x; $(CARGO) test --workspace); \
	fi; code=$$?; sort '$(notes)'; exit $$code

# Plays labelled sessions (tests/eval), asks labelled stores (tests/data/recall) and fails below the scores in
# tests/eval/expected.toml, as `make test` does. EVAL_CASE=en-001 prints one case, EVAL_STORE=game one store,
# EVAL_RECORD=1 writes the scores.
eval: tools
	@$(CARGO) test --quiet --test eval -- --exact eval retrieval::search_finds_more_than_bm25 recall::recall \
		chains::chains changed_decisions::changed_decisions --nocapture --test-threads 1

# Type-checks the program for macOS with that target's standard library. `cargo check` links nothing,
# so `true` can replace the C compiler that builds SQLite and ring. The integration tests need Linux.
MACOS ?= aarch64-apple-darwin
macos_id = $(subst -,_,$(MACOS))
check-macos:
	@[ -d "$$(rustc --print target-libdir --target $(MACOS))" ] || { \
		echo 'The standard library is missing: rustup target add $(MACOS)' >&2; exit 1; }
	SDKROOT=/ CC_$(macos_id)=true AR_$(macos_id)=true \
		$(CARGO) check --workspace --target $(MACOS)

# Every acknowledged event must be stored exactly once, even if processes are killed (tests/it/soak) or
# the store is unavailable (tests/it/store_outage.rs). A run prints its random seed;
# MEMCTL_SOAK_SEED=… repeats it.
SECONDS ?= 3600
soak: tools
	MEMCTL_OUTAGE_EVENTS=1900 $(CARGO) test --release --test it store_outage::twenty -- --nocapture
	MEMCTL_SOAK_EVENTS=10000 $(CARGO) test --release --test it soak:: -- --nocapture
	MEMCTL_SOAK_SECONDS=$(SECONDS) $(CARGO) test --release --test it soak:: -- --nocapture

# Generated secrets in realistic texts, and texts that resemble secrets (tests/it/redaction). `make test`
# checks one text of each kind. EXAMPLES prints that many misses and false positives.
SEED ?= 1
EXAMPLES ?= 0
redaction: tools
	MEMCTL_REDACTION_SEED=$(SEED) MEMCTL_REDACTION_SAMPLES=30 MEMCTL_REDACTION_EXAMPLES=$(EXAMPLES) \
		$(CARGO) test --release --test it redaction::generated -- --nocapture

# libFuzzer needs a C++ compiler and works with stable Rust. A corpus is in fuzz/corpus; a failing
# input is written to fuzz. Recorded payloads and events of releases are seeds too.
FUZZ_SECONDS ?= 60
TARGETS ?= frame line payload tags words redactor config spool transcript reply
more_seeds = $(wildcard fuzz/seeds/$(1)) $(if $(filter frame,$(1)),proto/golden/v1) \
	$(if $(filter payload,$(1)),tests/data/claude-code-2.1.329) \
	$(if $(filter spool,$(1)),tests/data/spool)
cover = --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
fuzz: tools $(TARGETS:%=fuzz-%)

fuzz-%: tools
	mkdir -p fuzz/corpus/$*
	RUSTFLAGS='$(cover)' $(CARGO) run -p memctl-fuzz --features link_libfuzzer --profile fuzz --bin $* -- \
		fuzz/corpus/$* $(call more_seeds,$*) -artifact_prefix=fuzz/ \
		-max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10

# The benchmark driver is not measured, so it is built with the dev profile.
bench: tools
	@built="$$($(call built,--example floor --profile dist) | sed -n 's|/memctl$$||p')"; \
	[ -n "$$built" ] && $(CARGO) bench --profile dev --bench bench -- --built "$$built" $(ARGS)

# The linker puts these functions side by side (build.rs). The list ages slowly: a function that is missing
# costs a hook a few microseconds. The traced program has symbols.
hook-functions: tools
	@memctl="$$($(CARGO) rustc --bin memctl $(shipped) --message-format=json-render-diagnostics -- \
		-C strip=none | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')"; [ -n "$$memctl" ] && \
	linker/hook-functions.sh "$$memctl" >linker/hooks.ld.new && mv linker/hooks.ld.new linker/hooks.ld

# The list of dependencies (SBOM, CycloneDX) is written beside the binary. cargo-cyclonedx writes to the
# source directory and names its path, hence the move and the sed.
cyclonedx = target/tools/bin/cargo-cyclonedx
release: tools $(cyclonedx)
	@memctl="$$($(call built,$(shipped)))"; [ -n "$$memctl" ] && \
	$(cyclonedx) cyclonedx --quiet --format json --describe binaries --no-build-deps \
		--spec-version 1.5 --target "$$(rustc --print host-tuple)" && \
	sed 's|path+file://$(CURDIR)|memctl:|' memctl_bin.cdx.json >"$$memctl.cdx.json" && \
	rm memctl_bin.cdx.json && ls -l "$$memctl" "$$memctl.cdx.json"

$(cyclonedx):
	$(CARGO) install --quiet --locked --version 0.5.9 --root target/tools cargo-cyclonedx

# Each file is replaced by rename, because hooks, shells and man may be reading the old one. It is written by
# one call, so that the kernel keeps the program in large blocks: a hook then has 18 page faults less. The plugin
# has a directory of its own, since the client copies it and reads it again at every start: the source
# directory may contain gigabytes of build output. Its hooks fall back to the installed run.sh.
install: tools
	@memctl="$$($(call built,$(shipped)))"; [ -n "$$memctl" ] || exit 1; \
	set -e; umask 022; new="$$(mktemp -d)"; trap 'rm -rf "$$new"' EXIT; \
	put() { \
		install -d "$$(dirname "$$3")"; \
		install -m "$$1" /dev/null "$$3.new" && dd if="$$2" of="$$3.new" bs=67108864 2>/dev/null || \
			{ rm -f "$$3.new"; exit 1; }; \
		mv -f "$$3.new" "$$3"; \
	}; \
	"$$memctl" man --dir "$$new"; \
	for shell in bash zsh fish; do "$$memctl" completions "$$shell" >"$$new/$$shell"; done; \
	sed 's|$$HOME/.local/share/memctl-plugin|$(PREFIX)/share/memctl-plugin|' hooks/hooks.json \
		>"$$new/hooks.json"; \
	put 755 "$$memctl" '$(to)/bin/memctl'; \
	for page in "$$new"/*.1; do put 644 "$$page" '$(to)'/share/man/man1/"$${page##*/}"; done; \
	put 644 "$$new/bash" '$(bash)'; \
	put 644 "$$new/zsh" '$(zsh)'; \
	put 644 "$$new/fish" '$(fish)'; \
	for script in run.sh observe.sh; do put 755 "hooks/$$script" '$(plugin)/hooks/'"$$script"; done; \
	put 644 "$$new/hooks.json" '$(plugin)/hooks/hooks.json'; \
	for file in .claude-plugin/*.json; do put 644 "$$file" '$(plugin)/'"$$file"; done; \
	case ":$$PATH:" in *':$(PREFIX)/bin:'*) ;; *) \
		echo '$(PREFIX)/bin is not in PATH: add it in the profile of your shell to run memctl.' ;; esac; \
	echo 'installed $(to)/bin/memctl; for Claude Code:'; \
	echo "  claude plugin marketplace add '$(PREFIX)/share/memctl-plugin' && claude plugin install memctl@memctl"

# Running sessions call run.sh in every hook. If it were missing, the client would show an error under
# each tool call, so a script that does nothing takes its place.
stub = $(plugin)/hooks/run.sh
uninstall:
	rm -f '$(to)/bin/memctl' '$(to)'/share/man/man1/memctl.1 '$(to)'/share/man/man1/memctl-*.1 \
		'$(bash)' '$(zsh)' '$(fish)'
	@[ ! -e '$(stub)' ] || { \
		printf '#!/bin/sh\n# memctl is not installed.\nexit 0\n' >'$(stub).new' && \
		chmod 755 '$(stub).new' && mv -f '$(stub).new' '$(stub)' && \
		echo 'Running sessions still call $(stub).' && \
		echo 'When they have ended: rm -r $(plugin)'; }
	rm -rf '$(plugin)/.claude-plugin' '$(plugin)/hooks/hooks.json' '$(plugin)/hooks/observe.sh'

clean:
	$(CARGO) clean

# Reports a missing tool and the package that contains it.
tools:
	@command -v $(CARGO) >/dev/null || { \
		echo 'cargo is missing: install Rust, https://rustup.rs' >&2; exit 1; }
	@command -v cc >/dev/null || { \
		echo 'A C compiler is missing: package gcc (macOS: xcode-select --install)' >&2; exit 1; }
	@[ '$(STATIC)' = 0 ] || case "$$(rustc -vV)" in *'host: '*-linux-gnu*) \
		[ -f "$$(cc -print-file-name=libc.a)" ] || { \
		echo 'The static C library is missing: package libc6-dev (Debian, Ubuntu) or' >&2; \
		echo 'glibc-static (Fedora, RHEL). make STATIC=0 links dynamically.' >&2; exit 1; } ;; esac
