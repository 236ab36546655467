package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"unionsync/agent"
	"unionsync/agent/agenttest"
	"unionsync/internal/clikit"
	"unionsync/syncproto"
)

const (
	unionA = "330702-00001"
	unionB = "330782-00001"
)

// desk is a PC with its data folder and the program's world.
type desk struct {
	t      *testing.T
	centre *agenttest.Centre
	dir    string
	stdin  string
	free   uint64 // bytes on the disk; 0: as it is
	actor  string // who works here; empty: 王芳
	now    func() time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	c, err := agenttest.New(1)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t: t, centre: c, dir: filepath.Join(t.TempDir(), "data")}
}

// ran is what a command left.
type ran struct {
	t        *testing.T
	line     string
	out, err string
	status   int
}

func (d *desk) run(args ...string) ran { return d.runContext(context.Background(), args...) }

func (d *desk) runContext(ctx context.Context, args ...string) ran {
	d.t.Helper()
	var out, errs bytes.Buffer
	p := program{
		dial: func(*tls.Config, []string) (agent.Line, error) { return d.centre.Line(), nil },
		home: func() (string, error) { return d.dir, nil },
	}
	if d.free > 0 {
		p.free = func(string) (uint64, error) { return d.free, nil }
	}
	now := d.now
	if now == nil {
		now = time.Now
	}
	status := clikit.Main(ctx, p.build, clikit.IO{
		Args: append([]string{"union-agent"}, args...), Stdin: strings.NewReader(d.stdin), Stdout: &out, Stderr: &errs,
		Env: func(name string) string {
			return map[string]string{"UNIONSYNC_DATA": d.dir, "UNIONSYNC_LANG": "zh", "USER": first(d.actor, "王芳")}[name]
		},
		Now: now,
	})
	return ran{t: d.t, line: strings.Join(args, " "), out: out.String(), err: errs.String(), status: status}
}

// ok wants status 0 and nothing on the error output.
func (r ran) ok() ran {
	r.t.Helper()
	if r.status != 0 || r.err != "" {
		r.t.Fatalf("%s: status %d\n%s%s", r.line, r.status, r.out, r.err)
	}
	return r
}

// says wants words in the output.
func (r ran) says(words ...string) ran {
	r.t.Helper()
	for _, w := range words {
		if !strings.Contains(r.out, w) {
			r.t.Errorf("%s does not say %q:\n%s%s", r.line, w, r.out, r.err)
		}
	}
	return r
}

// silent wants words to be nowhere.
func (r ran) silent(words ...string) ran {
	r.t.Helper()
	for _, w := range words {
		if strings.Contains(r.out+r.err, w) {
			r.t.Errorf("%s says %q:\n%s%s", r.line, w, r.out, r.err)
		}
	}
	return r
}

// fails wants a status and a sentence with a code.
func (r ran) fails(status int, code syncproto.Code) ran {
	r.t.Helper()
	want := "（E" + itoa(int(code)) + "）"
	if r.status != status || !strings.Contains(r.err, want) {
		r.t.Errorf("%s: status %d, want %d with %s\n%s%s", r.line, r.status, status, want, r.out, r.err)
	}
	return r
}

// read decodes the output.
func (r ran) read(v any) ran {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.out), v); err != nil {
		r.t.Fatalf("%s: %v\n%s%s", r.line, err, r.out, r.err)
	}
	return r
}

func (d *desk) code(union string) string {
	d.t.Helper()
	c, err := d.centre.Code(union, false)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// enrolled is a desk that can save.
func enrolled(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	d.run("enrol", "--centre", agenttest.Address, "--code", d.code(unionA)).ok().says("已登记", unionA)
	return d
}

const (
	document = "330702199001011236"
	mobile   = "13857912345"
)

// member adds a member by the words of a clerk and gives the record's id.
func (d *desk) member(name, number string) string {
	d.t.Helper()
	var out struct{ Record recordOut }
	d.run("--json", "add", "会员", "姓名="+name, "证件号码="+number, "民族=汉族", "学历=大学本科", "移动电话="+mobile,
		"工作单位=某某公司", "农民工=否", "劳务派遣=否", "入会日期=2024-03-01").ok().read(&out)
	return out.Record.ID
}

// citizen completes 17 digits by the check character of GB 11643.
func citizen(digits string) string {
	weights := [...]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += w * int(digits[i]-'0')
	}
	return digits + string("10X98765432"[sum%11])
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
