# The front door. `make` alone tells what there is to do; each target first installs what it lacks (tools/install_deps.sh).
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help deps build install run cluster test check fmt sim library-faults fault mutants races fuzz bench endurance test-real clean

JOBS ?= $(shell nproc)
# Where `make run` keeps its data and what it listens on.
DATA ?= ./cleat-data
LISTEN ?= 127.0.0.1:7420
# Where `make install` puts what it installs.
PREFIX ?= /usr/local
# Where `make cluster` keeps its data, and the first of its ports.
CLUSTER ?= build/cluster
PORT ?= 7420
# What the long targets are given: make sim SEEDS=1..5000, make fuzz MINUTES=30, make library-faults MINUTES=60 SEED=1, make test ONLY=static,unit
SEEDS ?= 200
MINUTES ?= 10
SEED ?=
EXECUTIONS ?=
ONLY ?=
# What `make fault` is given beside them: 3 or 5 members, FENCES=off, and KINDS=kill,pause,... for some kinds of faults only.
MEMBERS ?= 3
FENCES ?= on
KINDS ?=

help: ## what can be done here
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1|/' | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

deps: ## install all that building, testing, fuzzing and measuring need (Debian 12; elsewhere: say what is missing)
	@tools/install_deps.sh build test fuzz bench

build: ## build the one binary: build/cleat
	@tools/install_deps.sh build
	@tools/build.sh build cleat

install: build ## install program, C++ library and examples (PREFIX=/usr/local; DESTDIR is heeded)
	@tools/build.sh build cleat_library cleat_testing_library
	@cmake --install build --prefix "$(PREFIX)" >/dev/null
	@echo "Installed below $(DESTDIR)$(PREFIX)"

run: build ## start a durable node on loopback (DATA=./cleat-data LISTEN=127.0.0.1:7420)
	@tools/run_node.sh "$(DATA)" "$(LISTEN)"

cluster: build ## start three members on loopback and show who leads (CLUSTER=build/cluster PORT=7420)
	@tools/run_cluster.sh "$(CLUSTER)" "$(PORT)"

test: ## build and run every test (ONLY=static,unit,... runs some of the stages)
	@tools/install_deps.sh build test fuzz
	@tests/run $(if $(ONLY),--only $(ONLY))

check: test ## what CI runs: the same as `make test`

test-real: ## only the whole-process tests: real clients, kill -9, real disks that fail
	@$(MAKE) --no-print-directory test ONLY=process

sim: ## simulator over SEEDS=n or SEEDS=a..b of one node and of 3 and 5 members, in JOBS=n processes; a failure is cut down and told
	@tools/install_deps.sh build test
	@tools/build.sh build cleat_sim
	@build/cleat_sim --members 0,3,5 --seeds $(SEEDS) --jobs $(JOBS)
	@build/cleat_sim --directed all

library-faults: ## programs that lock with the C++ library, killed, stopped and cut off, as are their servers, for MINUTES=10 (SEED=n repeats)
	@tools/install_deps.sh build test
	@tools/build.sh build library_faults
	@build/library_faults $(MINUTES) $(SEED)

fault: ## real members killed, stopped, cut off, with disks and clocks that ail, while programs in three languages lock; a page of result (MINUTES=10 SEED=n FENCES=off)
	@tools/install_deps.sh build test
	@tools/build.sh build cleat
	@tests/real/prepare.sh
	@tests/fault/run --minutes $(MINUTES) --members $(MEMBERS) --fences $(FENCES) $(if $(SEED),--seed $(SEED)) $(if $(KINDS),--kinds "$(KINDS)")

mutants: ## build the broken variants, hunt each in JOBS=n processes, tell what caught it and with which seed; one that survives is an error
	@tools/install_deps.sh build test
	@tools/build.sh build/mutants cleat_sim raft_test replica_test server_test client_test auditor -- -DCLEAT_MUTANTS=ON
	@build/mutants/cleat_sim --mutants --jobs $(JOBS)

races: ## TSan over all that has threads, with the Rust part instrumented too (minutes)
	@tools/install_deps.sh build test races
	@tests/run --only races

fuzz: ## run every fuzzer for MINUTES=10 in all, or until EXECUTIONS=n are recorded
	@tools/install_deps.sh build test fuzz
	@fuzz/run $(if $(EXECUTIONS),--executions $(EXECUTIONS),--minutes $(MINUTES))

bench: ## measure beside a durable Redis
	@tools/install_deps.sh build bench
	@bench/run

endurance: ## great crowds, storms, slow readers, then load with faults for MINUTES=10: are all bounds kept?
	@tools/install_deps.sh build bench
	@bench/endurance --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

fmt: ## format all C++ sources
	@tools/install_deps.sh build test
	@tools/format.sh --fix

clean: ## remove all that was built (data of `make run` stays)
	@rm -rf build
