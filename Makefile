# Everything is done by one of these. `make` alone lists them.

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Arguments for the program: make lab ARGS="--servers 5", make bench ARGS="propagation -o json".
ARGS ?=
# How many runs `make sim` makes.
SEEDS ?= 1000

.DEFAULT_GOAL := help
.PHONY: help lab test torture bench sim setup envoy kubernetes build fmt lint deny clean kind kind-down images conformance

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

lab: envoy ## Set up, build, and run a whole clusterset on this machine until Ctrl-C
	$(CARGO) build --locked --workspace --bins
	exec $(TARGET)/debug/isthmus-lab up --envoy $(ARGS)

# One feature set for all steps (--all-targets), so that nothing is compiled twice.
test: setup ## Set up, then formatting, lints, all tests, and tours of a real lab and of real Kubernetes clusters
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) build --locked --workspace --all-targets
	$(CARGO) test --locked --workspace
	$(TARGET)/debug/isthmus-lab check --require-envoy $(ARGS)
	@deploy/kind/test.sh --from $(TARGET)/debug

torture: ## Kill, stop and cut off real servers under load, and check what clients were told: make torture ROUNDS=100 ARGS="--servers 5"
	$(CARGO) build --locked -p multi-cluster-e2e-torture -p multi-cluster-e2e-lab -p federation-server -p federation-cli
	$(TARGET)/debug/isthmus-torture --rounds $(or $(ROUNDS),100) $(ARGS)

bench: envoy ## Measure, with release builds, and print figures
	$(CARGO) build --locked --release --workspace --exclude multi-cluster-e2e-sim --bins
	$(TARGET)/release/isthmus-bench $(or $(ARGS),propagation)

sim: ## Simulate the federation with many seeds: make sim SEEDS=10000, or one: make sim ARGS="--seed 17 --aloud"
	$(CARGO) build --locked -p multi-cluster-e2e-sim
	$(TARGET)/debug/isthmus-sim $(or $(ARGS),--seeds $(SEEDS))

setup: envoy kubernetes ## Check the tools of this machine, fetch the pinned Envoy, build the pinned Kubernetes

envoy: ## Fetch the pinned Envoy into the cache, and print where it is
	@deploy/setup/tools.sh
	@deploy/setup/envoy.sh

kubernetes: ## Build the pinned Kubernetes and etcd into the cache (4 minutes, once), and print where they are
	@deploy/setup/tools.sh --tests
	@deploy/setup/kubernetes.sh

# The simulation's defects on purpose are in no build for use.
build: ## Build all binaries for use
	$(CARGO) build --locked --release --workspace --exclude multi-cluster-e2e-sim --bins

images: ## Build the container images isthmus:VERSION and isthmus-sample:VERSION (ARGS="--base scratch" where nothing can be pulled)
	@deploy/images/build.sh --sample $(ARGS)

kind: ## Bring up three real Kubernetes clusters in containers, joined, with a sample application
	@deploy/kind/up.sh $(ARGS)

kind-down: ## Remove them
	@deploy/kind/down.sh

conformance: ## Run the MCS-API suite's test binary on two kind clusters and keep its report: make conformance SUITE=PATH
	@deploy/kind/conformance.sh "$(SUITE)" $(ARGS)

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
