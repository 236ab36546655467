package clikit

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/text"
)

func init() {
	// The library's own flag is global and speaks English only.
	cli.HelpFlag = &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "帮助 / help", DisableDefaultText: true}
	cli.VersionFlag = &cli.BoolFlag{Name: "version", Aliases: []string{"v"}, Usage: "版本 / version", DisableDefaultText: true}
}

// headings are those of the library's templates, in Chinese.
var headings = strings.NewReplacer(
	"NAME:", "名称:",
	"USAGE:", "用法:",
	"VERSION:", "版本:",
	"DESCRIPTION:", "说明:",
	"CATEGORY:", "类别:",
	"COMMANDS:", "命令:",
	"GLOBAL OPTIONS:", "全局选项:",
	"OPTIONS:", "选项:",
)

// template gives one of the library's help templates in the session's language.
func (s *Session) template(t string) string {
	if s.Lang == text.English {
		return t
	}
	return headings.Replace(t)
}

// exitTable is the part of the program's help that documents the exit statuses.
func (s *Session) exitTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s:\n", s.T("cli.exit_heading"))
	for _, status := range Statuses {
		fmt.Fprintf(&b, "   %3d  %s\n", status, s.T(fmt.Sprintf("cli.exit_%d", status)))
	}
	return b.String()
}
