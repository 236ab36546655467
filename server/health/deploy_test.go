package health

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const deploy = "../../deploy"

var metricName = regexp.MustCompile(`\b(unionsync|go|process)_[a-z_]+\b`)

// TestRulesAndDashboardNameWhatExists: an alert on a metric that is not there never comes.
// (Prometheus's own parser reads the files too: make deploy-check.)
func TestRulesAndDashboardNameWhatExists(t *testing.T) {
	families, err := newTest(t).Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, f := range families {
		known = append(known, f.GetName(), f.GetName()+"_bucket", f.GetName()+"_sum", f.GetName()+"_count")
	}
	used := map[string]bool{}
	for _, name := range []string{"prometheus/alerts.yaml", "grafana/unionsync.json"} {
		b, err := os.ReadFile(filepath.Join(deploy, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range metricName.FindAllString(string(b), -1) {
			if used[m] = true; !slices.Contains(known, m) {
				t.Errorf("%s names %s, which no node tells", name, m)
			}
		}
	}
	if len(used) < 20 {
		t.Errorf("only %d metrics are used", len(used))
	}
	for _, f := range families {
		if n := f.GetName(); strings.HasPrefix(n, "unionsync_backup_") && n != "unionsync_backup_size_bytes" && n != "unionsync_backup_last_streamed_timestamp_seconds" && !used[n] {
			t.Errorf("nobody watches %s", n)
		}
	}
}

// TestAlertsAreWhole: each rule has a name of its own, says how bad it is and what to do.
func TestAlertsAreWhole(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(deploy, "prometheus", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(b, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if seen[r.Alert] || r.Expr == "" || r.For == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" ||
				!slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
				t.Errorf("%+v", r)
			}
			seen[r.Alert] = true
		}
	}
	if len(seen) < 15 {
		t.Errorf("%d alerts", len(seen))
	}
}
