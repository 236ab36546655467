# All that a developer and the build machine need; `make help` lists it. Only Go, make and a
# shell are expected (and a C compiler for the race detector): every other tool is pinned in
# tools/ and built from there.

SHELL    := /bin/bash
GO       ?= go
PROGRAMS  = union-agent union-server
VERSION  ?= $(shell sed -nE 's/^var version = "(.*)"/\1/p' cmd/union-server/main.go)
GOBUILD   = CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
SOURCES   = agent server syncproto internal cmd tools/protogen
PROTOS    = $(shell find syncproto internal server agent -name '*.proto' | sort)
PLATFORMS = linux/amd64 linux/arm64 windows/amd64
MAX_AGENT = 31457280
FUZZTIME ?= 30s

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## both programs for this system, into bin/
	@mkdir -p bin
	@for p in $(PROGRAMS); do echo "build bin/$$p"; $(GOBUILD) -o bin/ ./cmd/$$p || exit 1; done

.PHONY: demo
demo: ## a small city from spreadsheet to count, three real nodes (DEMO=once ends at once)
	CGO_ENABLED=0 $(GO) run ./internal/demo

.PHONY: test
test: ## all tests
	$(GO) test ./...

.PHONY: race
race: ## all tests with the race detector
	$(GO) test -race ./...

.PHONY: check
check: fmt vet lint layers generated deploy-check race vuln ## the whole gate: format, vet, linter, arrows, generated files, race tests

.PHONY: fmt
fmt: ## fails if a file is not in gofmt's form
	@out=$$(gofmt -l $(SOURCES)); if [ -n "$$out" ]; then echo "not in gofmt's form:"; echo "$$out"; exit 1; fi

.PHONY: vet
vet: ## go vet, for Linux and for Windows
	$(GO) vet ./...
	GOOS=windows $(GO) vet ./agent/... ./internal/... ./cmd/union-agent/...

.PHONY: lint
lint: bin/lint/.built ## golangci-lint with .golangci.yml
	bin/lint/golangci-lint run ./...

.PHONY: layers
layers: ## import directions and the rules of style that a machine can check
	$(GO) test ./internal/layers

.PHONY: generate
generate: bin/tools/.built ## Go code from the .proto files
	bin/tools/protogen $(PROTOS)

.PHONY: generated
generated: bin/tools/.built ## fails if a generated file is out of date
	bin/tools/protogen -check $(PROTOS)

.PHONY: vuln
vuln: ## known vulnerabilities, where their database can be reached
	@if curl -sfo /dev/null --max-time 10 https://vuln.go.dev/index/db.json; then \
		$(MAKE) --no-print-directory bin/lint/.built && bin/lint/govulncheck ./...; \
	else echo "govulncheck skipped: vuln.go.dev cannot be reached"; fi

.PHONY: bench
bench: ## the benchmark program: one line "name value unit" each
	@$(GO) run ./internal/bench

.PHONY: city-load
city-load: ## a whole city into three nodes: a line "name value unit" each (UNIONS= DIR= PROFILE=; 10 minutes, 12 GB of disk)
	@$(GO) run ./internal/cityload

.PHONY: sim
sim: ## the simulation: SEED= UNIONS= NIGHTS= (FEATURES= WORKERS= TRACE=1)
	@CGO_ENABLED=0 $(GO) run ./internal/sim/play

.PHONY: sim-city
sim-city: ## the simulation of a city of 200 PCs, restored from last week's backup (SEED= UNIONS=100 a city)
	@CITY=1 UNIONS=$${UNIONS:-100} CGO_ENABLED=0 $(GO) run ./internal/sim/play

.PHONY: restore-city
restore-city: ## the same with real agents and a real node, 200 PCs (PCS=): some minutes
	@PCS=$${PCS:-200} $(GO) test ./internal/restorecity -count=1 -timeout 60m -v

.PHONY: sim-long
sim-long: ## at least 10,000 union-years of it, 2,500 worlds with a seed each
	@UNIONS=$${UNIONS:-10000} CGO_ENABLED=0 $(GO) run ./internal/sim/play

.PHONY: net
net: ## a night of 200 changes over each of several bad lines (Linux, root); a line each
	@$(GO) mod download # what is built inside has no network
	@$(GO) run ./internal/netlab

.PHONY: night
night: ## 12,040 agents sync with three nodes here: a night, an idle one, all at once (UNIONS= SERVER= PROFILE= ONLY=night)
	@CGO_ENABLED=0 $(GO) run ./internal/citynight

.PHONY: faults
faults: ## three real nodes, agents and everything that happens to machines, an hour (Linux, root; DURATION= SEED= ONLY=)
	@$(GO) mod download # what is built inside has no network
	@$(GO) run ./internal/faults

.PHONY: mutants
mutants: ## plants faults into the product, one at a time: each must be caught (ONLY= a part of a name, JOBS=)
	@CGO_ENABLED=0 $(GO) run ./internal/sim/mutants

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each
	@set -e; grep -rlE '^func Fuzz' --include='*_test.go' $(SOURCES) | sort | while read -r file; do \
		for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' $$file); do \
			echo "fuzz $$(dirname $$file) $$name"; \
			$(GO) test ./$$(dirname $$file) -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 50x; \
		done; \
	done

.PHONY: cross
cross: ## both programs for every platform, without cgo; fails if an agent has 30 MB
	@set -e; for p in $(PLATFORMS); do \
		os=$${p%/*}; arch=$${p#*/}; dir=dist/$$os-$$arch; mkdir -p $$dir; \
		for prog in $(PROGRAMS); do GOOS=$$os GOARCH=$$arch $(GOBUILD) -o $$dir/ ./cmd/$$prog; done; \
		size=$$(wc -c < $$(ls $$dir/union-agent*)); \
		echo "$$p union-agent $$size bytes"; \
		if [ $$size -ge $(MAX_AGENT) ]; then echo "the agent must stay under 30 MB"; exit 1; fi; \
	done

.PHONY: dist
dist: cross bin/dist/.built ## archives, Debian packages, a Windows zip and check sums, in dist/ (VERSION=)
	@set -e; rm -f dist/*.tar.gz dist/*.zip dist/*.deb dist/SHA256SUMS; cd dist; for d in */; do \
		cp ../LICENSE ../README.md ../README.zh-CN.md ../CHANGELOG.md ../docs/operations.md $$d; \
		case $$d in \
		windows-*) ../bin/dist/zipdir unionsync-$${d%/}.zip $${d%/};; \
		*) tar -czf unionsync-$${d%/}.tar.gz --sort=name --owner=0 --group=0 --mtime=@0 $$d;; \
		esac; \
	done
	@set -e; export VERSION=$(VERSION) SOURCE_DATE_EPOCH=0; for ARCH in amd64 arm64; do export ARCH; for p in $(PROGRAMS); do \
		bin/dist/nfpm package -f deploy/debian/$$p.yaml -p deb -t dist/; \
	done; done
	@cd dist && sha256sum *.tar.gz *.zip *.deb > SHA256SUMS && cat SHA256SUMS

.PHONY: deploy-check
deploy-check: ## alert rules and dashboard, read by Prometheus's own parser
	$(GO) -C tools/dist test ./...

.PHONY: clean
clean: ## removes what was built
	rm -rf bin dist .demo

bin/tools/.built: tools/go.mod tools/go.sum tools/protogen/main.go
	$(GO) -C tools build -o ../bin/tools/ tool
	@touch $@

bin/dist/.built: tools/dist/go.mod tools/dist/go.sum tools/dist/zipdir/main.go
	$(GO) -C tools/dist build -o ../../bin/dist/ tool ./zipdir
	@touch $@

# Takes about two minutes on two cores, once.
bin/lint/.built: tools/lint/go.mod tools/lint/go.sum
	$(GO) -C tools/lint build -o ../../bin/lint/ tool
	@touch $@
