# All that a developer and the build machine need; `make help` lists it. Only Go, make and
# a shell are expected: every other tool is built from tools/go.mod.

SHELL  := /bin/bash
GO     ?= go
GOBUILD = CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w"
PROTOS  = $(shell find syncproto internal -name '*.proto' | sort)

.PHONY: generate
generate: bin/tools/.built ## Go code from the .proto files
	bin/tools/protogen $(PROTOS)

bin/tools/.built: tools/go.mod tools/go.sum tools/protogen/main.go
	$(GO) -C tools build -o ../bin/tools/ tool
	@touch $@
