// Command protogen compiles the project's .proto files and writes the Go code of
// protoc-gen-go and protoc-gen-connect-go, without protoc: the compiler is pure Go, and the
// two plug-ins are the ones that tools/go.mod pins. It runs in the project's root:
//
//	go tool -modfile=tools/go.mod protogen [-check] FILE.proto…
//
// File names are relative to the root, and so are imports inside the files. With -check
// nothing is written; it fails if a generated file is not what it would write.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// module is the import path that generated files are beside; it is cut off their names.
const module = "unionsync"

// plugins are run in this order.
var plugins = []string{"protoc-gen-go", "protoc-gen-connect-go"}

func main() {
	check := flag.Bool("check", false, "write nothing; fail if a generated file is out of date")
	flag.Parse()
	if err := run(context.Background(), flag.Args(), *check); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string, check bool) error {
	if len(names) == 0 {
		return errors.New("no .proto files named")
	}
	req, err := compile(ctx, names)
	if err != nil {
		return err
	}
	var stale error
	for _, plugin := range plugins {
		files, err := generate(ctx, plugin, req)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := place(f, check); err != nil {
				stale = errors.Join(stale, err)
			}
		}
	}
	return stale
}

// compile reads and checks the files and gives the request that a plug-in expects.
func compile(ctx context.Context, names []string) (*pluginpb.CodeGeneratorRequest, error) {
	c := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := c.Compile(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	req := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: names,
		Parameter:      proto.String("module=" + module),
	}
	seen := map[string]bool{}
	for _, f := range files {
		addFile(f, seen, req)
	}
	return req, nil
}

// addFile adds f behind everything that it imports.
func addFile(f linker.File, seen map[string]bool, req *pluginpb.CodeGeneratorRequest) {
	if seen[f.Path()] {
		return
	}
	seen[f.Path()] = true
	imports := f.Imports()
	for i := range imports.Len() {
		if dep := f.FindImportByPath(imports.Get(i).Path()); dep != nil {
			addFile(dep, seen, req)
		}
	}
	req.ProtoFile = append(req.ProtoFile, descriptor(f))
}

func descriptor(f protoreflect.FileDescriptor) *descriptorpb.FileDescriptorProto {
	return protoutil.ProtoFromFileDescriptor(f)
}

// generate runs one plug-in.
func generate(ctx context.Context, plugin string, req *pluginpb.CodeGeneratorRequest) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	in, err := proto.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", plugin, err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), plugin))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", plugin, err)
	}
	var resp pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &resp); err != nil {
		return nil, fmt.Errorf("%s: decode answer: %w", plugin, err)
	}
	if resp.Error != nil {
		return nil, fmt.Errorf("%s: %s", plugin, resp.GetError())
	}
	return resp.File, nil
}

// place writes one generated file, or compares it with what is there.
func place(f *pluginpb.CodeGeneratorResponse_File, check bool) error {
	name, want := filepath.FromSlash(f.GetName()), []byte(f.GetContent())
	if check {
		have, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("generated file: %w", err)
		}
		if !bytes.Equal(have, want) {
			return fmt.Errorf("%s is out of date: run make generate", name)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, want, 0o644)
}
