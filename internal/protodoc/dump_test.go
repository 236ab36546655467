package protodoc

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"unionsync/syncproto"
)

// schema names the fields of a format in protobuf's layout, for the notes beside its bytes.
type schema map[protowire.Number]part

type part struct {
	name string
	sub  schema
	text bool
	zig  bool
}

var (
	dotParts   = schema{1: {name: "journal"}, 2: {name: "seq"}, 3: {name: "tag"}}
	namedParts = schema{1: {name: "field"}, 2: {name: "dot", sub: dotParts}}
	editParts  = schema{
		1: {name: "field"}, 2: {name: "value", text: true}, 3: {name: "cleared"}, 4: {name: "overwrote", sub: dotParts},
		5: {name: "add", text: true}, 6: {name: "remove", sub: schema{1: {name: "element", text: true}, 2: {name: "dot", sub: dotParts}}},
	}
	changeParts = schema{
		1: {name: "union", text: true}, 2: {name: "kind"}, 3: {name: "record id"}, 4: {name: "kind version"}, 5: {name: "actor", text: true},
		6: {name: "time", zig: true}, 7: {name: "group"}, 8: {name: "base"}, 9: {name: "edit", sub: editParts},
		10: {name: "resolves", sub: namedParts}, 11: {name: "saw", sub: namedParts}, 12: {name: "verb"}, 13: {name: "note", text: true},
	}
	entryParts = schema{1: {name: "value", text: true}, 2: {name: "cleared"}, 3: {name: "indexes into the table"}}
	memoParts  = schema{1: {name: "field"}, 2: {name: "element", text: true}, 3: {name: "index + 1"}, 4: {name: "void's index + 1"}}
	recParts   = schema{
		1: {name: "position"}, 2: {name: "by"}, 3: {name: "dot", sub: dotParts},
		4: {name: "field", sub: schema{1: {name: "number"}, 2: {name: "entry", sub: entryParts}, 3: {name: "element", sub: entryParts}}},
		5: {name: "early", sub: memoParts}, 6: {name: "early removal", sub: memoParts}, 7: {name: "void saw", sub: memoParts}, 8: {name: "doubt", sub: memoParts},
	}
	bundleParts = schema{
		1: {name: "kind"}, 2: {name: "id"}, 3: {name: "city"}, 4: {name: "union", text: true}, 5: {name: "device"}, 6: {name: "node", text: true},
		7: {name: "generation"}, 8: {name: "random"}, 9: {name: "made at", zig: true}, 10: {name: "reply to", text: true}, 11: {name: "messages"},
		12: {name: "message"}, 13: {name: "certificate"}, 14: {name: "signature"},
	}
)

// partsOf names the fields of a message as its definition does.
func partsOf(m protoreflect.MessageDescriptor) schema {
	out := schema{}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		p := part{name: string(f.Name()), text: f.Kind() == protoreflect.StringKind}
		if f.Kind() == protoreflect.MessageKind {
			p.sub = partsOf(f.Message())
		}
		out[f.Number()] = p
	}
	return out
}

func dumpMessage(t *testing.T, m proto.Message) string {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return dump(t, b, partsOf(m.ProtoReflect().Descriptor()))
}

// dump writes bytes as hexadecimal digits, a line for each field, with a note that says which.
func dump(t *testing.T, b []byte, s schema) string {
	t.Helper()
	var out strings.Builder
	dumpInto(t, &out, b, s, "")
	return out.String()
}

func dumpInto(t *testing.T, out *strings.Builder, b []byte, s schema, indent string) {
	t.Helper()
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatalf("malformed: %x", b)
		}
		p := s[num]
		note := fmt.Sprintf("%d %s", num, p.name)
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		if size < 0 {
			t.Fatalf("malformed: %x", b)
		}
		whole := b[:n+size]
		v, head := []byte(nil), 0
		if typ == protowire.BytesType {
			v, _ = protowire.ConsumeBytes(b[n:])
			head = len(whole) - len(v)
		}
		switch {
		case p.sub != nil:
			line(out, indent, whole[:head], note)
			dumpInto(t, out, v, p.sub, indent+"  ")
		case p.text:
			line(out, indent, whole, note+" "+quote(v))
		default:
			line(out, indent, whole, note+number(p, typ, b[n:]))
		}
		b = b[len(whole):]
	}
}

// quote shows text of the page's language as it is.
func quote(b []byte) string {
	if !utf8.Valid(b) {
		return ""
	}
	return `"` + string(b) + `"`
}

func number(p part, typ protowire.Type, b []byte) string {
	if typ != protowire.VarintType {
		return ""
	}
	n, _ := protowire.ConsumeVarint(b)
	switch {
	case p.zig:
		return fmt.Sprintf(" %d", protowire.DecodeZigZag(n))
	case n >= 1<<48:
		return " " + syncproto.Position(n).String()
	}
	return fmt.Sprintf(" %d", n)
}

const bytesPerLine = 48

// line writes bytes with a note; long ones are broken.
func line(out *strings.Builder, indent string, b []byte, note string) {
	for len(b) > bytesPerLine {
		out.WriteString(indent + hex.EncodeToString(b[:bytesPerLine]) + "\n")
		b = b[bytesPerLine:]
	}
	fmt.Fprintf(out, "%s%x  # %s\n", indent, b, note)
}

// rows writes named bytes, a line or more each.
func rows(pairs ...any) string {
	var out strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		line(&out, "", pairs[i+1].([]byte), pairs[i].(string))
	}
	return out.String()
}
