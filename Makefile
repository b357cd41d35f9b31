# What one does with this repository. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help test demo demo-stop fmt lint docs unit it control-plane image scan e2e e2e-seed browser torture bite fuzz bench bench-gateway bench-relay generate drift clean-cache

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## everything that is checked and tested, with a summary
	@hack/test

demo: ## three stories on a real API server of its own; leaves it running
	@hack/demo

demo-stop: ## stops the demo
	@hack/demo stop

fmt: ## formats the code
	cargo fmt --all

lint: ## format, clippy and rustdoc, no warnings
	@hack/test format clippy docs

docs: ## the code's documentation, in target/doc
	cargo doc --workspace --no-deps --document-private-items

unit: ## unit and property tests: no control plane needed
	@hack/test unit

it: ## tests against a real kube-apiserver and etcd
	@hack/test control-plane it

control-plane: ## finds or builds etcd, kube-apiserver and kubectl; prints their folder
	@hack/control-plane/get --controller-manager

image: ## the container image, without a container engine; says where it is and its digest
	@hack/image

scan: ## checks manifests and examples with kubeconform and kube-score: no cluster, no network
	@hack/scan

e2e: ## tests on the whole cluster that E2E_KUBECONFIG names (ONLY=word: those with it in their names)
	@hack/e2e $(ONLY)

e2e-seed: ## of those, the ones that show what is demanded as a whole; a line of evidence for each demand at the end
	@hack/e2e seed

browser: ## the site in a real Chromium, with axe-core (ONLY=word: those with it in their names)
	@hack/browser $(ONLY)

bite: ## plants bugs in a copy of the project one by one, and sees whether the tests catch each (ONLY=word)
	@hack/bite $(ONLY)

fuzz: ## feeds what parses outside input with anything, by libFuzzer, a minute each (ONLY=target)
	@hack/fuzz $(ONLY)

torture: ## kills, pauses, deafens and misleads operators at every step (ONLY=word: cases with it in their names)
	@hack/torture $(ONLY)

bench: ## measures what a booking costs, how fast and with how much, and prints a table (ARGS=--quick: a tenth)
	@hack/bench $(ARGS)

bench-gateway: ## measures what a page costs the gateway, how fast, how old and with how much, and prints a table
	@hack/bench --gateway $(ARGS)

bench-relay: ## measures what the relay carries, how late and with how much, and the archive, beside a real Kafka
	@hack/bench --relay $(ARGS)

generate: ## writes the generated files again (crds/, docs/api.md, docs/configuration.md, docs/openapi.json, docs/events/)
	cargo run --quiet -- crd --output crds
	cargo run --quiet -- crd --reference >docs/api.md
	cargo run --quiet -- config reference >docs/configuration.md
	cargo run --quiet -- gateway openapi >docs/openapi.json
	cargo run --quiet -- relay schemas --output docs/events

drift: ## fails if a generated file is not what the code says
	cargo test --workspace --lib --test it -- drift:: the_reference_in_docs

clean-cache: ## removes the control plane's binaries from the cache
	rm -rf "$${CLUSTER_CACHE:-$$HOME/.cache/innkeeper-cluster}/bin"
