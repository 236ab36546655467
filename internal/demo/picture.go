package main

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/text/width"
)

// county is a line of the picture.
type county struct {
	code, name          string
	men, women          int
	fresh, late, silent int
}

// picture prints the city's counts by county and sex, and how much of the city they cover.
func (d *demo) picture(ctx context.Context) error {
	d.title("The city's count (会员统计), each person once")
	if _, err := d.compare(ctx, "2021-02-28", "county", "sex"); err != nil { // the day before three people moved
		return err
	}
	if _, err := d.compare(ctx, today(), "age"); err != nil {
		return err
	}
	if _, err := d.compare(ctx, today(), "union"); err != nil {
		return err
	}
	a, err := d.compare(ctx, today(), "county", "sex")
	if err != nil {
		return err
	}
	if err := d.coverage(a); err != nil {
		return err
	}
	lines, err := d.counties(ctx, a)
	if err != nil {
		return err
	}
	d.draw(lines)
	d.say("as of %s, known at position %s; ■ = 4 men, □ = 4 women", a.Day, a.Position)
	d.prove("a count of any day is right, counts each person once, and says which unions it has not heard of")
	return nil
}

// coverage checks how many unions the count has heard of.
func (d *demo) coverage(a answer) error {
	u, heard := a.Unions, len(d.pcs)
	return d.check("unions behind the count", number{"grassroots", u.Grassroots, d.town.perLevel("union")},
		number{"fresh (已同步)", u.Fresh, heard}, number{"late (滞后)", u.Late, 0},
		number{"never heard of (从未同步)", u.Never, d.town.perLevel("union") - heard},
		number{"proved equal (核对一致)", u.Proved, heard})
}

// counties gathers what the picture shows of each county.
func (d *demo) counties(ctx context.Context, a answer) ([]*county, error) {
	units, err := d.units(ctx)
	if err != nil {
		return nil, err
	}
	var out []*county
	byCode := map[string]*county{}
	for _, u := range d.town.known.Units {
		if u.Level == "county" {
			c := &county{code: u.Code, name: strings.TrimSuffix(u.Name, "总工会")}
			byCode[u.Code], out = c, append(out, c)
		}
	}
	for _, u := range units {
		switch c := byCode[u.County]; {
		case u.Level != "union" || c == nil:
		case u.Complete > 0:
			c.fresh++ // all that were heard of were heard of in the last minutes
		default:
			c.silent++
		}
	}
	if err := d.freshEverywhere(out); err != nil {
		return nil, err
	}
	for group, n := range a.cells() {
		code, sex, _ := strings.Cut(group, " ")
		switch c := byCode[code]; {
		case c == nil:
			return nil, fmt.Errorf("the centre counts for %q, which is no county of the tree", code)
		case sex == "1":
			c.men = n
		default:
			c.women = n
		}
	}
	return out, nil
}

// freshEverywhere checks that the centre has heard of the demo's offices, and of no others,
// in each county.
func (d *demo) freshEverywhere(lines []*county) error {
	for _, c := range lines {
		heard, all := 0, 0
		for _, u := range d.town.known.Units {
			if u.Level == "union" && u.County == c.code {
				all++
			}
		}
		for _, o := range d.town.offices {
			if strings.HasPrefix(o.union, c.code+"-") {
				heard++
			}
		}
		if c.fresh != heard || c.silent != all-heard {
			return fmt.Errorf("%s: the centre has heard of %d unions and not of %d; it should be %d and %d", c.code, c.fresh, c.silent, heard, all-heard)
		}
	}
	return nil
}

// draw prints the counties as a table with bars.
func (d *demo) draw(lines []*county) {
	d.say("")
	d.say("%s   men 男  women 女  members   unions: fresh late never", pad("county (县市区)", 20))
	var sum county
	for _, c := range lines {
		d.say("%s %8d %9d %8d %15d %4d %5d  %s%s", pad(c.name, 20), c.men, c.women, c.men+c.women, c.fresh, c.late, c.silent,
			strings.Repeat("■", (c.men+3)/4), strings.Repeat("□", (c.women+3)/4))
		sum.men, sum.women = sum.men+c.men, sum.women+c.women
		sum.fresh, sum.late, sum.silent = sum.fresh+c.fresh, sum.late+c.late, sum.silent+c.silent
	}
	d.say("%s %8d %9d %8d %15d %4d %5d", pad("city (全市)", 20), sum.men, sum.women, sum.men+sum.women, sum.fresh, sum.late, sum.silent)
	d.say("")
}

// pad fills s with blanks to n columns; a Chinese character takes two.
func pad(s string, n int) string {
	for _, r := range s {
		n--
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n--
		}
	}
	return s + strings.Repeat(" ", max(n, 0))
}
