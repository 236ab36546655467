package kind_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// field gives a field of an embedded kind, as in member.name.
func field(t testing.TB, name string) *kind.Field {
	t.Helper()
	kindName, fieldName, _ := strings.Cut(name, ".")
	k, ok := kind.Embedded().Kind(kindName)
	if !ok {
		t.Fatalf("no kind %s", kindName)
	}
	f, ok := k.Field(fieldName)
	if !ok {
		t.Fatalf("no field %s", name)
	}
	return f
}

// The codes in short, to keep the table readable.
const (
	width, trim, apostrophe = syncproto.CodeNoteWidth, syncproto.CodeNoteTrim, syncproto.CodeNoteApostrophe
	upper, spaces, dot      = syncproto.CodeNoteUpper, syncproto.CodeNoteSpaces, syncproto.CodeNoteDot
	alias, date, serial     = syncproto.CodeNoteAlias, syncproto.CodeNoteDate, syncproto.CodeNoteSerial
	oldID, number, form     = syncproto.CodeNoteOldID, syncproto.CodeNoteNumber, syncproto.CodeNoteForm
)

func TestParse(t *testing.T) {
	type codes = []syncproto.Code
	for _, c := range []struct {
		why, field, in, want string
		notes                codes
	}{
		{"plain name", "member.name", "徐远宇", "徐远宇", nil},
		{"blank is no value", "member.name", " \u3000\t", "", nil},
		{"blanks around", "member.name", " 张三 ", "张三", codes{trim}},
		{"full-width blank inside", "member.name", "杨　芳轩", "杨芳轩", codes{spaces}},
		{"two ordinary blanks inside", "member.name", "张  三", "张三", codes{spaces}},
		{"no-break and zero-width blanks", "member.name", "张\u00a0三\u200b", "张三", codes{trim, spaces}},
		{"blanks of a Latin name stay", "member.name", "John Smith", "John Smith", nil},
		{"the right dot", "member.name", "买买提·艾力", "买买提·艾力", nil},
		{"bullet", "member.name", "买买提•艾力", "买买提·艾力", codes{dot}},
		{"hyphenation point", "member.name", "买买提‧艾力", "买买提·艾力", codes{dot}},
		{"katakana dot", "member.name", "买买提・艾力", "买买提·艾力", codes{dot}},
		{"full-width full stop", "member.name", "阿依古丽．麦麦提", "阿依古丽·麦麦提", codes{dot}},
		{"bullet operator", "member.name", "买买提∙艾力", "买买提·艾力", codes{dot}},
		{"full stop between Han characters", "member.name", "买买提.艾力", "买买提·艾力", codes{dot}},
		{"full stop after an initial stays", "member.name", "J. Smith", "J. Smith", nil},
		{"dot with blanks around", "member.name", "买买提 · 艾力", "买买提·艾力", codes{spaces}},
		{"beyond the BMP", "member.name", "王𬹼", "王𬹼", nil},
		{"two characters beyond the BMP with a blank", "member.name", "𠮷 𬹼", "𠮷𬹼", codes{spaces}},
		{"decomposed accent", "member.name", "Jose\u0301", "Jos\u00e9", codes{form}},
		{"byte order mark", "member.name", "\ufeff张三", "张三", nil},
		{"lines of a text", "member.remark", "一\r\n二\r三", "一\n二\n三", nil},
		{"full-width digits of a text stay", "member.remark", "共１２人", "共１２人", nil},

		{"id", "member.id_no", "330782199003070013", "330782199003070013", nil},
		{"lower-case x", "member.id_no", "11010519491231002x", "11010519491231002X", codes{upper}},
		{"full-width digits", "member.id_no", "３３０７８２１９９００３０７００１３", "330782199003070013", codes{width}},
		{"full-width x", "member.id_no", "11010519491231002ｘ", "11010519491231002X", codes{width, upper}},
		{"apostrophe", "member.id_no", "'330782199003070013", "330782199003070013", codes{apostrophe}},
		{"curly apostrophe", "member.id_no", "’330782199003070013", "330782199003070013", codes{apostrophe}},
		{"tab", "member.id_no", "\t330782199003070013", "330782199003070013", codes{apostrophe}},
		{"grouped", "member.id_no", "330782 19900307 0013", "330782199003070013", codes{spaces}},
		{"a passport is a document too", "member.id_no", "g12345678", "G12345678", codes{upper}},
		{"an officer's card", "member.id_no", "军字第1234567号", "军字第1234567号", nil},

		{"canonical date", "member.birth", "2024-09-30", "2024-09-30", nil},
		{"way 1: dots", "member.birth", "2024.9.30", "2024-09-30", codes{date}},
		{"way 2: slashes", "member.birth", "2024/09/30", "2024-09-30", codes{date}},
		{"way 3: eight digits", "member.birth", "20240930", "2024-09-30", codes{date}},
		{"way 4: Chinese", "member.birth", "2024年9月30日", "2024-09-30", codes{date}},
		{"way 5: Chinese month", "member.birth", "2024年9月", "2024-09", codes{date}},
		{"way 6: serial number", "member.birth", "45565", "2024-09-30", codes{serial}},
		{"serial with a time", "member.birth", "45565.75", "2024-09-30", codes{serial}},
		{"serial that row 33 of the roster has", "member.birth", "43651", "2019-07-05", codes{serial}},
		{"short month and day", "member.birth", "2024-9-3", "2024-09-03", codes{date}},
		{"short slashes", "member.birth", "2024/9/3", "2024-09-03", codes{date}},
		{"month with a dot", "member.birth", "1990.3", "1990-03", codes{date}},
		{"month with a slash", "member.birth", "1990/3", "1990-03", codes{date}},
		{"six digits", "member.birth", "199003", "1990-03", codes{date}},
		{"canonical month", "member.birth", "1990-03", "1990-03", nil},
		{"midnight behind", "member.birth", "2024-09-30 00:00:00", "2024-09-30", codes{spaces, date}},
		{"full-width Chinese date", "member.birth", "２０２４年９月３０日", "2024-09-30", codes{width, date}},
		{"29 February of a leap year", "member.birth", "2000-02-29", "2000-02-29", nil},

		{"label", "member.ethnic", "汉族", "01", nil},
		{"short word is replaced visibly", "member.ethnic", "汉", "01", codes{alias}},
		{"everyday word is as good as the label", "member.education", "大专", "31", nil},
		{"本科 is one too", "member.education", "本科", "21", nil},
		{"the broad value", "member.education", "大学本科", "20", codes(nil)},
		{"the code itself", "member.education", "21", "21", codes{alias}},
		{"English label", "member.sex", "Male", "1", nil},
		{"brackets of the other width", "member.work_status", "待(下)岗", "2", nil},
		{"skill as the roster has it", "member.skill", "三级", "3", nil},
		{"yes", "member.migrant", "是", "1", nil},
		{"no", "member.migrant", "否", "0", nil},
		{"a tick", "member.migrant", "√", "1", codes{alias}},

		{"mobile", "member.mobile", "13307225249", "13307225249", nil},
		{"mobile in groups", "member.mobile", "133 0722 5249", "13307225249", codes{spaces}},
		{"mobile with dashes", "member.mobile", "133-0722-5249", "13307225249", codes{number}},
		{"country code", "member.mobile", "+8613307225249", "13307225249", codes{number}},
		{"country code without plus", "member.mobile", "8613307225249", "13307225249", codes{number}},
		{"landline", "member.mobile", "0579-89814516", "0579-89814516", nil},
		{"landline without dash", "member.mobile", "057989814516", "0579-89814516", codes{number}},
		{"landline in brackets", "member.mobile", "（0579）89814516", "0579-89814516", codes{width, number}},
		{"landline of a city with three digits", "member.mobile", "01065231234", "010-65231234", codes{number}},
		{"extension", "member.mobile", "0579-89814516-801", "0579-89814516-801", nil},

		{"integer", "union.staff", "1200", "1200", nil},
		{"thousands", "union.staff", "1,200", "1200", codes{number}},
		{"unit of counting", "union.staff", "1200人", "1200", codes{number}},
		{"leading zeros", "union.staff", "0012", "12", codes{number}},
		{"negative", "union.staff", "-3", "-3", nil},
		{"credit code", "member.employer_code", "91350100m000100y43", "91350100M000100Y43", codes{upper}},
		{"union's code", "org-unit.parent", "JH-330782-001", "JH-330782-001", nil},
		{"set with several separators", "disclosure.channels", "公开栏、内网，职代会", "1\n3\n4", nil},
		{"set with one element twice", "disclosure.channels", "公开栏;3", "3", codes{alias}},
		{"reference", "delegate.term", "00112233-4455-6677-8899-aabbccddeeff", "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			f := field(t, c.field)
			value, notes, problem := f.Parse(c.in)
			if problem != nil {
				t.Fatalf("refused: E%d", problem.Code)
			}
			if string(value) != c.want {
				t.Errorf("value %q, want %q", value, c.want)
			}
			var got codes
			for _, n := range notes {
				if n.Field != f || n.From != c.in {
					t.Errorf("note %v does not say what was typed", n)
				}
				got = append(got, n.Code)
			}
			if diff := cmp.Diff(c.notes, got); diff != "" {
				t.Errorf("notes (-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		why, field, in string
		want           syncproto.Code
	}{
		{"51 characters of 50", "member.name", strings.Repeat("张", 51), syncproto.CodeTooLong},
		{"a cell of a megabyte is not even looked at", "member.remark", strings.Repeat("x", 1<<20), syncproto.CodeTooLong},
		{"control character", "member.name", "张\x07三", syncproto.CodeNotText},
		{"broken UTF-8", "member.name", "\xd5\xc5", syncproto.CodeNotText},
		{"replacement character of a failed decoding", "member.name", "张\ufffd", syncproto.CodeNotText},
		{"id that became a number", "member.id_no", "3.30782E+17", syncproto.CodeIDNumeric},
		{"the same with more digits", "member.id_no", "3.30782199608209e+17", syncproto.CodeIDNumeric},
		{"31 characters", "member.id_no", strings.Repeat("1", 31), syncproto.CodeTooLong},
		{"signs that no document has", "member.id_no", "33078219900307#013", syncproto.CodeNotDocument},
		{"30 February", "member.birth", "2024-02-30", syncproto.CodeNotDate},
		{"month 13", "member.birth", "2024.13.1", syncproto.CodeNotDate},
		{"a year only", "member.birth", "2024", syncproto.CodeNotDate},
		{"year 24", "member.birth", "24-09-30", syncproto.CodeNotDate},
		{"day first", "member.birth", "30/09/2024", syncproto.CodeNotDate},
		{"a word", "member.birth", "不详", syncproto.CodeNotDate},
		{"serial of nothing believed", "member.birth", "99999", syncproto.CodeNotDate},
		{"unknown word", "member.education", "博古通今", syncproto.CodeNotInTable},
		{"unknown code", "member.education", "99", syncproto.CodeNotInTable},
		{"neither yes nor no", "member.migrant", "可能", syncproto.CodeNotYesNo},
		{"ten digits", "member.mobile", "1330722524", syncproto.CodeNotPhone},
		{"two numbers", "member.mobile", "13307225249/13307225248", syncproto.CodeNotPhone},
		{"12 as second digit", "member.mobile", "12307225249", syncproto.CodeNotPhone},
		{"mobile that became a number", "member.mobile", "1.33E+10", syncproto.CodeNotPhone},
		{"decimals", "union.staff", "12.5", syncproto.CodeNotInteger},
		{"words", "union.staff", "十二", syncproto.CodeNotInteger},
		{"more digits than a number holds", "union.staff", "1234567890123456", syncproto.CodeNotInteger},
		{"credit code with O", "member.employer_code", "9135010OM000100Y43", syncproto.CodeCreditChar},
		{"credit code with a wrong check", "member.employer_code", "91350100M000100Y44", syncproto.CodeCreditCheck},
		{"short credit code", "member.employer_code", "91350100M000100Y4", syncproto.CodeCreditLength},
		{"credit code that became a number", "member.employer_code", "9.13501E+17", syncproto.CodeIDNumeric},
		{"union code with a blank word", "org-unit.parent", "金华", syncproto.CodeNotReference},
		{"union code of 33 characters", "org-unit.parent", strings.Repeat("a", 33), syncproto.CodeNotReference},
		{"id of another length", "delegate.term", "0011", syncproto.CodeNotReference},
		{"one unknown element of a set", "disclosure.channels", "公开栏、飞鸽", syncproto.CodeNotInTable},
	} {
		value, notes, problem := field(t, c.field).Parse(c.in)
		if problem == nil || problem.Code != c.want || value != nil || notes != nil {
			t.Errorf("%s: value %q, problem %v, want E%d alone", c.why, value, problem, c.want)
			continue
		}
		if e := problem.Err(); e.Code != c.want || e.Args["label_zh"] == "" || strings.Contains(e.Error(), c.in) {
			t.Errorf("%s: the error %v lacks the label or shows what was typed", c.why, e)
		}
	}
}

// money is a kind of its own: no embedded kind has an amount yet.
func moneyField(t testing.TB) *kind.Field {
	t.Helper()
	s, err := kind.LoadFiles(map[string][]byte{"grant.yaml": []byte(`kind: grant
number: 60
version: 1
label: {zh: 慰问, en: Grant}
title: amount
fields:
  - {number: 10, name: amount, label: {zh: 金额, en: Amount}, type: money}
  - {number: 11, name: month, label: {zh: 月份, en: Month}, type: month}
  - {number: 12, name: holder, label: {zh: 身份证号, en: Citizen number}, type: citizenid, sensitive: true}
`)})
	if err != nil {
		t.Fatal(err)
	}
	k, _ := s.Kind("grant")
	return k.Fields[0]
}

func TestParseMoney(t *testing.T) {
	f := moneyField(t)
	for in, want := range map[string]string{
		"1234.5": "123450", "1,234.50元": "123450", "¥12": "1200", "0.07": "7", "-3.00": "-300", "1.2万元": "1200000",
		"0": "0", "1.5亿": "15000000000", "１２元": "1200",
	} {
		value, _, problem := f.Parse(in)
		if problem != nil || string(value) != want {
			t.Errorf("%s: %q %v, want %s fen", in, value, problem, want)
		}
	}
	for _, in := range []string{"1.234", "一百元", "1.2.3", "", "万", "9999999999999999"} {
		if value, _, problem := f.Parse(in); in != "" && problem == nil {
			t.Errorf("%s passed as %s fen", in, value)
		}
	}
	for fen, want := range map[string]string{"7": "0.07", "123450": "1234.50", "-300": "-3.00", "0": "0.00"} {
		if got := f.Format([]byte(fen), "zh"); got != want {
			t.Errorf("%s fen shows as %s, want %s", fen, got, want)
		}
	}
}

// TestParseCitizen: a citizenid field without a type beside it checks the number itself.
func TestParseCitizen(t *testing.T) {
	k := kindOf(moneyField(t), t)
	for in, want := range map[string]syncproto.Code{
		"330782199003070013": 0, "330702851231042": oldID, "330782199003070014": syncproto.CodeIDCheck,
		"33078219900307001": syncproto.CodeIDLength, "990782199003070013": syncproto.CodeIDProvince,
		"411328199002306339": syncproto.CodeIDBirth, "33078219900307001G": syncproto.CodeIDChar,
	} {
		_, notes, problem := k.Parse(in)
		var got syncproto.Code
		if problem != nil {
			got = problem.Code
		} else if len(notes) > 0 {
			got = notes[0].Code
		}
		if got != want {
			t.Errorf("%s: E%d, want E%d", in, got, want)
		}
	}
}

// kindOf gives the citizenid field of the little kind.
func kindOf(f *kind.Field, t testing.TB) *kind.Field {
	t.Helper()
	s, err := kind.LoadFiles(map[string][]byte{"g.yaml": []byte("kind: g\nnumber: 1\nversion: 1\nlabel: {zh: 甲, en: a}\ntitle: holder\nfields:\n  - {number: 12, name: holder, label: {zh: 身份证号, en: Citizen number}, type: citizenid, sensitive: true}\n")})
	if err != nil {
		t.Fatal(err)
	}
	k, _ := s.Kind("g")
	return k.Fields[0]
}

func TestMask(t *testing.T) {
	for _, c := range []struct{ field, value, want string }{
		{"member.id_no", "330102199001011234", "330102********1234"},
		{"member.id_no", "G12345678", "G1*****78"},
		{"member.mobile", "13812340000", "138****0000"},
		{"member.mobile", "0579-89814516", "057******4516"},
		{"member.card_no", "6222", "6***"},
		{"member.name", "张三", "张三"},
		{"member.id_no", "", ""},
		{"member.id_no", "1", "*"},
		{"member.id_no", "123", "1**"},
	} {
		if got := field(t, c.field).Mask([]byte(c.value), "zh"); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.field, c.value, got, c.want)
		}
	}
}

// TestParseFormat: what Format writes is read again to the same bytes, in both languages,
// and what Parse gives is canonical: reading it again changes nothing.
func TestParseFormat(t *testing.T) {
	samples := rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`[ '\t　]?[1-9][0-9]{0,17}[xXｘ]?`),
		rapid.StringMatching(`(19|20)[0-9]{2}[-./年][0-9]{1,2}([-./月][0-9]{1,2}日?)?`),
		rapid.SampledFrom([]string{"汉", "本科", "大专", "是", "√", "张 三", "买买提.艾力", "公开栏、内网", "0579-89814516", "43651", "女", "三级"}),
		rapid.StringMatching(`[\x{4e00}-\x{9fa5} ·•．]{1,6}`),
	)
	var fields []*kind.Field
	for _, k := range kind.Embedded().All() {
		fields = append(fields, k.Fields...)
	}
	fields = append(fields, moneyField(t))
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(fields).Draw(t, "field")
		value, _, problem := f.Parse(samples.Draw(t, "text"))
		if problem != nil || value == nil {
			return
		}
		if p := f.Valid(value); p != nil {
			t.Fatalf("%s: Parse gave %q, which is not canonical: E%d", f.Name, value, p.Code)
		}
		for _, lang := range []string{"zh", "en"} {
			shown := f.Format(value, lang)
			again, _, problem := f.Parse(shown)
			if problem != nil || string(again) != string(value) {
				t.Fatalf("%s: %q shows as %q, which reads as %q (%v)", f.Name, value, shown, again, problem)
			}
		}
	})
}

// TestEveryCodeReadsAgain: each row of each table can be exported and imported.
func TestEveryCodeReadsAgain(t *testing.T) {
	for _, k := range kind.Embedded().All() {
		for _, f := range k.Fields {
			if f.Table == nil {
				continue
			}
			for _, c := range f.Table.Codes {
				for _, lang := range []string{"zh", "en"} {
					got, notes, problem := f.Parse(f.Format([]byte(c.Code), lang))
					if problem != nil || string(got) != c.Code || len(notes) > 0 {
						t.Errorf("%s.%s: code %s reads as %q with %d notes, %v", k.Name, f.Name, c.Code, got, len(notes), problem)
					}
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "张 三", "'330782199003070013", "3.30782E+17", "2024年9月30日", "43651", "1,234.5万元", "\ufeff\t", "\xff", "公开栏、、内网"} {
		f.Add(s)
	}
	var fields []*kind.Field
	for _, k := range kind.Embedded().All() {
		fields = append(fields, k.Fields...)
	}
	fields = append(fields, moneyField(f))
	f.Fuzz(func(t *testing.T, s string) {
		for _, fd := range fields {
			value, _, problem := fd.Parse(s)
			if problem == nil && value != nil && fd.Valid(value) != nil {
				t.Errorf("%s: %q is not canonical", fd.Name, value)
			}
			if !utf8.ValidString(fd.Mask([]byte(s), "zh")) && utf8.ValidString(s) {
				t.Errorf("%s: masking broke the text", fd.Name)
			}
			_ = fd.Valid([]byte(s)) // must not panic
		}
	})
}
