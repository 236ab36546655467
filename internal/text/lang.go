package text

import "strings"

// Lang is a language of the catalogue.
type Lang string

// The languages. Chinese is the default: the clerks' desks are in Jinhua.
const (
	Chinese Lang = "zh"
	English Lang = "en"
)

// EnvLang names the environment variable that chooses the language.
const EnvLang = "UNIONSYNC_LANG"

// ParseLang reads a language as people write it: zh, en, and locale names such as
// zh_CN.UTF-8 or en-US.
func ParseLang(s string) (Lang, bool) {
	s = strings.ToLower(s)
	if i := strings.IndexAny(s, "_-."); i >= 0 {
		s = s[:i]
	}
	switch l := Lang(s); l {
	case Chinese, English:
		return l, true
	default:
		return Chinese, false
	}
}

// Choose gives the first of flag and environment value that names a language, else Chinese.
func Choose(flag, env string) Lang {
	for _, s := range []string{flag, env} {
		if l, ok := ParseLang(s); ok {
			return l
		}
	}
	return Chinese
}
