package server

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Unit is a unit of the city's tree as lists show it. Its JSON form is stable.
type Unit struct {
	Code       string `json:"code"`
	Name       string `json:"name"`
	Level      string `json:"level"`
	Parent     string `json:"parent"`
	County     string `json:"county"`
	Phone      string `json:"phone"`
	Grassroots bool   `json:"grassroots"`
	Founded    string `json:"founded"`
	Dissolved  string `json:"dissolved"`
	Devices    int    `json:"devices"`  // that were heard of
	Heard      int64  `json:"heard"`    // newest exchange, Unix seconds; 0: never
	Complete   int64  `json:"complete"` // newest exchange that left nothing to do
	Proved     bool   `json:"proved"`   // a device showed to have the same records
	Waiting    int    `json:"waiting"`  // changes that stood on its devices alone
}

// LevelName says a unit's level in a language; a level that this program does not know is
// given as it is.
func LevelName(code, lang string) string {
	k, err := kind.Embedded().Find("org-unit")
	if err != nil {
		return code
	}
	f, err := k.Find("level")
	if err != nil || code == "" {
		return code
	}
	return f.Format([]byte(code), lang)
}

// Units gives a list as it was answered.
func Units(r *unionrpc.ListOrgResponse) []Unit {
	out := make([]Unit, 0, len(r.GetUnits()))
	for _, s := range r.GetUnits() {
		v := s.GetUnit().GetValues()
		out = append(out, Unit{
			Code: v["code"], Name: v["name"], Level: v["level"], Parent: v["parent"], County: v["county"], Phone: v["phone"],
			Grassroots: v["grassroots"] == "1", Founded: v["founded"], Dissolved: v["dissolved"],
			Devices: int(s.GetDevices()), Heard: s.GetHeard(), Complete: s.GetComplete(),
			Proved: s.GetProved(), Waiting: int(s.GetWaiting()),
		})
	}
	return out
}

// ParsePosition reads a position as it is shown, generation and count as in 1/4711, or as
// one number; an empty text is position 0.
func ParsePosition(s string) (syncproto.Position, error) {
	if s == "" {
		return 0, nil
	}
	bad := func(err error) error {
		return syncproto.Fail(syncproto.CodeInvalid, "read position", fmt.Errorf("%q: %w", s, err), "what", s)
	}
	g, c, two := strings.Cut(s, "/")
	if !two {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return 0, bad(err)
		}
		return syncproto.Position(n), nil
	}
	gen, err := strconv.ParseUint(g, 10, 16)
	if err != nil {
		return 0, bad(err)
	}
	count, err := strconv.ParseUint(c, 10, 48)
	if err != nil {
		return 0, bad(err)
	}
	return syncproto.MakePosition(uint16(gen), count), nil
}

// ParseDuration reads a duration as people write it: with the units of Go, and d for days.
func ParseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, syncproto.Fail(syncproto.CodeInvalid, "read duration", err, "what", s)
	}
	return d, nil
}

// ParseFilter reads a condition of a count: dimension=code,code.
func ParseFilter(s string) (*unionrpc.CountsFilter, error) {
	d, codes, ok := strings.Cut(s, "=")
	if !ok || d == "" {
		return nil, syncproto.Fail(syncproto.CodeInvalid, "read filter", nil, "what", s)
	}
	return &unionrpc.CountsFilter{Dimension: d, Codes: strings.Split(codes, ",")}, nil
}
