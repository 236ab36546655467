package syncproto

import "testing"

// TestLineageBeside: a further life keeps what this log has in common with every life learned,
// and nothing above the beginning of a life whose number was given twice.
func TestLineageBeside(t *testing.T) {
	at := MakePosition
	plain := Lineage{{Number: 1}, {Number: 2, Random: 1, Base: at(1, 50)}}
	wentBack := Lineage{{Number: 1}, {Number: 2, Random: 1, Base: at(1, 0)}, {Number: 3, Random: 1, Base: at(2, 109)}}
	for _, row := range []struct {
		why    string
		lives  Lineage
		head   Position
		others []Generation
		want   Position
	}{
		{"kept more than there is here", plain, at(2, 20), []Generation{{Number: 3, Base: at(2, 90)}}, at(2, 20)},
		{"kept less", plain, at(2, 20), []Generation{{Number: 3, Base: at(2, 10)}}, at(2, 10)},
		{"a twin that kept more than the own one", plain, at(2, 20), []Generation{{Number: 2, Random: 2, Base: at(1, 70)}}, at(1, 50)},
		{"a twin that kept less", plain, at(2, 20), []Generation{{Number: 2, Random: 2, Base: at(1, 30)}}, at(1, 30)},
		{"goes back to what is not in this log at all, beside a twin", wentBack, at(3, 0),
			[]Generation{{Number: 3, Random: 2, Base: at(2, 124)}, {Number: 4, Random: 2, Base: at(1, 29)}}, at(1, 0)},
		{"goes back to an own life that was given up", Lineage{{Number: 1}, {Number: 2, Base: at(1, 5)}, {Number: 3, Base: at(1, 9)}}, at(3, 4),
			[]Generation{{Number: 4, Base: at(2, 7)}}, at(1, 5)},
		{"a twin of a life that was given up: its positions are not in this log", Lineage{{Number: 1}, {Number: 2, Base: at(1, 5)}, {Number: 3, Base: at(1, 9)}}, at(3, 4),
			[]Generation{{Number: 2, Random: 2, Base: at(1, 30)}}, at(1, 9)},
	} {
		got := row.lives.Beside(row.head, row.others...)
		if got != row.want {
			t.Errorf("%s: %s, want %s", row.why, got, row.want)
		}
		if !row.lives.Holds(got) {
			t.Errorf("%s: %s is not in this log", row.why, got)
		}
	}
}

// TestTwins: of two lives with one number nobody can tell which one a position is of, so only
// what both took over counts. The base that is lower by number may be the one that kept more:
// 3/7 goes back to 2/90, and 4/0 no further than to 2/86.
func TestTwins(t *testing.T) {
	at := MakePosition
	for _, random := range []uint64{1, 3} { // whichever sorts first
		lives := Lineage{{Number: 1}, {Number: 2, Base: at(1, 2)}, {Number: 3, Base: at(2, 90)}, {Number: 4, Base: at(2, 86)},
			{Number: 7, Base: at(2, 89)}}
		lives, _ = lives.With(Generation{Number: 5, Random: random, Base: at(3, 7)}, Generation{Number: 5, Random: 2, Base: at(4, 0)})
		if got := lives.Cut(at(5, 11), 5); got != at(2, 86) {
			t.Errorf("after life 5 the log is the same up to %s, want 2/86", got)
		}
		if got := lives.Common(at(5, 11), at(7, 3)); got != at(2, 86) {
			t.Errorf("two backups have %s in common, want 2/86", got)
		}
		for _, row := range []struct {
			p    Position
			want bool
		}{{at(2, 86), true}, {at(2, 87), false}, {at(3, 5), false}, {at(1, 2), true}} {
			if got := lives.Before(row.p, at(5, 11)); got != row.want {
				t.Errorf("life 5 had %s: %v, want %v", row.p, got, row.want)
			}
		}
	}
}

// TestCertain: of a log that is put back all counts, but for what stands in a life whose number
// was given to another one too. Seen to fail with twins passed over.
func TestCertain(t *testing.T) {
	at := MakePosition
	own := Lineage{{Number: 1, Random: 1}, {Number: 2, Random: 1, Base: at(1, 50)}}
	for _, row := range []struct {
		why  string
		head Position
		more []Generation // that this log does not know of
		want Position
	}{
		{"nobody knows of more", at(2, 20), nil, at(2, 20)},
		{"later lives", at(2, 20), []Generation{{Number: 3, Base: at(2, 10)}, {Number: 4, Base: at(1, 10)}}, at(2, 20)},
		{"a twin of its newest life", at(2, 20), []Generation{{Number: 2, Random: 2, Base: at(1, 70)}}, at(1, 50)},
		{"a twin, and nothing stands in that life yet", at(2, 0), []Generation{{Number: 2, Random: 2, Base: at(1, 70)}}, at(1, 50)},
		{"the log ends before the life that has a twin", at(1, 40), []Generation{{Number: 2, Random: 2, Base: at(1, 30)}}, at(1, 40)},
	} {
		all, _ := own.With(row.more...)
		if got := own.Certain(row.head, all); got != row.want {
			t.Errorf("%s: %s, want %s", row.why, got, row.want)
		}
	}
}
