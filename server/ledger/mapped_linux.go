package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The store reads and writes its tables through mappings, whose pages stay resident until the
// system is short of memory: those of a whole city are 1.5 GB. The system could take them back at any
// time, but who watches a node's memory, or bounds it, sees them all. So what is above a bound
// is given back here.

const (
	// adviceOut is MADV_PAGEOUT, since Linux 5.4: it takes pages out of memory and changes no
	// content, whatever they are of by then. (MADV_DONTNEED would be dearer to be wrong about: a table may be
	// unmapped, and its address used for other memory, between a look and the call.)
	adviceOut = 21
	// mappedYoung: what was written just now is compacted soon.
	mappedYoung = 5 * time.Second
)

// TrimMapped gives pages of the store's tables back to the system when the process has more than
// so many bytes of mapped files resident. It may be called at any time; a system that does not know
// how is no error.
func (l *Ledger) TrimMapped(most int64, now time.Time) error {
	if l.cfg.Memory {
		return nil
	}
	if resident, err := mappedResident(); err != nil || resident <= most {
		return err
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("trim mapped tables: %w", err)
	}
	defer func() { _ = maps.Close() }() // only read
	dir, err := filepath.Abs(l.cfg.Dir)
	if err != nil {
		return fmt.Errorf("trim mapped tables: %w", err)
	}
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		from, size, file := readMapping(lines.Text())
		if size == 0 || !strings.HasPrefix(file, dir+string(filepath.Separator)) || filepath.Ext(file) != ".sst" {
			continue
		}
		if info, err := os.Stat(file); err != nil || now.Sub(info.ModTime()) < mappedYoung {
			continue // gone by now, or young
		}
		_, _, no := syscall.Syscall(syscall.SYS_MADVISE, from, size, adviceOut)
		if errors.Is(no, syscall.EINVAL) {
			return nil // an older system
		}
	}
	return nil
}

// readMapping reads a line of /proc/self/maps; size is 0 where it is of no file.
func readMapping(line string) (from, size uintptr, file string) {
	fields := strings.Fields(line)
	const name = 5
	if len(fields) != name+1 {
		return 0, 0, ""
	}
	begin, end, _ := strings.Cut(fields[0], "-")
	a, err1 := strconv.ParseUint(begin, 16, 64)
	b, err2 := strconv.ParseUint(end, 16, 64)
	if err1 != nil || err2 != nil || b < a {
		return 0, 0, ""
	}
	return uintptr(a), uintptr(b - a), fields[name]
}

// mappedResident is how many bytes of mapped files this process has in memory.
func mappedResident() (int64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("read resident memory: %w", err)
	}
	fields := strings.Fields(string(b))
	const shared = 2
	if len(fields) <= shared {
		return 0, errors.New("read resident memory: a line that is cut short")
	}
	pages, err := strconv.ParseInt(fields[shared], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read resident memory: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}
