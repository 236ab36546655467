package kind_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

const today = "2026-11-23"

// record parses "name=value" pairs into values of a kind.
func record(t testing.TB, k *kind.Kind, pairs ...string) kind.Values {
	t.Helper()
	v := kind.Values{}
	for _, p := range pairs {
		name, text, _ := strings.Cut(p, "=")
		f, err := k.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		value, _, problem := f.Parse(text)
		if problem != nil {
			t.Fatalf("%s: E%d", name, problem.Code)
		}
		if value != nil {
			v[f.Number] = value
		} else {
			delete(v, f.Number)
		}
	}
	return v
}

// told gives the findings as class and what: "A M-1", "A 210 name".
func told(findings []kind.Finding) []string {
	var out []string
	for _, f := range findings {
		if f.Rule != "" {
			out = append(out, f.Class+" "+f.Rule)
		} else {
			out = append(out, f.Class+" "+strconv.Itoa(int(f.Code))+" "+f.Field())
		}
	}
	return out
}

func kindNamed(t testing.TB, name string) *kind.Kind {
	t.Helper()
	k, err := kind.Embedded().Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// member is a good member; later pairs replace its values.
func member(t testing.TB, pairs ...string) kind.Values {
	return record(t, kindNamed(t, "member"), append([]string{
		"name=张三", "id_type=居民身份证", "id_no=330782199003070013", "sex=男", "birth=1990-03-07", "ethnic=汉族", "education=大专",
		"mobile=13307225249", "employer=某某公司", "work_status=在岗", "migrant=否", "dispatch=否", "new_form=非新业态",
	}, pairs...)...)
}

func TestCheckMember(t *testing.T) {
	for _, c := range []struct {
		why  string
		with []string
		want []string
	}{
		{"nothing is wrong", nil, nil},
		{"name missing", []string{"name="}, []string{"A 210 name"}},
		{"what is only wanted", []string{"work_status=", "migrant="}, []string{"D 211 work_status", "D 211 migrant"}},
		{"sex contradicts the number", []string{"sex=女"}, []string{"A 231 sex"}},
		{"birth contradicts the number", []string{"birth=1990-03-08"}, []string{"A 231 birth"}},
		{"birth of the same month", []string{"birth=1990年3月"}, nil},
		{"birth of another month", []string{"birth=1990年4月"}, []string{"A 231 birth"}},
		{"check digit", []string{"id_no=330782199003070014"}, []string{"A 226 id_no"}},
		{"a wrong number hides what would follow from it", []string{"id_no=411328199002306339", "birth=", "sex="}, []string{"A 225 id_no"}},
		{"a missing number likewise", []string{"id_no=", "birth=", "sex="}, []string{"A 210 id_no"}},
		{"a passport derives nothing", []string{"id_type=护照", "id_no=G12345678"}, nil},
		{"with a passport sex and birth are wanted", []string{"id_type=护照", "id_no=G12345678", "sex=", "birth="}, []string{"A 210 sex", "A 210 birth"}},
		{"a residence permit has the same check digit", []string{"id_type=港澳台居民居住证", "id_no=810000199003070014"}, []string{"A 226 id_no"}},
		{"fifteen years old", []string{"id_no=330782201112070015", "birth=2011-12-07"}, []string{"A 226 id_no", "A M-1"}},
		{"landline is a hint", []string{"mobile=0579-89814516"}, []string{"D M-3"}},
		{"the union's credit code as the employer's", []string{"employer_code=81330782MC0000012G"}, []string{"C M-4"}},
		{"retired", []string{"work_status=退休"}, []string{"D M-5"}},
		{"first employed as a child", []string{"work_start=2000-01"}, []string{"C M-7"}},
		{"first employed tomorrow", []string{"work_start=2026-11-24"}, []string{"C M-7"}},
		{"division that is none", []string{"hukou_division=金华"}, []string{"C M-8"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			k := kindNamed(t, "member")
			got := told(k.Check(member(t, c.with...), kind.Env{Today: today}))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestCheckBytes: values that are not canonical block, whoever wrote them.
func TestCheckBytes(t *testing.T) {
	k := kindNamed(t, "member")
	for _, c := range []struct {
		field string
		value string
		want  string
	}{
		{"name", "e\u0301", "A 213 name"},
		{"name", " ", "A 213 name"},
		{"name", "a\x00b", "A 213 name"},
		{"sex", "男", "A 214 sex"},
		{"birth", "1990/03/07", "A 215 birth"},
		{"migrant", "是", "A 219 migrant"},
		{"mobile", "133", "A 220 mobile"},
		{"id_no", "33078219900307001x", "A 235 id_no"},
		{"union_post", "vice\nchair", "A 213 union_post"},
		{"union_post", "chair\nchair", "A 213 union_post"},
		{"union_post", "chair\n\nvice", "A 210 union_post"},
	} {
		v := member(t)
		f, _ := k.Field(c.field)
		v[f.Number] = []byte(c.value)
		if got := told(k.Check(v, kind.Env{Today: today})); !slices.Contains(got, c.want) {
			t.Errorf("%s = %q: %v, want %s", c.field, c.value, got, c.want)
		}
	}
}

func TestDerive(t *testing.T) {
	k := kindNamed(t, "member")
	for _, c := range []struct {
		why         string
		in          []string
		id, sex     string
		birth       string
		notes       []syncproto.Code
		typeDefault bool
	}{
		{"all from the number", []string{"id_no=330702198512310429"}, "330702198512310429", "2", "1985-12-31", nil, true},
		{"an old number becomes a new one", []string{"id_no=330702851231042"}, "330702198512310429", "2", "1985-12-31", []syncproto.Code{syncproto.CodeNoteOldID}, true},
		{"a month becomes a day", []string{"id_no=330702198512310429", "birth=1985年12月"}, "330702198512310429", "2", "1985-12-31", []syncproto.Code{syncproto.CodeNoteDate}, true},
		{"what contradicts is left to the check", []string{"id_no=330702198512310429", "sex=男", "birth=1985-12-30"}, "330702198512310429", "1", "1985-12-30", nil, true},
		{"a passport gives nothing", []string{"id_type=护照", "id_no=330702198512310429"}, "330702198512310429", "", "", nil, false},
		{"a wrong number gives nothing", []string{"id_no=330702198512310420"}, "330702198512310420", "", "", nil, true},
	} {
		t.Run(c.why, func(t *testing.T) {
			v := record(t, k, c.in...)
			var notes []syncproto.Code
			for _, n := range k.Complete(v) {
				notes = append(notes, n.Code)
			}
			get := func(name string) string { f, _ := k.Field(name); return v.Text(f) }
			got := []string{get("id_no"), get("sex"), get("birth")}
			if diff := cmp.Diff([]string{c.id, c.sex, c.birth}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(c.notes, notes); diff != "" {
				t.Errorf("notes (-want +got)\n%s", diff)
			}
			if (get("id_type") == "111") != c.typeDefault {
				t.Errorf("document type %q", get("id_type"))
			}
		})
	}
}

// event is a good event of joining.
func event(t testing.TB, pairs ...string) kind.Values {
	return record(t, kindNamed(t, "membership-event"), append([]string{
		"member=00112233-4455-6677-8899-aabbccddeeff", "type=入会", "date=2010-05-01",
	}, pairs...)...)
}

func TestCheckEvent(t *testing.T) {
	k := kindNamed(t, "membership-event")
	for _, c := range []struct {
		why  string
		with []string
		want []string
	}{
		{"joined at 20", nil, nil},
		{"joined on the 16th birthday", []string{"date=2006-03-07"}, nil},
		{"joined a day before it", []string{"date=2006-03-06"}, []string{"A E-2"}},
		{"joined in the month of it", []string{"date=2006年3月"}, nil},
		{"joined a month before it", []string{"date=2006年2月"}, []string{"A E-2"}},
		{"retained at 15 is no matter of age", []string{"type=恢复", "date=2005-03-06"}, nil},
		{"before birth", []string{"date=1989-01-01"}, []string{"A E-2", "A E-3"}},
		{"tomorrow", []string{"date=2026-11-24"}, []string{"A E-1"}},
		{"this month", []string{"date=2026-11"}, nil},
		{"next month", []string{"date=2026-12"}, []string{"A E-1"}},
		{"transfer out without destination", []string{"type=转出"}, []string{"A E-4"}},
		{"transfer out inside the city", []string{"type=转出", "destination=JH-2"}, nil},
		{"transfer out of the city", []string{"type=转出", "destination_outside=杭州某公司工会"}, nil},
		{"transfer out to both", []string{"type=转出", "destination=JH-2", "destination_outside=杭州"}, []string{"A E-5"}},
		{"leaving with a destination", []string{"type=退会", "destination=JH-2"}, []string{"A E-6"}},
		{"transfer in from nowhere", []string{"type=转入"}, []string{"D E-7"}},
		{"expelled", []string{"type=除名", "reason=因犯罪被开除会籍", "approved_by=〔2026〕3号"}, []string{"B E-8"}},
		{"expelled without decision or reason", []string{"type=除名"}, []string{"B E-8", "A E-9", "C E-10"}},
		{"left by not taking part", []string{"type=退会", "reason=自动退会"}, []string{"C E-11"}},
		{"retained", []string{"type=保留"}, []string{"D E-12"}},
		{"a date that is no member's", []string{"date=1924-01-01"}, []string{"A E-2", "A E-3", "D E-13"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			env := kind.Env{Today: today, Related: func(name string, _ syncproto.RecordID) (kind.Values, bool) {
				return member(t), name == "member"
			}}
			if diff := cmp.Diff(c.want, told(k.Check(event(t, c.with...), env))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("member not known", func(t *testing.T) {
		env := kind.Env{Today: today, Related: func(string, syncproto.RecordID) (kind.Values, bool) { return nil, false }}
		if diff := cmp.Diff([]string{"A 234 member"}, told(k.Check(event(t, "date=2000-01-01"), env))); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("references not followed", func(t *testing.T) {
		if got := k.Check(event(t), kind.Env{Today: today}); len(got) != 0 {
			t.Errorf("%v", told(got))
		}
	})
}

// TestExplanation: a class C finding blocks until somebody explains it in six characters.
func TestExplanation(t *testing.T) {
	k := kindNamed(t, "membership-event")
	v := event(t, "type=退会", "reason=自动退会")
	for explain, blocks := range map[string]bool{"": true, "已教育五次": true, "     六      ": true, "半年未交会费": false} {
		for _, key := range []string{"E-11", ""} {
			got := k.Check(v, kind.Env{Today: today, Explain: map[string]string{key: explain}})
			if kind.Blocked(got) != blocks {
				t.Errorf("%q under %q: blocks %v, want %v", explain, key, !blocks, blocks)
			}
		}
	}
	if !kind.Blocked(k.Check(v, kind.Env{Today: today, Explain: map[string]string{"E-10": "另一条规则的说明"}})) {
		t.Error("the explanation of another rule counts")
	}
}

// TestLeastDelegates: the worked floors of WC-2.
func TestLeastDelegates(t *testing.T) {
	k := kindNamed(t, "congress-term")
	for staff, least := range map[int]int{
		50: 30, 99: 30, 100: 40, 200: 47, 350: 54, 500: 68, 999: 96, 1000: 100, 2000: 120, 3500: 140, 4999: 160, 5000: 200, 20000: 200,
	} {
		for _, d := range []int{least - 1, least} {
			v := record(t, k, "number=3", "form=职代会", "start=2024-01-01", "term_years=5",
				"staff="+strconv.Itoa(staff), "delegates="+strconv.Itoa(d))
			failed := slices.Contains(told(k.Check(v, kind.Env{Today: today})), "C WC-2")
			if failed != (d < least) {
				t.Errorf("%d staff, %d delegates: failed %v", staff, d, failed)
			}
		}
	}
}

func TestCheckCongress(t *testing.T) {
	term := func(pairs ...string) []string {
		return append([]string{"number=3", "form=职代会", "start=2024-01-01", "end=2028-12-31", "term_years=5", "staff=350",
			"women_staff=140", "delegates=60", "managers=12", "women_delegates=24"}, pairs...)
	}
	session := func(pairs ...string) []string {
		return append([]string{"term=00112233-4455-6677-8899-aabbccddeeff", "number=2", "title=第三届第二次", "date=2025-03-10",
			"extraordinary=否", "due=60", "present=40", "previous_report=是"}, pairs...)
	}
	motion := func(pairs ...string) []string {
		return append([]string{"session=00112233-4455-6677-8899-aabbccddeeff", "title=集体合同", "matter=集体合同草案", "handling=表决",
			"ballot=无记名", "issued=40", "returned=40", "yes=31", "no=5", "abstain=3", "invalid=1", "result=通过", "follow_up=已执行"}, pairs...)
	}
	for _, c := range []struct {
		why, kind string
		values    []string
		want      []string
	}{
		{"good term", "congress-term", term(), nil},
		{"100 staff in full assembly", "congress-term", term("form=职工大会"), []string{"C WC-1"}},
		{"a fifth of managers and one more", "congress-term", term("managers=13"), []string{"A WC-4"}},
		{"one woman too few", "congress-term", term("women_delegates=23"), []string{"A WC-5"}},
		{"disabled people where that matters", "congress-term", term("concentrated=是", "disabled_staff=35", "disabled_delegates=5"), []string{"A WC-6"}},
		{"a term of four years", "congress-term", term("term_years=4"), []string{"C WC-9"}},
		{"early without consent", "congress-term", term("off_schedule=是"), []string{"A WC-10"}},
		{"early with consent", "congress-term", term("off_schedule=是", "consent=婺总工〔2024〕1号"), nil},
		{"employers in an area congress", "congress-term", term("level=区域", "employer_delegates=13"), []string{"A WC-25"}},
		{"more women than delegates", "congress-term", term("women_delegates=61"), []string{"A CT-2"}},

		{"good session: exactly two thirds", "congress-session", session(), nil},
		{"one delegate fewer", "congress-session", session("present=39"), []string{"A WC-13"}},
		{"more present than due", "congress-session", session("present=61"), []string{"A CS-1"}},
		{"extraordinary on nobody's proposal", "congress-session", session("extraordinary=是"), []string{"A WC-12b"}},
		{"extraordinary on too few", "congress-session", session("extraordinary=是", "proposed_by=职工代表", "proposers=19"), []string{"A WC-12"}},
		{"extraordinary on a third", "congress-session", session("extraordinary=是", "proposed_by=职工代表", "proposers=20"), nil},
		{"agenda six days before", "congress-session", session("agenda_sent=2025-03-04"), []string{"C WC-17"}},
		{"agenda seven days before", "congress-session", session("agenda_sent=2025-03-03"), nil},
		{"other delegates than the term's", "congress-session", session("due=54", "present=36"), []string{"C CS-4"}},
		{"before the term", "congress-session", session("date=2023-12-31"), []string{"C CS-3"}},

		{"good motion", "motion", motion(), nil},
		{"more than half of those present is not enough", "motion", motion("yes=30", "no=6"), []string{"A WC-15"}},
		{"show of hands", "motion", motion("ballot=举手"), []string{"A WC-14"}},
		{"no ballot at all", "motion", motion("ballot="), []string{"A WC-14"}},
		{"ballots do not add up", "motion", motion("no=6"), []string{"A WC-16c"}},
		{"more ballots than delegates", "motion", motion("issued=41"), []string{"A WC-16a"}},
		{"more returned than issued", "motion", motion("issued=39"), []string{"A WC-16b"}},
		{"contract only discussed", "motion", motion("handling=讨论"), []string{"A WC-18"}},
		{"rules discussed without a record", "motion", motion("matter=规章制度", "handling=讨论", "result="), []string{"C WC-19"}},
		{"failed with more than half", "motion", motion("result=未通过"), []string{"C WC-15b"}},
		{"not reported after a year", "motion", motion("follow_up="), []string{"C WC-22"}},
		{"director elected by hearing a report", "motion", motion("matter=职工董事监事", "handling=听取"), []string{"A WC-23"}},
		{"vote without result", "motion", motion("result="), []string{"A MO-1"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			env := kind.Env{Today: today, Related: func(name string, _ syncproto.RecordID) (kind.Values, bool) {
				related := map[string][]string{"congress-term": term(), "congress-session": session()}
				return record(t, kindNamed(t, name), related[name]...), true
			}}
			k := kindNamed(t, c.kind)
			if diff := cmp.Diff(c.want, told(k.Check(record(t, k, c.values...), env))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCheckOthers(t *testing.T) {
	union := func(pairs ...string) []string {
		return append([]string{"code=U1", "name=某工会", "base_type=单独", "status=正常", "employer=某公司", "staff=220", "members=200",
			"women_members=80", "committee=是", "committee_size=7", "women_committee=是", "chair_full_time=是", "assembly=会员代表大会",
			"committee_since=2024-01-01", "term_years=5"}, pairs...)
	}
	item := func(pairs ...string) []string {
		return append([]string{"year=2026", "category=P1", "title=经营情况", "channels=公开栏", "start=2026-03-01", "end=2026-03-31", "evidence=照片"}, pairs...)
	}
	unit := func(pairs ...string) []string {
		return append([]string{"code=U1", "name=某工会", "level=基层", "parent=C1", "county=义乌", "grassroots=是"}, pairs...)
	}
	for _, c := range []struct {
		why, kind string
		values    []string
		want      []string
	}{
		{"good union", "union", union(), nil},
		{"25 members without committee", "union", union("committee=否"), []string{"C OR-1"}},
		{"term of four years", "union", union("term_years=4"), []string{"A OR-3"}},
		{"term has ended", "union", union("committee_since=2021-11-22"), []string{"D OR-4"}},
		{"100 members meet in full", "union", union("members=100", "women_members=9"), []string{"C OR-7"}},
		{"ten women without committee", "union", union("women_committee=否"), []string{"C OR-9"}},
		{"own funds without audit", "union", union("own_funds=是", "audit_committee=否"), []string{"C OR-10"}},
		{"employer's code as the union's", "union", union("legal_code=91330784MA2HXTKTX6"), []string{"C OR-12"}},
		{"union's code as the employer's", "union", union("employer_code=81330782MC0000012G"), []string{"C OR-12b"}},
		{"eight on the committee of 200", "union", union("committee_size=8"), []string{"D OR-13"}},
		{"more women than members", "union", union("women_members=201"), []string{"A U-N1"}},
		{"good disclosure", "disclosure", item(), nil},
		{"no evidence", "disclosure", item("evidence="), []string{"D DI-8"}},
		{"answered on the 31st day", "disclosure", item("opinion_on=2026-04-01", "reply_on=2026-05-02"), []string{"C DI-4"}},
		{"answered on the 30th day", "disclosure", item("opinion_on=2026-04-01", "reply_on=2026-05-01"), nil},
		{"not answered", "disclosure", item("opinion_on=2026-04-01"), []string{"D DI-5"}},
		{"fifth quarter", "disclosure", item("quarter=5"), []string{"A DI-3"}},
		{"another year", "disclosure", item("year=2025"), []string{"A DI-2"}},
		{"state matter of a private firm", "disclosure", item("category=S1", "ownership=民营"), []string{"C DI-9"}},
		{"good unit", "org-unit", unit(), nil},
		{"the city has no parent", "org-unit", unit("level=市", "parent=", "grassroots=否"), nil},
		{"a union without parent", "org-unit", unit("parent="), []string{"A U-1"}},
		{"its own parent", "org-unit", unit("parent=U1"), []string{"A U-2"}},
		{"a county that counts as grassroots", "org-unit", unit("level=县"), []string{"A U-5"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			k := kindNamed(t, c.kind)
			if diff := cmp.Diff(c.want, told(k.Check(record(t, k, c.values...), kind.Env{Today: today}))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestRulesNeverFail: whatever canonical values a record and its relations have, each rule
// can be worked out, and the findings of two runs are the same.
func TestRulesNeverFail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(kind.Embedded().All()).Draw(t, "kind")
		v := anyRecord(t, k)
		env := anyEnv(t, k)
		first := k.Check(v, env)
		for _, f := range first {
			if f.Code == syncproto.CodeRuleFailed {
				t.Fatalf("rule %s of %s failed", f.Rule, k.Name)
			}
		}
		if diff := cmp.Diff(told(first), told(k.Check(v, env))); diff != "" {
			t.Fatalf("two runs differ\n%s", diff)
		}
	})
}

// TestRulesAlone: what rules find is the same whether all of a record is looked at or only
// what they read, also when values are wrong. Seen to fail when fields that rules concern are
// left out.
func TestRulesAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(kind.Embedded().All()).Draw(t, "kind")
		v, env := anyRecord(t, k), anyEnv(t, k)
		for range rapid.IntRange(0, 3).Draw(t, "wrong") {
			v[rapid.SampledFrom(k.Fields).Draw(t, "field").Number] = []byte("\xff")
		}
		var want []kind.Finding
		for _, f := range k.Check(v, env) {
			if f.Rule != "" {
				want = append(want, f)
			}
		}
		if diff := cmp.Diff(told(want), told(k.CheckRules(v, env))); diff != "" {
			t.Fatalf("kind %s (-all +alone)\n%s", k.Name, diff)
		}
	})
}

// anyEnv draws the records that one of a kind may refer to.
func anyEnv(t *rapid.T, k *kind.Kind) kind.Env {
	other := map[string]kind.Values{}
	for _, f := range k.Fields {
		if r, ok := kind.Embedded().Kind(f.Ref); ok && rapid.Bool().Draw(t, "is there") {
			other[f.Ref] = anyRecord(t, r)
		}
	}
	return kind.Env{Today: today, Related: func(name string, _ syncproto.RecordID) (kind.Values, bool) {
		r, ok := other[name]
		return r, ok
	}}
}

// anyRecord draws a record of canonical values, some fields empty.
func anyRecord(t *rapid.T, k *kind.Kind) kind.Values {
	v := kind.Values{}
	for _, f := range k.Fields {
		if !rapid.Bool().Draw(t, f.Name) {
			continue
		}
		var text string
		switch f.Type {
		case kind.TypeCode, kind.TypeSet:
			text = "文本"
			if f.Table != nil {
				text = rapid.SampledFrom(f.Table.Codes).Draw(t, "code").Zh
			}
		case kind.TypeDate:
			text = rapid.StringMatching(`(19|20)[0-9]{2}-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8]))?`).Draw(t, "date")
		case kind.TypeInteger:
			text = strconv.Itoa(rapid.IntRange(-2, 20000).Draw(t, "n"))
		case kind.TypeYesNo:
			text = rapid.SampledFrom([]string{"是", "否"}).Draw(t, "answer")
		case kind.TypeCitizenID:
			text = rapid.SampledFrom([]string{"330782199003070013", "330702198512310429", "G1234"}).Draw(t, "id")
		case kind.TypeCreditCode:
			text = rapid.SampledFrom([]string{"91350100M000100Y43", "81330782MC0000012G"}).Draw(t, "credit")
		case kind.TypePhone:
			text = "13307225249"
		case kind.TypeReference:
			text = rapid.SampledFrom([]string{"00112233-4455-6677-8899-aabbccddeeff"}).Draw(t, "ref")
			if f.Ref == kind.RefUnion {
				text = rapid.SampledFrom([]string{"U1", "U2"}).Draw(t, "union")
			}
		default:
			text = "abc123"
		}
		value, _, problem := f.Parse(text)
		if problem == nil && value != nil {
			v[f.Number] = value
		}
	}
	return v
}

// TestFindingsHoldNoValues: errors go to logs; what a person typed does not.
func TestFindingsHoldNoValues(t *testing.T) {
	k := kindNamed(t, "member")
	v := member(t, "id_no=330782199003070014", "sex=女", "mobile=0579-89814516")
	for _, f := range k.Check(v, kind.Env{Today: today}) {
		e := f.Err()
		for _, secret := range []string{"330782199003070014", "89814516", "张三"} {
			for _, arg := range e.Args {
				if strings.Contains(arg, secret) || strings.Contains(e.Error(), secret) {
					t.Errorf("E%d shows a value", e.Code)
				}
			}
		}
		if e.Args["label_zh"] == "" {
			t.Errorf("E%d has no label", e.Code)
		}
	}
}
