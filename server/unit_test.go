package server

import "testing"

func TestLevelName(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ code, lang, want string }{
		{"union", "zh", "基层工会"},
		{"county", "en", "county federation"},
		{"of the future", "zh", "of the future"},
		{"", "zh", ""},
	} {
		if got := LevelName(row.code, row.lang); got != row.want {
			t.Errorf("%q in %s: %q, want %q", row.code, row.lang, got, row.want)
		}
	}
}
