// Package uniontest makes unions with invented members for tests and benchmarks of what
// stands on agent/union. It imports agent/union and syncproto and is imported by tests and
// the benchmark program only.
package uniontest

import (
	"context"
	"fmt"
	"math/rand/v2"

	"unionsync/agent/store"
	"unionsync/agent/union"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Key is the data key of test unions.
var Key = [32]byte{11, 22, 33}

// Rand is a source of bytes that is the same in every run.
func Rand(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// Create makes a union in dir whose first fetch has finished: it can save.
func Create(dir, code string, o union.Options) (*union.Union, error) {
	if o.Key == nil {
		o.Key = &Key
	}
	if o.Kinds == nil {
		o.Kinds = kind.Embedded()
	}
	u, err := union.Create(dir, code, o)
	if err != nil {
		return nil, err
	}
	st, err := u.State()
	if err != nil {
		return nil, err
	}
	st.Fetched = true
	return u, u.Settle(union.Update{Update: store.Update{Meta: &st.Meta}})
}

// citizen gives the n-th invented citizen's number. The region code 330102 with these
// birth dates and order numbers is made up; the check character is right.
func citizen(n int) string {
	base := fmt.Sprintf("330102%04d%02d%02d%03d", 1965+n%35, 1+n%12, 1+n/12%28, n/336%1000)
	weights := [...]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += w * int(base[i]-'0')
	}
	return base + string("10X98765432"[sum%11])
}

// Member gives the drafts of the n-th invented member: the member and the event of joining,
// to be saved together. Numbers below some 300,000 give different documents.
func Member(u *union.Union, n int) ([]union.Draft, error) {
	id, err := u.NewID()
	if err != nil {
		return nil, err
	}
	return []union.Draft{
		{Kind: "member", ID: id, New: true, Text: map[string]string{
			"name": fmt.Sprint("试", string(rune('一'+n%5000))), "id_no": citizen(n), "ethnic": "汉族", "education": "大学本科",
			"mobile": fmt.Sprintf("139%08d", n%100000000), "employer": "永康市某某工具有限公司", "migrant": "否", "dispatch": "否",
		}},
		{Kind: "membership-event", Values: kind.Values{10: id[:]}, Text: map[string]string{"type": "1", "date": "2024-03-01"}},
	}, nil
}

// Members saves count invented members from the n-th on, in groups as large as may be.
func Members(ctx context.Context, u *union.Union, n, count int) ([]union.Saved, error) {
	var out []union.Saved
	var drafts []union.Draft
	for i := range count {
		d, err := Member(u, n+i)
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, d...)
		if len(drafts)+2 > union.MaxGroup || i == count-1 {
			saved, err := u.SaveGroup(ctx, drafts)
			if err != nil {
				return nil, err
			}
			out, drafts = append(out, saved...), drafts[:0]
		}
	}
	return out, nil
}

// Field gives the number of a kind's field.
func Field(kindName, field string) syncproto.FieldNumber {
	k, err := kind.Embedded().Find(kindName)
	if err != nil {
		panic(err)
	}
	f, err := k.Find(field)
	if err != nil {
		panic(err)
	}
	return f.Number
}
