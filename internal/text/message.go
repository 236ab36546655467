package text

import (
	"errors"
	"fmt"

	"unionsync/syncproto"
)

// missing stands for a placeholder that nobody filled.
const missing = "—"

// Sentence says in one sentence what err means to a person, and ends with the code. The
// first [syncproto.Error] in err's chain decides; an error without one is an internal one.
func Sentence(lang Lang, err error) string { return Builtin().Sentence(lang, err) }

// Hint says what to do about err, or nothing when the sentence says it all.
func Hint(lang Lang, err error) string { return Builtin().Hint(lang, err) }

// Of gives the words with this id, their placeholders filled. An unknown id is given back
// as it is, so that a screen stays readable; a test finds such ids.
func Of(lang Lang, id string, args map[string]string) string { return Builtin().Of(lang, id, args) }

// Sentence is [Sentence] in this catalogue.
func (c *Catalogue) Sentence(lang Lang, err error) string {
	code, e, args := c.find(err)
	if lang == English {
		return fmt.Sprintf("%s (E%d)", fill(e.EN, args), code)
	}
	return fmt.Sprintf("%s（E%d）", fill(e.ZH, args), code)
}

// Hint is [Hint] in this catalogue.
func (c *Catalogue) Hint(lang Lang, err error) string {
	_, e, args := c.find(err)
	if lang == English {
		return fill(e.HintEN, args)
	}
	return fill(e.HintZH, args)
}

// Of is [Of] in this catalogue.
func (c *Catalogue) Of(lang Lang, id string, args map[string]string) string {
	e, ok := c.words[id]
	switch {
	case !ok:
		return id
	case lang == English:
		return fill(e.EN, args)
	default:
		return fill(e.ZH, args)
	}
}

// find gives the code that stands for err, its entry and the arguments. A code that has no
// sentence here (the other end may be newer) keeps its number and gets a general sentence.
func (c *Catalogue) find(err error) (syncproto.Code, entry, map[string]string) {
	code, args := syncproto.CodeInternal, map[string]string(nil)
	var e *syncproto.Error
	if errors.As(err, &e) {
		code, args = e.Code, e.Args
	}
	if found, ok := c.codes[code]; ok {
		return code, found, args
	}
	return code, c.words[unknownCode], map[string]string{"code": fmt.Sprint(uint16(code))}
}

// unknownCode is the id of the sentence for codes that this program does not know.
const unknownCode = "error.unknown_code"

// fill replaces the placeholders in one pass: what an argument holds is never read again.
func fill(s string, args map[string]string) string {
	return placeholder.ReplaceAllStringFunc(s, func(p string) string {
		if v, ok := args[p[1:len(p)-1]]; ok && v != "" {
			return v
		}
		return missing
	})
}
