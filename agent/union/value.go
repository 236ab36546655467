package union

import (
	"encoding/binary"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// Values gives a record's current values as rules and sheets see them: sets joined,
// cleared fields left out. Fields that the kind does not know are left out too.
func Values(k *kind.Kind, r *merge.Record) kind.Values {
	out := make(kind.Values, len(k.Fields))
	for _, f := range k.Fields {
		if f.Type == kind.TypeSet {
			if set := r.Set(f.Number); len(set) > 0 {
				out[f.Number] = joinSet(set)
			}
		} else if v, ok := r.Value(f.Number); ok {
			out[f.Number] = v
		}
	}
	return out
}

func joinSet(elements [][]byte) []byte {
	text := make([]string, len(elements))
	for i, e := range elements {
		text[i] = string(e)
	}
	return kind.JoinSet(text)
}

// tokensOf gives what the store finds a record by: the values of its kind's key fields
// together, unless it is void, and each record or union that it refers to.
func (u *Union) tokensOf(key syncproto.RecordKey, r *merge.Record) [][]byte {
	k, ok := u.o.Kinds.ByNumber(key.Kind)
	if !ok {
		return nil
	}
	var out [][]byte
	if t, ok := keyToken(k, func(f *kind.Field) string { return r.Text(f.Number) }); ok && !r.Void() {
		out = append(out, t)
	}
	for _, f := range k.Fields {
		if f.Type == kind.TypeReference {
			if v, ok := r.Value(f.Number); ok {
				out = append(out, refToken(f, v))
			}
		}
	}
	return out
}

// keyToken joins the values of the kind's key fields; ok is false when one is missing.
func keyToken(k *kind.Kind, value func(*kind.Field) string) (token []byte, ok bool) {
	token = []byte{'k'}
	for _, name := range k.Key {
		f, _ := k.Field(name)
		v := value(f)
		if v == "" {
			return nil, false
		}
		token = binary.AppendUvarint(token, uint64(len(v)))
		token = append(token, v...)
	}
	return token, len(k.Key) > 0
}

func refToken(f *kind.Field, value []byte) []byte {
	token := binary.BigEndian.AppendUint16([]byte{'r'}, uint16(f.Number))
	return append(token, value...)
}

// ByKey gives the records whose key fields have these canonical values, in the order of
// [kind.Kind.Key]: of members, those with this document. Void ones are not among them.
func (u *Union) ByKey(kindName string, key []string) ([]Row, error) {
	k, err := u.o.Kinds.Find(kindName)
	if err != nil {
		return nil, err
	}
	i := 0
	token, ok := keyToken(k, func(*kind.Field) string {
		if i++; i > len(key) {
			return ""
		}
		return key[i-1]
	})
	if !ok {
		return nil, nil
	}
	return u.byToken(k, token)
}

// Referring gives the records of a kind whose reference field names the record id: a
// member's events.
func (u *Union) Referring(kindName, field string, id syncproto.RecordID) ([]Row, error) {
	k, err := u.o.Kinds.Find(kindName)
	if err != nil {
		return nil, err
	}
	f, err := k.Find(field)
	if err != nil {
		return nil, err
	}
	return u.byToken(k, refToken(f, id[:]))
}

func (u *Union) byToken(k *kind.Kind, token []byte) ([]Row, error) {
	s, err := u.store()
	if err != nil {
		return nil, err
	}
	keys, err := s.Find(k.Number, token)
	if err != nil {
		return nil, err
	}
	out := make([]Row, 0, len(keys))
	for _, key := range keys {
		r, err := s.View(key)
		if err != nil {
			return nil, err
		}
		if there(r) {
			out = append(out, newRow(k, key.ID, r))
		}
	}
	return out, nil
}

// Related gives the values of a record that another refers to, as kind.Env and sheets need
// it. A void record is not there.
func (u *Union) Related(kindName string, id syncproto.RecordID) (kind.Values, bool) {
	k, ok := u.o.Kinds.Kind(kindName)
	if !ok {
		return nil, false
	}
	s, err := u.store()
	if err != nil {
		return nil, false
	}
	r, err := s.View(syncproto.RecordKey{Kind: k.Number, ID: id})
	if err != nil || !there(r) || r.Void() {
		return nil, false
	}
	return Values(k, r), true
}
