package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server"
)

func clusterStatusCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "status",
		Usage:       s.T("server.cluster_status_usage"),
		Description: s.T("server.cluster_status_help"),
		Flags:       []cli.Flag{dataFlag(s), nodeFlag(s)},
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			st, err := a.Cluster(c.Context)
			if err != nil {
				return err
			}
			s := clikit.From(c)
			if err := s.Print(st, func() error { return printCluster(s, st) }); err != nil {
				return err
			}
			return clusterOutcome(s, st)
		},
	}
}

// clusterOutcome says on standard error what an operator should look after.
func clusterOutcome(s *clikit.Session, st *server.ClusterStatus) error {
	if st.Leader == "" {
		s.Note(s.T("server.no_leader"))
	}
	for _, n := range st.Nodes {
		if !n.Answers {
			s.Note(s.T("server.node_silent", "node", n.Node))
		}
	}
	for _, n := range st.Nodes {
		if n.State == "differs" {
			s.Note(s.T("server.node_differs", "node", n.Node))
		}
	}
	if st.Halted {
		s.Note(s.T("server.halted"))
	}
	if st.Whole() {
		return nil
	}
	return clikit.Outcome(clikit.ExitAttention)
}

func printCluster(s *clikit.Session, st *server.ClusterStatus) error {
	t := clikit.Table{Head: []string{
		s.T("server.node"), s.T("server.role"), s.T("server.voter"), s.T("server.addresses"), s.T("server.program"),
		s.T("server.data_level"), s.T("server.applied"), s.T("server.lag"), s.T("server.last_contact"), s.T("server.data_check"),
	}}
	for _, n := range st.Nodes {
		contact := "-"
		if n.LastContact >= 0 {
			contact = (time.Duration(n.LastContact) * time.Millisecond).String()
		}
		t.Rows = append(t.Rows, []string{
			n.Node, s.T("server.role_" + n.Role), yesNo(s, n.Voter), n.API, n.Version,
			fmt.Sprintf("%d/%d", n.Level, n.Knows), strconv.FormatUint(n.Applied, 10), strconv.FormatUint(n.Lag, 10), contact, s.T("server.state_" + n.State),
		})
	}
	if err := s.PrintTable(t); err != nil {
		return err
	}
	return s.Println(s.T("server.cluster_line", "voters", fmt.Sprint(st.Voters), "need", fmt.Sprint(st.Need), "spare", fmt.Sprint(st.Spare)))
}
