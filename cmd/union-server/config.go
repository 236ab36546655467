package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server"
)

func configCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "config",
		Usage:       s.T("server.config_usage"),
		Subcommands: []*cli.Command{configPrintCommand(s), configCheckCommand(s)},
	}
}

// settingFlags are those that set a setting for this start.
func settingFlags(s *clikit.Session) []cli.Flag {
	var out []cli.Flag
	for _, name := range server.Settings() {
		out = append(out, &cli.StringFlag{Name: flagOf(name), Usage: s.T("config." + name)})
	}
	return out
}

func flagOf(setting string) string { return strings.ReplaceAll(setting, "_", "-") }

// settingsOf reads these flags.
func settingsOf(c *cli.Context) map[string]string {
	out := map[string]string{}
	for _, name := range server.Settings() {
		out[name] = c.String(flagOf(name))
	}
	return out
}

func configPrintCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "print",
		Usage:       s.T("server.config_print_usage"),
		ArgsUsage:   "[NAME]",
		Description: s.T("server.config_help"),
		Flags:       append([]cli.Flag{dataFlag(s), &cli.BoolFlag{Name: "origins", Usage: s.T("server.config_flag_origins")}}, settingFlags(s)...),
		Action: func(c *cli.Context) error {
			s := clikit.From(c)
			args, err := clikit.Args(c, 0, 1, "NAME")
			if err != nil {
				return err
			}
			all, err := server.Origins(c.String("data"), s.Env, settingsOf(c))
			if all == nil {
				return err
			}
			if len(args) > 0 {
				if err := server.CheckSetting(args[0]); err != nil {
					return err
				}
				all = only(all, args[0])
			}
			if err != nil {
				return err
			}
			return s.Print(map[string]any{"settings": all}, func() error { return printSettings(s, all, c.Bool("origins")) })
		},
	}
}

func only(all []server.SettingValue, name string) []server.SettingValue {
	for i := range all {
		if all[i].Name == name {
			return all[i : i+1]
		}
	}
	return nil
}

func printSettings(s *clikit.Session, all []server.SettingValue, origins bool) error {
	t := clikit.Table{Head: []string{s.T("server.setting"), s.T("server.value"), s.T("server.meaning")}}
	if origins {
		t.Head = append(t.Head[:2], s.T("server.origin"), s.T("server.meaning"))
	}
	for _, v := range all {
		row := []string{v.Name, v.Value}
		if origins {
			row = append(row, strings.TrimSpace(s.T("server.origin_"+string(v.Origin))+" "+v.From))
		}
		t.Rows = append(t.Rows, append(row, s.T("config."+v.Name)))
	}
	return s.PrintTable(t)
}

func configCheckCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: s.T("server.config_check_usage"),
		Flags: append([]cli.Flag{dataFlag(s)}, settingFlags(s)...),
		Action: func(c *cli.Context) error {
			s := clikit.From(c)
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			if _, err := server.LoadConfig(c.String("data"), s.Env, settingsOf(c)); err != nil {
				return err
			}
			return s.Print(map[string]bool{"ok": true}, func() error { return s.Println(s.T("server.config_good")) })
		},
	}
}
