package clikit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"unionsync/internal/text"
	"unionsync/syncproto"
)

func TestExitStatus(t *testing.T) {
	for _, tc := range []struct {
		why  string
		err  error
		want int
	}{
		{"done", nil, ExitOK},
		{"no code", errors.New("x"), ExitInternal},
		{"usage", Usage("x"), ExitUsage},
		{"wrapped", fmt.Errorf("x: %w", Usage("x")), ExitUsage},
		{"outcome", Outcome(ExitAttention), ExitAttention},
		{"wrapped outcome", fmt.Errorf("x: %w", Outcome(ExitAttention)), ExitAttention},
		{"cancelled", fmt.Errorf("x: %w", context.Canceled), ExitInterrupted},
		{"a code says more than the cancelling below it",
			syncproto.Fail(syncproto.CodeNotFound, "x", context.Canceled), ExitInput},
		{"no node answers", syncproto.Fail(syncproto.CodeUnreachable, "x", nil), ExitOffline},
		{"come later", syncproto.Fail(syncproto.CodeBusy, "x", nil), ExitBusy},
		{"the disk is full", syncproto.Fail(syncproto.CodeDiskFull, "x", nil), ExitStorage},
		{"another program has the files, which is no fault of the disk", syncproto.Fail(syncproto.CodeInUse, "x", nil), ExitBusy},
		{"first fetch stands inside the range of the exchange", syncproto.Fail(syncproto.CodeFirstFetch, "x", nil), ExitBusy},
		{"the first fetch is not done", syncproto.Fail(syncproto.CodeFirstFetch, "x", nil), ExitBusy},
		{"another city", syncproto.Fail(syncproto.CodeOtherCentre, "x", nil), ExitRefused},
		{"an alarm", syncproto.Fail(syncproto.CodeDigest, "x", nil), ExitAttention},
		{"a code outside all ranges", syncproto.Fail(40000, "x", nil), ExitInternal},
	} {
		if got := ExitStatus(tc.err); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.why, got, tc.want)
		}
	}
}

// TestEveryCodeHasAStatus: the table covers each code that has a sentence, with a status
// that help and README document.
func TestEveryCodeHasAStatus(t *testing.T) {
	for _, code := range text.Builtin().Codes() {
		status := ExitStatus(syncproto.Fail(code, "x", nil))
		if status == ExitInternal && code != syncproto.CodeInternal {
			t.Errorf("E%d exits as a bug", code)
		}
		if !slices.Contains(Statuses, status) {
			t.Errorf("E%d exits with %d, which is not documented", code, status)
		}
	}
}

// TestReadmesListTheStatuses: the tables in both READMEs are these statuses.
func TestReadmesListTheStatuses(t *testing.T) {
	for name, lang := range map[string]text.Lang{"README.md": text.English, "README.zh-CN.md": text.Chinese} {
		b, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range Statuses {
			row := fmt.Sprintf("| %d | %s |", status, text.Of(lang, fmt.Sprintf("cli.exit_%d", status), nil))
			if !strings.Contains(string(b), row) {
				t.Errorf("%s has no row %q", name, row)
			}
		}
	}
}
