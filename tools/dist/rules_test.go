package dist

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

const deploy = "../../deploy"

// TestAlertRulesParse: Prometheus itself reads the rules, with every expression and template.
func TestAlertRulesParse(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(deploy, "prometheus", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		groups, errs := rulefmt.ParseFile(name, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
		if len(errs) > 0 {
			t.Errorf("%s: %v", name, errs)
			continue
		}
		rules := 0
		for _, g := range groups.Groups {
			rules += len(g.Rules)
		}
		if rules < 10 {
			t.Errorf("%s has %d rules", name, rules)
		}
	}
}

// TestDashboardParses: so does every expression of the dashboard.
func TestDashboardParses(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(deploy, "grafana", "unionsync.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	exprs := 0
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			exprs++
			if _, err := parser.NewParser(parser.Options{}).ParseExpr(q.Expr); err != nil {
				t.Errorf("%s: %s: %v", p.Title, q.Expr, err)
			}
		}
	}
	if exprs < 10 {
		t.Errorf("%d expressions", exprs)
	}
}
