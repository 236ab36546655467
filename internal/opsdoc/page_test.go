//go:build linux

package opsdoc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// block is one fenced block of the page.
type block struct {
	line    int    // of its first line in the page
	section string // the heading above it
	machine string // where it is typed
	status  int    // with which it must end
	text    string
}

// readPage gives the blocks of operations.md that are to be run, in order. A block without a
// mark is output or a file, and nothing to type.
func readPage(t *testing.T) []block {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := parse(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return blocks
}

func parse(page string) ([]block, error) {
	var out []block
	section, at := "", -1
	inside := false
	for i, line := range strings.Split(page, "\n") {
		mark, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && inside:
			inside, at = false, -1
		case fence:
			inside = true
			if words := strings.Fields(mark); len(words) > 0 && words[0] == "sh" {
				b, err := newBlock(words[1:])
				if err != nil {
					return nil, fmt.Errorf("line %d: %w", i+1, err)
				}
				b.line, b.section = i+2, section
				out, at = append(out, b), len(out)
			} else if len(words) > 0 && (words[0] == "bash" || words[0] == "console" || words[0] == "shell") {
				return nil, fmt.Errorf("line %d: a block of commands is marked sh, so that it is run", i+1)
			}
		case inside && at >= 0:
			out[at].text += line + "\n"
		case inside:
		case strings.HasPrefix(line, "#"):
			section = strings.TrimLeft(line, "# ")
		}
	}
	if inside {
		return nil, fmt.Errorf("the last block does not end")
	}
	return out, nil
}

func newBlock(words []string) (block, error) {
	if len(words) == 0 {
		return block{}, fmt.Errorf("no machine is named")
	}
	b := block{machine: words[0]}
	for _, w := range words[1:] {
		n, ok := strings.CutPrefix(w, "exit=")
		status, err := strconv.Atoi(n)
		if !ok || err != nil {
			return block{}, fmt.Errorf("%q is not understood", w)
		}
		b.status = status
	}
	return b, nil
}

// TestParse: what is run is what a reader sees, and a block that nobody runs is refused.
func TestParse(t *testing.T) {
	got, err := parse("# A\n```sh n1\necho a\necho b\n```\n```\nout\n```\n## B\n```sh n2 exit=5\nfalse\n```\n")
	if err != nil || len(got) != 2 || got[0].text != "echo a\necho b\n" || got[0].line != 3 || got[1].status != 5 || got[1].section != "B" || got[1].machine != "n2" {
		t.Errorf("%+v: %v", got, err)
	}
	for _, bad := range []string{"```bash\nx\n```\n", "```sh\nx\n```\n", "```sh n1 maybe\nx\n```\n", "```sh n1\nx\n"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
