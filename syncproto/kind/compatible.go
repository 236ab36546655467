package kind

import (
	"bytes"
	"slices"
	"strconv"

	"unionsync/syncproto"
)

// Breach is one thing that a new version of a kind may not do.
type Breach struct {
	Code syncproto.Code
	Kind string   // the kind's name
	Args []string // placeholders of the code's sentence, in pairs
}

// Err gives the breach as a coded error.
func (b Breach) Err() *syncproto.Error {
	return syncproto.Fail(b.Code, "compare kind versions", nil, append([]string{"kind", b.Kind}, b.Args...)...)
}

// Compatible says what keeps a kind from following an older version of itself, or from
// standing beside it: changes and records of every version stay for ever, and both ends must
// read and merge them alike. What people see may change (labels, help, aliases, need, rules,
// limits of length), fields and codes may be added. Equal files have no breach.
func Compatible(was, is *Kind) []Breach {
	c := &comparing{old: was, new: is}
	c.head()
	if c.old.Number == c.new.Number && c.old.Name == c.new.Name {
		for _, f := range was.Fields {
			c.field(f)
		}
	}
	return c.found
}

type comparing struct {
	old, new *Kind
	found    []Breach
}

func (c *comparing) add(code syncproto.Code, args ...string) {
	c.found = append(c.found, Breach{Code: code, Kind: c.new.Name, Args: args})
}

// head compares what stands above the fields.
func (c *comparing) head() {
	o, n := c.old, c.new
	switch {
	case o.Name != n.Name:
		c.add(syncproto.CodeKindName, "was", o.Name)
	case o.Number != n.Number:
		c.add(syncproto.CodeKindNumber, "was", number(o.Number), "is", number(n.Number))
	}
	switch {
	case n.Version < o.Version:
		c.add(syncproto.CodeKindOlder, "was", number(o.Version), "is", number(n.Version))
	case n.Version == o.Version && !bytes.Equal(o.data(), n.data()):
		c.add(syncproto.CodeKindSame, "is", number(n.Version))
	}
	if o.AppendOnly != n.AppendOnly {
		c.add(syncproto.CodeKindGrows)
	}
}

// field compares one field of the old version with what became of it.
func (c *comparing) field(f *Field) {
	g, ok := c.new.byNumber[f.Number]
	if !ok {
		if moved := c.new.byName[f.Name]; moved != nil {
			c.add(syncproto.CodeFieldNumber, "field", f.Name, "was", number(f.Number), "is", number(moved.Number))
		} else {
			c.add(syncproto.CodeFieldGone, "field", f.Name)
		}
		return
	}
	if f.Name != g.Name {
		c.add(syncproto.CodeFieldReused, "field", f.Name, "was", number(f.Number), "is", g.Name)
	}
	if f.Type != g.Type || f.Elem != g.Elem {
		c.add(syncproto.CodeFieldType, "field", f.Name, "was", f.typeWords(), "is", g.typeWords())
	}
	if f.Class != g.Class {
		c.add(syncproto.CodeFieldClass, "field", f.Name, "was", f.Class.String(), "is", g.Class.String())
	}
	if f.Ref != g.Ref && f.Type == g.Type {
		c.add(syncproto.CodeFieldRef, "field", f.Name, "was", f.Ref, "is", g.Ref)
	}
	c.codes(f, g)
}

// codes looks for rows that values of the field may have and that are gone. One that nobody
// is to choose any more stays in the table.
func (c *comparing) codes(f, g *Field) {
	if f.Table == nil || g.Table == nil {
		return
	}
	for _, row := range f.Table.Codes {
		if _, ok := g.Table.Code(row.Code); !ok {
			c.add(syncproto.CodeCodeGone, "field", f.Name, "is", row.Code)
		}
	}
}

func (f *Field) typeWords() string {
	if f.Elem == "" {
		return string(f.Type)
	}
	return string(f.Type) + " " + string(f.Elem)
}

// data is the kind's file as it was read.
func (k *Kind) data() []byte {
	i := slices.IndexFunc(k.set.files, func(f File) bool { return f.Number == k.Number })
	if i < 0 {
		return nil
	}
	return k.set.files[i].Data
}

func number[N ~uint16 | ~uint32](n N) string { return strconv.FormatUint(uint64(n), 10) }
