package main

import (
	"fmt"
	"strings"
	"time"
)

// title begins a step.
func (d *demo) title(what string) {
	d.step++
	fmt.Fprintf(d.out, "\n%2d. %s  [%.1f s]\n", d.step, what, time.Since(d.began).Seconds())
}

// say writes a line of a step.
func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "    %s\n", fmt.Sprintf(format, args...))
}

// command shows a command as a person would type it.
func (d *demo) command(line string) {
	d.say("$ %s", strings.ReplaceAll(strings.ReplaceAll(line, d.root+"/", ""), d.dir, "$D"))
}

// prove writes what a step has proved.
func (d *demo) prove(what string) {
	d.proved = append(d.proved, what)
	d.say("=> %s", what)
}

// number is a number that the programs gave, and what the recount says.
type number struct {
	what      string
	got, want int
}

// check prints numbers, and fails at the first that differs from the recount.
func (d *demo) check(who string, numbers ...number) error {
	var parts []string
	for _, n := range numbers {
		if n.got != n.want {
			return fmt.Errorf("%s: %s: the programs say %d, the recount of the input files says %d", who, n.what, n.got, n.want)
		}
		d.checked++
		parts = append(parts, fmt.Sprintf("%s %d ✓", n.what, n.got))
	}
	d.say("%s: %s", who, strings.Join(parts, ", "))
	return nil
}

// summary closes the demo.
func (d *demo) summary() {
	fmt.Fprintf(d.out, "\nWhat this proved (%d numbers compared with the recount, none differed):\n", d.checked)
	for i, what := range d.proved {
		fmt.Fprintf(d.out, "  %2d  %s\n", i+1, what)
	}
	fmt.Fprintf(d.out, "Done in %.1f s.\n", time.Since(d.began).Seconds())
}
