# Needs Rust, Python 3.10 or newer, and make; the tests need Node 18 or newer, too. All else goes into .venv,
# .venv-ministack, .local and target/.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

# For `make package`: arm64, x86_64, or host.
ARCH ?= arm64
PYTHON ?= python3
# For `make demo` and `make dev`: direct or durable. Without it the demo shows both, and dev runs the direct mode.
MODE ?=
# For `make soak`.
CASES ?= 10000

# Zips for this machine lie elsewhere, so that they are never deployed by mistake; the machine's own compiler builds
# them without a cross-compiling linker.
LAMBDA_DIR = target/lambda$(if $(filter host,$(ARCH)),-host)
FUNCTIONS := webhook worker
ZIPS = $(FUNCTIONS:%=$(LAMBDA_DIR)/%/bootstrap.zip)
BUILD_FLAGS_arm64 := --arm64
BUILD_FLAGS_x86_64 := --x86-64
BUILD_FLAGS_host := --compiler cargo
ifndef BUILD_FLAGS_$(ARCH)
$(error ARCH is arm64, x86_64 or host, not $(ARCH))
endif

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.ready .venv-ministack/.ready .local/node/.ready ## install the tools into .venv, and what else the tests need (once)

# The demo needs two of the tools. The stamps come last, so that a broken installation is made again.
.venv/.demo: scripts/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=...")'
	@echo "Installing cargo-lambda and moto into .venv; this takes a minute, once"
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --disable-pip-version-check -r $<
	@touch $@

.venv/.ready: .venv/.demo tests/requirements.txt
	@echo "Installing cfn-lint and the vendors' libraries into .venv; this takes a minute, once"
	.venv/bin/python -m pip install --disable-pip-version-check -r tests/requirements.txt
	@touch $@

# A second SQS for the tests. Not in .venv: it wants versions of its own.
.venv-ministack/.ready: tests/it/ministack.txt
	@echo "Installing ministack into .venv-ministack; this takes a minute, once"
	$(PYTHON) -m venv --clear .venv-ministack
	.venv-ministack/bin/python -m pip install --disable-pip-version-check -r $<
	@touch $@

# HubSpot's client for Node, and taplo, which only the tests run.
.local/node/.ready: tests/package.json tests/package-lock.json
	@node -e 'process.exit(Number(parseInt(process.versions.node) < 18))' && npm --version > /dev/null || \
		{ echo "Node 18 or newer, with npm, is needed: the tests run HubSpot's own client for Node (https://nodejs.org)" >&2; exit 1; }
	@mkdir -p $(@D) && cp tests/package.json tests/package-lock.json $(@D)
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: build
build: ## build the programs for this machine
	cargo build --locked --bins

.PHONY: demo
demo: .venv/.demo build ## send every sample event through the function here, and sit out an outage of HubSpot (MODE=...)
	@.venv/bin/python scripts/local.py demo $(MODE:%=--mode %)

.PHONY: dev
dev: .venv/.demo build ## the same set-up, left running for your own curl and invoke (MODE=direct or durable)
	@.venv/bin/python scripts/local.py dev $(MODE:%=--mode %)

# For whoever carries the code on, so with what is private.
DOC = cargo doc --locked --no-deps --lib --document-private-items

.PHONY: doc
doc: ## the documentation of the code, in target/doc/taskhook
	$(DOC)

# Clippy only checks; tests and `cargo lambda watch` share one build.
.PHONY: test
test: setup ## all checks: format, clippy, documentation, tests, template
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(DOC)
	cargo test --locked
	cargo run -q --locked test
	.venv/bin/cfn-lint template.yaml
	.venv/bin/python -m doctest scripts/*.py

.PHONY: test-page
test-page: tests/page/node_modules/.ready build ## the page of taskhook dev, clicked through in a headless Chromium
	node --test tests/page/page.test.js

.PHONY: screenshots
screenshots: tests/page/node_modules/.ready build ## make the pictures of the page in docs/
	node tests/page/screenshots.js

# Not .local/node, because Chromium's driver is of no use to the other tests.
tests/page/node_modules/.ready: tests/page/package.json tests/page/package-lock.json
	npm ci --prefix $(@D)/.. --ignore-scripts --no-audit --no-fund
	@touch $@

# sam deploy on an emulator of AWS that enforces IAM, and the functions under AWS's own runtime interface emulator.
.PHONY: stack
stack: ARCH := host
stack: .venv-stack/.ready build package ## deploy template.yaml on an emulator that enforces IAM, and use it (on Linux; two minutes)
	@.venv-stack/bin/python tests/stack/stack.py

# Not .venv: ministack and SAM want versions of their own.
.venv-stack/.ready: tests/stack/requirements.txt
	@echo "Installing ministack and SAM into .venv-stack; this takes a minute, once"
	$(PYTHON) -m venv --clear .venv-stack
	.venv-stack/bin/python -m pip install --disable-pip-version-check -r $<
	@touch $@

# Random updates meet a HubSpot with random faults; `make test` tells 300 of these stories.
.PHONY: soak
soak: ## 10,000 random stories about the engine; a failure prints its story (CASES=..., PROPTEST_RNG_SEED=...)
	TASKHOOK_CASES=$(CASES) cargo test --locked --test it -- --nocapture stories

# Needs neither a build nor what `make setup` installs. HUBSPOT_TOKEN is never an argument, which everybody could see.
.PHONY: live
live: ## ask a HubSpot test account what nobody has proven, with HUBSPOT_TOKEN set (docs/live.md; two minutes)
	@$(PYTHON) -B tests/it/live.py

# The bench measures the function as it is packaged, without the tool, which `cargo bench` would build it with. The
# yardstick, hello world, never gets into a package.
.PHONY: bench
bench: ## measure start, warm events, memory, size, and the worst bodies (some minutes)
	cargo build --locked --release $(FUNCTIONS:%=--bin %) --no-default-features
	@mkdir -p target/bench && cp $(FUNCTIONS:%=target/release/%) target/bench
	cargo build --locked --release --example hello
	cargo bench --locked --bench lambda
	cargo bench --locked --bench cost

# What `make bench` measures ours against, where it is installed. Not .venv, as both sides pin boto3's dependencies.
.PHONY: peers
peers: .venv-peers/.ready benches/peers/node_modules/.ready ## install what the same job in Python and in Node needs, for make bench

.venv-peers/.ready: benches/peers/requirements.txt
	@echo "Installing boto3 and HubSpot's client into .venv-peers; this takes a minute, once"
	$(PYTHON) -m venv --clear .venv-peers
	.venv-peers/bin/python -m pip install --disable-pip-version-check -r $<
	@touch $@

# Node looks for packages beside the program and above it.
benches/peers/node_modules/.ready: benches/peers/package.json benches/peers/package-lock.json
	@node -e 'process.exit(Number(parseInt(process.versions.node) < 20))' || \
		{ echo "Node 20 or newer is needed: AWS's SDK asks for it (https://nodejs.org)" >&2; exit 1; }
	npm ci --prefix benches/peers --ignore-scripts --no-audit --no-fund
	@touch $@

# Lambda unpacks it to /opt/sources. What a function's user may not read fails there, whatever the umask is here.
.PHONY: layer
layer: ## the source files as the layer that template.yaml deploys, in layer/ (needs nothing but make)
	@rm -rf layer && mkdir -p layer/sources && chmod 755 layer layer/sources
	@install -m 644 sources/*.toml $(wildcard sources/hubspot-schema.json) layer/sources
	@ls layer/sources

.PHONY: package
package: .venv/.ready layer ## the zips that template.yaml deploys (ARCH=arm64, x86_64 or host), and the layer
	.venv/bin/cargo-lambda lambda build --locked --release --no-default-features \
		$(FUNCTIONS:%=--bin %) --output-format zip --lambda-dir $(LAMBDA_DIR) $(BUILD_FLAGS_$(ARCH))
	@ls -l $(ZIPS)

.PHONY: check-package
check-package: ARCH := host
check-package: package ## build the zips for this machine, and look into them and into the layer
	@for zip in $(ZIPS); do \
		names=$$(.venv/bin/python -m zipfile -l $$zip | tail -n +2 | cut -d" " -f1) && [[ $$names == bootstrap ]] || \
			{ echo "$$zip has $$names, not bootstrap alone" >&2; exit 1; }; \
	done
	@for file in sources/*.toml; do cmp $$file layer/$$file || exit 1; done

# The tool as people without Rust take it. Another machine's needs its toolchain: rustup target add.
TARGET ?= $(shell rustc -vV | sed -n 's/^host: //p')
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
DIST = taskhook-$(VERSION)-$(TARGET)

.PHONY: dist
dist: ## the tool as an archive for machines without Rust, in target/dist (TARGET=aarch64-unknown-linux-musl, ...)
	cargo build --locked --release --bin taskhook --target $(TARGET)
	@rm -rf target/dist/$(DIST) && mkdir -p target/dist/$(DIST)
	@cp target/$(TARGET)/release/taskhook LICENSE CHANGELOG.md docs/cli.md target/dist/$(DIST)
	@tar -czf target/dist/$(DIST).tar.gz -C target/dist $(DIST)
	@ls -l target/dist/$(DIST).tar.gz

.PHONY: clean
clean: ## remove .venv, .venv-ministack, .venv-stack, .venv-peers, .local, layer, target and each node_modules
	rm -rf .venv .venv-ministack .venv-stack .venv-peers .local layer target tests/page/node_modules benches/peers/node_modules
