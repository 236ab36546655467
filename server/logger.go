package server

import (
	"fmt"
	"io"
	"log/slog"
)

func (c *Config) logLevel() (slog.Level, error) {
	var l slog.Level
	if c.LogLevel == "" {
		return slog.LevelInfo, nil
	}
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return l, fmt.Errorf("log_level: %w", err)
	}
	return l, nil
}

// NewLogger makes the node's log on w. What is logged holds no data of members.
func (c *Config) NewLogger(w io.Writer) (*slog.Logger, error) {
	level, err := c.logLevel()
	if err != nil {
		return nil, err
	}
	o := &slog.HandlerOptions{Level: level}
	switch c.LogFormat {
	case "", "text":
		return slog.New(slog.NewTextHandler(w, o)).With("node", c.ID), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)).With("node", c.ID), nil
	}
	return nil, fmt.Errorf("log_format: want text or json, have %q", c.LogFormat)
}
