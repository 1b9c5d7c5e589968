# Everything is done by one of these. `make` alone lists them.

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Arguments for the program: make lab ARGS="--servers 5", make bench ARGS="propagation -o json".
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help lab test bench setup envoy build fmt lint deny clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

lab: setup ## Set up, build, and run a whole clusterset on this machine until Ctrl-C
	$(CARGO) build --locked --workspace --bins
	exec $(TARGET)/debug/isthmus-lab up --envoy $(ARGS)

# One feature set for all steps (--all-targets), so that nothing is compiled twice.
test: setup ## Set up, then formatting, lints, all tests, and a tour of a real lab
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) build --locked --workspace --all-targets
	$(CARGO) test --locked --workspace
	$(TARGET)/debug/isthmus-lab check --require-envoy $(ARGS)

bench: setup ## Measure, with release builds, and print figures
	$(CARGO) build --locked --release --workspace --bins
	$(TARGET)/release/isthmus-bench $(or $(ARGS),propagation)

setup: envoy ## Check the tools of this machine and fetch the pinned Envoy

envoy: ## Fetch the pinned Envoy into the cache, and print where it is
	@deploy/setup/tools.sh
	@deploy/setup/envoy.sh

build: ## Build all binaries for use
	$(CARGO) build --locked --release --workspace --bins

fmt: ## Format the sources (writes)
	$(CARGO) fmt --all

lint: ## Formatting and lints, without tests (writes nothing)
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

deny: ## Check licences, advisories and sources of dependencies, if cargo-deny is installed
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		$(CARGO) deny --locked check; \
	else \
		echo "cargo-deny is not installed, so NOTHING was checked (cargo install --locked cargo-deny)" >&2; exit 69; \
	fi

clean: ## Remove what was built (the cache with Envoy stays)
	$(CARGO) clean
