package clikit

import (
	"fmt"
	"strings"
	"time"
)

// How long a piece of work stays silent, and how often its line is then written.
const (
	progressAfter = 2 * time.Second
	progressEvery = 200 * time.Millisecond
)

// Progress is one line on a terminal for work that takes long. Use it from one goroutine.
type Progress struct {
	session *Session
	label   string
	started time.Time
	shown   time.Time
	width   int // of the line on screen; 0 for none
}

// Progress begins a piece of work. Nothing is shown before two seconds have passed, and
// never where Stderr is no terminal.
func (s *Session) Progress(label string) *Progress {
	return &Progress{session: s, label: label, started: s.Now()}
}

// Step tells that done of total (0 if that is not known) are finished.
func (p *Progress) Step(done, total int) {
	line := fmt.Sprintf("%s %d", p.label, done)
	if total > 0 {
		line = fmt.Sprintf("%s %d/%d (%d%%)", p.label, done, total, done*100/total)
	}
	p.show(line)
}

// Say tells in words how far the work is; they come behind the label.
func (p *Progress) Say(words string) { p.show(p.label + " " + words) }

func (p *Progress) show(line string) {
	if !p.session.Terminal {
		return
	}
	now := p.session.Now()
	if now.Sub(p.started) < progressAfter || now.Sub(p.shown) < progressEvery {
		return
	}
	p.shown = now
	p.write(line)
}

// Done ends the work and takes the line away.
func (p *Progress) Done() {
	if p.width > 0 {
		p.write("")
		_, _ = fmt.Fprint(p.session.Stderr, "\r")
	}
}

// write replaces the line, with blanks over what is left of the one before: old consoles
// know no escape sequences.
func (p *Progress) write(line string) {
	w := Width(line)
	_, _ = fmt.Fprint(p.session.Stderr, "\r"+line+strings.Repeat(" ", max(p.width-w, 0)))
	p.width = w
}
