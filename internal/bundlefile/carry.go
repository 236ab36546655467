package bundlefile

import (
	"context"
	"path/filepath"

	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
)

// Carried is what became of one file that was to be carried.
type Carried struct {
	File  string // its name in the folder it comes from
	Head  bundle.Head
	There bool  // it was at the other place before
	Err   error // why it was not carried; the others are
}

// Carry copies every bundle of one folder to another: requests to the centre and answers
// back, also those that whoever carries cannot read. Only their checksums are looked at. It
// may be run again at any time. progress is called after each file.
func Carry(ctx context.Context, from, to string, progress func(done, total int)) ([]Carried, error) {
	paths, err := Find(from)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, syncproto.Fail(syncproto.CodeBundleNone, "carry bundles", nil, "dir", from)
	}
	out := make([]Carried, 0, len(paths))
	for i, p := range paths {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		c := Carried{File: filepath.Base(p)}
		c.Head, c.There, c.Err = carry(p, to)
		out = append(out, c)
		if fatal(c.Err) {
			return out, c.Err
		}
		progress(i+1, len(paths))
	}
	return out, nil
}

// fatal reports errors that the next file meets too.
func fatal(err error) bool {
	code := syncproto.CodeOf(err)
	return err != nil && (code == syncproto.CodeStickWrite || code == syncproto.CodeStickFull)
}

func carry(path, to string) (h bundle.Head, there bool, err error) {
	b, err := Read(path)
	if err != nil {
		return h, false, err
	}
	if h, _, err = bundle.DecodeFile(b); err != nil {
		return h, false, err
	}
	there, err = Write(filepath.Join(to, h.Name()), b)
	return h, there, err
}
