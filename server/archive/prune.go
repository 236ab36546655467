package archive

import (
	"context"
	"strings"
	"time"
)

// cutOff is how old what has no manifest must be before it is taken for the work of somebody
// who was cut off, and not of another node that has just begun to lead.
const cutOff = 24 * time.Hour

// Prune takes away all but the newest backups, what no backup needs any more of the streamed
// log, and what cut-off backups left. Of a backup the manifest goes first: from then on it
// is offered to nobody, and only then may the watermark rise above it. current is the log
// that is streamed now: it is kept from its oldest backup on, whatever happens.
func (w *Writer) Prune(ctx context.Context, keepBackups int, current string, now time.Time) (gone []string, err error) {
	backups, err := w.List(ctx)
	if err != nil {
		return nil, err
	}
	usable := 0
	for _, b := range backups { // the newest first
		if b.Err != nil {
			continue // a person should look at it: nothing is known of it
		}
		if usable++; usable <= keepBackups {
			continue
		}
		if err := w.remove(ctx, backupsDir+b.Name+manifestName); err != nil {
			return gone, err
		}
		gone = append(gone, b.Name)
		for _, p := range b.Manifest.Parts {
			if err := w.remove(ctx, b.Manifest.at(p.Name)); err != nil {
				return gone, err
			}
		}
	}
	if err := w.pruneParts(ctx, now); err != nil {
		return gone, err
	}
	return gone, w.pruneLog(ctx, current)
}

func (w *Writer) remove(ctx context.Context, name string) error {
	if err := w.target.Delete(ctx, name); err != nil {
		return unusable("delete "+name, w.target.String(), err)
	}
	return nil
}

// pruneParts takes away the parts of what never became a backup, or of one whose removal was
// cut off.
func (w *Writer) pruneParts(ctx context.Context, now time.Time) error {
	objects, err := w.target.List(ctx, backupsDir)
	if err != nil {
		return unusable("list backups", w.target.String(), err)
	}
	offered := map[string]bool{}
	folderOf := func(name string) string { // backups/<name>
		return name[:strings.LastIndexByte(name, '/')]
	}
	for _, o := range objects {
		if strings.HasSuffix(o.Name, manifestName) {
			offered[folderOf(o.Name)] = true
		}
	}
	for _, o := range objects {
		if folder := folderOf(o.Name); !offered[folder] && begunBefore(folder, now.Add(-cutOff)) {
			if err := w.remove(ctx, o.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// pruneLog takes away the segments that end before every backup of their log, and logs of
// which no backup is left. While a manifest cannot be read nothing is taken away.
func (w *Writer) pruneLog(ctx context.Context, current string) error {
	backups, err := w.List(ctx)
	if err != nil {
		return err
	}
	oldest := map[string]uint64{}
	for _, b := range backups {
		if b.Err != nil {
			return nil //nolint:nilerr // what it needs is not known
		}
		if at, ok := oldest[b.Manifest.LogID]; !ok || b.Manifest.Index < at {
			oldest[b.Manifest.LogID] = b.Manifest.Index
		}
	}
	all, err := w.spans(ctx, "")
	if err != nil {
		return err
	}
	for _, s := range all {
		at, needed := oldest[s.logID]
		if needed && s.to > at || !needed && s.logID == current {
			continue
		}
		if err := w.remove(ctx, s.name); err != nil {
			return err
		}
		if !needed {
			if err := w.remove(ctx, tipName(s.logID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// begunBefore reports whether a backup's name says that it was begun before a time.
func begunBefore(folder string, t time.Time) bool {
	text, _, _ := strings.Cut(strings.TrimPrefix(folder, backupsDir), "-")
	begun, err := time.Parse(nameTime, text)
	return err == nil && begun.Before(t)
}
