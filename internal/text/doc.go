// Package text is the message catalogue: every sentence and word that a person meets, in
// Chinese and in English. It owns the files in catalogue/, one for each room, and the
// choice of the language. It imports syncproto for the codes and nothing else of the
// project; it never reads the environment and never sees a member's name or number.
//
// A file holds two kinds of entries: sentences of error codes and words by an id.
//
//   - code: 701
//     zh: 本机日志文件已损坏（第 {seq} 条）。
//     en: The journal file on this PC is damaged (entry {seq}).
//     hint_zh: 请联系市总工会。
//     hint_en: Please contact the city union.
//   - id: status.saved_here
//     zh: 本机已保存
//     en: saved on this PC
//
// Both languages must be there and must use the same placeholders ({label_zh} in Chinese and
// {label_en} in English count as the same); a code or id stands once
// in all files together. [Load] checks that, and a test that every code has its sentence.
package text
