# The workshop: every command a person or the CI needs. `make` alone shows them.

# Where rustup puts cargo and where Debian puts daemons, for shells that do not know these folders.
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/sbin
CARGO ?= cargo
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test build build-profiled generate bench scaling bench-builds fuzz install-build-needs install-test-needs install-profiled-needs install-bench-needs install-fuzz-needs

help: ## Show this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-22s %s\n' "$$name" "$$text"; done

# The dev profile, because the first start is what a newcomer waits for: fat LTO in one codegen unit would come on top,
# at every change again. Dependencies are lightly optimised (Cargo.toml), enough for one person with a Mini Program.
run: install-build-needs ## Install what is missing, build, and start `wxgate dev` (ARGS="…" is passed on)
	$(CARGO) run --locked -- dev $(ARGS)

test: install-test-needs ## Install what is missing, then format, lints, tests and documentation
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	$(CARGO) test --locked
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked

build: install-build-needs ## Build the optimised binary, target/release/wxgate
	$(CARGO) build --release --locked

build-profiled: install-profiled-needs ## Build target/profiled/wxgate, a tenth faster: it knows its work; in twice the time
	scripts/build-profiled

# Into new files first: the old ones are part of what is built.
generate: install-build-needs ## Make gateway.schema.json and docs/configuration.md from the code and gateway.toml
	$(CARGO) build --locked
	target/debug/wxgate schema > target/gateway.schema.json
	target/debug/wxgate schema --markdown > target/configuration.md
	mv target/gateway.schema.json gateway.schema.json
	mv target/configuration.md docs/configuration.md

bench: bench-builds ## Measure wxgate beside its peers: a quarter of an hour (ARGS="…" is passed to bench/all)
	bench/all $(ARGS)

scaling: bench-builds ## Measure how the cost of a request grows (ARGS="…" is passed to bench/scaling)
	bench/scaling $(ARGS)

# What is beside the binary is built with the versions that wxgate has: the lockfile is a copy, of which cargo keeps what it needs.
bench-builds: install-bench-needs build
	for crate in bare-pingora hot-path; do \
		cp Cargo.lock bench/$$crate/Cargo.lock && \
		$(CARGO) build --release --manifest-path bench/$$crate/Cargo.toml --target-dir target || exit 1; done
	$(CARGO) build --release --locked --manifest-path bench/load/Cargo.toml --target-dir target

fuzz: install-fuzz-needs ## Run each fuzz target for FUZZ_SECONDS=20, beginning with its corpus (ARGS="guard path" for some)
	fuzz/run $(ARGS)

install-build-needs: ## Install what building needs: a C compiler and cmake
	@scripts/install-build-needs

install-test-needs: install-build-needs ## Install what the tests need: redis-server, valkey-server, node, npm, python3, curl, nginx, haproxy
	@scripts/install-test-needs

install-profiled-needs: install-build-needs ## Install what the profile needs: nginx, h2load, openssl, python3
	@scripts/need nginx h2load=nghttp2-client openssl python3

install-bench-needs: install-build-needs ## Install what the benchmarks need: wrk, h2load, nginx, HAProxy, Envoy, redis-server, node, valgrind
	@scripts/install-bench-needs

install-fuzz-needs: install-build-needs ## Install what fuzzing needs: the nightly toolchain and cargo-fuzz
	@scripts/install-fuzz-needs
