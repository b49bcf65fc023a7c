# What a developer types. `make help` lists it; CONTRIBUTING.md says when to use what.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The steps share two cores and the target directory: one after another is the fastest.
.NOTPARALLEL:

export CARGO_TERM_COLOR ?= auto

# $(call step,NAME,COMMANDS): runs the commands under a heading and says how long they took.
define step
@printf '\n=== %s\n' '$(1)'; begin=$$SECONDS; \
if ( $(2) ); then printf '=== %s: passed, %d s\n' '$(1)' "$$((SECONDS - begin))"; \
else printf '=== %s: FAILED after %d s\n' '$(1)' "$$((SECONDS - begin))"; exit 1; fi
endef

.PHONY: help build run test unit fmt fmt-check clippy doc node-client compat fuzz-smoke bench-count bench-compare deny unsafe-rooms setup

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the server, unoptimised, in target/debug
	$(call step,build,cargo build --locked)

run: ## the server, optimised, with its defaults
	cargo run --locked --release -- serve

test: setup fmt-check deny clippy unit unsafe-rooms bench-count doc node-client compat fuzz-smoke ## everything that must pass
	@printf '\nAll passed.\n'

unit: ## the Rust tests, a minute of random operations among them
	$(call step,Rust tests,LIVEBUCKET_RANDOM_SECONDS=$${LIVEBUCKET_RANDOM_SECONDS:-60} cargo test --locked)

unsafe-rooms: ## the tests of rooms with unsafe code, under valgrind
	$(call step,unsafe rooms,tests/unsafe-rooms)

fmt: ## formats the Rust sources
	cargo fmt

fmt-check:
	$(call step,format,cargo fmt --check)

clippy: ## lints, warnings are errors
	$(call step,clippy,cargo clippy --locked --all-targets -- -D warnings)

# Built once, unoptimised: it runs for two seconds.
CARGO_DENY := target/tools/bin/cargo-deny
$(CARGO_DENY):
	$(call step,cargo-deny,CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --no-track --root target/tools cargo-deny@0.20.2)

deny: $(CARGO_DENY) ## licences, sources and doubles of what we build from (deny.toml); offline once it is fetched
	$(call step,dependencies,for manifest in Cargo.toml tests/fuzz/Cargo.toml; do cargo fetch --quiet --locked --manifest-path $$manifest && \
	  $(CARGO_DENY) --offline --locked --manifest-path $$manifest --config deny.toml --log-level error check licenses bans sources || exit 1; done)

doc: ## the library's documentation, warnings are errors
	$(call step,documentation,RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps)

node-client: ## the Node client's own tests
	$(call step,Node client,npm --prefix clients/node ci --silent && npm --prefix clients/node test --silent)

compat: build ## foreign clients against the built server
	$(call step,foreign clients,compat-tests/run)

fuzz-smoke: ## builds the fuzz targets and runs each a fixed number of times, always alike
	$(call step,fuzz targets,cd tests/fuzz && cargo fmt --check && ./run smoke)

bench-count: ## machine instructions of codecs, digests and whole requests against benches/count.txt (callgrind)
	$(call step,instruction counts,benches/count.sh)

bench-compare: ## livebucket beside nginx and nginx-rtmp, with ratios (builds a release; needs root for apt)
	$(call step,comparison,benches/compare.sh)

setup: ## installs what the tests need (Debian packages need root; without it, says what is missing)
	$(call step,setup,.ci/setup)
