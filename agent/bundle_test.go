package agent_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
	"unionsync/internal/bundlefile"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
)

// with opens the PC's union for a moment.
func (h *home) with(do func(u *union.Union) error) {
	h.t.Helper()
	u, err := h.agent().Union("")
	if err == nil {
		err = do(u)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	if err := u.Close(); err != nil {
		h.t.Fatal(err)
	}
}

// members saves new members from a number on; each makes two changes.
func (h *home) members(from, n int) {
	h.t.Helper()
	h.with(func(u *union.Union) error {
		_, err := uniontest.Members(context.Background(), u, from, n)
		return err
	})
}

func (h *home) export(dir string) agent.Exported {
	h.t.Helper()
	out, err := h.agent().ExportBundle("", dir)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// workIn takes a bundle to the centre and brings the answer back into a folder.
func (h *home) workIn(path, dir string) string {
	h.t.Helper()
	file, err := bundlefile.Read(path)
	if err == nil {
		file, err = h.centre.WorkIn(context.Background(), file)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	head, _, err := bundle.DecodeFile(file)
	if err != nil {
		h.t.Fatal(err)
	}
	answer := filepath.Join(dir, head.Name())
	if _, err := bundlefile.Write(answer, file); err != nil {
		h.t.Fatal(err)
	}
	return answer
}

func (h *home) take(paths ...string) []agent.Taken {
	h.t.Helper()
	out, err := h.agent().ImportBundles(context.Background(), paths, func(int, int) {})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func (h *home) status() agent.Status {
	h.t.Helper()
	st, err := h.agent().Status(context.Background(), "")
	if err != nil {
		h.t.Fatal(err)
	}
	return st
}

func (h *home) open() (n int) {
	h.t.Helper()
	all, err := h.agent().Bundles("")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, a := range all {
		if a.Open() {
			n++
		}
	}
	return n
}

// TestBundleThereAndBack: a PC without a network delivers by stick, gets its receipt and what
// a colleague entered, and proves equal.
func TestBundleThereAndBack(t *testing.T) {
	h := newHome(t, 1)
	h.enrol(unionA)
	colleague := &home{t: t, dir: filepath.Join(t.TempDir(), "data"), centre: h.centre}
	colleague.enrol(unionA)
	h.members(0, 3)
	colleague.members(10, 2)
	if _, err := colleague.agent().Sync(context.Background(), "", nil); err != nil {
		t.Fatal(err)
	}
	stick := t.TempDir()
	e := h.export(stick)
	if e.First != 1 || e.Last.Seq != 6 || e.Requests != 1 || h.open() != 1 {
		t.Fatalf("%+v, %d open", e, h.open())
	}
	if st := h.status(); st.Waiting != 6 || st.Bundles != 1 {
		t.Fatalf("before the receipt has come: %+v", st)
	}
	answer := h.workIn(e.Path, stick)
	got := h.take(answer)
	if r := got[0].Result; got[0].Err != nil || r.Sent != 6 || !r.Equal || !r.Complete {
		t.Fatalf("%+v", got)
	}
	if st := h.status(); st.Waiting != 0 || st.Delivered != 6 || st.Records["member"] != 5 || st.Bundles != 0 || h.open() != 0 {
		t.Fatalf("%+v", st)
	}
	again := h.take(answer)
	if r := again[0].Result; again[0].Err != nil || r.Rounds != 0 || r.Sent != 0 {
		t.Fatalf("twice: %+v", again)
	}
	if folder := h.take(stick); len(folder) != 2 || !slices.ContainsFunc(folder, func(t agent.Taken) bool { return t.Other }) {
		t.Fatalf("the folder with the request in it: %+v", folder)
	}
}

// TestBundleOfMany: more than one batch goes in one bundle, and a feed of several pages comes
// back in one.
func TestBundleOfMany(t *testing.T) {
	h := newHome(t, 2)
	h.enrol(unionA)
	colleague := &home{t: t, dir: filepath.Join(t.TempDir(), "data"), centre: h.centre}
	colleague.enrol(unionA)
	colleague.members(2000, 900)
	if _, err := colleague.agent().Sync(context.Background(), "", nil); err != nil {
		t.Fatal(err)
	}
	h.members(0, 600)
	stick := t.TempDir()
	e := h.export(stick)
	if e.Requests < 3 {
		t.Fatalf("%+v", e)
	}
	got := h.take(h.workIn(e.Path, stick))
	if got[0].Err != nil || got[0].Result.Sent != 1200 {
		t.Fatalf("%+v", got)
	}
	if st := h.status(); st.Waiting != 0 || st.Records["member"] != 1500 || h.open() != 0 || len(st.Notices) != 0 {
		t.Fatalf("%+v", st)
	}
	if r, err := h.agent().Sync(context.Background(), "", nil); err != nil || r.Sent != 0 || !r.Equal {
		t.Fatalf("%+v, %v", r, err)
	}
}

// TestBundleRefused: what is not for this PC, or not whole, is refused by name, and nothing is
// changed: neither what is here nor which answers are waited for.
func TestBundleRefused(t *testing.T) {
	h, foreign := newHome(t, 4), newHome(t, 5)
	h.enrol(unionA)
	foreign.enrol(unionA)
	other := &home{t: t, dir: filepath.Join(t.TempDir(), "data"), centre: h.centre}
	other.enrol(unionA)
	h.members(0, 1)
	stick := t.TempDir()
	answer := h.workIn(h.export(stick).Path, stick)
	good, err := os.ReadFile(answer)
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old copy")
	if err := os.CopyFS(old, os.DirFS(h.dir)); err != nil {
		t.Fatal(err)
	}
	later := h.export(stick)
	restored := &home{t: t, dir: old, centre: h.centre}
	write := func(b []byte) string {
		p := filepath.Join(t.TempDir(), "x.bundle")
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	bad := slices.Clone(good)
	bad[len(bad)-1] ^= 1
	for _, row := range []struct {
		why  string
		at   *home
		file string
		want syncproto.Code
	}{
		{"changed", h, write(bad), syncproto.CodeBundleDamaged},
		{"cut", h, write(good[:len(good)/2]), syncproto.CodeBundleTruncated},
		{"another PC's answer", other, answer, syncproto.CodeBundleAddressee},
		{"another city's", foreign, answer, syncproto.CodeBundleCity},
		{"a request, named as a file", h, later.Path, syncproto.CodeBundleAddressee},
		{"what a newer image of this PC asked", restored, h.workIn(later.Path, stick), syncproto.CodeBundleUnasked},
	} {
		before, open := row.at.status(), row.at.open()
		got := row.at.take(row.file)
		if syncproto.CodeOf(got[0].Err) != row.want || got[0].Result.Rounds != 0 {
			t.Errorf("%s: %+v", row.why, got[0])
		}
		if after := row.at.status(); after.Waiting != before.Waiting || row.at.open() != open || len(after.Notices) != 0 {
			t.Errorf("%s: %+v became %+v", row.why, before, after)
		}
	}
	if got := h.take(answer); got[0].Err != nil || got[0].Result.Sent != 2 {
		t.Errorf("after all this the right one: %+v", got[0])
	}
}

// TestBundleAtTheCentreRefused: a device that the centre does not know, or that signs for
// another, changes nothing there.
func TestBundleAtTheCentreRefused(t *testing.T) {
	h, foreign := newHome(t, 6), newHome(t, 7)
	h.enrol(unionA)
	h.members(0, 1)
	file, err := bundlefile.Read(h.export(t.TempDir()).Path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(why string, c *home, file []byte, want syncproto.Code) {
		t.Helper()
		if _, err := c.centre.WorkIn(context.Background(), file); syncproto.CodeOf(err) != want {
			t.Errorf("%s: %v", why, err)
		}
		if n := len(c.centre.Union(unionA).Records()); n != 0 {
			t.Errorf("%s: %d records", why, n)
		}
	}
	refused("another city's centre", foreign, file, syncproto.CodeBundleCity)
	for i := range file {
		if i%7 != 0 {
			continue
		}
		bad := slices.Clone(file)
		bad[i] ^= 0x10
		if _, err := h.centre.WorkIn(context.Background(), bad); err == nil || syncproto.CodeOf(err) == syncproto.CodeInternal {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	refused("changed and cut", h, file[:len(file)-1], syncproto.CodeBundleTruncated)
	h.centre.Forget()
	refused("a device that is not known", h, file, syncproto.CodeDeviceUnknown)
}

// TestBundleFailsToWrite: a bundle that did not get onto the stick is not waited for, and the
// next export carries the same.
func TestBundleFailsToWrite(t *testing.T) {
	h := newHome(t, 8)
	h.enrol(unionA)
	h.members(0, 1)
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := h.agent().ExportBundle("", filepath.Join(file, "stick"))
	if syncproto.CodeOf(err) != syncproto.CodeStickWrite || h.open() != 0 {
		t.Fatalf("%v, %d open", err, h.open())
	}
	if all, err := h.agent().Bundles(""); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	named := filepath.Join(t.TempDir(), "for the city.bundle")
	e, err := h.agent().ExportBundle("", named)
	if err != nil || e.Path != named || e.Last.Seq != 2 {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := h.agent().ExportBundle("", named); syncproto.CodeOf(err) != syncproto.CodeBundleExists || h.open() != 1 {
		t.Errorf("over another bundle: %v, %d open", err, h.open())
	}
}

// TestBundleCovered: when a network sync has delivered what is on the stick, the stick need
// not be kept; its answer may still come.
func TestBundleCovered(t *testing.T) {
	h := newHome(t, 9)
	h.enrol(unionA)
	h.members(0, 1)
	stick := t.TempDir()
	e := h.export(stick)
	if _, err := h.agent().Sync(context.Background(), "", nil); err != nil {
		t.Fatal(err)
	}
	if h.open() != 0 {
		t.Errorf("%d open", h.open())
	}
	if got := h.take(h.workIn(e.Path, stick)); got[0].Err != nil || got[0].Result.Sent != 0 {
		t.Errorf("%+v", got[0])
	}
}

// TestBundleNeedsRecipient: a PC that enrolled before the centre told for whom to seal learns
// it with the next sync.
func TestBundleNeedsRecipient(t *testing.T) {
	h := newHome(t, 10)
	h.centre.Recipient = ""
	h.enrol(unionA)
	_, err := h.agent().ExportBundle("", t.TempDir())
	if syncproto.CodeOf(err) != syncproto.CodeBundleRecipient {
		t.Fatal(err)
	}
	if h.centre.Recipient, err = seal.Recipient(h.centre.BundleKey); err != nil {
		t.Fatal(err)
	}
	if _, err := h.agent().Sync(context.Background(), "", nil); err != nil {
		t.Fatal(err)
	}
	h.export(t.TempDir())
	h.centre.Recipient = fmt.Sprintf("age1%058d", 0)
	if _, err := h.agent().Sync(context.Background(), "", nil); syncproto.CodeOf(err) != syncproto.CodeAnswer {
		t.Errorf("a recipient that is none: %v", err)
	}
}
